//! GET of a collection: once, in pages, or as a watch.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use yaml::{Map, Value};

use crate::auth::attributes::named_by_selector;
use crate::conversion;
use crate::core::Call;
use crate::list_text::ListText;
use crate::negotiate::{Media, STREAMED, Shape};
use crate::render::{self, ListMeta};
use crate::reply::Reply;
use crate::request::Query;
use crate::selector::Selector;
use crate::status_error::{About, ApiError};
use crate::table;
use crate::watch::{Initial, WatchPlan};
use kinds::FieldError;
use store::{Listing, Stored};

use super::read::parse_revision;
use super::{go_type, not_acceptable};

/// A watch without a time limit of its own ends after this: so that no connection lives for ever.
const DEFAULT_WATCH: Duration = Duration::from_secs(1800);

/// Answers with a list.
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (meta, objects) = select(call)?;
    reply(call, &meta, objects)
}

/// A list in the shape that the client wants.
///
/// # Errors
/// 406 when that is the shape of one object.
pub(crate) fn reply(
    call: &Call<'_>,
    meta: &ListMeta,
    objects: Vec<Arc<Stored>>,
) -> Result<Reply, ApiError> {
    let text = match call.form.shape {
        Shape::Object => {
            let list = ListText::new(&call.resource, meta, objects);
            return Ok(Reply::list(list));
        }
        Shape::PartialList => render::partial_list(call.form.meta_version, meta, &objects),
        Shape::Partial => {
            let list = format!("{}List", go_type(&call.resource));
            return Err(not_acceptable(&format!(
                "you requested PartialObjectMetadata, but the requested object is a list ({list})"
            )));
        }
        Shape::Table => table::table(call, meta, &objects),
    };
    Ok(Reply::json(200, text))
}

/// The objects that a request selects, one page of them.
pub(crate) fn select(call: &Call<'_>) -> Result<(ListMeta, Vec<Arc<Stored>>), ApiError> {
    let query = &call.request.query;
    let limit = query.number("limit")?.unwrap_or(0);
    query.number("timeoutSeconds")?;
    let selector = selector(call)?;
    refuse(&wrong_list_options(query))?;
    let page = Page::of(call)?;
    let listing = read(call, &page)?;
    let mut objects = conversion::listed(call.core, &call.resource, listing.objects)?;
    if !page.start.is_empty() {
        objects.retain(|stored| key(stored).as_str() >= page.start.as_str());
    }
    let everything = selector.is_everything();
    // Who asks for one name gets no more.
    let pinned = !named_by_selector(query.get("fieldSelector")).is_empty();
    let keys: Vec<String> = if limit > 0 && !pinned {
        objects.iter().map(|stored| key(stored)).collect()
    } else {
        Vec::new()
    };
    if !everything {
        objects.retain(|stored| selector.matches(stored));
    }
    let mut meta = ListMeta {
        revision: listing.revision,
        ..ListMeta::default()
    };
    let limit = usize::try_from(limit).unwrap_or(0);
    if limit > 0
        && !page.ignores_limit
        && let Some(last) = objects.get(limit - 1).map(|stored| key(stored))
    {
        // What follows is not looked at: it may hold nothing that is selected.
        let next = keys.partition_point(|key| *key <= last);
        if let Some(next) = keys.get(next) {
            meta.continue_token = token(listing.revision, next);
            meta.remaining = everything.then_some((objects.len() - limit) as u64);
        }
        objects.truncate(limit);
    }
    Ok((meta, objects))
}

fn selector(call: &Call<'_>) -> Result<Selector, ApiError> {
    let query = &call.request.query;
    Selector::parse(
        &call.resource,
        query.get("labelSelector"),
        query.get("fieldSelector"),
    )
}

fn key(stored: &Stored) -> String {
    format!("{}/{}", stored.namespace, stored.name)
}

/// Where a list starts and at which revision.
struct Page {
    start: String,
    revision: Option<u64>,
    /// The real server answers a list at any old revision from its cache, whole.
    ignores_limit: bool,
}

impl Page {
    fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let query = &call.request.query;
        let version = query.get("resourceVersion");
        let exact = query.get("resourceVersionMatch") == "Exact";
        let token = query.get("continue");
        if !token.is_empty() {
            if !version.is_empty() && version != "0" {
                return Err(ApiError::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let (revision, start) = parse_token(token)
                .map_err(|why| ApiError::bad_request(format!("invalid continue token: {why}")))?;
            return Ok(Page {
                start,
                revision: Some(revision),
                ignores_limit: false,
            });
        }
        let mut page = Page {
            start: String::new(),
            revision: None,
            ignores_limit: false,
        };
        if !version.is_empty() {
            let asked = parse_revision(version)
                .map_err(|why| ApiError::bad_request(format!("invalid resource version: {why}")))?;
            let current = call.core.store.revision();
            if asked > current {
                return Err(ApiError::too_large_resource_version(asked, current));
            }
            let limited = !matches!(query.get("limit"), "" | "0");
            let unset = query.get("resourceVersionMatch").is_empty();
            if exact || (asked > 0 && limited && unset) {
                page.revision = Some(asked);
            }
            page.ignores_limit = asked == 0;
        }
        Ok(page)
    }
}

fn read(call: &Call<'_>, page: &Page) -> Result<Listing, ApiError> {
    let store = &call.core.store;
    let namespace = call
        .resource
        .namespaced
        .then_some(call.path.namespace.as_deref())
        .flatten();
    match page.revision {
        None => Ok(store.list(&call.resource.collection, namespace)),
        Some(revision) => store
            .list_at(&call.resource.collection, namespace, revision)
            .map_err(|_compacted| {
                if page.start.is_empty() {
                    ApiError::expired("The resourceVersion for the provided list is too old.")
                } else {
                    expired_token()
                }
            }),
    }
}

fn expired_token() -> ApiError {
    ApiError::expired(
        "The provided continue parameter is too old to display a consistent list result. You can \
         start a new list without the continue parameter, or use the continue token in this \
         response to retrieve the remainder of the results. Continuing with the provided token \
         results in an inconsistent list - objects that were created, modified, or deleted \
         between the time the first chunk was returned and now may show up in the list.",
    )
}

fn token(revision: u64, start: &str) -> String {
    let value = Value::Map(Map::from([
        ("v", "meta.k8s.io/v1".into()),
        ("rv", revision.into()),
        ("start", start.into()),
    ]));
    BASE64_URL_SAFE_NO_PAD.encode(crate::codec::to_vec(&value))
}

fn parse_token(token: &str) -> Result<(u64, String), String> {
    let bad = |why: String| format!("continue key is not valid: {why}");
    let bytes = AS_GO
        .decode(token)
        .map_err(|error| bad(illegal_base64(token, &error)))?;
    let value = crate::codec::parse_json(&bytes).map_err(bad)?;
    let revision = value.get("rv").and_then(Value::as_i64).unwrap_or(0);
    let start = value
        .get("start")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok((u64::try_from(revision).unwrap_or(0), start.to_owned()))
}

/// Go's decoder does not look at the bits that are left over.
const AS_GO: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

fn illegal_base64(token: &str, error: &base64::DecodeError) -> String {
    let offset = match error {
        base64::DecodeError::InvalidByte(offset, _)
        | base64::DecodeError::InvalidLastSymbol(offset, _) => *offset,
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
            token.len() / 4 * 4
        }
    };
    format!("illegal base64 data at input byte {offset}")
}

