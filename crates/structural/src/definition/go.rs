//! Parts of a definition as messages print them: the JSON of the real server's inner types.

use yaml::{Value, json};

use crate::schema::Rule;

/// How a member of a Go type is printed.
#[derive(Clone, Copy)]
enum Form {
    /// Text; empty when absent.
    Text,
    /// `false` when absent.
    Flag,
    /// A number; zero when absent.
    Number,
    /// As it is; `null` when absent.
    Any,
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// A map of schemas.
    SchemaMap,
    /// `items`
    Items,
    /// `additionalProperties`
    SchemaOrBool,
    /// `x-kubernetes-validations`
    Rules,
    /// Another type; `null` when absent.
    Struct(&'static [Member]),
    /// A list of another type.
    Structs(&'static [Member]),
}

/// The name in Go, the name on the wire, and the form.
type Member = (&'static str, &'static str, Form);

const SCHEMA: &[Member] = &[
    ("ID", "id", Form::Text),
    ("Schema", "$schema", Form::Text),
    ("Ref", "$ref", Form::Any),
    ("Description", "description", Form::Text),
    ("Type", "type", Form::Text),
    ("Nullable", "nullable", Form::Flag),
    ("Format", "format", Form::Text),
    ("Title", "title", Form::Text),
    ("Default", "default", Form::Any),
    ("Maximum", "maximum", Form::Any),
    ("ExclusiveMaximum", "exclusiveMaximum", Form::Flag),
    ("Minimum", "minimum", Form::Any),
    ("ExclusiveMinimum", "exclusiveMinimum", Form::Flag),
    ("MaxLength", "maxLength", Form::Any),
    ("MinLength", "minLength", Form::Any),
    ("Pattern", "pattern", Form::Text),
    ("MaxItems", "maxItems", Form::Any),
    ("MinItems", "minItems", Form::Any),
    ("UniqueItems", "uniqueItems", Form::Flag),
    ("MultipleOf", "multipleOf", Form::Any),
    ("Enum", "enum", Form::Any),
    ("MaxProperties", "maxProperties", Form::Any),
    ("MinProperties", "minProperties", Form::Any),
    ("Required", "required", Form::Any),
    ("Items", "items", Form::Items),
    ("AllOf", "allOf", Form::Schemas),
    ("OneOf", "oneOf", Form::Schemas),
    ("AnyOf", "anyOf", Form::Schemas),
    ("Not", "not", Form::Schema),
    ("Properties", "properties", Form::SchemaMap),
    (
        "AdditionalProperties",
        "additionalProperties",
        Form::SchemaOrBool,
    ),
    ("PatternProperties", "patternProperties", Form::SchemaMap),
    ("Dependencies", "dependencies", Form::Any),
    ("AdditionalItems", "additionalItems", Form::SchemaOrBool),
    ("Definitions", "definitions", Form::SchemaMap),
    ("ExternalDocs", "externalDocs", Form::Any),
    ("Example", "example", Form::Any),
    (
        "XPreserveUnknownFields",
        "x-kubernetes-preserve-unknown-fields",
        Form::Any,
    ),
    (
        "XEmbeddedResource",
        "x-kubernetes-embedded-resource",
        Form::Flag,
    ),
    ("XIntOrString", "x-kubernetes-int-or-string", Form::Flag),
    ("XListMapKeys", "x-kubernetes-list-map-keys", Form::Any),
    ("XListType", "x-kubernetes-list-type", Form::Any),
    ("XMapType", "x-kubernetes-map-type", Form::Any),
    ("XValidations", "x-kubernetes-validations", Form::Rules),
];

const RULE: &[Member] = &[
    ("Rule", "rule", Form::Text),
    ("Message", "message", Form::Text),
    ("MessageExpression", "messageExpression", Form::Text),
    ("Reason", "reason", Form::Any),
    ("FieldPath", "fieldPath", Form::Text),
    ("OptionalOldSelf", "optionalOldSelf", Form::Any),
];

const COLUMN: &[Member] = &[
    ("Name", "name", Form::Text),
    ("Type", "type", Form::Text),
    ("Format", "format", Form::Text),
    ("Description", "description", Form::Text),
    ("Priority", "priority", Form::Number),
    ("JSONPath", "jsonPath", Form::Text),
];

const SCALE: &[Member] = &[
    ("SpecReplicasPath", "specReplicasPath", Form::Text),
    ("StatusReplicasPath", "statusReplicasPath", Form::Text),
    ("LabelSelectorPath", "labelSelectorPath", Form::Any),
];

const VERSION: &[Member] = &[
    ("Name", "name", Form::Text),
    ("Served", "served", Form::Flag),
    ("Storage", "storage", Form::Flag),
    ("Deprecated", "deprecated", Form::Flag),
    ("DeprecationWarning", "deprecationWarning", Form::Any),
    (
        "Schema",
        "schema",
        Form::Struct(&[("OpenAPIV3Schema", "openAPIV3Schema", Form::Schema)]),
    ),
    (
        "Subresources",
        "subresources",
        Form::Struct(&[
            ("Status", "status", Form::Struct(&[])),
            ("Scale", "scale", Form::Struct(SCALE)),
        ]),
    ),
    (
        "AdditionalPrinterColumns",
        "additionalPrinterColumns",
        Form::Structs(COLUMN),
    ),
    (
        "SelectableFields",
        "selectableFields",
        Form::Structs(&[("JSONPath", "jsonPath", Form::Text)]),
    ),
];

/// A schema.
pub(super) fn schema(value: &Value) -> String {
    members(value, SCHEMA)
}

/// A list of versions.
pub(super) fn versions(versions: &[Value]) -> String {
    list(versions, &|version| members(version, VERSION))
}

/// A rule.
pub(super) fn rule(rule: &Rule) -> String {
    let text = |text: &str| json::to_string(&text.into());
    let reason = rule.reason.as_deref().map_or("null".to_owned(), text);
    let optional = rule
        .optional_old_self
        .map_or("null".to_owned(), |flag| flag.to_string());
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{reason},\
         \"FieldPath\":{},\"OptionalOldSelf\":{optional}}}",
        text(&rule.rule),
        text(&rule.message),
        text(&rule.message_expression),
        text(&rule.field_path)
    )
}

/// The Go names of the members of a schema that it sets, in their order.
pub(super) fn set_members(schema: &Value) -> impl Iterator<Item = &'static str> {
    SCHEMA
        .iter()
        .filter(|(_, wire, form)| match (schema.get(wire), form) {
            (None | Some(Value::Null), _) => false,
            (Some(Value::Bool(flag)), Form::Flag) => *flag,
            (Some(Value::String(text)), Form::Text) => !text.is_empty(),
            _ => true,
        })
        .map(|(name, _, _)| *name)
}

