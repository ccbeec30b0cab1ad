//! How a controller works: what is given to it once, at its start.

use std::time::Duration;

use jiff::Timestamp;

/// The configuration of a controller.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of Applications, projects and settings.
    pub control_namespace: String,
    /// How often each repository is asked for its references, where `timeout.reconciliation` says
    /// nothing; zero turns it off.
    pub poll_interval: Duration,
    /// How much longer, at random, a round may wait, so that installations do not ask in step.
    pub poll_jitter: Duration,
    /// How many Applications are worked on at the same time.
    pub n_workers: usize,
    /// How many renders and comparisons run at the same time: they use a processor each.
    pub n_renders: usize,
    /// What time it is. Waits are tokio's, so this passes as tokio's time does.
    pub now: fn() -> Timestamp,
}

impl Options {
    /// Argo CD's defaults, for a control namespace.
    #[must_use]
    pub fn new(control_namespace: &str) -> Self {
        Options {
            control_namespace: control_namespace.to_owned(),
            poll_interval: Duration::from_secs(120),
            poll_jitter: Duration::from_secs(60),
            n_workers: 20,
            n_renders: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            now: Timestamp::now,
        }
    }
}
