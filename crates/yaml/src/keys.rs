//! A small cache of key texts: a file repeats the same keys, and each should be allocated once.

use crate::Str;

/// Slots; a manifest stream has about 150 frequent keys.
const SLOTS: usize = 512;

/// Longer keys are rarely repeated and not worth a slot.
const MAX_KEY: usize = 40;

/// A direct-mapped cache: a collision only costs an allocation, never correctness.
pub(crate) struct KeyCache {
    slots: Vec<Option<Str>>,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        KeyCache { slots: Vec::new() }
    }

    /// `text` as a shared string.
    pub(crate) fn get(&mut self, text: &str) -> Str {
        if text.len() > MAX_KEY {
            return Str::from(text);
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = &mut self.slots[slot_of(text.as_bytes())];
        match slot {
            Some(key) if key.as_str() == text => key.clone(),
            _ => slot.insert(Str::from(text)).clone(),
        }
    }
}

fn slot_of(text: &[u8]) -> usize {
    let hash = text.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 15)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_share_one_allocation() {
        let mut cache = KeyCache::new();
        let (a, b) = (cache.get("metadata"), cache.get("metadata"));
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        assert_eq!(cache.get("name"), "name");
    }
}
