//! The functions of templates, beside Go's own: Sprig's, and those that Helm adds.

use std::sync::Arc;

use gotmpl::{Element, Function, Functions, Limits, Map, Scope, Session, Type, Value, sprig};

use crate::World;

/// How `lookup` finds objects of a cluster: API version, kind, namespace and name to an object, or a
/// list for an empty name; empty maps where there is nothing.
pub type Lookup = Arc<dyn Fn(&str, &str, &str, &str) -> Result<yaml::Value, String> + Send + Sync>;

/// Bytes of one text that a function makes.
const MAX_BYTES: usize = 64 << 20;

const ANY_MAP: Type = Type::Map(Element::Any);

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// All functions.
pub(crate) fn table() -> Arc<Functions> {
    const NAME_AND_DOT: &[Type] = &[Type::Text, Type::Any];
    let mut table = sprig::functions();
    table.add("include", Function::new(NAME_AND_DOT, Type::Text, include));
    table.add("tpl", Function::new(NAME_AND_DOT, Type::Text, tpl));
    let required = |_: &mut Scope<'_>, all: &[Value]| match &all[1] {
        Value::Nil => Err(marked(text(&all[0]))),
        Value::Text(it) if it.is_empty() => Err(marked(text(&all[0]))),
        value => Ok(value.clone()),
    };
    table.add("required", Function::new(NAME_AND_DOT, Type::Any, required));
    let fail = |_: &mut Scope<'_>, all: &[Value]| Err(marked(text(&all[0])));
    table.add("fail", Function::new(&[Type::Text], Type::Text, fail));
    let to_yaml = |_: &mut Scope<'_>, all: &[Value]| {
        let tree = all[0].to_tree(MAX_BYTES)?;
        Ok(Value::text(yaml::emit(&tree).trim_end_matches('\n')))
    };
    table.add("toYaml", Function::new(&[Type::Any], Type::Text, to_yaml));
    table.add("fromYaml", Function::new(&[Type::Text], ANY_MAP, from_yaml));
    let lookup = |_: &mut Scope<'_>, _: &[Value]| Ok(Value::Map(Map::new(Element::Any)));
    table.add("lookup", Function::new(&[Type::Text; 4], ANY_MAP, lookup));
    Arc::new(table)
}

/// A message that errors of Helm show alone.
fn marked(message: &str) -> String {
    format!("HELM_ERR_START{message}HELM_ERR_END")
}

fn include(scope: &mut Scope<'_>, all: &[Value]) -> Result<Value, String> {
    let result = scope.execute(text(&all[0]), &all[1]);
    result
        .map(|text| Value::text(&text))
        .map_err(|error| error.text)
}

fn tpl(scope: &mut Scope<'_>, all: &[Value]) -> Result<Value, String> {
    const NAME: &str = "gotpl";
    let template = text(&all[0]);
    let quoted = || gotmpl::quote(template);
    let mut templates = scope.templates().clone();
    templates
        .parse(NAME, template)
        .map_err(|error| format!("cannot parse template {}: {}", quoted(), error.text))?;
    let result = scope.execute_of(&templates, NAME, &all[1]);
    let result = result.map_err(|error| {
        let problem = "error during tpl function execution for";
        format!("{problem} {}: {}", quoted(), error.text)
    })?;
    Ok(Value::text(&result.replace("<no value>", "")))
}

fn from_yaml(_: &mut Scope<'_>, all: &[Value]) -> Result<Value, String> {
    Ok(match yaml::parse_str(text(&all[0])) {
        Ok(yaml::Value::Null) => Value::Map(Map::new(Element::Any)),
        Ok(tree) => Value::of_json(&tree),
        Err(error) => {
            let problem = format!("error converting YAML to JSON: {}", error.go_text());
            let map = Map::new(Element::Any);
            map.set("Error".into(), Value::text(&problem));
            Value::Map(map)
        }
    })
}

/// Those of Sprig alone: what `--name-template` may use.
pub(crate) fn sprig() -> Arc<Functions> {
    Arc::new(sprig::functions())
}

/// A render: its limits, time, randomness, and the cluster that `lookup` asks.
pub(crate) fn session(limits: Limits, world: &World) -> Session {
    Session::new(limits).at(world.now).with_seed(world.seed)
}
