//! Who owns which field: `metadata.managedFields`.

use yaml::Value;

use crate::core::Core;
use crate::request::ApiRequest;
use crate::strategy::Context;
use crate::verbs::update::Part;

/// Names longer than this are cut.
const MANAGER_LENGTH: usize = 128;

/// The name of the field manager of a request: the parameter, or the program's name.
pub(crate) fn manager(request: &ApiRequest) -> String {
    let given = request.query.get("fieldManager");
    let name = if given.is_empty() {
        request
            .header("user-agent")
            .split('/')
            .next()
            .unwrap_or_default()
    } else {
        given
    };
    name.chars().take(MANAGER_LENGTH).collect()
}

/// Notes who made an object.
pub(crate) fn track_create(_context: &Context<'_>, _value: &mut Value, _manager: &str) {}

/// Notes who changed an object.
pub(crate) fn track_update(
    _context: &Context<'_>,
    _part: Part,
    _old: &Value,
    _new: &mut Value,
    _manager: &str,
) {
}

/// Whether two states differ at most in the times of their managed fields.
pub(crate) fn same_but_times(old: &Value, new: &Value) -> bool {
    old == new
}

/// Notes that the server itself changed the status of an object.
pub(crate) fn track_system(_core: &Core, _kind: &manifest::Gvk, _old: &Value, _new: &mut Value) {}
