//! Verbs that need no cluster, and mistakes on the command line.

use std::process::Output;

use crate::harness::{Repository, output, tiphys};

fn run(arguments: &[&str]) -> Output {
    output(tiphys().args(arguments).env_remove("KUBECONFIG"))
}

fn check(arguments: &[&str], code: i32, part: &str) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(part), "{arguments:?}: {text}");
}

#[test]
fn a_mistake_has_the_exit_code_of_its_verbs() {
    check(&["up", "--nonsense"], 2, "unexpected argument '--nonsense'");
    check(&["up", "/no/such/folder"], 2, "cannot read /no/such/folder");
    check(&["up", "ext::sh://host"], 2, "ext::sh://host");
    check(
        &["app", "list", "--nonsense"],
        1,
        "unexpected argument '--nonsense'",
    );
    check(
        &["app", "get", "x", "--kubeconfig", "/no/such/file"],
        20,
        "/no/such/file",
    );
    check(&["app", "sync"], 1, "required");
    check(&["nonsense"], 2, "unrecognized subcommand");
    check(&["--help"], 0, "up");
}

#[test]
fn the_crds_are_printed_as_one_stream() {
    let output = run(&["install", "--crds"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.matches("kind: CustomResourceDefinition").count(), 3);
    assert_eq!(text.matches("\n---\n").count(), 2);
}

#[test]
fn completion_knows_the_verbs() {
    let output = run(&["completion", "bash"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.contains("rollback") && text.contains("--kubeconfig-out"),
        "{text}"
    );
}

#[test]
fn render_prints_what_an_application_stands_for() {
    let repository = Repository::with_example();
    let state = repository.data();
    let render = |path: &str, more: &[&str]| {
        let mut command = tiphys();
        command
            .arg("render")
            .arg(repository.path(path))
            .args(more)
            .env("XDG_STATE_HOME", &state);
        output(&mut command)
    };
    let output = render("examples/guestbook/apps/dev.yaml", &[]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "kind: ConfigMap",
        "kind: Deployment",
        "kind: Service",
        "kind: Job",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let by_name = render("examples/guestbook", &["--name", "guestbook-dev"]);
    assert_eq!(String::from_utf8(by_name.stdout).expect("UTF-8"), text);
    let folder = render("examples/guestbook/dev", &[]);
    assert_eq!(String::from_utf8(folder.stdout).expect("UTF-8"), text);
}
