//! Command lines of the real kubectl, as recorded against a real kube-apiserver.
//!
//! Owns the reading of `kubectl-sessions.json` and the running of its commands, each session in an
//! empty folder of its own; the README of the corpus is the specification.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use super::kubernetes_api::{Runner, SetupStep};
use super::placeholders::Bindings;
use super::target::Target;
use super::terminal::Terminal;
use super::{Arguments, Case, in_parallel};
use crate::install;

/// The file of a corpus that holds them.
pub(super) const FILE: &str = "kubectl-sessions.json";
const PART: &str = "F";
/// What kubectl was called when the sessions were recorded: the name of a program is the name of
/// its field manager.
const PROGRAM: &str = "kubectl-v35";
/// No recorded command takes as long.
const COMMAND_SECONDS: u64 = 90;
/// Between two looks at a running command.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
struct Session {
    name: String,
    #[serde(default)]
    setup: Vec<SetupStep>,
    #[serde(default)]
    teardown: Vec<SetupStep>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    commands: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    argv: Vec<String>,
    stdin: Option<String>,
    exit_code: i32,
    stdout: String,
    stderr: String,
    #[serde(default)]
    compare: BTreeMap<String, Comparison>,
}

/// How an output is compared when not exactly.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Comparison {
    None,
    /// As a set of lines.
    Lines,
}

/// What a command printed.
struct Printed {
    exit_code: i32,
    stdout: String,
    stderr: String,
}

/// Replays the sessions of a folder; none where kubectl is not installed, which is said.
///
/// # Errors
/// When the file cannot be read, or kubectl is absent in CI.
pub(super) fn replay(folder: &Path, arguments: &Arguments, target: &Target) -> Result<Vec<Case>> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path)?;
    let mut sessions: Vec<Session> = serde_json::from_str(&text)
        .with_context(|| format!("{} holds no sessions", path.display()))?;
    sessions.retain(|session| arguments.wants(&session.name));
    let kubectl = install::oracle_folder()?.join("kubectl");
    if sessions.is_empty() || !is_installed(&kubectl)? {
        return Ok(Vec::new());
    }
    let place = Place {
        kubectl,
        kubeconfig: target.kubeconfig(),
    };
    let run = |session: &Session| {
        let mut found = Vec::new();
        if let Err(error) = session.run(target, &place, &mut found) {
            found.push(format!("{error:#}"));
        }
        // What a failed session leaves behind is in a namespace of its own.
        drop(Runner::new(&target.client()?).setup(&session.teardown));
        Ok(Case {
            name: session.name.clone(),
            part: PART.to_owned(),
            differences: found,
        })
    };
    // A command that waits for a stated time says so in other words when the machine is busy.
    let (timed, others): (Vec<_>, Vec<_>) = sessions.into_iter().partition(Session::is_timed);
    let mut cases = in_parallel(&others, run)?;
    cases.extend(timed.iter().map(run).collect::<Result<Vec<_>>>()?);
    Ok(cases)
}

/// Whether kubectl is there; says so when it is not.
fn is_installed(kubectl: &Path) -> Result<bool> {
    if kubectl.is_file() {
        return Ok(true);
    }
    if install::in_ci() {
        bail!("kubectl is not installed in {}", kubectl.display());
    }
    println!(
        "skipped: kubectl sessions, as {} is absent (cargo xtask install-tools)",
        kubectl.display()
    );
    Ok(false)
}

/// What all sessions share.
struct Place {
    kubectl: PathBuf,
    kubeconfig: String,
}

impl Session {
    /// Whether a command has a time limit of its own.
    fn is_timed(&self) -> bool {
        let mut words = self.commands.iter().flat_map(|command| &command.argv);
        words.any(|word| word.starts_with("--timeout"))
    }

    fn run(&self, target: &Target, place: &Place, found: &mut Vec<String>) -> Result<()> {
        let client = target.client()?;
        Runner::new(&client).setup(&self.setup)?;
        let outside = TempDir::new()?;
        let kubeconfig = outside.path().join("kubeconfig");
        fs::write(&kubeconfig, &place.kubeconfig)?;
        let program = outside.path().join(PROGRAM);
        symlink(&place.kubectl, &program)?;
        let folder = TempDir::with_prefix("kcs-")?;
        self.write_files(folder.path())?;
        let here = folder.path().to_str().context("an odd temporary folder")?;
        let (terminal, mut bindings) = (Terminal::new()?, Bindings::new());
        for (number, recorded) in self.commands.iter().enumerate() {
            let mut command = Command::new(&program);
            command
                .args(&recorded.argv)
                .current_dir(here)
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", outside.path())
                .env("KUBECONFIG", &kubeconfig)
                .env("TMPDIR", here)
                .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8")])
                .env("KUBECTL_KUBERC", "false");
            for (name, value) in &self.env {
                command.env(name, value.replace("$PWD", here));
            }
            let printed = output(&mut command, recorded.stdin.as_deref())?;
            let mut even = |text: &str| terminal.normalize(&mut bindings, here, text);
            let printed = Printed {
                exit_code: printed.exit_code,
                stdout: even(&printed.stdout),
                stderr: even(&printed.stderr),
            };
            let label = format!(
                "command {} (kubectl {})",
                number + 1,
                recorded.argv.join(" ")
            );
            found.extend(
                recorded
                    .differences(&printed)
                    .into_iter()
                    .map(|difference| format!("{label} {difference}")),
            );
        }
        Ok(())
    }

    fn write_files(&self, folder: &Path) -> Result<()> {
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, text)?;
            if name.ends_with(".sh") {
                make_executable(&path)?;
            }
        }
        Ok(())
    }
}

/// An editor of a session is a script.
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o755),
    )?)
}

impl Recorded {
    fn differences(&self, printed: &Printed) -> Vec<String> {
        let mut found = Vec::new();
        if self.exit_code != printed.exit_code && !self.compare.contains_key("exit_code") {
            let (want, got) = (self.exit_code, printed.exit_code);
            found.push(format!("exit code: expected {want}, got {got}"));
        }
        for (name, want, got) in [
            ("stdout", &self.stdout, &printed.stdout),
            ("stderr", &self.stderr, &printed.stderr),
        ] {
            let is_equal = match self.compare.get(name) {
                Some(Comparison::None) => true,
                Some(Comparison::Lines) => sorted_lines(want) == sorted_lines(got),
                None => want == got,
            };
            if !is_equal {
                found.push(format!(
                    "{name}:\n--- expected\n{want}\n--- got\n{got}\n---"
                ));
            }
        }
        found
    }
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.sort_unstable();
    lines
}

/// Runs a command to its end, at most [`COMMAND_SECONDS`].
fn output(command: &mut Command, input: Option<&str>) -> Result<Printed> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start kubectl")?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = (thread::spawn(|| all(out)), thread::spawn(|| all(err)));
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not read its input closes it.
        drop(pipe.write_all(input.unwrap_or_default().as_bytes()));
    }
    let deadline = Instant::now() + Duration::from_secs(COMMAND_SECONDS);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            bail!("a command did not end within {COMMAND_SECONDS} s");
        }
        thread::sleep(PAUSE);
    };
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Printed {
        exit_code: status.code().unwrap_or(-1),
        stdout: text(out),
        stderr: text(err),
    })
}

fn all(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before the pipe broke is what was printed.
        drop(pipe.read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
