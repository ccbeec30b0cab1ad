//! What `up` shows while it runs: a table that is drawn again in place, or a line per change.
//!
//! Read [`Screen`] first. What a line says is of [`crate::progress`].

use std::collections::BTreeMap;

use crate::apps::{Changed, States};
use crate::progress::{self, Revisions};
use crate::terminal;

/// The output of one run.
pub(crate) struct Screen {
    is_live: bool,
    /// A live table is out of date.
    is_stale: bool,
    /// The table that stands on the terminal.
    drawn: String,
    /// Without a table: the last line of each Application, and the revisions that they know.
    lines: BTreeMap<String, String>,
    revisions: Revisions,
}

impl Screen {
    /// Shows nothing yet; a live one is for a terminal.
    pub(crate) fn new(is_live: bool) -> Self {
        Screen {
            is_live,
            is_stale: false,
            drawn: String::new(),
            lines: BTreeMap::new(),
            revisions: Revisions::default(),
        }
    }

    /// Takes in what changed: lines are written at once, a table when it is drawn next.
    pub(crate) fn show(&mut self, apps: &States, changed: Changed<'_>, revisions: &Revisions) {
        self.is_stale = true;
        if self.is_live {
            return;
        }
        if self.revisions != *revisions {
            self.revisions.clone_from(revisions);
        }
        match changed {
            // Whom a new commit does not touch has nothing to tell.
            Changed::One(name) => self.tell(apps, name),
            Changed::All => {
                let mut names: Vec<String> =
                    self.lines.keys().chain(apps.keys()).cloned().collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    self.tell(apps, &name);
                }
            }
        }
    }

    /// The line of one Application, when it is another one than before.
    fn tell(&mut self, apps: &States, name: &str) {
        let Some(app) = apps.get(name) else {
            if self.lines.remove(name).is_some() {
                terminal::line(&format!("{name}: deleted"));
            }
            return;
        };
        let line = progress::line(app, &self.revisions);
        if self.lines.get(name) != Some(&line) {
            terminal::line(&line);
            self.lines.insert(name.to_owned(), line);
        }
    }

    /// Draws the table of a live screen, unless the one that stands there is true.
    pub(crate) fn draw(&mut self, apps: &States, revisions: &Revisions) {
        if !self.is_live || !std::mem::take(&mut self.is_stale) {
            return;
        }
        let table = progress::table(apps, revisions);
        if table == self.drawn {
            return;
        }
        // Up to the first line that was drawn, and clear from there.
        let up = match self.drawn.lines().count() {
            0 => String::new(),
            n_lines => format!("\x1b[{n_lines}F"),
        };
        terminal::print(&format!("{up}\x1b[0J{table}"));
        self.drawn = table;
    }
}
