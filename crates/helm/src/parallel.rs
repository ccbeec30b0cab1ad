//! Work that falls into parts, on all processors.
//!
//! Read [`map`]. Only what is the same on any thread comes here: to parse a text. Templates are
//! executed one after the other, as each may change what the next one sees.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// Less than this is done before another thread has begun.
const WORTHWHILE: usize = 64 << 10;
/// One chart does not take a large machine.
const MAX_THREADS: usize = 4;
/// Deeply nested templates and manifests are parsed by recursion; what is not used costs nothing.
const STACK_BYTES: usize = 64 << 20;

/// What `work` makes of each item, in their order. `n_bytes` is how much text all of them are: a
/// little is worked through here.
///
/// # Panics
/// When `work` panics.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    n_bytes: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let n_processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let n_threads = n_processors.min(MAX_THREADS).min(items.len());
    if n_threads < 2 || n_bytes < WORTHWHILE {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take_all = || {
        let mut done = Vec::new();
        while let Some((number, item)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            items.get(number).map(|item| (number, item))
        } {
            done.push((number, work(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let helpers: Vec<_> = (1..n_threads)
            .filter_map(|_| {
                let builder = Builder::new().stack_size(STACK_BYTES);
                // Without helpers this thread does it all.
                builder.spawn_scoped(scope, take_all).ok()
            })
            .collect();
        let mut done = take_all();
        for helper in helpers {
            match helper.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_items() {
        let items: Vec<usize> = (0..1_000).collect();
        let want: Vec<usize> = items.iter().map(|item| item * 2).collect();
        for n_bytes in [0, WORTHWHILE] {
            assert_eq!(map(&items, n_bytes, |item| item * 2), want);
        }
    }
}
