//! What is wrong with one `openAPIV3Schema`: what may not be used, lists and maps, defaults, rules.

use cel::Environment;
use kinds::FieldError;
use yaml::Value;

use super::place::At;
use super::{defaults, go, path, printed, structure};
use crate::rules;
use crate::schema::{Additional, Rule, Schema};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];
/// What a schema may say at its root when the status has a path of its own.
const AT_ROOT: [&str; 22] = [
    "Description",
    "Type",
    "Format",
    "Title",
    "Maximum",
    "ExclusiveMaximum",
    "Minimum",
    "ExclusiveMinimum",
    "MaxLength",
    "MinLength",
    "Pattern",
    "MaxItems",
    "MinItems",
    "UniqueItems",
    "MultipleOf",
    "Required",
    "Items",
    "Properties",
    "ExternalDocs",
    "Example",
    "XPreserveUnknownFields",
    "XValidations",
];

/// A schema and what it is judged by.
pub(super) struct Context<'a> {
    /// As it is written.
    pub(super) openapi: &'a Value,
    pub(super) schema: &'a Schema,
    pub(super) environment: &'a Environment,
    pub(super) has_status: bool,
}

/// What is wrong with the schema of a version, or with the one that all share; `at` leads to what
/// holds it.
pub(super) fn check(context: &Context<'_>, at: &str, errors: &mut Vec<FieldError>) {
    let written = format!("{at}.openAPIV3Schema");
    if context.has_status {
        root_members(context.openapi, &written, errors);
    }
    let at = At::start(&written);
    if context.schema.nullable {
        errors.push(FieldError::forbidden(
            at.member("nullable"),
            "nullable cannot be true at the root",
        ));
    }
    let before = errors.len();
    let unsupported = unsupported(context.openapi);
    if unsupported.is_none() {
        errors.extend(structure::problems(context.schema, at));
        if errors.len() == before {
            errors.extend(defaults::problems(context.schema, at, context.environment));
        }
    }
    let takes_rules = unsupported.is_none() && errors.len() == before;
    let mut found = Found::default();
    let place = Place {
        at,
        is_root: true,
        in_meta: false,
        forbids_default: None,
        forbids_old: None,
        takes_rules,
    };
    node(context.openapi, context.schema, &place, context, &mut found);
    let is_clean = errors.is_empty() && found.schema.is_empty() && found.rules.is_empty();
    errors.append(&mut found.schema);
    errors.append(&mut found.rules);
    if let Some(why) = unsupported.filter(|_| is_clean) {
        errors.push(FieldError::invalid(at, &"".into(), &why));
    }
}

fn root_members(openapi: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for name in go::set_members(openapi) {
        let ty = openapi.get("type").and_then(Value::as_str);
        if name == "Type" && ty != Some("object") {
            errors.push(FieldError::invalid(
                format!("{at}.type"),
                &ty.unwrap_or_default().into(),
                "only \"object\" is allowed as the type at the root of the schema if the status \
                 subresource is enabled",
            ));
            return;
        }
        if !AT_ROOT.contains(&name) {
            let why = format!(
                "only [{}] fields are allowed at the root of the schema if the status subresource \
                 is enabled",
                AT_ROOT.join(" ")
            );
            errors.push(printed(at, &go::schema(openapi), &why));
            return;
        }
    }
}

/// The first member, anywhere, that no structural schema has.
fn unsupported(openapi: &Value) -> Option<String> {
    const NAMES: [(&str, &str); 7] = [
        ("id", "id"),
        ("$schema", "schema"),
        ("$ref", "$ref"),
        ("patternProperties", "patternProperties"),
        ("dependencies", "dependencies"),
        ("additionalItems", "additionalItems"),
        ("definitions", "definitions"),
    ];
    let map = openapi.as_map()?;
    for (wire, name) in NAMES {
        if map.get(wire).is_some_and(|value| !value.is_null()) {
            return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
        }
    }
    if map.get("items").and_then(Value::as_list).is_some() {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    if map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        return Some(
            "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
                .to_owned(),
        );
    }
    let inner = ["items", "additionalProperties", "not"]
        .into_iter()
        .filter_map(|key| map.get(key));
    let lists = ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .filter_map(|key| map.get(key)?.as_list())
        .flatten();
    let members = map.get("properties").and_then(Value::as_map);
    let members = members.into_iter().flat_map(yaml::Map::values);
    inner.chain(lists).chain(members).find_map(unsupported)
}

/// Errors of schemas stand before those of rules.
#[derive(Default)]
struct Found {
    schema: Vec<FieldError>,
    rules: Vec<FieldError>,
}

