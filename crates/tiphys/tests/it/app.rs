//! `tiphys app …` against a running `up`: the verbs of `argocd app`, one after the other.

use std::path::Path;
use std::process::Output;

use crate::harness::{Repository, Up, output, tiphys};

/// Runs a verb against a running `up`; gives its exit code and what it printed.
fn app(repository: &Repository, arguments: &[&str]) -> (i32, String) {
    let kubeconfig = repository.data().join("kubeconfig");
    let output = run(&kubeconfig, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it ends by itself"), text)
}

fn run(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = tiphys();
    command.arg("app").args(arguments);
    command.arg("--kubeconfig").arg(kubeconfig);
    output(&mut command)
}

fn check(repository: &Repository, arguments: &[&str], code: i32, parts: &[&str]) {
    let (got, text) = app(repository, arguments);
    assert_eq!(got, code, "{arguments:?}: {text}");
    let words: String = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    for part in parts {
        assert!(
            words.contains(part),
            "{arguments:?}: no {part:?} in:\n{text}"
        );
    }
}

#[test]
fn the_verbs_show_sync_roll_back_and_delete() {
    let repository = Repository::with_example();
    let mut up = Up::start(repository.up("examples/guestbook", &[]));
    up.wait_line(|line| line == "guestbook-staging: Synced, Healthy");
    up.wait_line(|line| line.starts_with("guestbook-prod: OutOfSync"));

    let names = "argocd/guestbook\nargocd/guestbook-dev\nargocd/guestbook-prod\n";
    check(&repository, &["list", "-o", "name"], 0, &[names]);
    let rows = [
        "apps Deployment guestbook-dev web Synced Healthy",
        "Service guestbook-dev web Synced Healthy",
        "ConfigMap guestbook-dev guestbook Synced",
    ];
    check(&repository, &["get", "guestbook-dev"], 0, &rows);
    let missing = "apps Deployment guestbook-prod web OutOfSync Missing";
    check(&repository, &["get", "guestbook-prod"], 0, &[missing]);
    let differs = "===== apps/Deployment guestbook-prod/web ======";
    check(&repository, &["diff", "guestbook-prod"], 1, &[differs]);

    let done = ["Phase: Succeeded", "Health Status: Healthy"];
    check(&repository, &["sync", "guestbook-prod"], 0, &done[..1]);
    check(&repository, &["wait", "guestbook-prod"], 0, &done);
    check(&repository, &["diff", "guestbook-prod"], 0, &[]);
    let file = "examples/guestbook/prod/web.yaml";
    repository.edit(file, "  replicas: 3", "  replicas: 2");
    let refreshed = ["get", "guestbook-prod", "--refresh"];
    check(&repository, &refreshed, 0, &["Sync Status: OutOfSync"]);
    check(&repository, &["sync", "guestbook-prod"], 0, &done[..1]);
    check(
        &repository,
        &["history", "guestbook-prod", "-o", "id"],
        0,
        &["0\n1\n"],
    );
    check(
        &repository,
        &["rollback", "guestbook-prod", "0"],
        0,
        &done[..1],
    );
    check(
        &repository,
        &["history", "guestbook-prod", "-o", "id"],
        0,
        &["0\n1\n2\n"],
    );
    let automated = "rollback cannot be initiated when auto-sync is enabled";
    check(
        &repository,
        &["rollback", "guestbook-dev"],
        20,
        &[automated],
    );

    let delete = ["delete", "guestbook-prod", "--yes", "--wait"];
    check(
        &repository,
        &delete,
        0,
        &["application 'guestbook-prod' deleted"],
    );
    check(&repository, &["get", "nothing"], 20, &["nothing"]);
}
