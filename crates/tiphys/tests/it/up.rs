//! `up`: the example from start to end, and what people do while it runs.

use crate::harness::{Kubectl, Repository, Up, tiphys};

const EXAMPLE: &str = "examples/guestbook";
const REPLICAS: [&str; 6] = [
    "get",
    "deployment",
    "web",
    "-n",
    "guestbook-dev",
    "-ojsonpath={.spec.replicas}",
];

/// Starts `up` on the example and waits until dev is up.
fn running(repository: &Repository) -> Up {
    let mut up = Up::start(repository.up(EXAMPLE, &[]));
    up.wait_line(|line| line == "guestbook-dev: Synced, Healthy");
    up
}

#[test]
fn the_example_is_reached_and_prod_waits_for_its_sync() {
    let repository = Repository::with_example();
    let up = Up::start(repository.up(EXAMPLE, &["--wait", "--timeout", "100s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(
        output.contains("https://git.example.com/tiphys.git is read from this folder"),
        "{output}"
    );
    assert!(
        output.contains("waits for its sync: tiphys app sync guestbook-prod"),
        "{output}"
    );
    assert!(
        output.contains("3 of 4 Applications are Synced and Healthy"),
        "{output}"
    );
    let place = |line: &str| {
        output
            .find(line)
            .unwrap_or_else(|| panic!("no {line:?} in {output}"))
    };
    assert!(place("guestbook-dev: Synced, Healthy") < place("guestbook-staging: Synced, Healthy"));
}

#[test]
fn a_broken_manifest_is_named_with_file_and_line() {
    let repository = Repository::with_example();
    repository.edit(
        "examples/guestbook/dev/web.yaml",
        "  replicas: 1",
        "  replicas: [1",
    );
    let up = Up::start(repository.up(EXAMPLE, &["--wait", "--timeout", "5s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("not Synced and Healthy within 5 s"),
        "{output}"
    );
    assert!(
        output.contains("examples/guestbook/dev/web.yaml:"),
        "{output}"
    );
}

#[test]
fn a_saved_file_goes_live_and_a_hand_edit_is_healed() {
    let repository = Repository::with_example();
    let mut up = running(&repository);
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    repository.edit(
        "examples/guestbook/dev/web.yaml",
        "  replicas: 1",
        "  replicas: 3",
    );
    let elapsed = kubectl.wait(&REPLICAS, "3");
    eprintln!("a saved edit was live after {elapsed:?}");
    kubectl
        .run(&[
            "scale",
            "deployment",
            "web",
            "-n",
            "guestbook-dev",
            "--replicas=7",
        ])
        .expect("kubectl writes to the sandbox");
    kubectl.wait(&REPLICAS, "3");
    up.interrupt();
    up.wait_line(|line| line.starts_with("stopped"));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
}

#[test]
fn a_file_that_is_deleted_takes_its_object_along() {
    let repository = Repository::with_example();
    let _up = running(&repository);
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let maps = [
        "get",
        "configmap",
        "guestbook",
        "-n",
        "guestbook-dev",
        "--ignore-not-found",
        "-oname",
    ];
    assert_eq!(kubectl.run(&maps).as_deref(), Ok("configmap/guestbook"));
    std::fs::remove_file(repository.path("examples/guestbook/dev/config.yaml")).expect("a file");
    kubectl.wait(&maps, "");
}

#[test]
fn a_crash_in_the_middle_of_a_sync_leaves_one_history_entry() {
    let repository = Repository::with_example();
    let mut up = Up::start(repository.up(EXAMPLE, &[]));
    up.wait_line(|line| line.starts_with("guestbook-dev: "));
    up.kill();
    let up = Up::start(repository.up(EXAMPLE, &["--wait", "--timeout", "100s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    let mut up = running(&repository);
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let history = [
        "get",
        "application",
        "guestbook-dev",
        "-n",
        "argocd",
        "-ojsonpath={.status.history[*].id}",
    ];
    assert_eq!(kubectl.run(&history).as_deref(), Ok("0"));
    up.interrupt();
    up.wait_line(|line| line.starts_with("stopped"));
}

#[test]
fn what_is_as_desired_is_left_alone_by_a_crash_and_a_restart() {
    let repository = Repository::with_example();
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let identities = |kubectl: &Kubectl| {
        let columns =
            "{.items[*]['metadata.uid','metadata.generation','metadata.resourceVersion']}";
        let output = format!("-ojsonpath={columns}");
        let kinds = "configmap,service,deployment,job";
        kubectl
            .run(&["get", kinds, "-n", "guestbook-dev", &output])
            .expect("they are there")
    };
    let mut up = Up::start(repository.up(EXAMPLE, &[]));
    up.wait_line(|line| line == "guestbook: Synced, Healthy");
    let before = identities(&kubectl);
    up.kill();
    let mut up = running(&repository);
    assert_eq!(identities(&kubectl), before);
    up.interrupt();
    up.wait_line(|line| line.starts_with("stopped"));
}

#[test]
fn a_folder_of_manifests_becomes_an_application() {
    let repository = Repository::empty();
    repository.write(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let up = Up::start(repository.up("", &["--wait", "--timeout", "60s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(
        output.contains("all manifests become one, repository"),
        "{output}"
    );
    assert!(
        output.contains("1 of 1 Applications are Synced and Healthy"),
        "{output}"
    );
}

#[test]
fn two_definitions_of_one_application_are_refused() {
    let repository = Repository::with_example();
    let root = std::fs::read_to_string(repository.path("examples/guestbook/root.yaml"));
    repository.write("copy/root.yaml", &root.expect("the example's root"));
    let (status, output) = Up::start(repository.up("", &[])).end();
    assert_eq!(status.code(), Some(2), "{output}");
    assert!(
        output.contains("Application guestbook is defined in copy/root.yaml:"),
        "{output}"
    );
    assert!(output.contains("--app FILE"), "{output}");
}

#[test]
fn a_reference_shows_what_is_committed_there_alone() {
    let repository = Repository::with_example();
    let file = "examples/guestbook/dev/web.yaml";
    repository.edit(file, "  replicas: 1", "  replicas: 2");
    repository.git(&["checkout", "--quiet", "-b", "release"]);
    repository.commit();
    repository.git(&["checkout", "--quiet", "trunk"]);
    repository.edit(file, "  replicas: 1", "  replicas: 5");
    let mut up = Up::start(repository.up(EXAMPLE, &["--ref", "release"]));
    up.wait_line(|line| line.ends_with("as committed at release"));
    up.wait_line(|line| line == "guestbook-dev: Synced, Healthy");
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    assert_eq!(kubectl.run(&REPLICAS).as_deref(), Ok("2"));
    repository.git(&["stash", "--quiet"]);
    repository.git(&["checkout", "--quiet", "release"]);
    repository.edit(file, "  replicas: 2", "  replicas: 4");
    repository.commit();
    let elapsed = kubectl.wait(&REPLICAS, "4");
    eprintln!("a commit was live after {elapsed:?}");
}

#[test]
fn a_reference_that_is_not_checked_out_is_told() {
    let repository = Repository::with_example();
    let root = "examples/guestbook/root.yaml";
    repository.edit(root, "targetRevision: HEAD", "targetRevision: main");
    let mut up = Up::start(repository.up(EXAMPLE, &[]));
    let note = "is read as committed at main, without your edits: trunk is checked out";
    up.wait_line(|line| line.ends_with(note));
    up.wait_line(|line| line.contains("unable to resolve 'main' to a commit SHA"));
}

#[test]
fn a_repository_elsewhere_is_deployed_by_its_url() {
    let repository = Repository::with_example();
    let url = format!("file://{}", repository.path("").display());
    let mut command = tiphys();
    command.args(["up", url.trim_end_matches('/'), "--data-dir"]);
    command.arg(repository.data());
    command.args(["--app", "examples/guestbook/root.yaml"]);
    command.args(["--wait", "--timeout", "100s"]);
    let (status, output) = Up::start(command).end();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains(", at HEAD"), "{output}");
    assert!(
        output.contains("3 of 4 Applications are Synced and Healthy"),
        "{output}"
    );
}

#[test]
fn a_repository_that_is_not_there_is_an_error_that_names_it() {
    let repository = Repository::empty();
    let mut command = tiphys();
    command.args(["up", "file:///nowhere/at-all.git", "--data-dir"]);
    command.arg(repository.data());
    let (status, output) = Up::start(command).end();
    assert_eq!(status.code(), Some(2), "{output}");
    assert!(output.contains("file:///nowhere/at-all.git"), "{output}");
}