/// Where a schema stands, and what it may say there.
#[derive(Clone, Copy)]
struct Place<'a> {
    at: At<'a>,
    is_root: bool,
    /// Inside the type or metadata of an object.
    in_meta: bool,
    /// Why no default may be set.
    forbids_default: Option<NoDefault<'a>>,
    /// The list whose items cannot be followed from one state to the next.
    forbids_old: Option<At<'a>>,
    /// Whether rules are looked at.
    takes_rules: bool,
}

#[derive(Clone, Copy)]
enum NoDefault<'a> {
    /// It is a member of whole objects, which has a meaning of its own.
    TopLevel(&'a str),
    /// It is part of metadata that has any member.
    Metadata,
}

impl<'a> Place<'a> {
    fn below(self, at: At<'a>) -> Place<'a> {
        Place {
            at,
            is_root: false,
            ..self
        }
    }
}

fn node(
    openapi: &Value,
    schema: &Schema,
    place: &Place<'_>,
    context: &Context<'_>,
    found: &mut Found,
) {
    let before = found.schema.len();
    standard(openapi, schema, place, &mut found.schema);
    let has_properties = !schema.properties.is_empty();
    let excludes = matches!(
        schema.additional,
        Additional::Schema(_) | Additional::Any(false)
    );
    if has_properties && excludes {
        found.schema.push(FieldError::forbidden(
            place.at.member("additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        ));
    }
    parts(openapi, schema, place, context, found);
    lists_and_maps(schema, place, &mut found.schema);
    for (index, rule) in schema.rules.iter().enumerate() {
        let at = place.at.item("x-kubernetes-validations", index);
        rule_texts(rule, schema, &at, &mut found.schema);
    }
    if found.schema.len() == before && place.takes_rules {
        compiled(schema, place, context.environment, &mut found.rules);
    }
}

/// What no schema may use.
fn standard(openapi: &Value, schema: &Schema, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    let at = &place.at;
    if !schema.ty.is_empty() && !TYPES.contains(&schema.ty.as_str()) {
        let ty = schema.ty.clone().into();
        errors.push(FieldError::not_supported(format!("{at}.type"), &ty, &TYPES));
    }
    let mut forbid = |is_set: bool, name: &str, why: &str| {
        if is_set {
            errors.push(FieldError::forbidden(format!("{at}.{name}"), why));
        }
    };
    match place.forbids_default.filter(|_| schema.default.is_some()) {
        Some(NoDefault::TopLevel(name)) => {
            let why = format!("must not be set in top-level {name}");
            forbid(true, "default", &why);
        }
        Some(NoDefault::Metadata) => {
            let why = "must not be set inside additionalProperties applying to object metadata";
            forbid(true, "default", why);
        }
        None => {}
    }
    let has = |key: &str| openapi.get(key).is_some_and(|value| !value.is_null());
    for name in [
        "id",
        "additionalItems",
        "patternProperties",
        "definitions",
        "dependencies",
        "$ref",
    ] {
        if has(name) {
            forbid(true, name, &format!("{name} is not supported"));
        }
    }
    forbid(
        schema.ty == "null",
        "type",
        "type cannot be set to null, use nullable as an alternative",
    );
    let has_many = openapi.get("items").and_then(Value::as_list).is_some();
    forbid(
        has_many,
        "items",
        "items must be a schema object and not an array",
    );
    forbid(
        place.in_meta && schema.embedded,
        "x-kubernetes-embedded-resource",
        "must not be used inside of resource meta",
    );
    forbid(
        schema.is_unique,
        "uniqueItems",
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
}

/// All schemas below.
fn parts(
    openapi: &Value,
    schema: &Schema,
    place: &Place<'_>,
    context: &Context<'_>,
    found: &mut Found,
) {
    let null = Value::Null;
    let member = |key: &str| openapi.get(key).unwrap_or(&null);
    let item = |key: &str, index: usize| {
        let items = openapi.get(key).and_then(Value::as_list);
        items.and_then(|items| items.get(index)).unwrap_or(&null)
    };
    if let Additional::Schema(inner) = &schema.additional {
        let mut below = place.below(place.at.member("additionalProperties"));
        if place.in_meta {
            below.forbids_default = Some(NoDefault::Metadata);
        }
        node(
            member("additionalProperties"),
            inner,
            &below,
            context,
            found,
        );
    }
    for (name, inner) in &schema.properties {
        let mut below = place.below(place.at.property(name));
        let is_meta = crate::prune::META.contains(&name.as_str());
        if is_meta && (place.is_root || schema.embedded) {
            below.in_meta = true;
            if place.is_root {
                below.forbids_default = Some(NoDefault::TopLevel(name));
            }
        }
        let property = member("properties").get(name).unwrap_or(&null);
        node(property, inner, &below, context, found);
    }
    let logical = |at| Place {
        takes_rules: false,
        ..place.below(at)
    };
    if let Some(inner) = &schema.not {
        node(
            member("not"),
            inner,
            &logical(place.at.member("not")),
            context,
            found,
        );
    }
    for (key, schemas) in [
        ("allOf", &schema.all_of),
        ("oneOf", &schema.one_of),
        ("anyOf", &schema.any_of),
    ] {
        for (index, inner) in schemas.iter().enumerate() {
            let below = logical(place.at.item(key, index));
            node(item(key, index), inner, &below, context, found);
        }
    }
    if let Some(inner) = &schema.items {
        let mut below = place.below(place.at.member("items"));
        if schema.list_type != "map" && below.forbids_old.is_none() {
            below.forbids_old = Some(place.at);
        }
        node(member("items"), inner, &below, context, found);
    }
    if openapi.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        found.schema.push(FieldError::invalid(
            place.at.member("x-kubernetes-preserve-unknown-fields"),
            &false.into(),
            "must be true or undefined",
        ));
    }
}

fn lists_and_maps(schema: &Schema, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    let at = &place.at;
    of_type(
        schema,
        &schema.map_type,
        ("object", "x-kubernetes-map-type"),
        at,
        errors,
    );
    known(
        &schema.map_type,
        &["atomic", "granular"],
        at.member("x-kubernetes-map-type"),
        errors,
    );
    of_type(
        schema,
        &schema.list_type,
        ("array", "x-kubernetes-list-type"),
        at,
        errors,
    );
    if schema.ty == "array" && schema.list_type == "set" {
        set_items(schema, at, errors);
    }
    known(
        &schema.list_type,
        &["atomic", "set", "map"],
        at.member("x-kubernetes-list-type"),
        errors,
    );
    if !schema.list_keys.is_empty() && schema.list_type != "map" {
        let field = format!("{at}.x-kubernetes-list-type");
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(if schema.list_type.is_empty() {
            FieldError::required(field, why)
        } else {
            FieldError::invalid(field, &schema.list_type.clone().into(), why)
        });
    }
    if schema.list_type == "map" {
        keys(schema, at, errors);
    }
    if let Some(items) = &schema.items
        && matches!(schema.list_type.as_str(), "set" | "map")
    {
        correlated(schema, items, at, errors);
    }
}

/// An extension is for one type only.
fn of_type(
    schema: &Schema,
    set: &str,
    (ty, name): (&str, &str),
    at: &At<'_>,
    errors: &mut Vec<FieldError>,
) {
    if set.is_empty() || schema.ty == ty {
        return;
    }
    let why = format!("must be {ty} if {name} is specified");
    let field = format!("{at}.type");
    errors.push(if schema.ty.is_empty() {
        FieldError::required(field, &why)
    } else {
        FieldError::invalid(field, &schema.ty.clone().into(), &why)
    });
}

fn known(value: &str, words: &[&str], field: At<'_>, errors: &mut Vec<FieldError>) {
    if !value.is_empty() && !words.contains(&value) {
        errors.push(FieldError::not_supported(field, &value.into(), words));
    }
}

/// Items of a set are compared as a whole.
fn set_items(schema: &Schema, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let Some(items) = &schema.items else { return };
    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let shown: Value = match items.list_type.as_str() {
        "" => Value::Null,
        other => other.into(),
    };
    let is_atomic = |ty: &str| ty == "atomic";
    if items.ty == "array" && !items.list_type.is_empty() && !is_atomic(&items.list_type) {
        let field = format!("{at}.items.x-kubernetes-list-type");
        errors.push(FieldError::invalid(field, &shown, why));
    }
    if items.ty == "object" && !is_atomic(&items.map_type) {
        let field = format!("{at}.items.x-kubernetes-map-type");
        errors.push(FieldError::invalid(field, &shown, why));
    }
}

/// The keys of a list of objects.
fn keys(schema: &Schema, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let field = at.member("x-kubernetes-list-map-keys");
    if schema.list_keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(field, why));
    }
    let Some(items) = &schema.items else {
        errors.push(FieldError::required(
            format!("{at}.items"),
            "must have a schema if x-kubernetes-list-type is map",
        ));
        return;
    };
    let ty: Value = items.ty.clone().into();
    if items.ty != "object" {
        errors.push(FieldError::invalid(
            format!("{at}.items.type"),
            &ty,
            "must be object if parent array's x-kubernetes-list-type is map",
        ));
        return;
    }
    let shown: Value = schema.list_keys.clone().into();
    for (index, key) in schema.list_keys.iter().enumerate() {
        match items.properties.get(key) {
            None => errors.push(FieldError::invalid(
                field,
                &shown,
                "entries must all be names of item properties",
            )),
            Some(property) if matches!(property.ty.as_str(), "array" | "object") => {
                errors.push(FieldError::invalid(
                    format!("{at}.items.properties[{key}].type"),
                    &ty,
                    "must be a scalar type if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(_) => {}
        }
        if schema.list_keys[..index].contains(key) {
            let why = "must not contain duplicate entries";
            errors.push(FieldError::invalid(field, &shown, why));
        }
    }
}

/// Items that are told apart are never `null`, and have their keys.
fn correlated(schema: &Schema, items: &Schema, at: &At<'_>, errors: &mut Vec<FieldError>) {
    if items.nullable {
        let why = format!(
            "cannot be nullable when x-kubernetes-list-type is {}",
            schema.list_type
        );
        errors.push(FieldError::forbidden(format!("{at}.items.nullable"), &why));
    }
    if schema.list_type != "map" {
        return;
    }
    for key in &schema.list_keys {
        let Some(property) = items.properties.get(key) else {
            continue;
        };
        let at = format!("{at}.items.properties[{key}]");
        if !items.required.contains(key) && property.default.is_none() {
            errors.push(FieldError::required(
                format!("{at}.default"),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be \
                 a required property",
            ));
        }
        if property.nullable {
            errors.push(FieldError::forbidden(
                format!("{at}.nullable"),
                "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
            ));
        }
    }
}

/// The texts of a rule, before it is compiled.
fn rule_texts(rule: &Rule, schema: &Schema, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let has_newline = |text: &str| text.contains(['\n', '\r']);
    let (text, message) = (rule.rule.trim(), rule.message.trim());
    let said: Value = rule.message.clone().into();
    let field = at.member("message");
    if text.is_empty() {
        errors.push(FieldError::required(
            format!("{at}.rule"),
            "rule is not specified",
        ));
    } else if !rule.message.is_empty() && message.is_empty() {
        let why = "must be non-empty if specified";
        errors.push(FieldError::invalid(field, &said, why));
    } else if has_newline(message) {
        let why = "must not contain line breaks";
        errors.push(FieldError::invalid(field, &said, why));
    } else if has_newline(text) && message.is_empty() {
        let why = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(field, why));
    }
    let expression = &rule.message_expression;
    if !expression.is_empty() && expression.trim().is_empty() {
        errors.push(FieldError::required(
            format!("{at}.messageExpression"),
            "messageExpression must be non-empty if specified",
        ));
    }
    if let Some(reason) = &rule.reason
        && !REASONS.contains(&reason.as_str())
    {
        let reason = reason.clone().into();
        let field = format!("{at}.reason");
        errors.push(FieldError::not_supported(field, &reason, &REASONS));
    }
    let leads = &rule.field_path;
    let mut refuse = |why: &str| {
        let field = format!("{at}.fieldPath");
        errors.push(FieldError::invalid(field, &leads.clone().into(), why));
    };
    if !leads.is_empty() && leads.trim().is_empty() {
        refuse("must be non-empty if specified");
    }
    if has_newline(leads) {
        refuse("must not contain line breaks");
    }
    if !leads.is_empty() && path::normalized(leads, schema).is_none() {
        refuse("must be a valid path");
    }
}

/// What the compiler says of the rules of a schema.
fn compiled(
    schema: &Schema,
    place: &Place<'_>,
    environment: &Environment,
    errors: &mut Vec<FieldError>,
) {
    if schema.rules.is_empty() {
        return;
    }
    let is_resource = place.is_root || schema.embedded;
    let Some(ty) = rules::declared(schema, is_resource) else {
        return;
    };
    for (index, compiled) in rules::compile_here(schema, &ty, environment)
        .into_iter()
        .enumerate()
    {
        let at = place.at.item("x-kubernetes-validations", index);
        let shown = || go::rule(&compiled.rule);
        if let Err(why) = &compiled.program {
            errors.push(printed(format!("{at}.rule"), &shown(), why));
        }
        if let Some(Err(why)) = &compiled.message {
            let field = format!("{at}.messageExpression");
            errors.push(printed(field, &shown(), why));
        }
        if let (true, Some(list)) = (compiled.uses_old, &place.forbids_old) {
            let why = format!(
                "oldSelf cannot be used on the uncorrelatable portion of the schema within {list}"
            );
            let rule = compiled.rule.rule.clone().into();
            errors.push(FieldError::invalid(format!("{at}.rule"), &rule, &why));
        } else if let (false, Some(flag)) = (compiled.uses_old, compiled.rule.optional_old_self) {
            errors.push(FieldError::invalid(
                format!("{at}.optionalOldSelf"),
                &flag.into(),
                "may not be set if oldSelf is not used in rule",
            ));
        }
    }
}
