//! The status of a pod: what a kubelet may say (`ValidatePodStatusUpdate`).

use yaml::Value;

use super::{own_annotations, update};
use crate::validate::field::Field;
use crate::{ip, names};

/// Conditions that need no look at their names.
const OWN: [&str; 3] = ["PodScheduled", "Ready", "Initialized"];
const CONTAINERS: &str = "containerStatuses";
const INITIAL: &str = "initContainerStatuses";
const EPHEMERAL: &str = "ephemeralContainerStatuses";

pub(in crate::validate) fn status(object: &Field<'_, '_>) {
    let (pod, status) = (object.get("spec"), object.get("status"));
    let metadata = object.get("metadata");
    let annotations = metadata.get("annotations");
    update::mirror(&annotations);
    own_annotations(&annotations, &pod);
    for condition in status.get("conditions").items() {
        let kind = condition.get("type");
        if !OWN.contains(&kind.text()) {
            let told = condition.get("Type");
            for problem in names::qualified_name_problems(kind.text()) {
                told.invalid_as(&kind.text().into(), &problem);
            }
        }
    }
    let generation = status.get("observedGeneration");
    if generation.number().is_some_and(|number| number < 0) {
        generation.invalid("must be a non-negative integer");
    }
    let nominated = status.get("nominatedNodeName");
    if nominated.changed() {
        nominated.optional_name(names::subdomain_problems);
    }
    status.get("qosClass").immutable();
    transitions(&status, &pod);
    claims(&status.get("resourceClaimStatuses"), &pod);
    addresses(&status.get("podIPs"), &status.get("podIP"));
    host_addresses(&status);
    for key in [CONTAINERS, INITIAL, EPHEMERAL] {
        for container in status.get(key).items() {
            user(&container.get("user.linux"));
        }
    }
}

/// Containers that have ended stay so, unless they are restarted.
fn transitions(status: &Field<'_, '_>, pod: &Field<'_, '_>) {
    let restart = pod.get("restartPolicy").text();
    let sidecars: Vec<&str> = pod
        .get("initContainers")
        .list()
        .iter()
        .filter(|container| text(container, "restartPolicy") == "Always")
        .map(|container| text(container, "name"))
        .collect();
    for (key, restart) in [
        (CONTAINERS, restart),
        (INITIAL, restart),
        (EPHEMERAL, "Never"),
    ] {
        if restart == "Always" {
            continue;
        }
        let statuses = status.get(key);
        let before = statuses.old().and_then(Value::as_list).unwrap_or_default();
        for (index, old) in before.iter().enumerate() {
            let name = text(old, "name");
            let Some(ended) = old.at(&["state", "terminated"]) else {
                continue;
            };
            let failed = ended.get("exitCode").and_then(Value::as_i64) != Some(0);
            if (failed && restart == "OnFailure") || (key == INITIAL && sidecars.contains(&name)) {
                continue;
            }
            let item = statuses.item(index);
            for new in statuses
                .list()
                .iter()
                .filter(|new| text(new, "name") == name)
            {
                if new.at(&["state", "terminated"]).is_none() {
                    let state = item.get("state");
                    state.forbidden("may not be transitioned to non-terminated state");
                }
            }
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Claims of resources are those of the spec, each once.
fn claims(statuses: &Field<'_, '_>, pod: &Field<'_, '_>) {
    let known: Vec<&str> = pod
        .get("resourceClaims")
        .list()
        .iter()
        .map(|claim| text(claim, "name"))
        .collect();
    let mut seen = Vec::new();
    for status in statuses.items() {
        let name = status.get("name");
        if !known.contains(&name.text()) {
            name.invalid("must match the name of an entry in `spec.resourceClaims`");
        }
        name.unique(&mut seen);
        let claim = status.get("resourceClaimName");
        if claim.is_set() {
            for problem in names::subdomain_problems(claim.text()) {
                name.invalid_as(&claim.text().into(), &problem);
            }
        }
    }
}

/// The addresses of a pod: where the old member says otherwise than the list, it is meant.
fn addresses(list: &Field<'_, '_>, single: &Field<'_, '_>) {
    let first = list.list().first().map_or("", |first| text(first, "ip"));
    if single.is_empty() || single.text() == first {
        return address_list(list);
    }
    let alone = Value::List(vec![Value::Map(yaml::Map::from([(
        "ip",
        single.text().into(),
    )]))]);
    list.judged_as(&alone, address_list);
}

fn host_addresses(status: &Field<'_, '_>) {
    let list = status.get("hostIPs");
    let Some(first) = list.items().next() else {
        return;
    };
    let address = first.get("ip");
    if address.text() != status.get("hostIP").text() {
        address.invalid("must be equal to `hostIP`");
    }
    address_list(&list);
}

/// Addresses, at most one of each family.
fn address_list(list: &Field<'_, '_>) {
    let mut families = Vec::new();
    for address in list.items() {
        let text = address.get("ip").text();
        for problem in ip::lenient_problems(text) {
            address.invalid_as(&text.into(), &problem);
        }
        families.extend(ip::parse(text).map(|address| address.is_ipv6()));
    }
    let is_pair = matches!(families.as_slice(), [one, other] if one != other);
    if list.list().len() > 1 && !is_pair {
        let shown = list.go_list(&[("IP", "ip", "\"\"")]);
        let why = "may specify no more than one IP for each IP family";
        list.tell(|path| crate::FieldError::invalid_printed(path, &shown, why));
    }
}

/// Who a container runs as.
fn user(user: &Field<'_, '_>) {
    let most = i64::from(i32::MAX);
    user.get("uid").within(0, most);
    user.get("gid").within(0, most);
    for group in user.get("supplementalGroups").items() {
        group.within(0, most);
    }
}
