//! CEL expressions in objects of `admissionregistration.k8s.io`: whether they compile, and to a type
//! that their place allows.
//!
//! [`problems`] is the door. It must never run an expression: that is the server's.

use std::sync::Arc;

use cel::{Environment, Field, ObjectType, Type};
use kinds::FieldError;
use yaml::{Str, Value};

/// Expressions about the authorizer are not judged, as the compiler does not know its functions.
const AUTHORIZER: &str = "authorizer";

/// What is wrong with the expressions of an object of `admissionregistration.k8s.io`; what an update leaves as it is was judged
/// before.
#[must_use]
pub fn problems(
    plural: &str,
    functions: &Environment,
    value: &Value,
    old: Option<&Value>,
) -> Vec<FieldError> {
    let part = |object: &Value, key: &str| object.get(key).cloned().unwrap_or_default();
    let is_new = |key: &str| old.is_none_or(|old| part(old, key) != part(value, key));
    let mut judge = Judge {
        environment: write_variables()
            .fold(functions.clone(), |all, (name, ty)| all.with(name, ty)),
        found: Vec::new(),
    };
    match plural {
        "validatingwebhookconfigurations" | "mutatingwebhookconfigurations"
            if is_new("webhooks") =>
        {
            for (index, hook) in items(value, "webhooks").iter().enumerate() {
                judge.list(&format!("webhooks[{index}]."), hook, &CONDITIONS);
            }
        }
        "validatingadmissionpolicies" if is_new("spec") => {
            if let Some(spec) = value.get("spec") {
                judge.policy(spec);
            }
        }
        _ => {}
    }
    judge.found
}

/// A list whose entries hold an expression, and what that may give.
struct Site {
    list: &'static str,
    member: &'static str,
    gives: &'static [Type],
}

const CONDITIONS: Site = site("matchConditions", "expression", &[Type::Bool]);
/// Those of a policy that see its variables. A validation's own expression is judged before that of
/// its message.
const VALIDATIONS: [Site; 2] = [
    site("validations", "expression", &[Type::Bool]),
    site("validations", "messageExpression", &[Type::String]),
];
const ANNOTATIONS: Site = site(
    "auditAnnotations",
    "valueExpression",
    &[Type::String, Type::Null],
);

const fn site(list: &'static str, member: &'static str, gives: &'static [Type]) -> Site {
    Site {
        list,
        member,
        gives,
    }
}

struct Judge {
    environment: Environment,
    found: Vec<FieldError>,
}

impl Judge {
    fn policy(&mut self, spec: &Value) {
        if spec.get("paramKind").is_some() {
            self.environment = self.environment.with("params", Type::Dyn);
        }
        self.list("spec.", spec, &CONDITIONS);
        self.variables(spec);
        for (index, entry) in items(spec, "validations").iter().enumerate() {
            for site in &VALIDATIONS {
                self.entry("spec.", (index, entry), site);
            }
        }
        self.list("spec.", spec, &ANNOTATIONS);
    }

    /// Each variable may use those before it.
    fn variables(&mut self, spec: &Value) {
        let without = self.environment.clone();
        let mut known: Vec<(Str, Type)> = Vec::new();
        for (index, variable) in items(spec, "variables").iter().enumerate() {
            let fields = known.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
            let variables = object("kubernetes.variables", fields);
            self.environment = without.with("variables", variables);
            let expressions = site("variables", "expression", &[]);
            let ty = self.entry("spec.", (index, variable), &expressions);
            let name = variable.get("name").and_then(Value::as_str);
            known.push((name.unwrap_or_default().into(), ty));
        }
        if !known.is_empty() {
            let fields = known.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
            self.environment = without.with("variables", object("kubernetes.variables", fields));
        }
    }

    fn list(&mut self, path: &str, owner: &Value, site: &Site) {
        for numbered in items(owner, site.list).iter().enumerate() {
            self.entry(path, numbered, site);
        }
    }

    /// Judges the expression of one entry; gives its type.
    fn entry(&mut self, path: &str, (index, entry): (usize, &Value), site: &Site) -> Type {
        let text = entry
            .get(site.member)
            .and_then(Value::as_str)
            .unwrap_or_default();
        // That one is there was asked already.
        if text.trim().is_empty() || text.contains(AUTHORIZER) {
            return Type::Dyn;
        }
        let why = match self.environment.compile(text) {
            Ok(program) if site.gives.is_empty() || site.gives.contains(program.ty()) => {
                return program.ty().clone();
            }
            Ok(program) => wrong_type(site.gives, program.ty()),
            Err(issues) => format!("compilation failed: {issues}"),
        };
        let path = format!("{path}{}[{index}].{}", site.list, site.member);
        self.found
            .push(FieldError::invalid(&path, &text.into(), &why));
        Type::Dyn
    }
}

fn wrong_type(gives: &[Type], found: &Type) -> String {
    let name = |ty: &Type| match ty {
        Type::Null => "null_type".to_owned(),
        other => other.to_string(),
    };
    let wanted = match gives {
        [one] => name(one),
        several => {
            let names: Vec<String> = several.iter().map(name).collect();
            format!("one of [{}]", names.join(" "))
        }
    };
    format!("must evaluate to {wanted} but got {}", name(found))
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn object<'a>(name: &str, fields: impl Iterator<Item = (&'a str, Type)>) -> Type {
    let field = |(name, ty): (&str, Type)| {
        (
            Str::from(name),
            Field {
                key: name.into(),
                ty,
            },
        )
    };
    Type::Object(Arc::new(ObjectType {
        name: name.into(),
        fields: fields.map(field).collect(),
    }))
}

