//! References of container images, as far as it takes to know which one is pulled again each time.
//!
//! The grammar is that of the distribution project; what does not follow it has no tag.

/// The longest name, with its domain.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;
/// Where images come from that name no domain: this many letters more.
const DEFAULT_DOMAIN: &str = "docker.io/library/";
/// A text of this many hexadecimal digits is an identifier, not a name.
const IDENTIFIER: usize = 64;

/// Whether a reference means the newest image: it has the tag `latest`, or neither tag nor digest.
pub(crate) fn is_latest(reference: &str) -> bool {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    // A colon before the last slash belongs to a port.
    let path = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[path..].split_once(':') {
        Some((last, tag)) => (&rest[..path + last.len()], Some(tag)),
        None => (rest, None),
    };
    let good = is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    good && match tag {
        Some(tag) => tag == "latest",
        None => digest.is_none(),
    }
}

fn is_name(name: &str) -> bool {
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if name.len() == IDENTIFIER && name.bytes().all(hexadecimal) {
        return false;
    }
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if is_domain_like(first) => (Some(first), rest),
        _ => (None, name),
    };
    let length = match domain {
        Some(domain) => domain.len() + 1 + path.len(),
        None => DEFAULT_DOMAIN.len() + path.len(),
    };
    length <= MAX_NAME && domain.is_none_or(is_domain) && path.split('/').all(is_component)
}

/// Whether the first part of a name can only be a domain.
fn is_domain_like(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let label = |label: &str| {
        let dash = |byte: &u8| *byte == b'-';
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|byte| !dash(byte))
            && bytes.last().is_some_and(|byte| !dash(byte))
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || dash(byte))
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| {
            inner
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        });
    let port =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    port && (bracketed || host.split('.').all(label))
}

/// Small letters and digits, with one dot, one or two underscores or any dashes between them.
fn is_component(component: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| plain(*byte));
    let separator =
        |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    ends(bytes.first())
        && ends(bytes.last())
        && component
            .split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            .all(separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_TAG).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// The name of an algorithm and at least 32 hexadecimal digits.
fn is_digest(digest: &str) -> bool {
    const SHORTEST: usize = 32;
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return false;
    };
    let part = |part: &str| {
        part.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(part)
        && digits.len() >= SHORTEST
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_a_tag_are_pulled_again() {
        let check =
            |reference: &str, want: bool| assert_eq!(is_latest(reference), want, "{reference}");
        check("web", true);
        check("web:latest", true);
        check("registry.example.com:5000/a/web", true);
        check("registry.example.com:5000/a/web:1", false);
        check("a__b/c-d.e", true);
        check(&format!("web@sha256:{}", "0".repeat(64)), false);
        check(&format!("web:latest@sha256:{}", "0".repeat(64)), true);
        check("web@sha256:00", false);
        for wrong in [
            "",
            "Bad_Value!",
            "Web",
            "a..b",
            "-a",
            "web:",
            "web:!",
            &"a".repeat(300),
        ] {
            check(wrong, false);
        }
        check(&"0".repeat(64), false);
        check("Upper/web", true);
    }
}
