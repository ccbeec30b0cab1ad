//! PATCH.

use crate::core::Call;
use crate::reply::Reply;
use crate::status_error::{ApiError, Details};

use super::update::Part;

/// Changes an object by the patch of the body.
pub(crate) fn patch(_call: &Call<'_>, _part: Part) -> Result<Reply, ApiError> {
    Err(ApiError {
        details: Some(Box::new(Details::default())),
        ..ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    })
}

/// A tree changed by the patch of the body.
pub(crate) fn on_value(_call: &Call<'_>, value: &yaml::Value) -> Result<yaml::Value, ApiError> {
    Ok(value.clone())
}
