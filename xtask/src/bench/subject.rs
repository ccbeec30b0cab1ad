//! Servers that are measured: the sandbox, and the real kube-apiserver with its etcd.
//!
//! Each is started as a process of its own and ended when its value is dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Scratch;
use super::wire::Api;
use crate::workspace;

/// The port of the real server; etcd takes the two above.
const REAL_PORT: u16 = 18_443;
/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it may take to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// Where the sandbox keeps its objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Memory,
    Disk,
}

/// A running server.
pub(crate) struct Subject {
    child: Child,
    kubeconfig: PathBuf,
    _folder: Scratch,
}

impl Subject {
    /// The sandbox without controllers, as a bare kube-apiserver.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn sandbox(binary: &Path, storage: Storage) -> Result<Self> {
        let folder = Scratch::new("sandbox")?;
        let kubeconfig = folder.0.join("kubeconfig");
        let mut command = Command::new(binary);
        command
            .args(["sandbox", "--listen", "127.0.0.1:0", "--controllers", "off"])
            .arg("--kubeconfig-out")
            .arg(&kubeconfig);
        if storage == Storage::Disk {
            command.arg("--data-dir").arg(folder.0.join("data"));
        }
        let child = ready(&mut command, |line| line.starts_with("Kubernetes API:"))?;
        Ok(Subject {
            child,
            kubeconfig,
            _folder: folder,
        })
    }

    /// kube-apiserver and etcd; `None` where they are not installed.
    ///
    /// # Errors
    /// When they are installed and do not become ready.
    pub(crate) fn real() -> Result<Option<Self>> {
        let script = shared().join("tools/kubernetes-up");
        if !script.is_file() || !programs().is_some_and(|it| it.join("kube-apiserver").is_file()) {
            return Ok(None);
        }
        let folder = Scratch::new("real")?;
        let state = folder.0.join("state");
        let mut command = Command::new("bash");
        command.arg(script).arg(&state).arg(REAL_PORT.to_string());
        let child = ready(&mut command, |line| line.ends_with("/kubeconfig"))?;
        Ok(Some(Subject {
            child,
            kubeconfig: state.join("kubeconfig"),
            _folder: folder,
        }))
    }

    /// A client of it.
    ///
    /// # Errors
    /// When its kubeconfig lacks something.
    pub(crate) fn api(&self) -> Result<Api> {
        let (server, token) = access(&self.kubeconfig)?;
        Api::new(&server, &token)
    }

    /// Its resident memory in kilobytes.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn resident_kilobytes(&self) -> Result<u64> {
        resident_kilobytes(self.child.id())
    }

    /// The user and system time that it has taken, with that of the programs it has started.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut sum = processor_time(&self.child.id().to_string())?;
        for child in children(self.child.id())? {
            // A program that has just ended counts no more.
            sum += processor_time(&child).unwrap_or_default();
        }
        Ok(sum)
    }
}

impl Drop for Subject {
    /// Asks it to stop, so that the real server can end its etcd; kills it when it does not.
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        drop(Command::new("kill").arg(id).status());
        let deadline = Instant::now() + FAREWELL;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The processes that a process has started and that still run.
fn children(process: u32) -> Result<Vec<String>> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    Ok(children.split_whitespace().map(str::to_owned).collect())
}

/// The user and system time of a process (its id, or `self`), as the system counts it: in hundredths
/// of a second.
///
/// # Errors
/// When it has ended.
pub(crate) fn processor_time(process: &str) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold anything; what follows are the fields from the third on.
    let (_, fields) = stat.rsplit_once(')').context("a process without a name")?;
    let ticks = |at: usize| -> Option<u64> { fields.split_whitespace().nth(at)?.parse().ok() };
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .context("a process without times")?;
    Ok(Duration::from_millis((user + system) * 10))
}

fn shared() -> PathBuf {
    std::env::var_os("TIPHYS_SHARED")
        .map_or_else(|| workspace::root().join("../shared"), PathBuf::from)
}

/// Where the real programs are: `$KUBERNETES_BIN`, else the user's cache.
fn programs() -> Option<PathBuf> {
    std::env::var_os("KUBERNETES_BIN")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cache/tiphys/kubernetes"))
        })
}

/// Starts a program and waits for the line that says that it is ready.
fn ready(command: &mut Command, is_ready: impl Fn(&str) -> bool) -> Result<Child> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().context("stdout is piped")?;
    let deadline = Instant::now() + PATIENCE;
    for line in BufReader::new(out).lines() {
        if is_ready(&line?) {
            return Ok(child);
        }
        if Instant::now() > deadline {
            break;
        }
    }
    drop(child.kill());
    drop(child.wait());
    bail!("{:?} did not become ready", command.get_program())
}

/// Address and token of a kubeconfig.
///
/// # Errors
/// When it lacks one of them.
pub(crate) fn access(kubeconfig: &Path) -> Result<(String, String)> {
    let config = yaml::parse_str(&fs::read_to_string(kubeconfig)?)?;
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

/// The resident memory of a process.
///
/// # Errors
/// When it has ended.
pub(crate) fn resident_kilobytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmRSS")?;
    Ok(kilobytes.parse()?)
}
