//! What a render read, so that a later revision can tell whether it would render the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::{Entry, EntryKind, Tree, TreeError, TreePath};

/// An id of a content: a Git object id, or a SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(Box<[u8]>);

impl ContentId {
    /// From the bytes of an id that the store already has.
    #[must_use]
    pub fn new(id: &[u8]) -> Self {
        ContentId(id.into())
    }

    /// The SHA-256 of `content`, for stores without ids of their own.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        ContentId(Sha256::digest(content).as_slice().into())
    }

    /// The bytes of the id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What was asked of a tree at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Question {
    Content,
    Listing,
    Kind,
    Size,
}

/// What the tree answered. A miss is an answer too: a file that appears later changes the render.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Content(ContentId),
    /// A hash of names and kinds: a change of a file below does not change it.
    Listing(ContentId),
    Kind(EntryKind),
    Size(u64),
    Refused(TreeError),
}

/// Everything that one render read from one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    answers: BTreeMap<(TreePath, Question), Answer>,
}

impl ReadSet {
    /// Whether a render over `tree` would read the same: then it would also give the same.
    ///
    /// # Errors
    /// `Unavailable` of the tree: nothing can be said now.
    pub fn holds_in(&self, tree: &dyn Tree) -> Result<bool, TreeError> {
        let mut same_content = None;
        for ((path, question), want) in &self.answers {
            // Answers are sorted: that of the content comes before that of the size.
            if *question == Question::Size && same_content == Some(path) {
                continue;
            }
            if ask(tree, path, *question)? != *want {
                return Ok(false);
            }
            if let Answer::Content(_) = want {
                same_content = Some(path);
            }
        }
        Ok(true)
    }

    /// The number of things read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// The paths that were read, listed or looked for, sorted, each once.
    pub fn paths(&self) -> impl Iterator<Item = &TreePath> {
        let mut last = None;
        self.answers
            .keys()
            .map(|(path, _)| path)
            .filter(move |path| last.replace(*path) != Some(*path))
    }
}

fn ask(tree: &dyn Tree, path: &TreePath, question: Question) -> Result<Answer, TreeError> {
    let answer = match question {
        Question::Content => tree.content_id(path).map(Answer::Content),
        Question::Listing => tree
            .list(path)
            .map(|entries| Answer::Listing(listing_id(&entries))),
        Question::Kind => tree.kind(path).map(Answer::Kind),
        Question::Size => tree.size(path).map(Answer::Size),
    };
    answer.or_else(refused)
}

fn refused(error: TreeError) -> Result<Answer, TreeError> {
    match error {
        TreeError::Unavailable { .. } => Err(error),
        fact => Ok(Answer::Refused(fact)),
    }
}

fn listing_id(entries: &[Entry]) -> ContentId {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(entry.name.as_bytes());
        hash.update([0, entry.kind as u8]);
    }
    ContentId::new(&hash.finalize())
}

/// A tree that notes what is read through it.
pub struct Recorder<'a> {
    tree: &'a dyn Tree,
    reads: Mutex<ReadSet>,
}

impl<'a> Recorder<'a> {
    /// Starts with nothing read.
    #[must_use]
    pub fn new(tree: &'a dyn Tree) -> Self {
        Recorder {
            tree,
            reads: Mutex::default(),
        }
    }

    /// What was read until now.
    #[must_use]
    pub fn into_read_set(self) -> ReadSet {
        self.reads
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, path: &TreePath, question: Question, answer: Result<Answer, TreeError>) {
        if let Ok(answer) = answer.or_else(refused) {
            let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
            reads.answers.insert((path.clone(), question), answer);
        }
    }
}

impl Tree for Recorder<'_> {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let content = self.tree.read(path);
        let answer = match &content {
            Ok(_) => self.tree.content_id(path).map(Answer::Content),
            Err(error) => Err(error.clone()),
        };
        self.note(path, Question::Content, answer);
        content
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let entries = self.tree.list(path);
        let answer = entries
            .as_ref()
            .map(|entries| Answer::Listing(listing_id(entries)));
        self.note(path, Question::Listing, answer.map_err(Clone::clone));
        entries
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        let kind = self.tree.kind(path);
        self.note(path, Question::Kind, kind.clone().map(Answer::Kind));
        kind
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        let size = self.tree.size(path);
        self.note(path, Question::Size, size.clone().map(Answer::Size));
        size
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        let id = self.tree.content_id(path);
        self.note(path, Question::Content, id.clone().map(Answer::Content));
        id
    }
}
