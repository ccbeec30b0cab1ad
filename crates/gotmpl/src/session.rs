//! One render: what it may still use, its time and its randomness.
//!
//! Read [`Session`]. It is the only state that several executions share, so that the limits hold for
//! all templates of a chart together, and that a render can be repeated.

use std::any::Any;
use std::rc::Rc;

use crate::templates::Limits;

/// What a render shares among the templates that it executes.
pub struct Session {
    pub(crate) n_steps: u64,
    pub(crate) n_bytes: usize,
    pub(crate) depth: usize,
    now: Now,
    random: Random,
    context: Option<Rc<dyn Any>>,
}

/// A moment: seconds since 1970 and nanoseconds behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, UTC.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

impl Session {
    /// A render within these limits, at 1970 and with a seed of zeros until told otherwise.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Session {
            n_steps: limits.n_steps,
            n_bytes: limits.n_bytes,
            depth: limits.depth,
            now: Now::default(),
            random: Random::new([0; 32]),
            context: None,
        }
    }

    /// At this time.
    #[must_use]
    pub fn at(mut self, now: Now) -> Self {
        self.now = now;
        self
    }

    /// With random numbers that follow from this seed alone.
    #[must_use]
    pub fn with_seed(mut self, seed: [u8; 32]) -> Self {
        self.random = Random::new(seed);
        self
    }

    /// With something that the caller's functions ask for.
    #[must_use]
    pub fn with_context(mut self, context: Rc<dyn Any>) -> Self {
        self.context = Some(context);
        self
    }

    /// The time of this render.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The generator of this render.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What the caller gave for its functions, when it is of this type.
    #[must_use]
    pub fn context<T: 'static>(&self) -> Option<Rc<T>> {
        self.context.clone()?.downcast().ok()
    }

    /// Takes steps for work that is about to be done.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take_steps(&mut self, n_steps: u64) -> Result<(), String> {
        self.n_steps = self
            .n_steps
            .checked_sub(n_steps)
            .ok_or("the template takes too many steps")?;
        Ok(())
    }

    /// How many bytes may still be written.
    #[must_use]
    pub fn bytes_left(&self) -> usize {
        self.n_bytes
    }

    /// Tells whether so many bytes more may still be made; it does not take them, as only what is
    /// written counts. It takes steps, so that bytes made in vain end too.
    ///
    /// # Errors
    /// When fewer bytes or steps are left.
    pub fn may_make(&mut self, n_bytes: usize) -> Result<(), String> {
        /// Bytes copied in the time of one step.
        const BYTES_PER_STEP: usize = 64;
        if n_bytes > self.n_bytes {
            return Err("the template makes too much text".to_owned());
        }
        self.take_steps((n_bytes / BYTES_PER_STEP) as u64)
    }
}

/// Random bytes that follow from a seed: SHA-256 over the seed and a counter, so that nobody can
/// tell the next ones from the last.
pub struct Random {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 32],
    n_used: usize,
}

impl Random {
    fn new(seed: [u8; 32]) -> Self {
        Random {
            seed,
            counter: 0,
            block: [0; 32],
            n_used: 32,
        }
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.n_used == self.block.len() {
                self.refill();
            }
            *byte = self.block[self.n_used];
            self.n_used += 1;
        }
    }

    fn refill(&mut self) {
        use sha2_next::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        self.block = hash.finalize().into();
        self.counter += 1;
        self.n_used = 0;
    }

    /// A random number of 64 bits.
    pub fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A random number below a limit, all equally likely; zero when the limit is.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        // The last, incomplete round of the limit would favour small numbers.
        let fair = u64::MAX - u64::MAX % limit;
        loop {
            let number = self.number();
            if number < fair {
                return number % limit;
            }
        }
    }
}
