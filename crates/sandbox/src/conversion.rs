//! Custom resources in another version than they are kept in: their definition's webhook is asked.
//!
//! [`found`] and [`listed`] are the doors to the store for reading, [`to_store`] is the one for
//! writing: verbs see objects of the version that their path names. Only requests on a thread that
//! may wait come here when there is such a definition; watches wait as tasks, in [`told`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use yaml::{Map, Str, Value};

use crate::core::Core;
use crate::outbound::{self, Endpoint, Review, VERSIONS};
use crate::registry::Resource;
use crate::status_error::ApiError;
use crate::typing;
use store::{Draft, Event, Store, Stored};

const REVIEW: Review = Review {
    group: structural::conversion::GROUP,
    kind: structural::conversion::KIND,
};
/// What the real server lets a webhook take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Objects of one review: the real server sends one by one; more spare a list most of the wait.
const BATCH: usize = 100;

/// The webhook of a definition.
#[derive(Debug)]
pub(crate) struct Converter {
    endpoint: Result<Endpoint, String>,
    /// In which its reviews are written; `None` when it takes none that is known.
    version: Option<&'static str>,
    kind: Str,
}

impl Converter {
    /// That of a definition; `None` when versions differ by name only.
    pub(crate) fn of(definition: &Value) -> Option<Arc<Converter>> {
        let conversion = definition.at(&["spec", "conversion"])?;
        if conversion.get("strategy").and_then(Value::as_str) != Some("Webhook") {
            return None;
        }
        let client = conversion.at(&["webhook", "clientConfig"]);
        let taken = conversion.at(&["webhook", "conversionReviewVersions"]);
        let taken = taken.and_then(Value::as_list).unwrap_or_default().iter();
        let kind = definition.at(&["spec", "names", "kind"]);
        Some(Arc::new(Converter {
            endpoint: Endpoint::of(client.unwrap_or(&Value::Null)),
            version: taken
                .filter_map(Value::as_str)
                .find_map(|taken| VERSIONS.into_iter().find(|known| *known == taken)),
            kind: kind.and_then(Value::as_str).unwrap_or_default().into(),
        }))
    }

    /// Objects of the version `from`, without their types, in the version `to`.
    async fn ask(
        &self,
        store: &Store,
        objects: Vec<Value>,
        (from, to): (&str, &str),
    ) -> Result<Vec<Value>, String> {
        let kind = &self.kind;
        let said = |why: String| format!("conversion webhook for {from}, Kind={kind} {why}");
        let version = self
            .version
            .ok_or("no supported conversion review versions")?;
        let endpoint = self.endpoint.as_ref();
        let endpoint = endpoint.map_err(|why| said(format!("failed: {why}")))?;
        let typed = objects.into_iter().map(|mut object| {
            let map = object.map_at_mut(&[]);
            map.insert("apiVersion", from);
            map.insert("kind", kind.clone());
            object
        });
        let typed: Vec<Value> = typed.collect();
        let uid = uuid::Uuid::new_v4().to_string();
        let body = structural::conversion::review((&uid, version), typed.clone(), to);
        let answer = endpoint.ask(store, REVIEW, &body, TIMEOUT).await;
        let answer = answer.map_err(|why| said(format!("failed: {why}")))?;
        let converted = structural::conversion::converted(&answer, (&uid, version), &typed, to);
        let untyped = converted.map_err(said)?.into_iter().map(|mut object| {
            let map = object.map_at_mut(&[]);
            map.remove("apiVersion");
            map.remove("kind");
            object
        });
        Ok(untyped.collect())
    }
}

fn converter(resource: &Resource) -> Option<&Converter> {
    resource.custom.as_ref()?.converter.as_deref()
}

/// Stored objects in the version of `resource`.
///
/// # Errors
/// Why one of them has none, in the words of the real server.
pub(crate) async fn told(
    store: &Store,
    resource: &Resource,
    mut objects: Vec<Arc<Stored>>,
) -> Result<Vec<Arc<Stored>>, String> {
    let Some(converter) = converter(resource) else {
        return Ok(objects);
    };
    let wanted = resource.api_version();
    let kept = objects.iter().map(|stored| &stored.version);
    let others: BTreeSet<Str> = kept
        .filter(|version| !version.is_empty() && ***version != *wanted)
        .cloned()
        .collect();
    for version in others {
        let of_version =
            |(place, stored): (usize, &Arc<Stored>)| (stored.version == version).then_some(place);
        let places: Vec<usize> = objects.iter().enumerate().filter_map(of_version).collect();
        for places in places.chunks(BATCH) {
            let sent = places
                .iter()
                .map(|place| without_revision(objects[*place].value()));
            let converted = converter
                .ask(store, sent.collect(), (&version, &wanted))
                .await?;
            for (place, mut value) in places.iter().zip(converted) {
                shape(resource, &mut value);
                let revision = objects[*place].revision.to_string();
                crate::meta::of(&mut value).insert("resourceVersion", revision);
                objects[*place] = Arc::new(objects[*place].told_as(value));
            }
        }
    }
    Ok(objects)
}

