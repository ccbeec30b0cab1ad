//! The text of a list, made in pieces as the client takes them.
//!
//! Owns how the texts of stored objects become one list, so that a list of any length costs the
//! memory of a piece. It must never read an object: [`ListText`] puts together what is encoded.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::registry::Resource;
use crate::render::{self, ListMeta};
use store::Stored;

/// About the size of a piece: four frames of HTTP/2 as most clients take them.
const PIECE: usize = 64 * 1024;

/// A list of whole objects as JSON text.
pub(crate) struct ListText {
    resource: Arc<Resource>,
    /// What was not given yet.
    pending: Vec<u8>,
    objects: std::vec::IntoIter<Arc<Stored>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next object is the first one.
    Head,
    Items,
    Done,
}

impl ListText {
    /// The list of `objects`.
    pub(crate) fn new(
        resource: &Arc<Resource>,
        meta: &ListMeta,
        objects: Vec<Arc<Stored>>,
    ) -> Self {
        let mut pending = Vec::new();
        // The lists of custom resources are made without Go types, which leave out the empty token.
        let continues = resource.custom.is_some().then_some("");
        render::push_head(&mut pending, &resource.api_version(), &resource.list_kind);
        render::push_list_meta(&mut pending, meta, continues);
        ListText {
            resource: Arc::clone(resource),
            pending,
            objects: objects.into_iter(),
            state: State::Head,
        }
    }

    /// About how many bytes are left.
    pub(crate) fn size(&self) -> usize {
        let texts = self.objects.as_slice().iter();
        self.pending.len() + texts.map(|stored| stored.json.len() + 1).sum::<usize>()
    }

    /// Whether it is worth to be sent in pieces.
    pub(crate) fn is_long(&self) -> bool {
        self.size() > PIECE
    }

    /// The whole text.
    pub(crate) fn whole(mut self) -> Bytes {
        let size = self.size() + self.objects.len() * 64;
        let room = size.saturating_sub(self.pending.len());
        self.pending.reserve(room);
        while self.push_next() {}
        self.pending.into()
    }

    /// Appends what comes next; tells whether there was something.
    fn push_next(&mut self) -> bool {
        if self.state == State::Done {
            return false;
        }
        match self.objects.next() {
            Some(stored) => {
                if self.state == State::Items {
                    self.pending.push(b',');
                }
                self.state = State::Items;
                render::push_item(&mut self.pending, &self.resource, &stored);
            }
            None => {
                self.pending.extend_from_slice(b"]}");
                self.state = State::Done;
            }
        }
        true
    }
}

impl Iterator for ListText {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.pending.len() < PIECE && self.push_next() {}
        let room = Vec::with_capacity(self.pending.len());
        let piece = std::mem::replace(&mut self.pending, room);
        (!piece.is_empty()).then(|| piece.into())
    }
}

/// Pieces of text, compressed as they come: for speed rather than size, as kube-apiserver does.
pub(crate) struct Packed<I> {
    /// `None` when all was given.
    pieces: Option<(I, GzEncoder<Vec<u8>>)>,
}

impl<I: Iterator<Item = Bytes>> Packed<I> {
    /// Compresses `pieces`.
    pub(crate) fn new(pieces: I) -> Self {
        let packer = GzEncoder::new(Vec::new(), Compression::fast());
        Packed {
            pieces: Some((pieces, packer)),
        }
    }
}

impl<I: Iterator<Item = Bytes>> Iterator for Packed<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let (mut pieces, mut packer) = self.pieces.take()?;
        const INTO_MEMORY: &str = "writing to memory does not fail";
        for piece in pieces.by_ref() {
            packer.write_all(&piece).expect(INTO_MEMORY);
            if packer.get_ref().len() >= PIECE {
                let packed = std::mem::take(packer.get_mut());
                self.pieces = Some((pieces, packer));
                return Some(packed.into());
            }
        }
        Some(packer.finish().expect(INTO_MEMORY).into())
    }
}
