//! A small cache of short texts: a file repeats the same keys, and each should be allocated once.

use crate::Str;

/// The fewest and the most slots; a manifest stream has about 150 frequent keys.
const SLOTS: (usize, usize) = (16, 512);

/// About how many bytes of text come with a key.
const BYTES_PER_KEY: usize = 32;

/// Longer texts are rarely repeated and not worth a slot.
const MAX_TEXT: usize = 40;

/// A direct-mapped cache: a collision only costs an allocation, never correctness.
#[derive(Default)]
pub(crate) struct KeyCache {
    slots: Vec<Option<Str>>,
    n_slots: usize,
}

impl KeyCache {
    /// A cache for one text of this many bytes; it takes room with its first key.
    pub(crate) fn for_text(n_bytes: usize) -> Self {
        let n_slots = (n_bytes / BYTES_PER_KEY).clamp(SLOTS.0, SLOTS.1);
        KeyCache {
            slots: Vec::new(),
            n_slots: n_slots.next_power_of_two(),
        }
    }

    /// A cache for many texts, or ones of unknown size.
    pub(crate) fn large() -> Self {
        KeyCache::for_text(usize::MAX)
    }

    /// `text` as a shared string.
    pub(crate) fn get(&mut self, text: &str) -> Str {
        if text.len() > MAX_TEXT {
            return Str::from(text);
        }
        if self.slots.is_empty() {
            self.slots.resize(self.n_slots.max(SLOTS.0), None);
        }
        let n_slots = self.slots.len();
        let slot = &mut self.slots[hash_of(text.as_bytes()) % n_slots];
        match slot {
            Some(key) if key.as_str() == text => key.clone(),
            _ => slot.insert(Str::from(text)).clone(),
        }
    }
}

/// Of the length and both ends, which differ in most keys: quicker than looking at all of it.
fn hash_of(text: &[u8]) -> usize {
    let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => {
            let word = text
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            (word, 0)
        }
    };
    let mixed = head ^ tail.rotate_left(29) ^ text.len() as u64;
    // The multiplier of Fibonacci hashing; high bits depend on all others.
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_share_one_allocation() {
        let mut cache = KeyCache::for_text(1_000);
        let (a, b) = (cache.get("metadata"), cache.get("metadata"));
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        assert_eq!(cache.get("name"), "name");
    }
}
