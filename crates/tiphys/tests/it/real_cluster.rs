//! The same example on a real API server, with real controllers and scheduler, where those are
//! installed: `shared/tools/kubernetes-install` builds them, `kubernetes-up` starts them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Kubectl, Repository, Up};

const EXAMPLE: &str = "examples/guestbook";

/// A cluster with two nodes, stopped with the test.
struct RealCluster {
    process: Up,
    kubeconfig: PathBuf,
    _state: TempDir,
}

impl RealCluster {
    /// Starts one; where it is not installed, says so and gives none.
    fn start() -> Option<Self> {
        let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        );
        let script = shared.join("tools/kubernetes-up");
        let programs = std::env::var_os("KUBERNETES_BIN")
            .map(PathBuf::from)
            .or_else(|| {
                Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/tiphys/kubernetes"))
            })?;
        // The one that is built last.
        if !script.is_file() || !programs.join("kwok").is_file() {
            eprintln!("skipped: no real Kubernetes is installed (shared/tools/kubernetes-install)");
            return None;
        }
        let state = TempDir::new().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let mut command = Command::new(script);
        command
            .arg(state.path())
            .arg(port.expect("a free port").port().to_string());
        command.env("NODES", "2");
        let mut process = Up::start(command);
        let kubeconfig = process
            .wait_line(|line| line.ends_with("/kubeconfig"))
            .into();
        Some(RealCluster {
            process,
            kubeconfig,
            _state: state,
        })
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        self.process.interrupt(); // its trap ends what it has started
        self.process.ended();
    }
}

#[test]
fn the_example_is_deployed_to_a_real_cluster() {
    let Some(cluster) = RealCluster::start() else {
        return;
    };
    let Some(kubectl) = Kubectl::find(cluster.kubeconfig.clone()) else {
        return;
    };
    let repository = Repository::with_example();
    let kubeconfig = cluster.kubeconfig.to_str().expect("a plain path");
    let run = |extra: &[&str]| {
        let mut arguments = vec!["--wait", "--timeout", "100s", "--kubeconfig", kubeconfig];
        arguments.extend(extra);
        Up::start(repository.up(EXAMPLE, &arguments)).end()
    };
    let (status, output) = run(&[]);
    assert_eq!(
        status.code(),
        Some(2),
        "there are no CRDs, and none were asked for: {output}"
    );
    assert!(output.contains("--crds"), "{output}");

    let (status, output) = run(&["--crds"]);
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(
        output.contains("3 of 4 Applications are Synced and Healthy"),
        "{output}"
    );
    let deployed = [
        "get",
        "deploy",
        "-A",
        "-ojsonpath={.items[*].metadata.namespace}",
    ];
    assert_eq!(
        kubectl.run(&deployed).as_deref(),
        Ok("guestbook-dev guestbook-staging")
    );

    // What is as desired is left alone by a second run.
    let versions = [
        "get",
        "configmap,service",
        "-n",
        "guestbook-dev",
        "-ojsonpath={.items[*].metadata.resourceVersion}",
    ];
    let before = kubectl.run(&versions);
    let (status, output) = run(&[]);
    assert_eq!(status.code(), Some(0), "{output}");
    assert_eq!(kubectl.run(&versions), before);
}
