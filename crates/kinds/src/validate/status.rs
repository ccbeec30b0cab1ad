//! The statuses of what runs pods, of claims and of services: counts that fit each other.
//!
//! The source of each order and word is a real kube-apiserver, asked with every count wrong.

use super::amounts::quantity;
use super::field::Field;
use crate::{FieldError, names};

const OF_ALL: &str = "cannot be greater than status.replicas";
/// What may become of a resource that a claim has asked more of.
const RESIZES: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

pub(super) fn deployment(object: &Field<'_, '_>) {
    let status = object.get("status");
    not_negative(
        &status,
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ],
    );
    let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
    at_most(&status, &parts, "replicas", OF_ALL);
    available(&status, "cannot be greater than readyReplicas");
    not_decremented(&status.get("collisionCount"));
}

/// Also that of a `ReplicationController`.
pub(super) fn replica_set(object: &Field<'_, '_>) {
    let status = object.get("status");
    not_negative(
        &status,
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
            "terminatingReplicas",
        ],
    );
    let parts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    at_most(&status, &parts, "replicas", OF_ALL);
    available(&status, "cannot be greater than readyReplicas");
}

pub(super) fn stateful_set(object: &Field<'_, '_>) {
    let status = object.get("status");
    let parts = [
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
    ];
    not_negative(&status, &["replicas"]);
    not_negative(&status, &parts);
    not_negative(&status, &["observedGeneration", "collisionCount"]);
    at_most(&status, &parts, "replicas", OF_ALL);
    available(&status, "cannot be greater than status.readyReplicas");
    not_decremented(&status.get("collisionCount"));
}

pub(super) fn daemon_set(object: &Field<'_, '_>) {
    let status = object.get("status");
    not_negative(
        &status,
        &[
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ],
    );
    not_decremented(&status.get("collisionCount"));
}

fn not_negative(status: &Field<'_, '_>, counts: &[&str]) {
    for count in counts {
        status.get(count).not_negative();
    }
}

/// No part is more than the whole; absent ones count as 0.
fn at_most(status: &Field<'_, '_>, parts: &[&str], whole: &str, why: &str) {
    let limit = status.get(whole).number().unwrap_or(0);
    for part in parts {
        let part = status.get(part);
        let count = part.number().unwrap_or(0);
        if count > limit {
            part.invalid_as(&count.into(), why);
        }
    }
}

fn available(status: &Field<'_, '_>, why: &str) {
    at_most(status, &["availableReplicas"], "readyReplicas", why);
}

/// A count that was there stays there and never falls.
fn not_decremented(count: &Field<'_, '_>) {
    let before = count.old().and_then(yaml::Value::as_i64);
    if before.is_some_and(|before| count.number().is_none_or(|now| now < before)) {
        let now = count.number().unwrap_or(0);
        count.invalid_as(&now.into(), "cannot be decremented");
    }
}

/// The status of a claim: what it has, and what becomes of what it asks for.
pub(super) fn claim(object: &Field<'_, '_>) {
    let status = object.get("status");
    amounts(&status.get("capacity"));
    let resizes = status.get("allocatedResourceStatuses");
    for (name, state) in resizes.entries() {
        known_resource(&resizes, name);
        if !RESIZES.contains(&state.text()) {
            resizes.not_supported_as(&name.into(), &RESIZES);
        }
    }
    let allocated = status.get("allocatedResources");
    for (name, _) in allocated.entries() {
        known_resource(&allocated, name);
    }
    amounts(&allocated);
}

/// Of the resources without a domain a claim has only storage.
fn known_resource(resources: &Field<'_, '_>, name: &str) {
    for problem in names::qualified_name_problems(name) {
        resources.invalid_as(&name.into(), &problem);
    }
    if !name.contains('/') && name != "storage" {
        resources.tell(|path| FieldError::not_supported(path, &name.into(), &["storage"]));
    }
}

/// Amounts are not below zero; told as whole numbers.
fn amounts(resources: &Field<'_, '_>) {
    for (_, place) in resources.entries() {
        let amount = quantity(&place).and_then(|amount| amount.scaled(0));
        if let Some(amount) = amount.filter(|amount| *amount < 0) {
            place.invalid_as(&amount.into(), "must be a valid resource quantity");
        }
    }
}
