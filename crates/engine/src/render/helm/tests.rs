use std::sync::Arc;

use api::Source;
use manifest::trees::{Files, Listed, Mounts};
use yaml::Value;

use super::super::tests::put;
use super::super::{Capabilities, Environment, Lacking, RenderError, Rendered, render};
use super::*;

const CHART: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  \
                        annotations: {ns: {{ .Release.Namespace }}}\ndata: {{ toJson .Values }}\n";

fn chart(more: &[(&str, &str)]) -> Files {
    let files = [
        ("c/Chart.yaml", CHART),
        ("c/values.yaml", "k: default\n"),
        ("c/templates/a.yaml", TEMPLATE),
    ];
    Files::new(files.into_iter().chain(more.iter().copied())).expect("paths")
}

fn environment() -> Environment {
    Environment {
        instance: "app".to_owned(),
        name: "app".to_owned(),
        namespace: "space".to_owned(),
        revision: "0123456789".to_owned(),
        capabilities: Arc::new(Capabilities::new("v1.35.4", vec!["x/v1".to_owned()])),
        value_file_schemes: vec!["https".to_owned()],
        ..Environment::default()
    }
}

fn source(helm: &str) -> Source {
    let text = format!("repoURL: r\npath: c\nhelm: {helm}\n");
    Source::from_value(yaml::parse_str(&text).expect("YAML")).expect("a source")
}

fn rendered(tree: &dyn Tree, helm: &str) -> Result<Rendered, RenderError> {
    render(tree, &source(helm), &environment())
}

/// The `data` of the first object, or the error.
fn data(tree: &dyn Tree, helm: &str) -> String {
    match rendered(tree, helm) {
        Err(error) => error.to_string(),
        Ok(rendered) => {
            let object = &rendered.objects[0].object;
            yaml::json::to_string(object.value().get("data").unwrap_or(&Value::Null))
        }
    }
}

