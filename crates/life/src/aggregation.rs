//! ClusterRoles that gather the rules of others, chosen by their labels.

use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::fields::{items, labels, map};
use super::kind::Kind;
use super::selector::selects;
use super::world::{Change, Ref, World};
use super::write::{Outcome, patch};

fn gathers(role: &Object) -> bool {
    let rule = role.value().get("aggregationRule");
    rule.is_some_and(|rule| !rule.is_null())
}

/// Every role that gathers, when any role changed.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if change.target.kind == Kind::CLUSTER_ROLE {
        let roles = world
            .list(Kind::CLUSTER_ROLE, "")
            .filter(|role| gathers(role));
        keys.extend(roles.map(|role| Ref::of(Kind::CLUSTER_ROLE, role)));
    }
}

/// Gives a role the rules of those that it selects: selector by selector, by name, each rule once.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let role = context.world.get(target);
    let Some(role) = role.filter(|role| gathers(role) && !role.is_terminating()) else {
        return Outcome::nothing();
    };
    let mut rules: Vec<Value> = Vec::new();
    for selector in items(role.value(), &["aggregationRule", "clusterRoleSelectors"]) {
        let others = context.world.list(Kind::CLUSTER_ROLE, "");
        for other in others.filter(|other| selects(Some(selector), labels(other))) {
            if other.name() == role.name() {
                continue;
            }
            for rule in items(other.value(), &["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    if items(role.value(), &["rules"]) == rules {
        return Outcome::nothing();
    }
    let body = map([("rules", Value::List(rules))]);
    Outcome::from(vec![patch(Kind::CLUSTER_ROLE, role, body)])
}
