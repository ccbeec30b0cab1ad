//! Making one object in the cluster as the desired one says: what `kubectl apply`, `kubectl apply
//! --server-side`, `kubectl replace` and `kubectl create` do, request by request.

use std::time::Duration;

use engine::action::{
    Apply, FIELD_MANAGER, Method, OnConflict, Outcome, Propagation, Run, Validation,
};
use manifest::Object;
use manifest::patch::three_way;
use yaml::Value;

use crate::client::{WriteOptions, Written};
use crate::handle::Shared;
use crate::{Class, Error, PatchKind, Resource};

/// The annotation in which a client-side apply keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How often a write is tried again when somebody else writes in between, as kubectl does.
const CONFLICT_RETRIES: u32 = 5;

/// How often and how long it is waited for a deleted object to be gone before it is made anew.
const GONE_CHECKS: u32 = 100;
const GONE_PAUSE: Duration = Duration::from_millis(100);

/// One object on its way into the cluster.
pub(crate) struct Write<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) resource: &'a Resource,
    pub(crate) apply: &'a Apply,
}

/// What was done, and what the server answered.
pub(crate) type Applied = (Outcome, Written);

impl Write<'_> {
    /// Carries the write out.
    ///
    /// # Errors
    /// [`Error`] of the request that failed; nothing more was sent after it.
    pub(crate) async fn run(&self) -> Result<Applied, Error> {
        match &self.apply.method {
            Method::ClientSide => self.client_side().await,
            Method::ServerSide { migrate_from } => {
                if let Some(manager) = migrate_from {
                    self.take_over(manager).await?;
                }
                self.server_side().await
            }
            Method::Create => self.create(&remembering(&self.apply.object)).await,
            Method::Replace => self.replace(Outcome::Replaced).await,
            Method::Update => self.replace(Outcome::Updated).await,
        }
    }

    fn options(&self) -> WriteOptions<'static> {
        WriteOptions {
            field_manager: Some(FIELD_MANAGER),
            dry_run: self.apply.run == Run::Dry,
            force: false,
            field_validation: match self.apply.validation {
                Validation::On => None,
                Validation::Off => Some("Ignore"),
            },
        }
    }

    /// `kubectl apply`: create, or patch by three-way merge over what was applied last.
    async fn client_side(&self) -> Result<Applied, Error> {
        let modified = remembering(&self.apply.object);
        // What no watch has seen is most likely not there: trying to create it spares the question.
        let mut live = match self.shared.knows(&modified.key()) {
            true => self.live().await?,
            false => None,
        };
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let outcome = match live {
                None => self.create(&modified).await,
                Some(live) => match self.patch_over(&live, &modified).await {
                    Err(error) if self.recreates(&error) => self.recreate(&live, &modified).await,
                    outcome => outcome,
                },
            };
            match outcome {
                Err(error) if retries_left > 0 && is_race(&error) => live = self.live().await?,
                outcome => return outcome,
            }
        }
        unreachable!("the last round returns")
    }

    async fn patch_over(&self, live: &Object, modified: &Object) -> Result<Applied, Error> {
        let last = live.annotation(LAST_APPLIED).unwrap_or_default();
        let original = yaml::json::parse(last.as_bytes()).ok();
        let schema = self.shared.builtin.schema(&live.gvk());
        let kind = match schema {
            Some(_) => PatchKind::Strategic,
            None => PatchKind::Merge,
        };
        let patch = three_way(
            original.as_ref(),
            modified.value(),
            live.value(),
            schema.as_ref(),
        )
        .map_err(|error| Error::BadObject {
            what: format!("{} {}", live.kind(), live.name()),
            problem: error.to_string(),
        })?
        .patch;
        if patch.is_empty() {
            let unchanged = Written {
                object: live.clone(),
                warnings: Vec::new(),
            };
            return Ok((Outcome::Unchanged, unchanged));
        }
        let target = (self.resource, live.namespace(), live.name(), "");
        let patch = Value::Map(patch);
        let written = self
            .shared
            .client
            .patch(target, kind, &patch, self.options())
            .await?;
        Ok((Outcome::Configured, written))
    }

    /// `kubectl apply --server-side`.
    async fn server_side(&self) -> Result<Applied, Error> {
        let object = &self.apply.object;
        let target = (self.resource, object.namespace(), object.name(), "");
        let options = WriteOptions {
            force: true,
            ..self.options()
        };
        let applied = self
            .shared
            .client
            .patch(target, PatchKind::Apply, object.value(), options)
            .await;
        match applied {
            Ok(written) => Ok((Outcome::ServerSideApplied, written)),
            Err(error) if self.recreates(&error) => match self.live().await? {
                Some(live) => self.recreate(&live, object).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// `kubectl replace`, or `kubectl create` where there is nothing to replace.
    async fn replace(&self, done: Outcome) -> Result<Applied, Error> {
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let Some(live) = self.live().await? else {
                return self.create(&self.apply.object).await;
            };
            if done == Outcome::Replaced && self.apply.on_conflict == OnConflict::Recreate {
                return self.recreate(&live, &self.apply.object).await;
            }
            let mut object = self.apply.object.clone();
            object
                .metadata_mut()
                .insert("resourceVersion", live.resource_version());
            match self
                .shared
                .client
                .update(self.resource, &object, self.options())
                .await
            {
                Err(error) if retries_left > 0 && is_race(&error) => {}
                outcome => return outcome.map(|written| (done, written)),
            }
        }
        unreachable!("the last round returns")
    }

    async fn create(&self, object: &Object) -> Result<Applied, Error> {
        let written = self
            .shared
            .client
            .create(self.resource, object, self.options())
            .await?;
        Ok((Outcome::Created, written))
    }

    /// What is there now. The cache may be behind, and a patch is computed against the truth.
    async fn live(&self) -> Result<Option<Object>, Error> {
        let object = &self.apply.object;
        if object.name().is_empty() {
            return Ok(None);
        }
        self.shared
            .client
            .get(self.resource, object.namespace(), object.name())
            .await
    }

    fn recreates(&self, error: &Error) -> bool {
        self.apply.on_conflict == OnConflict::Recreate
            && matches!(error, Error::Status { code: 422, reason, .. } if reason == "Invalid")
    }

    async fn recreate(&self, live: &Object, object: &Object) -> Result<Applied, Error> {
        let mut fresh = object.clone();
        fresh.metadata_mut().remove("resourceVersion");
        if self.apply.run == Run::Dry {
            let would = Written {
                object: fresh,
                warnings: Vec::new(),
            };
            return Ok((Outcome::Recreated, would));
        }
        let target = (self.resource, live.namespace(), live.name());
        self.shared
            .client
            .delete(target, Propagation::Background, live.uid())
            .await?;
        for _ in 0..GONE_CHECKS {
            match self.live().await? {
                Some(object) if object.uid() == live.uid() => tokio::time::sleep(GONE_PAUSE).await,
                _ => break,
            }
        }
        let (_, written) = self.create(&fresh).await?;
        Ok((Outcome::Recreated, written))
    }

    /// Moves the fields that a client-side applier owns to our server-side one, so that a field
    /// that left Git is also taken off (semantics 59).
    async fn take_over(&self, manager: &str) -> Result<(), Error> {
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let Some(live) = self.live().await? else {
                return Ok(());
            };
            let Some(moved) = moved_ownership(&live, manager) else {
                return Ok(());
            };
            let operation = |path: &str, value: Value| {
                Value::from(yaml::Map::from([
                    ("op", "replace".into()),
                    ("path", path.into()),
                    ("value", value),
                ]))
            };
            let patch = Value::List(vec![
                operation("/metadata/managedFields", moved),
                operation("/metadata/resourceVersion", live.resource_version().into()),
            ]);
            let target = (self.resource, live.namespace(), live.name(), "");
            match self
                .shared
                .client
                .patch(target, PatchKind::Json, &patch, self.options())
                .await
            {
                Err(error) if retries_left > 0 && is_race(&error) => {}
                outcome => return outcome.map(|_| ()),
            }
        }
        unreachable!("the last round returns")
    }
}

