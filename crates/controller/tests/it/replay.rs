//! Replays the recordings of the real Argo CD controller (corpora/argocd-sync) over our whole
//! controller and a sandbox with its life on, and prints how many agree.
//!
//! Each scenario has its own runtime in virtual time: when nobody has anything to do, the clock
//! jumps to the next moment at which somebody has. So the recorder's waits cost nothing, and a retry
//! after 20 seconds comes after 20 seconds. Compared is what the corpus' README says must match.
//!
//! `TIPHYS_REPLAY` names a part of scenario names, and prints all that differs in those;
//! `TIPHYS_REPLAY_DIR` is a folder in the format of the corpus (`cargo xtask replay argocd-sync`).

mod journal;
mod repository;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use cluster::{PatchKind, WriteOptions};
use engine::action::Propagation;
use jiff::Timestamp;
use manifest::{Gvk, Object};
use recordings::{Difference, map_texts};
use yaml::{Map, Value};

use self::journal::Journal;
use self::repository::Repository;
use crate::World;

/// The gate replays every eighth scenario, which takes a minute; `cargo xtask replay argocd-sync` and
/// the corpus' folder replay all.
const SAMPLE: usize = 8;
/// How many of those agree at least. It may only rise.
const FLOOR: usize = 26;

/// What needs renderers that are not there yet.
const BEYOND: [&str; 3] = [".jsonnet", "\"plugin\"", "\"seed\""];

/// Scenarios that differ on purpose, and why (docs/differences.md). They may not come out the same:
/// then the reason is gone.
const ON_PURPOSE: [(&str, &str); 13] = [
    ("adopt-other-app", "a commit is known to all at once"),
    ("bad-chart-git", "a look-up names what was looked up where"),
    ("bad-denied-admission", "no pause between waves"),
    ("bad-no-source", "an invalid spec reads no repository"),
    ("bad-path-file", "a path may name a file"),
    ("bad-source-empty", "an invalid spec reads no repository"),
    (
        "diff-crd-unknown-fields",
        "a field that is not kept is a warning",
    ),
    ("proj-dest-server", "an invalid spec reads no repository"),
    (
        "proj-permit-only-ns-scoped",
        "an invalid spec reads no repository",
    ),
    ("proj-source-denied", "an invalid spec reads no repository"),
    ("proj-source-negated", "an invalid spec reads no repository"),
    ("proj-source-none", "an invalid spec reads no repository"),
    ("prune-all-empty", "a changed spec is judged at once"),
];

/// The recorder's annotation that gives a pod its fate, and the sandbox's.
const FATES: (&str, &str) = ("sandbox/pod", "sandbox.tiphys.dev/pod");

/// Kinds that the recorder leaves out of `live` where a cluster makes them by itself.
const MADE_BY_CLUSTER: [(&str, &str); 2] = [
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
];

#[test]
fn recordings_of_argo_cd_come_out_the_same() {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let named = std::env::var_os("TIPHYS_REPLAY_DIR").map(PathBuf::from);
    let is_corpus = named.is_none();
    let folder = named.unwrap_or_else(|| shared.join("corpora/argocd-sync"));
    let only = std::env::var("TIPHYS_REPLAY").unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(
            is_corpus && std::env::var_os("CI").is_none(),
            "the recordings of Argo CD are missing"
        );
        eprintln!("skipped: shared/corpora/argocd-sync is not here");
        return;
    };
    let mut texts: Vec<String> = entries
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|text| text.starts_with('{'))
        .collect();
    texts.sort();
    let n_all = texts.len();
    texts.retain(|text| !BEYOND.iter().any(|it| text.contains(it)));
    let n_beyond = n_all - texts.len();
    let is_gate = is_corpus && only.is_empty();
    if is_gate {
        texts = texts.into_iter().step_by(SAMPLE).collect();
    }
    let scenarios: Vec<Value> = texts
        .iter()
        .map(|text| text.replace(FATES.0, FATES.1))
        .map(|text| yaml::json::parse(text.as_bytes()).expect("JSON"))
        .filter(|scenario| scenario.get("steps").is_some())
        .filter(|scenario| text(scenario, "name").contains(&only))
        .collect();
    let results = replay_all(&scenarios);
    let reason = |name: &str| ON_PURPOSE.iter().find(|(known, _)| *known == name);
    for (name, differences) in &results {
        let is_same = differences.is_empty();
        match reason(name) {
            Some((_, why)) if is_corpus || !is_same => {
                assert!(!is_same, "{name} is no difference any more: {why}");
                println!("differs on purpose: {name}: {why}");
                continue;
            }
            _ => println!("{} {name}", if is_same { "ok" } else { "FAIL" }),
        }
        let n_shown = if only.is_empty() { 2 } else { usize::MAX };
        for difference in differences.iter().take(n_shown) {
            println!("    {difference}");
        }
    }
    let n_passed = results.values().filter(|it| it.is_empty()).count();
    let is_failure =
        |(name, it): &(&String, &Vec<String>)| !it.is_empty() && reason(name).is_none();
    let n_failed = results.iter().filter(is_failure).count();
    println!("not replayed, as they need renderers that are not there yet: {n_beyond}");
    println!("{n_passed} passed, {n_failed} failed");
    if is_gate {
        assert!(n_passed >= FLOOR, "{n_passed} agree, where {FLOOR} did");
    } else {
        assert!(n_failed == 0, "{n_failed} scenarios differ");
    }
}

