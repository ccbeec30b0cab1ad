//! Writes become requests, one after the other, and their answers become effects on the world.

use futures::future::BoxFuture;
use http::Method;
use manifest::Object;
use yaml::{Map, Str, Value};

use super::client::{Api, ApiError, Call};
use super::fields::{map, text};
use super::kind::{Kind, Registry};
use super::logs::Logs;
use super::notes::{Notes, Recording};
use super::time::stamp;
use super::world::{Ref, stays};
use super::write::{Deletion, Note, Part, Write};

/// The longest life that a token may ask for (2^32 seconds).
const TOKEN_SECONDS: i64 = 1 << 32;

/// What a write taught us.
#[derive(Debug)]
pub(crate) enum Effect {
    /// An object is now so.
    Present(Kind, Value),
    /// An object is gone.
    Gone(Ref, Str),
}

/// What the writes of one key led to.
pub(crate) type Done = (Ref, (Vec<Effect>, Result<(), ApiError>));

/// Turns writes into requests for one controller.
pub(crate) struct Executor<'a> {
    /// The server.
    pub(crate) api: &'a Api,
    /// Where resources are served.
    pub(crate) registry: &'a Registry,
    /// Who writes.
    pub(crate) agent: &'static str,
    /// Where simulated containers print.
    pub(crate) logs: &'a Logs,
    /// The time of events.
    pub(crate) now: jiff::Timestamp,
    /// What was recorded before.
    pub(crate) notes: &'a Notes,
}

