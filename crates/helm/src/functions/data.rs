//! Values as YAML, JSON and TOML, and back.

use gotmpl::{Element, List, Map, Scope, Type, Value};
use sprig::json::{self, Encoding};
use yaml::Dialect;

use super::{Row, text, toml, value};

const DICT: Type = Type::Map(Element::Any);
const LIST: Type = Type::List(Element::Any);

pub(super) const ROWS: &[Row] = &[
    row("toYaml", Type::Text, |scope, given| {
        lenient(yaml(scope, given, Dialect::GoYaml2))
    }),
    row("mustToYaml", Type::Text, |scope, given| {
        yaml(scope, given, Dialect::GoYaml2)
    }),
    row("toYamlPretty", Type::Text, |scope, given| {
        lenient(yaml(scope, given, Dialect::GoYaml3Narrow))
    }),
    of_text("fromYaml", DICT, |_, given| {
        Ok(
            match json_of_yaml(text(given, 0))
                .and_then(|tree| map_of(&tree, "error unmarshaling JSON: while decoding JSON: "))
            {
                Ok(map) => map,
                Err(problem) => error_map(&problem),
            },
        )
    }),
    of_text("fromYamlArray", LIST, |_, given| {
        Ok(
            match json_of_yaml(text(given, 0))
                .and_then(|tree| list_of(&tree, "error unmarshaling JSON: while decoding JSON: "))
            {
                Ok(list) => list,
                Err(problem) => Value::list(vec![Value::text(&problem)]),
            },
        )
    }),
    of_text("fromJson", DICT, |_, given| {
        Ok(
            match json_tree(text(given, 0)).and_then(|tree| map_of(&tree, "")) {
                Ok(map) => map,
                Err(problem) => error_map(&problem),
            },
        )
    }),
    of_text("fromJsonArray", LIST, |_, given| {
        Ok(
            match json_tree(text(given, 0)).and_then(|tree| list_of(&tree, "")) {
                Ok(list) => list,
                Err(problem) => Value::list(vec![Value::text(&problem)]),
            },
        )
    }),
    row("toToml", Type::Text, |scope, given| {
        let limit = scope.session().bytes_left();
        toml::encode(value(given, 0), limit).map(Value::from)
    }),
    of_text("fromToml", DICT, |_, given| {
        Ok(toml::decode(text(given, 0)).unwrap_or_else(|problem| error_map(&problem)))
    }),
];

const fn row(name: &'static str, result: Type, body: super::Body) -> Row {
    Row {
        name,
        parameters: &[Type::Any],
        result,
        body,
    }
}

const fn of_text(name: &'static str, result: Type, body: super::Body) -> Row {
    Row {
        name,
        parameters: &[Type::Text],
        result,
        body,
    }
}

/// Nodes of one YAML text: far more than any chart writes, and far less than fill the memory.
const MAX_NODES: usize = 2_000_000;

/// A value as YAML, without the newline behind it.
fn yaml(scope: &mut Scope<'_>, given: &[Value], dialect: Dialect) -> Result<Value, String> {
    let limit = scope.session().bytes_left();
    let encoding = match dialect {
        Dialect::GoYaml2 => Encoding::Json,
        _ => Encoding::Yaml,
    };
    let tree = json::to_tree(value(given, 0), encoding, limit.min(MAX_NODES))?;
    let mut written = yaml::emit_in(&tree, dialect);
    scope.session().may_make(written.len())?;
    if written.ends_with('\n') {
        written.pop();
    }
    Ok(Value::from(written))
}

/// What cannot be written is nothing.
fn lenient(answer: Result<Value, String>) -> Result<Value, String> {
    match answer {
        Err(problem) if problem.starts_with("json: ") => Ok(Value::text("")),
        answer => answer,
    }
}

fn error_map(problem: &str) -> Value {
    let map = Map::new(Element::Any);
    map.set("Error".into(), Value::text(problem));
    Value::Map(map)
}

fn json_tree(text: &str) -> Result<yaml::Value, String> {
    json::parse(text)
}

/// YAML as `sigs.k8s.io/yaml` makes JSON of it.
fn json_of_yaml(text: &str) -> Result<yaml::Value, String> {
    yaml::parse_str(text)
        .map_err(|error| format!("error converting YAML to JSON: {}", error.go_text()))
}

/// What Go's decoder says of a value that is not what is wanted.
fn unfit(tree: &yaml::Value, wanted: &str, prefix: &str) -> String {
    let kind = tree.kind();
    format!("{prefix}json: cannot unmarshal {kind} into Go value of type {wanted}")
}

fn map_of(tree: &yaml::Value, prefix: &str) -> Result<Value, String> {
    match tree {
        yaml::Value::Null => Ok(Value::Map(Map::nil(Element::Any))),
        yaml::Value::Map(_) => Ok(json::of_json(tree)),
        other => Err(unfit(other, "map[string]interface {}", prefix)),
    }
}

fn list_of(tree: &yaml::Value, prefix: &str) -> Result<Value, String> {
    match tree {
        yaml::Value::Null => Ok(Value::List(List::nil(Element::Any))),
        yaml::Value::List(_) => Ok(json::of_json(tree)),
        other => Err(unfit(other, "[]interface {}", prefix)),
    }
}
