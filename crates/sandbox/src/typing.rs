//! Field types of built-in kinds: what a body may hold.

use yaml::Value;

use crate::core::Call;
use crate::status_error::ApiError;

/// Checks a decoded object against its schema; unknown fields are dropped, refused or warned of.
pub(crate) fn check(
    _call: &Call<'_>,
    _value: &mut Value,
    _warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    Ok(())
}
