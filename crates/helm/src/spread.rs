//! Work that falls into parts, wherever the caller has them done.
//!
//! Read [`Spread`]. Only what is the same on any thread comes here: to parse a text. Templates are
//! executed one after the other, as each may change what the next one sees.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Does `work` for each number below a given one, in any order, side by side or not; all of it is
/// done when it returns.
type Run = fn(usize, &(dyn Fn(usize) + Sync));

/// How the parts of a render are spread over threads, which this crate has none of. What it renders
/// does not depend on it.
#[derive(Clone, Copy)]
pub struct Spread(Run);

/// Less than this is done before another thread has begun.
const WORTHWHILE: usize = 64 << 10;

impl Default for Spread {
    /// One after the other.
    fn default() -> Self {
        Spread(in_order)
    }
}

fn in_order(n: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..n).for_each(work);
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spread")
    }
}

/// All give the same.
impl PartialEq for Spread {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Spread {}

impl Spread {
    /// As a function does it: it calls what it is given once with each number below the first
    /// argument, and returns when all calls have. Texts are parsed by recursion there: a thread needs
    /// as much stack as the one that renders.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Spread(run)
    }

    /// What `work` makes of each item, in their order. `n_bytes` is how much text all of them are: a
    /// little is worked through here.
    pub(crate) fn map<T: Sync, R: Send>(
        self,
        items: &[T],
        n_bytes: usize,
        work: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        if items.len() < 2 || n_bytes < WORTHWHILE {
            return items.iter().map(work).collect();
        }
        let places: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::default()).collect();
        (self.0)(items.len(), &|number| {
            let done = work(&items[number]);
            let mut place = places[number]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *place = Some(done);
        });
        let done = places.into_iter().zip(items).map(|(place, item)| {
            let done = place.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Whoever was to do it has not.
            done.unwrap_or_else(|| work(item))
        });
        done.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_items_whoever_does_them() {
        let items: Vec<usize> = (0..1_000).collect();
        let want: Vec<usize> = items.iter().map(|item| item * 2).collect();
        let backwards: Run = |n, work| (0..n).rev().for_each(work);
        let lazy: Run = |n, work| (0..n / 2).for_each(work);
        for run in [in_order, backwards, lazy] {
            let spread = Spread::new(run);
            assert_eq!(spread.map(&items, WORTHWHILE, |item| item * 2), want);
        }
    }
}
