//! SHA-256 digests as registries and indexes write them. Read [`Digest`].

use std::fmt;

use sha2::{Digest as _, Sha256};

/// `sha256:` and 64 hexadecimal digits, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of a content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Digest::from_hash(&Sha256::digest(content))
    }

    pub(crate) fn from_hash(hash: &[u8]) -> Self {
        Digest(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads `sha256:<hex>`, or the digits alone as an index of charts has them; `None` for
    /// anything else, other algorithms included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        is_hex.then(|| Digest(digits.to_ascii_lowercase()))
    }

    /// The digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}
