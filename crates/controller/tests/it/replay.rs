//! Replays the recordings of Argo CD (corpora/argocd-sync) that plain directories and objects
//! without a life of their own reach, and prints how many agree.
//!
//! Compared after every step: conditions, sync status and revision, health, resources, the
//! operation's phase, message and retries, and the history. It takes minutes, so it runs on
//! demand: `TIPHYS_REPLAY` is a part of scenario names, or `all`. The gate replays the decisions
//! alone (`recorded_syncs_come_out_the_same` in engine).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use manifest::Object;
use yaml::{Map, Str, Value};

use crate::World;

/// How many scenarios run at the same time: they wait most of the time.
const PARALLEL: usize = 8;

/// Nothing may change for this long before a state counts as reached. The recorder waited 2.5 s
/// or longer for a controller that reacts in seconds; ours reacts in milliseconds.
const QUIET: Duration = Duration::from_millis(800);

/// How long a state may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What in a scenario is beyond this test: other tools, and kinds that controllers bring to life.
const BEYOND: [&str; 22] = [
    "Chart.yaml",
    "\"helm\"",
    "kustomization",
    "\"kustomize\"",
    ".jsonnet",
    "\"plugin\"",
    "\"seed\"",
    "\"ssa\"",
    "\"apply\"",
    "kind: Deployment",
    "kind: Pod",
    "kind: Job",
    "kind: StatefulSet",
    "kind: DaemonSet",
    "kind: ReplicaSet",
    "kind: PersistentVolumeClaim",
    "kind: CronJob",
    "kind: APIService",
    "kind: HorizontalPodAutoscaler",
    "kind: Namespace",
    "\"syncWindows\"",
    "\"signatureKeys\"",
];

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_argo_cd_are_replayed() {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora/argocd-sync");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "shared/corpora/argocd-sync is missing"
        );
        eprintln!("skipped: shared/corpora/argocd-sync is not here");
        return;
    };
    let Ok(asked) = std::env::var("TIPHYS_REPLAY") else {
        eprintln!("skipped: set TIPHYS_REPLAY to a part of scenario names, or to all");
        return;
    };
    let only = Some(asked).filter(|it| it != "all");
    let mut scenarios: Vec<Value> = entries
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|text| text.starts_with('{') && !BEYOND.iter().any(|it| text.contains(it)))
        .map(|text| yaml::json::parse(text.as_bytes()).expect("JSON"))
        .filter(|scenario| {
            only.as_ref()
                .is_none_or(|it| name(scenario).contains(it.as_str()))
        })
        .collect();
    scenarios.sort_by_key(|scenario| name(scenario).to_owned());
    let n_scenarios = scenarios.len();
    let replayed = scenarios.into_iter().map(|scenario| async move {
        let differences = tokio::spawn(replay(scenario.clone())).await;
        (
            name(&scenario).to_owned(),
            differences.unwrap_or_else(|error| vec![error.to_string()]),
        )
    });
    let results: Vec<(String, Vec<String>)> = futures::stream::iter(replayed)
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut n_passed = 0;
    for (name, differences) in &results {
        if differences.is_empty() {
            n_passed += 1;
            continue;
        }
        let shown = if only.is_some() { differences.len() } else { 1 };
        for difference in differences.iter().take(shown) {
            println!("{name}: {difference}");
        }
    }
    println!("{n_passed} passed, {} failed", n_scenarios - n_passed);
    assert!(
        only.is_none() || n_passed == n_scenarios,
        "a scenario asked for by name fails"
    );
}

