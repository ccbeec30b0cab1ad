//! Namespaces and nodes.

use yaml::Value;

use super::amounts;
use super::field::Field;
use crate::{FieldError, names, quoted};

const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
const POD_RANGE: &str = "node updates may not change podCIDR except from \"\" to valid";

pub(super) fn namespace(object: &Field<'_, '_>) {
    if object.is_update() {
        return;
    }
    let spec = object.get("spec");
    let finalizers = spec.get("finalizers");
    for finalizer in finalizers.items() {
        let finalizer = finalizer.told_at(&finalizers);
        finalizer.problems(names::qualified_name_problems);
        if !finalizer.text().contains('/') && !STANDARD.contains(&finalizer.text()) {
            finalizer
                .invalid("name is neither a standard finalizer name nor is it fully qualified");
        }
    }
}

/// A namespace is active until it is being deleted.
pub(super) fn namespace_status(object: &Field<'_, '_>) {
    let deleted = object.get("metadata.deletionTimestamp").is_set();
    let (phase, when) = if deleted {
        ("Terminating", "is not empty")
    } else {
        ("Active", "is empty")
    };
    let status = object.get("status");
    let found = status.get("phase");
    if found.text() != phase {
        let why = format!("may only be '{phase}' if `deletionTimestamp` {when}");
        let shown = found.text().into();
        found.renamed("Phase").invalid_as(&shown, &why);
    }
}

pub(super) fn node(object: &Field<'_, '_>) {
    let (spec, status) = (object.get("spec"), object.get("status"));
    let ranges = spec.get("podCIDRs");
    let given = spec.get("taints");
    let metadata = object.get("metadata");
    // Told below the metadata, as the real server does.
    let place = metadata.get("taints");
    if !object.is_update() {
        taints(&given.told_at(&place));
    }
    for part in ["capacity", "allocatable"] {
        let map = status.get(part);
        for (name, amount) in map.entries() {
            let place = map.get(name);
            amounts::amount(name, &amount.told_at(&place));
        }
    }
    if !object.is_update() {
        for range in ranges.items() {
            range.problems(names::range_problems);
        }
        return;
    }
    let mut seen: Vec<&Value> = Vec::new();
    for address in status.get("addresses").items() {
        let Some(value) = address.value() else {
            continue;
        };
        if seen.contains(&value) {
            let members = [("Type", "type", "\"\""), ("Address", "address", "\"\"")];
            let shown = address.go_struct(&members);
            address.tell(|path| FieldError::duplicate_printed(path, &shown));
        }
        seen.push(value);
    }
    let before = ranges.old().and_then(Value::as_list).unwrap_or_default();
    if !before.is_empty() && ranges.changed() {
        ranges.forbidden(POD_RANGE);
    }
    let provider = spec.get("providerID");
    if provider.old().is_some() && provider.changed() {
        provider.forbidden("node updates may not change providerID except from \"\" to valid");
    }
    taints(&given.told_at(&place));
    let external = spec.get("externalID");
    if external.changed() {
        external.forbidden("may not be updated");
    }
}

fn taints(taints: &Field<'_, '_>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for taint in taints.items() {
        let (key, value, effect) = (taint.get("key"), taint.get("value"), taint.get("effect"));
        for problem in names::qualified_name_problems(key.text()) {
            key.invalid_as(&key.text().into(), &problem);
        }
        let problems = names::label_value_problems(value.text());
        if !problems.is_empty() {
            value.invalid(&problems.join(";"));
        }
        effect.require_one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        let pair = (key.text(), effect.text());
        if seen.contains(&pair) {
            // Printed as the server's internal type.
            let shown = format!(
                "{{\"Key\":{},\"Value\":{},\"Effect\":{},\"TimeAdded\":null}}",
                quoted(key.text()),
                quoted(value.text()),
                quoted(effect.text())
            );
            let why = "taints must be unique by key and effect pair";
            taint.tell(|path| FieldError::duplicate_printed(path, &shown).because(why));
        } else {
            seen.push(pair);
        }
    }
}
