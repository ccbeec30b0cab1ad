//! IP addresses and blocks of them as Go reads and prints them, and what is wrong with others.
//!
//! Fields from the first years of Kubernetes take what Go's lenient parsers take (leading zeros,
//! bits behind the prefix); newer fields want the canonical form.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const BLOCK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// Reads an address leniently; one of IPv4 in the clothes of IPv6 is one of IPv4.
#[must_use]
pub fn parse(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return parse_v4(text).map(IpAddr::V4);
    }
    let strict = match text.rsplit_once(':') {
        Some((head, tail)) if tail.contains('.') => format!("{head}:{}", parse_v4(tail)?),
        _ => text.to_owned(),
    };
    let address: Ipv6Addr = strict.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = part
            .trim_start_matches('0')
            .parse()
            .or_else(|error| {
                // Nothing but zeros is a zero.
                if part.bytes().all(|byte| byte == b'0') {
                    Ok(0)
                } else {
                    Err(error)
                }
            })
            .ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Whether a decimal number of the text starts with a zero that it does not need.
fn has_leading_zeros(text: &str) -> bool {
    let numbers = text.rsplit(':').next().unwrap_or_default();
    numbers.contains('.')
        && numbers
            .split('.')
            .any(|part| part.len() > 1 && part.starts_with('0'))
}

fn is_mapped(text: &str, address: IpAddr) -> bool {
    text.contains(':') && address.is_ipv4()
}

/// What is wrong with an address in a field that takes what Go's lenient parser takes.
#[must_use]
pub fn lenient_problems(text: &str) -> Vec<String> {
    match parse(text) {
        Some(_) => Vec::new(),
        None => vec![ADDRESS.to_owned()],
    }
}

/// What is wrong with an address in a field that wants the canonical form.
#[must_use]
pub fn problems(text: &str) -> Vec<String> {
    let Some(address) = parse(text) else {
        return vec![ADDRESS.to_owned()];
    };
    let mut problems = Vec::new();
    if has_leading_zeros(text) {
        problems.push("must not have leading 0s".to_owned());
    } else if is_mapped(text, address) {
        problems.push("must not be an IPv4-mapped IPv6 address".to_owned());
    }
    let canonical = address.to_string();
    if problems.is_empty() && text != canonical {
        problems.push(format!("must be in canonical form ({canonical:?})"));
    }
    problems
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The address as written.
    address: IpAddr,
    /// The first address of the block.
    first: IpAddr,
    /// How many leading bits its addresses share.
    pub bits: u32,
}

impl Block {
    /// Reads `address/bits` leniently.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        if bits.is_empty() || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let bits: u32 = bits.parse().ok()?;
        let written_as_v6 = address.contains(':');
        let address = parse(address)?;
        let bits = match (written_as_v6, address.is_ipv4()) {
            (false, true) => (bits <= 32).then_some(bits)?,
            // The first 96 bits say that it is an address of IPv4.
            (true, true) => (bits <= 128).then_some(bits)?.checked_sub(96)?,
            _ => (bits <= 128).then_some(bits)?,
        };
        let first = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Some(Block {
            address,
            first,
            bits,
        })
    }

    /// Whether an address lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let full = if address.is_ipv4() { 32 } else { 128 };
        address.is_ipv4() == self.first.is_ipv4()
            && Block::parse(&format!("{address}/{}", self.bits.min(full)))
                .is_some_and(|other| other.first == self.first)
    }

    /// The first address of the block.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        self.first
    }

    fn canonical(&self) -> String {
        format!("{}/{}", self.first, self.bits)
    }
}

/// What is wrong with a block in a field that takes what Go's lenient parser takes.
#[must_use]
pub fn lenient_block_problems(text: &str) -> Vec<String> {
    match Block::parse(text) {
        Some(_) => Vec::new(),
        None => vec![BLOCK.to_owned()],
    }
}

