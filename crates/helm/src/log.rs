//! What Helm tells on the side: it goes on, but somebody should know.

use std::fmt;

/// How much a [`Warning`] matters to Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `DEBUG`: only told where it is asked for.
    Debug,
    /// `INFO`.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
}

/// A line of Helm's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Names and values behind it.
    pub fields: Vec<(&'static str, String)>,
}

impl Warning {
    fn new(level: Level, message: impl Into<String>) -> Self {
        Warning {
            level,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn debug(message: impl Into<String>) -> Self {
        Warning::new(Level::Debug, message)
    }

    pub(crate) fn error(message: impl Into<String>) -> Self {
        Warning::new(Level::Error, message)
    }

    pub(crate) fn warn(message: impl Into<String>) -> Self {
        Warning::new(Level::Warn, message)
    }

    pub(crate) fn info(message: impl Into<String>) -> Self {
        Warning::new(Level::Info, message)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

impl fmt::Display for Warning {
    /// As Go's `slog` writes it as text, without the time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        write!(f, "level={level} msg={}", quoted(&self.message))?;
        for (name, value) in &self.fields {
            write!(f, " {name}={}", quoted(value))?;
        }
        Ok(())
    }
}

/// In quotes where there is something that a reader of the line could trip over.
fn quoted(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_graphic() && !matches!(it, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    gotmpl::quote(text)
}
