//! What the simulated containers printed, shared with whoever serves the log subresource.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The newest text that is kept of one container; older lines go, as with a kubelet's rotation.
const MAX_CONTAINER_BYTES: usize = 1 << 20;

/// The logs of all simulated containers. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<Mutex<HashMap<String, Containers>>>);

type Containers = HashMap<String, String>;

impl Logs {
    /// Logs of nothing.
    #[must_use]
    pub fn new() -> Self {
        Logs::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Containers>) -> T) -> T {
        // A panic elsewhere leaves the map whole: every change is one insertion or removal.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a container of the pod with that uid printed; `None` when it printed nothing.
    #[must_use]
    pub fn read(&self, pod_uid: &str, container: &str) -> Option<String> {
        self.with(|pods| pods.get(pod_uid)?.get(container).cloned())
    }

    pub(crate) fn append(&self, pod_uid: &str, container: &str, text: &str) {
        self.with(|pods| {
            let containers = pods.entry(pod_uid.to_owned()).or_default();
            let log = containers.entry(container.to_owned()).or_default();
            log.push_str(text);
            if log.len() > MAX_CONTAINER_BYTES {
                let mut cut = log.len() - MAX_CONTAINER_BYTES;
                while !log.is_char_boundary(cut) {
                    cut += 1;
                }
                log.drain(..cut);
            }
        });
    }

    pub(crate) fn forget(&self, pod_uid: &str) {
        self.with(|pods| pods.remove(pod_uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_end() {
        let logs = Logs::new();
        logs.append("u", "c", "first\n");
        logs.append("u", "c", &"é".repeat(MAX_CONTAINER_BYTES / 2));
        let text = logs.read("u", "c").expect("was written");
        assert!(text.len() <= MAX_CONTAINER_BYTES && text.ends_with('é'));
        assert!(!text.contains("first"));
        logs.forget("u");
        assert_eq!(logs.read("u", "c"), None);
    }
}
