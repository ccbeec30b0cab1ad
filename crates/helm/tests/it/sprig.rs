//! Expressions over all functions: the corpus `sprig`, recorded with Helm's engine.

use helm::{Chart, Error, Release, Values, execute};
use manifest::TreePath;
use manifest::trees::Files;
use yaml::Value;

use super::command::{on_deep_stack, world};
use super::corpus::{cases, folder, rate};
use super::recordings::text_of;

/// Cases that must agree.
const FLOOR: usize = 997;
/// The chart of a case, as the corpus' README describes it.
fn files_of(case: &Value, helpers: &str, values: &str) -> Files {
    const CHART: &str = "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: 1.2.3\n";
    let template = text_of(case, "template");
    let files = [
        ("web/Chart.yaml", CHART),
        ("web/values.yaml", values),
        ("web/templates/_helpers.tpl", helpers),
        ("web/templates/t.yaml", &template),
    ];
    Files::new(files).expect("paths")
}

fn check(case: &Value, files: &Files) -> Result<(), String> {
    let release = Release {
        name: "demo".to_owned(),
        namespace: "demo".to_owned(),
        is_upgrade: false,
        revision: 1,
    };
    let mut world = world();
    // Some cases ask whether the clock goes; the recording was made in November of 2026.
    world.now.seconds = 1_795_350_000;
    let chart = Chart::load(files, &TreePath::parse("web").expect("a path"));
    let chart = chart.map_err(|error| error.to_string())?;
    let outcome = match execute(&chart, &Values::new(), &release, &world) {
        Ok(mut files) => Ok(files.remove("web/templates/t.yaml").unwrap_or_default()),
        Err(Error::Render { text, .. }) => Err(text),
        Err(other) => Err(other.to_string()),
    };
    let wanted = |field: &str| case.get(field).and_then(Value::as_str);
    let agrees = match &outcome {
        Ok(output) => wanted("expected") == Some(output),
        Err(error) => {
            wanted("error") == Some(error)
                || wanted("error_prefix").is_some_and(|start| error.starts_with(start))
        }
    };
    if agrees {
        return Ok(());
    }
    Err(format!("{outcome:?}\n    want {case:?}"))
}

#[test]
fn functions_do_what_they_do_in_helm() {
    on_deep_stack(|| {
        let Some(folder) = folder("sprig") else {
            return;
        };
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
        let (helpers, values) = (read("helpers.tpl"), read("values.yaml"));
        let mut failed = Vec::new();
        let cases = cases(&folder);
        for case in &cases {
            if let Err(difference) = check(case, &files_of(case, &helpers, &values)) {
                failed.push(format!("{}: {difference}", text_of(case, "name")));
            }
        }
        rate("functions of sprig", &failed, cases.len(), FLOOR);
    });
}
