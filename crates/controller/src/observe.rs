//! From an Application to its comparison: resolve, fetch, render, normalize, look at the cluster,
//! compare. Reads only.
//!
//! Read [`Observed`] first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::status::SourceType;
use api::{AppProject, Application, Condition, Source, reason};
use cluster::Cluster;
use engine::Live;
use engine::compare::Comparison;
use engine::gate::Gate;
use engine::live::ClusterName;
use engine::normalize::{Desired, DesiredObject};
use engine::render::{Environment, Lack, Lacking, RenderError, Rendered, Spread, load_failure};
use engine::subject::Subject;
use futures::StreamExt;
use jiff::Timestamp;
use manifest::schema::Schema;
use manifest::trees::{Listed, Mounts};
use manifest::{Gvk, Object, ObjectKey, Tree, TreePath};
use source::chart::ChartError;
use source::{CredentialStore, Freshness, Revision};
use yaml::Str;

use crate::charts::{self, BringError, Brought, Fetcher, is_remote};
use crate::controller::Controller;
use crate::renders::{Ground, RenderKey};
use crate::repositories::{Handle, RepositoryError};
use crate::settings::Settings;
use crate::spread::on_all_processors;
use crate::{AppKey, Error};

/// How old an answer about references may be when nobody asked for a new one and nothing polls.
const WITHOUT_POLLING: Duration = Duration::from_secs(365 * 24 * 3600);

/// Objects that are read side by side.
const PARALLEL_READS: usize = 8;

/// How often a render may find something lacking: value files first, then charts; remote bases may
/// name others.
const MAX_ROUNDS: usize = 8;

/// Everything that an Application is judged by; it does not change within one reconcile.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) key: AppKey,
    pub(crate) app: Arc<Application>,
    pub(crate) project: Arc<AppProject>,
    pub(crate) cluster: ClusterName,
    pub(crate) handle: Cluster,
    pub(crate) settings: Arc<Settings>,
    pub(crate) instance: Str,
}

impl Context {
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            app: &self.app,
            project: &self.project,
            cluster: &self.cluster,
            settings: &self.settings.engine,
        }
    }
}

/// Which state of Git is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) sources: Vec<Source>,
    /// Resolved commits, one for each source; an empty text is resolved.
    pub(crate) pinned: Vec<String>,
    pub(crate) freshness: Freshness,
}

/// Desired and live state, compared.
pub(crate) struct Observed {
    pub(crate) comparison: Comparison,
    pub(crate) live: Live,
    /// Commits, one for each source; what was asked for where nothing could be loaded.
    pub(crate) revisions: Vec<String>,
    pub(crate) source_types: Vec<SourceType>,
    /// Why desired state could not be had.
    pub(crate) failure: Option<Failure>,
}

impl Observed {
    /// The commits that were loaded, one for each source; none when one of them could not be.
    pub(crate) fn resolved(&self) -> &[String] {
        match self.failure {
            Some(_) => &[],
            None => &self.revisions,
        }
    }
}

/// Live objects in the versions that Git has them in, where the cluster prefers others: fields
/// differ between versions, and only the server can convert them.
async fn convert(live: &mut Live, desired: &Desired, cluster: &Cluster) -> Result<(), Error> {
    let is_other = |one: &&DesiredObject| {
        let held = live.get(&one.key);
        one.is_served && held.is_some_and(|held| held.api_version() != one.object.api_version())
    };
    let converted = desired.objects.iter().filter(is_other).map(|one| {
        let gvk = one.object.gvk();
        async move { cluster.fetch_as(&gvk, &one.key).await }
    });
    let converted: Vec<_> = converted.collect();
    let mut converted = futures::stream::iter(converted).buffer_unordered(PARALLEL_READS);
    while let Some(object) = converted.next().await {
        if let Some(object) = object.map_err(Error::cluster("reading live objects"))? {
            live.insert(object);
        }
    }
    Ok(())
}

/// Why desired state could not be had.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) condition: Condition,
    /// Whether it may go away by itself soon.
    pub(crate) is_retryable: bool,
}

/// What a source's reference means, and the files of it.
struct SourceFiles {
    revision: String,
    tree: Arc<dyn Tree>,
    /// When the revision was made, in seconds since 1970; 0 where that is not known.
    seconds: i64,
}

