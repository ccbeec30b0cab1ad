//! Real helm and its own client, over TLS, with `testdata/chart`: hooks, a CRD and an object of its
//! kind, tests, waiting. Skipped loudly where helm is not installed, unless `CI=true`.

use std::path::Path;
use std::process::Command;

use sandbox::{Controllers, Options, Server};
use tokio::net::TcpListener;

use crate::programs::program;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/chart");
const OK: i32 = 0;
const FAILED: i32 = 1;

/// A sandbox with one node and a helm that has never run before.
struct Session {
    helm: std::path::PathBuf,
    kubectl: std::path::PathBuf,
    folder: tempfile::TempDir,
    server: Server,
}

/// What a command printed.
struct Printed {
    code: i32,
    out: String,
    err: String,
}

impl Session {
    async fn start() -> Option<Self> {
        let (helm, kubectl) = (program("helm")?, program("kubectl")?);
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::in_memory();
        options.controllers = Controllers::On { nodes: 1 };
        let server = Server::start(options).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        server.serve(listener).unwrap();
        std::fs::write(folder.path().join("config"), server.kubeconfig(address)).unwrap();
        Some(Session {
            helm,
            kubectl,
            folder,
            server,
        })
    }

    async fn run(&self, program: &Path, arguments: &str) -> Printed {
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.folder.path().join("config"))
            .env("HOME", self.folder.path())
            .env("TZ", "UTC");
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.folder.path().join(name));
        }
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        Printed {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `helm` and expects its exit code and a text in what it prints.
    async fn helm(&self, arguments: &str, code: i32, want: &str) {
        let arguments = arguments.replace("CHART", CHART);
        let printed = self.run(&self.helm, &arguments).await;
        let all = format!("{}{}", printed.out, printed.err);
        assert_eq!(printed.code, code, "helm {arguments}: {all}");
        assert!(all.contains(want), "helm {arguments}: {all}");
    }

    /// Runs `kubectl` and expects all that it prints.
    async fn kubectl(&self, arguments: &str, want: &str) {
        let printed = self.run(&self.kubectl, arguments).await;
        assert_eq!(printed.out.trim(), want, "{arguments}: {}", printed.err);
    }
}

const COLOR: &str = "get configmap shop -ojsonpath={.data.color}";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_lives_from_its_installation_to_its_end() {
    let Some(session) = Session::start().await else {
        return;
    };
    for (arguments, code, want) in [
        (
            "install shop CHART --wait --timeout 60s",
            OK,
            "The color is red.",
        ),
        ("list", OK, "shop-0.1.0"),
        ("status shop", OK, "==> v1/Deployment"),
        (
            "upgrade shop CHART --set color=blue --wait --timeout 60s",
            OK,
            "REVISION: 2",
        ),
        ("get values shop", OK, "color: blue"),
        ("get manifest shop", OK, "known: \"default\""),
        ("get hooks shop", OK, "name: shop-pre-delete"),
        ("test shop --timeout 60s", OK, "Phase:          Succeeded"),
        (
            "rollback shop 1 --wait --timeout 60s",
            OK,
            "Rollback was a success",
        ),
        ("history shop", OK, "Rollback to 1"),
    ] {
        session.helm(arguments, code, want).await;
    }
    session.kubectl(COLOR, "red").await;
    let ready = "get deployment shop -ojsonpath={.status.readyReplicas}";
    session.kubectl(ready, "2").await;
    // What the CRD defaults is there, and the chart's hooks have run as Jobs.
    session
        .kubectl(
            "get gadget shop -ojsonpath={.spec}",
            r#"{"color":"red","size":3}"#,
        )
        .await;
    let hooks = "get jobs -ojsonpath={.items[*].status.succeeded}";
    session.kubectl(hooks, "1 1").await;

    session
        .helm("uninstall shop --wait --timeout 60s", OK, "uninstalled")
        .await;
    session.helm("status shop", FAILED, "not found").await;
    session
        .kubectl("get deployment,gadget,configmap -lapp=shop -oname", "")
        .await;
    session.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_does_not_become_ready_is_rolled_back() {
    let Some(session) = Session::start().await else {
        return;
    };
    for (arguments, code, want) in [
        (
            "install shop CHART --wait --timeout 60s",
            OK,
            "STATUS: deployed",
        ),
        (
            "upgrade shop CHART --set broken=true --rollback-on-failure --timeout 3s",
            FAILED,
            "has been rolled back",
        ),
        ("history shop", OK, "Rollback to 1"),
        (
            "upgrade shop CHART --set failingHook=true --timeout 60s",
            FAILED,
            "pre-upgrade hooks failed",
        ),
        ("history shop --max 1", OK, "failed"),
    ] {
        session.helm(arguments, code, want).await;
    }
    let image = "get deployment shop -ojsonpath={.status.readyReplicas}";
    session.kubectl(image, "2").await;
    session.server.stop().await;
}

/// Helm 3 patched on the client's side and helm 4 can: three-way merges instead of applies.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_changes_between_client_side_and_server_side() {
    let Some(session) = Session::start().await else {
        return;
    };
    let managers = "get configmap shop -ojsonpath={.metadata.managedFields[*].operation} --show-managed-fields";
    for (side, operations) in [("false", "Update"), ("true", "Apply")] {
        let color = format!("color=side-{side}");
        let upgrade = format!(
            "upgrade --install shop CHART --set {color} --server-side={side} --wait --timeout 60s"
        );
        let forced = if side == "true" {
            " --force-conflicts"
        } else {
            ""
        };
        session
            .helm(&(upgrade + forced), OK, "STATUS: deployed")
            .await;
        session.kubectl(COLOR, &format!("side-{side}")).await;
        session.kubectl(managers, operations).await;
    }
    // Somebody else's field: refused without force, as on a cluster.
    let other = "apply --server-side --force-conflicts --field-manager=other -f other.yaml";
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {color: mine}}";
    std::fs::write(session.folder.path().join("other.yaml"), text).unwrap();
    session
        .kubectl(other, "configmap/shop serverside-applied")
        .await;
    let upgrade = "upgrade shop CHART --set color=new --timeout 60s";
    session
        .helm(upgrade, FAILED, "conflict with \"other\"")
        .await;
    let forced = format!("{upgrade} --force-conflicts");
    session.helm(&forced, OK, "The color is new.").await;
    session.kubectl(COLOR, "new").await;
    session.server.stop().await;
}
