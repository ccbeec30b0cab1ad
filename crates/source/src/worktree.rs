//! placeholder
/// placeholder
pub struct WorkTree;