/// Desired state as it is rendered.
#[derive(Default)]
pub(crate) struct Loaded {
    revisions: Vec<String>,
    pub(crate) rendered: Vec<Arc<Rendered>>,
    pub(crate) failure: Option<Failure>,
}

impl Controller {
    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        (self.options.now)()
    }

    /// How old an answer about references may be.
    pub(crate) fn usual_freshness(&self) -> Freshness {
        let interval = self.poll_interval();
        if interval.is_zero() {
            return Freshness::Within(WITHOUT_POLLING);
        }
        // A round of polls may be late; who asks in between must not ask the server.
        Freshness::Within((interval + self.options.poll_jitter) * 2)
    }

    /// Loads desired state, looks at live state, compares.
    pub(crate) async fn observe(
        &self,
        context: &Context,
        wanted: &Wanted,
    ) -> Result<Observed, Error> {
        let loaded = self.load(context, wanted).await;
        let Loaded {
            revisions,
            rendered,
            failure,
        } = loaded;
        if failure.is_some() {
            // Without desired state nothing is known about any object.
            return Ok(Observed {
                comparison: Comparison::default(),
                live: context.handle.live(&context.instance),
                revisions,
                source_types: Vec::new(),
                failure,
            });
        }
        let source_types = rendered.iter().map(|one| one.source_type.clone()).collect();
        let desired = self.normalize(context, rendered).await?;
        self.want(context, &desired).await?;
        let mut live = context.handle.live(&context.instance);
        convert(&mut live, &desired, &context.handle).await?;
        let schemas = schemas(&context.handle, &desired).await?;
        let comparison = {
            let (context, live) = (context.clone(), live.clone());
            self.on_render_thread("comparison", move || {
                let schema_of = |gvk: &Gvk| schemas.get(gvk).cloned();
                engine::compare(&desired, &live, &context.subject(), &schema_of)
            })
            .await?
        };
        Ok(Observed {
            comparison,
            live,
            revisions,
            source_types,
            failure,
        })
    }

    /// Resolves, fetches and renders all sources.
    pub(crate) async fn load(&self, context: &Context, wanted: &Wanted) -> Loaded {
        let n_sources = wanted.sources.len();
        let mut loaded = Loaded::default();
        for (number, source) in wanted.sources.iter().enumerate() {
            let asked = if source.target_revision.is_empty() {
                "HEAD"
            } else {
                &source.target_revision
            };
            let place = (number + 1, n_sources);
            match self.load_source(context, (number, wanted), source).await {
                Ok((revision, rendered)) => {
                    loaded.revisions.push(revision);
                    loaded.rendered.push(rendered);
                }
                Err(problem) => {
                    loaded.revisions.push(asked.to_owned());
                    loaded.failure.get_or_insert(problem.into_failure(place));
                }
            }
        }
        if loaded.failure.is_some() {
            loaded.rendered.clear();
        }
        loaded
    }

    async fn load_source(
        &self,
        context: &Context,
        (number, wanted): (usize, &Wanted),
        source: &Source,
    ) -> Result<(String, Arc<Rendered>), Problem> {
        let pinned = wanted.pinned.get(number).map_or("", String::as_str);
        let files = self
            .files(context, source, pinned, wanted.freshness)
            .await?;
        let mut mounts = Mounts::new(files.tree.clone());
        let mut revisions = files.revision.clone();
        let references = references_of(source, &wanted.sources);
        for (number, reference) in &references {
            let pinned = wanted.pinned.get(*number).map_or("", String::as_str);
            let files = self
                .files(context, reference, pinned, wanted.freshness)
                .await?;
            let name = format!("${}", reference.reference_name);
            let Ok(at) = TreePath::parse(&name) else {
                continue;
            };
            mounts = mounts.folder(at, (files.tree, TreePath::root()), Listed::No);
            revisions = format!("{revisions} {}", files.revision);
        }
        let tree = if references.is_empty() {
            files.tree
        } else {
            Arc::new(mounts)
        };
        let key = RenderKey {
            app: context.key.clone(),
            number,
            input: yaml::json::to_string(&source.to_value()),
            revision: revisions,
        };
        let ground = Ground {
            tree,
            environment: self.environment(context, &wanted.sources, &files.revision, files.seconds),
        };
        let rendered = self
            .render(context, (key, ground), source, wanted.freshness)
            .await?;
        Ok((files.revision, rendered))
    }

    /// What a source's reference means, and the files of it.
    async fn files(
        &self,
        context: &Context,
        source: &Source,
        pinned: &str,
        freshness: Freshness,
    ) -> Result<SourceFiles, Problem> {
        let asked = |text: &str| Source {
            target_revision: text.to_owned(),
            ..source.clone()
        };
        if is_remote(source) {
            let credentials = self.inputs.credentials();
            let fetcher = self.fetcher(context, &credentials, source, freshness);
            let revision = match pinned {
                "" => fetcher.resolve(source).await?,
                pinned => fetcher.resolve(&asked(pinned)).await?,
            };
            return Ok(SourceFiles {
                tree: fetcher.files(source, &revision).await?,
                revision,
                seconds: 0,
            });
        }
        let handle = self.open(context, &source.repo_url)?;
        let revision = match Revision::parse(pinned) {
            Some(revision) => revision,
            None if pinned.is_empty() => handle.resolve(source, freshness).await?,
            None => handle.resolve(&asked(pinned), freshness).await?,
        };
        let snapshot = self.repositories.snapshot(&handle, revision).await?;
        Ok(SourceFiles {
            revision: revision.to_string(),
            seconds: snapshot.committed_seconds,
            tree: snapshot.tree,
        })
    }

    fn fetcher<'a>(
        &'a self,
        context: &'a Context,
        credentials: &'a CredentialStore,
        source: &Source,
        freshness: Freshness,
    ) -> Fetcher<'a> {
        Fetcher {
            store: self.repositories.store(),
            credentials,
            project: &context.app.spec.project,
            pass: charts::pass_of(source),
            freshness,
        }
    }

    fn environment(
        &self,
        context: &Context,
        sources: &[Source],
        revision: &str,
        seconds: i64,
    ) -> Environment {
        let app = &context.app;
        let references = sources.iter().map(|it| it.reference_name.clone());
        Environment {
            instance: context.instance.to_string(),
            name: app.metadata.name.clone(),
            namespace: app.spec.destination.namespace.clone(),
            project: context.project.metadata.name.clone(),
            revision: revision.to_owned(),
            capabilities: context.handle.discovery().capabilities().clone(),
            seconds,
            references: references.filter(|it| !it.is_empty()).collect(),
            value_file_schemes: context.settings.value_file_schemes.clone(),
            kustomize: context.settings.kustomize.clone(),
            tools: context.settings.tools,
            spread: Spread::new(on_all_processors),
        }
    }

    /// Renders, bringing what is found lacking.
    async fn render(
        &self,
        context: &Context,
        (key, ground): (RenderKey, Ground),
        source: &Source,
        freshness: Freshness,
    ) -> Result<Arc<Rendered>, Problem> {
        let mut brought = Brought::default();
        for _ in 0..MAX_ROUNDS {
            let (renders, counters) = (self.renders.clone(), self.counters.clone());
            let (key, ground, owned) = (key.clone(), ground.clone(), source.clone());
            let at_hand = brought.clone();
            let rendered = self.on_render_thread("render", move || {
                renders.get(&key, (&ground, &at_hand), &counters, |tree, environment| {
                    engine::render(tree, &owned, environment)
                })
            });
            let lacks = match rendered.await {
                Ok(Ok(rendered)) => return Ok(rendered),
                Ok(Err(RenderError::Lacks(lacks))) => lacks,
                Ok(Err(error)) => return Err(error.into()),
                Err(error) => return Err(Problem::Lost(error.to_string())),
            };
            permitted(context, &lacks)?;
            let credentials = self.inputs.credentials();
            let fetcher = self.fetcher(context, &credentials, source, freshness);
            let found = fetcher.bring(&lacks).await.map_err(Problem::Lacking)?;
            brought = brought.and(found);
        }
        let text = "what was brought is lacking still";
        Err(Problem::Text(text))
    }

    /// The repository of a URL, for the Application's project.
    pub(crate) fn open(&self, context: &Context, url: &str) -> Result<Handle, RepositoryError> {
        let credentials = self.inputs.credentials();
        self.repositories
            .open(url, &context.app.spec.project, &credentials)
    }

    /// Makes rendered objects the Application's.
    pub(crate) async fn normalize(
        &self,
        context: &Context,
        rendered: Vec<Arc<Rendered>>,
    ) -> Result<Desired, Error> {
        let (context, cluster) = (context.clone(), context.handle.clone());
        self.on_render_thread("normalization", move || {
            let scope_of = |gvk: &Gvk| cluster.scope_of(gvk);
            engine::normalize(&rendered, &context.subject(), &scope_of)
        })
        .await
    }

    /// Tells the cluster which objects to hold: the desired ones, and the destination's namespace.
    async fn want(&self, context: &Context, desired: &Desired) -> Result<(), Error> {
        let mut keys: BTreeSet<ObjectKey> =
            desired.objects.iter().map(|one| one.key.clone()).collect();
        let namespace = &context.app.spec.destination.namespace;
        if !namespace.is_empty() {
            keys.insert(ObjectKey {
                group: "".into(),
                kind: "Namespace".into(),
                namespace: "".into(),
                name: namespace.as_str().into(),
            });
        }
        let wanted = context.handle.want(&context.instance, keys).await;
        wanted.map_err(Error::cluster("reading live objects"))
    }

    /// Runs work that needs a processor and no network, a bounded number at a time.
    pub(crate) async fn on_render_thread<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let interrupted = |problem: String| Error::Interrupted { what, problem };
        let permit = self
            .permits
            .acquire()
            .await
            .map_err(|it| interrupted(it.to_string()))?;
        let done = tokio::task::spawn_blocking(work).await;
        drop(permit);
        done.map_err(|it| interrupted(it.to_string()))
    }

    /// What the references of the child Applications among `desired` mean now.
    pub(crate) async fn child_revisions(
        &self,
        context: &Context,
        objects: impl Iterator<Item = &Object>,
    ) -> HashMap<(String, String), String> {
        let mut revisions = HashMap::new();
        let freshness = self.usual_freshness();
        let is_application = |object: &&Object| {
            object.kind() == api::names::APPLICATION && object.group() == api::names::GROUP
        };
        for object in objects.filter(is_application) {
            let Ok(child) = Application::from_value(object.value().clone()) else {
                continue;
            };
            for source in child.spec.all_sources() {
                let place = (source.repo_url.clone(), source.target_revision.clone());
                if revisions.contains_key(&place) {
                    continue;
                }
                if is_remote(&source) {
                    let credentials = self.inputs.credentials();
                    let fetcher = self.fetcher(context, &credentials, &source, freshness);
                    if let Ok(revision) = fetcher.resolve(&source).await {
                        revisions.insert(place, revision);
                    }
                    continue;
                }
                let Ok(handle) = self.open(context, &source.repo_url) else {
                    continue;
                };
                if let Ok(revision) = handle.resolve(&source, freshness).await {
                    revisions.insert(place, revision.to_string());
                }
            }
        }
        revisions
    }
}

