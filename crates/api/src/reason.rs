//! Types of conditions and reasons of events.

/// Deleting the Application's objects failed.
pub const DELETION_ERROR: &str = "DeletionError";
/// The spec is wrong, or its project forbids it.
pub const INVALID_SPEC_ERROR: &str = "InvalidSpecError";
/// Desired or live state could not be had.
pub const COMPARISON_ERROR: &str = "ComparisonError";
/// An automated sync failed or was refused.
pub const SYNC_ERROR: &str = "SyncError";
/// Something else went wrong.
pub const UNKNOWN_ERROR: &str = "UnknownError";
/// Another Application has the same object.
pub const SHARED_RESOURCE_WARNING: &str = "SharedResourceWarning";
/// One object occurs more than once.
pub const REPEATED_RESOURCE_WARNING: &str = "RepeatedResourceWarning";
/// The settings exclude an object.
pub const EXCLUDED_RESOURCE_WARNING: &str = "ExcludedResourceWarning";
/// The namespace holds objects that no Application tracks.
pub const ORPHANED_RESOURCE_WARNING: &str = "OrphanedResourceWarning";
/// Ours: a file of the source was skipped.
pub const SKIPPED_FILE_WARNING: &str = "SkippedFileWarning";
/// A setting of the spec that Tiphys does not honour yet, and what happens instead; not in Argo CD.
pub const UNSUPPORTED_SETTING_WARNING: &str = "UnsupportedSettingWarning";
/// Ours: a field that the cluster's schema drops, so that it never becomes live.
pub const DROPPED_FIELD_WARNING: &str = "DroppedFieldWarning";

/// Event: an operation began.
pub const EVENT_OPERATION_STARTED: &str = "OperationStarted";
/// Event: an operation ended.
pub const EVENT_OPERATION_COMPLETED: &str = "OperationCompleted";
/// Event: the status changed.
pub const EVENT_RESOURCE_UPDATED: &str = "ResourceUpdated";