/// An event with its states in the version of `resource`.
///
/// # Errors
/// As [`told`].
pub(crate) async fn event(
    store: &Store,
    resource: &Resource,
    event: &Arc<Event>,
) -> Result<Arc<Event>, String> {
    if converter(resource).is_none() {
        return Ok(Arc::clone(event));
    }
    let object = vec![Arc::clone(&event.object)];
    let object = told(store, resource, object).await?;
    let previous = Vec::from_iter(event.previous.clone());
    let previous = told(store, resource, previous).await?;
    let object = object.into_iter().next();
    let object = object.unwrap_or_else(|| Arc::clone(&event.object));
    Ok(Arc::new(event.told_as(object, previous.into_iter().next())))
}

/// What no version of the store has yet is not sent, as the real server keeps it elsewhere.
fn without_revision(mut value: Value) -> Value {
    crate::meta::of(&mut value).remove("resourceVersion");
    value
}

/// What comes back is read as everything that is read: unknown members go, defaults come.
fn shape(resource: &Resource, value: &mut Value) {
    let Some(custom) = &resource.custom else {
        return;
    };
    let schema = custom.structural();
    schema.prune(value);
    schema.fill_defaults(value);
}

/// One stored object in the version of `resource`.
///
/// # Errors
/// 500 when the webhook does not give it.
pub(crate) fn found(
    core: &Core,
    resource: &Resource,
    stored: Arc<Stored>,
) -> Result<Arc<Stored>, ApiError> {
    if converter(resource).is_none() {
        return Ok(stored);
    }
    let told = outbound::wait(told(&core.store, resource, vec![Arc::clone(&stored)]));
    let told = told.map_err(ApiError::unclassified)?;
    Ok(told.into_iter().next().unwrap_or(stored))
}

/// Stored objects in the version of `resource`.
///
/// # Errors
/// 429 when the webhook does not give one of them: the real server has no list then, and goes on
/// trying to make it.
pub(crate) fn listed(
    core: &Core,
    resource: &Resource,
    objects: Vec<Arc<Stored>>,
) -> Result<Vec<Arc<Stored>>, ApiError> {
    if converter(resource).is_none() {
        return Ok(objects);
    }
    outbound::wait(told(&core.store, resource, objects)).map_err(|why| {
        let (version, kind) = (resource.api_version(), &resource.kind);
        ApiError::initializing(&format!("failed to list {version}, Kind={kind}: {why}"))
    })
}

/// What is put into the store of an object in the version of `resource`.
///
/// # Errors
/// 500 when the webhook does not give it in the version that is kept.
pub(crate) fn to_store(
    core: &Core,
    resource: &Resource,
    mut value: Value,
) -> Result<Draft, ApiError> {
    let is_settled = settle(core, resource, &mut value);
    if resource.custom.is_none() {
        return Ok(value.into());
    }
    Ok(Draft {
        value: between(core, resource, &resource.storage, value)?,
        version: resource.storage.clone(),
        is_settled,
    })
}

/// Takes out what is not kept: empty lists and maps that a client gave. In the metadata of a custom
/// resource, where only what is applied can have them, the real server keeps them, but never reads
/// them back: gives whether there were none.
pub(crate) fn settle(core: &Core, resource: &Resource, value: &mut Value) -> bool {
    if resource.custom.is_none() {
        if let Some(schema) = typing::schema(core, resource) {
            kinds::settle(&schema, value);
        }
        return true;
    }
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_map_mut) else {
        return true;
    };
    let before = metadata.len();
    metadata.retain(|_, member| !is_empty(member));
    metadata.len() == before
}

fn is_empty(member: &Value) -> bool {
    match member {
        Value::Map(map) => map.is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

/// The members of a custom resource's metadata that [`settle`] takes out.
pub(crate) fn unsettled(value: &Value) -> Vec<(Str, Value)> {
    let metadata = value.get("metadata").and_then(Value::as_map);
    let members = metadata.into_iter().flat_map(Map::iter);
    members
        .filter(|(_, member)| is_empty(member))
        .map(|(key, member)| (key.clone(), member.clone()))
        .collect()
}

/// An object of the version of `from` in another one, an `apiVersion`.
///
/// # Errors
/// 500 when the webhook does not give it.
pub(crate) fn between(
    core: &Core,
    from: &Resource,
    to: &str,
    value: Value,
) -> Result<Value, ApiError> {
    let version = from.api_version();
    let Some(converter) = converter(from).filter(|_| version != to) else {
        return Ok(value);
    };
    let sent = vec![without_revision(value.clone())];
    let converted = outbound::wait(converter.ask(&core.store, sent, (&version, to)));
    let converted = converted.map_err(ApiError::unclassified)?;
    Ok(converted.into_iter().next().unwrap_or(value))
}
