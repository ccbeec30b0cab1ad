//! Addresses for Services of type `LoadBalancer` and for Ingresses: those of the nodes, as small
//! clusters do it.

use yaml::{Map, Value};

use super::control::{Context, Switch};
use super::fields::{map, text};
use super::kind::Kind;
use super::node::internal_address;
use super::world::{Change, Ref, World};
use super::write::{Outcome, status};

/// Services and Ingresses.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if matches!(change.target.kind, Kind::SERVICE | Kind::INGRESS) && change.new.is_some() {
        keys.push(change.target.clone());
    }
}

/// Gives one its address, or takes it away from a Service that asks for none any more.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(object) = context
        .world
        .get(target)
        .filter(|object| !object.is_terminating())
    else {
        return Outcome::nothing();
    };
    let value = object.value();
    let wanted = match target.kind {
        Kind::SERVICE => {
            text(value, &["spec", "type"]) == "LoadBalancer"
                && text(value, &["spec", "loadBalancerClass"]).is_empty()
        }
        _ => true,
    };
    let node = context
        .settings
        .nodes
        .first()
        .map_or("node-1", |node| node.as_str());
    let given = text(value, &["spec", "loadBalancerIP"]);
    let address = if given.is_empty() {
        internal_address(node)
    } else {
        given.to_owned()
    };
    let mut entry = Map::from([("ip", address.into())]);
    if target.kind == Kind::SERVICE {
        entry.insert("ipMode", "VIP");
    }
    let mut report = value
        .get("status")
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default();
    let present = report
        .get("loadBalancer")
        .is_some_and(|present| present.get("ingress").is_some());
    if context.settings.equipment == Switch::On && wanted {
        report.insert(
            "loadBalancer",
            map([("ingress", vec![Value::Map(entry)].into())]),
        );
    } else if target.kind == Kind::SERVICE && !wanted && present {
        report.insert("loadBalancer", Value::Map(Map::new()));
    }
    Outcome::from(Vec::from_iter(status(target.kind, object, report)))
}
