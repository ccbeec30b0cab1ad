//! The order of the output.
//!
//! Read [`SortOptions`] first.

use crate::config::{FIRST, LAST};
use crate::decode::Fields;
use crate::error::{Result, fail};
use crate::identity::Gvk;
use crate::resources::Resources;

/// `sortOptions`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SortOptions {
    order: String,
    legacy: Option<Legacy>,
}

#[derive(Clone, Debug)]
struct Legacy {
    first: Vec<String>,
    last: Vec<String>,
}

impl Default for Legacy {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Legacy {
            first: owned(&FIRST),
            last: owned(&LAST),
        }
    }
}

impl SortOptions {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(SortOptions {
            order: fields.string("order")?,
            legacy: fields.object("legacySortOptions", "LegacySortOptions", |fields| {
                Ok(Legacy {
                    first: fields.strings("orderFirst")?,
                    last: fields.strings("orderLast")?,
                })
            })?,
        })
    }

    /// By kind, as the command line sorts without `sortOptions`.
    pub(crate) fn legacy() -> Self {
        SortOptions {
            order: "legacy".to_owned(),
            legacy: None,
        }
    }

    /// Sorts.
    ///
    /// # Errors
    /// An order that does not exist, and options for another one.
    pub(crate) fn apply(&self, resources: &mut Resources) -> Result<()> {
        match (self.order.as_str(), &self.legacy) {
            ("fifo", None) => Ok(()),
            ("fifo", Some(_)) => fail(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order \
                 is 'fifo', not 'legacy'",
            ),
            ("legacy", legacy) => {
                let legacy = legacy.clone().unwrap_or_default();
                legacy.sort(resources);
                resources.check_ids()
            }
            _ => fail("the field 'sortOptions.order' must be one of [fifo, legacy]"),
        }
    }
}

impl Legacy {
    fn place(&self, gvk: &Gvk) -> i64 {
        // Of a kind that is listed twice the last counts, as the lists become one map in Go.
        let at = |list: &[String]| list.iter().rposition(|kind| gvk.kind == *kind.as_str());
        let number = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
        match (at(&self.last), at(&self.first)) {
            (Some(last), _) => 1 + number(last),
            (None, Some(first)) => number(first) - number(self.first.len()),
            (None, None) => 0,
        }
    }

    fn sort(&self, resources: &mut Resources) {
        resources.sort_by_cached_key(|resource| {
            let id = resource.id();
            let or = |text: &str, none: &str| match text {
                "" => none.to_owned(),
                text => text.to_owned(),
            };
            // Namespaces of the core group come before those of other groups.
            let is_odd_namespace = *id.gvk.kind == *"Namespace" && !id.gvk.group.is_empty();
            (
                self.place(&id.gvk),
                is_odd_namespace,
                id.gvk.sort_text(),
                format!(
                    "{}|{}|{}",
                    id.gvk,
                    or(&id.namespace, "~X"),
                    or(&id.name, "~N")
                ),
            )
        });
    }
}
