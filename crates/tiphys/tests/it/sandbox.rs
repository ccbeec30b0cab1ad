//! `tiphys sandbox` from outside: its flags, its end, and real kubectl against it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::{Kubectl, Up, output, tiphys};

/// A sandbox with a kubeconfig in `dir`, when it is ready; and the address that it printed.
fn start(dir: &Path, arguments: &[&str]) -> (Up, String) {
    let mut command = tiphys();
    command
        .args(["sandbox", "--listen", "127.0.0.1:0", "--kubeconfig-out"])
        .arg(dir.join("kubeconfig"))
        .args(arguments)
        .current_dir(dir);
    let mut sandbox = Up::start(command);
    let line = sandbox.wait_line(|line| line.starts_with("Kubernetes API: "));
    let address = line
        .split_whitespace()
        .nth(2)
        .unwrap_or_default()
        .to_owned();
    (sandbox, address)
}

fn stop(mut sandbox: Up) {
    sandbox.interrupt();
    sandbox.wait_line(|line| line == "stopped");
    let (status, output) = sandbox.end();
    assert_eq!(status.code(), Some(0), "{output}");
}

#[test]
fn kubectl_uses_it_as_a_cluster_and_objects_outlive_it() {
    let dir = TempDir::new().expect("a folder");
    let flags = ["--data-dir", "data", "--token", "let-me-in", "--nodes", "3"];
    let (sandbox, address) = start(dir.path(), &flags);
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
    let Some(kubectl) = Kubectl::find(dir.path().join("kubeconfig")) else {
        return;
    };
    let run = |arguments: &[&str]| kubectl.run(arguments).expect("kubectl works");
    let nodes = ["get", "nodes", "-o", "name"];
    kubectl.wait(&nodes, "node/node-1\nnode/node-2\nnode/node-3");
    run(&["create", "deployment", "web", "--image=example/web"]);
    let ready = [
        "get",
        "deployment",
        "web",
        "-o",
        "jsonpath={.status.readyReplicas}",
    ];
    kubectl.wait(&ready, "1");
    assert!(run(&["auth", "whoami"]).contains("admin"));
    stop(sandbox);
    let (sandbox, _) = start(dir.path(), &flags);
    run(&["get", "deployment", "web"]);
    stop(sandbox);
}

#[test]
fn roles_decide_where_they_are_turned_on_and_the_log_tells_it() {
    let dir = TempDir::new().expect("a folder");
    let flags = [
        "--controllers",
        "off",
        "--rbac",
        "on",
        "--audit-log",
        "audit.log",
    ];
    let (sandbox, _) = start(dir.path(), &flags);
    let Some(kubectl) = Kubectl::find(dir.path().join("kubeconfig")) else {
        return;
    };
    let as_jane = ["get", "secrets", "--as", "jane"];
    let refused = kubectl.run(&as_jane).expect_err("jane has no role");
    assert!(
        refused.contains("cannot list resource \"secrets\""),
        "{refused}"
    );
    let grant = [
        "create",
        "clusterrolebinding",
        "jane",
        "--clusterrole=cluster-admin",
        "--user=jane",
    ];
    kubectl.run(&grant).expect("the administrator may");
    kubectl.run(&as_jane).expect("jane may now");
    stop(sandbox);
    let log = fs::read_to_string(dir.path().join("audit.log")).expect("the log");
    let of_jane = log
        .lines()
        .filter(|line| line.contains("\"username\":\"jane\""));
    assert!(of_jane.count() >= 2, "{log}");
    assert!(!log.to_lowercase().contains("bearer"), "{log}");
}

#[test]
fn without_tls_it_says_http() {
    let dir = TempDir::new().expect("a folder");
    let (sandbox, address) = start(dir.path(), &["--plaintext", "--controllers", "off"]);
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    let kubeconfig = fs::read_to_string(dir.path().join("kubeconfig")).expect("it is written");
    assert!(kubeconfig.contains(&address), "{kubeconfig}");
    stop(sandbox);
}

#[test]
fn what_keeps_it_from_starting_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let check = |arguments: &[&str], part: &str| {
        let output = output(tiphys().arg("sandbox").args(arguments));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    };
    check(&["--listen", &address], "cannot listen on");
    check(&["--listen", "nowhere"], "invalid");
    check(&["--rbac", "maybe"], "maybe");
    let log = [
        "--listen",
        "127.0.0.1:0",
        "--audit-log",
        "/no/such/folder/log",
    ];
    check(&log, "/no/such/folder/log");
}
