//! A real kube-apiserver for tests, where one is installed.
//!
//! `kubernetes-install` of the shared tools builds the programs and `kubernetes-up` starts them; it
//! must never be anything but what the corpora were recorded from.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::workspace;

/// The administrator's token, as the script sets it.
pub(super) const TOKEN: &str = "admin-token";

/// A server of its own, stopped with the value.
pub(super) struct Server {
    process: Child,
    port: u16,
    _state: TempDir,
}

/// Whether a real kube-controller-manager runs beside the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Controllers {
    None,
    Running,
}

impl Server {
    /// Starts one; where it is not installed, says so and gives none.
    pub(super) fn start(controllers: Controllers) -> Option<Self> {
        let shared = std::env::var_os("TIPHYS_SHARED")
            .map_or_else(|| workspace::root().join("../shared"), PathBuf::from);
        let script = shared.join("tools/kubernetes-up");
        let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache/tiphys/kubernetes"));
        let programs = std::env::var_os("KUBERNETES_BIN")
            .map(PathBuf::from)
            .or_else(home)?;
        if !script.is_file() || !programs.join("kube-apiserver").is_file() {
            super::tests::say(
                "skipped: no real kube-apiserver (shared/tools/kubernetes-install)\n",
            );
            return None;
        }
        let state = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new(script);
        if controllers == Controllers::Running {
            command.env("CONTROLLERS", "1");
        }
        let mut process = command
            .arg(state.path())
            .arg(port.to_string())
            .env("KUBERNETES_BIN", as_recorded(&programs, state.path()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the script starts");
        let output = process.stdout.take().expect("is piped");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the script prints when the server is ready");
        assert!(line.trim_end().ends_with("/kubeconfig"), "{line}");
        Some(Server {
            process,
            port,
            _state: state,
        })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its trap ends what it has started.
        let id = self.process.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        drop(self.process.wait());
    }
}

/// The script takes five ports from its first one; those of this range are rarely given out.
fn free_port() -> u16 {
    let is_free = |port: &u16| {
        let mut all = *port..*port + 5;
        all.all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    };
    (21_000..30_000)
        .step_by(10)
        .find(is_free)
        .expect("five free ports")
}

/// The programs with the flag that the script lacks: the corpora were recorded without anonymous
/// access.
fn as_recorded(programs: &Path, state: &Path) -> PathBuf {
    let folder = state.join("programs");
    fs::create_dir_all(&folder).expect("a folder in a temporary one");
    for name in ["etcd", "kube-controller-manager"] {
        symlink(programs.join(name), folder.join(name)).expect("a new link");
    }
    let wrapper = folder.join("kube-apiserver");
    let text = format!(
        "#!/bin/sh\nexec '{}' --anonymous-auth=false \"$@\"\n",
        programs.join("kube-apiserver").display()
    );
    fs::write(&wrapper, text).expect("a new file");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("a new file");
    folder
}
