//! One Application, once: the pipeline from its spec to its status.
//!
//! Read [`Controller::reconcile`] first: every line is a step of the pipeline. It does not know why
//! it was called, and a second call changes nothing.

use std::sync::Arc;
use std::time::Duration;

use api::{AppProject, Application, Condition, names, reason};
use cluster::{Cluster, PatchKind};
use engine::Live;
use engine::live::ClusterName;
use engine::operation::{self, Auto, Ending, autosync};
use engine::subject::Subject;
use engine::summarize::{Findings, Outcome, merge_conditions};
use engine::teardown;
use jiff::Timestamp;
use source::Freshness;
use tokio::time::Instant;

use crate::clusters::Link;
use crate::controller::Controller;
use crate::counters::Count;
use crate::deletion::Deletion;
use crate::observe::{Context, Observed, Wanted};
use crate::queue::Urgency;
use crate::sync::{Operated, Standing, ended, standing};
use crate::{AppKey, Error, events, status};

/// For how long an Application that was compared before keeps its status while its repository does
/// not answer (semantics 115).
const GRACE: Duration = Duration::from_secs(180);

/// How soon a repository that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

impl Controller {
    /// Brings one Application forward as far as it goes now.
    pub(crate) async fn reconcile(&self, key: &AppKey) -> Result<(), Error> {
        let Some(mut stored) = self.readable(key).await? else {
            return Ok(());
        };
        if stored.skips_reconcile() {
            return Ok(());
        }
        let mut app = stored.clone();
        if app.metadata.deletion_timestamp.is_some()
            && self.delete(key, &mut app, &mut stored).await? == Deletion::Over
        {
            return Ok(());
        }
        take_refresh(&mut app);
        let context = match self.context(key, &app) {
            Ok(context) => context,
            Err(NoContext::Waits) => return Ok(()),
            Err(NoContext::Invalid(invalid)) => {
                invalid.put_into(&mut app, &self.inputs.settings().engine, self.now());
                return self.write(&mut stored, &app).await;
            }
        };
        let wanted = self.wanted(&stored);
        let observed = self.observe(&context, &wanted).await?;
        if self.keeps_status(key, &stored, &wanted, &observed) {
            return Ok(());
        }
        self.summarize(
            &context,
            &mut app,
            &observed,
            is_looked_at(&stored, &observed),
        );
        let operated = self
            .operate(&context, &mut app, &mut stored, observed.resolved())
            .await?;
        if operated != Operated::Idle {
            let context = context.with(&app);
            let wanted = after_operation(wanted, &app, operated);
            let observed = self.observe(&context, &wanted).await?;
            self.summarize(
                &context,
                &mut app,
                &observed,
                operated == Operated::Finished,
            );
        }
        self.write(&mut stored, &app).await?;
        if operated == Operated::Finished {
            // What came in meanwhile, and what automation says now, is another reconcile.
            self.queue.add(key.clone(), Urgency::Now);
        }
        Ok(())
    }

    /// The Application as stored; `None` when it is gone, or cannot be read.
    async fn readable(&self, key: &AppKey) -> Result<Option<Application>, Error> {
        match self.inputs.app(key).map(|stored| stored.app) {
            Some(Ok(app)) => Ok(Some((*app).clone())),
            Some(Err(_)) => Ok(None),
            None => {
                self.forget(key).await?;
                Ok(None)
            }
        }
    }

    /// What the Application is judged by, or what is wrong with its spec.
    pub(crate) fn context(&self, key: &AppKey, app: &Application) -> Result<Context, NoContext> {
        let settings = self.inputs.settings();
        let name = match app.spec.project.as_str() {
            "" => names::DEFAULT_PROJECT,
            name => name,
        };
        let Some(project) = self.inputs.project(name) else {
            let message = format!("Application referencing project {name} which does not exist");
            let condition = Condition::new(reason::INVALID_SPEC_ERROR, message);
            return Err(Invalid::new(vec![condition]).into());
        };
        if let Some(condition) = engine::gate::check_sources(&app.spec) {
            return Err(Invalid::new(vec![condition]).into());
        }
        let cluster = self.clusters.resolve(&app.spec.destination);
        let cluster = cluster.map_err(Invalid::destination)?;
        let instance = app.instance_name(&settings.engine.control_namespace).into();
        let conditions = engine::gate::Gate::new(&project, &cluster).check_spec(&app.spec);
        if !conditions.is_empty() {
            return Err(Invalid::new(conditions).into());
        }
        let reached = self.reach(&cluster);
        let unreachable = |problem: String| Invalid::new(vec![unreachable(&cluster, &problem)]);
        let Some(handle) = reached.map_err(unreachable)? else {
            return Err(NoContext::Waits);
        };
        Ok(Context {
            key: key.clone(),
            app: Arc::new(app.clone()),
            project,
            cluster,
            handle,
            settings,
            instance,
        })
    }

