//! GET of one object.

use std::sync::Arc;

use crate::conversion;
use crate::core::Call;
use crate::reply::Reply;
use crate::status_error::{ApiError, quoted};
use store::Stored;

use super::object_reply;

/// Answers with the object.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    check_revision(call)?;
    Ok(object_reply(call, 200, &find(call)?))
}

fn check_revision(call: &Call<'_>) -> Result<(), ApiError> {
    let text = call.request.query.get("resourceVersion");
    if text.is_empty() {
        return Ok(());
    }
    let asked = parse_revision(text).map_err(ApiError::unclassified)?;
    let current = call.core.store.revision();
    if asked > current {
        return Err(ApiError::too_large_resource_version(asked, current));
    }
    Ok(())
}

/// Reads the `resourceVersion` of a request, with the words of the real server when it is none.
pub(crate) fn parse_revision(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_invalid| {
        let text = quoted(text);
        format!(
            "resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid \
             syntax"
        )
    })
}

/// The object that the path names.
pub(crate) fn find(call: &Call<'_>) -> Result<Arc<Stored>, ApiError> {
    let stored = call
        .core
        .store
        .get(&call.resource.collection, call.namespace(), call.name())
        .ok_or_else(|| ApiError::not_found(call.about(call.name())))?;
    conversion::found(call.core, &call.resource, stored)
}
