//! Who has a label, and who asks for it: with this, Services and their pods find each other without
//! a look at all others of their namespace. Read [`Pairs`].

use std::collections::{BTreeSet, HashMap};

use manifest::Object;
use yaml::{Map, Str, Value};

use super::fields::labels;
use super::kind::Kind;

/// Names by the value of a label, and these by its key.
type Labels = HashMap<Str, HashMap<Str, BTreeSet<Str>>>;

/// Pods by each of their labels, and Services by the first label that they select.
#[derive(Debug, Default)]
pub(crate) struct Pairs(HashMap<(Kind, Str), Labels>);

/// The labels under which an object is found.
fn pairs(kind: Kind, object: &Object) -> impl Iterator<Item = (&Str, &Str)> {
    let (map, most) = match kind {
        Kind::POD => (labels(object), usize::MAX),
        Kind::SERVICE => {
            let selector = object.value().at(&["spec", "selector"]);
            (selector.and_then(Value::as_map), 1)
        }
        _ => (None, 0),
    };
    let all = map.into_iter().flat_map(Map::iter);
    all.take(most).filter_map(|(key, value)| match value {
        Value::String(value) => Some((key, value)),
        _ => None,
    })
}

impl Pairs {
    /// Takes an object in.
    pub(crate) fn insert(&mut self, kind: Kind, namespace: &Str, name: &Str, object: &Object) {
        for (key, value) in pairs(kind, object) {
            let labels = self.0.entry((kind, namespace.clone())).or_default();
            let names = labels.entry(key.clone()).or_default().entry(value.clone());
            names.or_default().insert(name.clone());
        }
    }

    /// Takes an object out, as it was taken in.
    pub(crate) fn remove(&mut self, kind: Kind, namespace: &Str, name: &Str, object: &Object) {
        let place = (kind, namespace.clone());
        for (key, value) in pairs(kind, object) {
            let Some(labels) = self.0.get_mut(&place) else {
                return;
            };
            if let Some(values) = labels.get_mut(key)
                && let Some(names) = values.get_mut(value)
            {
                names.remove(name);
                if names.is_empty() {
                    values.remove(value);
                }
                if values.is_empty() {
                    labels.remove(key);
                }
            }
            if labels.is_empty() {
                self.0.remove(&place);
            }
        }
    }

    /// The names of the objects of a namespace that are found under a label, in their order.
    pub(crate) fn names(
        &self,
        kind: Kind,
        namespace: &str,
        (key, value): (&str, &str),
    ) -> impl Iterator<Item = &Str> {
        let labels = self.0.get(&(kind, namespace.into()));
        let names = labels.and_then(|labels| labels.get(key)?.get(value));
        names.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn object(kind: &str, rest: &str) -> Object {
        let text = format!(r#"{{"apiVersion": "v1", "kind": "{kind}", {rest}}}"#);
        Object::new(json(&text)).expect("is an object")
    }

    #[test]
    fn objects_are_found_as_long_as_they_are_there() {
        let pod = object(
            "Pod",
            r#""metadata": {"labels": {"app": "web", "tier": "a"}}"#,
        );
        let service = object(
            "Service",
            r#""metadata": {}, "spec": {"selector": {"app": "web", "tier": "a"}}"#,
        );
        let (space, one, two) = ("space".into(), "one".into(), "two".into());
        let mut pairs = Pairs::default();
        pairs.insert(Kind::POD, &space, &two, &pod);
        pairs.insert(Kind::POD, &space, &one, &pod);
        pairs.insert(Kind::SERVICE, &space, &one, &service);
        let check = |pairs: &Pairs, kind, pair, want: &[&str]| {
            let names: Vec<&str> = pairs.names(kind, "space", pair).map(Str::as_str).collect();
            assert_eq!(names, want, "{pair:?}");
        };
        check(&pairs, Kind::POD, ("app", "web"), &["one", "two"]);
        check(&pairs, Kind::POD, ("tier", "a"), &["one", "two"]);
        check(&pairs, Kind::POD, ("app", "other"), &[]);
        check(&pairs, Kind::SERVICE, ("app", "web"), &["one"]);
        check(&pairs, Kind::SERVICE, ("tier", "a"), &[]);
        pairs.remove(Kind::POD, &space, &one, &pod);
        check(&pairs, Kind::POD, ("app", "web"), &["two"]);
        pairs.remove(Kind::POD, &space, &two, &pod);
        pairs.remove(Kind::SERVICE, &space, &one, &service);
        assert!(pairs.0.is_empty());
    }
}
