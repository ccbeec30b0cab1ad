//! Making one object in the cluster as the desired one says: what `kubectl apply`, `kubectl apply
//! --server-side`, `kubectl replace` and `kubectl create` do, request by request.

use std::time::Duration;

use engine::action::{
    Apply, FIELD_MANAGER, Method, OnConflict, Outcome, Propagation, Run, Validation,
};
use manifest::Object;
use manifest::fields::FieldSet;
use manifest::patch::three_way;
use yaml::Value;

use crate::client::{WriteOptions, Written};
use crate::handle::Shared;
use crate::reconcile::Reconciled;
use crate::{Class, Error, PatchKind, Resource};

/// The annotation in which a client-side apply keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How often a write is tried again when somebody else writes in between, as kubectl does.
pub(crate) const CONFLICT_RETRIES: u32 = 5;

/// How often and how long it is waited for a deleted object to be gone before it is made anew.
const GONE_CHECKS: u32 = 100;
const GONE_PAUSE: Duration = Duration::from_millis(100);

/// One object on its way into the cluster.
pub(crate) struct Write<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) resource: &'a Resource,
    pub(crate) apply: &'a Apply,
}

/// What was done, what kubectl would have said to it, and the object as the server has it now.
///
/// The server's own warnings (unknown fields, deprecations) are logged and not kept: kubectl writes
/// them past its output, so they are in no recorded message.
pub(crate) struct Applied {
    /// What was said to a role or binding before it was applied.
    pub(crate) reconciled: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) warnings: Vec<String>,
    pub(crate) object: Object,
}

impl Applied {
    fn new(outcome: Outcome, Written { object, warnings }: Written) -> Self {
        for warning in warnings {
            tracing::info!(
                kind = object.kind(),
                name = object.name(),
                warning,
                "the server warns"
            );
        }
        Applied {
            reconciled: None,
            outcome,
            warnings: Vec::new(),
            object,
        }
    }
}

