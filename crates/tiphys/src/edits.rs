//! Saved files: tells when something below a folder may have changed.
//!
//! Only folders that hold files of the repository are watched, not what Git ignores (build output
//! can be larger than the sources); a new folder is watched when it appears.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Events that wait to be read; more of them say nothing new.
const MAX_WAITING: usize = 256;

/// Files that nobody has touched for so long are taken to be whole.
const QUIET: Duration = Duration::from_millis(15);
/// The longest wait for that.
const LONGEST: Duration = Duration::from_millis(250);

/// The watched folders.
pub(crate) struct Edits {
    watcher: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

impl Edits {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the system has no way to watch files.
    pub(crate) fn new() -> Result<Self> {
        let (sender, events) = mpsc::channel(MAX_WAITING);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_read = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
            if !is_read {
                // Full means that somebody will look anyway.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher.context("cannot watch files")?;
        Ok(Edits {
            watcher,
            watched: HashSet::new(),
            events,
        })
    }

    /// Watches these folders and no others. One that has gone is left out.
    pub(crate) fn watch(&mut self, folders: &[PathBuf]) {
        let wanted: HashSet<PathBuf> = folders.iter().cloned().collect();
        for gone in self.watched.difference(&wanted) {
            // Its watch ended with the folder.
            drop(self.watcher.unwatch(gone));
        }
        let mut watched: HashSet<PathBuf> = self.watched.intersection(&wanted).cloned().collect();
        for new in wanted.difference(&watched).cloned().collect::<Vec<_>>() {
            if self
                .watcher
                .watch(&new, RecursiveMode::NonRecursive)
                .is_ok()
            {
                watched.insert(new);
            }
        }
        self.watched = watched;
    }

    /// Waits for the next change; several in a row are one. A program that saves a file empties it
    /// first, so a file is looked at when it has been left alone for a moment.
    pub(crate) async fn next(&mut self) {
        if self.events.recv().await.is_none() {
            // The watcher lives as long as we do; without it nothing ever changes.
            std::future::pending::<()>().await;
        }
        let settled = async {
            while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
        };
        // Who writes without a pause is looked at all the same.
        drop(tokio::time::timeout(LONGEST, settled).await);
        while self.events.try_recv().is_ok() {}
    }
}
