//! OpenSSH's known_hosts text: which host keys are believed. Read [`KnownHosts`].
//!
//! Knows texts only. `@cert-authority` lines are told as not supported, `@revoked` keys are refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::PublicKey;

use crate::TrustError;

/// The most lines read: a file of all hosts of a large company is far below.
const MAX_LINES: usize = 100_000;

/// The port that is left out of known_hosts.
const SSH_PORT: u16 = 22;

/// The bytes of a block of SHA-1, for HMAC.
const BLOCK: usize = 64;

/// Parsed known_hosts text.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownHosts {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    hosts: Hosts,
    key: PublicKey,
    is_revoked: bool,
}

#[derive(Clone, Debug)]
enum Hosts {
    Patterns(Vec<String>),
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

/// What known_hosts says about a key that a host showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the one.
    Known,
    /// The host is not in the text.
    UnknownHost,
    /// The host is there with other keys.
    OtherKey,
    /// The key is marked as revoked.
    Revoked,
}

impl KnownHosts {
    /// Reads what can be read, and tells the rest.
    pub(crate) fn parse(text: &str) -> (KnownHosts, Vec<TrustError>) {
        let mut lines = Vec::new();
        let mut problems = Vec::new();
        for (index, line) in text.lines().enumerate().take(MAX_LINES) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Line::parse(line) {
                Ok(line) => lines.push(line),
                Err(problem) => problems.push(TrustError::KnownHosts {
                    line: index + 1,
                    problem,
                }),
            }
        }
        (KnownHosts { lines }, problems)
    }

    /// Judges the key that a host showed.
    pub(crate) fn judge(&self, host: &str, port: u16, key: &PublicKey) -> Verdict {
        let mut verdict = Verdict::UnknownHost;
        for line in self.lines.iter().filter(|line| line.hosts.hold(host, port)) {
            let is_same = line.key.key_data() == key.key_data();
            match (line.is_revoked, is_same) {
                (true, true) => return Verdict::Revoked,
                (true, false) => {}
                (false, true) => verdict = Verdict::Known,
                (false, false) if verdict == Verdict::UnknownHost => verdict = Verdict::OtherKey,
                (false, false) => {}
            }
        }
        verdict
    }

    /// The kinds of keys known for a host, so that the server is asked for one of them.
    pub(crate) fn algorithms(&self, host: &str, port: u16) -> Vec<russh::keys::Algorithm> {
        self.lines
            .iter()
            .filter(|line| !line.is_revoked && line.hosts.hold(host, port))
            .map(|line| line.key.algorithm())
            .collect()
    }
}

impl Line {
    fn parse(line: &str) -> Result<Line, &'static str> {
        let mut words = line.split_ascii_whitespace();
        let mut hosts = words.next().ok_or("is empty")?;
        let is_revoked = hosts == "@revoked";
        if hosts == "@cert-authority" {
            return Err("host certificates are not supported");
        }
        if is_revoked {
            hosts = words.next().ok_or("has no host")?;
        }
        let (kind, key) = words.next().zip(words.next()).ok_or("has no key")?;
        let key = PublicKey::from_openssh(&format!("{kind} {key}"))
            .map_err(|_| "has a key that cannot be read")?;
        Ok(Line {
            hosts: Hosts::parse(hosts)?,
            key,
            is_revoked,
        })
    }
}

impl Hosts {
    fn parse(text: &str) -> Result<Hosts, &'static str> {
        let Some(hashed) = text.strip_prefix("|1|") else {
            let patterns = text.split(',').map(str::to_ascii_lowercase);
            return Ok(Hosts::Patterns(patterns.collect()));
        };
        let (salt, hash) = hashed
            .split_once('|')
            .ok_or("has a hash that cannot be read")?;
        match (STANDARD.decode(salt), STANDARD.decode(hash)) {
            (Ok(salt), Ok(hash)) => Ok(Hosts::Hashed { salt, hash }),
            _ => Err("has a hash that cannot be read"),
        }
    }

    fn hold(&self, host: &str, port: u16) -> bool {
        let name = if port == SSH_PORT {
            host.to_owned()
        } else {
            format!("[{host}]:{port}")
        };
        match self {
            Hosts::Hashed { salt, hash } => {
                hmac_sha1(salt, name.as_bytes()).as_deref() == Some(hash)
            }
            Hosts::Patterns(patterns) => {
                let (denied, allowed): (Vec<_>, Vec<_>) = patterns
                    .iter()
                    .partition(|pattern| pattern.starts_with('!'));
                allowed.iter().any(|pattern| matches(pattern, &name))
                    && !denied.iter().any(|pattern| matches(&pattern[1..], &name))
            }
        }
    }
}