impl Write<'_> {
    /// Carries the write out.
    ///
    /// # Errors
    /// [`Error`] of the request that failed; nothing more was sent after it.
    pub(crate) async fn run(&self) -> Result<Applied, Error> {
        match &self.apply.method {
            Method::ClientSide => {
                let (reconciled, live) = match self.reconcile().await? {
                    Some(Reconciled { text, live }) => (Some(text), Some(live)),
                    None => (None, self.known().await?),
                };
                let applied = self.client_side(live).await?;
                Ok(Applied {
                    reconciled,
                    ..applied
                })
            }
            Method::ServerSide { migrate_from } => {
                let reconciled = self.reconcile().await?;
                if let Some(manager) = migrate_from {
                    let is_it = |entry: &Entry<'_>| entry.is(manager, "Update");
                    self.take_over(None, &is_it).await?;
                }
                let applied = self.server_side().await?;
                Ok(Applied {
                    reconciled: reconciled.map(|it| it.text),
                    ..applied
                })
            }
            Method::Create => self.create(&self.apply.object, self.unmanaged()).await,
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

    /// `kubectl create` and `kubectl replace` name no field manager, as recorded.
    pub(crate) fn unmanaged(&self) -> WriteOptions<'static> {
        WriteOptions {
            field_manager: None,
            ..self.options()
        }
    }

    /// `kubectl apply`: create, or patch by three-way merge over what was applied last. `live` is what
    /// was found there.
    async fn client_side(&self, mut live: Option<Object>) -> Result<Applied, Error> {
        let modified = remembering(&self.apply.object);
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let outcome = match live {
                None => self.create(&modified, self.options()).await,
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
        let last = live.annotation(LAST_APPLIED);
        let original = last.and_then(|last| yaml::json::parse(last.as_bytes()).ok());
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
        let mut applied = if patch.is_empty() {
            let unchanged = Written {
                object: live.clone(),
                warnings: Vec::new(),
            };
            Applied::new(Outcome::Unchanged, unchanged)
        } else {
            let target = (self.resource, live.namespace(), live.name(), "");
            let patch = Value::Map(patch);
            let client = &self.shared.client;
            let written = client.patch(target, kind, &patch, self.options()).await?;
            Applied::new(Outcome::Configured, written)
        };
        if last.is_none() {
            applied
                .warnings
                .push(never_applied(&self.resource.plural, live.name()));
        }
        if applied.object.is_terminating() {
            applied.warnings.push(format!(
                "Detected changes to resource {} which is currently being deleted.",
                live.name()
            ));
        }
        Ok(applied)
    }

    /// `kubectl apply --server-side`: what an earlier client-side apply still owns is ours from
    /// then on, so that a field that left Git goes.
    async fn server_side(&self) -> Result<Applied, Error> {
        let written = match self.apply_patch().await {
            Err(error) if self.recreates(&error) => match self.live().await? {
                Some(live) => return self.recreate(&live, &self.apply.object).await,
                None => return Err(error),
            },
            written => written?,
        };
        let remembers = |entry: &Entry<'_>| entry.owns_last_applied();
        let is_wet = self.apply.run == Run::Wet;
        if is_wet && self.take_over(Some(&written.object), &remembers).await? {
            let again = self.apply_patch().await?;
            return Ok(Applied::new(Outcome::ServerSideApplied, again));
        }
        Ok(Applied::new(Outcome::ServerSideApplied, written))
    }

    async fn apply_patch(&self) -> Result<Written, Error> {
        let object = &self.apply.object;
        let target = (self.resource, object.namespace(), object.name(), "");
        let options = WriteOptions {
            force: true,
            ..self.options()
        };
        let client = &self.shared.client;
        client
            .patch(target, PatchKind::Apply, object.value(), options)
            .await
    }

    /// `kubectl replace`, or `kubectl create` where there is nothing to replace.
    async fn replace(&self, done: Outcome) -> Result<Applied, Error> {
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let Some(live) = self.live().await? else {
                return self.create(&self.apply.object, self.unmanaged()).await;
            };
            if done == Outcome::Replaced && self.apply.on_conflict == OnConflict::Recreate {
                return self.recreate(&live, &self.apply.object).await;
            }
            let mut object = self.apply.object.clone();
            object
                .metadata_mut()
                .insert("resourceVersion", live.resource_version());
            let client = &self.shared.client;
            match client
                .update(self.resource, &object, self.unmanaged())
                .await
            {
                Err(error) if retries_left > 0 && is_race(&error) => {}
                outcome => return outcome.map(|written| Applied::new(done, written)),
            }
        }
        unreachable!("the last round returns")
    }

    /// Creates an object; a resource version in it is left out, as kubectl does.
    pub(crate) async fn create(
        &self,
        object: &Object,
        options: WriteOptions<'_>,
    ) -> Result<Applied, Error> {
        let mut fresh = object.clone();
        if !object.resource_version().is_empty() {
            fresh.metadata_mut().remove("resourceVersion");
        }
        let created = self.shared.client.create(self.resource, &fresh, options);
        Ok(Applied::new(Outcome::Created, created.await?))
    }

    /// What is there now of an object that a watch has seen: one that none has seen is most likely
    /// not there, and trying to create it spares the question.
    pub(crate) async fn known(&self) -> Result<Option<Object>, Error> {
        match self.shared.knows(&self.apply.object.key()) {
            true => self.live().await,
            false => Ok(None),
        }
    }

    /// What is there now. The cache may be behind, and a patch is computed against the truth.
    pub(crate) async fn live(&self) -> Result<Option<Object>, Error> {
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
        if self.apply.run == Run::Dry {
            let would = Written {
                object: object.clone(),
                warnings: Vec::new(),
            };
            return Ok(Applied::new(Outcome::Recreated, would));
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
        let options = match self.apply.method {
            Method::Replace => self.unmanaged(),
            _ => self.options(),
        };
        let created = self.create(object, options).await?;
        Ok(Applied {
            outcome: Outcome::Recreated,
            ..created
        })
    }

    /// Moves the fields of some managers to our server-side one, so that a field that left Git is
    /// also taken off (semantics 59); true when there were any. `known` is the object as it is now.
    async fn take_over(
        &self,
        known: Option<&Object>,
        is_source: &(dyn Fn(&Entry<'_>) -> bool + Sync),
    ) -> Result<bool, Error> {
        let mut live = known.cloned();
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let object = match live.take() {
                Some(object) => Some(object),
                None => self.live().await?,
            };
            let Some(object) = object else {
                return Ok(false);
            };
            let Some(moved) = moved_ownership(&object, is_source) else {
                return Ok(false);
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
                operation(
                    "/metadata/resourceVersion",
                    object.resource_version().into(),
                ),
            ]);
            let target = (self.resource, object.namespace(), object.name(), "");
            let client = &self.shared.client;
            match client
                .patch(target, PatchKind::Json, &patch, self.options())
                .await
            {
                Err(error) if retries_left > 0 && is_race(&error) => {}
                outcome => return outcome.map(|_| true),
            }
        }
        unreachable!("the last round returns")
    }
}

/// What kubectl says to an object that it finds without its annotation (recording aoa-self).
fn never_applied(plural: &str, name: &str) -> String {
    format!(
        "resource {plural}/{name} is missing the {LAST_APPLIED} annotation which is required by  \
         apply.  apply should only be used on resources created declaratively by either  create \
         --save-config or  apply. The missing annotation will be patched automatically."
    )
}

/// Whether somebody else wrote in between, so that the same steps may succeed now.
pub(crate) fn is_race(error: &Error) -> bool {
    matches!(error.class(), Class::Conflict | Class::Exists)
}

/// The object as it is sent: with the annotation that remembers it.
///
/// The annotation holds Go's JSON of the object without the annotation itself, with a line feed at
/// the end (recorded in corpora/argocd-sync, `requests`).
fn remembering(object: &Object) -> Object {
    let mut sent = object.clone();
    // Also of an object without annotations the text says that there are none.
    sent.value_mut()
        .map_at_mut(&["metadata", "annotations"])
        .remove(LAST_APPLIED);
    let mut text = yaml::json::to_string_html_escaped(sent.value());
    text.push('\n');
    sent.set_annotation(LAST_APPLIED, &text);
    sent
}

/// One entry of `managedFields`.
struct Entry<'a>(&'a Value);

