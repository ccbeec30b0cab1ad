//! Runtime classes.

use super::field::Field;
use super::pod::placement;
use super::{amounts, metadata};
use crate::{FieldError, names};

/// The rules of a `RuntimeClass`.
pub(super) fn runtime_class(object: &Field<'_, '_>) {
    let handler = object.get("handler");
    for problem in names::label_problems(handler.text()) {
        handler.invalid_as(&handler.text().into(), &problem);
    }
    let fixed = object.get("overhead");
    amounts::overhead(&fixed.get("podFixed").told_at(&fixed));
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
            let shown = toleration.go_struct(&[
                ("Key", "key", "\"\""),
                ("Operator", "operator", "\"\""),
                ("Value", "value", "\"\""),
                ("Effect", "effect", "\"\""),
                ("TolerationSeconds", "tolerationSeconds", "null"),
            ]);
            toleration.tell(|path| FieldError::duplicate_printed(path, &shown));
        }
        seen.push(key);
    }
    if object.is_update() {
        handler.immutable();
    }
}