/// What every expression about a write may name, with the types of the real server
/// (k8s.io/apiserver, `admission/plugin/cel`).
fn write_variables() -> impl Iterator<Item = (&'static str, Type)> {
    [
        ("object", Type::Dyn),
        ("oldObject", Type::Dyn),
        ("request", request()),
        ("namespaceObject", namespace()),
    ]
    .into_iter()
}

fn strings<'a>(names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, Type)> {
    names.iter().map(|name| (*name, Type::String))
}

fn request() -> Type {
    let kind = object(
        "kubernetes.GroupVersionKind",
        strings(&["group", "version", "kind"]),
    );
    let resource = object(
        "kubernetes.GroupVersionResource",
        strings(&["group", "version", "resource"]),
    );
    let groups = Type::list(Type::String);
    let user = [
        ("groups", groups.clone()),
        ("extra", Type::map(Type::String, groups)),
    ];
    let user = object(
        "kubernetes.UserInfo",
        strings(&["username", "uid"]).chain(user),
    );
    let texts = [
        "subResource",
        "requestSubResource",
        "name",
        "namespace",
        "operation",
    ];
    let others = [
        ("kind", kind.clone()),
        ("requestKind", kind),
        ("resource", resource.clone()),
        ("requestResource", resource),
        ("userInfo", user),
        ("dryRun", Type::Bool),
        ("options", Type::Dyn),
    ];
    object("kubernetes.AdmissionRequest", strings(&texts).chain(others))
}

fn namespace() -> Type {
    let texts = Type::list(Type::String);
    let pairs = Type::map(Type::String, Type::String);
    let metadata = [
        ("labels", pairs.clone()),
        ("annotations", pairs),
        ("creationTimestamp", Type::Timestamp),
        ("deletionTimestamp", Type::Timestamp),
        ("deletionGracePeriodSeconds", Type::Int),
        ("generation", Type::Int),
        ("finalizers", texts.clone()),
    ];
    let names = [
        "name",
        "generateName",
        "namespace",
        "UID",
        "resourceVersion",
    ];
    let metadata = object(
        "kubernetes.NamespaceMetadata",
        strings(&names).chain(metadata),
    );
    let condition = object(
        "kubernetes.NamespaceCondition",
        strings(&["status", "type", "message", "reason"])
            .chain([("lastTransitionTime", Type::Timestamp)]),
    );
    let status = object(
        "kubernetes.NamespaceStatus",
        strings(&["phase"]).chain([("conditions", Type::list(condition))]),
    );
    let spec = object(
        "kubernetes.NamespaceSpec",
        [("finalizers", texts)].into_iter(),
    );
    object(
        "kubernetes.Namespace",
        [("metadata", metadata), ("status", status), ("spec", spec)].into_iter(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors as recorded from the real server, of a policy with this one validation.
    fn check(spec: &str, want: &[(&str, &str)]) {
        let text = format!("{{\"spec\":{spec}}}");
        let value = yaml::json::parse(text.as_bytes()).expect("is JSON");
        let functions = Environment::kubernetes();
        let found = problems("validatingadmissionpolicies", &functions, &value, None);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|error| (error.field.as_str(), error.message.as_str()))
            .collect();
        let want: Vec<(&str, String)> = want
            .iter()
            .map(|(field, why)| (*field, format!("Invalid value: {why}")))
            .collect();
        let want: Vec<(&str, &str)> = want.iter().map(|(a, b)| (*a, b.as_str())).collect();
        assert_eq!(found, want, "{spec}");
        let unchanged = problems(
            "validatingadmissionpolicies",
            &functions,
            &value,
            Some(&value),
        );
        assert_eq!(unchanged, []);
    }

    #[test]
    fn expressions_give_what_their_place_needs() {
        check(
            r#"{"validations":[{"expression":"object.spec.x > 1"}]}"#,
            &[],
        );
        check(
            r#"{"validations":[{"expression":"object.spec","messageExpression":"1"}],
                "auditAnnotations":[{"valueExpression":"1"},{"valueExpression":"null"}]}"#,
            &[
                (
                    "spec.validations[0].expression",
                    r#""object.spec": must evaluate to bool but got dyn"#,
                ),
                (
                    "spec.validations[0].messageExpression",
                    r#""1": must evaluate to string but got int"#,
                ),
                (
                    "spec.auditAnnotations[0].valueExpression",
                    r#""1": must evaluate to one of [string null_type] but got int"#,
                ),
            ],
        );
    }

    #[test]
    fn variables_are_known_after_their_definition() {
        check(
            r#"{"variables":[{"name":"a","expression":"1"},{"name":"b","expression":"variables.b"}],
                "validations":[{"expression":"variables.a == 1"}]}"#,
            &[(
                "spec.variables[1].expression",
                "\"variables.b\": compilation failed: ERROR: <input>:1:10: undefined field 'b'\n \
                 | variables.b\n | .........^",
            )],
        );
    }

    #[test]
    fn a_request_has_declared_members() {
        check(
            r#"{"matchConditions":[{"name":"a","expression":"request.foo == 1"},
                {"name":"b","expression":"request.userInfo.groups.exists(g, g == 'x')"}]}"#,
            &[(
                "spec.matchConditions[0].expression",
                "\"request.foo == 1\": compilation failed: ERROR: <input>:1:8: undefined field \
                 'foo'\n | request.foo == 1\n | .......^",
            )],
        );
    }
}
