//! `cargo xtask bench`: the budgets of the design (part 6) as a table, as far as they can be
//! measured today.
//!
//! Owns the measurements: each starts the release binary as a user would and looks at the clock and
//! at `/proc`. Nothing here fails a build; a figure over its budget is marked.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::replay::client::{Client, Request, body};
use crate::{install, workspace};

/// Repetitions of what takes milliseconds; the median counts.
const N_REPEATS: usize = 5;
const N_APPLICATIONS: usize = 300;
const N_CREATES: usize = 2_000;
/// Size of the objects that are created.
const OBJECT_BYTES: usize = 2_048;
/// How long a measurement may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(180);

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
        what: "creates per second over HTTPS, one client, 2 KB objects",
        budget: ">= 5x the real server",
        measure: creates,
        beside: || "kube-apiserver + etcd: not measured".to_owned(),
    },
    Row {
        what: "release binary",
        budget: "<= 60 MB",
        measure: size,
        beside: || "argocd 218 MB".to_owned(),
    },
];

/// Builds the release binary, measures, prints the table.
///
/// # Errors
/// When the build fails; a measurement that fails is a line of the table.
pub(crate) fn run() -> Result<()> {
    let binary = build()?;
    println!("| what | budget | here | today's tool |");
    println!("|---|---|---|---|");
    for row in ROWS {
        let here = (row.measure)(&binary).unwrap_or_else(|error| format!("failed: {error:#}"));
        println!(
            "| {} | {} | {here} | {} |",
            row.what,
            row.budget,
            (row.beside)()
        );
    }
    println!("charts, overlays, previews and clusters come with the issues that build them");
    Ok(())
}

fn build() -> Result<PathBuf> {
    let output = Command::new(workspace::cargo())
        .args([
            "build",
            "--release",
            "--package",
            "tiphys",
            "--message-format",
            "json",
        ])
        .current_dir(workspace::root())
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
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("tiphys-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line
            .and_then(|line| line.split_whitespace().next())
            .context("no VmRSS")?;
        Ok(kilobytes.parse::<u64>()? / 1024)
    }

    /// Address and token of its API.
    fn api(&self) -> Result<(String, String)> {
        let text = fs::read_to_string(self.folder.0.join("data/kubeconfig"))?;
        let config = yaml::parse_str(&text)?;
        let text = |pointer: &str| {
            let value = config.pointer(pointer).and_then(yaml::Value::as_str);
            value
                .map(str::to_owned)
                .with_context(|| format!("the kubeconfig lacks {pointer}"))
        };
        Ok((
            text("/clusters/0/cluster/server")?,
            text("/users/0/user/token")?,
        ))
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
    let mut times = Vec::new();
    for _ in 0..N_REPEATS {
        let began = Instant::now();
        let output = Command::new(binary)
            .arg("render")
            .arg(workspace::root().join("examples/guestbook/dev"))
            .env("XDG_STATE_HOME", &state.0)
            .output()?;
        times.push(began.elapsed());
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(format!("{} ms", median(times).as_millis()))
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
    let mut up = Up::start(binary, "many", fill)?;
    let mut reached = std::collections::BTreeSet::new();
    while reached.len() < N_APPLICATIONS {
        let line =
            up.wait(|line| line.starts_with("app-") && line.ends_with(": Synced, Healthy"))?;
        reached.insert(line);
    }
    let elapsed = began.elapsed().as_secs_f64();
    Ok(format!("{elapsed:.1} s, {} MB", up.resident_megabytes()?))
}

/// Applications of three objects each, and a root that holds them.
fn fill(folder: &Path) -> Result<()> {
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
    for number in 0..N_APPLICATIONS {
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

fn creates(binary: &Path) -> Result<String> {
    let mut up = Up::start(binary, "creates", |_| Ok(()))?;
    up.wait(|line| line.starts_with("Kubernetes API:"))?;
    let (server, token) = up.api()?;
    let client = Client::new(&server, Some(&token))?;
    let filling = "x".repeat(OBJECT_BYTES);
    let began = Instant::now();
    for number in 0..N_CREATES {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("bench-{number}")}, "data": {"filling": filling}});
        let response = client.send(&Request {
            method: "POST".to_owned(),
            path: "/api/v1/namespaces/default/configmaps".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Some(object.to_string().into_bytes()),
        })?;
        let status = response.status();
        let answer = body(response)?;
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&answer));
        }
    }
    let per_second =
        u32::try_from(N_CREATES).map_or(0.0, f64::from) / began.elapsed().as_secs_f64();
    Ok(format!("{per_second:.0}/s"))
}

fn size(binary: &Path) -> Result<String> {
    Ok(format!("{} MB", fs::metadata(binary)?.len() >> 20))
}
