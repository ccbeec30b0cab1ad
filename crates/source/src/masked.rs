//! Text that must never be shown. Read [`Masked`]; this module must never print what it holds.

use std::fmt;

/// A password, token or key: `Debug` and `Display` give `***`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Masked(Box<str>);

impl Masked {
    /// Takes the secret text.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Masked(text.into())
    }

    /// The secret itself: only for the code that sends it to its server.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
