//! The pipeline run to rest over a cluster and a repository in memory: what `controller` does, with
//! nothing but the engine's functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::operation::{OperationPhase, OperationState};
use api::{AppProject, Application, Condition, names, reason};
use engine::advance::{Next, Step, View};
use engine::gate::check_sources;
use engine::live::ClusterName;
use engine::operation::{self, Auto, Ending, Resume};
use engine::render::{Capabilities, Environment, RenderError};
use engine::subject::{Settings, Subject};
use engine::summarize::{Findings, Outcome};
use engine::teardown::Teardown;
use manifest::trees::{Files, Listed, Mounts};
use manifest::{Object, ObjectKey, Tree, TreePath};

use crate::cluster::Cluster;

/// What charts of the recordings ask for.
const APIS: [&str; 2] = ["apps/v1", "apps/v1/Deployment"];

/// More cycles than any recording needs.
const MAX_CYCLES: usize = 60;

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    /// The commits of the one repository, oldest first.
    pub(crate) commits: Vec<Files>,
    pub(crate) settings: Settings,
    /// The number of commits that an application has seen, and what it was last reconciled for.
    seen: BTreeMap<ObjectKey, (usize, String)>,
    /// The applications that were automated when they were last looked at.
    automated: BTreeMap<ObjectKey, bool>,
}

/// Why a scenario cannot be replayed here.
pub(crate) struct Unfit(pub(crate) String);

impl World {
    pub(crate) fn new() -> Self {
        let now = "2026-01-02T15:04:05Z".parse().expect("a time");
        World {
            cluster: Cluster::new(now),
            commits: Vec::new(),
            settings: Settings::default(),
            seen: BTreeMap::new(),
            automated: BTreeMap::new(),
        }
    }

    /// Lets an application see the newest commit.
    pub(crate) fn refresh(&mut self, name: &str) {
        self.seen.retain(|key, _| key.name != name);
    }