#[test]
fn values_win_in_the_order_of_argo_cd() {
    let files = chart(&[("c/v1.yaml", "k: one\na: one\n"), ("c/v2.yaml", "k: two\n")]);
    let check = |helm: &str, want: &str| assert_eq!(data(&files, helm), want, "{helm}");
    check("{}", r#"{"k":"default"}"#);
    check(
        "{valueFiles: [v1.yaml, v2.yaml]}",
        r#"{"a":"one","k":"two"}"#,
    );
    check(
        "{valueFiles: [/c/v2.yaml, ./v1.yaml]}",
        r#"{"a":"one","k":"one"}"#,
    );
    check(
        "{valueFiles: [v1.yaml], values: 'k: text'}",
        r#"{"a":"one","k":"text"}"#,
    );
    check(
        "{values: 'k: text', valuesObject: {k: object}}",
        r#"{"k":"object"}"#,
    );
    let both = "{valuesObject: {k: object}, parameters: [{name: k, value: 'a,b'}, {name: num, value: '1'}, {name: t, value: '1', forceString: true}]}";
    check(both, r#"{"k":"a,b","num":1,"t":"1"}"#);
    check(
        "{parameters: [{name: k, value: '{a,b}'}]}",
        r#"{"k":["a","b"]}"#,
    );
    check(
        "{parameters: [{name: k, value: one}, {name: k, value: two}]}",
        r#"{"k":"two"}"#,
    );
    check(
        "{fileParameters: [{name: k, path: v2.yaml}]}",
        r#"{"k":"k: two\n"}"#,
    );
    check(
        "{parameters: [{name: k, value: '$ARGOCD_APP_NAME-${OTHER}$$'}]}",
        r#"{"k":"app-$"}"#,
    );
}

#[test]
fn value_files_are_found_as_argo_cd_finds_them() {
    let files = chart(&[
        ("c/a.yaml", "k: a\n"),
        ("c/b.yaml", "k: b\n"),
        ("env/dev/x.yaml", "k: dev\n"),
    ]);
    let check = |helm: &str, want: &str| {
        let got = data(&files, helm);
        assert!(got.contains(want), "{helm}: {got}");
    };
    check("{valueFiles: ['[ab].yaml']}", r#"{"k":"b"}"#);
    check("{valueFiles: [b.yaml, '?.yaml']}", r#"{"k":"a"}"#);
    check("{valueFiles: ['?.yaml', a.yaml]}", r#"{"k":"a"}"#);
    check("{valueFiles: ['/env/**/*.yaml']}", r#"{"k":"dev"}"#);
    check("{valueFiles: ['no*.yaml']}", "no file matches \"no*.yaml\"");
    check(
        "{valueFiles: ['no*.yaml', no.yaml], ignoreMissingValueFiles: true}",
        r#"{"k":"default"}"#,
    );
    check(
        "{valueFiles: [no.yaml]}",
        "Error: open c/no.yaml: no such file or directory",
    );
    check(
        "{valueFiles: [../../../etc/passwd]}",
        "error resolving helm value files: error resolving value file path: file '../../../etc/passwd' resolved to outside repository root",
    );
    check(
        "{valueFiles: [s3://x/y]}",
        "the URL scheme 's3' is not allowed",
    );
    check("{valueFiles: [/]}", "resolved to outside repository root");
}

#[test]
fn files_of_other_sources_are_found_by_their_name() {
    let other: Arc<dyn Tree> =
        Arc::new(Files::new([("dev/v.yaml", "k: other\n")]).expect("a path"));
    let own: Arc<dyn Tree> = Arc::new(chart(&[]));
    let at = TreePath::parse("$values").expect("a path");
    let tree = Mounts::new(own).folder(at, (other, TreePath::root()), Listed::No);
    let with_reference = Environment {
        references: vec!["values".to_owned()],
        ..environment()
    };
    let check = |file: &str, want: &str| {
        let source = source(&format!("{{valueFiles: ['{file}']}}"));
        let got = match render(&tree, &source, &with_reference) {
            Err(error) => error.to_string(),
            Ok(rendered) => yaml::json::to_string(rendered.objects[0].object.value()),
        };
        assert!(got.contains(want), "{file}: {got}");
    };
    check("$values/dev/v.yaml", r#""data":{"k":"other"}"#);
    check(
        "$values/../c/values.yaml",
        "resolved to outside repository root",
    );
    check(
        "$else/x.yaml",
        "source referenced \"$else\", which is not one of the available sources ($values)",
    );
}

#[test]
fn what_is_lacking_is_named_with_its_place() {
    let needs = "apiVersion: v2\nname: demo\nversion: 0.1.0\ndependencies:\n- {name: x, version: ^1, repository: 'https://charts.example'}\n";
    let mut files = chart(&[]);
    put(&mut files, "c/Chart.yaml", needs);
    let lack = |files: &Files, helm: &str| match rendered(files, helm) {
        Err(RenderError::Lacks(lacks)) => lacks,
        other => panic!("{other:?}"),
    };
    let chart_lack = &lack(&files, "{}")[0];
    assert_eq!(chart_lack.place.as_str(), "c/charts/x.tgz");
    let is_chart = matches!(&chart_lack.what, Lacking::Chart { version, .. } if version == "^1");
    assert!(is_chart, "{chart_lack}");
    put(
        &mut files,
        "c/Chart.lock",
        "dependencies:\n- {name: x, version: 1.4.2, repository: 'https://charts.example'}\n",
    );
    let locked = &lack(&files, "{}")[0];
    let is_locked = matches!(&locked.what, Lacking::Chart { version, .. } if version == "1.4.2");
    assert!(is_locked, "{locked}");
    let remote = &lack(&chart(&[]), "{valueFiles: ['https://h.example/v.yaml']}")[0];
    assert_eq!(remote.to_string(), "https://h.example/v.yaml");
    let tree: Arc<dyn Tree> = Arc::new(chart(&[]));
    let content: Arc<[u8]> = b"k: remote\n".as_slice().into();
    let tree = Mounts::new(tree).file(remote.place.clone(), content, Listed::No);
    let got = data(&tree, "{valueFiles: ['https://h.example/v.yaml']}");
    assert_eq!(got, r#"{"k":"remote"}"#);
}

#[test]
fn a_neighbour_is_a_dependency_without_a_network() {
    let needs = |path: &str| {
        let text = format!(
            "apiVersion: v2\nname: demo\nversion: 0.1.0\ndependencies:\n- {{name: sub, version: 0.1.0, repository: 'file://{path}'}}\n"
        );
        let mut files = chart(&[
            (
                "sub/Chart.yaml",
                "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
            ),
            (
                "sub/templates/b.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\n",
            ),
        ]);
        put(&mut files, "c/Chart.yaml", &text);
        rendered(&files, "{}")
    };
    assert_eq!(needs("../sub").expect("both charts").objects.len(), 2);
    for path in ["../nope", "/etc", "../../../x"] {
        let got = needs(path).expect_err("no such folder").to_string();
        assert!(
            got.ends_with(&format!("Error: directory {path} not found")),
            "{got}"
        );
    }
}

#[test]
fn an_edit_concerns_only_who_reads_it() {
    let files = chart(&[("dev.yaml", "k: dev\n"), ("prod.yaml", "k: prod\n")]);
    let dev = rendered(&files, "{valueFiles: [/dev.yaml]}").expect("objects");
    let prod = rendered(&files, "{valueFiles: [/prod.yaml]}").expect("objects");
    let mut edited = chart(&[("dev.yaml", "k: new\n"), ("prod.yaml", "k: prod\n")]);
    assert_eq!(dev.read_set.holds_in(&edited), Ok(false));
    assert_eq!(prod.read_set.holds_in(&edited), Ok(true));
    put(&mut edited, "c/templates/new.yaml", "");
    assert_eq!(prod.read_set.holds_in(&edited), Ok(false));
}

#[test]
fn what_a_chart_makes_up_is_the_same_at_every_render() {
    let mut files = chart(&[]);
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: {{ randAlphaNum 20 | quote }}}\n";
    put(&mut files, "c/templates/a.yaml", text);
    let first = rendered(&files, "{}").expect("objects");
    assert_eq!(first, rendered(&files, "{}").expect("objects"));
    let other = rendered(&files, "{releaseName: other}").expect("objects");
    assert_ne!(first.objects, other.objects);
}

#[test]
fn definitions_hooks_and_tests_are_the_applications_unless_left_out() {
    let hook = |kind: &str, name: &str| -> &'static str {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{helm.sh/hook: {kind}}}}}\n").leak()
    };
    let files = chart(&[
        (
            "c/crds/x.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
        ),
        ("c/templates/h.yaml", hook("pre-install", "h")),
        ("c/templates/t.yaml", hook("test", "t")),
        ("c/templates/NOTES.txt", "notes"),
    ]);
    let check = |helm: &str, want: &[&str]| {
        let rendered = rendered(&files, helm).expect("objects");
        let names: Vec<_> = rendered.objects.iter().map(|it| it.object.name()).collect();
        assert_eq!(names, want, "{helm}");
        assert_eq!(rendered.source_type, api::status::SourceType::Helm);
    };
    check("{}", &["x", "app", "h", "t"]);
    check(
        "{skipCrds: true, skipTests: true, releaseName: r}",
        &["r", "h"],
    );
}

#[test]
fn a_broken_chart_is_told_in_helms_words_with_its_command() {
    let mut files = chart(&[]);
    put(&mut files, "c/templates/a.yaml", "{{ if }}\n");
    let got = data(
        &files,
        "{skipTests: true, parameters: [{name: k, value: a b}]}",
    );
    let want = "failed to execute helm template command: failed running helm: `helm template . --name-template app --namespace space --kube-version 1.35.4 --set \"k=a b\" <api versions removed> --include-crds --skip-tests` failed exit status 1: Error: parse error at (demo/templates/a.yaml:1): missing value for if\n\nUse --debug flag to render out invalid YAML";
    assert_eq!(got, want);
}