/// Replays scenarios on all processors; gives what differs in each, by name.
fn replay_all(scenarios: &[Value]) -> BTreeMap<String, Vec<String>> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let n_threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = replay_alone(scenario);
                    let name = text(scenario, "name").to_owned();
                    results.lock().expect("no panic").insert(name, differences);
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}

/// Replays one scenario in a runtime and a time of its own; a panic is a difference.
fn replay_alone(scenario: &Value) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let replayed = runtime.block_on(async {
        let scenario = scenario.clone();
        tokio::spawn(async move { replay(&scenario).await }).await
    });
    runtime.shutdown_background();
    replayed.unwrap_or_else(|panic| vec![panic.to_string()])
}

/// The virtual time: it began with the first scenario.
pub(crate) fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, std::time::Instant)> = OnceLock::new();
    let (time, instant) = START.get_or_init(|| (Timestamp::now(), std::time::Instant::now()));
    let passed = tokio::time::Instant::now()
        .into_std()
        .saturating_duration_since(*instant);
    time.saturating_add(passed).expect("a time in our lives")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn map<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let map = value.at(path).and_then(Value::as_map);
    map.into_iter()
        .flat_map(Map::iter)
        .map(|(key, it)| (key.as_str(), it))
}

/// One scenario under way.
struct Replay {
    world: World,
    journal: Journal,
    repositories: Vec<Repository>,
    namespaces: BTreeSet<String>,
    /// Marks of the recording with what they stand for here.
    marks: Vec<(String, String)>,
    /// The names of the Events that were seen.
    events: BTreeSet<String>,
    /// What was recorded as live after the last step.
    live: BTreeMap<String, Value>,
    _folder: tempfile::TempDir,
}

async fn replay(scenario: &Value) -> Vec<String> {
    let mut replay = Replay::start(scenario).await;
    let unstable: Vec<&str> = list(scenario, "unstable")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for (number, step) in list(scenario, "steps").iter().enumerate() {
        let n_before = replay.journal.len();
        for action in list(step, "do") {
            replay.act(action).await;
        }
        replay.settle(step).await;
        let differences: Vec<String> = replay
            .compare(step, n_before)
            .await
            .into_iter()
            .map(|it| (format!("steps/{number}/{}", it.path), it.text))
            .filter(|(path, _)| !unstable.iter().any(|it| path.starts_with(it)))
            .map(|(path, text)| format!("{path}: {text}"))
            .collect();
        if !differences.is_empty() {
            return differences;
        }
    }
    Vec::new()
}

impl Replay {
    async fn start(scenario: &Value) -> Replay {
        let folder = tempfile::tempdir().expect("a folder");
        let repositories: Vec<Repository> = list(scenario, "repos")
            .iter()
            .filter_map(Value::as_str)
            .map(|name| Repository::create(folder.path(), name))
            .collect();
        let marks = repositories
            .iter()
            .map(|it| (format!("<{}>", it.name), it.url()))
            .collect();
        let names = |key: &str| -> BTreeSet<String> {
            let names = list(scenario, key).iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        };
        let journal = Journal::default();
        let sandbox = sandbox::Options {
            clock: sandbox::Clock::running(now),
            controllers: sandbox::Controllers::On { nodes: 1 },
            ..sandbox::Options::in_memory()
        };
        let options = controller::Options {
            poll_interval: Duration::ZERO,
            now,
            ..controller::Options::new("argocd")
        };
        let world = World::start_with(sandbox, options, |it| journal.client(it)).await;
        let replay = Replay {
            world,
            journal,
            repositories,
            namespaces: names("namespaces"),
            marks,
            events: BTreeSet::new(),
            live: BTreeMap::new(),
            _folder: folder,
        };
        for name in replay.namespaces.difference(&names("namespacesNotCreated")) {
            let namespace =
                format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
            replay.world.create(&namespace).await;
        }
        let config = scenario.get("config").cloned().unwrap_or_default();
        let config = Map::from([
            ("apiVersion", "v1".into()),
            ("kind", "ConfigMap".into()),
            (
                "metadata",
                yaml::parse_str("{name: argocd-cm, namespace: argocd}").expect("YAML"),
            ),
            ("data", config),
        ]);
        replay.world.create(&yaml::emit(&Value::Map(config))).await;
        replay
    }