/// Whether somebody else wrote in between, so that the same steps may succeed now.
fn is_race(error: &Error) -> bool {
    matches!(error.class(), Class::Conflict | Class::Exists)
}

/// The object as it is sent: with the annotation that remembers it.
///
/// The annotation holds Go's JSON of the object without the annotation itself, with a line feed at
/// the end (recorded in corpora/argocd-sync, `requests`).
fn remembering(object: &Object) -> Object {
    let mut sent = object.clone();
    if let Some(annotations) = sent
        .metadata_mut()
        .get_mut("annotations")
        .and_then(Value::as_map_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    let mut text = yaml::json::to_string_html_escaped(sent.value());
    text.push('\n');
    sent.set_annotation(LAST_APPLIED, &text);
    sent
}

/// `managedFields` with the entry of `manager` (operation Update) merged into our Apply entry;
/// `None` when that manager owns nothing.
fn moved_ownership(live: &Object, manager: &str) -> Option<Value> {
    let entries = live.value().at(&["metadata", "managedFields"])?.as_list()?;
    let is = |entry: &Value, name: &str, operation: &str| {
        let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        text("manager") == name && text("operation") == operation && text("subresource").is_empty()
    };
    let from = entries.iter().find(|entry| is(entry, manager, "Update"))?;
    let to = entries
        .iter()
        .find(|entry| is(entry, FIELD_MANAGER, "Apply"));
    let mut merged = to.unwrap_or(from).clone();
    let fields = merged.map_at_mut(&["fieldsV1"]);
    let moved = from
        .get("fieldsV1")
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default();
    unite(fields, &moved);
    let map = merged.map_at_mut(&[]);
    map.insert("manager", FIELD_MANAGER);
    map.insert("operation", "Apply");
    let rest = entries
        .iter()
        .filter(|entry| !is(entry, manager, "Update") && !is(entry, FIELD_MANAGER, "Apply"));
    Some(Value::List(
        std::iter::once(merged).chain(rest.cloned()).collect(),
    ))
}

/// The union of two FieldsV1 sets: they are plain trees of keys.
fn unite(into: &mut yaml::Map, from: &yaml::Map) {
    for (key, value) in from.iter() {
        let there = into.entry_or_insert(key, Value::Map(yaml::Map::new()));
        if let (Value::Map(there), Value::Map(value)) = (there, value) {
            unite(there, value);
        }
    }
}
