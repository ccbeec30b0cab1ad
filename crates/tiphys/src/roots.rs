//! Which of the found objects `up` applies itself: those that no other Application produces.
//!
//! Pure: found objects and what each Application renders go in, the roots come out.

use std::collections::{BTreeMap, HashMap};

use manifest::ObjectKey;

use crate::discover::Found;

/// Two definitions of one object, neither of which an Application produces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous {
    /// The object, and the places that define it.
    pub(crate) definitions: Vec<(ObjectKey, Vec<String>)>,
}

/// The identity of an object of ours; one without a namespace belongs to the control namespace.
pub(crate) fn key_of(object: &manifest::Object, namespace: &str) -> ObjectKey {
    let mut key = object.key();
    if key.namespace.is_empty() {
        key.namespace = namespace.into();
    }
    key
}

/// The places in `found` of the roots. `produced` gives, for each found object, the keys of what it
/// renders (nothing for what renders nothing).
///
/// # Errors
/// [`Ambiguous`] when an object is defined twice and no Application produces it.
pub(crate) fn roots(
    found: &[Found],
    produced: &[Vec<ObjectKey>],
    namespace: &str,
) -> Result<Vec<usize>, Ambiguous> {
    let keys: Vec<ObjectKey> = found
        .iter()
        .map(|one| key_of(&one.object, namespace))
        .collect();
    let mut producers: HashMap<&ObjectKey, Vec<usize>> = HashMap::new();
    for (producer, list) in produced.iter().enumerate() {
        for key in list {
            producers.entry(key).or_default().push(producer);
        }
    }
    let is_produced = |place: usize| {
        let key = &keys[place];
        // What an Application renders of itself does not make it a child.
        let by_others = |producer: &usize| keys[*producer] != *key;
        producers
            .get(key)
            .is_some_and(|producers| producers.iter().any(by_others))
    };
    let mut by_key: BTreeMap<&ObjectKey, Vec<usize>> = BTreeMap::new();
    for place in (0..found.len()).filter(|place| !is_produced(*place)) {
        by_key.entry(&keys[place]).or_default().push(place);
    }
    let definitions: Vec<(ObjectKey, Vec<String>)> = by_key
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(key, places)| {
            let text = |place: &usize| found[*place].place.clone();
            ((*key).clone(), places.iter().map(text).collect())
        })
        .collect();
    if !definitions.is_empty() {
        return Err(Ambiguous { definitions });
    }
    let mut roots: Vec<usize> = by_key.into_values().flatten().collect();
    roots.sort_unstable();
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use manifest::{TreePath, stream};

    use super::*;
    use crate::discover::tests::application;

    fn found(names: &[&str]) -> Vec<Found> {
        let one = |(number, name): (usize, &&str)| Found {
            object: stream::decode("f", application(name, "https://host/r", "x").as_bytes())
                .objects
                .remove(0)
                .item,
            place: format!("{}:{number}", TreePath::root()),
        };
        names.iter().enumerate().map(one).collect()
    }

    /// `edges` are (producer, produced) by place.
    fn check(names: &[&str], edges: &[(usize, usize)], want: Result<&[usize], usize>) {
        let found = found(names);
        let produced: Vec<Vec<ObjectKey>> = (0..found.len())
            .map(|place| {
                let of = |edge: &&(usize, usize)| edge.0 == place;
                let key = |edge: &(usize, usize)| key_of(&found[edge.1].object, "argocd");
                edges.iter().filter(of).map(key).collect()
            })
            .collect();
        let got = roots(&found, &produced, "argocd");
        match want {
            Ok(want) => assert_eq!(got.as_deref(), Ok(want)),
            Err(n_places) => {
                let ambiguous = got.expect_err("two definitions");
                assert_eq!(ambiguous.definitions[0].1.len(), n_places);
            }
        }
    }

    #[test]
    fn a_child_is_no_root() {
        check(&["root", "dev", "prod"], &[(0, 1), (0, 2)], Ok(&[0]));
        check(&["a", "b"], &[], Ok(&[0, 1]));
    }

    #[test]
    fn a_root_that_manages_itself_is_a_root() {
        check(&["root", "dev"], &[(0, 0), (0, 1)], Ok(&[0]));
    }

    #[test]
    fn two_definitions_without_a_parent_are_ambiguous() {
        check(&["a", "a"], &[], Err(2));
        check(&["root", "a", "a"], &[(0, 1)], Ok(&[0]));
    }
}