    /// Marks of the recording replaced by what they stand for here.
    fn filled(&self, value: &Value) -> Value {
        map_texts(value, &|text| {
            let fill = |text: String, (mark, real): &(String, String)| text.replace(mark, real);
            self.marks.iter().fold(text.to_owned(), fill)
        })
    }

    /// What is found here in the words of the recording.
    fn recorded(&self, value: &Value) -> Value {
        map_texts(value, &|text| {
            let put = |text: String, (mark, real): &(String, String)| {
                let is_url = real.starts_with("file:");
                let mark = if is_url {
                    mark.trim_matches(['<', '>'])
                } else {
                    mark
                };
                text.replace(real.as_str(), mark)
            };
            self.marks.iter().fold(text.to_owned(), put)
        })
    }

    async fn act(&mut self, action: &Value) {
        let (verb, what) = map(action, &[]).next().expect("an action");
        let what = &self.filled(what);
        let object = || Object::new(what.clone()).expect("an object");
        match verb {
            "commit" => self.commit(what),
            "create" => drop(self.world.create_object(object()).await),
            "apply" => self.apply(&object()).await,
            "refresh" => {
                let kind = text(what, "type");
                let refresh =
                    format!("metadata: {{annotations: {{argocd.argoproj.io/refresh: {kind}}}}}");
                self.world.patch_app(text(what, "app"), &refresh).await;
            }
            "operation" => {
                let operation = what.get("operation").cloned().unwrap_or_default();
                let patch = yaml::emit(&Value::Map(Map::from([("operation", operation)])));
                self.world.patch_app(text(what, "app"), &patch).await;
            }
            "terminate" => {
                let app = what.as_str().expect("a name");
                let patch = "status: {operationState: {phase: Terminating}}";
                self.world.patch_app(app, patch).await;
            }
            "patch" => self.patch(what, &object()).await,
            "ssa" => {
                let applied = what.get("object").cloned().unwrap_or_default();
                let options = WriteOptions {
                    field_manager: Some(text(what, "manager")),
                    force: true,
                    ..WriteOptions::default()
                };
                let target = Object::new(applied.clone()).expect("an object");
                self.world
                    .patch_object(&target, "", (PatchKind::Apply, &applied), options)
                    .await;
            }
            "delete" => {
                let propagation = match text(what, "propagation") {
                    "Foreground" => Propagation::Foreground,
                    "Orphan" => Propagation::Orphan,
                    _ => Propagation::Background,
                };
                self.world.delete_object(&object(), propagation).await;
            }
            "sleep" => {
                let seconds = what.as_f64().or(what.as_i64().map(|it| it as f64));
                tokio::time::sleep(Duration::from_secs_f64(seconds.unwrap_or(1.0))).await;
            }
            other => panic!("no such action: {other}"),
        }
    }

    fn commit(&mut self, commit: &Value) {
        let name = match text(commit, "repo") {
            "" => "REPO",
            name => name,
        };
        let repository = self.repositories.iter_mut().find(|it| it.name == name);
        let repository = repository.expect("a repository of the scenario");
        let sha = repository.commit(commit);
        let number = repository.n_commits;
        let prefix = if name == "REPO" {
            String::new()
        } else {
            format!("{name}-")
        };
        let mark = format!("<{prefix}COMMIT{number}>");
        // The longer texts first: the short ones are parts of them.
        self.marks.push((format!("{mark}:7"), sha[..7].to_owned()));
        self.marks.insert(0, (mark, sha));
        self.marks
            .sort_by_key(|(mark, real)| (std::cmp::Reverse(real.len()), mark.clone()));
    }

    /// `kubectl apply` of an object that is not there.
    async fn apply(&self, object: &Object) {
        let mut object = object.clone();
        object.value_mut().map_at_mut(&["metadata", "annotations"]);
        let mut last = yaml::json::to_string_html_escaped(object.value());
        last.push('\n');
        object.set_annotation("kubectl.kubernetes.io/last-applied-configuration", &last);
        self.world.create_object(object).await;
    }