    /// The handle of a cluster; `None` while it is connected to, after which the Application is
    /// looked at again.
    pub(crate) fn reach(&self, cluster: &ClusterName) -> Result<Option<Cluster>, String> {
        if cluster.server == names::IN_CLUSTER_SERVER {
            return Ok(Some(self.cluster.clone()));
        }
        match self.clusters.link(&cluster.server) {
            Link::Ready(cluster) => Ok(Some(cluster)),
            Link::Unasked | Link::Connecting => Ok(None),
            Link::Failed(problem) => Err(problem),
        }
    }

    /// The newest state of Git; asked of the servers when somebody wants that, or when the spec is
    /// not the one that was compared.
    fn wanted(&self, stored: &Application) -> Wanted {
        let is_new = !is_compared(stored) && stored.status.reconciled_at.is_some();
        let freshness = if stored.refresh().is_some() || is_new {
            Freshness::Now
        } else {
            self.usual_freshness()
        };
        if stored.refresh() == Some(api::application::Refresh::Hard) {
            self.renders.forget(&AppKey::of(stored));
        }
        Wanted {
            sources: stored.spec.all_sources(),
            pinned: Vec::new(),
            freshness,
        }
    }

    /// Whether a failure is left out of the status for now: what was found before still stands.
    fn keeps_status(
        &self,
        key: &AppKey,
        stored: &Application,
        wanted: &Wanted,
        observed: &Observed,
    ) -> bool {
        let mut failing = self.failing();
        let Some(failure) = observed.failure.as_ref().filter(|it| it.is_retryable) else {
            failing.remove(key);
            return false;
        };
        tracing::warn!(application = %key, problem = %failure.condition.message, "no desired state");
        self.queue.add_after(key.clone(), ASK_AGAIN);
        let since = *failing.entry(key.clone()).or_insert_with(Instant::now);
        stored.status.reconciled_at.is_some()
            && wanted.freshness != Freshness::Now
            && since.elapsed() < GRACE
    }

    /// Puts what was found into the status, and lets automation set the operation.
    fn summarize(
        &self,
        context: &Context,
        app: &mut Application,
        observed: &Observed,
        is_new: bool,
    ) {
        if observed.failure.is_none() && app.metadata.deletion_timestamp.is_none() {
            let before = &app.metadata.finalizers;
            app.metadata.finalizers = teardown::finalizers(before, &observed.comparison);
        }
        let failure = observed
            .failure
            .as_ref()
            .map(|failure| failure.condition.clone());
        let conditions: Vec<Condition> = failure.into_iter().collect();
        let outcome = if observed.failure.is_some() {
            Outcome::NotLoaded
        } else {
            Outcome::Compared {
                comparison: &observed.comparison,
                revisions: &observed.revisions,
                source_types: &observed.source_types,
            }
        };
        let findings = Findings {
            outcome,
            conditions: &conditions,
            live: &observed.live,
        };
        let mut status = engine::summarize(&context.subject(), &findings, self.now().into());
        if is_new || status.reconciled_at.is_none() {
            status.reconciled_at = Some(self.now().into());
        }
        // What was known before tells a new commit from a change in the cluster.
        let windows = &context.project.spec.sync_windows;
        let auto = autosync(app, windows, &status.sync, &observed.comparison, self.now());
        let before = std::mem::replace(&mut app.status, status).conditions;
        match auto {
            Auto::Nothing => {}
            Auto::Later(delay) => {
                let delay = Duration::try_from(delay).unwrap_or(Duration::ZERO);
                self.queue.add_after(context.key.clone(), delay);
            }
            Auto::Refused(condition) => {
                let mut conditions = app.status.conditions.clone();
                conditions.push(condition);
                app.status.conditions = merge_conditions(&before, conditions, self.now().into());
            }
            Auto::Sync(operation) => {
                tracing::info!(application = %context.key, "automated sync");
                app.operation = Some(operation);
            }
        }
    }

    /// Writes what differs from the stored Application, which becomes what the server answers.
    pub(crate) async fn write(
        &self,
        stored: &mut Application,
        app: &Application,
    ) -> Result<(), Error> {
        if let Some(patch) = status::patch(stored, app) {
            let answer = self
                .patch_application(&AppKey::of(stored), PatchKind::Merge, &patch)
                .await?;
            self.counters.add(Count::StatusWrite);
            if let Some(object) = answer {
                self.inputs.answered(&object);
            }
            let events = events::of_change(stored, app);
            self.events.tell(stored, events, self.now());
        }
        self.end_refresh(stored, app).await?;
        stored.status = app.status.clone();
        stored.operation.clone_from(&app.operation);
        stored
            .metadata
            .annotations
            .clone_from(&app.metadata.annotations);
        stored
            .metadata
            .finalizers
            .clone_from(&app.metadata.finalizers);
        Ok(())
    }

