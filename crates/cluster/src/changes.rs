//! Which applications are touched by what happened in the cluster.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use yaml::Str;

/// A set of instance names (applications) with changed objects, emptied by whoever reads it.
///
/// A set, not a queue: a thousand events of one application are one entry, so it is bounded by the
/// number of applications and cannot run full. A clone is the same set.
#[derive(Clone, Default)]
pub struct Changes {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    instances: Mutex<BTreeSet<Str>>,
    wake: Notify,
}

impl Changes {
    pub(crate) fn add(&self, touched: impl IntoIterator<Item = Str>) {
        let mut instances = self
            .shared
            .instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = instances.len();
        instances.extend(touched);
        if instances.len() > before {
            self.shared.wake.notify_one();
        }
    }

    /// Waits until there is at least one name, then takes all of them. For one reader.
    pub async fn next(&self) -> BTreeSet<Str> {
        loop {
            let taken = std::mem::take(
                &mut *self
                    .shared
                    .instances
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            if !taken.is_empty() {
                return taken;
            }
            self.shared.wake.notified().await;
        }
    }
}
