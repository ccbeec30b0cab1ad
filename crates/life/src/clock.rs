//! Time, real or driven by hand.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Where the server and its controllers take the time from. A clone shows the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// What this function says; it passes as tokio's time does.
    Running(fn() -> Timestamp),
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The time of the machine.
    #[must_use]
    pub fn real() -> Self {
        Clock::running(Timestamp::now)
    }

    /// The time that `now` gives, which passes as tokio's: who pauses that gives a `now` that
    /// follows it.
    #[must_use]
    pub fn running(now: fn() -> Timestamp) -> Self {
        Clock(Source::Running(now))
    }

    /// A time that stands still until [`Clock::advance`] is called.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Clock(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Running(now) => now(),
            Source::Manual(time) => *time.borrow(),
        }
    }

    /// Moves a manual clock forward and wakes who sleeps on it; any other moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.0 {
            time.send_modify(|now| *now = now.saturating_add(by).unwrap_or(Timestamp::MAX));
        }
    }

    /// Returns when the clock shows `by` more than now.
    pub async fn sleep(&self, by: Duration) {
        match &self.0 {
            Source::Running(_) => tokio::time::sleep(by).await,
            Source::Manual(_) => {
                let until = self.now().saturating_add(by).unwrap_or(Timestamp::MAX);
                self.sleep_until(until).await;
            }
        }
    }

    /// Returns when the clock shows `until` or later.
    pub async fn sleep_until(&self, until: Timestamp) {
        match &self.0 {
            Source::Running(now) => {
                let left = until.duration_since(now());
                if let Ok(left) = Duration::try_from(left) {
                    tokio::time::sleep(left).await;
                }
            }
            Source::Manual(time) => {
                let mut time = time.subscribe();
                // The sender is held by `self`, so the wait ends only when the time has come.
                let _closed = time.wait_for(|now| *now >= until).await;
            }
        }
    }
}

/// Whole seconds, as `metadata.creationTimestamp` is written.
pub fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_it_is_advanced() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock
                    .sleep_until(
                        Timestamp::UNIX_EPOCH
                            .saturating_add(Duration::from_secs(5))
                            .unwrap(),
                    )
                    .await;
                clock.now()
            }
        });
        clock.advance(Duration::from_secs(7));
        assert_eq!(seconds(sleeper.await.unwrap()), "1970-01-01T00:00:07Z");
    }
}
