//! What functions have read from texts: the templates of a chart ask for the same in each render.
//!
//! Read [`Known`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Charts have some dozen such texts; more are made by templates that make them.
const MAX_TEXTS: usize = 500;
/// Longer texts are read each time: what is kept stays as long as the chart.
const MAX_BYTES: usize = 64 << 10;

/// What texts were read as, or what is wrong with them.
#[derive(Debug)]
pub(crate) struct Known<T>(Mutex<HashMap<String, Outcome<T>>>);

type Outcome<T> = Result<Arc<T>, String>;

impl<T> Default for Known<T> {
    fn default() -> Self {
        Known(Mutex::default())
    }
}

impl<T> Known<T> {
    /// What `read` makes of a text, now or earlier.
    ///
    /// # Errors
    /// As `read` says.
    pub(crate) fn get(&self, text: &str, read: fn(&str) -> Result<T, String>) -> Outcome<T> {
        // A render that panicked left the map as it was: entries are put in whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = known.get(text) {
            return outcome.clone();
        }
        let outcome = read(text).map(Arc::new);
        if text.len() > MAX_BYTES {
            return outcome;
        }
        if known.len() == MAX_TEXTS {
            known.clear();
        }
        known.insert(text.to_owned(), outcome.clone());
        outcome
    }
}
