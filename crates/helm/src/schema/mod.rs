//! `values.schema.json`: JSON Schema from draft 4 to 2020-12, with the words that Helm has for it.
//!
//! Read [`check`]. A schema is compiled once per chart ([`compile`]), values are looked at as they
//! are ([`validate`]), and what does not fit is written as the Go library that Helm uses writes it
//! ([`report`]). No crate has those words, and only `jsonschema` has the drafts: mapping its flat
//! errors onto the tree that Helm prints would be as long as this module.
//!
//! Nothing is fetched: what a schema refers to elsewhere is taken for true, with a warning.

mod compile;
mod formats;
mod meta;
mod number;
mod plain;
mod report;
mod validate;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use yaml::json;

use crate::dependencies::Active;
use crate::log::Warning;
use crate::{Error, Value, Values};
use compile::{Compiled, Formats};

/// The schema of one chart, compiled when it is first needed.
#[derive(Clone)]
pub(crate) struct Schema {
    text: Bytes,
    compiled: Arc<OnceLock<Result<Compiled, String>>>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({} bytes)", self.text.len())
    }
}

/// What Helm calls the file.
const LOCATION: &str = "file:///values.schema.json";

impl Schema {
    pub(crate) fn new(text: Bytes) -> Self {
        Schema {
            text,
            compiled: Arc::default(),
        }
    }

    /// How much text it is.
    pub(crate) fn n_bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether a render has compiled it.
    pub(crate) fn is_compiled(&self) -> bool {
        self.compiled.get().is_some()
    }

    /// Compiles it, unless that has been done.
    pub(crate) fn compile(&self) {
        let _ = self.compiled();
    }

    fn compiled(&self) -> &Result<Compiled, String> {
        self.compiled.get_or_init(|| {
            let text = String::from_utf8_lossy(&self.text);
            let schema = json::parse_str(&text).map_err(|error| unreadable(&text, &error))?;
            meta::check(LOCATION, &schema)?;
            Compiled::new(LOCATION, schema, Formats::Older)
        })
    }

    /// What is wrong with values, as Helm tells it.
    fn problem(&self, values: &Values, log: &mut Vec<Warning>) -> Option<String> {
        let compiled = match self.compiled() {
            Ok(compiled) => compiled,
            Err(problem) => return Some(problem.clone()),
        };
        for url in compiled.not_followed() {
            let message = "reference of a values schema is not followed, everything fits it";
            log.push(Warning::warn(message).with("url", url.as_str()));
        }
        let error = validate::validate(compiled, &Value::Table(values.clone()))?;
        Some(format!("{}\n", error.details()))
    }
}

/// What Go's streaming decoder says of a text that is no JSON.
fn unreadable(text: &str, error: &yaml::Error) -> String {
    let problem = error.cause.to_string();
    match problem.as_str() {
        "unexpected end of JSON input" if text.trim().is_empty() => "EOF".to_owned(),
        "unexpected end of JSON input" => "unexpected EOF".to_owned(),
        _ if problem.ends_with("after top-level value") => {
            "invalid character after top-level value".to_owned()
        }
        _ => problem,
    }
}

/// Checks the values of a chart and of those below it against their schemas.
///
/// # Errors
/// [`Error::Text`] with everything that does not fit.
pub(crate) fn check(
    root: &Active<'_>,
    values: &Values,
    log: &mut Vec<Warning>,
) -> Result<(), Error> {
    let mut text = String::new();
    problems(root, values, &mut text, log);
    if text.is_empty() {
        return Ok(());
    }
    Err(Error::text(format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{text}"
    )))
}

fn problems(chart: &Active<'_>, values: &Values, text: &mut String, log: &mut Vec<Warning>) {
    let schema = chart.node.loaded.schema.as_ref();
    if let Some(problem) = schema.and_then(|schema| schema.problem(values, log)) {
        text.push_str(&format!("{}:\n{problem}", chart.name));
    }
    let n_children = chart.children.len().to_string();
    log.push(
        Warning::debug("number of dependencies in the chart")
            .with("chart", &*chart.name)
            .with("dependencies", n_children),
    );
    for child in &chart.children {
        match values.get(&child.name) {
            None | Some(Value::Null) => {}
            Some(Value::Table(own)) => problems(child, own, text, log),
            Some(other) => {
                let (name, found) = (&child.name, other.formatted("%T"));
                text.push_str(&format!(
                    "{name}:\ninvalid type for values: expected object (map), got {found}\n"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
