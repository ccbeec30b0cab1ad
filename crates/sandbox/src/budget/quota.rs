//! ResourceQuotas: new objects are charged to what a namespace may use.
//!
//! As on a real server, what counts is the status: a quota whose status no controller has filled
//! in bounds nothing. What deleted objects used is given back by the controller.

use std::collections::BTreeMap;

use manifest::quantity::Quantity;
use yaml::Value;

use super::{Amounts, add, amounts, containers, of_pod, whole};
use crate::core::Call;
use crate::status_error::ApiError;
use store::{Collection, Expect, Stored};

/// How often a quota that others charge at the same time is tried.
const ATTEMPTS: usize = 32;

/// Charges a new object to the quotas of its namespace.
///
/// # Errors
/// 403 when it says too little of what a quota bounds, or a quota has too little left.
pub(crate) fn charge(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    if call.namespace().is_empty() || call.dry_run() {
        return Ok(());
    }
    let store = &call.core.store;
    let quotas = Collection::new("", "resourcequotas");
    let listing = store.list(&quotas, Some(call.namespace()));
    if listing.objects.is_empty() {
        return Ok(());
    }
    let usage = usage(call, value);
    for quota in listing.objects {
        let mut newest = Some(quota);
        for _ in 0..ATTEMPTS {
            let Some(quota) = newest.take() else { break };
            let Some(charged) = charged(call, (&quota, value), &usage)? else {
                break;
            };
            let expect = Expect::Revision(quota.revision);
            if store.put(&quotas, expect, charged).is_ok() {
                break;
            }
            newest = store.get(&quotas, &quota.namespace, &quota.name);
        }
    }
    Ok(())
}

/// The quota with the usage added; `None` when it does not bound the object.
fn charged(
    call: &Call<'_>,
    (quota, value): (&Stored, &Value),
    usage: &Amounts,
) -> Result<Option<Value>, ApiError> {
    let mut object = quota.value();
    let hard = amounts(object.at(&["status", "hard"]));
    let counted: Amounts = usage
        .iter()
        .filter(|(name, _)| hard.contains_key(*name))
        .map(|(name, amount)| (name.clone(), amount.clone()))
        .collect();
    let is_pod = call.resource.group.is_empty() && call.resource.plural == "pods";
    if !covers(&object, value, is_pod) {
        return Ok(None);
    }
    let name = crate::meta::name(value);
    let refuse = |why: String| Err(ApiError::forbidden(call.about(name), &why));
    if is_pod {
        let missing = unsaid(value, &hard);
        if !missing.is_empty() {
            let missing = missing.join("; ");
            return refuse(format!(
                "failed quota: {}: must specify {missing}",
                quota.name
            ));
        }
    }
    if counted.is_empty() {
        return Ok(None);
    }
    let used = amounts(object.at(&["status", "used"]));
    let mut total = used.clone();
    add(&mut total, &counted);
    let exceeded: Vec<&String> = counted
        .keys()
        .filter(|name| total.get(*name) > hard.get(*name))
        .collect();
    if !exceeded.is_empty() {
        let of = |amounts: &Amounts| shown(amounts, &exceeded);
        return refuse(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            quota.name,
            of(&counted),
            of(&used),
            of(&hard)
        ));
    }
    let status = object.map_at_mut(&["status", "used"]);
    for name in counted.keys() {
        if let Some(total) = total.get(name) {
            status.insert(name.as_str(), total.canonical());
        }
    }
    Ok(Some(object))
}

fn shown(amounts: &Amounts, names: &[&String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| {
            let amount = amounts
                .get(*name)
                .map_or_else(|| "0".to_owned(), Quantity::canonical);
            format!("{name}={amount}")
        })
        .collect();
    shown.join(",")
}

