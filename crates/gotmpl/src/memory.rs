//! What functions keep for the next execution. Read [`Memory`].

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing of each type that asks for it, such as patterns that were compiled. What is kept must
/// not change what a function gives.
#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Memory {
    /// What is kept of this type; made when it is first asked for.
    pub(crate) fn of<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        // An execution that panicked left the map as it was: entries are put in whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(TypeId::of::<T>());
        let kept = entry.or_insert_with(|| Arc::<T>::default()).clone();
        drop(known);
        kept.downcast().expect("it is kept under its type")
    }
}
