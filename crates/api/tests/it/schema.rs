//! Every property of Argo CD's CRDs is in ours, of the same shape, and ours has nothing more but
//! what is listed here.

use std::collections::BTreeMap;

use yaml::{Map, Value};

/// Our own additions, by the end of their path.
const ADDITIONS: &[&str] = &["spec.syncPolicy.manual"];

#[test]
fn applications_have_the_schema_of_argo_cd() {
    check("application-crd.yaml", 0);
}

#[test]
fn projects_have_the_schema_of_argo_cd() {
    check("appproject-crd.yaml", 1);
}

#[test]
fn application_sets_have_the_schema_of_argo_cd() {
    check("applicationset-crd.yaml", 2);
}

fn check(file: &str, index: usize) {
    let Some(path) = crate::shared(&format!("reference/argocd/crds/{file}")) else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a CRD");
    let theirs = yaml::parse_str(&text).expect("YAML");
    let ours = &api::crds()[index];
    assert_eq!(without_schema(&theirs), without_schema(ours));
    let (theirs, ours) = (shapes(&theirs), shapes(ours));
    let differences: Vec<String> = theirs
        .iter()
        .filter(|(path, shape)| ours.get(*path) != Some(*shape))
        .map(|(path, shape)| format!("{path}: theirs {shape:?}, ours {:?}", ours.get(path)))
        .chain(
            ours.keys()
                .filter(|path| !theirs.contains_key(*path))
                .filter(|path| !ADDITIONS.iter().any(|addition| path.ends_with(addition)))
                .map(|path| format!("{path}: only ours")),
        )
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
    println!("{file}: {} paths are the same", theirs.len());
    assert!(theirs.len() > 90, "only {} paths found", theirs.len());
}

/// The CRD's spec without its schema: names, columns, subresources.
fn without_schema(crd: &Value) -> Value {
    let mut spec = crd.get("spec").cloned().expect("a spec");
    let versions = spec.get_mut("versions").and_then(Value::as_list_mut);
    for version in versions.expect("versions") {
        version.as_map_mut().expect("a version").remove("schema");
    }
    spec
}

/// Every path of the schema with what is said about it, texts for people left out.
fn shapes(crd: &Value) -> BTreeMap<String, Map> {
    let version = &crd
        .at(&["spec", "versions"])
        .and_then(Value::as_list)
        .expect("versions")[0];
    let schema = version
        .at(&["schema", "openAPIV3Schema"])
        .expect("a schema");
    let mut found = BTreeMap::new();
    collect(schema.as_map().expect("a schema"), "", &mut found);
    found
}

fn collect(schema: &Map, path: &str, found: &mut BTreeMap<String, Map>) {
    let mut shape = schema.clone();
    shape.remove("description");
    if let Some(Value::Map(properties)) = shape.remove("properties") {
        for (name, property) in properties.iter() {
            collect(
                property.as_map().expect("a schema"),
                &format!("{path}.{name}"),
                found,
            );
        }
    }
    for (nested, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(Value::Map(nested)) = shape.remove(nested) {
            collect(&nested, &format!("{path}{mark}"), found);
        }
    }
    if let Some(required) = shape.get_mut("required").and_then(Value::as_list_mut) {
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    found.insert(path.to_owned(), shape);
}
