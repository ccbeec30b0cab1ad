//! The first repository of the mission, unchanged: an app-of-apps over an umbrella chart with four
//! subcharts and a vendored database.

use crate::harness::{Kubectl, Repository, Up, output, tiphys};

const URL: &str = "https://github.com/giridharan-official/ai-chatbot-infra.git";
const ROOT: &str = "gitops/app-of-apps/argocd-root-app.yaml";

fn repository() -> Option<Repository> {
    Repository::copy_of("ai-chatbot-infra")
}

/// `up` of its root Application.
fn start(repository: &Repository, more: &[&str]) -> Up {
    let app = repository.path(ROOT).display().to_string();
    let map = format!("{URL}={}", repository.path("").display());
    let own = ["--app", &app, "--map", &map];
    Up::start(repository.up("", &[&own, more].concat()))
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
fn an_edit_of_the_values_of_dev_changes_dev_only_and_prod_is_synced_by_hand() {
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
        "  containerPort: 8000",
        "  containerPort: 8123",
    );
    let backend = ["get", "deployment", "ai-chatbot-dev-backend", "-n", "dev"];
    let port = "-ojsonpath={.spec.template.spec.containers[0].ports[0].containerPort}";
    kubectl.wait(&[&backend[..], &[port]].concat(), "8123");
    assert_eq!(generations("staging"), staging);

    assert_eq!(generations("prod"), "");
    let mut sync = tiphys();
    sync.args(["app", "sync", "ai-chatbot-prod", "--kubeconfig"])
        .arg(repository.data().join("kubeconfig"));
    let sync = output(&mut sync);
    assert!(sync.status.success(), "{sync:?}");
    up.wait_line(|line| line == "ai-chatbot-prod: Synced, Healthy");
}
