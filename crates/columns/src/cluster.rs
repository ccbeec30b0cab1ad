//! Cells of the kinds that administer a cluster rather than run in it.

use yaml::{Map, Value};

use crate::age::human;
use crate::of::{NONE, Of, UNSET, join};

/// The cells behind the name of a kind of this module.
pub(crate) fn cells(place: (&str, &str), of: &Of<'_>, age: Value) -> Option<Vec<Value>> {
    let n_items = |path: &str| count(of.list(path).len());
    Some(match place {
        ("admissionregistration.k8s.io", plural) => admission(plural, of, age)?,
        ("apiregistration.k8s.io", "apiservices") => api_service(of, age),
        ("certificates.k8s.io", "certificatesigningrequests") => signing_request(of, age),
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => flow_schema(of, age),
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => priority_level(of, age),
        ("networking.k8s.io", "ipaddresses") => vec![parent(of).into(), age],
        ("networking.k8s.io", "servicecidrs") => {
            let blocks = of.list("spec.cidrs").iter().filter_map(Value::as_str);
            vec![join(blocks).into(), age]
        }
        ("node.k8s.io", "runtimeclasses") => vec![of.text("handler").into(), age],
        ("resource.k8s.io", "deviceclasses" | "resourceclaimtemplates") => vec![age],
        ("resource.k8s.io", "resourceclaims") => vec![claim_state(of).into(), age],
        ("resource.k8s.io", "resourceslices") => vec![
            of.text("spec.nodeName").into(),
            of.text("spec.driver").into(),
            of.text("spec.pool.name").into(),
            age,
        ],
        ("scheduling.k8s.io", "priorityclasses") => vec![
            of.number("value").into(),
            of.at("globalDefault")
                .and_then(Value::as_bool)
                .unwrap_or(false)
                .into(),
            age,
            of.text("preemptionPolicy").into(),
        ],
        ("storage.k8s.io", "csinodes") => vec![n_items("spec.drivers"), age],
        ("storage.k8s.io", "csistoragecapacities") => vec![
            of.text("storageClassName").into(),
            of.or("capacity", UNSET).into(),
        ],
        ("storage.k8s.io", "volumeattachments") => vec![
            of.text("spec.attacher").into(),
            of.text("spec.source.persistentVolumeName").into(),
            of.text("spec.nodeName").into(),
            of.at("status.attached")
                .and_then(Value::as_bool)
                .unwrap_or(false)
                .into(),
            age,
        ],
        ("storage.k8s.io", "volumeattributesclasses") => vec![of.text("driverName").into(), age],
        _ => return None,
    })
}

fn count(items: usize) -> Value {
    i64::try_from(items).unwrap_or(i64::MAX).into()
}

fn admission(plural: &str, of: &Of<'_>, age: Value) -> Option<Vec<Value>> {
    Some(match plural {
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            vec![count(of.list("webhooks").len()), age]
        }
        "validatingadmissionpolicies" => {
            let kind = match of.at("spec.paramKind") {
                Some(kind) => {
                    let kind = Of(kind);
                    format!("{}/{}", kind.text("apiVersion"), kind.text("kind"))
                }
                None => UNSET.to_owned(),
            };
            vec![count(of.list("spec.validations").len()), kind.into(), age]
        }
        "validatingadmissionpolicybindings" => {
            vec![
                of.text("spec.policyName").into(),
                parameters(of).into(),
                age,
            ]
        }
        _ => return None,
    })
}

fn parameters(of: &Of<'_>) -> String {
    let name = of.text("spec.paramRef.name");
    if !name.is_empty() {
        // Whether the parameter is in a namespace cannot be told from here.
        return format!("{}/{name}", of.or("spec.paramRef.namespace", "*"));
    }
    match of.at("spec.paramRef.selector") {
        Some(selector) => go_selector(&Of(selector)),
        None => UNSET.to_owned(),
    }
}

/// A selector as Go prints the struct.
fn go_selector(selector: &Of<'_>) -> String {
    let labels = selector.at("matchLabels").and_then(Value::as_map);
    let pairs: String = labels
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    let requirements: String = selector
        .list("matchExpressions")
        .iter()
        .map(Of)
        .map(|one| {
            let values: Vec<&str> = one
                .list("values")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
                one.text("key"),
                one.text("operator"),
                values.join(" ")
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}"
    )
}