impl Executor<'_> {
    /// The work of several keys, boxed because the compiler cannot see that it is `Send`.
    pub(crate) fn all<'a>(&'a self, jobs: Vec<(Ref, Vec<Write>)>) -> Vec<BoxFuture<'a, Done>> {
        let run = |(target, writes): (Ref, Vec<Write>)| -> BoxFuture<'a, Done> {
            Box::pin(async move { (target, self.run(writes).await) })
        };
        jobs.into_iter().map(run).collect()
    }

    /// Does the writes of one outcome in order, until one fails.
    pub(crate) async fn run(&self, writes: Vec<Write>) -> (Vec<Effect>, Result<(), ApiError>) {
        let mut effects = Vec::new();
        for write in writes {
            match self.write(write, &mut effects).await {
                Ok(()) => {}
                Err(error) => return (effects, Err(error)),
            }
        }
        (effects, Ok(()))
    }

    async fn write(&self, write: Write, effects: &mut Vec<Effect>) -> Result<(), ApiError> {
        match write {
            Write::Create { kind, object, note } => {
                effects.push(self.create_noted(kind, object, note).await?);
            }
            Write::Patch {
                target,
                part,
                body,
                note,
            } => {
                let path = self.path(&target) + part.suffix();
                let call = self.call(Method::PATCH, path, Some(body));
                let call = Call {
                    content_type: "application/merge-patch+json",
                    ..call
                };
                if let Some(answer) = found(self.api.call(&call).await)? {
                    self.record(note, &target.name).await;
                    effects.extend(changed(&target, part, answer));
                }
            }
            Write::Replace { target, part, body } => {
                let path = self.path(&target) + part.suffix();
                let call = self.call(Method::PUT, path, Some(body));
                if let Some(answer) = found(self.api.call(&call).await)? {
                    effects.extend(changed(&target, part, answer));
                }
            }
            Write::Bind { pod, uid, node } => self.bind(&pod, &uid, &node).await?,
            Write::Delete {
                target,
                uid,
                how,
                note,
            } => {
                effects.extend(self.delete(&target, &uid, how).await?);
                self.record(note, &target.name).await;
            }
            Write::DeleteAll { kind, namespace } => {
                let path = self.registry.resource(kind).collection(&namespace);
                found(self.api.call(&self.call(Method::DELETE, path, None)).await)?;
            }
            Write::Collect {
                target,
                uid,
                owners,
            } => {
                if !self.any_exists(&owners).await? {
                    effects.extend(self.delete(&target, &uid, Deletion::Background).await?);
                }
            }
            Write::Token {
                secret,
                account,
                body,
            } => effects.extend(self.complete(&secret, account.as_ref(), body).await?),
            Write::Note(note) => self.record(Some(note), "").await,
            Write::Log {
                pod_uid,
                container,
                told,
            } => self.logs.record(&pod_uid, &container, told),
        }
        Ok(())
    }

    fn call(&self, method: Method, path: String, body: Option<Value>) -> Call {
        Call {
            method,
            path,
            content_type: "application/json",
            body,
            agent: self.agent,
        }
    }

    fn path(&self, target: &Ref) -> String {
        let collection = self
            .registry
            .resource(target.kind)
            .collection(&target.namespace);
        format!("{collection}/{}", target.name)
    }

    async fn create_noted(
        &self,
        kind: Kind,
        object: Object,
        note: Option<Note>,
    ) -> Result<Effect, ApiError> {
        match self.create(kind, object).await {
            Ok(answer) => {
                let name = text(&answer, &["metadata", "name"]);
                self.record(note, name).await;
                Ok(Effect::Present(kind, answer))
            }
            Err(error) => {
                let warning = note.and_then(|note| note.failure(&error.message()));
                self.record(warning, "").await;
                Err(error)
            }
        }
    }

    async fn create(&self, kind: Kind, object: Object) -> Result<Value, ApiError> {
        let path = self.registry.resource(kind).collection(object.namespace());
        let call = self.call(Method::POST, path, Some(object.into_value()));
        self.api.call(&call).await
    }

    async fn bind(&self, pod: &Ref, uid: &str, node: &str) -> Result<(), ApiError> {
        let body = map([
            ("apiVersion", "v1".into()),
            ("kind", "Binding".into()),
            (
                "metadata",
                map([
                    ("name", pod.name.clone().into()),
                    ("namespace", pod.namespace.clone().into()),
                    ("uid", uid.into()),
                ]),
            ),
            (
                "target",
                map([
                    ("apiVersion", "v1".into()),
                    ("kind", "Node".into()),
                    ("name", node.into()),
                ]),
            ),
        ]);
        let path = self.path(pod) + "/binding";
        found(
            self.api
                .call(&self.call(Method::POST, path, Some(body)))
                .await,
        )?;
        Ok(())
    }

    async fn delete(
        &self,
        target: &Ref,
        uid: &Str,
        how: Deletion,
    ) -> Result<Option<Effect>, ApiError> {
        let mut body = Map::from([
            ("apiVersion", "v1".into()),
            ("kind", "DeleteOptions".into()),
            ("preconditions", map([("uid", uid.clone().into())])),
        ]);
        match how {
            Deletion::Background => body.insert("propagationPolicy", "Background"),
            Deletion::Foreground => body.insert("propagationPolicy", "Foreground"),
            Deletion::Now => body.insert("gracePeriodSeconds", 0),
        };
        let call = self.call(Method::DELETE, self.path(target), Some(Value::Map(body)));
        let answer = match self.api.call(&call).await {
            // A namesake has taken the place: what was to go is gone.
            Err(error) if error.code() == Some(409) => return Ok(None),
            other => found(other)?,
        };
        Ok(answer.map(|answer| {
            if stays(&answer) {
                Effect::Present(target.kind, answer)
            } else {
                Effect::Gone(target.clone(), uid.clone())
            }
        }))
    }

    /// Completes a Secret. Its token lives as long as it does, and not longer than any may.
    async fn complete(
        &self,
        secret: &Ref,
        account: Option<&Ref>,
        mut body: Value,
    ) -> Result<Option<Effect>, ApiError> {
        if let Some(account) = account {
            let bound = map([
                ("apiVersion", "v1".into()),
                ("kind", "Secret".into()),
                ("name", secret.name.clone().into()),
                ("uid", text(&body, &["metadata", "uid"]).into()),
            ]);
            let request = map([
                ("apiVersion", "authentication.k8s.io/v1".into()),
                ("kind", "TokenRequest".into()),
                (
                    "spec",
                    map([
                        ("boundObjectRef", bound),
                        ("expirationSeconds", TOKEN_SECONDS.into()),
                    ]),
                ),
            ]);
            let path = self.path(account) + "/token";
            let call = self.call(Method::POST, path, Some(request));
            let Some(answer) = found(self.api.call(&call).await)? else {
                return Ok(None);
            };
            let token = text(&answer, &["status", "token"]);
            body.map_at_mut(&["stringData"]).insert("token", token);
        }
        let call = Call {
            content_type: "application/merge-patch+json",
            ..self.call(Method::PATCH, self.path(secret), Some(body))
        };
        let answer = found(self.api.call(&call).await)?;
        Ok(answer.map(|answer| Effect::Present(secret.kind, answer)))
    }

    async fn any_exists(&self, owners: &[(Ref, Str)]) -> Result<bool, ApiError> {
        for (owner, uid) in owners {
            let live = found(self.api.get(self.path(owner)).await)?;
            if live.is_some_and(|live| text(&live, &["metadata", "uid"]) == uid.as_str()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Events tell people what happened; nothing depends on them, so a failure is let go.
    async fn record(&self, note: Option<Note>, name: &str) {
        let Some(note) = note else {
            return;
        };
        let message = note.message.replace("{name}", name);
        let Some(recording) = self.notes.take(&note, &message, self.now) else {
            return;
        };
        if recording.count > 1 && self.recorded_again(&note, &recording).await {
            return;
        }
        let event = event(&note, &recording, &stamp(self.now));
        let event = Object::new(event).expect("an event has a kind");
        if let Err(error) = self.create(Kind::EVENT, event).await {
            tracing::debug!(%error, "an event was not recorded");
        }
    }

    /// Counts an event that is there; `false` when it is not there any more.
    async fn recorded_again(&self, note: &Note, recording: &Recording) -> bool {
        let target = Ref::new(Kind::EVENT, namespace_of(note), &recording.name);
        let body = map([
            ("count", recording.count.into()),
            ("lastTimestamp", stamp(self.now)),
            ("message", recording.message.as_str().into()),
        ]);
        let call = Call {
            content_type: "application/merge-patch+json",
            ..self.call(Method::PATCH, self.path(&target), Some(body))
        };
        matches!(found(self.api.call(&call).await), Ok(Some(_)))
    }
}

/// What a patch or a replacement left: an object, or none where it was the last finalizer that
/// went. A scale says nothing about its object.
fn changed(target: &Ref, part: Part, answer: Value) -> Option<Effect> {
    if matches!(part, Part::Scale | Part::Finalize) {
        return None;
    }
    let deleted = answer.at(&["metadata", "deletionTimestamp"]).is_some();
    if deleted && !stays(&answer) {
        let uid = Str::from(text(&answer, &["metadata", "uid"]));
        return Some(Effect::Gone(target.clone(), uid));
    }
    Some(Effect::Present(target.kind, answer))
}

/// An object that is not there needs no change.
fn found(answer: Result<Value, ApiError>) -> Result<Option<Value>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Events about cluster-scoped objects are kept in `default`.
fn namespace_of(note: &Note) -> &str {
    match text(&note.about, &["namespace"]) {
        "" => "default",
        namespace => namespace,
    }
}

fn event(note: &Note, recording: &Recording, time: &Value) -> Value {
    map([
        ("apiVersion", "v1".into()),
        ("kind", "Event".into()),
        (
            "metadata",
            map([
                ("name", recording.name.as_str().into()),
                ("namespace", namespace_of(note).into()),
            ]),
        ),
        ("involvedObject", note.about.clone()),
        ("reason", note.reason.into()),
        ("message", recording.message.as_str().into()),
        ("source", map([("component", note.component.into())])),
        ("reportingComponent", note.component.into()),
        ("reportingInstance", "".into()),
        ("firstTimestamp", recording.first.clone()),
        ("lastTimestamp", time.clone()),
        ("count", recording.count.into()),
        ("type", note.severity.into()),
    ])
}
