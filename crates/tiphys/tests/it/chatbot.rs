//! The example of the chatbot: its chart, printed as the real helm prints it, and its environments.

use std::path::Path;

use crate::harness::{Repository, Up, oracle, output, tiphys};

#[test]
fn a_chart_is_printed_as_helm_prints_it() {
    let Some(helm) = oracle("helm") else {
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/chatbot");
    let chart = example.join("chart");
    let prod = example.join("values/prod.yaml").display().to_string();
    let check = |flags: &[&str], name: &str| {
        let run = |command: &mut std::process::Command| {
            let output = output(command.arg(&chart).args(flags));
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

#[test]
fn all_environments_come_up_and_prod_waits_for_its_sync() {
    let repository = Repository::of_example("chatbot");
    let up = Up::start(repository.up("examples/chatbot", &["--wait", "--timeout", "110s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    let wanted =
        "chatbot-prod: OutOfSync, Missing (waits for its sync: tiphys app sync chatbot-prod)";
    assert!(output.contains(wanted), "{output}");
    assert!(
        output.contains("3 of 4 Applications are Synced and Healthy"),
        "{output}"
    );
}

#[test]
fn a_chart_alone_becomes_an_application() {
    let repository = Repository::of_example("chatbot");
    let up = Up::start(repository.up("examples/chatbot/chart", &["--wait", "--timeout", "110s"]));
    let (status, output) = up.end();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("the folder becomes one, chart"), "{output}");
    assert!(
        output.contains("1 of 1 Applications are Synced and Healthy"),
        "{output}"
    );
}
