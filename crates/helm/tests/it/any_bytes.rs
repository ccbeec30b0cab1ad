//! Whatever is in an archive or a file, there is a chart or an error: never a panic.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use helm::{Chart, Release, ValueSources, render};
use manifest::TreePath;
use manifest::trees::Files;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::command::{on_deep_stack, world};

/// Cases of each property; the gate's time allows so many.
const N_CASES: u32 = 500;
/// The same inputs in every run.
const SEED: [u8; 32] = [11; 32];

fn check<S: Strategy>(inputs: &S, property: impl Fn(S::Value)) {
    let config = Config {
        cases: N_CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(inputs, |input| {
        property(input);
        Ok(())
    });
    outcome.expect("nothing panics");
}

/// An archive of entries, which may be none that a chart can have.
fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, data) in entries {
        let mut header = tar::Header::new_gnu();
        let raw = header.as_old_mut();
        let name = &name.as_bytes()[..name.len().min(raw.name.len())];
        raw.name[..name.len()].copy_from_slice(name);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn an_archive_of_anything_is_a_chart_or_an_error() {
    let names = "(web|\\.\\.|/|c:|\\\\)?/?(Chart\\.yaml|values\\.yaml|charts/a\\.tgz|\\.\\./x|templates/a)?";
    let data = prop::collection::vec(any::<u8>(), 0..64);
    let entries = prop::collection::vec((names, data), 0..6);
    check(
        &(entries, any::<prop::sample::Index>(), any::<u8>()),
        |(entries, at, byte)| {
            let mut bytes = archive(&entries);
            let _result = Chart::from_archive(&bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
            let _result = Chart::from_archive(&bytes);
            let _result = Chart::from_archive(&bytes[..at]);
        },
    );
}

#[test]
fn a_chart_of_any_texts_renders_or_says_why_not() {
    const YAML: &str = "[a-c0-9:{}\\[\\]\"'|>&*!%#,\\n -]{0,40}";
    const TEMPLATE: &str = "(\\{\\{-? ?(\\.Values|\\.Files|range|end|if|include|tpl|toYaml|\\$x :=|\"a\"|\\.|\\(|\\)| )* ?-?\\}\\}|[a-z:\\n -]){0,12}";
    on_deep_stack(|| {
        let texts = (
            YAML,
            YAML,
            TEMPLATE,
            TEMPLATE,
            "[a-c=,.{}\\[\\]0-9\\\\]{0,12}",
        );
        check(&texts, |(chart, values, one, two, set)| {
            let mut files = Files::default();
            let mut add = |name: &str, text: String| {
                let path = TreePath::parse(name).expect("a path");
                files.insert(path, text.into_bytes().into());
            };
            let chart = format!("apiVersion: v2\nname: web\nversion: 0.1.0\n{chart}");
            add("Chart.yaml", chart);
            add("values.yaml", values.clone());
            add("values.schema.json", values);
            add("templates/a.yaml", one);
            add("templates/_b.tpl", two);
            let Ok(chart) = Chart::load(&files, &TreePath::root()) else {
                return;
            };
            let sources = ValueSources {
                set: vec![set],
                ..ValueSources::default()
            };
            let values = sources.merged(&|name| Err(name.to_owned()));
            let release = Release {
                name: "demo".to_owned(),
                namespace: "demo".to_owned(),
                is_upgrade: false,
                revision: 1,
            };
            let _result = render(&chart, &values.unwrap_or_default(), &release, &world());
        });
    });
}
