//! What is wrong with one field, word for word.

use yaml::Value;

use crate::quoted;

/// What is wrong with one field, as `k8s.io/apimachinery`'s `field.Error` says it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// The `reason` of the cause, such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// The path of the field; empty for the object itself.
    pub field: String,
    /// What is wrong, without the path.
    pub message: String,
}

impl FieldError {
    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Self {
        FieldError {
            reason,
            field: field.into(),
            message,
        }
    }

    /// A field that must be given. An empty `detail` is left out.
    #[must_use]
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new(
            "FieldValueRequired",
            field,
            with_detail("Required value", detail),
        )
    }

    /// A value that does not fit; `value` is printed as JSON.
    #[must_use]
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            with_detail(&format!("Invalid value: {}", shown(value)), detail),
        )
    }

    /// As [`FieldError::invalid`], with the value printed already.
    #[must_use]
    pub fn invalid_printed(field: impl Into<String>, printed: &str, detail: &str) -> Self {
        let text = format!("Invalid value: {printed}");
        Self::new("FieldValueInvalid", field, with_detail(&text, detail))
    }

    /// As [`FieldError::invalid`], without any value.
    #[must_use]
    pub fn invalid_without_value(field: impl Into<String>, detail: &str) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            with_detail("Invalid value", detail),
        )
    }

    /// As [`FieldError::not_supported`], with the value printed already.
    #[must_use]
    pub fn not_supported_printed(field: impl Into<String>, printed: &str, known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        let detail = format!("supported values: {}", known.join(", "));
        let text = format!("Unsupported value: {printed}");
        Self::new("FieldValueNotSupported", field, with_detail(&text, &detail))
    }

    /// A field that may not be set, or set so.
    #[must_use]
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new(
            "FieldValueForbidden",
            field,
            with_detail("Forbidden", detail),
        )
    }

    /// A value that is given twice.
    #[must_use]
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {}", shown(value)),
        )
    }

    /// As [`FieldError::duplicate`], with the value printed already.
    #[must_use]
    pub fn duplicate_printed(field: impl Into<String>, printed: &str) -> Self {
        Self::new(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {printed}"),
        )
    }

    /// A value that is none of the known ones, which are printed in quotes.
    #[must_use]
    pub fn not_supported(field: impl Into<String>, value: &Value, known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        let detail = if known.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", known.join(", "))
        };
        Self::new(
            "FieldValueNotSupported",
            field,
            with_detail(&format!("Unsupported value: {}", shown(value)), &detail),
        )
    }

    /// A reference to something that is not there.
    #[must_use]
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self::new(
            "FieldValueNotFound",
            field,
            format!("Not found: {}", shown(value)),
        )
    }

    /// A list with more items than `limit`.
    #[must_use]
    pub fn too_many(field: impl Into<String>, actual: usize, limit: usize) -> Self {
        Self::new(
            "FieldValueTooMany",
            field,
            format!("Too many: {actual}: must have at most {limit} items"),
        )
    }

    /// The same error, with a reason behind its message.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.message = with_detail(&self.message, why);
        self
    }

    /// A value of the wrong type, as schemas of custom resources say it.
    #[must_use]
    pub fn type_invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new(
            "FieldValueTypeInvalid",
            field,
            with_detail(&format!("Invalid value: {}", shown(value)), detail),
        )
    }

    /// A text or map over its limit.
    #[must_use]
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self::new(
            "FieldValueTooLong",
            field,
            format!("Too long: may not be more than {limit} bytes"),
        )
    }

    /// `path: message`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

fn with_detail(text: &str, detail: &str) -> String {
    if detail.is_empty() {
        text.to_owned()
    } else {
        format!("{text}: {detail}")
    }
}

/// A value as `field.Error` prints it: text in Go's quotes, everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Null => "null".to_owned(),
        other => go_json(other),
    }
}

/// JSON as Go prints its types: the one struct that objects share and whose members do not stand in
/// the order of their names is a selector.
pub(crate) fn go_json(value: &Value) -> String {
    let text = yaml::json::to_string;
    match (value.get("matchLabels"), value.get("matchExpressions")) {
        (Some(labels), Some(expressions)) => format!(
            "{{\"matchLabels\":{},\"matchExpressions\":{}}}",
            text(labels),
            text(expressions)
        ),
        _ => text(value),
    }
}
