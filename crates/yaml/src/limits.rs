//! The limits on what a text may make this crate do. Each is far above what real manifests need.

/// Bytes of one text. Argo CD stops at 10 MB of manifests for one application; a whole CRD bundle
/// is about 5 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// Nesting of lists and maps, aliases included. Go's JSON decoder allows 10,000, but trees are
/// walked recursively and the deepest CRD schemas stay below 60.
pub const MAX_DEPTH: usize = 400;

/// Nodes of one document, aliases expanded: a bound on memory beside [`MAX_BYTES`].
pub const MAX_NODES: u64 = 16 << 20;

/// go-yaml's alias rule: below this many nodes 99 % of them may come from aliases.
pub(crate) const ALIAS_RANGE_LOW: u64 = 400_000;

/// go-yaml's alias rule: above this many nodes only 10 % of them may come from aliases.
pub(crate) const ALIAS_RANGE_HIGH: u64 = 4_000_000;