fn members(value: &Value, table: &[Member]) -> String {
    let members: Vec<String> = table
        .iter()
        .map(|(name, wire, form)| format!("\"{name}\":{}", member(value.get(wire), *form)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn list(items: &[Value], print: &dyn Fn(&Value) -> String) -> String {
    let items: Vec<String> = items.iter().map(print).collect();
    format!("[{}]", items.join(","))
}

fn member(value: Option<&Value>, form: Form) -> String {
    let value = match (value, form) {
        (Some(value), _) if !value.is_null() => value,
        (_, Form::Text) => return "\"\"".to_owned(),
        (_, Form::Flag) => return "false".to_owned(),
        (_, Form::Number) => return "0".to_owned(),
        (_, _) => return "null".to_owned(),
    };
    let items = value.as_list().unwrap_or_default();
    match form {
        Form::Text | Form::Flag | Form::Number | Form::Any => json::to_string(value),
        Form::Schema => schema(value),
        Form::Schemas => list(items, &schema),
        Form::SchemaMap => {
            let schemas = value.as_map().into_iter().flat_map(yaml::Map::iter);
            let schemas: Vec<String> = schemas
                .map(|(name, value)| {
                    format!(
                        "{}:{}",
                        json::to_string(&name.clone().into()),
                        schema(value)
                    )
                })
                .collect();
            format!("{{{}}}", schemas.join(","))
        }
        Form::Items => match value {
            Value::List(items) => {
                format!(
                    "{{\"Schema\":null,\"JSONSchemas\":{}}}",
                    list(items, &schema)
                )
            }
            value => format!("{{\"Schema\":{},\"JSONSchemas\":null}}", schema(value)),
        },
        Form::SchemaOrBool => match value {
            Value::Bool(flag) => format!("{{\"Allows\":{flag},\"Schema\":null}}"),
            value => format!("{{\"Allows\":true,\"Schema\":{}}}", schema(value)),
        },
        Form::Rules => list(items, &|rule| members(rule, RULE)),
        Form::Struct(table) => members(value, table),
        Form::Structs(table) => list(items, &|item| members(item, table)),
    }
}
