//! Kubernetes Events about Applications, as Argo CD writes them (semantics 90, 107, 246).
//!
//! Read [`of_change`] first: what is told follows from two states of an Application, so that nothing
//! is told twice. Events are for people: they wait in a short queue, are written one at a time, and
//! are dropped when the API server cannot keep up. They must never hold up a reconcile.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use api::operation::{OperationState, SyncOperation};
use api::{Application, names, reason};
use cluster::{Cluster, WriteOptions};
use engine::operation::completion_text;
use jiff::Timestamp;
use manifest::{Gvk, Object};
use tokio::sync::mpsc;
use yaml::{Map, Value};

/// Who reports, as in Argo CD.
const COMPONENT: &str = "argocd-application-controller";

/// Events that may wait to be written: a first sync of a few hundred Applications makes so many at
/// once, and each holds about a kilobyte.
const MAX_WAITING: usize = 2_000;

/// What happened to an Application, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    kind: &'static str,
    reason: &'static str,
    message: String,
}

impl Event {
    fn normal(reason: &'static str, message: String) -> Self {
        Event {
            kind: "Normal",
            reason,
            message,
        }
    }

    fn warning(reason: &'static str, message: String) -> Self {
        Event {
            kind: "Warning",
            reason,
            message,
        }
    }
}

/// What there is to tell about a change of an Application.
pub(crate) fn of_change(before: &Application, after: &Application) -> Vec<Event> {
    let (old, new) = (&before.status, &after.status);
    let mut events = Vec::new();
    if let Some(sync) = automated_sync(after).filter(|_| before.operation != after.operation) {
        let revisions = match sync.revisions.as_slice() {
            [] => sync.revision.clone(),
            many => many.join(", "),
        };
        let message = format!("Initiated automated sync to '{revisions}'");
        events.push(Event::normal("OperationStarted", message));
    }
    if let Some(ended) = new
        .operation_state
        .as_deref()
        .filter(|it| has_ended(old.operation_state.as_deref(), it))
    {
        let message = completion_text(ended);
        events.push(match ended.phase.is_successful() {
            true => Event::normal("OperationCompleted", message),
            false => Event::warning("OperationCompleted", message),
        });
    }
    if old.sync.status != new.sync.status {
        let message = format!(
            "Updated sync status: {} -> {}",
            old.sync.status, new.sync.status
        );
        events.push(Event::normal("ResourceUpdated", message));
    }
    if old.health.status != new.health.status {
        let (from, to) = (&old.health.status, &new.health.status);
        let cause = match new.health.message.as_str() {
            "" => String::new(),
            message => format!(" ({message})"),
        };
        let message = format!("Updated health status: {from} -> {to}{cause}");
        events.push(Event::normal("ResourceUpdated", message));
    }
    for condition in &new.conditions {
        let is_new = !old.conditions.contains(condition);
        if condition.condition_type == reason::DELETION_ERROR && is_new {
            let message = format!(
                "Unable to delete application resources: {}",
                condition.message
            );
            events.push(Event::warning("StatusRefreshed", message));
        }
    }
    events
}

/// The sync that automation asks for.
fn automated_sync(app: &Application) -> Option<&SyncOperation> {
    let operation = app.operation.as_ref()?;
    operation
        .sync
        .as_ref()
        .filter(|_| operation.initiated_by.automated)
}

/// Whether an operation is over that was not before.
fn has_ended(before: Option<&OperationState>, after: &OperationState) -> bool {
    let is_known =
        before.is_some_and(|it| it.phase.is_completed() && it.started_at == after.started_at);
    after.phase.is_completed() && !is_known
}

/// Events on their way to the API server.
pub(crate) struct Events {
    sender: mpsc::Sender<Object>,
    receiver: Mutex<Option<mpsc::Receiver<Object>>>,
    /// The time in the name of the last event, in nanoseconds: no two have the same.
    last: AtomicI64,
}

impl Default for Events {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        Events {
            sender,
            receiver: Mutex::new(Some(receiver)),
            last: AtomicI64::new(0),
        }
    }
}

impl Events {
    /// Has events about `app` written soon.
    pub(crate) fn tell(&self, app: &Application, events: Vec<Event>, now: Timestamp) {
        for event in events {
            let number = self.number(now);
            let object = object(app, &event, (now, number));
            if self.sender.try_send(object).is_err() {
                tracing::debug!(application = app.metadata.name, "too many events");
            }
        }
    }

    /// A number that grows from event to event: the time, or more where that stands.
    fn number(&self, now: Timestamp) -> i64 {
        let time = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let next = |last: i64| Some(time.max(last.saturating_add(1)));
        let update = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let last = update.unwrap_or_else(|last| last);
        time.max(last.saturating_add(1))
    }

    /// Writes events for ever; there is one writer.
    pub(crate) async fn write_all(&self, cluster: &Cluster) {
        let receiver = self
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut receiver) = receiver else {
            return;
        };
        while let Some(event) = receiver.recv().await {
            if let Err(error) = write(cluster, &event).await {
                tracing::debug!(event = event.name(), %error, "an event is lost");
            }
        }
    }
}

