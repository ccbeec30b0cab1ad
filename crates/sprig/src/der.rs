//! DER, as far as keys and certificates need it: writing, and reading tag by tag.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A value under its tag.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let size = content.len();
    if size < 0x80 {
        out.push(u8::try_from(size).unwrap_or(0));
    } else {
        let bytes = size.to_be_bytes();
        let n_zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | u8::try_from(bytes.len() - n_zeros).unwrap_or(0));
        out.extend_from_slice(&bytes[n_zeros..]);
    }
    out.extend_from_slice(content);
    out
}

/// Values in a row.
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// A number that is not negative, from its bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let n_zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[n_zeros..];
    let needs_zero = digits.first().is_none_or(|first| first & 0x80 != 0);
    let zero: &[u8] = if needs_zero { &[0] } else { &[] };
    value(INTEGER, &[zero, digits].concat())
}

/// Whole bytes as bits.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], bytes].concat())
}

/// The first value of some bytes: its tag, its content, itself whole, and what is behind it.
pub(super) struct Read<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// Reads one value; nothing where there is none.
pub(super) fn read(bytes: &[u8]) -> Option<Read<'_>> {
    let (tag, behind) = bytes.split_first()?;
    let (first, mut behind) = behind.split_first()?;
    let mut size = usize::from(*first);
    if size >= 0x80 {
        let (digits, rest) = behind.split_at_checked(size & 0x7f)?;
        behind = rest;
        let is_sane = !digits.is_empty() && digits.len() <= 4;
        size = is_sane.then(|| {
            digits
                .iter()
                .fold(0, |size, byte| size << 8 | usize::from(*byte))
        })?;
    }
    let (content, rest) = behind.split_at_checked(size)?;
    Some(Read {
        tag: *tag,
        content,
        whole: &bytes[..bytes.len() - rest.len()],
        rest,
    })
}

/// All values inside of a sequence.
pub(super) fn inside(sequence: &[u8]) -> Option<Vec<Read<'_>>> {
    let outer = read(sequence).filter(|outer| outer.tag == SEQUENCE)?;
    let (mut parts, mut rest) = (Vec::new(), outer.content);
    while !rest.is_empty() {
        let part = read(rest)?;
        rest = part.rest;
        parts.push(part);
    }
    Some(parts)
}
