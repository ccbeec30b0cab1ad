//! Where a pod may run: affinity, tolerations, spread and gates.

use yaml::{Map, Value};

use super::duplicate_as;
use crate::names;
use crate::validate::field::Field;
use crate::validate::selector;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NEEDS_SELECTOR: &str = "must not be specified when labelSelector is not set";

pub(super) fn affinity(affinity: &Field<'_, '_>) {
    let nodes = affinity.get("nodeAffinity");
    let required = nodes.get(REQUIRED);
    if required.is_set() {
        selector::nodes(&required);
    }
    for preference in nodes.get(PREFERRED).items() {
        weight(&preference.get("weight"));
        selector::term(&preference.get("preference"), false);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.get(kind);
        for term in pods.get(REQUIRED).items() {
            pod_term(&term);
        }
        for preference in pods.get(PREFERRED).items() {
            weight(&preference.get("weight"));
            pod_term(&preference.get("podAffinityTerm"));
        }
    }
}

fn weight(weight: &Field<'_, '_>) {
    let number = weight.number().unwrap_or(0);
    if !(1..=100).contains(&number) {
        weight.invalid_as(&number.into(), "must be in the range 1-100");
    }
}

fn pod_term(term: &Field<'_, '_>) {
    selector::check(&term.get("labelSelector"));
    selector::check(&term.get("namespaceSelector"));
    for namespace in term.get("namespaces").items() {
        let place = term.get("namespace");
        namespace.told_at(&place).problems(names::label_problems);
    }
    label_keys(term, &["matchLabelKeys", "mismatchLabelKeys"]);
    let key = term.get("topologyKey");
    if key.is_empty() {
        key.required("can not be empty");
    }
    for problem in names::qualified_name_problems(key.text()) {
        key.invalid_as(&key.text().into(), &problem);
    }
}

/// Keys of labels whose values come from the pod itself.
fn label_keys(term: &Field<'_, '_>, lists: &[&str]) {
    let chosen = term.get("labelSelector");
    for list in lists {
        let keys = term.get(list);
        if keys.is_empty() {
            continue;
        }
        if !chosen.is_set() {
            keys.forbidden(NEEDS_SELECTOR);
            continue;
        }
        for key in keys.items() {
            key.problems(names::qualified_name_problems);
        }
    }
    let matching = term.get("matchLabelKeys");
    let pairs = chosen.get("matchLabels");
    let mut known: Vec<&str> = Vec::new();
    known.extend(
        pairs
            .map()
            .into_iter()
            .flat_map(Map::keys)
            .map(yaml::Str::as_str),
    );
    for expression in chosen.get("matchExpressions").items() {
        let key = expression.get("key").text();
        let index = matching
            .list()
            .iter()
            .position(|item| item.as_str() == Some(key));
        if let Some(index) = index
            && known.contains(&key)
        {
            // Told at the term, by the index of the key.
            let why = "exists in both matchLabelKeys and labelSelector";
            term.item(index).invalid_as(&key.into(), why);
        }
        known.push(key);
    }
    let others = term.get("mismatchLabelKeys");
    for key in matching.items() {
        if others.list().iter().any(|other| Some(other) == key.value()) {
            key.invalid("exists in both matchLabelKeys and mismatchLabelKeys");
        }
    }
}

pub(in crate::validate) fn tolerations(tolerations: &Field<'_, '_>) {
    for toleration in tolerations.items() {
        let member = |name| toleration.get(name);
        let (key, operator, effect) = (member("key"), member("operator"), member("effect"));
        key.optional_name(names::qualified_name_problems);
        if key.is_empty() && operator.text() != "Exists" {
            operator.invalid_as(
                &operator.text().into(),
                "operator must be Exists when `key` is empty, which means \"match all values and \
                 all keys\"",
            );
        }
        if toleration.get("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            effect.invalid_as(
                &effect.text().into(),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        let value = toleration.get("value").text();
        match operator.text() {
            "" | "Equal" => {
                let problems = names::label_value_problems(value);
                if !problems.is_empty() {
                    operator.invalid_as(&value.into(), &problems.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                operator.invalid_as(
                    &value.into(),
                    "value must be empty when `operator` is 'Exists'",
                );
            }
            "Exists" => {}
            "Lt" | "Gt" => operator.not_supported(&["Equal", "Exists", "Lt", "Gt"]),
            _ => operator.not_supported(&["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            effect.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}

pub(super) fn gates(gates: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for gate in gates.items() {
        let name = gate.get("name");
        let name = name.told_at(&gate);
        name.problems(names::qualified_name_problems);
        name.unique(&mut seen);
    }
}

pub(super) fn spread(constraints: &Field<'_, '_>) {
    let pair = |constraint: &Value| {
        let text = |key| {
            constraint
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        format!("{{{}, {}}}", text("topologyKey"), text("whenUnsatisfiable"))
    };
    for (index, constraint) in constraints.items().enumerate() {
        constraint.get("maxSkew").positive();
        let key = constraint.get("topologyKey");
        if key.is_empty() {
            key.required("can not be empty");
        }
        let action = constraint.get("whenUnsatisfiable");
        action.one_of(&["DoNotSchedule", "ScheduleAnyway"]);
        let own = constraint.value().map(pair).unwrap_or_default();
        let later = constraints.list().iter().skip(index + 1);
        if later.map(pair).any(|other| other == own) {
            let place = constraint.get("{topologyKey, whenUnsatisfiable}");
            duplicate_as(&place, &own);
        }
        let domains = constraint.get("minDomains");
        domains.positive();
        if domains.is_set() && action.text() != "DoNotSchedule" {
            domains.invalid(&format!(
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                action.text()
            ));
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            constraint.get(policy).optional_one_of(&["Honor", "Ignore"]);
        }
        label_keys(&constraint, &["matchLabelKeys"]);
        selector::check(&constraint.get("labelSelector"));
    }
}