async fn write(cluster: &Cluster, event: &Object) -> Result<(), cluster::Error> {
    let resource = cluster.resource(&Gvk::new("v1", "Event")).await?;
    let client = cluster.client();
    client
        .create(&resource, event, WriteOptions::default())
        .await?;
    Ok(())
}

fn object(app: &Application, event: &Event, (now, number): (Timestamp, i64)) -> Object {
    let metadata = &app.metadata;
    let time = Value::from(format!("{now:.0}"));
    let destination = &app.spec.destination;
    let text = |text: &str| Value::from(text);
    let annotations = Map::from([
        ("dest-namespace", text(&destination.namespace)),
        ("dest-server", text(&destination.server)),
    ]);
    let value = Map::from([
        ("apiVersion", text("v1")),
        ("kind", text("Event")),
        (
            "metadata",
            Map::from([
                ("name", format!("{}.{number:x}", metadata.name).into()),
                ("namespace", text(&metadata.namespace)),
                ("annotations", annotations.into()),
            ])
            .into(),
        ),
        (
            "involvedObject",
            Map::from([
                ("apiVersion", text(names::API_VERSION)),
                ("kind", text(names::APPLICATION)),
                ("name", text(&metadata.name)),
                ("namespace", text(&metadata.namespace)),
                ("resourceVersion", text(&metadata.resource_version)),
                ("uid", text(&metadata.uid)),
            ])
            .into(),
        ),
        ("source", Map::from([("component", text(COMPONENT))]).into()),
        ("type", text(event.kind)),
        ("reason", text(event.reason)),
        ("message", text(&event.message)),
        ("count", 1_i64.into()),
        ("firstTimestamp", time.clone()),
        ("lastTimestamp", time),
    ]);
    Object::new(Value::Map(value)).expect("it has a version and a kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(text: &str) -> Application {
        Application::from_value(yaml::parse_str(text).expect("YAML")).expect("an Application")
    }

    fn check(before: &str, after: &str, want: &[(&str, &str, &str)]) {
        let found = of_change(&application(before), &application(after));
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.kind, it.reason, it.message.as_str()))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn changes_of_sync_and_health_are_told() {
        check(
            "status: {}",
            "status: {sync: {status: OutOfSync}, health: {status: Progressing, message: Caused by Pod:a/b}}",
            &[
                (
                    "Normal",
                    "ResourceUpdated",
                    "Updated sync status:  -> OutOfSync",
                ),
                (
                    "Normal",
                    "ResourceUpdated",
                    "Updated health status:  -> Progressing (Caused by Pod:a/b)",
                ),
            ],
        );
        let same = "status: {sync: {status: Synced}, health: {status: Healthy}}";
        check(same, same, &[]);
    }

    #[test]
    fn the_start_and_the_end_of_an_operation_are_told_once() {
        let asked = "operation: {initiatedBy: {automated: true}, sync: {revision: abc}}";
        check(
            "status: {}",
            asked,
            &[(
                "Normal",
                "OperationStarted",
                "Initiated automated sync to 'abc'",
            )],
        );
        check("status: {}", "operation: {sync: {revision: abc}}", &[]);
        check(asked, asked, &[]);
        check(
            asked,
            "operation: {initiatedBy: {automated: true}, sync: {revisions: [def, abc]}}",
            &[(
                "Normal",
                "OperationStarted",
                "Initiated automated sync to 'def, abc'",
            )],
        );
        let state = |phase: &str| {
            format!(
                "status: {{operationState: {{phase: {phase}, message: m, startedAt: '2026-01-01T00:00:00Z',
                   operation: {{sync: {{}}}}, syncResult: {{revision: abc}}}}}}"
            )
        };
        check(asked, &state("Running"), &[]);
        let ended = (
            "Normal",
            "OperationCompleted",
            "Sync operation to abc succeeded",
        );
        check(&state("Running"), &state("Succeeded"), &[ended]);
        check(&state("Succeeded"), &state("Succeeded"), &[]);
        let failed = (
            "Warning",
            "OperationCompleted",
            "Sync operation to abc failed: m",
        );
        check(&state("Running"), &state("Failed"), &[failed]);
    }

    #[test]
    fn what_keeps_an_application_from_being_deleted_is_told() {
        check(
            "status: {}",
            "status: {conditions: [{type: DeletionError, message: m}]}",
            &[(
                "Warning",
                "StatusRefreshed",
                "Unable to delete application resources: m",
            )],
        );
    }

    #[test]
    fn no_two_events_have_one_name() {
        let events = Events::default();
        let now = Timestamp::from_second(1).expect("a time");
        let numbers = [events.number(now), events.number(now), events.number(now)];
        assert_eq!(numbers, [1_000_000_000, 1_000_000_001, 1_000_000_002]);
    }
}
