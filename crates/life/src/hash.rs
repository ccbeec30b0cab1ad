//! The short names that Kubernetes derives from hashes: `pod-template-hash` and revision names.

use yaml::Value;

/// The letters of `rand.SafeEncodeString`: none that could spell a word.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name for a value. Kubernetes hashes Go's print of the typed object; we hash its JSON, so
/// the names differ but are as stable.
pub(crate) fn short_name(value: &Value, collisions: i64) -> String {
    let mut text = yaml::json::to_vec(value);
    if collisions > 0 {
        text.extend_from_slice(collisions.to_string().as_bytes());
    }
    let number = fnv1a(&text).to_string();
    number
        .bytes()
        .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
        .collect()
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(
            short_name(&Value::from("a"), 0),
            short_name(&Value::from("a"), 0)
        );
        assert_ne!(
            short_name(&Value::from("a"), 0),
            short_name(&Value::from("a"), 1)
        );
    }
}
