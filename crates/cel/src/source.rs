//! The text of an expression, and what is wrong where.

use std::fmt;

/// No more than this many problems of one text are told, as cel-go does.
const MAX_ISSUES: usize = 100;

/// A place in a text: the number of the character.
pub(crate) type Position = usize;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issues {
    text: Vec<char>,
    found: Vec<(Position, String)>,
}

impl Issues {
    pub(crate) fn new(text: &str, mut found: Vec<(Position, String)>) -> Self {
        found.sort_by_key(|(position, _)| *position);
        Issues {
            text: text.chars().collect(),
            found,
        }
    }

    /// Line from 1, column from 0, and the text of the line.
    fn place(&self, position: Position) -> (usize, usize, String) {
        let before = &self.text[..position.min(self.text.len())];
        let line = before.iter().filter(|letter| **letter == '\n').count();
        let start = before
            .iter()
            .rposition(|letter| *letter == '\n')
            .map_or(0, |at| at + 1);
        let shown = self.text[start..]
            .iter()
            .take_while(|letter| **letter != '\n')
            .collect();
        (line + 1, before.len() - start, shown)
    }
}

/// As cel-go prints problems: place, message, and the line with a mark below it.
impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (position, message)) in self.found.iter().take(MAX_ISSUES).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let (line, column, text) = self.place(*position);
            let text = text.replace('\t', " ");
            let dots = ".".repeat(column);
            write!(
                f,
                "ERROR: <input>:{line}:{}: {message}\n | {text}\n | {dots}^",
                column + 1
            )?;
        }
        if self.found.len() > MAX_ISSUES {
            let left = self.found.len() - MAX_ISSUES;
            write!(f, "\n{left} more errors were truncated")?;
        }
        Ok(())
    }
}
