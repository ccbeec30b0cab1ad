//! What the controller did, counted: for tests, benchmarks and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start. Reading them is a snapshot of each, not of all at once.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    renders: AtomicU64,
    render_hits: AtomicU64,
    reconciles: AtomicU64,
    status_writes: AtomicU64,
    actions: AtomicU64,
    polls: AtomicU64,
}

/// What a controller did since its start. Each is a snapshot of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sources that were rendered.
    pub n_renders: u64,
    /// Renders that were not needed, as nothing that they read had changed.
    pub n_render_hits: u64,
    /// Reconciles that ran to their end, or failed.
    pub n_reconciles: u64,
    /// Writes of an Application.
    pub n_status_writes: u64,
    /// Actions in the cluster.
    pub n_actions: u64,
    /// Rounds in which every repository was asked for its references.
    pub n_polls: u64,
}

/// One thing that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Render,
    RenderHit,
    Reconcile,
    StatusWrite,
    Action,
    Poll,
}

impl Counters {
    pub(crate) fn add(&self, count: Count) {
        let counter = match count {
            Count::Render => &self.renders,
            Count::RenderHit => &self.render_hits,
            Count::Reconcile => &self.reconciles,
            Count::StatusWrite => &self.status_writes,
            Count::Action => &self.actions,
            Count::Poll => &self.polls,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The values now.
    #[must_use]
    pub(crate) fn read(&self) -> Counts {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            n_renders: value(&self.renders),
            n_render_hits: value(&self.render_hits),
            n_reconciles: value(&self.reconciles),
            n_status_writes: value(&self.status_writes),
            n_actions: value(&self.actions),
            n_polls: value(&self.polls),
        }
    }
}
