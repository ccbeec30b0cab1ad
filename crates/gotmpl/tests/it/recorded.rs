//! Replays `corpora/gotemplate`: output, error text, and what was written before the error.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use gotmpl::{Element, Function, Functions, List, Map, MissingKey, Stage, Templates, Type, Value};
use yaml::Value as Json;

/// How many of the 1,155 cases agree: all. May only rise.
const AGREE: usize = 1_155;

fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora/gotemplate");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs the corpora");
    eprintln!("skipped: {} is absent", folder.display());
    None
}

#[test]
fn templates_do_what_go_does() {
    let Some(folder) = corpus() else {
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let datasets: Json = yaml::json::parse(read("datasets.json").as_bytes()).unwrap();
    let cases: Vec<Json> = read("cases.jsonl")
        .lines()
        .map(|line| yaml::json::parse(line.as_bytes()).unwrap())
        .collect();
    let mut n_agree = 0;
    for case in &cases {
        match check(case, &datasets) {
            Ok(()) => n_agree += 1,
            Err(difference) => eprintln!("{}: {difference}", text(case, "name").unwrap()),
        }
    }
    eprintln!("gotemplate: {n_agree} of {} agree", cases.len());
    assert!(
        n_agree >= AGREE.min(cases.len()),
        "{n_agree} agree, {AGREE} did"
    );
}

fn text<'a>(case: &'a Json, name: &str) -> Option<&'a str> {
    case.get(name).and_then(Json::as_str)
}

fn check(case: &Json, datasets: &Json) -> Result<(), String> {
    let template = text(case, "template").unwrap();
    let data = value(datasets.get(text(case, "data").unwrap()).unwrap());
    let want = match text(case, "expected") {
        Some(text) => format!("output {text:?}"),
        None => {
            let partial = text(case, "partial_output").unwrap_or_default();
            let (stage, text) = (text(case, "error_stage"), text(case, "error"));
            format!(
                "{} error {:?} after {partial:?}",
                stage.unwrap(),
                text.unwrap()
            )
        }
    };
    let got = match run(case, template, &data) {
        Ok(text) => format!("output {text:?}"),
        Err(error) => {
            let stage = match error.stage {
                Stage::Parse => "parse",
                Stage::Execute => "exec",
            };
            format!(
                "{stage} error {:?} after {:?}",
                error.text, error.partial_output
            )
        }
    };
    if got == want {
        Ok(())
    } else {
        Err(format!("{template:?}\n    wanted {want}\n    got    {got}"))
    }
}

fn run(case: &Json, template: &str, data: &Value) -> Result<String, gotmpl::Error> {
    let missing_key = match text(case, "missingkey") {
        Some("zero") => MissingKey::Zero,
        Some("error") => MissingKey::Error,
        _ => MissingKey::Invalid,
    };
    let delimiter = |name: &str| text(case, name).unwrap_or_default().to_owned();
    let mut templates = Templates::new(Arc::new(functions()))
        .with_missing_key(missing_key)
        .with_delimiters(&delimiter("left_delim"), &delimiter("right_delim"));
    let more = case.get("templates").and_then(Json::as_map);
    for (name, text) in more.into_iter().flat_map(yaml::Map::iter) {
        templates.parse(name, text.as_str().unwrap())?;
    }
    templates.parse("t", template)?;
    templates.execute(text(case, "exec").unwrap_or("t"), data)
}

/// A dataset's value, with its Go types.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Int(number) => Value::Float(*number as f64),
        Json::Uint(number) => Value::Float(*number as f64),
        Json::Float(number) => Value::Float(*number),
        Json::String(text) => Value::text(text),
        Json::List(items) => Value::list(items.iter().map(value).collect()),
        Json::Map(members) => {
            let typed = |name: &str| members.get(name).and_then(Json::as_str);
            if let Some(text) = typed("$int64") {
                return Value::int64(text.parse().unwrap());
            }
            if let Some(text) = typed("$int") {
                return Value::int(text.parse().unwrap());
            }
            if let Some(name) = typed("$func") {
                return Value::Function(Rc::new(named(name)));
            }
            let entries = members.iter();
            Value::Map(
                entries
                    .map(|(key, item)| (key.as_str().into(), value(item)))
                    .collect(),
            )
        }
    }
}