    async fn patch(&self, what: &Value, object: &Object) {
        let kind = match text(what, "type") {
            "json" => PatchKind::Json,
            "strategic" => PatchKind::Strategic,
            _ => PatchKind::Merge,
        };
        let body = what.get("body").cloned().unwrap_or_default();
        let options = WriteOptions {
            field_manager: Some(text(what, "manager")).filter(|it| !it.is_empty()),
            ..WriteOptions::default()
        };
        let subresource = text(what, "subresource");
        self.world
            .patch_object(object, subresource, (kind, &body), options)
            .await;
    }

    async fn compare(&mut self, step: &Value, n_before: usize) -> Vec<Difference> {
        let is_settled = step.at(&["expect", "notSettled"]).is_none();
        let mut differences = Vec::new();
        let found = self.world.applications().await;
        for (name, want) in map(step, &["expect", "applications"]) {
            let path = format!("applications/{name}");
            match found.get(name) {
                Some(app) => {
                    let app = self.recorded(app);
                    differences.extend(recordings::application(&path, want, &app, is_settled));
                }
                None => differences.push(Difference {
                    path,
                    text: "is gone".to_owned(),
                }),
            }
        }
        let wanted: BTreeSet<&str> = map(step, &["expect", "applications"])
            .map(|it| it.0)
            .collect();
        differences.extend(
            found
                .keys()
                .filter(|it| !wanted.contains(it.as_str()))
                .map(|name| Difference {
                    path: format!("applications/{name}"),
                    text: "should be gone".to_owned(),
                }),
        );
        self.live = map(step, &["expect", "live"])
            .map(|(key, value)| match value.as_str() {
                Some(_) => (
                    key.to_owned(),
                    self.live.get(key).cloned().unwrap_or_default(),
                ),
                None => (key.to_owned(), value.clone()),
            })
            .collect();
        let events = self.new_events().await;
        if is_settled {
            let requests = self.journal.since(n_before);
            let requests: Vec<Value> = requests.iter().map(|it| self.recorded(it)).collect();
            let expect = step.get("expect").cloned().unwrap_or_default();
            differences.extend(recordings::requests(list(&expect, "requests"), &requests));
            differences.extend(recordings::live(&self.live, &self.found_live(&found).await));
            differences.extend(recordings::events(list(&expect, "events"), &events));
        }
        differences
    }

    /// The Events about Applications since the last time, in the form of the recorder.
    async fn new_events(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        for event in self.world.list(&Gvk::new("v1", "Event")).await {
            let about = event
                .value()
                .get("involvedObject")
                .cloned()
                .unwrap_or_default();
            let is_known = !self.events.insert(event.name().to_owned());
            if is_known || text(&about, "kind") != "Application" {
                continue;
            }
            let copied = |key: &'static str| (key, Value::from(text(event.value(), key)));
            let mut one = Map::from(["type", "reason", "message"].map(copied));
            one.insert("application", text(&about, "name"));
            events.push(self.recorded(&Value::Map(one)));
        }
        events
    }

    /// The objects of the recorded kinds that the recorder would show.
    async fn found_live(&self, apps: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let kinds: BTreeSet<&str> = self
            .live
            .keys()
            .filter_map(|key| key.split(':').next())
            .collect();
        let declared: BTreeSet<(&str, &str, &str)> = apps
            .values()
            .filter_map(|app| app.at(&["status", "resources"])?.as_list())
            .flatten()
            .map(|it| (text(it, "kind"), text(it, "namespace"), text(it, "name")))
            .collect();
        let mut found = BTreeMap::new();
        for kind in kinds {
            let Some((api_version, name)) = kind.rsplit_once('/') else {
                continue;
            };
            for object in self.world.list(&Gvk::new(api_version, name)).await {
                let (namespace, name) = (object.namespace(), object.name());
                let key = format!("{kind}:{namespace}/{name}");
                let is_namespace = object.kind() == "Namespace" && self.namespaces.contains(name);
                let is_shown = is_namespace
                    || self.namespaces.contains(namespace)
                    || declared.contains(&(object.kind(), namespace, name))
                    || self.live.contains_key(&key);
                if is_shown && !MADE_BY_CLUSTER.contains(&(object.kind(), name)) {
                    found.insert(key, self.recorded(object.value()));
                }
            }
        }
        found
    }
}