/// Whether a pattern with `*` and `?` matches the whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// HMAC over the SHA-1 that Git's objects need anyway; OpenSSH hashes host names with it.
fn hmac_sha1(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let sha1 = |parts: [&[u8]; 2]| {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.try_finalize().ok().map(|id| id.as_bytes().to_vec())
    };
    let mut block = [0_u8; BLOCK];
    block.get_mut(..key.len())?.copy_from_slice(key);
    let inner = sha1([&block.map(|b| b ^ 0x36), text])?;
    sha1([&block.map(|b| b ^ 0x5c), &inner])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIoL2wVKYSE2AsOZGQ9bRu90PRmMbZnzi9caODKNdrsd";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOanM6AZQOzGv7avGOlFv6CrkMvFUazhY2T9/wZQXBQL";

    #[test]
    fn hosts_are_found_as_openssh_does() {
        let check = |hosts: &str, host: &str, port: u16, want: Verdict| {
            let (known, problems) = KnownHosts::parse(&format!("{hosts} ssh-ed25519 {KEY}"));
            assert_eq!(problems, []);
            let key = PublicKey::from_openssh(&format!("ssh-ed25519 {KEY}")).unwrap();
            assert_eq!(known.judge(host, port, &key), want, "{hosts} {host}:{port}");
        };
        check("git.example", "git.example", 22, Verdict::Known);
        check("git.example", "git.example", 2222, Verdict::UnknownHost);
        check("[git.example]:2222", "git.example", 2222, Verdict::Known);
        check("a,git.example", "git.example", 22, Verdict::Known);
        check("*.example", "git.example", 22, Verdict::Known);
        check(
            "*.example,!git.example",
            "git.example",
            22,
            Verdict::UnknownHost,
        );
        check("@revoked *", "git.example", 22, Verdict::Revoked);
        // Written by `ssh-keygen -H` of OpenSSH 9.2 for the host git.example.
        let hashed = "|1|TsYr2YBUAw2QfIethAy57hP1f78=|Vy74z8npnTzSjmlCVKVbdMzpKoQ=";
        check(hashed, "git.example", 22, Verdict::Known);
        check(hashed, "other.example", 22, Verdict::UnknownHost);
    }

    #[test]
    fn another_key_is_not_believed() {
        let (known, _) = KnownHosts::parse(&format!("git.example ssh-ed25519 {KEY}"));
        let other = PublicKey::from_openssh(&format!("ssh-ed25519 {OTHER}")).unwrap();
        assert_eq!(known.judge("git.example", 22, &other), Verdict::OtherKey);
    }

    #[test]
    fn unreadable_lines_are_told_and_the_rest_is_used() {
        let text =
            format!("# x\n\nbroken\n@cert-authority * ssh-ed25519 {KEY}\na ssh-ed25519 {KEY}\n");
        let (known, problems) = KnownHosts::parse(&text);
        assert_eq!((known.lines.len(), problems.len()), (1, 2));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\\n]{0,80}", host in "[a-z.*?]{0,10}", pattern in "[a-z.*?!]{0,10}") {
            let key = PublicKey::from_openssh(&format!("ssh-ed25519 {KEY}")).unwrap();
            let (known, _) = KnownHosts::parse(&format!("{text}\n{pattern} ssh-ed25519 {KEY}"));
            known.judge(&host, 22, &key);
            proptest::prop_assert!(matches(&host, &host) && matches("*", &host));
        }
    }
}
