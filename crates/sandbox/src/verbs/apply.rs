//! Server-side apply.

use crate::core::Call;
use crate::reply::Reply;
use crate::status_error::{ApiError, Details};

use super::update::Part;

/// Applies the configuration of the body.
pub(crate) fn apply(_call: &Call<'_>, _part: Part) -> Result<Reply, ApiError> {
    Err(ApiError {
        details: Some(Box::new(Details::default())),
        ..ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    })
}
