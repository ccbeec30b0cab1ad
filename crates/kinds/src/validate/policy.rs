//! Disruption budgets.

use super::field::Field;
use super::{amounts, conditions, selector};

/// The rules of a `PodDisruptionBudget`.
pub(super) fn budget(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (least, most) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if least.is_set() && most.is_set() {
        let members = [
            ("MinAvailable", "minAvailable", "null"),
            ("Selector", "selector", "null"),
            ("MaxUnavailable", "maxUnavailable", "null"),
            (
                "UnhealthyPodEvictionPolicy",
                "unhealthyPodEvictionPolicy",
                "null",
            ),
        ];
        spec.invalid_struct(
            &members,
            "minAvailable and maxUnavailable cannot be both set",
        );
    }
    for amount in [&least, &most] {
        if amount.is_set() {
            amounts::int_or_percent(amount);
            amounts::at_most_all(amount);
        }
    }
    selector::check(&spec.get("selector"));
    spec.get("unhealthyPodEvictionPolicy")
        .optional_one_of(&["AlwaysAllow", "IfHealthyBudget"]);
}

/// The status of a `PodDisruptionBudget`.
pub(super) fn budget_status(object: &Field<'_, '_>) {
    let status = object.get("status");
    conditions::check(&status.get("conditions"));
    for count in [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ] {
        status.get(count).not_negative();
    }
}
