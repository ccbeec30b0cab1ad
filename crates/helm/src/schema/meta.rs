//! Schemas of schemas: those that json-schema.org publishes, without their prose.

use std::sync::LazyLock;

use yaml::{Value as Yaml, json};

use super::compile::{Compiled, Draft, Formats};
use super::plain::is_plain;
use super::report::Problem;
use super::validate;
use crate::Value;

/// A URL and its schema in each line. The texts are those of the specifications (BSD 3-clause).
const SCHEMAS: &str = include_str!("metaschemas.json");

/// The schema at a URL of json-schema.org.
pub(super) fn schema(url: &str) -> Option<Yaml> {
    let start = format!("\"{url}\": ");
    let line = SCHEMAS.lines().find_map(|line| line.strip_prefix(&start))?;
    json::parse_str(line.trim_end_matches(',')).ok()
}

/// Whether a schema is one.
///
/// # Errors
/// What its own schema says of it.
pub(super) fn check(location: &str, schema: &Yaml) -> Result<(), String> {
    let draft = Draft::of_schema(schema);
    if is_plain(schema, draft) {
        return Ok(());
    }
    let Some(problem) = problem(schema, draft)? else {
        return Ok(());
    };
    let location = gotmpl::quote(&format!("{location}#"));
    let problem = problem.text();
    Err(format!(
        "{location} is not valid against metaschema: {problem}"
    ))
}

/// What the schema of its version has against a schema.
pub(super) fn problem(schema: &Yaml, draft: Draft) -> Result<Option<Problem>, String> {
    static COMPILED: [LazyLock<Result<Compiled, String>>; URLS.len()] = [
        LazyLock::new(|| compiled(URLS[0])),
        LazyLock::new(|| compiled(URLS[1])),
        LazyLock::new(|| compiled(URLS[2])),
        LazyLock::new(|| compiled(URLS[3])),
        LazyLock::new(|| compiled(URLS[4])),
    ];
    let of_schemas = COMPILED[draft as usize].as_ref().map_err(Clone::clone)?;
    Ok(validate::validate(of_schemas, &Value::from(schema.clone())))
}

fn compiled(url: &str) -> Result<Compiled, String> {
    Compiled::new(url, schema(url).unwrap_or_default(), Formats::Always)
}

/// In the order of [`Draft`].
const URLS: [&str; 5] = [
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
];

/// The keywords that all schemas of schemas know.
#[cfg(test)]
pub(super) fn properties() -> Vec<String> {
    let all = json::parse_str(SCHEMAS).expect("schemas");
    let of_one = |schema: &Yaml| match schema.get("properties") {
        Some(Yaml::Map(map)) => map.keys().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let schemas = all.as_map().expect("a map").values();
    schemas.flat_map(of_one).collect()
}
