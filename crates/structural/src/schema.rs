//! A schema of a definition, read from its data.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use yaml::{Map, Str, Value};

use crate::formats::Format;

/// Schemas nest no deeper: what is deeper is not looked into, as every walk costs stack.
const MAX_DEPTH: usize = 128;

/// One node of an `openAPIV3Schema`. Fields have the names of the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// `type`; empty when there is none.
    pub ty: Str,
    /// Whether it has a `title`.
    pub(crate) has_title: bool,
    /// Whether it has a `description`.
    pub(crate) has_description: bool,
    /// `uniqueItems`
    pub(crate) is_unique: bool,
    /// `nullable`
    pub nullable: bool,
    /// `format`; empty when there is none.
    pub format: Str,
    /// How the format is checked; `None` when it is not.
    pub(crate) check: Derived<Option<Format>>,
    /// `default`
    pub default: Option<Value>,
    /// `enum`
    pub known: Vec<Value>,
    /// `minimum` and `exclusiveMinimum`
    pub minimum: Option<Bound>,
    /// `maximum` and `exclusiveMaximum`
    pub maximum: Option<Bound>,
    /// `multipleOf`
    pub multiple_of: Option<f64>,
    /// `minLength`, `minItems`, `minProperties`
    pub at_least: [Option<i64>; 3],
    /// `maxLength`, `maxItems`, `maxProperties`
    pub at_most: [Option<i64>; 3],
    /// `pattern`
    pub(crate) pattern: Option<Pattern>,
    /// `required`
    pub required: Vec<Str>,
    /// `properties`
    pub(crate) properties: Properties,
    /// `items`
    pub items: Option<Box<Schema>>,
    /// `additionalProperties`
    pub additional: Additional,
    /// `allOf`
    pub all_of: Vec<Schema>,
    /// `anyOf`
    pub any_of: Vec<Schema>,
    /// `oneOf`
    pub one_of: Vec<Schema>,
    /// `not`
    pub not: Option<Box<Schema>>,
    /// `x-kubernetes-preserve-unknown-fields`
    pub preserves: bool,
    /// `x-kubernetes-embedded-resource`
    pub embedded: bool,
    /// `x-kubernetes-int-or-string`
    pub int_or_string: bool,
    /// `x-kubernetes-list-type`; empty when there is none.
    pub list_type: Str,
    /// `x-kubernetes-list-map-keys`
    pub list_keys: Vec<Str>,
    /// `x-kubernetes-map-type`; empty when there is none.
    pub map_type: Str,
    /// `x-kubernetes-validations`
    pub rules: Vec<Rule>,
}

/// Schemas by name. In boxes: a tree's nodes have room for many entries, and most have few.
pub(crate) type Properties = BTreeMap<Str, Box<Schema>>;

/// Something made of what stands beside it, which is therefore not compared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Derived<T>(pub(crate) T);

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// A pattern of texts. Most schemas are read without any text to match, so it is compiled when it
/// is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    text: Str,
    compiled: Derived<OnceLock<Result<Regex, String>>>,
}

impl Pattern {
    fn new(text: Str) -> Self {
        Pattern {
            text,
            compiled: Derived::default(),
        }
    }

    /// As it is written.
    pub(crate) fn text(&self) -> &Str {
        &self.text
    }

    /// Compiled, or what is wrong with it.
    pub(crate) fn compiled(&self) -> Result<&Regex, &str> {
        let compiled = self
            .compiled
            .0
            .get_or_init(|| cel::regexp::compile(&self.text));
        compiled.as_ref().map_err(String::as_str)
    }
}

/// Indexes of [`Schema::at_least`] and [`Schema::at_most`].
pub(crate) const LENGTH: usize = 0;
pub(crate) const ITEMS: usize = 1;
pub(crate) const PROPERTIES: usize = 2;

/// A bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub limit: f64,
    /// Whether the number itself is out.
    pub exclusive: bool,
}

/// What members an object may have besides its properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Additional {
    /// It says nothing.
    #[default]
    Unsaid,
    /// Any, or none.
    Any(bool),
    /// Those of a schema.
    Schema(Box<Schema>),
}

/// One rule of `x-kubernetes-validations`. Fields have the names of the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// `rule`
    pub rule: Str,
    /// `message`
    pub message: Str,
    /// `messageExpression`
    pub message_expression: Str,
    /// `reason`
    pub reason: Option<Str>,
    /// `fieldPath`
    pub field_path: Str,
    /// `optionalOldSelf`
    pub optional_old_self: Option<bool>,
}