/// Whether the scopes of a quota take in an object: those are about pods.
fn covers(quota: &Value, value: &Value, is_pod: bool) -> bool {
    let scopes = quota.at(&["spec", "scopes"]).and_then(Value::as_list);
    let scopes = scopes.unwrap_or_default().iter().filter_map(Value::as_str);
    let selects = quota
        .at(&["spec", "scopeSelector", "matchExpressions"])
        .and_then(Value::as_list);
    let terminating = || value.at(&["spec", "activeDeadlineSeconds"]).is_some();
    let best_effort = || {
        let class = value.at(&["status", "qosClass"]).and_then(Value::as_str);
        class == Some("BestEffort")
    };
    let scope = |scope: &str| match scope {
        "Terminating" => terminating(),
        "NotTerminating" => !terminating(),
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        _ => false,
    };
    let selected = |expression: &Value| {
        let text = |key: &str| {
            expression
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let class = value
            .at(&["spec", "priorityClassName"])
            .and_then(Value::as_str);
        let values = expression.get("values").and_then(Value::as_list);
        let mut values = values.unwrap_or_default().iter().filter_map(Value::as_str);
        match (text("scopeName"), text("operator")) {
            ("PriorityClass", "Exists") => class.is_some(),
            ("PriorityClass", "DoesNotExist") => class.is_none(),
            ("PriorityClass", "In") => values.any(|value| Some(value) == class),
            ("PriorityClass", "NotIn") => !values.any(|value| Some(value) == class),
            (name, _) => scope(name),
        }
    };
    let mut scopes = scopes.peekable();
    let selects = selects.unwrap_or_default();
    if !is_pod {
        return scopes.peek().is_none() && selects.is_empty();
    }
    scopes.all(scope) && selects.iter().all(selected)
}

/// What containers must say because a quota bounds it: `limits.cpu for: a,b`.
fn unsaid(pod: &Value, hard: &Amounts) -> Vec<String> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in hard.keys() {
        let (side, resource) = match name.as_str() {
            "cpu" | "memory" => ("requests", name.as_str()),
            "requests.cpu" => ("requests", "cpu"),
            "requests.memory" => ("requests", "memory"),
            "limits.cpu" => ("limits", "cpu"),
            "limits.memory" => ("limits", "memory"),
            _ => continue,
        };
        let lists = ["containers", "initContainers"].map(|key| containers(pod, key));
        for container in lists.into_iter().flatten() {
            if container.at(&["resources", side, resource]).is_none() {
                let container = container.get("name").and_then(Value::as_str);
                let names = missing.entry(name).or_default();
                names.push(container.unwrap_or_default());
            }
        }
    }
    missing
        .into_iter()
        .map(|(name, containers)| format!("{name} for: {}", containers.join(",")))
        .collect()
}

/// What a new object uses, by the names of quotas.
fn usage(call: &Call<'_>, value: &Value) -> Amounts {
    let resource = &call.resource;
    let one = || whole(1);
    let full = if resource.group.is_empty() {
        resource.plural.to_string()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    };
    let mut usage = Amounts::from([(format!("count/{full}"), one())]);
    if !resource.group.is_empty() {
        return usage;
    }
    let plural = resource.plural.as_str();
    match plural {
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
            usage.insert(plural.to_owned(), one());
        }
        "pods" => {
            usage.insert(plural.to_owned(), one());
            for side in ["requests", "limits"] {
                for (name, amount) in of_pod(value, side) {
                    if side == "requests" {
                        usage.insert(name.clone(), amount.clone());
                    }
                    usage.insert(format!("{side}.{name}"), amount);
                }
            }
        }
        "services" => usage.extend(of_service(value)),
        "persistentvolumeclaims" => {
            usage.insert(plural.to_owned(), one());
            let requests = amounts(value.at(&["spec", "resources", "requests"]));
            let class = value
                .at(&["spec", "storageClassName"])
                .and_then(Value::as_str);
            if let Some(class) = class {
                let name = format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims");
                usage.insert(name, one());
            }
            if let Some(storage) = requests.get("storage") {
                usage.insert("requests.storage".to_owned(), storage.clone());
                if let Some(class) = class {
                    let name = format!("{class}.storageclass.storage.k8s.io/requests.storage");
                    usage.insert(name, storage.clone());
                }
            }
        }
        _ => {}
    }
    usage
}

fn of_service(value: &Value) -> Amounts {
    let ty = value.at(&["spec", "type"]).and_then(Value::as_str);
    let ports = value.at(&["spec", "ports"]).and_then(Value::as_list);
    let ports = i64::try_from(ports.unwrap_or_default().len()).unwrap_or(i64::MAX);
    let (balancers, node_ports) = match ty {
        Some("LoadBalancer") => (1, ports),
        Some("NodePort") => (0, ports),
        _ => (0, 0),
    };
    Amounts::from([
        ("services".to_owned(), whole(1)),
        ("services.loadbalancers".to_owned(), whole(balancers)),
        ("services.nodeports".to_owned(), whole(node_ports)),
    ])
}
