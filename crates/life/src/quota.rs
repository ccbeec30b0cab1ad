//! What is used of a ResourceQuota. That it is kept is the API server's business.

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{items, text};
use super::kind::{Kind, Registry};
use super::pod;
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
        .map(|name| {
            let used = used(context.world, &target.namespace, name);
            (name.clone(), Value::from(used.canonical()))
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

fn used(world: &World, namespace: &str, name: &str) -> Quantity {
    let pods = || {
        world
            .list(Kind::POD, namespace)
            .filter(|pod| !pod::is_finished(pod))
    };
    let services = |kind: &'static str| {
        world
            .list(Kind::SERVICE, namespace)
            .filter(move |service| text(service.value(), &["spec", "type"]) == kind)
            .count()
    };
    match name {
        "pods" => number(pods().count()),
        "services.loadbalancers" => number(services("LoadBalancer")),
        "services.nodeports" => number(services("NodePort") + services("LoadBalancer")),
        "requests.storage" => sum(world.list(Kind::VOLUME_CLAIM, namespace).map(|claim| {
            quantity(
                claim
                    .value()
                    .at(&["spec", "resources", "requests", "storage"]),
            )
        })),
        "cpu" | "memory" | "ephemeral-storage" => {
            sum(pods().map(|pod| of_pod(pod, "requests", name)))
        }
        _ => match name.split_once('.') {
            Some((part @ ("requests" | "limits"), resource)) => {
                sum(pods().map(|pod| of_pod(pod, part, resource)))
            }
            _ => {
                let name = name.strip_prefix("count/").unwrap_or(name);
                let (plural, group) = name.split_once('.').unwrap_or((name, ""));
                let count =
                    kind(&world.registry, group, plural).map(|kind| world.count(kind, namespace));
                number(count.unwrap_or(0))
            }
        },
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
