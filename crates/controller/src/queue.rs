//! The work queue: each Application once, one worker at a time for it, sooner or later.
//!
//! Read [`Queue`] first. It knows keys and times only; it must never know why something is to be
//! done, so that no work depends on the reason.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// An Application by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who goes first among those that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Something happened to it.
    Now,
    /// Nothing that changes what is live; it may wait for all others.
    Background,
}

/// So many ends of work are noted before old ones are forgotten.
const MAX_ENDED: usize = 10_000;
/// Pauses are shorter than this.
const KEPT: Duration = Duration::from_secs(60);

/// Keys that are to be worked on. Bounded by the number of Applications: a key is in it once.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    urgent: VecDeque<AppKey>,
    background: VecDeque<AppKey>,
    /// Where a key waits: in `urgent` when true.
    waiting: HashMap<AppKey, bool>,
    /// What is worked on, and whether it is urgent.
    running: HashMap<AppKey, bool>,
    /// When the work on a key was over.
    ended: HashMap<AppKey, Instant>,
    /// Keys that were added while they ran.
    again: HashMap<AppKey, bool>,
    by_time: BTreeMap<(Instant, u64), AppKey>,
    times: HashMap<AppKey, (Instant, u64)>,
    n_delayed: u64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a key in; one that runs now runs once more after that.
    pub(crate) fn add(&self, key: AppKey, urgency: Urgency) {
        self.lock().add(key, urgency == Urgency::Now);
        self.wake.notify_one();
    }

    /// Puts a key in after a while; of several times the earliest counts.
    pub(crate) fn add_after(&self, key: AppKey, delay: Duration) {
        let mut state = self.lock();
        let due = Instant::now() + delay;
        if let Some(known) = state.times.get(&key).copied() {
            if known.0 <= due {
                return;
            }
            state.by_time.remove(&known);
        }
        state.n_delayed += 1;
        let place = (due, state.n_delayed);
        state.by_time.insert(place, key.clone());
        state.times.insert(key, place);
        drop(state);
        self.wake.notify_one();
    }

    /// Puts a key in as urgent, but so that a pause lies between the end of its last work and the
    /// next: who changes all the time would keep everybody else waiting.
    pub(crate) fn add_paced(&self, key: AppKey, pause: Duration) {
        let now = Instant::now();
        let rest = {
            let state = self.lock();
            if state.running.contains_key(&key) {
                pause
            } else {
                let ended = state.ended.get(&key);
                ended.map_or(Duration::ZERO, |ended| {
                    (*ended + pause).saturating_duration_since(now)
                })
            }
        };
        if rest.is_zero() {
            self.add(key, Urgency::Now);
        } else {
            self.add_after(key, rest);
        }
    }

    /// Waits for the next key. It must be given to [`Queue::done`] afterwards.
    pub(crate) async fn next(&self) -> AppKey {
        loop {
            let due = match self.lock().take(Instant::now()) {
                Ok(key) => {
                    // Another worker may be asleep while there is more to do.
                    self.wake.notify_one();
                    return key;
                }
                Err(due) => due,
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// Says that the work on a key is over.
    pub(crate) fn done(&self, key: &AppKey) {
        let mut state = self.lock();
        state.running.remove(key);
        state.end(key, Instant::now());
        if let Some(is_urgent) = state.again.remove(key) {
            state.add(key.clone(), is_urgent);
        }
        let is_work_left = !state.waiting.is_empty();
        drop(state);
        if is_work_left {
            self.wake.notify_one();
        }
    }

    /// How many keys wait or run now; those with a later time are not counted.
    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.running.len()
    }
}

impl State {
    fn add(&mut self, key: AppKey, is_urgent: bool) {
        if self.running.contains_key(&key) {
            *self.again.entry(key).or_insert(is_urgent) |= is_urgent;
            return;
        }
        match self.waiting.get_mut(&key) {
            Some(was_urgent) if *was_urgent || !is_urgent => {}
            Some(was_urgent) => {
                // Its place in the background stays behind, and is passed over.
                *was_urgent = true;
                self.urgent.push_back(key);
            }
            None => {
                self.waiting.insert(key.clone(), is_urgent);
                let list = if is_urgent {
                    &mut self.urgent
                } else {
                    &mut self.background
                };
                list.push_back(key);
            }
        }
    }

    /// The next key, or the time at which there may be one.
    fn take(&mut self, now: Instant) -> Result<AppKey, Option<Instant>> {
        while let Some(entry) = self.by_time.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.times.remove(&key);
            self.add(key, true);
        }
        let urgent = self.urgent.pop_front().map(|key| (key, true));
        let next = urgent.or_else(|| Some((self.take_background()?, false)));
        match next {
            Some((key, is_urgent)) => {
                self.waiting.remove(&key);
                self.running.insert(key.clone(), is_urgent);
                Ok(key)
            }
            None => Err(self.by_time.first_key_value().map(|((due, _), _)| *due)),
        }
    }

    /// The next key of the background. While something urgent is worked on only one runs: it must
    /// get on, but not take the processors away.
    fn take_background(&mut self) -> Option<AppKey> {
        let n_urgent = self.running.values().filter(|urgent| **urgent).count();
        if n_urgent > 0 && n_urgent < self.running.len() {
            return None;
        }
        let waiting = &self.waiting;
        let is_there = |key: &AppKey| waiting.get(key) == Some(&false);
        let first = self.background.iter().position(is_there)?;
        self.background.drain(..=first).next_back()
    }

    /// Notes the end of the work on a key; old notes are forgotten.
    fn end(&mut self, key: &AppKey, now: Instant) {
        if self.ended.len() >= MAX_ENDED {
            self.ended.retain(|_, ended| *ended + KEPT > now);
        }
        self.ended.insert(key.clone(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey {
            namespace: "argocd".into(),
            name: name.into(),
        }
    }

    fn check_order(queue: &Queue, want: &[&str]) {
        let mut found = Vec::new();
        while let Ok(key) = queue.lock().take(Instant::now()) {
            found.push(key.name);
        }
        assert_eq!(found, want);
    }

    #[test]
    fn a_key_is_in_the_queue_once_and_urgent_ones_go_first() {
        let queue = Queue::default();
        queue.add(key("slow"), Urgency::Background);
        queue.add(key("a"), Urgency::Now);
        queue.add(key("b"), Urgency::Now);
        queue.add(key("a"), Urgency::Background);
        queue.add(key("raised"), Urgency::Background);
        queue.add(key("raised"), Urgency::Now);
        assert_eq!(queue.len(), 4);
        check_order(&queue, &["a", "b", "raised", "slow"]);
    }

    #[test]
    fn a_key_that_is_added_while_it_runs_runs_once_more() {
        let queue = Queue::default();
        queue.add(key("a"), Urgency::Now);
        check_order(&queue, &["a"]);
        queue.add(key("a"), Urgency::Now);
        queue.add(key("a"), Urgency::Now);
        check_order(&queue, &[]);
        queue.done(&key("a"));
        check_order(&queue, &["a"]);
        queue.done(&key("a"));
        check_order(&queue, &[]);
    }

    #[test]
    fn one_of_the_background_runs_beside_urgent_work() {
        let queue = Queue::default();
        for name in ["x", "y", "z"] {
            queue.add(key(name), Urgency::Background);
        }
        queue.add(key("a"), Urgency::Now);
        check_order(&queue, &["a", "x"]);
        queue.done(&key("x"));
        check_order(&queue, &["y"]);
        queue.done(&key("a"));
        check_order(&queue, &["z"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paced_key_rests_between_works() {
        const PAUSE: Duration = Duration::from_millis(100);
        let queue = Queue::default();
        queue.add_paced(key("a"), PAUSE);
        check_order(&queue, &["a"]);
        queue.add_paced(key("a"), PAUSE);
        queue.done(&key("a"));
        queue.add_paced(key("a"), PAUSE);
        check_order(&queue, &[]);
        tokio::time::advance(PAUSE).await;
        check_order(&queue, &["a"]);
    }

    #[test]
    fn of_several_times_the_earliest_counts() {
        let queue = Queue::default();
        let start = Instant::now();
        for seconds in [60, 5, 30] {
            queue.add_after(key("a"), Duration::from_secs(seconds));
        }
        let due = queue
            .lock()
            .take(start)
            .expect_err("not yet")
            .expect("a time");
        assert!(due < start + Duration::from_secs(20));
        assert_eq!(queue.lock().take(due), Ok(key("a")));
        queue.done(&key("a"));
        assert_eq!(
            queue.lock().take(start + Duration::from_secs(120)),
            Err(None)
        );
    }
}