fn name(scenario: &Value) -> &str {
    scenario
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

/// One scenario with its repositories; commits by their mark.
struct Replay {
    world: World,
    folder: tempfile::TempDir,
    marks: Vec<(String, String)>,
    n_commits: BTreeMap<String, usize>,
}

async fn replay(scenario: Value) -> Vec<String> {
    let mut replay = Replay {
        world: World::start().await,
        folder: tempfile::tempdir().expect("a folder"),
        marks: Vec::new(),
        n_commits: BTreeMap::new(),
    };
    replay.prepare(&scenario).await;
    for (number, step) in list(&scenario, "steps").iter().enumerate() {
        for action in list(step, "do") {
            replay.act(action).await;
        }
        let found = replay.settle(step).await;
        let differences = replay.compare(step, &found);
        if !differences.is_empty() {
            return differences
                .into_iter()
                .map(|it| format!("step {number}: {it}"))
                .collect();
        }
    }
    Vec::new()
}

impl Replay {
    async fn prepare(&mut self, scenario: &Value) {
        for repository in list(scenario, "repos").iter().filter_map(Value::as_str) {
            let path = self.folder.path().join(repository);
            std::fs::create_dir(&path).expect("a folder");
            git(&path, &["init", "-q", "-b", "main"]);
            let url = format!("file://{}", path.display());
            self.marks.push((format!("<{repository}>"), url));
        }
        let late: Vec<&Value> = list(scenario, "namespacesNotCreated").iter().collect();
        for namespace in list(scenario, "namespaces")
            .iter()
            .filter(|it| !late.contains(it))
        {
            let namespace = namespace.as_str().expect("a name");
            let object =
                format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
            self.world.create(&object).await;
        }
        let config = scenario
            .get("config")
            .filter(|it| it.as_map().is_some_and(|it| !it.is_empty()));
        if let Some(config) = config {
            let map = Map::from([
                ("apiVersion", "v1".into()),
                ("kind", "ConfigMap".into()),
                (
                    "metadata",
                    Map::from([("name", "argocd-cm".into()), ("namespace", "argocd".into())])
                        .into(),
                ),
                ("data", config.clone()),
            ]);
            self.world.create(&yaml::emit(&Value::Map(map))).await;
        }
    }

    /// Marks of the recording replaced by what they stand for here.
    fn filled(&self, value: &Value) -> Value {
        map_text(value, &|text| {
            let mut text = text.to_owned();
            for (mark, real) in &self.marks {
                text = text.replace(mark.as_str(), real);
            }
            text
        })
    }

    /// What is found here in the words of the recording.
    fn recorded(&self, value: &Value) -> Value {
        map_text(value, &|text| {
            let mut text = text.to_owned();
            for (mark, real) in &self.marks {
                let mark = if mark.starts_with("<REPO") {
                    mark.trim_matches(['<', '>'])
                } else {
                    mark
                };
                text = text.replace(real.as_str(), mark);
            }
            text
        })
    }

    async fn act(&mut self, action: &Value) {
        let (verb, what) = action
            .as_map()
            .and_then(|it| it.iter().next())
            .expect("an action");
        let what = &self.filled(what);
        match verb.as_str() {
            "commit" => self.commit(what),
            "create" => {
                self.world.create(&yaml::emit(what)).await;
            }
            "refresh" => {
                let refresh = format!(
                    "metadata: {{annotations: {{argocd.argoproj.io/refresh: {}}}}}",
                    text(what, "type")
                );
                self.world.patch_app(text(what, "app"), &refresh).await;
            }
            "operation" => {
                let patch = Map::from([(
                    "operation",
                    what.get("operation").cloned().unwrap_or_default(),
                )]);
                self.world
                    .patch_app(text(what, "app"), &yaml::emit(&Value::Map(patch)))
                    .await;
            }
            "terminate" => {
                let app = what.as_str().expect("a name");
                self.world
                    .patch_app(app, "status: {operationState: {phase: Terminating}}")
                    .await;
            }
            "patch" => {
                let object = Object::new(what.clone()).expect("an object");
                let kind = match text(what, "type") {
                    "json" => cluster::PatchKind::Json,
                    "strategic" => cluster::PatchKind::Strategic,
                    _ => cluster::PatchKind::Merge,
                };
                let body = what.get("body").cloned().unwrap_or_default();
                self.world
                    .patch_object(&object, text(what, "subresource"), kind, &body)
                    .await;
            }
            "delete" => {
                let object = Object::new(what.clone()).expect("an object");
                self.world.delete_object(&object).await;
            }
            "sleep" => tokio::time::sleep(Duration::from_secs(1)).await,
            other => panic!("no such action: {other}"),
        }
    }

    fn commit(&mut self, commit: &Value) {
        let repository = match text(commit, "repo") {
            "" => "REPO",
            repository => repository,
        };
        let folder = self.folder.path().join(repository);
        let branch = match text(commit, "branch") {
            "" => "main",
            branch => branch,
        };
        let n_before = self.n_commits.values().sum::<usize>();
        if n_before > 0 {
            let verify = ["rev-parse", "-q", "--verify", branch];
            let is_known = run(Command::new("git").current_dir(&folder).args(verify)).0;
            let switch: &[&str] = if is_known {
                &["checkout", "-q", branch]
            } else {
                &["checkout", "-q", "-b", branch]
            };
            git(&folder, switch);
        }
        for (path, content) in commit
            .get("files")
            .and_then(Value::as_map)
            .into_iter()
            .flat_map(Map::iter)
        {
            write(&folder.join(path.as_str()), content.as_str());
        }
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "--allow-empty", "-m", "commit"]);
        let tag = text(commit, "tag");
        if !tag.is_empty() {
            git(&folder, &["tag", tag]);
        }
        let annotated = text(commit, "annotatedTag");
        if !annotated.is_empty() {
            git(&folder, &["tag", "-a", "-m", "tag", annotated]);
        }
        let (_, sha) = run(Command::new("git")
            .current_dir(&folder)
            .args(["rev-parse", "HEAD"]));
        let count = self.n_commits.entry(repository.to_owned()).or_default();
        *count += 1;
        let prefix = if repository == "REPO" {
            String::new()
        } else {
            format!("{repository}-")
        };
        let mark = format!("<{prefix}COMMIT{count}>");
        self.marks.push((
            format!("{mark}:7"),
            sha.get(..7).unwrap_or_default().to_owned(),
        ));
        // The longer text first: the short one is a part of it.
        self.marks.insert(0, (mark, sha));
    }

    /// Waits until nothing changes any more; gives the Applications.
    async fn settle(&self, step: &Value) -> BTreeMap<String, Value> {
        let started = Instant::now();
        let mut last = (Instant::now(), BTreeMap::new());
        loop {
            let found = self.world.applications().await;
            if found != last.1 {
                last = (Instant::now(), found);
            }
            let is_still = last.0.elapsed() > QUIET && self.world.controller.n_busy() == 0;
            let is_there = self.has_expected(step, &last.1);
            if (is_still && (is_there || started.elapsed() > TIMEOUT))
                || started.elapsed() > TIMEOUT * 2
            {
                return last.1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether what was found is what was recorded: then there is no need to wait longer.
    fn has_expected(&self, step: &Value, found: &BTreeMap<String, Value>) -> bool {
        self.compare(step, found).is_empty()
    }

    fn compare(&self, step: &Value, found: &BTreeMap<String, Value>) -> Vec<String> {
        let nothing = Map::new();
        let want = step
            .at(&["expect", "applications"])
            .and_then(Value::as_map)
            .unwrap_or(&nothing);
        let mut differences = Vec::new();
        for (name, want) in want.iter() {
            let Some(found) = found.get(name.as_str()) else {
                differences.push(format!("{name} is not there"));
                continue;
            };
            let found = self.recorded(found);
            let (want, found) = (facts(want.get("status")), facts(found.get("status")));
            for (fact, want) in &want {
                let found = found.get(fact).cloned().unwrap_or_default();
                if *want != found {
                    differences.push(format!(
                        "{name} {fact}: want {}, found {}",
                        yaml::json::to_string(want),
                        yaml::json::to_string(&found)
                    ));
                }
            }
        }
        let extra = found.keys().filter(|name| !want.contains_key(name));
        differences.extend(extra.map(|name| format!("{name} should be gone")));
        differences
    }
}

/// What of a status must match, in one order.
fn facts(status: Option<&Value>) -> BTreeMap<&'static str, Value> {
    let nothing = Value::Null;
    let status = status.unwrap_or(&nothing);
    let at = |path: &[&str]| status.at(path).cloned().unwrap_or_default();
    let sorted = |path: &[&str], keys: &[&str]| {
        let items = status.at(path).and_then(Value::as_list).unwrap_or_default();
        let mut items: Vec<Value> = items.iter().map(|item| only(item, keys)).collect();
        items.sort_by_key(yaml::json::to_string);
        Value::List(items)
    };
    let resource = [
        "group",
        "version",
        "kind",
        "namespace",
        "name",
        "status",
        "hook",
        "requiresPruning",
        "syncWave",
    ];
    let result = [
        "group",
        "kind",
        "namespace",
        "name",
        "status",
        "message",
        "hookType",
        "hookPhase",
        "syncPhase",
    ];
    BTreeMap::from([
        ("conditions", sorted(&["conditions"], &["type", "message"])),
        ("sync", at(&["sync", "status"])),
        ("revision", at(&["sync", "revision"])),
        ("revisions", at(&["sync", "revisions"])),
        ("health", at(&["health", "status"])),
        ("resources", sorted(&["resources"], &resource)),
        ("phase", at(&["operationState", "phase"])),
        ("message", clock(&at(&["operationState", "message"]))),
        ("retries", at(&["operationState", "retryCount"])),
        (
            "results",
            sorted(&["operationState", "syncResult", "resources"], &result),
        ),
        (
            "history",
            sorted(&["history"], &["id", "revision", "revisions"]),
        ),
    ])
}

/// The announced time of a retry is another one each time.
fn clock(message: &Value) -> Value {
    match message.as_str().and_then(|text| text.split_once(" at ")) {
        Some((before, after)) if after.ends_with("M.") || after == "<clock>." => before.into(),
        _ => message.clone(),
    }
}

fn only(item: &Value, keys: &[&str]) -> Value {
    let members = keys
        .iter()
        .filter_map(|key| Some((*key, item.get(key)?.clone())));
    Value::Map(members.collect())
}

fn map_text(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::List(list) => Value::List(list.iter().map(|it| map_text(it, change)).collect()),
        Value::Map(map) => {
            let members = map
                .iter()
                .map(|(key, it)| (Str::clone(key), map_text(it, change)));
            Value::Map(members.collect())
        }
        other => other.clone(),
    }
}

fn write(path: &Path, content: Option<&str>) {
    match content {
        Some(content) => {
            std::fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        None => std::fs::remove_file(path).expect("a file"),
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let (is_done, output) = run(Command::new("git")
        .current_dir(folder)
        .args(identity)
        .args(arguments));
    assert!(is_done, "git {arguments:?}: {output}");
}

/// Whether a program succeeded, and what it said, trimmed.
fn run(command: &mut Command) -> (bool, String) {
    let output = command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git");
    let text = if output.status.success() {
        &output.stdout
    } else {
        &output.stderr
    };
    (
        output.status.success(),
        String::from_utf8_lossy(text).trim().to_owned(),
    )
}
