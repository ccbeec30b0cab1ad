//! One file of `testdata/` each: desired and live objects and an operation, then the printed plan
//! and the steps until it waits or ends. `UPDATE_EXPECT=1` rewrites what is expected.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use api::operation::{OperationPhase, OperationState};
use api::{AppProject, Application};
use engine::advance::{Next, Step, View};
use engine::live::ClusterName;
use engine::plan::Plan;
use engine::render::{Environment, Rendered};
use engine::subject::{Settings, Subject};
use manifest::trees::Files;
use yaml::Value;

use crate::cluster::Cluster;

const APP: &str = "
metadata: {name: app, namespace: argocd}
spec:
  project: p
  source: {repoURL: REPO, path: ., targetRevision: main}
  destination: {server: s, namespace: ns}
";
const PROJECT: &str = "
metadata: {name: p}
spec:
  destinations: [{server: '*', namespace: '*'}]
  clusterResourceWhitelist: [{group: '*', kind: '*'}]
";
const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n";
const MARK: &str = "\n=== expected ===\n";
const MAX_STEPS: usize = 40;

fn text(case: &Value, key: &str) -> String {
    case.get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn rendered(text: String) -> Rendered {
    let files = Files::new([("a.yaml", text)]).expect("a path");
    let source = api::Source {
        repo_url: "REPO".to_owned(),
        ..api::Source::default()
    };
    engine::render(&files, &source, &Environment::default()).expect("a folder of manifests")
}

fn print_plan(plan: &Plan<'_>, out: &mut String) {
    out.push_str("plan\n");
    for task in &plan.tasks {
        let work = if task.is_prune() { "prune" } else { "apply" };
        let hook = if task.is_hook { " (hook)" } else { "" };
        let (phase, wave) = (task.key.phase, task.wave);
        writeln!(out, "  {phase} {wave}: {work} {}{hook}", task.key.object).expect("text");
    }
}

/// Runs a case; what it printed.
fn run(case: &Value) -> String {
    let app = Application::from_value(yaml::parse_str(APP).expect("YAML")).expect("an app");
    let project = AppProject::from_value(yaml::parse_str(PROJECT).expect("YAML"));
    let (project, settings) = (project.expect("a project"), Settings::default());
    let name = ClusterName {
        server: "s".to_owned(),
        ..ClusterName::default()
    };
    let subject = Subject {
        app: &app,
        project: &project,
        cluster: &name,
        settings: &settings,
    };
    let mut cluster = Cluster::new("2026-01-02T15:04:05Z".parse().expect("a time"));
    let live = format!("{NAMESPACE}---\n{}", text(case, "live"));
    for one in rendered(live).objects {
        cluster.store(one.object);
    }
    for key in ["Service", "ConfigMap", "Job"] {
        if let Some(message) = case.at(&["refuse", key]).and_then(Value::as_str) {
            cluster
                .refusals
                .insert((key.to_owned(), "bad".to_owned()), message.to_owned());
        }
    }
    let state = case.get("state").cloned().unwrap_or_default();
    let mut state = OperationState::from_value(state).expect("a state");
    if state.phase.is_unset() {
        state.phase = OperationPhase::Running;
    }
    let desired = engine::normalize(&[rendered(text(case, "desired"))], &subject, &|gvk| {
        cluster.scope(gvk)
    });
    let schemas = cluster.schemas.clone();
    let comparison = engine::compare(&desired, &cluster.live, &subject, &|gvk| {
        cluster.schema(gvk)
    });
    let plan = engine::plan(&comparison, &cluster.live, &state, subject, &|gvk| {
        schemas.schema(gvk)
    });
    let mut out = String::new();
    print_plan(&plan, &mut out);
    steps(&mut cluster, &plan, &state, &mut out);
    out
}

fn steps(cluster: &mut Cluster, plan: &Plan<'_>, state: &OperationState, out: &mut String) {
    let resolve = |_: &api::Source| Some("r2".to_owned());
    let live = cluster.live.clone();
    let mut step = engine::advance(
        plan,
        state,
        &View {
            live: &live,
            resolve: &resolve,
        },
    );
    for number in 1..MAX_STEPS {
        let Step { state, next } = step;
        let batch = match next {
            Next::Do(batch) => batch,
            Next::Wait(why) => return writeln!(out, "wait: {why}").expect("text"),
            Next::Done(phase, message) => {
                return writeln!(out, "done: {phase}: {message}").expect("text");
            }
        };
        writeln!(out, "step {number}").expect("text");
        let mut answers = Vec::new();
        for stage in batch.stages() {
            let lines: Vec<String> = stage
                .actions
                .iter()
                .map(|action| action.get().to_string())
                .collect();
            writeln!(out, "  {}", lines.join(" | ")).expect("text");
            answers.extend(
                stage
                    .actions
                    .iter()
                    .map(|action| Some(cluster.execute(action.get()))),
            );
        }
        let live = cluster.live.clone();
        let view = View {
            live: &live,
            resolve: &resolve,
        };
        step = engine::advance::settle(plan, &state, &batch, &answers, &view);
    }
    out.push_str("never ends\n");
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests read and rewrite their own data"
)]
fn check(path: &Path) -> Result<(), String> {
    let content = std::fs::read_to_string(path).expect("a case");
    let (input, want) = content.split_once(MARK).unwrap_or((&content, ""));
    let found = run(&yaml::parse_str(input).expect("YAML"));
    if found == want {
        return Ok(());
    }
    if std::env::var("UPDATE_EXPECT").is_ok() {
        std::fs::write(path, format!("{}{MARK}{found}", input.trim_end())).expect("written");
        return Ok(());
    }
    Err(format!("{}:\n{found}instead of\n{want}", path.display()))
}

#[test]
#[allow(clippy::disallowed_methods, reason = "tests read their own data")]
fn plans_and_steps_are_as_written_in_the_scenarios() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("testdata")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are scenarios");
    let problems: Vec<String> = paths.iter().filter_map(|path| check(path).err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
