//! The objects of one file, and what is wrong with it.
//!
//! Read [`decode`] first. It follows what Argo CD does with a file of a plain directory (rules R4
//! and R29-R31 of the reference on sources): which texts fail the whole source, and which are left
//! out in silence. Here silence is a [`Problem`] that names file and line. It must never know which
//! files a source takes.

use std::fmt;

use yaml::{Documents, Mode, Position, Value};

use crate::{Object, ObjectError};

/// A thing and the line on which it begins in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The thing.
    pub item: T,
    /// Its first line, from 1; an item of a list has the line of the list.
    pub line: u32,
}

/// What a [`Problem`] means for the file it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The file cannot be used, and neither can the source that it belongs to.
    Fails,
    /// What is broken is left out; Argo CD does so without a word.
    LeftOut,
    /// Everything is used, as Argo CD does, but it is hardly what was meant.
    Kept,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as given to [`decode`].
    pub path: String,
    /// Where in it.
    pub position: Position,
    /// What follows from it.
    pub consequence: Consequence,
    /// What is wrong; never a part of the file's data.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "{}:{line}:{column}: {}", self.path, self.message)
    }
}

/// The objects of a file, and its problems in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The objects, lists expanded. Empty when a problem [fails](Consequence::Fails) the file.
    pub objects: Vec<Located<Object>>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Decoded {
    /// The problem that makes the file unusable, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Problem> {
        self.problems
            .iter()
            .find(|problem| problem.consequence == Consequence::Fails)
    }
}

/// The words that make a broken file look like a manifest to Argo CD: one that has them all fails,
/// any other is taken for a file of another kind.
const MANIFEST_WORDS: [&str; 3] = ["apiVersion:", "kind:", "metadata:"];

/// Reads all objects of a file. `path` names it in problems, and its ending `.json` makes it JSON
/// (one object or several, one after the other); every other file is a stream of YAML documents.
///
/// - A document that is no map or has no `kind` breaks the file as a syntax error does.
/// - A broken YAML file fails if an object stands before the error or if it contains all of
///   `apiVersion:`, `kind:` and `metadata:`; else it is left out with a problem. A broken JSON file
///   always fails.
/// - An object with a list in `items` stands for the items; one with `items: null`, no `spec` and
///   no `status` stands for nothing.
/// - An object without `apiVersion` fails the file; one without a name is kept with a problem.
/// - Repeated keys are kept (the last one) with a problem; text behind `...` is left out with one.
#[must_use]
pub fn decode(path: &str, bytes: &[u8]) -> Decoded {
    let mut reader = Reader {
        path,
        decoded: Decoded::default(),
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let failure = Failure {
                position: position_at_end(before),
                message: "invalid UTF-8".to_owned(),
                is_manifest: false,
            };
            reader.broken(failure, &String::from_utf8_lossy(bytes));
            return reader.decoded;
        }
    };
    let result = if is_json(path) {
        reader.json(text)
    } else {
        reader.yaml(text)
    };
    if let Err(failure) = result {
        reader.broken(failure, text);
    }
    reader.decoded
}

/// The objects of one document that is parsed already; problems are at its first line. As
/// [`decode`], except that a broken one always fails: who parsed it took it for a manifest.
#[must_use]
pub fn of_document(path: &str, value: Value) -> Decoded {
    let mut reader = Reader {
        path,
        decoded: Decoded::default(),
    };
    if let Err(failure) = reader.document(value, start_of(1)) {
        reader.decoded.objects.clear();
        reader.report(failure.position, Consequence::Fails, failure.message);
    }
    reader.decoded
}

fn is_json(path: &str) -> bool {
    path.ends_with(".json")
}

fn position_at_end(before: &[u8]) -> Position {
    let text = String::from_utf8_lossy(before);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position {
        line: count(text.matches('\n').count() + 1),
        column: count(text.rsplit('\n').next().unwrap_or_default().chars().count() + 1),
    }
}

/// Where and why reading a file stopped.
struct Failure {
    position: Position,
    message: String,
    /// It is a Kubernetes object, only a wrong one: never taken for a file of another kind.
    is_manifest: bool,
}

