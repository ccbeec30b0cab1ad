//! Which references moved: one question per repository, however many Applications ask.
//!
//! Read [`Watcher`]. It remembers only what it told last; when to poll is the caller's decision.

use std::collections::HashMap;

use futures::future::join_all;

use crate::store::Key;
use crate::{Error, Freshness, Reference, Repository, Revision};

/// Remembers what references meant at the last poll.
#[derive(Default)]
pub struct Watcher {
    known: HashMap<(Key, Reference), Result<Revision, Error>>,
}

/// A reference that means something else than at the last poll.
pub struct Moved {
    /// The repository.
    pub repository: Repository,
    /// What is asked for.
    pub reference: Reference,
    /// What it means now, or why that is not known.
    pub revision: Result<Revision, Error>,
}

impl Watcher {
    /// Asks each repository once, all at the same time, and gives the references of `wanted` that
    /// moved, in its order and each once. What is not in `wanted` is forgotten.
    pub async fn poll(&mut self, wanted: &[(Repository, Reference)]) -> Vec<Moved> {
        let mut by_repository: HashMap<&Key, (&Repository, Vec<&Reference>)> = HashMap::new();
        for (repository, reference) in wanted {
            let entry = by_repository.entry(repository.key());
            entry.or_insert((repository, Vec::new())).1.push(reference);
        }
        let asked = by_repository
            .into_values()
            .map(|(repository, references)| ask(repository, references));
        let mut now: HashMap<(Key, Reference), Result<Revision, Error>> =
            join_all(asked).await.into_iter().flatten().collect();
        let mut known = HashMap::new();
        let mut moved = Vec::new();
        for (repository, reference) in wanted {
            let key = (repository.key().clone(), reference.clone());
            let Some(revision) = now.remove(&key) else {
                continue;
            };
            if self.known.get(&key) != Some(&revision) {
                moved.push(Moved {
                    repository: repository.clone(),
                    reference: reference.clone(),
                    revision: revision.clone(),
                });
            }
            known.insert(key, revision);
        }
        self.known = known;
        moved
    }
}

async fn ask(
    repository: &Repository,
    references: Vec<&Reference>,
) -> Vec<((Key, Reference), Result<Revision, Error>)> {
    let list = repository.ls_refs(Freshness::Now).await;
    let mut answers = Vec::with_capacity(references.len());
    for reference in references {
        let revision = match &list {
            Ok(list) => repository.resolve_in(list, reference).await,
            Err(error) => Err(Error {
                reference: Some(reference.to_string()),
                ..error.clone()
            }),
        };
        answers.push(((repository.key().clone(), reference.clone()), revision));
    }
    answers
}