/// What is wrong with a block in a field that wants the canonical form.
#[must_use]
pub fn block_problems(text: &str) -> Vec<String> {
    let Some(block) = Block::parse(text) else {
        return vec![BLOCK.to_owned()];
    };
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    if has_leading_zeros(address) || (bits.len() > 1 && bits.starts_with('0')) {
        return vec!["must not have leading 0s in IP or prefix length".to_owned()];
    }
    if is_mapped(address, block.address) {
        return vec!["must not have an IPv4-mapped IPv6 address".to_owned()];
    }
    if block.address != block.first {
        return vec!["must not have bits set beyond the prefix length".to_owned()];
    }
    let canonical = block.canonical();
    if text == canonical {
        return Vec::new();
    }
    vec![format!("must be in canonical form ({canonical:?})")]
}

/// What a client is warned of when a lenient field holds an address that newer fields refuse.
#[must_use]
pub fn warning(path: &str, text: &str) -> Option<String> {
    let address = parse(text)?;
    if has_leading_zeros(text) || is_mapped(text, address) {
        return Some(format!(
            "{path}: non-standard IP address {text:?} will be considered invalid in a future \
             Kubernetes release: use \"{address}\""
        ));
    }
    (address.is_ipv6() && address.to_string() != text).then(|| {
        format!(
            "{path}: IPv6 address {text:?} should be in RFC 5952 canonical format (\"{address}\")"
        )
    })
}

/// As [`warning`], for a block.
#[must_use]
pub fn block_warnings(path: &str, text: &str) -> Vec<String> {
    let Some(block) = Block::parse(text) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    let canonical = block.canonical();
    if block.address != block.first {
        let all = if block.address.is_ipv4() { 32 } else { 128 };
        warnings.push(format!(
            "{path}: CIDR value {text:?} is ambiguous in this context (should be {canonical:?} or \
             \"{}/{all}\"?)",
            block.address
        ));
    }
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    if has_leading_zeros(address)
        || (bits.len() > 1 && bits.starts_with('0'))
        || is_mapped(address, block.address)
    {
        warnings.push(format!(
            "{path}: non-standard CIDR value {text:?} will be considered invalid in a future \
             Kubernetes release: use {canonical:?}"
        ));
    }
    if warnings.is_empty() && block.address.is_ipv6() && text != canonical {
        warnings.push(format!(
            "{path}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({canonical:?})"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_by_go() {
        let check = |text: &str, want: Option<&str>| {
            let got = parse(text).map(|address| address.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        };
        check("010.001.000.1", Some("10.1.0.1"));
        check("256.0.0.1", None);
        check("1.2.3", None);
        check("::ffff:1.2.3.4", Some("1.2.3.4"));
        check("2001:DB8::0:1", Some("2001:db8::1"));
        check("fe80::1%eth0", None);
        check("", None);
    }

    #[test]
    fn the_canonical_form_is_asked_for() {
        let check = |text: &str, want: &[&str]| assert_eq!(problems(text), want, "{text}");
        check("10.0.0.1", &[]);
        check("10.0.0.01", &["must not have leading 0s"]);
        check(
            "::ffff:1.2.3.4",
            &["must not be an IPv4-mapped IPv6 address"],
        );
        check(
            "2001:DB8::1",
            &["must be in canonical form (\"2001:db8::1\")"],
        );
        let check = |text: &str, want: &[&str]| assert_eq!(block_problems(text), want, "{text}");
        check("10.0.0.0/8", &[]);
        check(
            "10.0.0.1/8",
            &["must not have bits set beyond the prefix length"],
        );
        check(
            "10.0.0.0/08",
            &["must not have leading 0s in IP or prefix length"],
        );
        check("0.0.0.0/0", &[]);
        check("10.0.0.0/33", &[BLOCK]);
    }

    #[test]
    fn blocks_contain_addresses() {
        let block = Block::parse("10.1.0.0/16").unwrap();
        assert!(block.contains(parse("10.1.255.1").unwrap()));
        assert!(!block.contains(parse("10.2.0.0").unwrap()));
        assert!(!block.contains(parse("::1").unwrap()));
    }
}
