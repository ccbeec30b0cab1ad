//! The controllers as one table, in the order in which they get their turn.
//!
//! [`Controller`] is two pure functions: which keys a change concerns, and what to do about a key.
//! Whoever makes things comes before whoever reports on them, so that a burst of work ends in one
//! status write per object.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use yaml::Str;

use super::world::{Change, Ref, World};
use super::write::Outcome;
use super::{
    account_token, aggregation, autoscaler, cron_job, daemon_set, deployment, disruption,
    endpoints, garbage, job, kubelet, load_balancer, mirror, namespace, node, pod_garbage, quota,
    replica_set, scheduler, slices, stateful_set, volume,
};

/// Whether an optional part of the simulation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It does not.
    Off,
    /// It does.
    On,
}

/// What stays the same while the controllers run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The nodes that we play the kubelet for.
    pub(crate) nodes: BTreeSet<Str>,
    /// Whether there are addresses, a class for claims that name none, metrics, and nodes that fit.
    pub(crate) equipment: Switch,
    /// Whether claims get volumes made for them.
    pub(crate) volumes: Switch,
    /// What `kube-root-ca.crt` holds.
    pub(crate) root_ca: Str,
}

/// What a decision may look at.
pub(crate) struct Context<'a> {
    /// The cluster.
    pub(crate) world: &'a World,
    /// The time.
    pub(crate) now: Timestamp,
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// An address that no pod has.
    pub(crate) address: Ipv4Addr,
    /// What the server said when the last writes for this key failed.
    pub(crate) failure: Option<&'a str>,
}

/// One controller.
pub(crate) struct Controller {
    /// The user agent of its requests, from which the server takes the field manager.
    pub(crate) agent: &'static str,
    /// Adds the keys that a change concerns.
    pub(crate) affected: fn(&World, &Change, &mut Vec<Ref>),
    /// Decides about one key.
    pub(crate) reconcile: fn(&Context<'_>, &Ref) -> Outcome,
}

const MANAGER: &str = "kube-controller-manager/v1.35.0 (tiphys)";

/// All of them; an earlier one with work to do goes first.
pub(crate) const CONTROLLERS: &[Controller] = &[
    Controller {
        agent: MANAGER,
        affected: garbage::affected,
        reconcile: garbage::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: namespace::affected,
        reconcile: namespace::reconcile,
    },
    Controller {
        agent: "kubelet/v1.35.0 (tiphys)",
        affected: node::affected,
        reconcile: node::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: volume::affected,
        reconcile: volume::reconcile,
    },
    Controller {
        agent: "kube-scheduler/v1.35.0 (tiphys)",
        affected: scheduler::affected,
        reconcile: scheduler::reconcile,
    },
    Controller {
        agent: "kubelet/v1.35.0 (tiphys)",
        affected: kubelet::affected,
        reconcile: kubelet::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: replica_set::affected,
        reconcile: replica_set::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: stateful_set::affected,
        reconcile: stateful_set::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: daemon_set::affected,
        reconcile: daemon_set::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: job::affected,
        reconcile: job::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: cron_job::affected,
        reconcile: cron_job::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: deployment::affected,
        reconcile: deployment::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: endpoints::affected,
        reconcile: endpoints::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: slices::affected,
        reconcile: slices::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: mirror::affected,
        reconcile: mirror::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: disruption::affected,
        reconcile: disruption::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: autoscaler::affected,
        reconcile: autoscaler::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: load_balancer::affected,
        reconcile: load_balancer::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: quota::affected,
        reconcile: quota::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: account_token::affected,
        reconcile: account_token::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: aggregation::affected,
        reconcile: aggregation::reconcile,
    },
    Controller {
        agent: MANAGER,
        affected: pod_garbage::affected,
        reconcile: pod_garbage::reconcile,
    },
];
