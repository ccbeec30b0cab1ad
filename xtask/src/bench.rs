//! `cargo xtask bench`: the budgets of the design (part 6) as a table, as far as they can be
//! measured today.
//!
//! Owns the measurements: each starts the release binary as a user would and looks at the clock and
//! at `/proc`. Nothing here fails a build; a figure over its budget is marked.

mod charts;
mod overlays;
mod pace;
pub(crate) mod subject;
mod throughput;
pub(crate) mod wire;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use self::subject::{Storage, Subject, access, resident_kilobytes};
use self::wire::Api;
use crate::{install, workspace};

/// Repetitions of what takes milliseconds; the median counts.
const N_REPEATS: usize = 5;
const N_APPLICATIONS: usize = 300;
/// Applications of the row about one commit.
const N_MANY: usize = 1_000;
/// Objects of the rows about memory.
const N_LIVE: usize = 4_200;
const N_IDLE_APPLICATIONS: usize = 41;
/// Size of their objects.
const OBJECT_BYTES: usize = 1_024;
/// How long a process may settle before its idle memory is read.
const SETTLING: Duration = Duration::from_secs(5);
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// How long a measurement may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// What can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The budgets of the design.
    Budgets,
    /// The API beside the real one.
    Api,
    /// Charts beside helm.
    Charts,
    /// Kustomizations beside kubectl.
    Overlays,
}

/// One line of the table.
struct Row {
    what: &'static str,
    budget: &'static str,
    measure: fn(&Path) -> Result<String>,
    /// What today's tool needs, measured on this machine where it is installed.
    beside: fn() -> String,
}

const ROWS: &[Row] = &[
    Row {
        what: "`up` on an empty folder until the API answers",
        budget: "<= 0.3 s",
        measure: start,
        beside: || "kind + Argo CD: 60-90 s reported".to_owned(),
    },
    Row {
        what: "whole `tiphys render` process, example's dev folder",
        budget: "<= 15 ms, <= 25 MB",
        measure: render,
        beside: kustomize,
    },
    Row {
        what: "300 Applications of 3 objects, first sync in the sandbox; memory after",
        budget: "<= 5 s, <= 80 MB",
        measure: first_sync,
        beside: || "-".to_owned(),
    },
    Row {
        what: "one of 1,000 Applications edited: until the object in the sandbox is changed",
        budget: "<= 50 ms to detect and decide",
        measure: one_of_many,
        beside: || "Argo CD renders all, 14 applications/s reported".to_owned(),
    },
    Row {
        what: "idle memory: 41 Applications, 4,200 live objects",
        budget: "<= 60 MB",
        measure: idle,
        beside: || "Argo CD's controller: 384-765 MiB reported".to_owned(),
    },
    Row {
        what: "sandbox alone until ready; memory with 4,200 objects",
        budget: "<= 50 ms, <= 40 MB",
        measure: sandbox,
        beside: || "-".to_owned(),
    },
    Row {
        what: "release binary",
        budget: "<= 60 MB",
        measure: size,
        beside: || "argocd 218 MB".to_owned(),
    },
];

/// Builds the release binary, measures (one part, or all), prints the tables.
///
/// # Errors
/// When the build fails; a measurement that fails is a line of the table.
pub(crate) fn run(part: Option<Part>) -> Result<()> {
    let binary = build()?;
    let wants = |one: Part| part.is_none_or(|part| part == one);
    if wants(Part::Budgets) {
        budgets(&binary);
    }
    if wants(Part::Charts) {
        charts::table(&binary)?;
    }
    if wants(Part::Overlays) {
        overlays::table(&binary)?;
    }
    if wants(Part::Api) {
        throughput::table(&binary)?;
    }
    Ok(())
}

/// One measurement after the other.
fn budgets(binary: &Path) {
    println!("| what | budget | here | today's tool |");
    println!("|---|---|---|---|");
    for row in ROWS {
        let here = (row.measure)(binary).unwrap_or_else(|error| format!("failed: {error:#}"));
        println!(
            "| {} | {} | {here} | {} |",
            row.what,
            row.budget,
            (row.beside)()
        );
    }
    println!("previews and clusters come with the issues that build them");
}

