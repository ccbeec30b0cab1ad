//! Real kubectl over TLS. Skipped loudly where it is not installed, unless `CI=true`.

use std::path::PathBuf;
use std::process::Output;

use sandbox::{Controllers, Options, Server};
use tokio::net::TcpListener;

use crate::programs::program;

struct Session {
    kubectl: PathBuf,
    dir: tempfile::TempDir,
    server: Server,
}

impl Session {
    async fn start(controllers: Controllers) -> Option<Self> {
        let kubectl = program("kubectl")?;
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            controllers,
            ..Options::in_memory()
        };
        let server = Server::start(options).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        server.serve(listener).unwrap();
        std::fs::write(dir.path().join("config"), server.kubeconfig(address)).unwrap();
        Some(Session {
            kubectl,
            dir,
            server,
        })
    }

    async fn run(&self, arguments: &str, file: &str) -> Output {
        std::fs::write(self.dir.path().join("in.yaml"), file).unwrap();
        let mut command = std::process::Command::new(&self.kubectl);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.dir.path())
            .env("KUBECONFIG", self.dir.path().join("config"))
            .env("HOME", self.dir.path());
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap()
    }

    /// Runs a command that succeeds and prints a text.
    async fn check(&self, arguments: &str, file: &str, want: &str) {
        let output = self.run(arguments, file).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let problems = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {problems}");
        assert!(text.contains(want), "{arguments}: {text}{problems}");
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'a:1'}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads_and_changes_objects() {
    let Some(session) = Session::start(Controllers::Off).await else {
        return;
    };
    let changed = DEPLOYMENT.replace("a:1", "a:2");
    for (arguments, file, want) in [
        ("get namespaces", "", "kube-system"),
        ("api-resources", "", "deployments"),
        (
            "apply -f in.yaml",
            DEPLOYMENT,
            "deployment.apps/web created",
        ),
        ("apply -f in.yaml", DEPLOYMENT, "unchanged"),
        ("apply -f in.yaml", &changed, "configured"),
        ("get deployment web", "", "0/1"),
        (
            "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}",
            "",
            "a:2",
        ),
        (
            "apply --server-side --force-conflicts -f in.yaml",
            DEPLOYMENT,
            "serverside-applied",
        ),
        (
            "patch deploy web -p {\"spec\":{\"replicas\":2}}",
            "",
            "patched",
        ),
        ("scale deploy web --replicas=3", "", "scaled"),
        ("describe deploy web", "", "3 desired"),
        ("label deploy web a=b", "", "labeled"),
        (
            "wait --for=jsonpath={.spec.replicas}=3 deploy/web --timeout=5s",
            "",
            "condition met",
        ),
        ("explain deployment.spec.replicas", "", "replicas <integer>"),
        ("create namespace extra", "", "namespace/extra created"),
        (
            "create configmap made --from-literal=x=y",
            "",
            "configmap/made created",
        ),
        (
            "create secret generic made --from-literal=x=y",
            "",
            "secret/made created",
        ),
        ("get secret made -o jsonpath={.data.x}", "", "eQ=="),
        (
            "create deployment other --image=a:1 --replicas=2",
            "",
            "deployment.apps/other created",
        ),
        (
            "get deploy other -o jsonpath={.spec.template.spec.containers[0].name}",
            "",
            "a",
        ),
        ("auth can-i create pods", "", "yes"),
        ("delete deploy web", "", "deleted"),
    ] {
        session.check(arguments, file, want).await;
    }
    let missing = session.run("get deploy web", "").await;
    let problems = String::from_utf8_lossy(&missing.stderr);
    assert!(problems.contains("(NotFound)"), "{problems}");
    session.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_token_is_refused() {
    let Some(session) = Session::start(Controllers::Off).await else {
        return;
    };
    let output = session.run("get ns --token=wrong", "").await;
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        problems.contains("Unauthorized") || problems.contains("logged in"),
        "{problems}"
    );
}

const TALKING: &str = "
apiVersion: v1
kind: Pod
metadata: {name: talks}
spec:
  restartPolicy: Never
  initContainers: [{name: first, image: 'a:1', command: [echo, ready]}]
  containers:
  - {name: c, image: 'a:1', command: [sh, -c, 'echo one; sleep 0.5; echo two']}
  - {name: quiet, image: 'a:1', command: ['true']}
";

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_follows_logs_and_is_told_what_it_cannot_have() {
    let Some(session) = Session::start(Controllers::On { nodes: 1 }).await else {
        return;
    };
    for (arguments, file, want) in [
        (
            "wait --for=create serviceaccount/default",
            "",
            "condition met",
        ),
        ("apply -f in.yaml", TALKING, "created"),
        (
            "wait --for=condition=Initialized pod/talks",
            "",
            "condition met",
        ),
        ("logs -f talks -c c", "", "one\ntwo\n"),
        (
            "logs talks --all-containers --prefix",
            "",
            "[pod/talks/first] ready\n",
        ),
        ("logs talks -c c --tail=1", "", "two\n"),
    ] {
        session.check(arguments, file, want).await;
    }
    for (arguments, want) in [
        (
            "logs talks -c nobody",
            "error: container nobody is not valid for pod talks",
        ),
        (
            "logs talks -c c -p",
            "Error from server (BadRequest): previous terminated container \"c\" in pod \"talks\" \
             not found",
        ),
    ] {
        let refused = session.run(arguments, "").await;
        let problems = String::from_utf8_lossy(&refused.stderr);
        assert!(problems.contains(want), "{arguments}: {problems}");
    }
    session.server.stop().await;
}
