//! The conditions of a status, in the form that new kinds share (`metav1.Condition`).

use super::field::Field;
use crate::names;

/// What is wrong with a list of conditions.
pub(super) fn check(conditions: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for condition in conditions.items() {
        let kind = condition.get("type");
        if seen.contains(&kind.text()) {
            kind.duplicate();
        }
        seen.push(kind.text());
        kind.problems(names::qualified_name_problems);
        condition
            .get("status")
            .one_of(&["False", "True", "Unknown"]);
        let generation = condition.get("observedGeneration");
        if generation.number().is_some_and(|number| number < 0) {
            generation.invalid("must be greater than or equal to zero");
        }
        condition.get("lastTransitionTime").require();
        reason(&condition.get("reason"));
        condition.get("message").at_most(MAX_MESSAGE);
    }
}

const MAX_REASON: usize = 1024;
const MAX_MESSAGE: usize = 32 * 1024;

fn reason(reason: &Field<'_, '_>) {
    if !reason.require() {
        return;
    }
    let bytes = reason.text().as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"_,:".contains(byte);
    let valid = bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.iter().all(inner)
        && (bytes.last()).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !valid {
        reason.invalid(
            "a condition reason must start with alphabetic character, optionally followed by a \
             string of alphanumeric characters or '_,:', and must end with an alphanumeric \
             character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or \
             'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is \
             '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
        );
    }
    reason.at_most(MAX_REASON);
}
