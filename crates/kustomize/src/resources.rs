//! The resources of a build in their order, found by name rather than by asking all.
//!
//! Read [`Resources`] first.

use std::collections::{HashMap, HashSet};

use yaml::Str;

use crate::error::{Error, Result, fail};
use crate::generate::Behavior;
use crate::identity::{Gvk, Id};
use crate::limits::MAX_RESOURCES;
use crate::resource::Resource;
use crate::selector::Matcher;

/// Resources with different ids.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    list: Vec<Resource>,
    /// Who is there now; `None` when resources may have changed since.
    ids: Option<HashSet<(Gvk, Str, Str)>>,
    /// Places by present and former names; `None` when resources may have changed since.
    names: Option<HashMap<Str, Vec<usize>>>,
}

impl Resources {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.list.iter()
    }

    /// All of them, to change them in place.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.forget();
        self.list.iter_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    pub(crate) fn at(&self, at: usize) -> &Resource {
        &self.list[at]
    }

    /// Changes one of them.
    pub(crate) fn change<T>(
        &mut self,
        at: usize,
        change: impl FnOnce(&mut Resource) -> Result<T>,
    ) -> Result<T> {
        let resource = &mut self.list[at];
        let before = (resource.id().clone(), resource.former_names().count());
        let result = change(resource);
        if before != (resource.id().clone(), resource.former_names().count()) {
            self.forget();
        }
        result
    }

    fn forget(&mut self) {
        (self.ids, self.names) = (None, None);
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// One with its id is there.
    pub(crate) fn append(&mut self, resource: Resource) -> Result<()> {
        let list = &self.list;
        let ids = self
            .ids
            .get_or_insert_with(|| list.iter().map(|known| known.id().key()).collect());
        if !ids.insert(resource.id().key()) {
            return fail(format!(
                "may not add resource with an already registered id: {}",
                resource.id()
            ));
        }
        if self.list.len() >= MAX_RESOURCES {
            return Err(Error::Limit {
                what: "number of resources",
                limit: MAX_RESOURCES,
            });
        }
        self.names = None;
        self.list.push(resource);
        Ok(())
    }

    /// Adds resources.
    ///
    /// # Errors
    /// One with the id of one of them is there.
    pub(crate) fn append_all(&mut self, more: impl IntoIterator<Item = Resource>) -> Result<()> {
        more.into_iter()
            .try_for_each(|resource| self.append(resource))
    }

    /// Refuses two resources with one id.
    pub(crate) fn check_ids(&mut self) -> Result<()> {
        let list = std::mem::take(&mut self.list);
        self.forget();
        self.append_all(list)
    }

    /// Takes away what nothing is left of.
    pub(crate) fn drop_gone(&mut self) {
        let before = self.list.len();
        self.list.retain(|resource| !resource.is_gone());
        if before != self.list.len() {
            self.forget();
        }
    }

    /// Keeps what `keep` says.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Resource) -> bool) {
        self.forget();
        self.list.retain(keep);
    }

    /// Brings the resources into an order.
    pub(crate) fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.forget();
        self.list.sort_by_cached_key(key);
    }

    /// The places of those that are or were called `name`.
    fn named(&mut self, name: &str) -> &[usize] {
        let list = &self.list;
        let names = self.names.get_or_insert_with(|| {
            let mut names: HashMap<Str, Vec<usize>> = HashMap::new();
            for (at, resource) in list.iter().enumerate() {
                let own = std::iter::once(&resource.id().name);
                for name in resource.former_names().chain(own) {
                    let places = names.entry(name.clone()).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
            names
        });
        names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The places of those one of whose ids has the name and fits.
    pub(crate) fn with_any_id(&mut self, name: &str, fits: impl Fn(&Id) -> bool) -> Vec<usize> {
        let places = self.named(name).to_vec();
        let is_one = |at: &usize| {
            let resource = &self.list[*at];
            !resource.is_gone() && resource.any_id(&fits)
        };
        places.into_iter().filter(is_one).collect()
    }

    /// The place of the one that has or had this id.
    ///
    /// # Errors
    /// There is none, or several.
    pub(crate) fn the_one(&mut self, id: &Id) -> Result<usize> {
        let found = self.with_any_id(&id.name, |other| id.equals(other));
        let problem = match found.as_slice() {
            [one] => return Ok(*one),
            [] => "no",
            _ => "multiple",
        };
        fail(format!(
            "{problem} matches for Id {id}; failed to find unique target for patch {id}"
        ))
    }

    /// The places of those that a selector means.
    pub(crate) fn select(&self, matcher: &Matcher) -> Vec<usize> {
        let fits = |(at, resource): (usize, &Resource)| matcher.fits(resource).then_some(at);
        self.list.iter().enumerate().filter_map(fits).collect()
    }

    /// Adds what a generator made: new, or in place of what is there.
    ///
    /// # Errors
    /// What is there does not fit the behavior.
    pub(crate) fn absorb(&mut self, mut new: Resource) -> Result<()> {
        let id = new.id().clone();
        let found = self.with_any_id(&id.name, |other| id.equals(other));
        let behavior = new.history.behavior;
        let at = match (found.as_slice(), behavior) {
            ([], Behavior::Merge | Behavior::Replace) => {
                return fail(format!(
                    "id {} does not exist; cannot merge or replace",
                    id.go_syntax()
                ));
            }
            ([], _) => return self.append(new),
            ([at], Behavior::Merge | Behavior::Replace) => *at,
            ([_], _) => {
                return fail(format!(
                    "id {} exists; behavior must be merge or replace",
                    id.go_syntax()
                ));
            }
            (_, _) => {
                let found = found.iter().map(|at| self.list[*at].to_json());
                let found = found.collect::<Vec<_>>().join(" ");
                return fail(format!(
                    "found multiple objects [{found}] that could accept merge of {id}"
                ));
            }
        };
        let old = &self.list[at];
        let origin = old.texts("annotations").remove(crate::origin::ORIGIN);
        new.take_over(old)?;
        if behavior == Behavior::Merge {
            new.merge_data(old)?;
            if let Some(origin) = origin {
                crate::origin::set(&mut new, &origin)?;
            }
        }
        self.forget();
        self.list[at] = new;
        Ok(())
    }
}
