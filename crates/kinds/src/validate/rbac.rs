//! Roles and who has them.

use yaml::Value;

use super::field::Field;
use super::selector;
use crate::names;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether a role holds in a namespace or in the whole cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Namespace,
    Cluster,
}

/// The rules of a `Role`.
pub(super) fn role(object: &Field<'_, '_>) {
    for rule in object.get("rules").items() {
        policy_rule(&rule, Reach::Namespace);
    }
}

/// The rules of a `ClusterRole`.
pub(super) fn cluster_role(object: &Field<'_, '_>) {
    for rule in object.get("rules").items() {
        policy_rule(&rule, Reach::Cluster);
    }
    let aggregation = object.get("aggregationRule");
    if !aggregation.is_set() {
        return;
    }
    let selectors = aggregation.get("clusterRoleSelectors");
    if selectors.is_empty() {
        selectors
            .required("at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for selector in selectors.items() {
        if !selector.holds(selector::check) {
            selector.invalid_as(&Value::Null, "invalid label selector.");
        }
    }
}

fn policy_rule(rule: &Field<'_, '_>, reach: Reach) {
    let verbs = rule.get("verbs");
    if verbs.is_empty() {
        verbs.required("verbs must contain at least one value");
    }
    let (urls, groups) = (rule.get("nonResourceURLs"), rule.get("apiGroups"));
    let (resources, names) = (rule.get("resources"), rule.get("resourceNames"));
    if !urls.is_empty() {
        if reach == Reach::Namespace {
            urls.invalid("namespaced rules cannot apply to non-resource URLs");
        }
        if !(groups.is_empty() && resources.is_empty() && names.is_empty()) {
            urls.invalid("rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if groups.is_empty() {
        groups.required("resource rules must supply at least one api group");
    }
    if resources.is_empty() {
        resources.required("resource rules must supply at least one resource");
    }
}

/// The rules of a `RoleBinding`.
pub(super) fn binding(object: &Field<'_, '_>) {
    check_binding(object, Reach::Namespace);
}

/// The rules of a `ClusterRoleBinding`.
pub(super) fn cluster_binding(object: &Field<'_, '_>) {
    check_binding(object, Reach::Cluster);
}

fn check_binding(object: &Field<'_, '_>, reach: Reach) {
    let role = object.get("roleRef");
    role.get("apiGroup").one_of(&[GROUP]);
    role.get("kind").one_of(match reach {
        Reach::Namespace => &["Role", "ClusterRole"],
        Reach::Cluster => &["ClusterRole"],
    });
    let name = role.get("name");
    if name.require() {
        name.problems(names::path_segment_problems);
    }
    for entry in object.get("subjects").items() {
        subject(&entry, reach);
    }
    if role.changed() {
        let members = [
            ("APIGroup", "apiGroup", "\"\""),
            ("Kind", "kind", "\"\""),
            ("Name", "name", "\"\""),
        ];
        role.invalid_struct(&members, "cannot change roleRef");
    }
}

fn subject(subject: &Field<'_, '_>, reach: Reach) {
    let (kind, name) = (subject.get("kind"), subject.get("name"));
    let (group, namespace) = (subject.get("apiGroup"), subject.get("namespace"));
    name.require();
    match kind.text() {
        "ServiceAccount" => {
            if !name.is_empty() {
                name.problems(names::subdomain_problems);
            }
            if !group.is_empty() {
                group.not_supported(&[""]);
            }
            if reach == Reach::Cluster {
                namespace.require();
            }
        }
        "User" | "Group" => group.one_of(&[GROUP]),
        _ => kind.not_supported(&["ServiceAccount", "User", "Group"]),
    }
}
