//! From a comparison and an operation to the tasks of a sync, in order: phases, waves, kinds
//! (semantics A, B, C).
//!
//! Read [`Plan`] first. A plan says what is to be done; how far it is stands in the operation's
//! state, and [`crate::advance()`] puts the two together.

use std::collections::{BTreeMap, HashMap};

use api::operation::OperationState;
use api::operation::SyncOperation;
use api::sync_options::{SyncOption, SyncOptions};
use api::{SyncCode, names};
use manifest::{Gvk, Object, ObjectKey};
use yaml::{Map, Value};

use crate::action::TaskKey;
use crate::compare::{Compared, Comparison, Rules, SchemaOf};
use crate::gate::Gate;
use crate::hook;
use crate::live::Live;
use crate::render::Origin;
use crate::subject::Subject;
use crate::tracking::is_crd;

pub use crate::hook::Phase;

/// The tasks of one sync, sorted.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// In order of execution.
    pub tasks: Vec<Task>,
    /// The namespace that is made before everything else.
    pub namespace: Option<Task>,
    pub(crate) request: Request,
    pub(crate) subject: Subject<'a>,
}

/// One object in one phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The object and the phase.
    pub key: TaskKey,
    /// The version to speak.
    pub gvk: Gvk,
    /// Its wave, after prunes were mirrored.
    pub wave: i64,
    /// What it does.
    pub work: Work,
    /// Whether it runs as a hook.
    pub is_hook: bool,
    /// Why it cannot run: the kind is unknown, or the project forbids it.
    pub refusal: Option<Refusal>,
    /// Where the object was written; empty for prunes.
    pub origin: Origin,
    /// Whether live and desired differ; a task that does not is left out with
    /// `ApplyOutOfSyncOnly=true`.
    pub is_modified: bool,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Brings the object into the cluster.
    Apply(Object),
    /// Deletes it.
    Prune,
}

/// Why a task cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In the operation's message.
    pub summary: String,
    /// In the object's result.
    pub message: String,
}

/// What the operation asks for, read once.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) operation: SyncOperation,
    pub(crate) options: SyncOptions,
    pub(crate) has_hooks: bool,
    pub(crate) is_forced: bool,
    pub(crate) started_at: i64,
    pub(crate) revision: String,
}

impl Request {
    /// Reads the operation of `state`. Selective syncs and the strategy `apply` run no hooks
    /// (semantics 30, 31).
    fn new(state: &OperationState) -> Self {
        let operation = state.operation.sync.clone().unwrap_or_default();
        let strategy = operation.sync_strategy.clone().unwrap_or_default();
        let result = state.sync_result.clone().unwrap_or_default();
        let revision = match result.revision.as_str() {
            "" => result
                .revisions
                .first()
                .unwrap_or(&operation.revision)
                .clone(),
            revision => revision.to_owned(),
        };
        let is_apply_only = strategy.apply.is_some() && strategy.hook.is_none();
        Request {
            options: operation.options(),
            has_hooks: !is_apply_only && operation.resources.is_empty(),
            is_forced: [&strategy.apply, &strategy.hook]
                .iter()
                .any(|one| one.as_ref().is_some_and(|options| options.force)),
            started_at: state
                .started_at
                .map_or(0, |time| time.instant().as_second()),
            revision,
            operation,
        }
    }

    /// Whether a selective sync has chosen the object (semantics 29).
    fn selects(&self, key: &ObjectKey) -> bool {
        let chosen = &self.operation.resources;
        chosen.is_empty()
            || chosen.iter().any(|one| {
                key.group == one.group.as_str()
                    && key.kind == one.kind.as_str()
                    && key.name == one.name.as_str()
                    && (one.namespace.is_empty() || key.namespace == one.namespace.as_str())
            })
    }
}

/// Plans the operation of `state` (its `sync` and pinned revision) over a comparison. `live` must
/// hold the destination namespace when it exists; `schema_of` knows the built-in kinds, for the
/// fields that `RespectIgnoreDifferences` leaves as they are live.
#[must_use]
pub fn plan<'a>(
    comparison: &Comparison,
    live: &Live,
    state: &OperationState,
    subject: Subject<'a>,
    schema_of: SchemaOf<'_>,
) -> Plan<'a> {
    let request = Request::new(state);
    let gate = subject.gate();
    let crds = defined_kinds(comparison);
    let mut tasks = Vec::new();
    for one in &comparison.objects {
        let own = tasks_of(one, &request, &subject, schema_of);
        tasks.extend(own.into_iter().map(|mut task| {
            task.refusal = refusal(&task, one, (&request, &crds), &gate);
            task
        }));
    }
    mirror_prunes(&mut tasks);
    prune_last(&mut tasks, comparison, &request);
    sort(&mut tasks);
    let namespace = namespace_task(&tasks, live, &request, &subject);
    Plan {
        tasks,
        namespace,
        request,
        subject,
    }
}

