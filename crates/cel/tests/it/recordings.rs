//! What the real server said of rules (`testdata/origin.md`).

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::{Environment, Field, ObjectType, Type};
use yaml::{Str, Value};

fn object(name: &str, fields: &[(&str, Type)]) -> Type {
    let fields: BTreeMap<Str, Field> = fields
        .iter()
        .map(|(name, ty)| {
            let key = name.replace("__dash__", "-").replace("__", "");
            let field = Field {
                key: key.into(),
                ty: ty.clone(),
            };
            (Str::from(*name), field)
        })
        .collect();
    Type::Object(Arc::new(ObjectType {
        name: name.into(),
        fields,
    }))
}

/// The type of `self` in the recorded definitions.
fn root() -> Type {
    let o = object("o", &[("a__dash__b", Type::String), ("__if__", Type::Int)]);
    let spec = object(
        "spec",
        &[
            ("s", Type::String),
            ("i", Type::Int),
            ("d", Type::Double),
            ("b", Type::Bool),
            ("l", Type::list(Type::String)),
            ("m", Type::map(Type::String, Type::Int)),
            ("ios", Type::Dyn),
            ("o", o),
            ("t", Type::Timestamp),
            ("du", Type::Duration),
        ],
    );
    let metadata = object(
        "metadata",
        &[("name", Type::String), ("generateName", Type::String)],
    );
    object(
        "self",
        &[
            ("spec", spec),
            ("metadata", metadata),
            ("kind", Type::String),
            ("apiVersion", Type::String),
        ],
    )
}

/// Texts whose second message comes from how ANTLR recovers.
const RECOVERY: [&str; 2] = ["self.spec.in", "in"];

#[test]
fn rules_are_refused_in_the_words_of_the_real_server() {
    let environment = Environment::kubernetes()
        .with("self", root())
        .with("oldSelf", root());
    let (mut passed, mut failed) = (0, Vec::new());
    for line in include_str!("../../testdata/compile.jsonl").lines() {
        let case = yaml::json::parse(line.as_bytes()).unwrap();
        let text = |key: &str| case.get(key).and_then(Value::as_str).unwrap().to_owned();
        let (rule, want) = (text("rule"), text("says"));
        let got = match environment.compile(&rule) {
            Ok(program) if *program.ty() == Type::Bool || *program.ty() == Type::Dyn => {
                String::new()
            }
            Ok(_) => "cel expression must evaluate to a bool".to_owned(),
            Err(issues) => format!("compilation failed: {issues}"),
        };
        if got == want || RECOVERY.contains(&rule.as_str()) && want.starts_with(&got) {
            passed += 1;
        } else {
            failed.push(format!("{rule}\n  want: {want}\n  got:  {got}"));
        }
    }
    println!("{passed} of {} rules", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
