//! Errors in the words of `sigs.k8s.io/yaml`, because conditions and tests compare them.
//!
//! The parser library has its own words and places; the table here was read off recordings of both
//! (`testdata/parse.jsonl`). It must never decide what is an error.

use crate::error::{Cause, Error};

/// How go-yaml counts the line that it names.
#[derive(Clone, Copy)]
enum Line {
    /// Errors of its scanner name the line, those of its parser the one before: it counts from 0
    /// and forgot to add 1.
    Scanner,
    Parser,
    /// Found one line below the place that this crate names.
    Below,
}

/// Beginnings of this crate's messages, and what go-yaml says. The first that fits counts.
const WORDS: [(&str, &str, Line); 20] = [
    (
        "invalid trailing content",
        "did not find expected key",
        Line::Parser,
    ),
    (
        "while parsing a block mapping, ",
        "did not find expected key",
        Line::Parser,
    ),
    (
        "while parsing a block collection, ",
        "did not find expected '-' indicator",
        Line::Parser,
    ),
    (
        "mapping values are not",
        "mapping values are not allowed in this context",
        Line::Scanner,
    ),
    (
        "mapping keys are not",
        "mapping keys are not allowed in this context",
        Line::Scanner,
    ),
    (
        "simple key expected ':'",
        "could not find expected ':'",
        Line::Below,
    ),
    (
        "block sequence entries",
        "block sequence entries are not allowed in this context",
        Line::Scanner,
    ),
    (
        "while scanning an anchor or alias, ",
        "did not find expected alphabetic or numeric character",
        Line::Scanner,
    ),
    (
        "while scanning a block scalar, did not",
        "did not find expected comment or line break",
        Line::Scanner,
    ),
    (
        "unexpected EOF while parsing a flow sequence",
        "did not find expected ',' or ']'",
        Line::Parser,
    ),
    (
        "unexpected EOF while parsing a flow mapping",
        "did not find expected ',' or '}'",
        Line::Parser,
    ),
    (
        "unexpected EOF while parsing",
        "did not find expected node content",
        Line::Parser,
    ),
    (
        "while parsing a flow sequence, ",
        "did not find expected ',' or ']'",
        Line::Parser,
    ),
    (
        "while parsing a flow mapping, ",
        "did not find expected ',' or '}'",
        Line::Parser,
    ),
    (
        "':' may not precede",
        "did not find expected ',' or '}'",
        Line::Parser,
    ),
    (
        "unexpected character",
        "found character that cannot start any token",
        Line::Scanner,
    ),
    (
        "unclosed quote",
        "found unexpected end of stream",
        Line::Below,
    ),
    (
        "invalid indentation in multiline",
        "found unexpected end of stream",
        Line::Scanner,
    ),
    (
        "tab",
        "found character that cannot start any token",
        Line::Scanner,
    ),
    (
        "while parsing a node, ",
        "did not find expected node content",
        Line::Parser,
    ),
];

impl Error {
    /// The text that `sigs.k8s.io/yaml` gives for this error, such as
    /// `yaml: line 4: did not find expected key`. Where its words are not known, or would quote
    /// data, this crate's own follow the prefix. Lines count from the start of the file.
    #[must_use]
    pub fn go_text(&self) -> String {
        match &self.cause {
            Cause::Syntax(text) => self.syntax(text),
            Cause::Unclosed {
                open,
                last_line,
                awaits_node,
            } => {
                let words = match open {
                    _ if *awaits_node => "did not find expected node content",
                    '[' => "did not find expected ',' or ']'",
                    _ => "did not find expected ',' or '}'",
                };
                format!("yaml: line {last_line}: {words}")
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

    fn syntax(&self, text: &str) -> String {
        let known = WORDS.iter().find(|(ours, ..)| text.starts_with(ours));
        let (words, line) = known.map_or((text, Line::Scanner), |(_, words, line)| (*words, *line));
        let from_zero = self.position.line.saturating_sub(1);
        let shown = match line {
            Line::Scanner if from_zero > 0 => self.position.line,
            Line::Scanner => 0,
            Line::Parser => from_zero,
            Line::Below => self.position.line + 1,
        };
        let placeless =
            text.starts_with("control characters") || text.starts_with("unknown anchor");
        match shown {
            0 => format!("yaml: {words}"),
            _ if placeless => format!("yaml: {words}"),
            line => format!("yaml: line {line}: {words}"),
        }
    }
}
