use std::collections::BTreeMap;

use api::Source;
use manifest::trees::{Files, Listed, Mounts};
use yaml::Value;

use super::super::{Capabilities, Environment, Lacking, Rendered, render};
use super::*;

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  \
                   selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
                   spec: {containers: [{name: web, image: 'img/app:1'}]}\n";
const OVERLAY: &str = "resources: [../base]\ncommonLabels: {own: '1'}\n";

fn files(more: &[(&str, &str)]) -> Files {
    let files = [
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("base/web.yaml", WEB),
        ("k/kustomization.yaml", OVERLAY),
        ("other/file.yaml", "x: y\n"),
        (
            "parts/a/kustomization.yaml",
            "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nnamePrefix: a-\n",
        ),
        (
            "parts/b/kustomization.yaml",
            "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nnamePrefix: b-\n",
        ),
    ];
    Files::new(files.into_iter().chain(more.iter().copied())).expect("paths")
}

fn environment(build_options: &str) -> Environment {
    let versions = BTreeMap::from([("v4".to_owned(), String::new())]);
    Environment {
        instance: "app".to_owned(),
        name: "app".to_owned(),
        namespace: "space".to_owned(),
        revision: "0123456789".to_owned(),
        capabilities: Arc::new(Capabilities::new("v1.35.4", vec!["x/v1".to_owned()])),
        kustomize: Arc::new(KustomizeSettings::new(build_options, versions)),
        ..Environment::default()
    }
}

fn source(path: &str, options: &str) -> Source {
    let text = format!("repoURL: r\npath: {path}\nkustomize: {options}\n");
    Source::from_value(yaml::parse_str(&text).expect("YAML")).expect("a source")
}

fn rendered(tree: &dyn Tree, options: &str) -> Result<Rendered, RenderError> {
    render(tree, &source("k", options), &environment(""))
}

/// What is at a path of the first object, or the error.
fn check(options: &str, path: &[&str], want: &str) {
    let files = files(&[]);
    let got = match rendered(&files, options) {
        Err(error) => error.to_string(),
        Ok(rendered) => {
            let value = rendered.objects[0].object.value();
            yaml::json::to_string(value.at(path).unwrap_or(&Value::Null))
        }
    };
    assert_eq!(got, want, "{options}");
}

