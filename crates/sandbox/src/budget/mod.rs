//! What a namespace may use, as the default admission plug-ins of a real server keep it.
//!
//! [`limits`] fills in and checks what LimitRanges say, [`quota`] charges ResourceQuotas.

pub(crate) mod limits;
pub(crate) mod quota;

use std::collections::BTreeMap;

use manifest::quantity::Quantity;
use yaml::{Map, Value};

use crate::core::Call;
use crate::meta;
use crate::status_error::ApiError;

/// Amounts by resource.
type Amounts = BTreeMap<String, Quantity>;

/// Checks a new object that is otherwise right, and charges it to its namespace.
///
/// # Errors
/// 403 in the words of the plug-in that refuses it.
pub(crate) fn admit(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    if !call.resource.namespaced {
        return Ok(());
    }
    limits::check(&call.core.store, call.about(meta::name(value)), value)?;
    quota::charge(call, value)
}

/// A whole number as a quantity.
fn whole(number: i64) -> Quantity {
    Quantity::from_value(&number.into()).expect("a whole number is a quantity")
}

/// A map of quantities; what is none is left out.
fn amounts(value: Option<&Value>) -> Amounts {
    let members = value.and_then(Value::as_map).into_iter();
    members
        .flat_map(Map::iter)
        .filter_map(|(name, value)| {
            let quantity = Quantity::from_value(value).ok()?;
            Some((name.to_string(), quantity))
        })
        .collect()
}

/// Adds amounts; a sum that no quantity holds stays what it was.
fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let total = match sum.get(name) {
            Some(known) => known.checked_add(amount),
            None => Some(amount.clone()),
        };
        if let Some(total) = total {
            sum.insert(name.clone(), total);
        }
    }
}

/// Raises amounts to at least these.
fn raise(sum: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        if sum.get(name).is_none_or(|known| known < amount) {
            sum.insert(name.clone(), amount.clone());
        }
    }
}

/// The containers of a pod under a key of its spec.
fn containers<'a>(pod: &'a Value, key: &str) -> &'a [Value] {
    let list = pod.at(&["spec", key]).and_then(Value::as_list);
    list.unwrap_or_default()
}

/// What a pod asks for under `requests` or `limits`: all containers together, or the largest that
/// runs before them.
fn of_pod(pod: &Value, side: &str) -> Amounts {
    let of = |container: &Value| amounts(container.at(&["resources", side]));
    let mut sum = Amounts::new();
    for container in containers(pod, "containers") {
        add(&mut sum, &of(container));
    }
    for container in containers(pod, "initContainers") {
        raise(&mut sum, &of(container));
    }
    add(&mut sum, &amounts(pod.at(&["spec", "overhead"])));
    sum
}
