//! What can be wrong with a text, and where. It knows lines and columns, never a file: callers add
//! the file's name. Read [`Error`] first.

use std::fmt;

use crate::Str;

/// A place in a text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {cause}")]
pub struct Error {
    /// The place.
    pub position: Position,
    /// What is wrong there.
    pub cause: Cause,
}

impl Error {
    pub(crate) fn new(position: Position, cause: Cause) -> Self {
        Error { position, cause }
    }
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The text breaks the grammar of YAML.
    #[error("{problem}")]
    Grammar {
        /// What is wrong, in the words of libyaml.
        problem: &'static str,
        /// The line that go-yaml v2 names; 0 where it names none.
        line: u32,
        /// The line that go-yaml v3 names: where the part begins that it could not read.
        begun: u32,
    },
    /// An alias has a name that no node before it has.
    #[error("unknown anchor '{0}' referenced")]
    UnknownAnchor(String),
    /// An alias stands in the node that it stands for.
    #[error("anchor '{0}' value contains itself")]
    EndlessAnchor(String),
    /// A character that no text may have.
    #[error("control characters are not allowed")]
    ControlCharacter,
    /// The text breaks the grammar of JSON, or names maps to merge twice.
    #[error("{0}")]
    Syntax(String),
    /// One of this crate's limits is exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A mapping has a key twice where that is an error (strict mode and go-yaml v3).
    #[error("key {0:?} already set in map")]
    DuplicateKey(String),
    /// Aliases make the document many times larger than its text, as go-yaml judges it.
    #[error("document contains excessive aliasing")]
    ExcessiveAliasing,
    /// An explicit tag does not fit the text of its scalar.
    #[error("cannot decode {found} `{text}` as a {tag}")]
    BadTag {
        /// The tag that the text resolves to.
        found: &'static str,
        /// The text.
        text: String,
        /// The tag that was asked for.
        tag: &'static str,
    },
    /// A `!!binary` scalar is not base64.
    #[error("!!binary value contains invalid base64 data")]
    BadBase64,
    /// A key that JSON cannot have: null, a list, a map or a number above the 64-bit signed range.
    #[error("unsupported map key of type: {0}")]
    UnsupportedKey(&'static str),
    /// The value of a `<<` key is no map and no list of maps.
    #[error("map merge requires map or sequence of maps as the value")]
    BadMerge,
    /// A number that JSON cannot have: NaN and the infinities.
    #[error("json: unsupported value: {0}")]
    NotJson(&'static str),
    /// Text follows `---` on its line, which Kubernetes' stream splitter refuses.
    #[error("invalid Yaml document separator: {0}")]
    BadSeparator(String),
}

/// Something in a text that go-yaml accepts without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub oddity: Oddity,
}

/// What a [`Warning`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A map has this key again; the last one is used.
    RepeatedKey(Str),
    /// Text behind the end of the first document of a piece of a stream is not used: a document
    /// that was ended by `...`, or that the text ended by breaking the grammar.
    IgnoredText,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Oddity::RepeatedKey(key) => {
                let key = key.as_str();
                write!(
                    f,
                    "key {key:?} appears more than once, the last one is used"
                )
            }
            Oddity::IgnoredText => f.write_str("text behind the end of the document is ignored"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.oddity)
    }
}