/// Whether the project lets charts come from where a chart wants its dependencies from (R22), and
/// bases from where a kustomization names them.
fn permitted(context: &Context, lacks: &[Lack]) -> Result<(), Problem> {
    let gate = Gate::new(&context.project, &context.cluster);
    for lack in lacks {
        let (what, place) = match &lack.what {
            Lacking::Chart { repository, .. } => ("helm repos", repository),
            Lacking::Remote {
                repository: Some((address, _)),
                ..
            } => ("remote bases of", address),
            Lacking::Remote { url, .. } => ("remote bases of", url),
            Lacking::File { .. } => continue,
        };
        if !gate.permits_source(place) {
            return Err(Problem::NotPermitted {
                what,
                place: place.clone(),
                project: context.project.metadata.name.clone(),
            });
        }
    }
    Ok(())
}

/// The sources whose files a source's value files and file parameters name by `$name/`, with their
/// places.
fn references_of(source: &Source, sources: &[Source]) -> Vec<(usize, Source)> {
    let Some(helm) = &source.helm else {
        return Vec::new();
    };
    let parameters = helm.file_parameters.iter().map(|it| &it.path);
    let named: BTreeSet<&str> = helm
        .value_files
        .iter()
        .chain(parameters)
        .filter_map(|it| it.split('/').next()?.strip_prefix('$'))
        .collect();
    let is_named = |(_, it): &(usize, &Source)| named.contains(it.reference_name.as_str());
    let all = sources.iter().enumerate().filter(is_named);
    all.map(|(number, it)| (number, it.clone())).collect()
}

