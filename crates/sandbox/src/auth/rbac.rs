//! Role-based access control: who is bound to which rules.
//!
//! [`Policy`] is what the roles and bindings of a store say, read once and kept until one of them
//! changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use yaml::Value;

use super::attributes::Attributes;
use super::rules::Rule;
use crate::meta;
use crate::request::User;
use kinds::quoted;
use store::{Collection, Store};

/// The group of roles and bindings.
pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// Roles and bindings, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Rules by kind, namespace and name.
    roles: HashMap<RoleKey, Vec<Rule>>,
    cluster: Vec<Binding>,
    namespaced: HashMap<String, Vec<Binding>>,
}

/// Kind, namespace (empty for a ClusterRole) and name.
type RoleKey = (String, String, String);

#[derive(Debug)]
struct Binding {
    name: String,
    namespace: String,
    role_kind: String,
    role_name: String,
    subjects: Vec<Subject>,
}

#[derive(Debug)]
struct Subject {
    kind: String,
    name: String,
    namespace: String,
}

/// An answer, with its reason as the real server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    pub(crate) reason: String,
}

/// What a user may do in a namespace, and the bindings that lead nowhere.
pub(crate) struct Held {
    pub(crate) rules: Vec<Rule>,
    pub(crate) errors: Vec<String>,
}

impl Policy {
    /// Reads all roles and bindings.
    pub(crate) fn of(store: &Store) -> Self {
        let mut policy = Policy::default();
        for (plural, kind) in [("clusterroles", "ClusterRole"), ("roles", "Role")] {
            for role in read(store, plural) {
                let namespace = meta::text(&role, "namespace").to_owned();
                let key = (kind.to_owned(), namespace, meta::name(&role).to_owned());
                policy.roles.insert(key, Rule::all_of(&role));
            }
        }
        policy.cluster = read(store, "clusterrolebindings")
            .map(|value| binding(&value))
            .collect();
        for binding in read(store, "rolebindings").map(|value| binding(&value)) {
            let namespace = binding.namespace.clone();
            policy
                .namespaced
                .entry(namespace)
                .or_default()
                .push(binding);
        }
        policy
    }

    /// The rules of a role that a binding in `namespace` names.
    pub(crate) fn rules(&self, kind: &str, namespace: &str, name: &str) -> Option<&[Rule]> {
        let namespace = if kind == "Role" { namespace } else { "" };
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.roles.get(&key).map(Vec::as_slice)
    }

    /// The bindings that name a user, those of the whole cluster first.
    fn bindings<'a>(
        &'a self,
        user: &'a User,
        namespace: &str,
    ) -> impl Iterator<Item = (&'a Binding, &'a Subject)> {
        let here = self.namespaced.get(namespace);
        self.cluster
            .iter()
            .chain(here.into_iter().flatten())
            .filter_map(move |binding| {
                let mut subjects = binding.subjects.iter();
                let subject = subjects.find(|subject| subject.is(user, &binding.namespace))?;
                Some((binding, subject))
            })
    }

    /// Everything that a user may do in a namespace; an empty one stands for the cluster.
    pub(crate) fn held(&self, user: &User, namespace: &str) -> Held {
        let mut held = Held {
            rules: Vec::new(),
            errors: Vec::new(),
        };
        for (binding, _) in self.bindings(user, namespace) {
            match self.rules(&binding.role_kind, &binding.namespace, &binding.role_name) {
                Some(rules) => held.rules.extend_from_slice(rules),
                None => held.errors.push(binding.leads_nowhere()),
            }
        }
        held
    }

    /// Whether a user may do something.
    pub(crate) fn decide(&self, user: &User, action: &Attributes) -> Decision {
        let mut errors: Vec<String> = Vec::new();
        for (binding, subject) in self.bindings(user, &action.namespace) {
            match self.rules(&binding.role_kind, &binding.namespace, &binding.role_name) {
                Some(rules) if rules.iter().any(|rule| rule.allows(action)) => {
                    return Decision {
                        allowed: true,
                        reason: format!("RBAC: allowed by {}", binding.text(subject)),
                    };
                }
                Some(_) => {}
                None => errors.push(binding.leads_nowhere()),
            }
        }
        errors.dedup();
        let reason = match errors.as_slice() {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            many => format!("RBAC: [{}]", many.join(", ")),
        };
        Decision {
            allowed: false,
            reason,
        }
    }
}

impl Binding {
    fn leads_nowhere(&self) -> String {
        let kind = self.role_kind.to_lowercase();
        format!("{kind}.{GROUP} {} not found", quoted(&self.role_name))
    }

    fn text(&self, subject: &Subject) -> String {
        let (kind, name) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", self.name.clone())
        } else {
            ("RoleBinding", format!("{}/{}", self.name, self.namespace))
        };
        let subject_name = if subject.kind == "ServiceAccount" {
            let namespace = [&subject.namespace, &self.namespace];
            let namespace = namespace.into_iter().find(|text| !text.is_empty());
            let namespace = namespace.map_or("", String::as_str);
            format!("{}/{namespace}", subject.name)
        } else {
            subject.name.clone()
        };
        format!(
            "{kind} {} of {} {} to {} {}",
            quoted(&name),
            self.role_kind,
            quoted(&self.role_name),
            subject.kind,
            quoted(&subject_name)
        )
    }
}

impl Subject {
    fn is(&self, user: &User, binding_namespace: &str) -> bool {
        match self.kind.as_str() {
            "User" => self.name == user.name,
            "Group" => user.groups.contains(&self.name),
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() {
                    binding_namespace
                } else {
                    &self.namespace
                };
                !namespace.is_empty()
                    && user.name == super::service_account_name(namespace, &self.name)
            }
            _ => false,
        }
    }
}

fn read(store: &Store, plural: &str) -> impl Iterator<Item = Value> {
    let listing = store.list(&Collection::new(GROUP, plural), None);
    listing.objects.into_iter().map(|stored| stored.value())
}

fn binding(value: &Value) -> Binding {
    let text = |value: &Value, path: &[&str]| -> String {
        let text = value.at(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let subjects = value.get("subjects").and_then(Value::as_list);
    Binding {
        name: meta::name(value).to_owned(),
        namespace: meta::text(value, "namespace").to_owned(),
        role_kind: text(value, &["roleRef", "kind"]),
        role_name: text(value, &["roleRef", "name"]),
        subjects: subjects
            .unwrap_or_default()
            .iter()
            .map(|subject| Subject {
                kind: text(subject, &["kind"]),
                name: text(subject, &["name"]),
                namespace: text(subject, &["namespace"]),
            })
            .collect(),
    }
}

/// The policy of a store, read again after a change.
#[derive(Default)]
pub(crate) struct Cache {
    /// Counts the changes of roles and bindings.
    changes: AtomicU64,
    /// What was read, and after how many changes.
    read: RwLock<Option<(u64, Arc<Policy>)>>,
}

impl Cache {
    /// A role or binding was written.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The policy as it is now.
    pub(crate) fn policy(&self, store: &Store) -> Arc<Policy> {
        // Read before the store is: a change in between only means reading once more.
        let changes = self.changes.load(Ordering::SeqCst);
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, policy)) = known.as_ref()
            && *at == changes
        {
            return Arc::clone(policy);
        }
        drop(known);
        let policy = Arc::new(Policy::of(store));
        let mut known = self.read.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some((changes, Arc::clone(&policy)));
        policy
    }
}