fn named(name: &str) -> Function {
    match name {
        "upper" => Function::new(&[Type::Text], Type::Text, |_, all| match all {
            [Value::Text(text)] => Ok(Value::text(&text.to_uppercase())),
            _ => Err("no text".to_owned()),
        }),
        _ => Function::new(&[], Type::Text, |_, _| Err("oops failed".to_owned())),
    }
}

/// The functions that the recorder added.
fn functions() -> Functions {
    let mut functions = Functions::new();
    functions.add("upper", named("upper"));
    functions.add("oops", named("oops"));
    functions.add(
        "fail",
        Function::new(&[Type::Text], Type::Text, |_, all| match all {
            [Value::Text(text)] => Err(text.to_string()),
            _ => Err("no text".to_owned()),
        }),
    );
    let list = Type::List(Element::Any);
    functions.add(
        "list",
        Function::new(&[], list, |_, all| Ok(Value::list(all.to_vec()))).with_rest(Type::Any),
    );
    let map = Type::Map(Element::Any);
    functions.add(
        "dict",
        Function::new(&[], map, |_, all| {
            let pairs = all.chunks(2).filter_map(|pair| match pair {
                [Value::Text(key), value] => Some((key.clone(), value.clone())),
                _ => None,
            });
            Ok(Value::Map(pairs.collect()))
        })
        .with_rest(Type::Any),
    );
    functions.add(
        "addi",
        Function::new(&[Type::Int64; 2], Type::Int64, |_, all| match all {
            [Value::Integer(first, _), Value::Integer(second, _)] => Ok(Value::int64(
                i64::try_from(first + second).unwrap_or_default(),
            )),
            _ => Err("no numbers".to_owned()),
        }),
    );
    functions.add(
        "default",
        Function::new(&[Type::Any], Type::Any, |_, all| match all {
            [default] => Ok(default.clone()),
            [default, Value::Nil, ..] => Ok(default.clone()),
            [default, Value::Text(text), ..] if text.is_empty() => Ok(default.clone()),
            [_, value, ..] => Ok(value.clone()),
            [] => Ok(Value::Nil),
        })
        .with_rest(Type::Any),
    );
    functions.add(
        "typeOf",
        Function::new(&[Type::Any], Type::Text, |_, all| {
            Ok(Value::text(&all[0].type_name()))
        }),
    );
    functions.add(
        "retnil",
        Function::new(&[], Type::Any, |_, _| Ok(Value::Nil)),
    );
    functions.add(
        "set",
        Function::new(&[map, Type::Text, Type::Any], map, |_, all| match all {
            [Value::Map(map), Value::Text(key), value] => {
                map.set(key.clone(), value.clone());
                Ok(Value::Map(map.clone()))
            }
            _ => Err("no map".to_owned()),
        }),
    );
    functions
}

#[test]
fn an_execution_that_never_ends_is_ended() {
    let thread = std::thread::Builder::new().stack_size(gotmpl::Limits::STACK_BYTES);
    thread.spawn(never_ending).unwrap().join().unwrap();
}

fn never_ending() {
    let mut templates = Templates::new(Arc::new(Functions::new()));
    let text = "{{define \"a\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}";
    templates.parse("t", text).unwrap();
    let error = templates.execute("t", &Value::Nil).unwrap_err();
    assert!(
        error.text.contains("exceeded maximum template depth"),
        "{error}"
    );
    let limits = gotmpl::Limits {
        n_steps: 10_000,
        ..gotmpl::Limits::default()
    };
    let mut templates = templates.with_limits(limits);
    templates
        .parse(
            "t",
            "{{range 1000000000}}{{range 1000000000}}{{end}}{{end}}",
        )
        .unwrap();
    let error = templates.execute("t", &Value::Nil).unwrap_err();
    assert!(error.text.contains("too many steps"), "{error}");
}

#[test]
fn a_changed_map_is_changed_for_all() {
    let map: Map = [("a".into(), Value::int(1))].into_iter().collect();
    let shared = map.clone();
    shared.set("b".into(), Value::int(2));
    assert_eq!(map.len(), 2);
    assert!(map.is_same(&shared));
    assert_eq!(
        List::new(vec![Value::Map(map)], Element::Any).items().len(),
        1
    );
}
