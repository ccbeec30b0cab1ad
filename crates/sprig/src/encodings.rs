//! Base64, base32, checksums.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2_next::{Digest, Sha256, Sha512};

use gotmpl::Scope;
use gotmpl::text::{bytes_of_text, text_of_bytes};

use crate::arguments::{Answer, Arguments, Row, TEXT, text};

pub(super) const ROWS: &[Row] = &[
    Row::new("b64enc", &[TEXT], TEXT, |_, all| {
        text(STANDARD.encode(bytes_of_text(all.text(0))))
    }),
    Row::new("b64dec", &[TEXT], TEXT, |_, all| {
        text(match base64_decoded(&bytes_of_text(all.text(0))) {
            Ok(bytes) => text_of_bytes(&bytes),
            Err(at) => format!("illegal base64 data at input byte {at}").into(),
        })
    }),
    Row::new("b32enc", &[TEXT], TEXT, |_, all| {
        text(base32_encoded(&bytes_of_text(all.text(0))))
    }),
    Row::new("b32dec", &[TEXT], TEXT, |_, all| {
        text(match base32_decoded(&bytes_of_text(all.text(0))) {
            Ok(bytes) => text_of_bytes(&bytes),
            Err(at) => format!("illegal base32 data at input byte {at}").into(),
        })
    }),
    Row::new("sha1sum", &[TEXT], TEXT, hash::<Sha1>),
    Row::new("sha256sum", &[TEXT], TEXT, hash::<Sha256>),
    Row::new("sha512sum", &[TEXT], TEXT, hash::<Sha512>),
    Row::new("adler32sum", &[TEXT], TEXT, |_, all| {
        text(adler32(&bytes_of_text(all.text(0))).to_string())
    }),
];

fn hash<D: Digest>(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    text(hex(&D::digest(bytes_of_text(all.text(0)))))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let written = write!(out, "{byte:02x}");
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    out
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    high << 16 | low
}

/// What bytes stand for in base64, line ends ignored; else the place of the first wrong one, as Go
/// counts it.
pub(super) fn base64_decoded(source: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(source.len() / 4 * 3);
    let mut at = 0;
    loop {
        let (mut bits, mut n_digits) = (0u32, 0);
        while n_digits < 4 {
            let Some(byte) = source.get(at) else {
                // A group may end only where it begins.
                return if n_digits == 0 {
                    Ok(out)
                } else {
                    Err(at - n_digits)
                };
            };
            at += 1;
            match (base64_digit(*byte), byte) {
                (Some(digit), _) => {
                    bits = bits << 6 | digit;
                    n_digits += 1;
                }
                (None, b'\n' | b'\r') => {}
                (None, b'=') => {
                    at = base64_padding(source, at, n_digits)?;
                    let bytes = (bits << (32 - 6 * n_digits)).to_be_bytes();
                    out.extend_from_slice(&bytes[..n_digits - 1]);
                    return if at < source.len() { Err(at) } else { Ok(out) };
                }
                (None, _) => return Err(at - 1),
            }
        }
        out.extend_from_slice(&(bits << 8).to_be_bytes()[..3]);
    }
}

/// Skips what follows the first `=` of a group; gives the place behind it.
fn base64_padding(source: &[u8], mut at: usize, n_digits: usize) -> Result<usize, usize> {
    let skip = |at: &mut usize| {
        while matches!(source.get(*at), Some(b'\n' | b'\r')) {
            *at += 1;
        }
    };
    if n_digits < 2 {
        return Err(at - 1);
    }
    if n_digits == 2 {
        skip(&mut at);
        match source.get(at) {
            None => return Err(source.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    skip(&mut at);
    Ok(at)
}

fn base64_digit(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(digit.into())
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let bits = group
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        let bits = bits << (8 * (5 - group.len()));
        let n_digits = (group.len() * 8).div_ceil(5);
        for place in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * place) & 31).unwrap_or(0);
            out.push(if place < n_digits {
                BASE32[digit].into()
            } else {
                '='
            });
        }
    }
    out
}

/// As [`base64_decoded`]; line ends are taken out before places are counted.
fn base32_decoded(source: &[u8]) -> Result<Vec<u8>, usize> {
    let is_kept = |byte: &u8| !matches!(byte, b'\n' | b'\r');
    let source: Vec<u8> = source.iter().copied().filter(is_kept).collect();
    let mut out = Vec::with_capacity(source.len() / 8 * 5);
    let mut at = 0;
    while at < source.len() {
        let (mut bits, mut n_digits) = (0u64, 0);
        let mut is_end = false;
        while n_digits < 8 {
            let Some(byte) = source.get(at) else {
                return Err(source.len() - n_digits);
            };
            at += 1;
            let n_left = source.len() - at;
            if *byte == b'=' && n_digits >= 2 && n_left < 8 {
                if n_left + n_digits < 7 {
                    return Err(source.len());
                }
                let padding = &source[at..];
                let wrong = padding.iter().take(7 - n_digits).position(|it| *it != b'=');
                if let Some(wrong) = wrong {
                    return Err((at + wrong).saturating_sub(1));
                }
                if matches!(n_digits, 3 | 6) {
                    return Err(at - 1);
                }
                is_end = true;
                break;
            }
            let digit = BASE32.iter().position(|it| it == byte).ok_or(at - 1)?;
            bits = bits << 5 | digit as u64;
            n_digits += 1;
        }
        let bytes = (bits << (64 - 5 * n_digits)).to_be_bytes();
        out.extend_from_slice(&bytes[..n_digits * 5 / 8]);
        if is_end {
            break;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decode: fn(&[u8]) -> Result<Vec<u8>, usize>, source: &str, want: Result<&str, usize>) {
        assert_eq!(
            decode(source.as_bytes()),
            want.map(|text| text.as_bytes().to_vec()),
            "{source}"
        );
    }

    #[test]
    fn wrong_bytes_are_placed_as_go_places_them() {
        check(base64_decoded, "aGVs\nbG8=", Ok("hello"));
        check(base64_decoded, "aGVsbG8", Err(4));
        check(base64_decoded, "!!", Err(0));
        check(base64_decoded, "YQ=", Err(3));
        check(base64_decoded, "YQ=x", Err(2));
        check(base64_decoded, "YQ==x", Err(4));
        check(base64_decoded, "Y", Err(0));
        check(base64_decoded, "", Ok(""));
        check(base32_decoded, "NBSWY3DP", Ok("hello"));
        check(base32_decoded, "ME======", Ok("a"));
        check(base32_decoded, "x", Err(0));
        check(base32_decoded, "ME", Err(0));
        check(base32_decoded, "MFRGG===", Ok("abc"));
    }
}
