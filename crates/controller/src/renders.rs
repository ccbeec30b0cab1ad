//! Renders that need not be made again: a render holds for every commit in which all that it read
//! is the same.
//!
//! Read [`Renders`] first. Rendered objects, Secrets among them, stay in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::render::{Environment, RenderError, Rendered};
use manifest::{Tree, TreeError};

use crate::AppKey;
use crate::charts::Brought;
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
    /// Repository and source, as text.
    pub(crate) input: String,
    /// The commit, or whatever the source's reference means; of several trees, all of them.
    pub(crate) revision: String,
}

/// What a render reads: files, and what it may know besides.
#[derive(Clone)]
pub(crate) struct Ground {
    /// Complete but for what the render finds lacking.
    pub(crate) tree: Arc<dyn Tree>,
    pub(crate) environment: Environment,
}

struct Kept {
    input: String,
    /// The last commit for which it was found to hold.
    revision: String,
    /// What it found lacking, and was brought: what it read of charts says which these are.
    brought: Brought,
    environment: Environment,
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

    /// The render of `key`: a kept one that holds on this ground, else what is rendered there with
    /// what was brought.
    ///
    /// # Errors
    /// Those of the render, and `Unavailable` of the tree. A failure is not kept.
    pub(crate) fn get(
        &self,
        key: &RenderKey,
        (ground, brought): (&Ground, &Brought),
        counters: &Counters,
        render: impl FnOnce(&dyn Tree, &Environment) -> Result<Rendered, RenderError>,
    ) -> Result<Arc<Rendered>, RenderError> {
        if let Some(rendered) = self.find(key, &ground.tree, Some(&ground.environment))? {
            counters.add(Count::RenderHit);
            return Ok(rendered);
        }
        let tree = brought.within(ground.tree.clone());
        let rendered = Arc::new(render(&*tree, &ground.environment)?);
        counters.add(Count::Render);
        let mut kept = self.lock();
        let list = kept.entry((key.app.clone(), key.number)).or_default();
        list.insert(
            0,
            Kept {
                input: key.input.clone(),
                revision: key.revision.clone(),
                brought: brought.clone(),
                environment: ground.environment.clone(),
                rendered: rendered.clone(),
            },
        );
        list.truncate(KEPT_PER_SOURCE);
        Ok(rendered)
    }

    /// A kept render that holds in a tree. Without an environment, in the one that it was made in,
    /// but for the revision.
    fn find(
        &self,
        key: &RenderKey,
        tree: &Arc<dyn Tree>,
        environment: Option<&Environment>,
    ) -> Result<Option<Arc<Rendered>>, TreeError> {
        let place = (key.app.clone(), key.number);
        let candidates: Vec<(String, Brought, Arc<Rendered>)> = self
            .lock()
            .get(&place)
            .into_iter()
            .flatten()
            .filter(|kept| kept.input == key.input)
            .filter(|kept| match environment {
                Some(environment) => kept.rendered.facts.hold_in(environment),
                None => kept.rendered.facts.hold_in(&Environment {
                    revision: key.revision.clone(),
                    ..kept.environment.clone()
                }),
            })
            .map(|kept| {
                let revision = kept.revision.clone();
                (revision, kept.brought.clone(), kept.rendered.clone())
            })
            .collect();
        // The tree is asked without the lock: it may read from disk.
        for (revision, brought, rendered) in candidates {
            let is_same = revision == key.revision;
            if !is_same && !rendered.read_set.holds_in(&*brought.within(tree.clone()))? {
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
    pub(crate) fn holds(&self, key: &RenderKey, tree: &Arc<dyn Tree>) -> bool {
        matches!(self.find(key, tree, None), Ok(Some(_)))
    }

    /// Forgets the renders of an Application: a hard refresh, or it is gone.
    pub(crate) fn forget(&self, app: &AppKey) {
        self.lock().retain(|(of, _), _| of != app);
    }
}
