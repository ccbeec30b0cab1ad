//! What is used of a ResourceQuota. That it is kept is the API server's business.

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{items, text};
use super::kind::{Kind, Registry};
use super::pod;
use super::selector::meets;
use super::world::{Change, Ref, World};
use super::write::{Outcome, status};

/// Quotas that changed and those of a namespace in which something came, went or, as pods do, ended.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    if target.kind == Kind::QUOTA {
        keys.push(target.clone());
    }
    let counts = change.old.is_none()
        || change.new.is_none()
        || matches!(target.kind, Kind::POD | Kind::SERVICE | Kind::VOLUME_CLAIM);
    if counts && !target.namespace.is_empty() {
        let quotas = world.list(Kind::QUOTA, &target.namespace);
        keys.extend(quotas.map(|quota| Ref::of(Kind::QUOTA, quota)));
    }
}

/// Writes the status of one quota.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(quota) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let empty = Map::new();
    let hard = quota
        .value()
        .at(&["spec", "hard"])
        .and_then(Value::as_map)
        .unwrap_or(&empty);
    let used: Map = hard
        .keys()
        .filter_map(|name| {
            let used = used(context.world, quota, name)?;
            Some((name.clone(), Value::from(used.canonical())))
        })
        .collect();
    let report = Map::from([
        ("hard", Value::Map(hard.clone())),
        ("used", Value::Map(used)),
    ]);
    Outcome::from(Vec::from_iter(status(Kind::QUOTA, quota, report)))
}

fn number(count: usize) -> Quantity {
    count.to_string().parse().expect("a count is a quantity")
}

/// What is used of one resource; `None` for one that nobody knows.
fn used(world: &World, quota: &Object, name: &str) -> Option<Quantity> {
    let namespace = quota.namespace();
    let pods = || {
        world
            .list(Kind::POD, namespace)
            .filter(|pod| !pod::is_finished(pod) && in_scope(quota, pod))
    };
    let services = |kinds: &[&str]| {
        let services = world.list(Kind::SERVICE, namespace);
        let fits = |service: &&Object| kinds.contains(&text(service.value(), &["spec", "type"]));
        number(services.filter(fits).count())
    };
    Some(match name {
        "pods" | "count/pods" => number(pods().count()),
        "services.loadbalancers" => services(&["LoadBalancer"]),
        "services.nodeports" => node_ports(world.list(Kind::SERVICE, namespace)),
        "requests.storage" => storage(world, namespace, None),
        "cpu" | "memory" | "ephemeral-storage" => {
            sum(pods().map(|pod| of_pod(pod, "requests", name)))
        }
        _ => {
            if let Some((class, what)) = name.split_once(CLASS_MARK) {
                return Some(match what {
                    "requests.storage" => storage(world, namespace, Some(class)),
                    _ => number(claims(world, namespace, Some(class)).count()),
                });
            }
            match name.split_once('.') {
                Some((part @ ("requests" | "limits"), resource)) => {
                    sum(pods().map(|pod| of_pod(pod, part, resource)))
                }
                _ => {
                    let name = name.strip_prefix("count/").unwrap_or(name);
                    let (plural, group) = name.split_once('.').unwrap_or((name, ""));
                    number(world.count(kind(&world.registry, group, plural)?, namespace))
                }
            }
        }
    })
}

/// Before a storage resource, the name of the class that it is about.
const CLASS_MARK: &str = ".storageclass.storage.k8s.io/";

fn claims<'a>(
    world: &'a World,
    namespace: &str,
    class: Option<&str>,
) -> impl Iterator<Item = &'a Object> {
    world
        .list(Kind::VOLUME_CLAIM, namespace)
        .filter(move |claim| {
            class.is_none_or(|class| text(claim.value(), &["spec", "storageClassName"]) == class)
        })
}

fn storage(world: &World, namespace: &str, class: Option<&str>) -> Quantity {
    let path = ["spec", "resources", "requests", "storage"];
    sum(claims(world, namespace, class).map(|claim| quantity(claim.value().at(&path))))
}

/// Ports of Services that take a port of every node; one for each.
fn node_ports<'a>(services: impl Iterator<Item = &'a Object>) -> Quantity {
    let takes = |service: &&Object| match text(service.value(), &["spec", "type"]) {
        "NodePort" => true,
        "LoadBalancer" => {
            let path = ["spec", "allocateLoadBalancerNodePorts"];
            service.value().at(&path).and_then(Value::as_bool) != Some(false)
        }
        _ => false,
    };
    let ports = services
        .filter(takes)
        .map(|service| items(service.value(), &["spec", "ports"]).len());
    number(ports.sum())
}

/// Whether a quota counts a pod.
fn in_scope(quota: &Object, pod: &Object) -> bool {
    let plain = items(quota.value(), &["spec", "scopes"])
        .iter()
        .all(|scope| has_scope(pod, scope.as_str().unwrap_or_default()));
    let selected = |requirement: &Value| {
        let name = text(requirement, &["scopeName"]);
        if name != "PriorityClass" {
            return has_scope(pod, name);
        }
        let class = text(pod.value(), &["spec", "priorityClassName"]);
        meets(requirement, (!class.is_empty()).then_some(class))
    };
    let path = ["spec", "scopeSelector", "matchExpressions"];
    plain && items(quota.value(), &path).iter().all(selected)
}

fn has_scope(pod: &Object, scope: &str) -> bool {
    let terminating = pod
        .value()
        .at(&["spec", "activeDeadlineSeconds"])
        .is_some_and(|seconds| !seconds.is_null());
    let best_effort = text(pod.value(), &["status", "qosClass"]) == "BestEffort";
    match scope {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => !text(pod.value(), &["spec", "priorityClassName"]).is_empty(),
        _ => true,
    }
}

fn kind(registry: &Registry, group: &str, plural: &str) -> Option<Kind> {
    registry.kinds().find(|kind| {
        let resource = registry.resource(*kind);
        resource.group == *group && resource.plural == *plural
    })
}

fn quantity(value: Option<&Value>) -> Quantity {
    value
        .and_then(|value| Quantity::from_value(value).ok())
        .unwrap_or_else(|| number(0))
}

fn sum(parts: impl Iterator<Item = Quantity>) -> Quantity {
    parts.fold(number(0), |total, part| {
        // The format of the first real amount is kept: 200m stays milli, 1Gi stays binary.
        if total == number(0) {
            part
        } else {
            total.checked_add(&part).unwrap_or(total)
        }
    })
}

/// What a pod asks for: its containers together, or the largest init container.
fn of_pod(pod: &Object, part: &str, resource: &str) -> Quantity {
    let amounts = |field: &'static str| {
        items(pod.value(), &["spec", field])
            .iter()
            .map(|container| quantity(container.at(&["resources", part, resource])))
            .collect::<Vec<_>>()
    };
    let together = sum(amounts("containers").into_iter());
    let largest = amounts("initContainers")
        .into_iter()
        .max()
        .unwrap_or_else(|| number(0));
    together.max(largest)
}