/// The schemas of the desired kinds, as far as anybody knows them.
async fn schemas(cluster: &Cluster, desired: &Desired) -> Result<HashMap<Gvk, Schema>, Error> {
    let mut schemas = HashMap::new();
    let kinds: BTreeSet<Gvk> = desired.objects.iter().map(|one| one.object.gvk()).collect();
    for gvk in kinds {
        let schema = cluster.schema(&gvk).await;
        if let Some(schema) = schema.map_err(Error::cluster("reading schemas"))? {
            schemas.insert(gvk, schema);
        }
    }
    Ok(schemas)
}

impl Observed {
    /// The errors that forbid an operation (semantics 77), in Argo CD's form: those of this look,
    /// and what the last refresh found wrong with the spec (recordings bad-no-source,
    /// empty-namespace-dest).
    pub(crate) fn errors(&self, before: &[Condition]) -> Option<String> {
        let is = |it: &Condition, reasons: &[&str]| reasons.contains(&it.condition_type.as_str());
        let failure = self.failure.iter().map(|failure| &failure.condition);
        let both = [reason::COMPARISON_ERROR, reason::INVALID_SPEC_ERROR];
        let found = failure
            .chain(&self.comparison.conditions)
            .filter(|it| is(it, &both));
        let known = before.iter().filter(|it| is(it, &both[1..]));
        let texts = known.chain(found);
        let mut texts: Vec<String> = texts
            .map(|it| format!("{}: {}", it.condition_type, it.message))
            .collect();
        texts.sort_unstable();
        (!texts.is_empty()).then(|| texts.join(";"))
    }
}