fn text(map: &Map, key: &str) -> Str {
    match map.get(key) {
        Some(Value::String(text)) => text.clone(),
        _ => Str::default(),
    }
}

fn flag(map: &Map, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(map: &'a Map, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn texts(map: &Map, key: &str) -> Vec<Str> {
    let texts = list(map, key).iter().filter_map(Value::as_str);
    texts.map(Str::from).collect()
}

impl Schema {
    /// Reads a schema; what is malformed counts as absent, as definitions are judged elsewhere.
    #[must_use]
    pub fn parse(value: &Value) -> Schema {
        parse(value, 0)
    }

    /// The schema of a member: declared, or that of all others.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Schema> {
        let declared = self.properties.get(name).map(Box::as_ref);
        declared.or(match &self.additional {
            Additional::Schema(schema) => Some(schema),
            Additional::Unsaid | Additional::Any(_) => None,
        })
    }
}

fn parse(value: &Value, depth: usize) -> Schema {
    let Some(map) = value.as_map().filter(|_| depth < MAX_DEPTH) else {
        return Schema::default();
    };
    let inner = |value: &Value| parse(value, depth + 1);
    let boxed = |key: &str| map.get(key).filter(|it| it.as_map().is_some()).map(inner);
    let several = |key: &str| list(map, key).iter().map(inner).collect();
    let count = |key: &str| map.get(key).and_then(Value::as_i64);
    let bound = |key: &str, exclusive: &str| {
        let limit = map.get(key).and_then(Value::as_f64)?;
        let exclusive = flag(map, exclusive);
        Some(Bound { limit, exclusive })
    };
    let pattern = text(map, "pattern");
    Schema {
        ty: text(map, "type"),
        has_title: !text(map, "title").is_empty(),
        has_description: !text(map, "description").is_empty(),
        is_unique: flag(map, "uniqueItems"),
        nullable: flag(map, "nullable"),
        check: Derived(Format::named(&text(map, "format"))),
        format: text(map, "format"),
        default: map.get("default").filter(|it| !it.is_null()).cloned(),
        known: list(map, "enum").to_vec(),
        minimum: bound("minimum", "exclusiveMinimum"),
        maximum: bound("maximum", "exclusiveMaximum"),
        multiple_of: map.get("multipleOf").and_then(Value::as_f64),
        at_least: ["minLength", "minItems", "minProperties"].map(count),
        at_most: ["maxLength", "maxItems", "maxProperties"].map(count),
        pattern: (!pattern.is_empty()).then(|| Pattern::new(pattern)),
        required: texts(map, "required"),
        properties: members(map, depth),
        items: boxed("items").map(Box::new),
        additional: match map.get("additionalProperties") {
            Some(Value::Bool(any)) => Additional::Any(*any),
            Some(schema @ Value::Map(_)) => Additional::Schema(Box::new(inner(schema))),
            _ => Additional::Unsaid,
        },
        all_of: several("allOf"),
        any_of: several("anyOf"),
        one_of: several("oneOf"),
        not: boxed("not").map(Box::new),
        preserves: flag(map, "x-kubernetes-preserve-unknown-fields"),
        embedded: flag(map, "x-kubernetes-embedded-resource"),
        int_or_string: flag(map, "x-kubernetes-int-or-string"),
        list_type: text(map, "x-kubernetes-list-type"),
        list_keys: texts(map, "x-kubernetes-list-map-keys"),
        map_type: text(map, "x-kubernetes-map-type"),
        rules: list(map, "x-kubernetes-validations")
            .iter()
            .map(rule)
            .collect(),
    }
}

fn members(map: &Map, depth: usize) -> Properties {
    let members = map.get("properties").and_then(Value::as_map);
    members
        .into_iter()
        .flat_map(Map::iter)
        .map(|(name, schema)| (name.clone(), Box::new(parse(schema, depth + 1))))
        .collect()
}

fn rule(value: &Value) -> Rule {
    let Some(map) = value.as_map() else {
        return Rule::default();
    };
    Rule {
        rule: text(map, "rule"),
        message: text(map, "message"),
        message_expression: text(map, "messageExpression"),
        reason: map.get("reason").and_then(Value::as_str).map(Str::from),
        field_path: text(map, "fieldPath"),
        optional_old_self: map.get("optionalOldSelf").and_then(Value::as_bool),
    }
}