impl Entry<'_> {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, manager: &str, operation: &str) -> bool {
        let is_whole = self.text("subresource").is_empty();
        is_whole && self.text("manager") == manager && self.text("operation") == operation
    }

    /// Whether it is that of a client-side apply: kubectl knows those by this field.
    fn owns_last_applied(&self) -> bool {
        let field = format!("f:{LAST_APPLIED}");
        let path = ["fieldsV1", "f:metadata", "f:annotations", field.as_str()];
        self.text("operation") == "Update"
            && self.text("subresource").is_empty()
            && self.0.at(&path).is_some()
    }

    fn fields(&self) -> FieldSet {
        let fields = self.0.get("fieldsV1").unwrap_or(&Value::Null);
        FieldSet::from_fields_v1(fields).unwrap_or_default()
    }
}

/// `managedFields` with the entries of some managers merged into our Apply entry; `None` when they
/// own nothing.
fn moved_ownership(live: &Object, is_source: &dyn Fn(&Entry<'_>) -> bool) -> Option<Value> {
    let entries = live.value().at(&["metadata", "managedFields"])?.as_list()?;
    let (from, rest): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|entry| is_source(&Entry(entry)));
    let is_ours = |entry: &&Value| Entry(entry).is(FIELD_MANAGER, "Apply");
    let ours = rest.iter().copied().find(is_ours);
    let mut merged = ours
        .or(from.first().copied())
        .filter(|_| !from.is_empty())?
        .clone();
    let all = from.iter().fold(Entry(&merged).fields(), |all, entry| {
        all.union(&Entry(entry).fields())
    });
    let map = merged.map_at_mut(&[]);
    map.insert("fieldsV1", all.to_fields_v1());
    map.insert("manager", FIELD_MANAGER);
    map.insert("operation", "Apply");
    let rest = rest.into_iter().filter(|entry| !is_ours(entry)).cloned();
    Some(Value::List(std::iter::once(merged).chain(rest).collect()))
}
