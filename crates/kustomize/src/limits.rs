//! The limits on what a kustomization may make this crate do, each far above what real ones need.

/// Kustomizations of one build. A kustomization that lists another one twice builds it twice, so that
/// a few files of a kilobyte could otherwise ask for billions.
pub const MAX_KUSTOMIZATIONS: usize = 10_000;

/// Kustomizations in each other: each level is some call frames.
pub const MAX_DEPTH: usize = 64;

/// Resources of one build.
pub const MAX_RESOURCES: usize = 200_000;

/// Bytes that one build may read, a file counted each time.
pub const MAX_BYTES: usize = 512 << 20;

/// Bytes of a regular expression's program, which small texts can make large.
pub(crate) const MAX_REGEX: usize = 1 << 20;
