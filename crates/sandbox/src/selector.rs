//! Label and field selectors, with the messages of apimachinery's parsers.

use admit::Requirement;
use yaml::Value;

use crate::registry::Resource;
use crate::status_error::{ApiError, quoted};
use store::Stored;

/// Which objects of a collection are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Reads both selectors of a request.
    ///
    /// # Errors
    /// 400 with the message of the real parsers.
    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Selector {
            labels: admit::parse_labels(labels).map_err(ApiError::bad_request)?,
            fields: parse_fields(resource, fields).map_err(ApiError::bad_request)?,
        })
    }

    /// Whether everything is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// This selector, of one object only.
    pub(crate) fn with_name(mut self, name: &str) -> Self {
        self.fields.push(FieldTerm {
            path: "metadata.name".to_owned(),
            value: name.to_owned(),
            equal: true,
        });
        self
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.labels
            .iter()
            .all(|requirement| requirement.matches(stored.label(&requirement.key)))
            && self.matches_fields(stored)
    }

    fn matches_fields(&self, stored: &Stored) -> bool {
        let mut parsed: Option<Value> = None;
        self.fields.iter().all(|term| {
            let equal = match term.path.as_str() {
                "metadata.name" => stored.name == term.value.as_str(),
                "metadata.namespace" => stored.namespace == term.value.as_str(),
                path => {
                    let value = parsed.get_or_insert_with(|| stored.value());
                    field(value, path) == term.value
                }
            };
            equal == term.equal
        })
    }
}

/// A field as selectors see it: text, empty when absent, booleans spelled out.
fn field(value: &Value, path: &str) -> String {
    let path: Vec<&str> = match path {
        // The selectable fields of an event's object have a short name.
        "reportingComponent" => vec!["reportingController"],
        "source" => return event_source(value),
        path => path.split('.').collect(),
    };
    match value.at(&path) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ if matches!(path.last(), Some(&"hostNetwork" | &"unschedulable")) => "false".to_owned(),
        _ if path == ["status", "successful"] => "0".to_owned(),
        _ => String::new(),
    }
}

/// Where an event comes from, whichever API told it.
fn event_source(event: &Value) -> String {
    let text = |path: &[&str]| event.at(path).and_then(Value::as_str).unwrap_or_default();
    match text(&["source", "component"]) {
        "" => text(&["reportingComponent"]).to_owned(),
        component => component.to_owned(),
    }
}

fn parse_fields(resource: &Resource, text: &str) -> Result<Vec<FieldTerm>, String> {
    let mut terms = Vec::new();
    for part in split_terms(text) {
        if part.is_empty() {
            continue;
        }
        let (path, value, equal) = split_term(&part)
            .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{part}'",))?;
        check_field(resource, &path)?;
        let path = stored_path(resource, path);
        terms.push(FieldTerm { path, value, equal });
    }
    Ok(terms)
}

/// Splits at commas that no backslash protects.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        match letter {
            ',' if !escaped => terms.push(String::new()),
            letter => {
                if let Some(last) = terms.last_mut() {
                    last.push(letter);
                }
            }
        }
        escaped = letter == '\\' && !escaped;
    }
    terms
}

fn split_term(term: &str) -> Option<(String, String, bool)> {
    let at = term.find(['=', '!'])?;
    let (path, rest) = term.split_at(at);
    let (value, equal) = if let Some(value) = rest.strip_prefix("!=") {
        (value, false)
    } else if let Some(value) = rest.strip_prefix("==") {
        (value, true)
    } else {
        (rest.strip_prefix('=')?, true)
    };
    let value = value
        .replace("\\,", ",")
        .replace("\\=", "=")
        .replace("\\\\", "\\");
    Some((path.to_owned(), value, equal))
}

/// Fields besides name and namespace that a built-in resource can be selected by.
fn selectable(resource: &Resource) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    }
}

/// Where a field stands in what is stored: events are kept as the core group has them.
fn stored_path(resource: &Resource, path: String) -> String {
    if resource.group != "events.k8s.io" {
        return path;
    }
    match path.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None if path == "reportingController" => "reportingComponent".to_owned(),
        None => path,
    }
}

fn check_field(resource: &Resource, path: &str) -> Result<(), String> {
    if path == "metadata.name" || (path == "metadata.namespace") {
        return Ok(());
    }
    if let Some(custom) = &resource.custom {
        if custom.selectable_fields().any(|known| known == path) {
            return Ok(());
        }
    } else if selectable(resource).contains(&path) {
        return Ok(());
    }
    Err(match (resource.group.as_str(), resource.plural.as_str()) {
        ("batch", "jobs") => format!("field label {} not supported for Job", quoted(path)),
        (
            "",
            "pods"
            | "nodes"
            | "events"
            | "secrets"
            | "services"
            | "namespaces"
            | "replicationcontrollers",
        )
        | ("certificates.k8s.io", "certificatesigningrequests")
        | ("events.k8s.io", "events") => format!("field label not supported: {path}"),
        _ => format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            quoted(path)
        ),
    })
}