#[test]
fn every_field_of_the_source_changes_the_kustomization() {
    let name = ["metadata", "name"];
    check("{}", &name, r#""web""#);
    check("{namePrefix: p-, nameSuffix: -s}", &name, r#""p-web-s""#);
    check(
        "{namespace: other}",
        &["metadata", "namespace"],
        r#""other""#,
    );
    let replicas = ["spec", "replicas"];
    check("{replicas: [{name: web, count: '3'}]}", &replicas, "3");
    check("{replicas: [{name: web, count: 4}]}", &replicas, "4");
    let patch = r#"{patches: [{target: {kind: Deployment}, patch: '[{"op": "replace", "path": "/spec/replicas", "value": 5}]'}]}"#;
    check(patch, &replicas, "5");
    check("{components: [../parts/*]}", &name, r#""b-a-web""#);
    let missing = "{components: [../parts/a, ../parts/z], ignoreMissingComponents: true}";
    check(missing, &name, r#""a-web""#);
}

#[test]
fn images_take_variables() {
    let check = |image: &str, want: &str| {
        let files = files(&[]);
        let rendered = rendered(&files, &format!("{{images: ['{image}']}}")).expect("objects");
        let text = yaml::json::to_string(rendered.objects[0].object.value());
        assert!(text.contains(&format!(r#""image":"{want}""#)), "{text}");
    };
    check("img/app:2", "img/app:2");
    check("img/app=other", "other:1");
    check("img/app:$ARGOCD_APP_REVISION_SHORT", "img/app:0123456");
}

#[test]
fn labels_and_annotations_are_those_of_the_source_and_of_the_file() {
    let labels = ["metadata", "labels"];
    let selector = ["spec", "selector", "matchLabels"];
    let template = ["spec", "template", "metadata", "labels"];
    let all = r#"{"app":"web","own":"1","team":"x"}"#;
    check("{commonLabels: {team: x}}", &selector, all);
    let without = "{commonLabels: {team: x}, labelWithoutSelector: true}";
    check(without, &labels, r#"{"own":"1","team":"x"}"#);
    check(without, &selector, r#"{"app":"web","own":"1"}"#);
    check(without, &template, r#"{"app":"web","own":"1"}"#);
    let templates =
        "{commonLabels: {team: x}, labelWithoutSelector: true, labelIncludeTemplates: true}";
    check(templates, &template, all);
    check(
        "{commonLabels: {own: '2'}, forceCommonLabels: true}",
        &labels,
        r#"{"own":"2"}"#,
    );
    check(
        "{commonLabels: {own: '2'}}",
        &labels,
        "`kustomize edit add label` failed exit status 1: Error: label own already in kustomization file. Use --force to override.",
    );
    let annotations = ["metadata", "annotations"];
    let plain = "{commonAnnotations: {a: $ARGOCD_APP_NAME}}";
    check(plain, &annotations, r#"{"a":"$ARGOCD_APP_NAME"}"#);
    let put_in = "{commonAnnotations: {a: $ARGOCD_APP_NAME}, commonAnnotationsEnvsubst: true}";
    check(put_in, &annotations, r#"{"a":"app"}"#);
}

#[test]
fn what_cannot_be_done_is_told_with_its_command() {
    let check = |path: &str, options: &str, want: &str| {
        let error = render(&files(&[]), &source(path, options), &environment(""));
        assert_eq!(error.expect_err("it fails").to_string(), want);
    };
    check(
        "k",
        "{version: v0}",
        "error getting kustomize binary path: kustomize version v0 is not registered",
    );
    check(
        "other",
        "{namePrefix: x}",
        "`kustomize edit set nameprefix -- x` failed exit status 1: Error: Missing kustomization file 'kustomization.yaml'.\n",
    );
    check(
        "k",
        "{components: [../parts/z]}",
        "`kustomize build <path to cached source>/k` failed exit status 1: Error: accumulating components: loader.New \"must build at directory: not a valid directory: evalsymlink failure on '/parts/z' : lstat /parts/z: no such file or directory\"",
    );
}

#[test]
fn the_options_of_the_build_count() {
    let files = files(&[
        ("free/kustomization.yaml", "resources: [../base/web.yaml]\n"),
        (
            "charted/kustomization.yaml",
            "helmCharts: [{name: c, releaseName: r, namespace: ns}]\n",
        ),
        (
            "charted/charts/c/Chart.yaml",
            "apiVersion: v2\nname: c\nversion: 1.0.0\n",
        ),
        ("charted/charts/c/values.yaml", "k: v\n"),
        (
            "charted/charts/c/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}', namespace: '{{ .Release.Namespace }}'}\ndata: {k: '{{ .Values.k }}', v: '{{ .Capabilities.KubeVersion }}'}\n",
        ),
    ]);
    let one = |path: &str, options: &str| {
        let rendered = render(&files, &source(path, "{}"), &environment(options));
        rendered.map(|it| yaml::json::to_string(it.objects[0].object.value()))
    };
    assert!(one("free", "").is_err());
    assert!(one("free", "--load-restrictor LoadRestrictionsNone").is_ok());
    let refused = one("charted", "").expect_err("charts are off").to_string();
    assert!(refused.ends_with("must specify --enable-helm"), "{refused}");
    assert_eq!(
        one("charted", "--enable-helm").expect("objects"),
        r#"{"apiVersion":"v1","data":{"k":"v","v":"v1.35.4"},"kind":"ConfigMap","metadata":{"name":"r","namespace":"ns"}}"#
    );
    assert!(one("free", "--nope").is_err());
}

#[test]
fn a_render_holds_until_a_base_that_it_read_changes() {
    let render = || rendered(&files(&[]), "{}").expect("objects");
    let holds =
        |changed: &[(&str, &str)]| render().read_set.holds_in(&files(changed)).expect("a tree");
    assert!(holds(&[("other/file.yaml", "x: z\n")]));
    assert!(holds(&[("base/unused.yaml", "x: z\n")]));
    assert!(!holds(&[("base/web.yaml", "x: z\n")]));
    assert!(!holds(&[("base/kustomization.yml", "")]));
}

#[test]
fn what_is_elsewhere_is_named_and_then_built_from_its_place() {
    let base = "https://github.com/o/r//base?ref=v1";
    let file = "https://h.example/x.yaml";
    let chart = "helmCharts: [{name: c, version: 1.0.0, repo: 'https://charts.example'}]";
    let text = format!("resources: ['{base}', '{file}']\n{chart}\n");
    let local = || files(&[("k/kustomization.yaml", &text)]);
    let environment = environment("--enable-helm");
    let lacks = match render(&local(), &source("k", "{}"), &environment) {
        Err(RenderError::Lacks(lacks)) => lacks,
        other => panic!("something is lacking: {other:?}"),
    };
    let mut mounts = Mounts::new(Arc::new(local()));
    for lack in lacks {
        let (tree, listed): (Arc<dyn Tree>, Listed) = match &lack.what {
            Lacking::Remote {
                repository: Some((address, reference)),
                ..
            } if address == "https://github.com/o/r" => {
                assert_eq!(reference, "v1");
                (Arc::new(files(&[])), Listed::No)
            }
            Lacking::Remote { url, .. } => {
                assert_eq!(url, file);
                let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far}\n";
                mounts = mounts.file(lack.place, text.as_bytes().into(), Listed::No);
                continue;
            }
            Lacking::Chart { name, .. } => {
                assert_eq!(
                    (name.as_str(), lack.place.as_str()),
                    ("c", "k/charts/c-1.0.0/c")
                );
                let files = [
                    ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
                    ("values.yaml", "k: v\n"),
                    (
                        "templates/a.yaml",
                        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-chart}\n",
                    ),
                ];
                (Arc::new(Files::new(files).expect("paths")), Listed::Yes)
            }
            Lacking::File { .. } => panic!("no value file is named"),
        };
        mounts = mounts.folder(lack.place, (tree, TreePath::root()), listed);
    }
    let rendered = render(&mounts, &source("k", "{}"), &environment).expect("objects");
    let names: Vec<&str> = rendered.objects.iter().map(|it| it.object.name()).collect();
    assert_eq!(names, ["far", "of-chart", "web"]);
}
