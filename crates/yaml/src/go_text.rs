//! Errors in the words of `sigs.k8s.io/yaml`, because conditions and tests compare them. It must
//! never decide what is an error.

use crate::error::{Cause, Error};

impl Error {
    /// The text that `sigs.k8s.io/yaml` gives for this error, such as
    /// `yaml: line 4: did not find expected key`. Where its words are not known, or would quote
    /// data, this crate's own follow the prefix. Lines count from the start of the file.
    #[must_use]
    pub fn go_text(&self) -> String {
        match &self.cause {
            Cause::Grammar { line: 0, .. } => format!("yaml: {}", self.cause),
            Cause::Grammar { line, .. } => format!("yaml: line {line}: {}", self.cause),
            Cause::Syntax(text) if self.position.line > 1 => {
                format!("yaml: line {}: {text}", self.position.line)
            }
            Cause::NotJson(_)
            | Cause::BadSeparator(_)
            | Cause::UnsupportedKey("null" | "uint64") => self.cause.to_string(),
            Cause::UnsupportedKey(_) => "yaml: invalid map key".to_owned(),
            Cause::DuplicateKey(key) => {
                format!(
                    "yaml: unmarshal errors:\n  line {}: key {key:?} already set in map",
                    self.position.line
                )
            }
            cause => format!("yaml: {cause}"),
        }
    }
}
