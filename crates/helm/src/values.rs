//! Where the values of a render come from, and which of them win.

use std::sync::Arc;

use yaml::json;

use crate::Error;
use crate::strvals::{self, Reading};
use crate::value::{Value, Values};

/// The values that somebody gives, kind by kind; of one kind the later ones win, and kinds win over
/// those above them here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueSources {
    /// Value files: names (for messages) and texts.
    pub files: Vec<(String, String)>,
    /// `--set-json`: `key=JSON,…` or a whole object.
    pub json: Vec<String>,
    /// `--set`: `key=value,…`.
    pub set: Vec<String>,
    /// `--set-string`: as `--set`, but values are texts.
    pub strings: Vec<String>,
    /// `--set-file`: `key=path,…`.
    pub set_files: Vec<String>,
    /// `--set-literal`: `key=anything`.
    pub literals: Vec<String>,
}

impl ValueSources {
    /// All of them together. `read` gives the text of a file that `--set-file` names, or says why
    /// it cannot.
    ///
    /// # Errors
    /// [`Error::Text`] in Helm's words for the first that cannot be read.
    pub fn merged(&self, read: &dyn Fn(&str) -> Result<String, String>) -> Result<Values, Error> {
        let mut values = Values::new();
        for (name, text) in &self.files {
            let file = Values::parse(text);
            values.merge(&file.map_err(|error| error.within(&format!("failed to parse {name}")))?);
        }
        for line in &self.json {
            set_json(line, &mut values)?;
        }
        let kinds: [(&str, &[String], Reading<'_>); 4] = [
            ("--set", &self.set, Reading::Typed),
            ("--set-string", &self.strings, Reading::Text),
            ("--set-file", &self.set_files, Reading::File(read)),
            ("--set-literal", &self.literals, Reading::Literal),
        ];
        for (flag, lines, reading) in kinds {
            for line in lines {
                strvals::apply(line, &mut values, reading).map_err(|problem| {
                    Error::text(format!("failed parsing {flag} data: {problem}"))
                })?;
            }
        }
        Ok(values)
    }
}

fn set_json(line: &str, values: &mut Values) -> Result<(), Error> {
    let trimmed = line.trim();
    if trimmed.starts_with('{') {
        return match json::parse_str(trimmed) {
            Ok(yaml::Value::Map(map)) => {
                values.merge(&Values::from(map));
                Ok(())
            }
            _ => Err(Error::text(format!(
                "failed parsing --set-json data JSON: {line}"
            ))),
        };
    }
    strvals::apply(line, values, Reading::Json)
        .map_err(|_| Error::text(format!("failed parsing --set-json data {line}")))
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Value::List(Arc::new(items))
    }
}
