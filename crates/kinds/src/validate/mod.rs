//! What is wrong with an object, in the words of the real server.
//!
//! [`Kind::validate`] is the door: first the metadata, then the rules of the kind, which [`RULES`]
//! names. A module holds a few kinds; its functions take a [`field::Field`], the only thing that a
//! validator needs to know.

mod admission;
mod amounts;
mod apiregistration;
mod autoscaling;
mod certificates;
mod claim;
mod cluster;
mod conditions;
mod config;
mod coordination;
mod cron;
mod discovery;
mod endpoints;
mod events;
mod field;
mod flowcontrol;
mod job;
mod job_status;
mod metadata;
mod network;
mod node;
mod pod;
mod policy;
mod quota;
mod rbac;
mod scheduling;
mod selector;
mod service;
mod status;
mod storage;
mod tls;
mod warnings;
mod workload;

pub use pod::binding_problems;

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
    /// What must hold for a changed status.
    status: Option<Rule>,
}

impl Rules {
    const fn status(self, rule: Rule) -> Self {
        Rules {
            status: Some(rule),
            ..self
        }
    }
}

const fn rules(group: &'static str, plural: &'static str, rule: Rule) -> Rules {
    Rules {
        group,
        plural,
        rule,
        status: None,
    }
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTOSCALING: &str = "autoscaling";
const COORDINATION: &str = "coordination.k8s.io";
const FLOWCONTROL: &str = "flowcontrol.apiserver.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const SCHEDULING: &str = "scheduling.k8s.io";
const STORAGE: &str = "storage.k8s.io";

/// The kinds that have rules of their own.
const RULES: &[Rules] = &[
    rules(
        ADMISSION,
        "mutatingwebhookconfigurations",
        admission::webhooks,
    ),
    rules(ADMISSION, "validatingadmissionpolicies", admission::policy)
        .status(admission::policy_status),
    rules(
        ADMISSION,
        "validatingadmissionpolicybindings",
        admission::policy_binding,
    ),
    rules(
        ADMISSION,
        "validatingwebhookconfigurations",
        admission::webhooks,
    ),
    rules(
        "apiregistration.k8s.io",
        "apiservices",
        apiregistration::service,
    )
    .status(apiregistration::service_status),
    rules(
        "certificates.k8s.io",
        "certificatesigningrequests",
        certificates::request,
    )
    .status(certificates::status),
    rules("", "configmaps", config::config_map),
    rules("", "endpoints", endpoints::endpoints),
    rules("", "events", events::core_event),
    rules("", "limitranges", quota::limit_range),
    rules("", "namespaces", cluster::namespace).status(cluster::namespace_status),
    rules("", "nodes", cluster::node).status(cluster::node),
    rules("", "persistentvolumeclaims", claim::claim).status(status::claim),
    rules("", "persistentvolumes", claim::persistent_volume),
    rules("", "pods", pod::pod).status(pod::status),
    rules("", "podtemplates", workload::pod_template),
    rules(
        "",
        "replicationcontrollers",
        workload::replication_controller,
    )
    .status(status::replica_set),
    rules("", "resourcequotas", quota::resource_quota).status(quota::resource_quota_status),
    rules("", "secrets", config::secret),
    rules("", "services", service::service).status(service::status),
    rules("apps", "controllerrevisions", workload::controller_revision),
    rules("apps", "daemonsets", workload::daemon_set).status(status::daemon_set),
    rules("apps", "deployments", workload::deployment).status(status::deployment),
    rules("apps", "replicasets", workload::replica_set).status(status::replica_set),
    rules("apps", "statefulsets", workload::stateful_set).status(status::stateful_set),
    rules(
        AUTOSCALING,
        "horizontalpodautoscalers",
        autoscaling::autoscaler,
    )
    .status(autoscaling::autoscaler_status),
    rules(COORDINATION, "leases", coordination::lease),
    rules("discovery.k8s.io", "endpointslices", discovery::slice),
    rules("events.k8s.io", "events", events::event),
    rules(FLOWCONTROL, "flowschemas", flowcontrol::schema).status(flowcontrol::conditions),
    rules(
        FLOWCONTROL,
        "prioritylevelconfigurations",
        flowcontrol::level,
    )
    .status(flowcontrol::conditions),
    rules(NETWORKING, "ingressclasses", network::ingress_class),
    rules(NETWORKING, "ingresses", network::ingress).status(network::ingress_status),
    rules(NETWORKING, "ipaddresses", network::ip_address),
    rules(NETWORKING, "networkpolicies", network::policy),
    rules(NETWORKING, "servicecidrs", network::service_cidr).status(nothing),
    rules("node.k8s.io", "runtimeclasses", node::runtime_class),
    rules("policy", "poddisruptionbudgets", policy::budget).status(policy::budget_status),
    rules(RBAC, "clusterrolebindings", rbac::cluster_binding),
    rules(RBAC, "clusterroles", rbac::cluster_role),
    rules(RBAC, "rolebindings", rbac::binding),
    rules(RBAC, "roles", rbac::role),
    rules(SCHEDULING, "priorityclasses", scheduling::priority_class),
    rules(STORAGE, "csidrivers", storage::driver),
    rules(STORAGE, "csinodes", storage::node),
    rules(STORAGE, "csistoragecapacities", storage::capacity),
    rules(STORAGE, "storageclasses", storage::class),
    rules(STORAGE, "volumeattachments", storage::attachment).status(storage::attachment_status),
    rules(
        STORAGE,
        "volumeattributesclasses",
        storage::attributes_class,
    ),
    rules("batch", "cronjobs", job::cron_job),
    rules("batch", "jobs", job::job).status(job_status::status),
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
            metadata::check(*self, &object, old.map(|(part, _)| part));
            let (group, plural) = self.place();
            let own = RULES
                .iter()
                .find(|rules| rules.group == group && rules.plural == plural);
            let rule = own.and_then(|rules| match old {
                None | Some((Part::Main, _)) => Some(rules.rule),
                Some((Part::Status, _)) => rules.status,
                Some((Part::Resize, _)) => Some(pod::resize as Rule),
                Some((Part::EphemeralContainers, _)) => Some(pod::ephemeral_containers as Rule),
                // What has a path of its own has limited what it changes.
                Some((Part::Other, _)) => None,
            });
            if let Some(rule) = rule {
                rule(&object);
            }
        }
        errors.into_inner()
    }
}

/// A status that may be anything.
fn nothing(_: &Field<'_, '_>) {}

#[cfg(test)]
mod tests;
