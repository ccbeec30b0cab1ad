//! Label and field selectors, with the messages of apimachinery's parsers.

use std::collections::BTreeSet;

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
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
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
            labels: parse_labels(labels).map_err(ApiError::bad_request)?,
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

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::Above(limit) => number(value).is_some_and(|value| value > *limit),
            Operator::Below(limit) => number(value).is_some_and(|value| value < *limit),
        }
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            Token::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", ">="];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else {
            let end = rest
                .find(|letter: char| letter.is_whitespace() || "=!(),><".contains(letter))
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::Word(_) | Token::Sign("!") => {
                let requirement = parse_requirement(&mut parser)
                    .map_err(|why| format!("unable to parse requirement: {why}"))?;
                requirements.push(requirement);
                match parser.take() {
                    Token::End => return Ok(requirements),
                    Token::Sign(",") => match parser.peek() {
                        Token::Word(_) | Token::Sign("!") => {}
                        other => {
                            return Err(format!(
                                "found '{}', expected: identifier after ','",
                                other.text()
                            ));
                        }
                    },
                    other => {
                        return Err(format!(
                            "found '{}', expected: ',' or 'end of string'",
                            other.text()
                        ));
                    }
                }
            }
            Token::End => return Ok(requirements),
            other @ Token::Sign(_) => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    other.text()
                ));
            }
        }
    }
}

fn parse_requirement(parser: &mut Parser) -> Result<Requirement, String> {
    let absent = parser.peek() == Token::Sign("!");
    if absent {
        parser.take();
    }
    let Token::Word(key) = parser.take() else {
        return Err("found '', expected: identifier".to_owned());
    };
    if let Some(problem) = kinds::names::label_key_problem(&key) {
        return Err(format!("<nil>: Invalid value: {}: {problem}", quoted(&key)));
    }
    if absent {
        return Ok(Requirement {
            key,
            operator: Operator::Absent,
        });
    }
    let operator = match parser.peek() {
        Token::End | Token::Sign(",") => Operator::Exists,
        Token::Sign("=" | "==") => {
            parser.take();
            Operator::In(BTreeSet::from([exact_value(parser, &key)?]))
        }
        Token::Sign("!=") => {
            parser.take();
            Operator::NotIn(BTreeSet::from([exact_value(parser, &key)?]))
        }
        Token::Sign(">") => {
            parser.take();
            Operator::Above(bound(parser, &key)?)
        }
        Token::Sign("<") => {
            parser.take();
            Operator::Below(bound(parser, &key)?)
        }
        Token::Word(word) if word == "in" || word == "notin" => {
            parser.take();
            let values = value_list(parser, &key)?;
            if word == "in" {
                Operator::In(values)
            } else {
                Operator::NotIn(values)
            }
        }
        other => {
            return Err(format!(
                "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                other.text()
            ));
        }
    };
    Ok(Requirement { key, operator })
}

fn exact_value(parser: &mut Parser, key: &str) -> Result<String, String> {
    match parser.peek() {
        Token::Word(word) => {
            parser.take();
            checked_value(key, 0, word)
        }
        Token::End | Token::Sign(",") => Ok(String::new()),
        other => Err(format!("found '{}', expected: identifier", other.text())),
    }
}

fn checked_value(key: &str, index: usize, value: String) -> Result<String, String> {
    match kinds::names::label_value_problem(&value) {
        Some(problem) => Err(format!(
            "values[{index}][{key}]: Invalid value: {}: {problem}",
            quoted(&value)
        )),
        None => Ok(value),
    }
}

fn bound(parser: &mut Parser, key: &str) -> Result<i64, String> {
    let value = exact_value(parser, key)?;
    value.parse().map_err(|_invalid| {
        format!(
            "values[0]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
            quoted(&value)
        )
    })
}

fn value_list(parser: &mut Parser, key: &str) -> Result<BTreeSet<String>, String> {
    match parser.take() {
        Token::Sign("(") => {}
        other => return Err(format!("found '{}' expected: '('", other.text())),
    }
    let mut values = BTreeSet::new();
    loop {
        match parser.take() {
            Token::Word(word) => {
                let value = checked_value(key, values.len(), word)?;
                values.insert(value);
                match parser.take() {
                    Token::Sign(",") => {
                        if parser.peek() == Token::Sign(")") {
                            values.insert(String::new());
                        }
                    }
                    Token::Sign(")") => return Ok(values),
                    other => {
                        return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                    }
                }
            }
            Token::Sign(",") => {
                values.insert(String::new());
            }
            Token::Sign(")") => {
                if values.is_empty() {
                    values.insert(String::new());
                }
                return Ok(values);
            }
            other => {
                return Err(format!(
                    "found '{}', expected: ',', ')' or identifier",
                    other.text()
                ));
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, labels: &[(&str, &str)], want: bool) {
        let requirements = parse_labels(selector).unwrap();
        let got = requirements.iter().all(|requirement| {
            let value = labels
                .iter()
                .find(|(key, _)| *key == requirement.key)
                .map(|(_, value)| *value);
            requirement.matches(value)
        });
        assert_eq!(got, want, "{selector} on {labels:?}");
    }

    #[test]
    fn label_selectors_select() {
        check("", &[], true);
        check("a=b", &[("a", "b")], true);
        check("a==b,c", &[("a", "b")], false);
        check("a!=b", &[], true);
        check("a in (b, c)", &[("a", "c")], true);
        check("a notin (b,c)", &[("a", "c")], false);
        check("!a", &[("a", "")], false);
        check("a=", &[("a", "")], true);
        check("n>2", &[("n", "10")], true);
    }

    #[test]
    fn what_does_not_parse_is_told_in_the_real_words() {
        let check = |selector: &str, want: &str| {
            assert_eq!(parse_labels(selector).unwrap_err(), want, "{selector}");
        };
        check("app=a=b", "found '=', expected: ',' or 'end of string'");
        check(
            "=",
            "found '=', expected: !, identifier, or 'end of string'",
        );
        check("a,,b", "found ',', expected: identifier after ','");
        check(
            "!",
            "unable to parse requirement: found '', expected: identifier",
        );
        check(
            "app in a",
            "unable to parse requirement: found 'a' expected: '('",
        );
    }
}