const MATCH: &str = "resourceVersionMatch";

/// What is wrong with `resourceVersionMatch` and `sendInitialEvents` of a watch.
fn wrong_watch_options(query: &Query) -> Vec<FieldError> {
    let matching = query.get(MATCH);
    let mut errors = Vec::new();
    if query.has("sendInitialEvents") {
        if matching != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            errors.push(FieldError::forbidden(MATCH, why));
        }
    } else if !matching.is_empty() {
        let why =
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        errors.push(FieldError::forbidden(MATCH, why));
    }
    if !matches!(matching, "" | "NotOlderThan") {
        let known = ["NotOlderThan"];
        errors.push(FieldError::not_supported(MATCH, &matching.into(), &known));
    }
    errors
}

/// What is wrong with `resourceVersionMatch` and `sendInitialEvents` of a list.
fn wrong_list_options(query: &Query) -> Vec<FieldError> {
    let (matching, version) = (query.get(MATCH), query.get("resourceVersion"));
    let mut errors = Vec::new();
    if !matching.is_empty() {
        if version.is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            errors.push(FieldError::forbidden(MATCH, why));
        }
        if !query.get("continue").is_empty() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(MATCH, why));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            let known = ["Exact", "NotOlderThan", ""];
            errors.push(FieldError::not_supported(MATCH, &matching.into(), &known));
        }
        if matching == "Exact" && version == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(MATCH, why));
        }
    }
    if query.has("sendInitialEvents") {
        let why = "sendInitialEvents is forbidden for list";
        errors.push(FieldError::forbidden("sendInitialEvents", why));
    }
    errors
}

fn refuse(errors: &[FieldError]) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let about = About {
        group: "meta.k8s.io",
        kind: "ListOptions",
        name: "",
    };
    Err(ApiError::invalid(about, errors))
}

/// Starts a watch of a collection, or of one object.
pub(crate) fn watch(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let timeout = query.number("timeoutSeconds")?;
    if call.form.media == Media::Yaml {
        return Err(ApiError::not_acceptable(&STREAMED));
    }
    let mut selector = selector(call)?;
    if !call.name().is_empty() {
        selector = selector.with_name(call.name());
    }
    refuse(&wrong_watch_options(query))?;
    let version = query.get("resourceVersion");
    let revision = if version.is_empty() {
        0
    } else {
        parse_revision(version).map_err(ApiError::unclassified)?
    };
    let store = &call.core.store;
    let current = store.revision();
    if revision > current {
        return Err(ApiError::too_large_resource_version(revision, current));
    }
    let namespace = call
        .resource
        .namespaced
        .then(|| call.path.namespace.clone())
        .flatten();
    let collection = &call.resource.collection;
    // A watch that starts with the state gets the end of it marked, whether or not it asks.
    let wants_initial = if query.has("sendInitialEvents") {
        query.flag("sendInitialEvents")
    } else {
        revision == 0
    };
    let (initial, cursor) = if wants_initial {
        let (listing, cursor) = store.list_and_watch(collection, namespace.as_deref());
        let initial = Initial {
            objects: conversion::listed(call.core, &call.resource, listing.objects)?,
            revision: listing.revision,
            marks_end: query.flag("allowWatchBookmarks"),
        };
        (Some(initial), Ok(cursor))
    } else if revision == 0 {
        let (_, cursor) = store.list_and_watch(collection, namespace.as_deref());
        (None, Ok(cursor))
    } else {
        (None, store.cursor_after(collection, revision))
    };
    let seconds = timeout.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(Reply::watch(WatchPlan {
        resource: Arc::clone(&call.resource),
        shape: call.form.shape,
        meta_version: call.form.meta_version,
        media: call.form.media,
        include: table::Include::of(call.request),
        selector,
        namespace,
        initial,
        cursor: cursor.map_err(|compacted| (revision, compacted.oldest)),
        bookmarks: query.flag("allowWatchBookmarks"),
        timeout: seconds
            .filter(|seconds| *seconds > 0)
            .map_or(DEFAULT_WATCH, Duration::from_secs),
    }))
}
