//! Who else has a say in a write: webhooks and ValidatingAdmissionPolicies.
//!
//! [`mutate`] and [`check`] are the doors: the first runs before an object is completed and
//! validated, the second after. Both see a write as [`Write`]; what rules and expressions know of
//! it is a [`subject::Subject`]. Only [`webhook`] reaches out of the process.

mod policy;
mod subject;
pub(crate) mod webhook;

use yaml::Value;

use crate::core::Call;
use crate::status_error::ApiError;

pub(crate) use policy::Cache;

use subject::Subject;

/// The group of what configures admission.
pub(crate) const GROUP: &str = "admissionregistration.k8s.io";

/// What a write does, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }

    /// The kind of its options, where it has some.
    fn options_kind(self) -> Option<&'static str> {
        match self {
            Operation::Create => Some("CreateOptions"),
            Operation::Update => Some("UpdateOptions"),
            Operation::Delete => Some("DeleteOptions"),
            Operation::Connect => None,
        }
    }
}

/// A write: the object to be and the one that is, as they are stored; those of a part with a kind
/// of its own, such as a Scale, as clients see them.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    operation: Operation,
    new: Option<&'a Value>,
    old: Option<&'a Value>,
    /// What a deletion asks for; other writes say it in the query.
    options: Option<&'a Value>,
}

impl<'a> Write<'a> {
    pub(crate) fn create(new: &'a Value) -> Self {
        Write {
            operation: Operation::Create,
            new: Some(new),
            old: None,
            options: None,
        }
    }

    pub(crate) fn update(new: &'a Value, old: &'a Value) -> Self {
        Write {
            operation: Operation::Update,
            old: Some(old),
            ..Write::create(new)
        }
    }

    /// A connection to an object; `new` is what it asks for.
    pub(crate) fn connect(new: &'a Value) -> Self {
        Write {
            operation: Operation::Connect,
            ..Write::create(new)
        }
    }

    pub(crate) fn delete(old: &'a Value, options: &'a Value) -> Self {
        Write {
            operation: Operation::Delete,
            new: None,
            old: Some(old),
            options: Some(options),
        }
    }
}

/// Whether the path is a part of an object with a kind of its own: what is admitted there is the
/// part, such as a Scale or a Binding, and not the object that it changes.
pub(crate) fn is_of_part(call: &Call<'_>) -> bool {
    subject::own_kind(call).is_some()
}

/// Lets the mutating webhooks change what is written; `None` when none changed it.
///
/// # Errors
/// The refusal of the first that denies it, or that cannot be asked.
pub(crate) fn mutate(call: &Call<'_>, write: Write<'_>) -> Result<Option<Value>, ApiError> {
    if call.webhooks.mutating.is_empty() || call.resource.group == GROUP {
        return Ok(None);
    }
    webhook::mutate(call, Subject::new(call, &write))
}

/// Lets policies and validating webhooks look at a write that is otherwise ready. Gives warnings.
///
/// # Errors
/// The refusal of the first policy or webhook that denies it, or that cannot be asked.
pub(crate) fn check(call: &Call<'_>, write: Write<'_>) -> Result<Vec<String>, ApiError> {
    // Policies and webhooks do not look at what makes them, so that they can be mended.
    if call.resource.group == GROUP {
        return Ok(Vec::new());
    }
    let warnings = policy::check(call, &write)?;
    if !call.webhooks.validating.is_empty() {
        webhook::validate(call, &Subject::new(call, &write))?;
    }
    Ok(warnings)
}

/// Asks everybody about a deletion; gives warnings.
///
/// # Errors
/// As [`mutate`] and [`check`].
pub(crate) fn check_deletion(
    call: &Call<'_>,
    old: &Value,
    options: &Value,
) -> Result<Vec<String>, ApiError> {
    let write = Write::delete(old, options);
    mutate(call, write)?;
    check(call, write)
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}