impl Failure {
    /// With the words of Argo CD's condition for a file of YAML.
    fn of_yaml(error: &yaml::Error) -> Self {
        let message = match &error.cause {
            cause @ yaml::Cause::BadSeparator(_) => cause.to_string(),
            _ => format!("error converting YAML to JSON: {}", error.go_text()),
        };
        Failure {
            position: error.position,
            message,
            is_manifest: false,
        }
    }

    fn of_json(error: &yaml::Error) -> Self {
        Failure {
            position: error.position,
            message: error.cause.to_string(),
            is_manifest: false,
        }
    }
}

struct Reader<'a> {
    path: &'a str,
    decoded: Decoded,
}

impl Reader<'_> {
    fn yaml(&mut self, text: &str) -> Result<(), Failure> {
        let mut documents = Documents::new(text, Mode::GoYaml2);
        let mut result = Ok(());
        while result.is_ok() {
            result = match documents.next_document() {
                Ok(None) => break,
                Ok(Some(document)) => self.document(document.value, start_of(document.line)),
                Err(error) => Err(Failure::of_yaml(&error)),
            };
        }
        for warning in documents.take_warnings() {
            self.report(
                warning.position,
                Consequence::Kept,
                warning.oddity.to_string(),
            );
        }
        self.decoded
            .problems
            .sort_by_key(|problem| problem.position);
        result
    }

    fn json(&mut self, text: &str) -> Result<(), Failure> {
        let mut values = yaml::json::Stream::new(text);
        while let Some((value, position)) = values
            .next_value()
            .map_err(|error| Failure::of_json(&error))?
        {
            if !value.is_null() {
                self.document(value, position)?;
            }
        }
        Ok(())
    }

    fn document(&mut self, value: Value, position: Position) -> Result<(), Failure> {
        match list_items(value) {
            Items::NoList(value) => self.object(value, position),
            Items::List(items) => {
                for item in items {
                    // A list in a list would be refused by the cluster; it is expanded as well.
                    self.document(item, position)?;
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, value: Value, position: Position) -> Result<(), Failure> {
        let fail = |message, is_manifest| Failure {
            position,
            message,
            is_manifest,
        };
        if let Value::Map(map) = &value
            && map
                .get("kind")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
        {
            return Err(fail("Object 'Kind' is missing".to_owned(), false));
        }
        let object = Object::new(value).map_err(|error| match error {
            ObjectError::Missing(field) => fail(format!("{field} is missing or no text"), true),
            error => fail(error.to_string(), false),
        })?;
        let metadata = object.value().get("metadata");
        let has_name = |field| {
            metadata
                .and_then(|metadata| metadata.get(field))
                .is_some_and(|name| match name {
                    Value::String(name) => !name.is_empty(),
                    _ => false,
                })
        };
        if !has_name("name") && !has_name("generateName") {
            let message = format!("{} has no metadata.name", object.kind());
            self.report(position, Consequence::Kept, message);
        }
        let line = position.line;
        self.decoded.objects.push(Located { item: object, line });
        Ok(())
    }

    fn report(&mut self, position: Position, consequence: Consequence, message: String) {
        self.decoded.problems.push(Problem {
            path: self.path.to_owned(),
            position,
            consequence,
            message,
        });
    }

    /// Decides what a failure means, by the rule of Argo CD.
    fn broken(&mut self, failure: Failure, text: &str) {
        let fails = failure.is_manifest
            || is_json(self.path)
            || !self.decoded.objects.is_empty()
            || MANIFEST_WORDS.iter().all(|word| text.contains(word));
        self.decoded.objects.clear();
        let consequence = match fails {
            true => Consequence::Fails,
            false => Consequence::LeftOut,
        };
        self.report(failure.position, consequence, failure.message);
    }
}

fn start_of(line: u32) -> Position {
    Position { line, column: 1 }
}

enum Items {
    NoList(Value),
    List(Vec<Value>),
}

/// What a value with `items` stands for; the kind's name does not matter, as in apimachinery.
fn list_items(mut value: Value) -> Items {
    let is_bare = value.get("spec").is_none() && value.get("status").is_none();
    match value.get_mut("items") {
        Some(Value::List(items)) => Items::List(std::mem::take(items)),
        Some(Value::Null) if is_bare => Items::List(Vec::new()),
        _ => Items::NoList(value),
    }
}

#[cfg(test)]
mod tests;
