//! Renders that need not be made again: a render holds for every commit in which all that it read
//! is the same.
//!
//! Read [`Renders`] first. Rendered objects, Secrets among them, stay in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::render::{RenderError, Rendered};
use manifest::{Tree, TreeError};

use crate::AppKey;
use crate::counters::{Count, Counters};

/// How many renders of one source are kept: what is desired now, and the pinned revision of an
/// operation or the one before (a rollback, a revert).
const KEPT_PER_SOURCE: usize = 3;

/// What a render is a function of, besides files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenderKey {
    /// The Application.
    pub(crate) app: AppKey,
    /// Its source's place among the sources.
    pub(crate) number: usize,
    /// Repository, source and environment, as text.
    pub(crate) input: String,
    /// The commit.
    pub(crate) revision: String,
}

struct Kept {
    input: String,
    /// The last commit for which it was found to hold.
    revision: String,
    rendered: Arc<Rendered>,
}

/// The renders of all Applications.
#[derive(Default)]
pub(crate) struct Renders {
    kept: Mutex<HashMap<(AppKey, usize), Vec<Kept>>>,
}

impl Renders {
    fn lock(&self) -> MutexGuard<'_, HashMap<(AppKey, usize), Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The render of `key`: a kept one that holds in `tree`, else what `render` gives.
    ///
    /// # Errors
    /// Those of `render`, and `Unavailable` of the tree. A failure is not kept.
    pub(crate) fn get(
        &self,
        key: &RenderKey,
        tree: &dyn Tree,
        counters: &Counters,
        render: impl FnOnce() -> Result<Rendered, RenderError>,
    ) -> Result<Arc<Rendered>, RenderError> {
        if let Some(rendered) = self.find(key, tree)? {
            counters.add(Count::RenderHit);
            return Ok(rendered);
        }
        counters.add(Count::Render);
        let rendered = Arc::new(render()?);
        let mut kept = self.lock();
        let list = kept.entry((key.app.clone(), key.number)).or_default();
        list.insert(
            0,
            Kept {
                input: key.input.clone(),
                revision: key.revision.clone(),
                rendered: rendered.clone(),
            },
        );
        list.truncate(KEPT_PER_SOURCE);
        Ok(rendered)
    }

    fn find(&self, key: &RenderKey, tree: &dyn Tree) -> Result<Option<Arc<Rendered>>, TreeError> {
        let place = (key.app.clone(), key.number);
        let candidates: Vec<(String, Arc<Rendered>)> = self
            .lock()
            .get(&place)
            .into_iter()
            .flatten()
            .filter(|kept| kept.input == key.input)
            .map(|kept| (kept.revision.clone(), kept.rendered.clone()))
            .collect();
        // The tree is asked without the lock: it may read from disk.
        for (revision, rendered) in candidates {
            if revision != key.revision && !rendered.read_set.holds_in(tree)? {
                continue;
            }
            if let Some(list) = self.lock().get_mut(&place)
                && let Some(at) = list
                    .iter()
                    .position(|it| Arc::ptr_eq(&it.rendered, &rendered))
            {
                let mut kept = list.remove(at);
                kept.revision.clone_from(&key.revision);
                list.insert(0, kept);
            }
            return Ok(Some(rendered));
        }
        Ok(None)
    }

    /// Whether a kept render holds in `tree`: then nothing needs to be rendered for it.
    pub(crate) fn holds(&self, key: &RenderKey, tree: &dyn Tree) -> bool {
        matches!(self.find(key, tree), Ok(Some(_)))
    }

    /// Forgets the renders of an Application: a hard refresh, or it is gone.
    pub(crate) fn forget(&self, app: &AppKey) {
        self.lock().retain(|(of, _), _| of != app);
    }
}
