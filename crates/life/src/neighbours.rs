//! Which nodes a pod may run on because of other pods: required affinity and anti-affinity, and
//! spread over topologies.
//!
//! Read [`Neighbours`] first. What pods say about those that come later is not looked at, only what
//! the pod that wants a node says itself.

use std::collections::BTreeMap;

use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::fields::{int, items, labels, text};
use super::kind::Kind;
use super::placement::{Nodes, Refusal};
use super::pod;
use super::selector::selects;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What a pod asks of its neighbours, with what is there.
pub(crate) struct Neighbours<'a> {
    context: &'a Context<'a>,
    pod: &'a Object,
    /// Topology key, and the pods of each of its values that an affinity term names.
    near: Vec<Domains>,
    far: Vec<Domains>,
    spread: Vec<(Domains, i64)>,
}

/// Pods that a selector takes, by the value of a label of their nodes.
struct Domains {
    key: String,
    counts: BTreeMap<String, i64>,
    /// Whether the selector takes the pod itself.
    takes_itself: bool,
}

impl Domains {
    fn at(&self, node: &Object) -> Option<i64> {
        let value = node.label(&self.key)?;
        Some(self.counts.get(value).copied().unwrap_or(0))
    }
}

/// Whether other pods matter to where this one goes.
pub(crate) fn matter(pod: &Object) -> bool {
    let spec = |path: &[&str]| !items(pod.value(), path).is_empty();
    spec(&["spec", "affinity", "podAffinity", REQUIRED])
        || spec(&["spec", "affinity", "podAntiAffinity", REQUIRED])
        || constraints(pod).next().is_some()
}

fn constraints(pod: &Object) -> impl Iterator<Item = &Value> {
    items(pod.value(), &["spec", "topologySpreadConstraints"])
        .iter()
        .filter(|constraint| text(constraint, &["whenUnsatisfiable"]) == "DoNotSchedule")
}

impl<'a> Neighbours<'a> {
    /// Looks at the pods that a pod asks about.
    pub(crate) fn of(context: &'a Context<'a>, nodes: &Nodes<'_>, pod: &'a Object) -> Self {
        let mut found = Neighbours {
            context,
            pod,
            near: Vec::new(),
            far: Vec::new(),
            spread: Vec::new(),
        };
        let is_heeded = |term: &&Value| nodes.heed_label(text(term, &["topologyKey"]));
        let terms = |kind: &str| {
            let terms = items(pod.value(), &["spec", "affinity", kind, REQUIRED]);
            terms.iter().filter(is_heeded)
        };
        found.near = terms("podAffinity").map(|term| found.term(term)).collect();
        found.far = terms("podAntiAffinity")
            .map(|term| found.term(term))
            .collect();
        found.spread = constraints(pod)
            .filter(is_heeded)
            .map(|constraint| found.constraint(nodes, constraint))
            .collect();
        found
    }

    /// The pods with a node that a selector takes, in the namespaces that `wanted` takes.
    fn domains(&self, term: &Value, wanted: impl Fn(&str) -> bool) -> Domains {
        let key = text(term, &["topologyKey"]);
        let selector = term.get("labelSelector");
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        let world = self.context.world;
        let pods = world.all(Kind::POD).filter(|pod| {
            pod::is_active(pod) && wanted(pod.namespace()) && selects(selector, labels(pod))
        });
        for pod in pods {
            let node = world.find(Kind::NODE, "", pod::node(pod));
            if let Some(value) = node.and_then(|node| node.label(key)) {
                *counts.entry(value.to_owned()).or_default() += 1;
            }
        }
        Domains {
            key: key.to_owned(),
            counts,
            takes_itself: wanted(self.pod.namespace()) && selects(selector, labels(self.pod)),
        }
    }

    /// A term of (anti-)affinity: the pod's own namespace, unless it names or selects others.
    fn term(&self, term: &Value) -> Domains {
        let named = items(term, &["namespaces"]);
        let selector = term
            .get("namespaceSelector")
            .filter(|selector| !selector.is_null());
        let own = named.is_empty() && selector.is_none();
        self.domains(term, |namespace| {
            let selected = || {
                let object = self.context.world.find(Kind::NAMESPACE, "", namespace);
                object.is_some_and(|object| selects(selector, labels(object)))
            };
            (own && namespace == self.pod.namespace())
                || named.iter().any(|name| name.as_str() == Some(namespace))
                || (selector.is_some() && selected())
        })
    }

    /// A constraint of spreading, with how uneven it may get. Nodes that the pod may not use for
    /// reasons of its own do not count.
    fn constraint(&self, nodes: &Nodes<'_>, constraint: &Value) -> (Domains, i64) {
        let mut domains = self.domains(constraint, |namespace| namespace == self.pod.namespace());
        let mut usable = BTreeMap::new();
        let spec = self.pod.value().get("spec").unwrap_or(&Value::Null);
        for node in nodes.iter() {
            let excluded = nodes.suits(spec, node) == Err(Refusal::Affinity);
            if let Some(value) = node.label(&domains.key).filter(|_| !excluded) {
                let count = domains.counts.get(value).copied().unwrap_or(0);
                usable.insert(value.to_owned(), count);
            }
        }
        domains.counts = usable;
        (domains, int(constraint, &["maxSkew"]).unwrap_or(1))
    }

    /// Whether the neighbours on a node are such as the pod wants.
    ///
    /// # Errors
    /// The reason why not.
    pub(crate) fn allow(&self, node: &Object) -> Result<(), Refusal> {
        for (domains, most) in &self.spread {
            let Some(here) = domains.at(node) else {
                return Err(Refusal::SpreadLabel);
            };
            let least = domains.counts.values().copied().min().unwrap_or(0);
            if here + i64::from(domains.takes_itself) - least > *most {
                return Err(Refusal::Spread);
            }
        }
        let is_near = self.near.iter().all(|domains| {
            // The first of pods that want to be together finds nobody.
            let is_first = domains.counts.is_empty() && domains.takes_itself;
            domains.at(node).is_some_and(|count| count > 0 || is_first)
        });
        if !is_near {
            return Err(Refusal::Near);
        }
        let is_far = |domains: &Domains| domains.at(node).is_none_or(|count| count == 0);
        if self.far.iter().all(is_far) {
            Ok(())
        } else {
            Err(Refusal::Far)
        }
    }
}
