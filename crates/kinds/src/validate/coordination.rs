//! Leases.

use super::field::Field;

/// The rules of a `Lease`. Strategies of coordinated elections are behind a feature gate: they are
/// dropped before anything looks at them.
pub(super) fn lease(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let duration = spec.get("leaseDurationSeconds");
    if duration.number().is_some_and(|number| number <= 0) {
        duration.invalid("must be greater than 0");
    }
    spec.get("leaseTransitions").not_negative();
}
