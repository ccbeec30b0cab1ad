//! DELETE of all objects that a selector matches.

use crate::admission;
use crate::conversion;
use crate::core::Call;
use crate::reply::Reply;
use crate::status_error::ApiError;

use super::delete::{Options, try_delete};
use super::list;

/// Deletes what is selected; answers with the objects as they were.
pub(crate) fn delete_collection(call: &Call<'_>) -> Result<Reply, ApiError> {
    let options = Options::of(call)?;
    let (meta, objects) = list::select(call)?;
    let mut revision = 0;
    let mut told = Vec::new();
    for stored in &objects {
        let mut newest = Some(std::sync::Arc::clone(stored));
        let mut warnings = admission::check_deletion(call, &stored.value(), &options.value())?;
        told.append(&mut warnings);
        while let Some(stored) = newest {
            if let Some(reply) = try_delete(call, &options, &stored)? {
                revision = revision.max(reply.revision);
                break;
            }
            let place = (&call.resource.collection, &stored.namespace, &stored.name);
            newest = call.core.store.get(place.0, place.1, place.2);
            newest = newest
                .map(|stored| conversion::found(call.core, &call.resource, stored))
                .transpose()?;
        }
    }
    told.extend(options.warnings(call));
    let reply = list::reply(call, &meta, objects)?.after(revision);
    Ok(reply.with_warnings(told))
}
