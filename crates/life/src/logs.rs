//! What the simulated containers printed, shared with whoever serves the log subresource.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use yaml::Str;

/// The newest text that is kept of one run; older lines go, as with a kubelet's rotation.
const MAX_RUN_BYTES: usize = 1 << 20;

/// One line that a container printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it did.
    pub(crate) time: Timestamp,
    /// The text, with its end if it has one.
    pub(crate) text: Str,
}

/// What a kubelet tells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// How many runs went before.
    pub(crate) run: i64,
    /// All that it has printed so far.
    pub(crate) lines: Vec<Line>,
    /// Whether it prints no more.
    pub(crate) has_ended: bool,
}

/// The logs of all simulated containers. A clone shares them.
#[derive(Clone, Debug)]
pub struct Logs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pods: Mutex<HashMap<String, Containers>>,
    changes: watch::Sender<u64>,
}

/// The last run of each container, and the one before, as a kubelet keeps them.
type Containers = HashMap<String, [Run; 2]>;

#[derive(Clone, Debug, Default)]
struct Run {
    number: i64,
    lines: VecDeque<Line>,
    n_bytes: usize,
    /// Lines that have gone.
    n_dropped: usize,
    has_ended: bool,
}

impl Run {
    fn after(number: i64) -> Self {
        Run {
            number,
            ..Run::default()
        }
    }

    fn len(&self) -> usize {
        self.n_dropped + self.lines.len()
    }

    fn push(&mut self, line: Line) {
        self.n_bytes += line.text.len();
        self.lines.push_back(line);
        while self.n_bytes > MAX_RUN_BYTES
            && let Some(oldest) = self.lines.pop_front()
        {
            self.n_bytes -= oldest.text.len();
            self.n_dropped += 1;
        }
    }
}

/// Which run of a container is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The run before the last.
    Previous,
    /// The last one.
    Last,
}

/// What is wanted of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Only that many lines at the end of what there is.
    pub tail_lines: Option<usize>,
    /// No line before that.
    pub since: Option<Timestamp>,
    /// No more than that.
    pub limit_bytes: Option<usize>,
}

/// What a container printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// The lines that were asked for.
    pub(crate) lines: Vec<Line>,
    /// How many runs went before theirs.
    pub(crate) run: i64,
    /// How many lines the run has printed in all.
    pub(crate) n_lines: usize,
    /// Whether the run may print more.
    pub(crate) is_open: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Logs::new()
    }
}

impl Logs {
    /// Logs of nothing.
    #[must_use]
    pub fn new() -> Self {
        Logs(Arc::new(Shared {
            pods: Mutex::default(),
            changes: watch::Sender::new(0),
        }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Containers>) -> T) -> T {
        // A panic elsewhere leaves the map whole: every change is one insertion or removal.
        act(&mut self.0.pods.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a container of the pod with that uid printed, after the first `n_seen` lines of its run;
    /// nothing where none is known.
    pub(crate) fn read(
        &self,
        pod_uid: &str,
        container: &str,
        asked: Asked,
        n_seen: usize,
    ) -> Printed {
        self.with(|pods| {
            let runs = pods.get(pod_uid).and_then(|pod| pod.get(container));
            let Some([last, before]) = runs else {
                return Printed::default();
            };
            let run = match asked {
                Asked::Previous => before,
                Asked::Last => last,
            };
            let n_gone = n_seen.saturating_sub(run.n_dropped);
            Printed {
                lines: run.lines.iter().skip(n_gone).cloned().collect(),
                run: run.number,
                n_lines: run.len(),
                is_open: !run.has_ended,
            }
        })
    }

    /// Counts the changes of all logs, for who follows one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Takes in what a run has printed so far; what is known of it already is left alone.
    pub(crate) fn record(&self, pod_uid: &str, container: &str, told: Told) {
        let changed = self.with(|pods| {
            let containers = pods.entry(pod_uid.to_owned()).or_default();
            let runs = containers.entry(container.to_owned()).or_default();
            if runs[0].number > told.run {
                return false;
            }
            if runs[0].number < told.run {
                let ended = std::mem::replace(&mut runs[0], Run::after(told.run));
                runs[1] = ended;
            }
            let last = &mut runs[0];
            let (known, had_ended) = (last.len(), last.has_ended);
            let n_lines = told.lines.len();
            let new = told.lines.into_iter().skip(known);
            new.for_each(|line| last.push(line));
            last.has_ended = told.has_ended;
            n_lines > known || had_ended != told.has_ended
        });
        if changed {
            self.0.changes.send_modify(|count| *count += 1);
        }
    }

    pub(crate) fn forget(&self, pod_uid: &str) {
        if self.with(|pods| pods.remove(pod_uid)).is_some() {
            self.0.changes.send_modify(|count| *count += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::now;

    fn record(logs: &Logs, run: i64, texts: &[&str]) {
        let line = |text: &&str| Line {
            time: now(),
            text: (*text).into(),
        };
        let told = Told {
            run,
            lines: texts.iter().map(line).collect(),
            has_ended: false,
        };
        logs.record("u", "c", told);
    }

    fn check(logs: &Logs, (asked, n_seen): (Asked, usize), want: &[&str]) {
        let printed = logs.read("u", "c", asked, n_seen);
        let got: Vec<&str> = printed
            .lines
            .iter()
            .map(|line| line.text.as_str())
            .collect();
        assert_eq!(got, want, "{asked:?}");
    }

    #[test]
    fn what_is_told_again_is_kept_once() {
        let logs = Logs::new();
        record(&logs, 0, &["a\n"]);
        record(&logs, 0, &["a\n", "b\n"]);
        check(&logs, (Asked::Last, 0), &["a\n", "b\n"]);
        check(&logs, (Asked::Last, 1), &["b\n"]);
        check(&logs, (Asked::Previous, 0), &[]);
        record(&logs, 1, &["c\n"]);
        record(&logs, 0, &["late\n"]);
        check(&logs, (Asked::Last, 0), &["c\n"]);
        check(&logs, (Asked::Previous, 0), &["a\n", "b\n"]);
        logs.forget("u");
        check(&logs, (Asked::Last, 0), &[]);
    }

    #[test]
    fn a_log_keeps_its_end() {
        let logs = Logs::new();
        let long = "é".repeat(MAX_RUN_BYTES / 2);
        record(&logs, 0, &["first\n", &long]);
        check(&logs, (Asked::Last, 0), &[&long]);
        check(&logs, (Asked::Last, 1), &[&long]);
        check(&logs, (Asked::Last, 2), &[]);
    }
}
