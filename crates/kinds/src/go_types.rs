//! What the types of members are called in Go, as the decoder of a real server tells it.

use std::collections::HashMap;
use std::sync::OnceLock;

use manifest::schema::{Scalar, Type, TypeRef};

/// Structs that every group uses, which are of version 1.
const SHARED: [&str; 6] = [
    "Condition",
    "LabelSelector",
    "LabelSelectorRequirement",
    "ManagedFieldsEntry",
    "ObjectMeta",
    "OwnerReference",
];

/// Structs that stand in others without a name in JSON, but with one in messages: who holds them,
/// their members (none: all but `name`), and what they are called.
const EMBEDDED: [(&str, &[&str], &str); 11] = [
    ("ConfigMapEnvSource", &["name"], "LocalObjectReference"),
    ("ConfigMapKeySelector", &["name"], "LocalObjectReference"),
    ("ConfigMapProjection", &["name"], "LocalObjectReference"),
    ("ConfigMapVolumeSource", &["name"], "LocalObjectReference"),
    ("IngressRule", &["http"], "IngressRuleValue"),
    ("PersistentVolumeClaim", &["apiVersion", "kind"], "TypeMeta"),
    (
        "Probe",
        &["exec", "grpc", "httpGet", "tcpSocket"],
        "ProbeHandler",
    ),
    ("SecretEnvSource", &["name"], "LocalObjectReference"),
    ("SecretKeySelector", &["name"], "LocalObjectReference"),
    ("SecretProjection", &["name"], "LocalObjectReference"),
    ("Volume", &[], "VolumeSource"),
];

/// The struct without a name in JSON that holds a member of another struct.
pub(crate) fn embedded(owner: &str, member: &str) -> Option<&'static str> {
    let fits = |members: &[&str]| match members {
        [] => member != "name",
        members => members.contains(&member),
    };
    let known = EMBEDDED
        .iter()
        .find(|(holder, members, _)| *holder == owner && fits(members));
    known.map(|(_, _, inner)| *inner)
}

/// Struct and member to the name of the type.
type Names = HashMap<(&'static str, &'static str), &'static str>;

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let lines = include_str!("../data/gotypes.txt").lines();
        lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split(' ');
                Some(((words.next()?, words.next()?), words.next()?))
            })
            .collect()
    })
}

/// The type of a member, or of its items, by the name that it has where it has one.
pub(crate) fn named(owner: &str, member: &str, plain: &str) -> String {
    match names().get(&(owner, member)) {
        Some(name) if plain == "[]string" => format!("[]{name}"),
        Some(name) if plain == "string" || plain.starts_with("map[") => (*name).to_owned(),
        _ => plain.to_owned(),
    }
}

/// The type of a field; structs are told with the version of their package.
pub(crate) fn of(ty: TypeRef<'_>, version: &str) -> String {
    match ty.ty() {
        Type::Scalar(scalar) => match scalar {
            Scalar::Boolean => "bool",
            Scalar::Int32 => "int32",
            Scalar::Int64 | Scalar::Integer => "int64",
            Scalar::Number => "float64",
            Scalar::Bytes => "[]uint8",
            _ => "string",
        }
        .to_owned(),
        Type::List(list) => format!("[]{}", of(ty.resolve(list.element), version)),
        Type::Map(map) if map.fields.is_empty() => match map.element {
            Some(element) => format!("map[string]{}", of(ty.resolve(element), version)),
            None => "map[string]interface {}".to_owned(),
        },
        Type::Map(map) if SHARED.contains(&map.name.as_str()) => format!("v1.{}", map.name),
        Type::Map(map) => format!("{version}.{}", map.name),
        Type::Any | Type::Opaque => "interface {}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_names() {
        let check = |owner: &str, member: &str, plain: &str, want: &str| {
            assert_eq!(named(owner, member, plain), want, "{owner}.{member}");
        };
        check("ServiceSpec", "type", "string", "v1.ServiceType");
        check("Capabilities", "add", "[]string", "[]v1.Capability");
        check("Capabilities", "add", "string", "v1.Capability");
        check(
            "ResourceRequirements",
            "limits",
            "map[string]string",
            "v1.ResourceList",
        );
        check("ServiceSpec", "clusterIP", "string", "string");
    }

    #[test]
    fn structs_in_structs_are_told() {
        let check = |owner: &str, member: &str, want: Option<&str>| {
            assert_eq!(embedded(owner, member), want, "{owner}.{member}");
        };
        check("Volume", "emptyDir", Some("VolumeSource"));
        check("Volume", "name", None);
        check("Probe", "exec", Some("ProbeHandler"));
        check("Probe", "periodSeconds", None);
    }
}
