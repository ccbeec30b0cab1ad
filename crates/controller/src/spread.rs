//! One render on all processors.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// One chart does not take a large machine.
const MAX_THREADS: usize = 4;
/// Deeply nested templates and manifests are parsed by recursion; what is not used costs nothing.
const STACK_BYTES: usize = 64 << 20;

/// For [`engine::render::Spread`]: calls `work` with each number below `n`, on this thread and on others, which
/// have ended when it returns.
///
/// # Panics
/// When `work` panics.
pub fn on_all_processors(n: usize, work: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    let take = || {
        std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|number| *number < n)
            .for_each(work);
    };
    let n_processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 1..n_processors.min(MAX_THREADS).min(n) {
            // Where there is no thread to be had, this one does it all.
            let helper = Builder::new().stack_size(STACK_BYTES);
            drop(helper.spawn_scoped(scope, take));
        }
        take();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_worked_on_once() {
        for n in [0, 1, 2, 1_000] {
            let sums: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            on_all_processors(n, &|number| {
                sums[number].fetch_add(1, Ordering::Relaxed);
            });
            assert!(sums.iter().all(|it| it.load(Ordering::Relaxed) == 1), "{n}");
        }
    }
}