/// Builds the release binary; gives its path.
///
/// # Errors
/// When the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let output = workspace::cargo()
        .args([
            "build",
            "--release",
            "--package",
            "tiphys",
            "--message-format",
            "json",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the release build failed");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    };
    messages
        .lines()
        .filter_map(executable)
        .next_back()
        .context("cargo named no executable")
}

/// A running `up` with its own state, ended when it is dropped.
struct Up {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    folder: Scratch,
}

/// A folder that is removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A folder that nobody else has, this process's other measurements included.
    fn new(name: &str) -> Result<Self> {
        static N_MADE: AtomicUsize = AtomicUsize::new(0);
        let (process, number) = (std::process::id(), N_MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("tiphys-bench-{process}-{number}-{name}"));
        fs::create_dir(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Up {
    /// Starts `up` on a folder that `fill` has filled.
    fn start(binary: &Path, name: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<Self> {
        let folder = Scratch::new(name)?;
        let repository = folder.0.join("repository");
        fs::create_dir_all(&repository)?;
        fill(&repository)?;
        let mut child = Command::new(binary)
            .arg("up")
            .arg(&repository)
            .arg("--data-dir")
            .arg(folder.0.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = child.stdout.take().context("stdout is piped")?;
        Ok(Up {
            child,
            lines: BufReader::new(out).lines(),
            folder,
        })
    }

    /// Reads lines until one fits.
    fn wait(&mut self, fits: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        for line in self.lines.by_ref() {
            let line = line?;
            if fits(&line) {
                return Ok(line);
            }
            if Instant::now() > deadline {
                break;
            }
        }
        bail!("`up` ended, or took more than {} s", PATIENCE.as_secs())
    }

    fn resident_megabytes(&self) -> Result<u64> {
        Ok(resident_kilobytes(self.child.id())? / 1024)
    }

    fn api(&self) -> Result<Api> {
        let (server, token) = access(&self.folder.0.join("data/kubeconfig"))?;
        Api::new(&server, &token)
    }

    /// Waits until so many Applications are in order.
    fn wait_for_all(&mut self, n_applications: usize) -> Result<()> {
        let mut reached = std::collections::BTreeSet::new();
        while reached.len() < n_applications {
            let is_reached =
                |line: &str| line.starts_with("app-") && line.ends_with(": Synced, Healthy");
            reached.insert(self.wait(is_reached)?);
        }
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn start(binary: &Path) -> Result<String> {
    let mut times = Vec::new();
    for _ in 0..N_REPEATS {
        let began = Instant::now();
        let mut up = Up::start(binary, "start", |_| Ok(()))?;
        up.wait(|line| line.starts_with("Kubernetes API:"))?;
        times.push(began.elapsed());
    }
    Ok(format!("{} ms", median(times).as_millis()))
}

fn render(binary: &Path) -> Result<String> {
    let state = Scratch::new("render")?;
    let command = || {
        let mut command = Command::new(binary);
        command
            .arg("render")
            .arg(workspace::root().join("examples/guestbook/dev"))
            .env("XDG_STATE_HOME", &state.0)
            .stdout(Stdio::null());
        command
    };
    let mut times = Vec::new();
    for _ in 0..N_REPEATS {
        let began = Instant::now();
        let status = command().status()?;
        times.push(began.elapsed());
        if !status.success() {
            bail!("render failed");
        }
    }
    // Once more, to look at it while it runs.
    let mut child = command().spawn()?;
    let mut kilobytes = 0;
    while child.try_wait()?.is_none() {
        kilobytes = kilobytes.max(resident_kilobytes(child.id()).unwrap_or_default());
    }
    let time = median(times).as_millis();
    Ok(format!("{time} ms, {} MB", kilobytes / 1024))
}

/// Real kubectl on a folder of one kustomization, as far as it is installed.
fn kustomize() -> String {
    let measure = || -> Result<String> {
        let kubectl = install::oracle_folder()?.join("kubectl");
        let folder = Scratch::new("kustomize")?;
        let source = workspace::root().join("examples/guestbook/dev/web.yaml");
        fs::copy(source, folder.0.join("web.yaml"))?;
        fs::write(
            folder.0.join("kustomization.yaml"),
            "resources: [web.yaml]\n",
        )?;
        let mut times = Vec::new();
        for _ in 0..N_REPEATS {
            let began = Instant::now();
            let output = Command::new(&kubectl)
                .arg("kustomize")
                .arg(&folder.0)
                .output()?;
            times.push(began.elapsed());
            if !output.status.success() {
                bail!("kubectl kustomize failed");
            }
        }
        Ok(format!(
            "kubectl kustomize process {} ms",
            median(times).as_millis()
        ))
    };
    measure().unwrap_or_else(|_| "kubectl is not installed".to_owned())
}

fn first_sync(binary: &Path) -> Result<String> {
    let began = Instant::now();
    let mut up = Up::start(binary, "many", |folder| fill(folder, N_APPLICATIONS))?;
    up.wait_for_all(N_APPLICATIONS)?;
    let elapsed = began.elapsed().as_secs_f64();
    Ok(format!("{elapsed:.1} s, {} MB", up.resident_megabytes()?))
}

/// The way of an edit: file system, read set, render, comparison, sync, watch. What is measured is
/// more than the decision, which cannot be seen from outside.
fn one_of_many(binary: &Path) -> Result<String> {
    let mut up = Up::start(binary, "one", |folder| fill(folder, N_MANY))?;
    up.wait_for_all(N_MANY)?;
    std::thread::sleep(SETTLING);
    let api = up.api()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut times = Vec::new();
    for number in 0..N_REPEATS {
        let name = format!("app-{}", number * N_MANY / N_REPEATS);
        let file = up
            .folder
            .0
            .join(format!("repository/src/{name}/objects.yaml"));
        let time = runtime.block_on(async {
            let version = api.version(CONFIG_MAPS).await?;
            let mut events = api.watch(CONFIG_MAPS, &version).await?;
            let began = Instant::now();
            let text = fs::read_to_string(&file)?;
            fs::write(&file, text.replacen("k: v", "k: edited", 1))?;
            loop {
                let event = events.next().await?;
                if event["object"]["data"]["k"] == "edited" {
                    return anyhow::Ok(began.elapsed());
                }
            }
        })?;
        times.push(time);
    }
    Ok(format!("{} ms", median(times).as_millis()))
}

fn idle(binary: &Path) -> Result<String> {
    let mut up = Up::start(binary, "idle", |folder| fill(folder, N_IDLE_APPLICATIONS))?;
    up.wait_for_all(N_IDLE_APPLICATIONS)?;
    let api = up.api()?;
    tokio::runtime::Runtime::new()?
        .block_on(create_objects(&api, N_LIVE - 3 * N_IDLE_APPLICATIONS))?;
    std::thread::sleep(SETTLING);
    Ok(format!("{} MB", up.resident_megabytes()?))
}

fn sandbox(binary: &Path) -> Result<String> {
    let mut times = Vec::new();
    for _ in 0..N_REPEATS {
        let began = Instant::now();
        let subject = Subject::sandbox(binary, Storage::Memory)?;
        times.push(began.elapsed());
        drop(subject);
    }
    let subject = Subject::sandbox(binary, Storage::Memory)?;
    tokio::runtime::Runtime::new()?.block_on(create_objects(&subject.api()?, N_LIVE))?;
    let megabytes = subject.resident_kilobytes()? / 1024;
    Ok(format!("{} ms, {megabytes} MB", median(times).as_millis()))
}

async fn create_objects(api: &Api, n_objects: usize) -> Result<()> {
    let filling = "x".repeat(OBJECT_BYTES);
    for number in 0..n_objects {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("live-{number}")}, "data": {"filling": filling}});
        api.send(reqwest::Method::POST, CONFIG_MAPS, Some(object.to_string()))
            .await?;
    }
    Ok(())
}

/// Applications of three objects each, and a root that holds them.
fn fill(folder: &Path, n_applications: usize) -> Result<()> {
    let application = |name: &str, path: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\n\
             spec:\n  project: default\n  source: {{repoURL: 'https://git.example.com/many', path: {path}}}\n  \
             destination: {{name: in-cluster, namespace: default}}\n  \
             syncPolicy: {{automated: {{prune: true, selfHeal: true}}}}\n"
        )
    };
    fs::create_dir_all(folder.join("apps"))?;
    fs::write(folder.join("root.yaml"), application("root", "apps"))?;
    for number in 0..n_applications {
        let name = format!("app-{number}");
        let path = folder.join("src").join(&name);
        fs::create_dir_all(&path)?;
        let text = application(&name, &format!("src/{name}"));
        fs::write(folder.join("apps").join(format!("{name}.yaml")), text)?;
        let mut file = fs::File::create(path.join("objects.yaml"))?;
        for object in ["a", "b", "c"] {
            writeln!(
                file,
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}-{object}}}\ndata: {{k: v}}"
            )?;
        }
    }
    Ok(())
}

fn size(binary: &Path) -> Result<String> {
    Ok(format!("{} MB", fs::metadata(binary)?.len() >> 20))
}