fn tasks_of(
    one: &Compared,
    request: &Request,
    subject: &Subject<'_>,
    schema_of: SchemaOf<'_>,
) -> Vec<Task> {
    let respects = request.options.has(SyncOption::RespectIgnoreDifferences);
    let task = |phase, work, is_hook| Task {
        key: TaskKey {
            object: one.key.clone(),
            phase,
        },
        gvk: one.gvk.clone(),
        wave: one.object().map(hook::wave).unwrap_or_default(),
        work,
        is_hook,
        refusal: None,
        origin: one
            .desired
            .as_ref()
            .map(|desired| desired.origin.clone())
            .unwrap_or_default(),
        is_modified: one.is_modified(),
    };
    match &one.desired {
        Some(desired) if hook::is_hook(&desired.object) => {
            let phases = hook::hook_phases(&desired.object);
            let phases = phases.into_iter().filter(|_| request.has_hooks);
            phases
                .map(|phase| {
                    let object = hook_object(&desired.object, phase, request);
                    let mut task = task(phase, Work::Prune, true);
                    task.key.object.name = object.name().into();
                    task.work = Work::Apply(object);
                    task
                })
                .collect()
        }
        _ if one.is_hook || !one.is_own || !request.selects(&one.key) => Vec::new(),
        Some(desired) if hook::is_ignored(&desired.object) => Vec::new(),
        Some(desired) => {
            let mut object = desired.object.clone();
            if let (true, Some(live)) = (respects, &one.live) {
                let system = &subject.settings.ignore_differences;
                let schema = schema_of(&live.gvk());
                Rules::new(system, &subject.app.spec.ignore_differences).respect(
                    &mut object,
                    live,
                    schema.as_ref(),
                );
            }
            vec![task(Phase::Sync, Work::Apply(object), false)]
        }
        None if one.status == SyncCode::Unset => Vec::new(),
        None => vec![task(Phase::Sync, Work::Prune, false)],
    }
}

/// The object of a hook: with the finalizer that keeps it until its result is seen, and a name
/// that the operation decides where it has none, so that a repeated create is harmless
/// (semantics 37, 38).
fn hook_object(object: &Object, phase: Phase, request: &Request) -> Object {
    let mut object = object.clone();
    if object.name().is_empty() {
        let revision = request
            .revision
            .get(..7)
            .filter(|_| request.revision.len() >= 8);
        let suffix = format!(
            "{}-{phase}-{}",
            revision.unwrap_or(&request.revision),
            request.started_at
        );
        let prefix = object
            .value()
            .at(&["metadata", "generateName"])
            .and_then(Value::as_str);
        let name = format!("{}{}", prefix.unwrap_or_default(), suffix.to_lowercase());
        object.metadata_mut().insert("name", name);
    }
    if !hook::has_finalizer(&object) {
        let metadata = object.metadata_mut();
        let finalizers = metadata.entry_or_insert("finalizers", Value::List(Vec::new()));
        if finalizers.as_list().is_none() {
            *finalizers = Value::List(Vec::new());
        }
        if let Some(list) = finalizers.as_list_mut() {
            list.push(names::HOOK_FINALIZER.into());
        }
    }
    object
}

