//! Whether a schema is structural: every field has a type outside of `allOf` and its like.

use kinds::FieldError;

use super::place::At;
use crate::schema::{Additional, Schema};

/// Where in a schema a part stands.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What is not structural, sorted as the real server does.
pub(super) fn problems(schema: &Schema, at: At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, &at, &mut errors);
    for (step, part) in logical(schema) {
        completeness(part, schema, &at, &step.below(&at), &mut errors);
    }
    errors.sort_by_key(FieldError::text);
    errors
}

/// Which of `not`, `allOf`, `anyOf` and `oneOf` a part stands in.
#[derive(Clone, Copy)]
enum Step {
    Not,
    Item(&'static str, usize),
}

impl Step {
    fn below<'a>(self, at: &'a At<'a>) -> At<'a> {
        match self {
            Step::Not => at.member("not"),
            Step::Item(name, index) => at.item(name, index),
        }
    }
}

/// The parts of `not`, `allOf`, `anyOf` and `oneOf`, with their steps.
fn logical(schema: &Schema) -> impl Iterator<Item = (Step, &Schema)> {
    let not = schema.not.as_deref().map(|part| (Step::Not, part));
    let lists = [
        ("allOf", &schema.all_of),
        ("anyOf", &schema.any_of),
        ("oneOf", &schema.one_of),
    ];
    let items = lists.into_iter().flat_map(|(name, parts)| {
        let parts = parts.iter().enumerate();
        parts.map(move |(index, part)| (Step::Item(name, index), part))
    });
    not.into_iter().chain(items)
}

fn invariants(schema: &Schema, level: Level, at: &At<'_>, errors: &mut Vec<FieldError>) {
    if schema.ty == "array" && schema.items.is_none() {
        errors.push(FieldError::required(
            at.member("items"),
            "must be specified",
        ));
    }
    if let Some(items) = &schema.items {
        invariants(items, Level::Item, &at.member("items"), errors);
    }
    for (name, property) in &schema.properties {
        invariants(property, Level::Field, &at.property(name), errors);
    }
    let additional = at.member("additionalProperties");
    if !matches!(schema.additional, Additional::Unsaid) {
        if level == Level::Root {
            errors.push(FieldError::forbidden(
                additional,
                "must not be used at the root",
            ));
        }
        if let Additional::Schema(inner) = &schema.additional {
            invariants(inner, Level::Field, &additional, errors);
        }
    }
    extensions(schema, at, errors);
    values(schema, at, skips(schema), errors);
    types(schema, level, at, errors);
    if schema.embedded && !matches!(schema.additional, Additional::Unsaid) {
        errors.push(FieldError::forbidden(
            additional,
            "must not be used if x-kubernetes-embedded-resource is set",
        ));
    }
    if level == Level::Root && !schema.ty.is_empty() && schema.ty != "object" {
        let ty = schema.ty.clone().into();
        errors.push(FieldError::invalid(
            format!("{at}.type"),
            &ty,
            "must be object at the root",
        ));
    }
    resource(schema, level, at, errors);
    if schema.embedded && !schema.preserves && schema.properties.is_empty() {
        errors.push(FieldError::required(
            format!("{at}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without \
             x-kubernetes-preserve-unknown-fields",
        ));
    }
}

fn extensions(schema: &Schema, at: &At<'_>, errors: &mut Vec<FieldError>) {
    for (set, name) in [
        (schema.preserves, "x-kubernetes-preserve-unknown-fields"),
        (schema.embedded, "x-kubernetes-embedded-resource"),
    ] {
        if schema.int_or_string && set {
            errors.push(FieldError::invalid(
                format!("{at}.{name}"),
                &true.into(),
                "must be false if x-kubernetes-int-or-string is true",
            ));
        }
    }
}

fn types(schema: &Schema, level: Level, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let field = at.member("type");
    if schema.embedded && schema.ty != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if schema.ty.is_empty() {
            FieldError::required(field, why)
        } else {
            FieldError::invalid(field, &schema.ty.clone().into(), why)
        });
    } else if schema.ty.is_empty() && !schema.int_or_string && !schema.preserves {
        errors.push(FieldError::required(
            field,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
}

/// What may be said about the type and the metadata of an object.
fn resource(schema: &Schema, level: Level, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let is_resource = level == Level::Root || schema.embedded;
    for key in ["kind", "apiVersion"] {
        if let Some(property) = schema.properties.get(key)
            && is_resource
            && property.ty != "string"
        {
            errors.push(FieldError::invalid(
                format!("{at}.properties[{key}].type"),
                &property.ty.clone().into(),
                "must be string",
            ));
        }
    }
    let Some(metadata) = schema.properties.get("metadata") else {
        return;
    };
    let at = at.property("metadata");
    if is_resource && metadata.ty != "object" {
        errors.push(FieldError::invalid(
            format!("{at}.type"),
            &metadata.ty.clone().into(),
            "must be object",
        ));
    }
    if level == Level::Root && !says_names_only(metadata) {
        errors.push(FieldError::forbidden(
            at,
            "must not specify anything other than name and generateName, but metadata is \
             implicitly specified",
        ));
    }
}

fn says_names_only(metadata: &Schema) -> bool {
    let names = metadata
        .properties
        .keys()
        .all(|key| matches!(key.as_str(), "name" | "generateName"));
    let bare = Schema {
        ty: metadata.ty.clone(),
        default: metadata.default.clone(),
        properties: metadata.properties.clone(),
        ..Schema::default()
    };
    names && *metadata == bare
}

/// Which of `anyOf` and the `anyOf` of the first `allOf` are the pattern of a number or text.
#[derive(Clone, Copy)]
struct Skips {
    any_of: bool,
    first_all_of: bool,
}

fn skips(schema: &Schema) -> Skips {
    Skips {
        any_of: is_int_or_string(&schema.any_of),
        first_all_of: schema
            .all_of
            .first()
            .is_some_and(|first| is_int_or_string(&first.any_of)),
    }
}

fn is_int_or_string(parts: &[Schema]) -> bool {
    let only = |part: &Schema, ty: &str| {
        let bare = Schema {
            ty: ty.into(),
            ..Schema::default()
        };
        *part == bare
    };
    matches!(parts, [first, second] if only(first, "integer") && only(second, "string"))
}

fn values(schema: &Schema, at: &At<'_>, skips: Skips, errors: &mut Vec<FieldError>) {
    if !skips.any_of {
        for (index, part) in schema.any_of.iter().enumerate() {
            nested(part, &at.item("anyOf", index), false, errors);
        }
    }
    for (index, part) in schema.all_of.iter().enumerate() {
        let skips_any_of = skips.first_all_of && index == 0;
        nested(part, &at.item("allOf", index), skips_any_of, errors);
    }
    for (index, part) in schema.one_of.iter().enumerate() {
        nested(part, &at.item("oneOf", index), false, errors);
    }
    if let Some(not) = &schema.not {
        nested(not, &at.member("not"), false, errors);
    }
    if let Some(pattern) = &schema.pattern
        && let Err(why) = pattern.compiled()
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        let shown = pattern.text().clone().into();
        errors.push(FieldError::invalid(at.member("pattern"), &shown, &why));
    }
}

/// A part of `allOf` and its like: it may only restrict values.
fn nested(schema: &Schema, at: &At<'_>, skips_any_of: bool, errors: &mut Vec<FieldError>) {
    let skips = Skips {
        any_of: skips_any_of,
        first_all_of: false,
    };
    values(schema, at, skips, errors);
    if let Some(items) = &schema.items {
        nested(items, &at.member("items"), false, errors);
    }
    for (name, property) in &schema.properties {
        nested(property, &at.property(name), false, errors);
    }
    let mut forbid = |is_set: bool, name: &str, why: &str| {
        if is_set {
            let why = format!("must be {why} to be structural");
            errors.push(FieldError::forbidden(format!("{at}.{name}"), &why));
        }
    };
    forbid(!schema.ty.is_empty(), "type", "empty");
    let has_additional = matches!(
        schema.additional,
        Additional::Schema(_) | Additional::Any(true)
    );
    forbid(has_additional, "additionalProperties", "undefined");
    forbid(schema.default.is_some(), "default", "undefined");
    forbid(schema.has_title, "title", "empty");
    forbid(schema.has_description, "description", "empty");
    forbid(schema.nullable, "nullable", "false");
    forbid(
        schema.preserves,
        "x-kubernetes-preserve-unknown-fields",
        "false",
    );
    forbid(schema.embedded, "x-kubernetes-embedded-resource", "false");
    forbid(schema.int_or_string, "x-kubernetes-int-or-string", "false");
    forbid(
        !schema.list_keys.is_empty(),
        "x-kubernetes-list-map-keys",
        "empty",
    );
    forbid(
        !schema.list_type.is_empty(),
        "x-kubernetes-list-type",
        "undefined",
    );
    forbid(
        !schema.map_type.is_empty(),
        "x-kubernetes-map-type",
        "undefined",
    );
    forbid(
        !schema.rules.is_empty(),
        "x-kubernetes-validations",
        "empty",
    );
    if schema.properties.contains_key("metadata") {
        errors.push(FieldError::forbidden(
            format!("{at}.properties[metadata]"),
            "must not be specified in a nested context",
        ));
    }
}

/// Whether what a nested part speaks of is declared outside.
fn completeness(
    part: &Schema,
    schema: &Schema,
    at: &At<'_>,
    part_at: &At<'_>,
    errors: &mut Vec<FieldError>,
) {
    for (step, inner) in logical(part) {
        completeness(inner, schema, at, &step.below(part_at), errors);
    }
    let missing = |at: At<'_>, part_at: At<'_>| {
        FieldError::required(at, &format!("because it is defined in {part_at}"))
    };
    if let Some(items) = &part.items {
        let (at, part_at) = (at.member("items"), part_at.member("items"));
        match &schema.items {
            Some(declared) => completeness(items, declared, &at, &part_at, errors),
            None => errors.push(missing(at, part_at)),
        }
    }
    for (name, property) in &part.properties {
        let (at, part_at) = (at.property(name), part_at.property(name));
        match schema.properties.get(name) {
            Some(declared) => completeness(property, declared, &at, &part_at, errors),
            None => errors.push(missing(at, part_at)),
        }
    }
}
