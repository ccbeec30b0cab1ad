//! The first repository of the mission, unchanged: an app-of-apps over an umbrella chart with four
//! subcharts and a vendored database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Kubectl, Repository, Up, tiphys};

const URL: &str = "https://github.com/giridharan-official/ai-chatbot-infra.git";
const ROOT: &str = "gitops/app-of-apps/argocd-root-app.yaml";

/// The repository, committed; `None` where the shared folder is absent.
fn repository() -> Option<Repository> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora/seed-repos/ai-chatbot-infra");
    if !folder.is_dir() {
        let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_ci, "CI must have the shared folder");
        eprintln!("SKIPPED: {} is not here", folder.display());
        return None;
    }
    Some(Repository::copy_of(&folder))
}

/// The arguments of `up` for its root Application.
fn arguments(repository: &Repository) -> Vec<String> {
    let app = repository.path(ROOT).display().to_string();
    let map = format!("{URL}={}", repository.path("").display());
    ["--app", &app, "--map", &map].map(str::to_owned).to_vec()
}

fn start(repository: &Repository, more: &[&str]) -> Up {
    let own = arguments(repository);
    let all: Vec<&str> = own
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    Up::start(repository.up("", &all))
}

#[test]
fn dev_and_staging_come_up_in_order_and_prod_waits_for_its_sync() {
    let Some(repository) = repository() else {
        return;
    };
    let up = start(&repository, &["--wait", "--timeout", "110s"]);
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    let place = |line: &str| {
        let found = output.find(line);
        found.unwrap_or_else(|| panic!("no {line:?} in {output}"))
    };
    let dev = place("ai-chatbot-dev: Synced, Healthy");
    assert!(dev < place("ai-chatbot-staging: Synced, Healthy"));
    place("waits for its sync: tiphys app sync ai-chatbot-prod");
}

#[test]
fn an_edit_of_the_values_of_dev_changes_dev_only() {
    let Some(repository) = repository() else {
        return;
    };
    let mut up = start(&repository, &[]);
    up.wait_line(|line| line == "ai-chatbot-staging: Synced, Healthy");
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let generations = |namespace: &str| {
        let path = "-ojsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}";
        let arguments = ["get", "deployments", "-n", namespace, path];
        kubectl.run(&arguments).expect("kubectl reads the sandbox")
    };
    let staging = generations("staging");
    assert!(staging.contains("backend"), "{staging}");
    repository.edit(
        "gitops/dev/values.yaml",
        "backend:\n  enabled: true\n",
        "backend:\n  enabled: true\n  podAnnotations: {edited: yes}\n",
    );
    repository.edit(
        "gitops/dev/values.yaml",
        "  containerPort: 8000",
        "  containerPort: 8123",
    );
    let port = "-ojsonpath={.items[*].spec.template.spec.containers[*].ports[*].containerPort}";
    let began = std::time::Instant::now();
    while !kubectl
        .run(&["get", "deployments", "-n", "dev", port])
        .is_ok_and(|ports| ports.contains("8123"))
    {
        assert!(
            began.elapsed() < Duration::from_secs(100),
            "the edit is not live"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(generations("staging"), staging);
}

/// The real helm, where `cargo xtask install-tools` puts it.
fn helm() -> Option<PathBuf> {
    let folder = match std::env::var_os("TIPHYS_ORACLE") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&std::env::var_os("HOME")?).join(".cache/tiphys/oracle"),
    };
    let program = folder.join("helm");
    if program.is_file() {
        return Some(program);
    }
    let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
    assert!(!is_ci, "CI must install helm");
    eprintln!("SKIPPED: helm is not installed (cargo xtask install-tools)");
    None
}

#[test]
fn a_chart_is_printed_as_helm_prints_it() {
    let Some(helm) = helm() else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/chatbot");
    let chart = example.join("chart");
    let prod = example.join("values/prod.yaml").display().to_string();
    let check = |flags: &[&str], name: &str| {
        let run = |command: &mut std::process::Command| {
            let output = command.arg(&chart).args(flags).output().expect("it runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.success(), text)
        };
        let want = run(std::process::Command::new(&helm).args(["template", name]));
        let got = run(tiphys().args(["render", "--name", name]));
        assert_eq!(got, want, "{flags:?}");
    };
    check(&[], "release-name");
    check(&["-f", &prod], "chatbot");
    check(
        &[
            "-f",
            &prod,
            "--set",
            "api.autoscaling.most=5,web.replicas=2",
        ],
        "x",
    );
    check(&["--set-string", "global.revision=1", "--no-hooks"], "x");
    check(&["--set", "global.environment=moon"], "x");
    check(&["--show-only", "templates/settings.yaml"], "x");
}