/// Groups and kinds that a CRD among the desired objects defines.
fn defined_kinds(comparison: &Comparison) -> HashMap<(String, String), ()> {
    let objects = comparison
        .objects
        .iter()
        .filter_map(|one| one.desired.as_ref());
    objects
        .filter(|desired| is_crd(&desired.object))
        .filter_map(|desired| {
            let text = |path: &[&str]| {
                desired
                    .object
                    .value()
                    .at(path)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            Some((
                (text(&["spec", "group"])?, text(&["spec", "names", "kind"])?),
                (),
            ))
        })
        .collect()
}

/// Semantics 18 and 19.
fn refusal(
    task: &Task,
    one: &Compared,
    (request, crds): (&Request, &HashMap<(String, String), ()>),
    gate: &Gate<'_>,
) -> Option<Refusal> {
    let is_served = one.desired.as_ref().is_none_or(|desired| desired.is_served);
    if !is_served {
        let kind = (task.gvk.group.to_string(), task.gvk.kind.to_string());
        let skips = request.options.has(SyncOption::SkipDryRunOnMissingResource)
            || crds.contains_key(&kind)
            || one.object().is_some_and(|object| {
                hook::options(object).has(SyncOption::SkipDryRunOnMissingResource)
            });
        if !skips {
            return Some(unknown_kind(task));
        }
    }
    let denied = gate.check(&task.gvk, &one.key).err()?;
    Some(Refusal {
        summary: denied.to_string(),
        message: denied.to_string(),
    })
}

fn unknown_kind(task: &Task) -> Refusal {
    let (gvk, key) = (&task.gvk, &task.key.object);
    Refusal {
        summary: format!(
            "failed to discover server resources for group version {}: the server could not find the requested resource",
            gvk.api_version()
        ),
        message: format!(
            "The Kubernetes API could not find {}/{} for requested resource {}/{}. Make sure the {:?} CRD is installed on the destination cluster.",
            gvk.group,
            gvk.kind,
            key.namespace,
            key.name,
            gvk.kind.as_str()
        ),
    }
}

/// Prunes run in the mirrored order of their waves (semantics 46).
fn mirror_prunes(tasks: &mut [Task]) {
    let mut waves: Vec<i64> = tasks
        .iter()
        .filter(|task| task.is_prune())
        .map(|task| task.wave)
        .collect();
    waves.sort_unstable();
    waves.dedup();
    let mirrored: BTreeMap<i64, i64> = waves
        .iter()
        .copied()
        .zip(waves.iter().rev().copied())
        .collect();
    for task in tasks.iter_mut().filter(|task| task.is_prune()) {
        task.wave = mirrored.get(&task.wave).copied().unwrap_or(task.wave);
    }
}

/// `PruneLast` moves a prune behind the last wave of the phase Sync (semantics 47).
fn prune_last(tasks: &mut [Task], comparison: &Comparison, request: &Request) {
    let sync = tasks.iter().filter(|task| task.key.phase == Phase::Sync);
    let last = sync
        .map(|task| task.wave)
        .fold(0, i64::max)
        .saturating_add(1);
    let for_all = request.options.has(SyncOption::PruneLast);
    for task in tasks.iter_mut().filter(|task| task.is_prune()) {
        let own = || {
            let live = comparison
                .objects
                .iter()
                .find(|one| one.key == task.key.object);
            live.and_then(|one| one.live.as_ref())
                .is_some_and(|live| hook::options(live).has(SyncOption::PruneLast))
        };
        if for_all || own() {
            task.wave = last;
        }
    }
}

/// The order of kinds in one wave; all others come last (semantics 5).
const KIND_ORDER: [&str; 35] = [
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

pub(crate) fn kind_rank(kind: &str) -> usize {
    KIND_ORDER
        .iter()
        .position(|one| *one == kind)
        .unwrap_or(KIND_ORDER.len())
}

fn sort(tasks: &mut Vec<Task>) {
    tasks.sort_by(|a, b| {
        let rank = |task: &Task| (task.key.phase, task.wave, kind_rank(&task.gvk.kind));
        rank(a)
            .cmp(&rank(b))
            .then_with(|| a.key.object.name.cmp(&b.key.object.name))
            .then_with(|| a.key.object.cmp(&b.key.object))
    });
    pull_forward(tasks, namespace_made, namespace_used);
    pull_forward(tasks, kind_made, kind_used);
}

type Name = fn(&Task, &Object) -> Option<String>;

fn namespace_made(task: &Task, object: &Object) -> Option<String> {
    (task.gvk.kind == "Namespace" && task.gvk.group.is_empty()).then(|| object.name().to_owned())
}

fn namespace_used(task: &Task, _: &Object) -> Option<String> {
    let namespace = &task.key.object.namespace;
    (!namespace.is_empty()).then(|| namespace.to_string())
}

fn kind_made(_: &Task, object: &Object) -> Option<String> {
    let text = |path: &[&str]| object.value().at(path).and_then(Value::as_str);
    let name = || {
        Some(format!(
            "{}/{}",
            text(&["spec", "group"])?,
            text(&["spec", "names", "kind"])?
        ))
    };
    is_crd(object).then(name).flatten()
}

fn kind_used(task: &Task, _: &Object) -> Option<String> {
    Some(format!("{}/{}", task.gvk.group, task.gvk.kind))
}

/// Moves what is needed in front of the first task that needs it, into its phase and wave
/// (semantics 6 and 7).
fn pull_forward(tasks: &mut Vec<Task>, makes: Name, uses: Name) {
    let mut first_use: HashMap<String, usize> = HashMap::new();
    for i in 0..tasks.len() {
        let task = &tasks[i];
        let Work::Apply(object) = &task.work else {
            continue;
        };
        if let Some(made) = makes(task, object) {
            if let Some(at) = first_use.get(&made).copied() {
                let (phase, wave) = (tasks[at].key.phase, tasks[at].wave);
                let mut moved = tasks.remove(i);
                moved.key.phase = phase;
                moved.wave = wave;
                tasks.insert(at, moved);
                for index in first_use
                    .values_mut()
                    .filter(|index| (at..i).contains(*index))
                {
                    *index += 1;
                }
            }
        } else if let Some(used) = uses(task, object) {
            first_use.entry(used).or_insert(i);
        }
    }
}

/// `CreateNamespace=true` (semantics 63-65).
fn namespace_task(
    tasks: &[Task],
    live: &Live,
    request: &Request,
    subject: &Subject<'_>,
) -> Option<Task> {
    let namespace = subject.namespace();
    if namespace.is_empty() || !request.options.has(SyncOption::CreateNamespace) {
        return None;
    }
    let key = ObjectKey {
        group: "".into(),
        kind: "Namespace".into(),
        namespace: "".into(),
        name: namespace.into(),
    };
    if tasks
        .iter()
        .any(|task| !task.is_prune() && task.key.object == key)
    {
        return None;
    }
    let metadata = subject.app.spec.sync_policy.as_ref();
    let metadata = metadata.and_then(|policy| policy.managed_namespace_metadata.as_ref());
    if live.get(&key).is_some() && metadata.is_none() {
        return None;
    }
    let gvk = Gvk::new("v1", "Namespace");
    let verdict = subject.gate().check(&gvk, &key);
    Some(Task {
        work: Work::Apply(namespace_object(namespace, metadata)),
        key: TaskKey {
            object: key,
            phase: Phase::PreSync,
        },
        gvk,
        wave: 0,
        is_hook: false,
        refusal: verdict.err().map(|denied| Refusal {
            summary: denied.to_string(),
            message: denied.to_string(),
        }),
        origin: Origin::default(),
        is_modified: true,
    })
}

fn namespace_object(name: &str, metadata: Option<&api::application::NamespaceMetadata>) -> Object {
    let mut members = Map::from([("name", Value::from(name))]);
    if let Some(metadata) = metadata {
        let map = |from: &BTreeMap<String, String>| -> Map {
            from.iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect()
        };
        let mut annotations = map(&metadata.annotations);
        annotations.insert(names::SYNC_OPTIONS, SyncOption::ServerSideApply.as_str());
        members.insert("annotations", annotations);
        if !metadata.labels.is_empty() {
            members.insert("labels", map(&metadata.labels));
        }
    }
    let object = Map::from([
        ("apiVersion", Value::from("v1")),
        ("kind", Value::from("Namespace")),
        ("metadata", members.into()),
    ]);
    Object::new(object.into()).expect("apiVersion and kind are set")
}

impl Plan<'_> {
    pub(crate) fn is_dry_run(&self) -> bool {
        self.request.operation.dry_run
    }

    pub(crate) fn applies_only_modified(&self) -> bool {
        self.request.options.has(SyncOption::ApplyOutOfSyncOnly)
    }
}

impl Task {
    /// Whether it deletes.
    #[must_use]
    pub fn is_prune(&self) -> bool {
        matches!(self.work, Work::Prune)
    }

    /// The object to apply.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        match &self.work {
            Work::Apply(object) => Some(object),
            Work::Prune => None,
        }
    }

    /// Whether the namespace of a cluster-scoped object stands empty in results: only prunes and
    /// the namespace of the application itself; a quirk of Argo CD that statuses show.
    pub(crate) fn result_namespace<'b>(&'b self, destination: &'b str) -> &'b str {
        let own = &self.key.object.namespace;
        let is_made_for_app = self.key.phase == Phase::PreSync && !self.is_hook;
        if own.is_empty() && !self.is_prune() && !is_made_for_app {
            destination
        } else {
            own
        }
    }
}