fn api_service(of: &Of<'_>, age: Value) -> Vec<Value> {
    let service = match of.at("spec.service") {
        Some(service) => {
            let service = Of(service);
            format!("{}/{}", service.text("namespace"), service.text("name"))
        }
        None => "Local".to_owned(),
    };
    let condition = of
        .list("status.conditions")
        .iter()
        .map(Of)
        .find(|condition| condition.text("type") == "Available");
    let available = condition.map_or("Unknown".to_owned(), |condition| {
        let (status, reason) = (condition.text("status"), condition.text("reason"));
        if status == "True" || reason.is_empty() {
            status.to_owned()
        } else {
            format!("{status} ({reason})")
        }
    });
    vec![service.into(), available.into(), age]
}

fn signing_request(of: &Of<'_>, age: Value) -> Vec<Value> {
    let has = |kind: &str| {
        let mut conditions = of.list("status.conditions").iter().map(Of);
        conditions.any(|condition| condition.text("type") == kind)
    };
    let mut state = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !of.text("status.certificate").is_empty() {
        state.push_str(",Issued");
    }
    let duration = of.at("spec.expirationSeconds").and_then(Value::as_i64);
    vec![
        age,
        of.or("spec.signerName", NONE).into(),
        of.text("spec.username").into(),
        duration.map_or(NONE.to_owned(), human).into(),
        state.into(),
    ]
}

fn flow_schema(of: &Of<'_>, age: Value) -> Vec<Value> {
    let dangling = of
        .list("status.conditions")
        .iter()
        .map(Of)
        .find(|condition| condition.text("type") == "Dangling")
        .map_or("?", |condition| condition.text("status"));
    vec![
        of.text("spec.priorityLevelConfiguration.name").into(),
        of.number("spec.matchingPrecedence").into(),
        of.or("spec.distinguisherMethod.type", NONE).into(),
        age,
        dangling.into(),
    ]
}

fn priority_level(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![of.text("spec.type").into()];
    let queuing = "limitResponse.queuing";
    for (parent, member) in [
        ("", "nominalConcurrencyShares"),
        (queuing, "queues"),
        (queuing, "handSize"),
        (queuing, "queueLengthLimit"),
    ] {
        let path = match parent {
            "" => format!("spec.limited.{member}"),
            parent => format!("spec.limited.{parent}.{member}"),
        };
        cells.push(of.at(&path).cloned().unwrap_or_else(|| NONE.into()));
    }
    cells.push(age);
    cells
}

fn parent(of: &Of<'_>) -> String {
    let Some(parent) = of.at("spec.parentRef").map(Of) else {
        return NONE.to_owned();
    };
    let dot = if parent.text("group").is_empty() {
        ""
    } else {
        "."
    };
    let resource = format!("{}{dot}{}", parent.text("resource"), parent.text("group"));
    let mut text = resource.to_lowercase();
    for part in [parent.text("namespace"), parent.text("name")] {
        if !part.is_empty() {
            text.push('/');
            text.push_str(part);
        }
    }
    text
}

fn claim_state(of: &Of<'_>) -> String {
    let deleted = !of.text("metadata.deletionTimestamp").is_empty();
    let mut states = Vec::new();
    if deleted {
        states.push("deleted");
    }
    if of.at("status.allocation").is_some() {
        states.push("allocated");
        if !of.list("status.reservedFor").is_empty() {
            states.push("reserved");
        }
    } else if !deleted {
        states.push("pending");
    }
    states.join(",")
}

pub(crate) fn binding(of: &Of<'_>, age: Value) -> Vec<Value> {
    let role = format!("{}/{}", of.text("roleRef.kind"), of.text("roleRef.name"));
    let subjects = |kind: &str| -> Value {
        let names: Vec<String> = of
            .list("subjects")
            .iter()
            .map(Of)
            .filter(|subject| subject.text("kind") == kind)
            .map(|subject| match kind {
                "ServiceAccount" => {
                    format!("{}/{}", subject.text("namespace"), subject.text("name"))
                }
                _ => subject.text("name").to_owned(),
            })
            .collect();
        names.join(", ").into()
    };
    vec![
        role.into(),
        age,
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
