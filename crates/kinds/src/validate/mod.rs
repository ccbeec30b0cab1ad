//! What is wrong with an object, in the words of the real server.
//!
//! [`Kind::validate`] is the door: first the metadata, then the rules of the kind, which [`RULES`]
//! names. A module holds a few kinds; its functions take a [`field::Field`], the only thing that a
//! validator needs to know.

mod amounts;
mod claim;
mod cluster;
mod config;
mod cron;
mod endpoints;
mod event;
mod field;
mod job;
mod metadata;
mod pod;
mod quota;
mod rbac;
mod selector;
mod service;
mod workload;

use std::cell::RefCell;

use yaml::Value;

use crate::{FieldError, Kind, Part};

use field::Field;

/// What a rule gives when there is nothing else to check.
type Rule = fn(&Field<'_, '_>);

/// The rules of one kind: where it is, and what must hold for an object, new or changed. A change
/// is told from a new object by [`Field::is_update`].
struct Rules {
    group: &'static str,
    plural: &'static str,
    rule: Rule,
}

const fn rules(group: &'static str, plural: &'static str, rule: Rule) -> Rules {
    Rules {
        group,
        plural,
        rule,
    }
}

/// The kinds that have rules of their own.
const RULES: &[Rules] = &[
    rules("", "configmaps", config::config_map),
    rules("", "endpoints", endpoints::endpoints),
    rules("", "events", event::event),
    rules("", "limitranges", quota::limit_range),
    rules("", "namespaces", cluster::namespace),
    rules("", "nodes", cluster::node),
    rules("", "persistentvolumeclaims", claim::claim),
    rules("", "persistentvolumes", claim::persistent_volume),
    rules("", "pods", pod::pod),
    rules("", "podtemplates", workload::pod_template),
    rules(
        "",
        "replicationcontrollers",
        workload::replication_controller,
    ),
    rules("", "resourcequotas", quota::resource_quota),
    rules("", "secrets", config::secret),
    rules("", "services", service::service),
    rules("apps", "controllerrevisions", workload::controller_revision),
    rules("apps", "daemonsets", workload::daemon_set),
    rules("apps", "deployments", workload::deployment),
    rules("apps", "replicasets", workload::replica_set),
    rules("apps", "statefulsets", workload::stateful_set),
    rules(
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        rbac::binding,
    ),
    rules("batch", "cronjobs", job::cron_job),
    rules("batch", "jobs", job::job),
    rules("rbac.authorization.k8s.io", "rolebindings", rbac::binding),
];

impl Kind<'_> {
    /// What is wrong with an object, in the order of the real server; `old` is the state that an
    /// update of a part replaces. Custom resources and updates of a part get only the checks of
    /// metadata.
    #[must_use]
    pub fn validate(&self, value: &Value, old: Option<(Part, &Value)>) -> Vec<FieldError> {
        let errors = RefCell::new(Vec::new());
        {
            let object = Field::root(value, old.map(|(_, old)| old), &errors);
            metadata::check(*self, &object);
            let (group, plural) = self.place();
            // What has a path of its own has limited what it changes.
            let whole = old.is_none_or(|(part, _)| part == Part::Main);
            let own = RULES
                .iter()
                .find(|rules| whole && rules.group == group && rules.plural == plural);
            if let Some(rules) = own {
                (rules.rule)(&object);
            }
        }
        errors.into_inner()
    }
}
