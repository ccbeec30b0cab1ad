//! Which part of a string needs no second look: most strings are read and written as they are.

/// Bytes that are looked at together: with half as many, the compiler shuffles them one by one.
const LANES: usize = 32;

/// The number of bytes before the first one that is special, or all.
pub(super) fn plain_prefix(bytes: &[u8], is_special: impl Fn(u8) -> bool) -> usize {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    let has_special = |chunk: &[u8; LANES]| {
        let specials = chunk.iter().map(|byte| u8::from(is_special(*byte)));
        specials.fold(0, |any, special| any | special) != 0
    };
    let first = chunks.iter().position(has_special);
    let passed = first.unwrap_or(chunks.len()) * LANES;
    let last = first.map_or(rest, |first| &chunks[first][..]);
    let found = last.iter().position(|byte| is_special(*byte));
    passed + found.unwrap_or(last.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for len in 0..70 {
            let mut text = vec![b'a'; len];
            assert_eq!(plain_prefix(&text, |byte| byte == b'"'), len);
            for at in (0..len).rev() {
                text[at] = b'"';
                assert_eq!(plain_prefix(&text, |byte| byte == b'"'), at, "of {len}");
            }
        }
    }
}