/// Why one source gives no objects.
#[derive(Debug)]
enum Problem {
    Text(&'static str),
    Lost(String),
    Repository(RepositoryError),
    Chart(ChartError),
    /// What a render found lacking cannot be had.
    Lacking(BringError),
    /// What a render found lacking is in a repository that the project does not permit.
    NotPermitted {
        what: &'static str,
        place: String,
        project: String,
    },
    Render(RenderError),
}

impl From<ChartError> for Problem {
    fn from(error: ChartError) -> Self {
        Problem::Chart(error)
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        Problem::Repository(error)
    }
}

impl From<RenderError> for Problem {
    fn from(error: RenderError) -> Self {
        Problem::Render(error)
    }
}

impl Problem {
    /// The condition for source `number` of `total`, from 1.
    fn into_failure(self, (number, total): (usize, usize)) -> Failure {
        let unknown = |problem: &str| {
            load_failure(
                number,
                total,
                &format!("rpc error: code = Unknown desc = {problem}"),
            )
        };
        let (message, is_retryable) = match &self {
            Problem::Text(text) => (unknown(text), false),
            Problem::Lost(text) => (unknown(text), true),
            Problem::Repository(error) => (unknown(&error.to_string()), error.is_retryable()),
            Problem::Chart(error) => (
                unknown(&error.to_string()),
                error.retry() == source::Retry::Later,
            ),
            Problem::NotPermitted {
                what,
                place,
                project,
            } => {
                let text = format!(
                    "rpc error: code = PermissionDenied desc = {what} {place} are not permitted in project '{project}'"
                );
                (load_failure(number, total, &text), false)
            }
            Problem::Lacking(error @ BringError::Base { .. }) => {
                (unknown(&error.to_string()), error.is_retryable())
            }
            Problem::Lacking(error) => {
                let text = format!("error building helm chart dependencies: {error}");
                (unknown(&text), error.is_retryable())
            }
            Problem::Render(error) => {
                (error.condition_message(number, total), error.is_retryable())
            }
        };
        Failure {
            condition: Condition::new(reason::COMPARISON_ERROR, message),
            is_retryable,
        }
    }
}
