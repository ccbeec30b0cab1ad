//! The example of the chatbot: its chart, printed as the real helm prints it.

use std::path::Path;

use crate::harness::{oracle, tiphys};

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
