//! Kustomizations: printed as the real kubectl prints them, the example of a homelab, and the second
//! repository of the mission.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Kubectl, Repository, Up, oracle, output, tiphys};

/// What the repository's Application names.
const HARVIS: &str = "https://github.com/brandoz2255/aidev.git";
const HARVIS_APP: &str = "k8s-manifests/argocd/harvis-application.yaml";
/// What of `kubectl get` tells a rollout: names, and how often their specs have changed.
const GENERATIONS: &str =
    "-ojsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}";
/// How long an edit may take to be live; far more than it needs on an idle machine.
const PATIENCE: Duration = Duration::from_secs(100);

/// Standard output, the last line of the error, and whether it worked.
fn outcome(command: &mut Command) -> (String, String, bool) {
    let output = output(command);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = errors.lines().last().unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text, last, output.status.success())
}

#[test]
fn a_kustomization_is_printed_as_kubectl_prints_it() {
    let Some(kubectl) = oracle("kubectl") else {
        return;
    };
    let check = |folder: &Path, flags: &[&str]| {
        let run = |command: &mut Command| outcome(command.arg(folder).args(flags));
        let want = run(Command::new(&kubectl).arg("kustomize"));
        let got = run(tiphys().arg("render"));
        assert_eq!(got, want, "{} {flags:?}", folder.display());
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/homelab");
    check(&example.join("overlays/prod"), &[]);
    let repository = Repository::empty();
    repository.write(
        "base/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    repository.write("free/kustomization.yaml", "resources: [../base/map.yaml]\n");
    repository.write(
        "bad/kustomization.yaml",
        "resources: [../nowhere]\nnamePrefix: x-\n",
    );
    check(&repository.path("free"), &[]);
    check(
        &repository.path("free"),
        &["--load-restrictor", "LoadRestrictionsNone"],
    );
    check(&repository.path("bad"), &[]);
    if let Some(harvis) = Repository::copy_of("harvis") {
        check(&harvis.path("k8s-manifests/overlays/prod"), &[]);
        check(&harvis.path("k8s-manifests"), &[]);
    }
}

#[test]
fn charts_in_a_kustomization_are_inflated_when_that_is_enabled() {
    let repository = Repository::empty();
    let kustomization = "helmCharts: [{name: c, releaseName: r, valuesInline: {k: v}}]\n";
    repository.write("kustomization.yaml", kustomization);
    repository.write(
        "charts/c/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    );
    repository.write("charts/c/values.yaml", "k: w\n");
    repository.write(
        "charts/c/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  k: {{ .Values.k }}\n",
    );
    let render =
        |flags: &[&str]| outcome(tiphys().arg("render").arg(repository.path("")).args(flags));
    let text = "apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  name: r\n";
    assert_eq!(
        render(&["--enable-helm"]),
        (text.to_owned(), String::new(), true)
    );
    let (_, problem, works) = render(&[]);
    assert!(
        !works && problem.ends_with("must specify --enable-helm"),
        "{problem}"
    );
}

/// The deployments of a namespace with their generations.
fn generations(kubectl: &Kubectl, namespace: &str) -> BTreeSet<String> {
    let arguments = ["get", "deployments", "-n", namespace, GENERATIONS];
    let text = kubectl.run(&arguments).expect("kubectl reads the sandbox");
    text.split_whitespace().map(str::to_owned).collect()
}

/// Waits until `image` runs, and gives the deployments that have changed since `before`.
fn rolled(
    kubectl: &Kubectl,
    namespace: &str,
    image: &str,
    before: &BTreeSet<String>,
) -> Vec<String> {
    let images = "-ojsonpath={.items[*].spec.template.spec.containers[*].image}";
    let began = Instant::now();
    while !kubectl
        .run(&["get", "deployments", "-n", namespace, images])
        .is_ok_and(|images| images.split_whitespace().any(|it| it == image))
    {
        assert!(began.elapsed() < PATIENCE, "{image} is not live");
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = generations(kubectl, namespace);
    let name = |it: &String| it.split('=').next().unwrap_or_default().to_owned();
    after.difference(before).map(name).collect()
}

#[test]
fn the_homelab_comes_up_and_a_new_tag_rolls_one_workload() {
    let repository = Repository::of_example("homelab");
    let mut up = Up::start(repository.up("examples/homelab", &[]));
    up.wait_line(|line| line.contains("homelab: Synced, Healthy"));
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let before = generations(&kubectl, "homelab");
    assert_eq!(before.len(), 3, "{before:?}");
    repository.edit(
        "examples/homelab/overlays/prod/kustomization.yaml",
        "newTag: \"4.2\"",
        "newTag: \"4.3\"",
    );
    assert_eq!(
        rolled(&kubectl, "homelab", "media:4.3", &before),
        ["prod-media"]
    );
}

/// The overlay's own patches have the last word about its images, so a new tag is given there too.
#[test]
fn the_second_mission_repository_is_synced_and_a_new_tag_rolls_one_workload() {
    let Some(repository) = Repository::copy_of("harvis") else {
        return;
    };
    let app = repository.path(HARVIS_APP).display().to_string();
    let map = format!("{HARVIS}={}", repository.path("").display());
    let mut up = Up::start(repository.up("", &["--app", &app, "--map", &map]));
    up.wait_line(|line| line.starts_with("harvis-ai: Synced, "));
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let before = generations(&kubectl, "ai-agents");
    assert!(before.len() >= 3, "{before:?}");
    let label = "-ojsonpath={.items[*].metadata.labels.environment}";
    let labels = kubectl.run(&["get", "services", "-n", "ai-agents", label]);
    assert!(labels.is_ok_and(|it| it.contains("production")));
    let overlay = "k8s-manifests/overlays/prod/kustomization.yaml";
    let (old, new) = (
        "dulc3/jarvis-frontend:test22",
        "dulc3/jarvis-frontend:test23",
    );
    repository.edit(overlay, old, new);
    assert_eq!(
        rolled(&kubectl, "ai-agents", new, &before),
        ["harvis-ai-frontend"]
    );
}

#[test]
fn a_bare_overlay_becomes_an_application() {
    let repository = Repository::empty();
    repository.write(
        "base/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    repository.write("base/kustomization.yaml", "resources: [map.yaml]\n");
    repository.write(
        "prod/kustomization.yaml",
        "resources: [../base]\nnamePrefix: p-\n",
    );
    repository.git(&["init", "--quiet", "--initial-branch", "trunk"]);
    repository.commit();
    let up = Up::start(repository.up("prod", &["--wait", "--timeout", "100s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("prod: Synced, Healthy"), "{output}");
}