    /// Takes the request for a refresh off, unless somebody has asked anew in the meantime: that
    /// one is another reconcile's (semantics 133).
    async fn end_refresh(&self, stored: &Application, app: &Application) -> Result<(), Error> {
        let Some(patch) = status::refresh_done(stored, app) else {
            return Ok(());
        };
        let key = AppKey::of(stored);
        match self.patch_application(&key, PatchKind::Json, &patch).await {
            Ok(Some(object)) => {
                self.inputs.answered(&object);
            }
            Ok(None) => {}
            Err(Error::Cluster { source, .. }) if is_refused(&source) => {
                tracing::debug!(application = %key, "another refresh was asked for");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Whether a patch was not applied as one of its tests did not hold.
fn is_refused(error: &cluster::Error) -> bool {
    matches!(error, cluster::Error::Status { code: 422, .. })
}

impl Context {
    /// The same for an Application whose status went on.
    fn with(&self, app: &Application) -> Context {
        Context {
            app: Arc::new(app.clone()),
            ..self.clone()
        }
    }
}

impl AppKey {
    /// Of an Application.
    pub(crate) fn of(app: &Application) -> AppKey {
        AppKey {
            namespace: app.metadata.namespace.clone(),
            name: app.metadata.name.clone(),
        }
    }
}

/// Why an Application cannot be compared.
pub(crate) enum NoContext {
    /// Something is wrong.
    Invalid(Invalid),
    /// Its cluster is being connected to.
    Waits,
}

impl From<Invalid> for NoContext {
    fn from(invalid: Invalid) -> Self {
        NoContext::Invalid(invalid)
    }
}

/// In Argo CD's words, with ours for the cause.
fn unreachable(cluster: &ClusterName, problem: &str) -> Condition {
    let message = format!(
        "Failed to load live state: failed to get cluster info for {:?}: error synchronizing cache state : {problem}",
        cluster.server
    );
    Condition::new(reason::COMPARISON_ERROR, message)
}

/// What is wrong with a spec.
pub(crate) struct Invalid {
    conditions: Vec<Condition>,
    /// What an operation says.
    message: String,
}

impl Invalid {
    fn new(conditions: Vec<Condition>) -> Self {
        let texts: Vec<String> = conditions
            .iter()
            .map(|it| format!("{}: {}", it.condition_type, it.message))
            .collect();
        Invalid {
            conditions,
            message: texts.join(";"),
        }
    }

    /// An unknown destination stops an operation before any comparison, with its bare text.
    fn destination(problem: String) -> Self {
        Invalid {
            conditions: vec![Condition::new(reason::INVALID_SPEC_ERROR, problem.clone())],
            message: problem,
        }
    }

    /// Nothing is known then, and nothing is done; what was found before stays (semantics 116).
    fn put_into(self, app: &mut Application, settings: &engine::subject::Settings, now: Timestamp) {
        let (project, cluster) = (AppProject::default(), ClusterName::default());
        let subject = Subject {
            app,
            project: &project,
            cluster: &cluster,
            settings,
        };
        let findings = Findings {
            outcome: Outcome::Invalid,
            conditions: &self.conditions,
            live: &Live::default(),
        };
        let status = engine::summarize(&subject, &findings, now.into());
        app.status = status;
        if let Standing::Go(state) = standing(app, now) {
            let mut state = ended(*state, &self.message);
            operation::pin(&mut state, &app.spec, &[]);
            app.operation = None;
            let state = operation::conclude(state, Ending::Terminated, now);
            app.status.operation_state = Some(Box::new(state));
        }
    }
}

/// Where a sync that a person asked for has ended, Git is asked anew (semantics 89): it may have been
/// for an older commit.
fn after_operation(wanted: Wanted, app: &Application, operated: Operated) -> Wanted {
    let state = app.status.operation_state.as_ref();
    let is_automated = state.is_some_and(|it| it.operation.initiated_by.automated);
    if operated != Operated::Finished || is_automated {
        return wanted;
    }
    Wanted {
        freshness: Freshness::Now,
        ..wanted
    }
}

fn take_refresh(app: &mut Application) {
    app.metadata.annotations.remove(names::REFRESH);
    app.metadata.annotations.remove(names::REFRESH_TIMESTAMP);
}

/// Whether the status is about this spec.
fn is_compared(app: &Application) -> bool {
    let seen = &app.status.sync.compared_to;
    let sources = if app.spec.has_multiple_sources() {
        seen.sources == app.spec.sources
    } else {
        app.spec.all_sources().first() == Some(&seen.source)
    };
    sources && seen.destination == app.spec.destination
}

/// Whether this reconcile counts as a new look (semantics 109, 113): asked for, another spec, or
/// another commit.
fn is_looked_at(stored: &Application, observed: &Observed) -> bool {
    let sync = &stored.status.sync;
    let before = if sync.revisions.is_empty() {
        std::slice::from_ref(&sync.revision)
    } else {
        &sync.revisions
    };
    stored.refresh().is_some() || !is_compared(stored) || before != observed.revisions
}
