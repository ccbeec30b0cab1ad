//! Types and kinds of values, and whether two are the same.

use gotmpl::{Session, Value};

use crate::arguments::{ANY, BOOL, Row, TEXT, text, truth};

pub(super) const ROWS: &[Row] = &[
    Row::new("typeOf", &[ANY], TEXT, |_, all| {
        text(all.value(0).type_name())
    }),
    Row::new("typeIs", &[TEXT, ANY], BOOL, |_, all| {
        truth(all.value(1).type_name() == all.text(0))
    }),
    Row::new("typeIsLike", &[TEXT, ANY], BOOL, |_, all| {
        let (wanted, name) = (all.text(0), all.value(1).type_name());
        truth(name == wanted || name.strip_prefix('*') == Some(wanted))
    }),
    Row::new("kindOf", &[ANY], TEXT, |_, all| text(kind_of(all.value(0)))),
    Row::new("kindIs", &[TEXT, ANY], BOOL, |_, all| {
        truth(kind_of(all.value(1)) == all.text(0))
    }),
    Row::new("deepEqual", &[ANY; 2], BOOL, |scope, all| {
        truth(deep_equal(scope.session(), all.value(0), all.value(1))?)
    }),
];

/// What Go's `reflect` calls a value.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Integer(_, width) => width.name(),
        Value::Float(_) => "float64",
        Value::Complex(..) => "complex128",
        Value::Text(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
        Value::Object(object) => object.kind().name(),
    }
}

/// Whether both are of one type and hold the same, as `reflect.DeepEqual` says.
///
/// # Errors
/// When the comparison takes more steps than the render has: values can hold each other.
pub(super) fn deep_equal(
    session: &mut Session,
    first: &Value,
    second: &Value,
) -> Result<bool, String> {
    compare(session, first, second, 0)
}

fn compare(
    session: &mut Session,
    first: &Value,
    second: &Value,
    depth: usize,
) -> Result<bool, String> {
    /// Deeper is only a map that holds itself.
    const MAX_DEPTH: usize = 500;
    session.take_steps(1)?;
    if depth > MAX_DEPTH {
        return Ok(true);
    }
    Ok(match (first, second) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(first), Value::Bool(second)) => first == second,
        (Value::Integer(first, width), Value::Integer(second, other)) => {
            width == other && first == second
        }
        (Value::Float(first), Value::Float(second)) => first == second,
        (Value::Complex(first, rest), Value::Complex(second, other)) => {
            first == second && rest == other
        }
        (Value::Text(first), Value::Text(second)) => first == second,
        (Value::List(first), Value::List(second)) => {
            let items = (first.items(), second.items());
            if first.element() != second.element()
                || first.is_nil() != second.is_nil()
                || items.0.len() != items.1.len()
            {
                return Ok(false);
            }
            for (first, second) in items.0.iter().zip(items.1) {
                if !compare(session, first, second, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(first), Value::Map(second)) => {
            if first.element() != second.element()
                || first.is_nil() != second.is_nil()
                || first.len() != second.len()
            {
                return Ok(false);
            }
            if first.is_same(second) {
                return Ok(true);
            }
            for ((key, first), (other, second)) in first.entries().iter().zip(second.entries()) {
                if *key != other || !compare(session, first, &second, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(first), Value::Object(second)) => {
            std::rc::Rc::ptr_eq(first, second) || gotmpl::text::is_same_object(first, second)
        }
        _ => false,
    })
}
