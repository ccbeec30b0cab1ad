//! Runtime classes.

use super::field::Field;
use super::metadata;
use super::pod::placement;
use crate::names;

/// The rules of a `RuntimeClass`.
pub(super) fn runtime_class(object: &Field<'_, '_>) {
    let handler = object.get("handler");
    if object.is_update() {
        handler.immutable();
        return;
    }
    for problem in names::label_problems(handler.text()) {
        handler.invalid_as(&handler.text().into(), &problem);
    }
    let scheduling = object.get("scheduling");
    metadata::labels(&scheduling.get("nodeSelector"));
    let tolerations = scheduling.get("tolerations");
    placement::tolerations(&tolerations);
    let key = |toleration: &yaml::Value| {
        ["key", "operator", "value", "effect"].map(|name| toleration.get(name).cloned())
    };
    let mut seen = Vec::new();
    for toleration in tolerations.items() {
        let key = toleration.value().map(key);
        if seen.contains(&key) {
            toleration.duplicate();
        }
        seen.push(key);
    }
}