    /// What makes the real controller reconcile an application: its own spec as far as it is
    /// compared, an operation, and the live objects that carry its mark.
    fn reasons(&self, app: &Application) -> String {
        let spec = &app.spec;
        let instance = app.instance_name(&self.settings.control_namespace);
        let tracking = &self.settings.tracking;
        let own = self
            .cluster
            .live
            .iter()
            .filter(|(_, object)| tracking.owner(object) == Some(&*instance));
        let own: Vec<String> = own
            .map(|(_, object)| yaml::json::to_string(object.value()))
            .collect();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {own:?}",
            spec.all_sources(),
            spec.destination,
            spec.ignore_differences,
            spec.project,
            app.operation,
            app.status.operation_state,
            spec.is_automated(),
            (app.metadata.deletion_timestamp, &app.metadata.finalizers),
        )
    }

    pub(crate) fn apps(&self) -> BTreeMap<ObjectKey, Application> {
        let objects = self.cluster.live.iter();
        objects
            .filter(|(key, _)| key.kind == names::APPLICATION && key.group == names::GROUP)
            .map(|(key, object)| {
                let app = Application::from_value(object.value().clone());
                (key.clone(), app.expect("an Application"))
            })
            .collect()
    }

    fn write(&mut self, key: &ObjectKey, app: &Application) {
        let stored = self.cluster.live.get(key).is_some();
        if stored {
            self.cluster
                .live
                .insert(Object::new(app.to_value()).expect("an object"));
        }
    }

    fn head(&self, key: &ObjectKey) -> String {
        let n_commits = self
            .seen
            .get(key)
            .map_or(self.commits.len(), |(n_commits, _)| *n_commits);
        format!("<COMMIT{n_commits}>")
    }

    /// Reconciles every application until nothing changes.
    pub(crate) fn settle(&mut self) -> Result<(), Unfit> {
        for _ in 0..MAX_CYCLES {
            let before = self.cluster.live.clone();
            for (key, app) in self.apps() {
                let sources = format!("{:?} {:?}", app.spec.all_sources(), app.operation);
                let reasons = self.reasons(&app);
                let n_commits = match self.seen.get(&key) {
                    Some((_, seen)) if *seen == reasons => continue,
                    Some((n_commits, seen))
                        if seen.starts_with(&sources) || app.operation.is_none() =>
                    {
                        *n_commits
                    }
                    _ => self.commits.len(),
                };
                let is_automated = app.spec.is_automated();
                let was_automated = self.automated.insert(key.clone(), is_automated);
                let turned_on = is_automated && was_automated == Some(false);
                let n_commits = if turned_on
                    || app
                        .operation
                        .as_ref()
                        .is_some_and(|it| !it.initiated_by.automated)
                {
                    self.commits.len()
                } else {
                    n_commits
                };
                self.seen.insert(key.clone(), (n_commits, reasons));
                self.reconcile(&key, app)?;
            }
            let is_due = self.seen.values().any(|(_, reasons)| reasons.is_empty());
            if self.cluster.live == before && !is_due {
                return Ok(());
            }
            let second = jiff::SignedDuration::from_secs(1);
            self.cluster.now = self.cluster.now.checked_add(second).expect("a time");
        }
        Ok(())
    }

    fn project(&self, app: &Application) -> Option<AppProject> {
        let objects = self.cluster.live.iter();
        let found = objects.map(|(_, object)| object).find(|object| {
            object.kind() == names::APP_PROJECT && object.name() == app.spec.project
        });
        found.map(|object| AppProject::from_value(object.value().clone()).expect("an AppProject"))
    }

    fn reconcile(&mut self, key: &ObjectKey, mut app: Application) -> Result<(), Unfit> {
        app.metadata.annotations.remove(names::REFRESH);
        let now = self.cluster.now;
        let cluster_name = ClusterName {
            server: names::IN_CLUSTER_SERVER.to_owned(),
            name: names::IN_CLUSTER_NAME.to_owned(),
            project: String::new(),
        };
        if app.spec.project.is_empty() {
            names::DEFAULT_PROJECT.clone_into(&mut app.spec.project);
        }
        let destination = &app.spec.destination;
        let is_other =
            !destination.server.is_empty() && destination.server != names::IN_CLUSTER_SERVER;
        let is_named = !destination.name.is_empty()
            && (destination.name != names::IN_CLUSTER_NAME || !destination.server.is_empty());
        if is_other || is_named || app.skips_reconcile() || key.namespace != "argocd" {
            return Err(Unfit("what the controller decides".to_owned()));
        }
        let project = self.project(&app);
        if project
            .as_ref()
            .is_some_and(|project| !project.spec.sync_windows.is_empty())
        {
            return Err(Unfit("sync windows".to_owned()));
        }
        let settings = self.settings.clone();
        let missing = AppProject::default();
        let app_before = app.clone();
        let subject = Subject {
            app: &app_before,
            project: project.as_ref().unwrap_or(&missing),
            cluster: &cluster_name,
            settings: &settings,
        };
        if app.metadata.deletion_timestamp.is_some() {
            return self.tear_down(key, &app, &subject);
        }
        let invalid = self.invalid(&app, project.is_none(), &subject);
        if !invalid.is_empty() {
            self.fail_operation(&mut app, &invalid);
            let findings = Findings {
                outcome: Outcome::Invalid,
                conditions: &invalid,
                live: &self.cluster.live,
            };
            let state = app.status.operation_state.clone();
            app.status = engine::summarize(&subject, &findings, now.into());
            app.status.operation_state = state;
            self.write(key, &app);
            return Ok(());
        }
        self.operate(&mut app, &subject)?;
        self.compare(&mut app, &subject)?;
        self.write(key, &app);
        Ok(())
    }

    fn invalid(
        &self,
        app: &Application,
        no_project: bool,
        subject: &Subject<'_>,
    ) -> Vec<Condition> {
        let invalid = |text: &str| vec![Condition::new(reason::INVALID_SPEC_ERROR, text)];
        let destination = &app.spec.destination;
        if no_project {
            let project = &app.spec.project;
            return invalid(&format!(
                "Application referencing project {project} which does not exist"
            ));
        }
        if destination.server.is_empty() && destination.name.is_empty() {
            return invalid("Destination server missing from app spec");
        }
        if let Some(condition) = check_sources(&app.spec) {
            return vec![condition];
        }
        subject.gate().check_spec(&app.spec)
    }

    fn fail_operation(&self, app: &mut Application, conditions: &[Condition]) {
        let Some(request) = app.operation.take() else {
            return;
        };
        let texts: Vec<String> = conditions
            .iter()
            .map(|one| format!("{}: {}", one.condition_type, one.message))
            .collect();
        let mut state = operation::begin(&request, self.cluster.now);
        if !state.phase.is_completed() {
            state.phase = OperationPhase::Error;
            state.message = texts.join(";");
        }
        let state = operation::conclude(state, Ending::Ran, self.cluster.now);
        app.status.operation_state = Some(Box::new(state));
    }

    /// The revisions and rendered sources of an application.
    fn rendered(
        &self,
        app: &Application,
        sources: &[api::Source],
        pinned: Option<&str>,
    ) -> Result<(Vec<engine::render::Rendered>, String), (usize, RenderError)> {
        let key = app_key(app);
        for source in sources {
            let is_head = matches!(source.target_revision.as_str(), "" | "main" | "HEAD");
            if source.repo_url != "REPO" || !is_head || !source.chart.is_empty() {
                return Err((0, unreplayed(source)));
            }
        }
        let revision = pinned.map_or_else(|| self.head(&key), str::to_owned);
        let number = revision.trim_start_matches("<COMMIT").trim_end_matches('>');
        let at = number.parse::<usize>().unwrap_or(0).saturating_sub(1);
        let empty = Files::default();
        let files = self.commits.get(at).unwrap_or(&empty);
        let references = sources.iter().map(|it| it.reference_name.clone());
        let environment = Environment {
            instance: app.instance_name(&self.settings.control_namespace),
            name: app.metadata.name.clone(),
            namespace: app.spec.destination.namespace.clone(),
            project: app.spec.project.clone(),
            revision: revision.clone(),
            // As the recorder's cluster.
            capabilities: Capabilities::new("v1.35.4", APIS.map(str::to_owned).to_vec()).into(),
            references: references.filter(|it| !it.is_empty()).collect(),
            ..Environment::default()
        };
        let mut tree = Mounts::new(Arc::new(files.clone()));
        for name in &environment.references {
            let at = TreePath::parse(&format!("${name}")).expect("a path");
            let own: Arc<dyn Tree> = Arc::new(files.clone());
            tree = tree.folder(at, (own, TreePath::root()), Listed::No);
        }
        let rendered = sources.iter().enumerate().map(|(number, source)| {
            engine::render(&tree, source, &environment).map_err(|error| (number, error))
        });
        Ok((rendered.collect::<Result<_, _>>()?, revision))
    }

    fn comparison(
        &self,
        rendered: &[engine::render::Rendered],
        subject: &Subject<'_>,
    ) -> engine::compare::Comparison {
        let desired = engine::normalize(rendered, subject, &|gvk| self.cluster.scope(gvk));
        engine::compare(&desired, &self.cluster.live, subject, &|gvk| {
            self.cluster.schema(gvk)
        })
    }

    fn compare(&mut self, app: &mut Application, subject: &Subject<'_>) -> Result<(), Unfit> {
        let sources = app.spec.all_sources();
        let now = self.cluster.now;
        let subject = Subject {
            app: &app.clone(),
            ..*subject
        };
        let (rendered, revision) = match self.rendered(app, &sources, None) {
            Ok(found) => found,
            Err((_, RenderError::Unsupported { tool, .. })) => return Err(Unfit(tool.to_owned())),
            Err((number, error)) => {
                let message = error.condition_message(number + 1, sources.len());
                let conditions = vec![Condition::new(reason::COMPARISON_ERROR, message)];
                let findings = Findings {
                    outcome: Outcome::NotLoaded,
                    conditions: &conditions,
                    live: &self.cluster.live,
                };
                app.status = engine::summarize(&subject, &findings, now.into());
                return Ok(());
            }
        };
        let comparison = self.comparison(&rendered, &subject);
        let types: Vec<_> = rendered.iter().map(|one| one.source_type.clone()).collect();
        let revisions = vec![revision; sources.len()];
        let mut findings = Findings {
            outcome: Outcome::Compared {
                comparison: &comparison,
                revisions: &revisions,
                source_types: &types,
            },
            conditions: &[],
            live: &self.cluster.live,
        };
        let status = engine::summarize(&subject, &findings, now.into());
        let windows = &subject.project.spec.sync_windows;
        let auto = operation::autosync(app, windows, &status.sync, &comparison, now);
        let refusal: Vec<Condition> = match auto {
            Auto::Sync(operation) => {
                app.operation = Some(operation);
                app.status.operation_state = None;
                Vec::new()
            }
            Auto::Refused(condition) => vec![condition],
            Auto::Later(wait) => {
                self.cluster.now = self.cluster.now.checked_add(wait).expect("a time");
                self.seen
                    .entry(app_key(app))
                    .and_modify(|(_, reasons)| reasons.clear());
                Vec::new()
            }
            Auto::Nothing => Vec::new(),
        };
        findings.conditions = &refusal;
        let state = app.status.operation_state.clone();
        app.status = engine::summarize(&subject, &findings, now.into());
        app.status.operation_state = state;
        Ok(())
    }

    fn operate(&mut self, app: &mut Application, subject: &Subject<'_>) -> Result<(), Unfit> {
        let now = self.cluster.now;
        let Some(request) = app.operation.clone() else {
            return Ok(());
        };
        let running = app.status.operation_state.clone().filter(|state| {
            matches!(
                state.phase,
                OperationPhase::Running | OperationPhase::Terminating
            )
        });
        let mut state = match running {
            None => operation::begin(&request, now),
            Some(state) => match operation::resume(&state, now) {
                Resume::Go(state) => *state,
                Resume::WaitUntil(at) => {
                    self.cluster.now = at;
                    match operation::resume(&state, at) {
                        Resume::Go(state) => *state,
                        Resume::WaitUntil(_) => return Err(Unfit("a retry never comes".into())),
                    }
                }
            },
        };
        let was_terminating = state.phase == OperationPhase::Terminating;
        if !state.phase.is_completed() {
            state = self.sync(app, state, subject)?;
        }
        let is_final = state.phase.is_completed();
        if is_final {
            let ending = if was_terminating {
                Ending::Terminated
            } else {
                Ending::Ran
            };
            state = operation::conclude(state, ending, self.cluster.now);
        }
        if state.phase.is_completed() {
            app.operation = None;
            let limit = app.spec.history_limit();
            operation::remember(&mut app.status, &state, limit, self.cluster.now.into());
        }
        app.status.operation_state = Some(Box::new(state));
        Ok(())
    }

    /// One cycle of the sync, with all batches that follow each other.
    fn sync(
        &mut self,
        app: &Application,
        mut state: OperationState,
        subject: &Subject<'_>,
    ) -> Result<OperationState, Unfit> {
        let request = state.operation.sync.clone().unwrap_or_default();
        let sources = operation::sources(&request, &app.spec);
        let pinned = state
            .sync_result
            .as_ref()
            .map(|result| match result.revision.as_str() {
                "" => result.revisions.first().cloned().unwrap_or_default(),
                revision => revision.to_owned(),
            });
        let pinned = pinned
            .or_else(|| Some(request.revision.clone()))
            .filter(|it| !it.is_empty());
        let (rendered, revision) = match self.rendered(app, &sources, pinned.as_deref()) {
            Ok(found) => found,
            Err((_, RenderError::Unsupported { tool, .. })) => return Err(Unfit(tool.to_owned())),
            Err((number, error)) => {
                state.phase = OperationPhase::Error;
                let message = error.condition_message(number + 1, sources.len());
                state.message = format!("{}: {message}", reason::COMPARISON_ERROR);
                return Ok(state);
            }
        };
        operation::pin(&mut state, &app.spec, &vec![revision; sources.len()]);
        let comparison = self.comparison(&rendered, subject);
        if let Some(stop) = self.stopped(&comparison, &request) {
            state.phase = stop.0;
            state.message = stop.1;
            return Ok(state);
        }
        let schemas = self.cluster.schemas.clone();
        let live = &self.cluster.live;
        let plan = engine::plan(&comparison, live, &state, *subject, &|gvk| {
            schemas.schema(gvk)
        });
        let head = self.head(&app_key(app));
        let resolve = |_: &api::Source| Some(head.clone());
        let mut step = {
            let live = self.cluster.live.clone();
            engine::advance(
                &plan,
                &state,
                &View {
                    live: &live,
                    resolve: &resolve,
                },
            )
        };
        for _ in 0..MAX_CYCLES {
            let Step { state, next } = step;
            let Next::Do(batch) = next else {
                return Ok(state);
            };
            let mut answers = Vec::new();
            for stage in batch.stages() {
                self.cluster.stage += 1;
                for action in &stage.actions {
                    answers.push(Some(self.cluster.execute(action.get())));
                }
            }
            let live = self.cluster.live.clone();
            let view = View {
                live: &live,
                resolve: &resolve,
            };
            step = engine::advance::settle(&plan, &state, &batch, &answers, &view);
        }
        Err(Unfit("a cycle never ends".into()))
    }

    /// Conditions that end an operation before anything is done.
    fn stopped(
        &self,
        comparison: &engine::compare::Comparison,
        request: &api::operation::SyncOperation,
    ) -> Option<(OperationPhase, String)> {
        let texts: Vec<String> = comparison
            .conditions
            .iter()
            .filter(|one| one.is_error())
            .map(|one| format!("{}: {}", one.condition_type, one.message))
            .collect();
        if !texts.is_empty() {
            return Some((OperationPhase::Error, texts.join(";")));
        }
        let shared = comparison
            .conditions
            .iter()
            .find(|one| one.condition_type == reason::SHARED_RESOURCE_WARNING)?;
        let fails = request
            .options()
            .has(api::sync_options::SyncOption::FailOnSharedResource);
        fails.then(|| {
            (
                OperationPhase::Failed,
                format!("Shared resource found: {}", shared.message),
            )
        })
    }

    fn tear_down(
        &mut self,
        key: &ObjectKey,
        app: &Application,
        subject: &Subject<'_>,
    ) -> Result<(), Unfit> {
        let cascade = app.cascade();
        match engine::teardown(&self.cluster.live, subject, cascade) {
            Teardown::Do(actions) => {
                self.cluster.stage += 1;
                for action in &actions {
                    self.cluster.execute(action.get());
                }
            }
            Teardown::Wait(_) | Teardown::Failed(..) => {}
            Teardown::Gone => {
                for finalizer in app.metadata.finalizers.clone() {
                    self.cluster.remove_finalizer(key, &finalizer);
                }
            }
        }
        Ok(())
    }
}

fn app_key(app: &Application) -> ObjectKey {
    ObjectKey {
        group: names::GROUP.into(),
        kind: names::APPLICATION.into(),
        namespace: app.metadata.namespace.as_str().into(),
        name: app.metadata.name.as_str().into(),
    }
}

/// A source whose revision only `source` could resolve.
fn unreplayed(source: &api::Source) -> RenderError {
    RenderError::Unsupported {
        path: source.path.clone(),
        tool: "other revisions",
        problem: "",
    }
}
