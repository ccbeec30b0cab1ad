//! Events that repeat are counted, many similar ones are combined, too many are left out: what
//! client-go's event correlator does before it writes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use yaml::Value;

use super::fields::text;
use super::time::stamp;
use super::write::Note;

/// Series that are remembered, as client-go's cache does (`maxLruCacheEntries`).
const MAX_SERIES: usize = 4096;
/// From this many different messages on, events that differ in nothing else are combined.
const MAX_SIMILAR: usize = 10;
/// After this long without one, similar events are told apart again.
const SIMILAR_SECONDS: i64 = 600;
/// One object may have this many events of one source at once, and then one more in 5 minutes.
const BURST: f64 = 25.0;
const REFILL_PER_SECOND: f64 = 1.0 / 300.0;

/// How an event is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recording {
    /// Its name.
    pub(crate) name: String,
    /// Its text.
    pub(crate) message: String,
    /// How often it happened, this time included; more than once means that it is there already.
    pub(crate) count: i64,
    /// When it happened first.
    pub(crate) first: Value,
}

/// What was recorded so far. Everything is forgotten with the process: a series starts anew.
#[derive(Debug)]
pub(crate) struct Notes(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// The last part of the next name, unique among those of this process.
    number: u64,
    series: Bounded<Recording>,
    similar: Bounded<Similar>,
    budgets: Bounded<Budget>,
}

#[derive(Debug)]
struct Similar {
    messages: BTreeSet<String>,
    last: Timestamp,
}

#[derive(Debug)]
struct Budget {
    left: f64,
    at: Timestamp,
}

impl Notes {
    /// Nothing recorded; names go on from `number`.
    pub(crate) fn new(number: u64) -> Self {
        Notes(Mutex::new(Known {
            number,
            series: Bounded::default(),
            similar: Bounded::default(),
            budgets: Bounded::default(),
        }))
    }

    /// Takes an event in; `None` when its object has had too many.
    pub(crate) fn take(&self, note: &Note, message: &str, now: Timestamp) -> Option<Recording> {
        // A panic elsewhere leaves the maps whole: every change is one insertion.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.take(note, message, now)
    }
}

impl Known {
    fn take(&mut self, note: &Note, message: &str, now: Timestamp) -> Option<Recording> {
        let about = format!(
            "{}\n{}\n{}\n{}",
            note.component,
            text(&note.about, &["namespace"]),
            text(&note.about, &["name"]),
            text(&note.about, &["uid"])
        );
        let alike = format!("{about}\n{}\n{}", note.severity, note.reason);
        let (message, key) = self.combine(message, &alike, now);
        let recording = self.count(note, message, key, now);
        self.afford(about, now).then_some(recording)
    }

    /// The message, and what it is counted under.
    fn combine(&mut self, message: &str, alike: &str, now: Timestamp) -> (String, String) {
        let similar = self.similar.entry(alike.to_owned(), || Similar {
            messages: BTreeSet::new(),
            last: now,
        });
        if now.as_second() - similar.last.as_second() > SIMILAR_SECONDS {
            similar.messages.clear();
        }
        similar.last = now;
        similar.messages.insert(message.to_owned());
        if similar.messages.len() < MAX_SIMILAR {
            return (message.to_owned(), format!("{alike}\n{message}"));
        }
        similar.messages.pop_first();
        let combined = format!("(combined from similar events): {message}");
        (combined, alike.to_owned())
    }

    fn count(&mut self, note: &Note, message: String, key: String, now: Timestamp) -> Recording {
        self.number += 1;
        let name = format!("{}.{:016x}", text(&note.about, &["name"]), self.number);
        let series = self.series.entry(key, || Recording {
            name,
            message: String::new(),
            count: 0,
            first: stamp(now),
        });
        series.count += 1;
        series.message = message;
        series.clone()
    }

    fn afford(&mut self, about: String, now: Timestamp) -> bool {
        let budget = self.budgets.entry(about, || Budget {
            left: BURST,
            at: now,
        });
        let passed = now.duration_since(budget.at).as_secs_f64();
        budget.left = (budget.left + passed * REFILL_PER_SECOND).min(BURST);
        budget.at = now;
        let affordable = budget.left >= 1.0;
        if affordable {
            budget.left -= 1.0;
        }
        affordable
    }
}

/// A map that forgets its oldest entries.
#[derive(Debug)]
struct Bounded<T> {
    entries: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Bounded {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Bounded<T> {
    fn entry(&mut self, key: String, new: impl FnOnce() -> T) -> &mut T {
        if !self.entries.contains_key(&key) {
            self.order.push_back(key.clone());
            if self.order.len() > MAX_SERIES
                && let Some(oldest) = self.order.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
        self.entries.entry(key).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::{json, now};

    fn note(reason: &'static str) -> Note {
        let object = json(
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": "u"}}"#,
        );
        let object = manifest::Object::new(object).expect("is an object");
        Note::normal(&object, "tester", reason, "said".to_owned())
    }

    #[test]
    fn what_happens_again_is_counted() {
        let notes = Notes::new(0);
        let first = notes
            .take(&note("A"), "said", now())
            .expect("is affordable");
        let again = notes
            .take(&note("A"), "said", now())
            .expect("is affordable");
        let other = notes
            .take(&note("B"), "said", now())
            .expect("is affordable");
        assert_eq!((first.count, again.count, other.count), (1, 2, 1));
        assert_eq!(first.name, again.name);
        assert_ne!(first.name, other.name);
    }

    #[test]
    fn the_tenth_similar_message_is_combined() {
        let notes = Notes::new(0);
        let said: Vec<String> = (0..12)
            .filter_map(|number| notes.take(&note("A"), &format!("said {number}"), now()))
            .map(|recording| recording.message)
            .collect();
        assert_eq!(said[8], "said 8");
        assert_eq!(said[9], "(combined from similar events): said 9");
    }

    #[test]
    fn too_many_events_of_one_object_are_left_out() {
        let notes = Notes::new(0);
        let n_written = (0..40)
            .filter(|_| notes.take(&note("A"), "said", now()).is_some())
            .count();
        assert_eq!(n_written, 25);
    }
}
