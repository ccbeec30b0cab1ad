//! Kustomizations made at random, as the real kubectl builds them: bases, overlays, components, patches,
//! generators and replacements combined.
//!
//! What each seed makes is a function of the seed ([`Generator`]); `testdata/generated.txt` holds what
//! kubectl v1.35.2 printed for it, as a hash or as its error. `UPDATE_EXPECT=1` records anew. Where
//! kubectl is installed, some are also built by it while the test runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kustomize::Options;
use manifest::ContentId;

use crate::recorded::{difference, run};
use crate::tree::Files;

/// How many seeds are recorded.
const RECORDED: u64 = 1_000;
/// How many of them are asked again where kubectl is installed.
const LIVE: u64 = 20;
/// How many of the recorded ones agree. May only rise.
const AGREE: usize = 1_000;

/// The real kubectl, where `tools/oracle-install` put it.
fn kubectl() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let path = home.join(".cache/tiphys/oracle/kubectl");
    path.is_file().then_some(path)
}

/// What kubectl prints for a seed, or its error.
fn ask(kubectl: &Path, seed: u64, folder: &Path) -> Result<String, String> {
    let _ = std::fs::remove_dir_all(folder);
    let generated = Generator::new(seed).kustomization();
    for (path, text) in &generated.files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = Command::new(kubectl)
        .arg("kustomize")
        .arg(folder.join(generated.root))
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn ours(seed: u64) -> Result<String, String> {
    let generated = Generator::new(seed).kustomization();
    let mut files = Files::default();
    for (path, text) in &generated.files {
        files.add(path, text.as_bytes());
    }
    let built = run(&files, generated.root, &Options::default());
    built.map(|(text, _)| text)
}

/// The line that is recorded: a hash of the output, or that there was none.
fn line(seed: u64, result: &Result<String, String>) -> String {
    match result {
        Ok(text) => {
            let id = ContentId::of(text.as_bytes());
            let mut line = format!("{seed} ok ");
            for byte in &id.as_bytes()[..8] {
                write!(line, "{byte:02x}").unwrap();
            }
            line
        }
        Err(_) => format!("{seed} error"),
    }
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/generated.txt")
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn generated_kustomizations_are_built_as_recorded() {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let kubectl = kubectl().expect("recording needs kubectl");
        let folder = scratch("record-generated");
        let lines: Vec<String> = (0..RECORDED)
            .map(|seed| line(seed, &ask(&kubectl, seed, &folder)))
            .collect();
        std::fs::create_dir_all(testdata().parent().unwrap()).unwrap();
        std::fs::write(testdata(), lines.join("\n") + "\n").unwrap();
    }
    let recorded = std::fs::read_to_string(testdata()).unwrap();
    let mut differ = Vec::new();
    for (seed, want) in (0..).zip(recorded.lines()) {
        if line(seed, &ours(seed)) != want {
            differ.push(seed);
        }
    }
    let n = recorded.lines().count();
    eprintln!(
        "generated: {} of {n} agree; not {differ:?}",
        n - differ.len()
    );
    assert!(n - differ.len() >= AGREE.min(n), "{AGREE} agreed");
}

#[test]
fn generated_kustomizations_are_built_as_kubectl_builds_them_now() {
    let Some(kubectl) = kubectl() else {
        eprintln!("skipped: kubectl is not installed");
        return;
    };
    let folder = scratch("live-generated");
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let first = number("KUSTOMIZE_SEED").unwrap_or(RECORDED);
    let seeds = first..first + number("KUSTOMIZE_SEEDS").unwrap_or(LIVE);
    let (mut n_differ, mut n_refused) = (0, 0);
    for seed in seeds.clone() {
        let difference = match (ours(seed), ask(&kubectl, seed, &folder)) {
            (Ok(ours), Ok(theirs)) if ours == theirs => continue,
            (Err(_), Err(_)) => {
                n_refused += 1;
                continue;
            }
            (Ok(ours), Ok(theirs)) => difference(&ours, &theirs),
            (Ok(_), Err(theirs)) => format!("built, but {theirs}"),
            (Err(ours), Ok(_)) => format!("not built: {ours}"),
        };
        eprintln!("seed {seed}: {difference}");
        n_differ += 1;
    }
    let n = seeds.count();
    eprintln!("generated, live: {n_differ} of {n} differ, {n_refused} are refused by both");
    assert_eq!(n_differ, 0, "all of the live seeds agreed");
}

/// Files of a kustomization, and the folder to build.
struct Generated {
    files: Vec<(String, String)>,
    root: &'static str,
}

/// Makes a kustomization from a seed.
pub(crate) struct Generator {
    state: u64,
    files: Vec<(String, String)>,
}

const NAMES: [&str; 4] = ["web", "api", "db", "job"];
const LABELS: [&str; 4] = ["app", "tier", "env", "team"];
const VALUES: [&str; 12] = [
    "x", "\"1\"", "'true'", "web", "a-b", "\"yes\"", "no", "\"1.10\"", "v1.2", "\"\"", "'a: b'",
    "prod",
];
const SCALARS: [&str; 16] = [
    "1",
    "\"1\"",
    "true",
    "yes",
    "null",
    "~",
    "1.50",
    "1e3",
    "0x1F",
    "text",
    "'quoted'",
    "\"a\\nb\"",
    "2020-01-01",
    "0o7",
    "-0",
    "[]",
];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Generator {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d,
            files: Vec::new(),
        }
    }

    /// A number below another one.
    pub(crate) fn next(&mut self, below: usize) -> usize {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % below as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.next(n) == 0
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.next(all.len())]
    }

    /// The files of a kustomization whose root is `overlay`.
    pub(crate) fn files_of_a_kustomization(self) -> Vec<(String, String)> {
        self.kustomization().files
    }

    fn kustomization(mut self) -> Generated {
        let n_bases = 1 + self.next(2);
        let mut bases = Vec::new();
        for number in 0..n_bases {
            let folder = format!("base{number}");
            self.base(&folder, number);
            bases.push(format!("../{folder}"));
        }
        let mut middle = Vec::new();
        for (number, base) in bases.iter().enumerate() {
            if self.one_in(2) {
                let folder = format!("mid{number}");
                self.overlay(&folder, std::slice::from_ref(base));
                middle.push(format!("../{folder}"));
            } else {
                middle.push(base.clone());
            }
        }
        let mut extra = String::new();
        if self.one_in(4) {
            let text = self.fields("component");
            let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
            self.add("component/kustomization.yaml", format!("{head}{text}"));
            extra.push_str("components: [../component]\n");
        }
        if self.one_in(8) {
            extra.push_str("sortOptions: {order: fifo}\n");
        }
        if self.one_in(8) {
            let what = self.of(&[
                "originAnnotations",
                "transformerAnnotations",
                "managedByLabel",
            ]);
            writeln!(extra, "buildMetadata: [{what}]").unwrap();
        }
        self.overlay("overlay", &middle);
        if let Some((_, text)) = self.files.last_mut() {
            text.push_str(&extra);
        }
        Generated {
            files: self.files,
            root: "overlay",
        }
    }

    fn add(&mut self, path: &str, text: String) {
        self.files.push((path.to_owned(), text));
    }

    fn overlay(&mut self, folder: &str, bases: &[String]) {
        let mut text = String::from("resources:\n");
        for base in bases {
            writeln!(text, "- {base}").unwrap();
        }
        if self.one_in(5) {
            let resource = self.resource("extra");
            self.add(&format!("{folder}/extra.yaml"), resource);
            text.push_str("- extra.yaml\n");
        }
        text.push_str(&self.fields(folder));
        self.add(&format!("{folder}/kustomization.yaml"), text);
    }

    fn base(&mut self, folder: &str, number: usize) {
        let mut text = String::from("resources:\n");
        for file in 0..=self.next(3) {
            let mut documents = Vec::new();
            for document in 0..=self.next(2) {
                let name = self.of(&NAMES);
                let unique = match (number, file, document) {
                    (0, 0, 0) => name.to_owned(),
                    _ => format!("{name}-{number}{file}{document}"),
                };
                documents.push(self.resource(&unique));
            }
            let path = format!("r{file}.yaml");
            self.add(&format!("{folder}/{path}"), documents.join("---\n"));
            writeln!(text, "- {path}").unwrap();
        }
        text.push_str(&self.fields(folder));
        self.add(&format!("{folder}/kustomization.yaml"), text);
    }

    fn labels(&mut self, indent: &str) -> String {
        let mut text = String::new();
        let mut used = Vec::new();
        for _ in 0..=self.next(2) {
            let key = self.of(&LABELS);
            if !used.contains(&key) {
                used.push(key);
                let value = self.of(&VALUES);
                writeln!(text, "{indent}{key}: {value}").unwrap();
            }
        }
        text
    }

    fn resource(&mut self, name: &str) -> String {
        let kind = self.next(11);
        let (version, kind_name) = [
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("v1", "ServiceAccount"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding"),
            ("batch/v1", "CronJob"),
            ("networking.k8s.io/v1", "Ingress"),
            ("example.com/v1", "Widget"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ][kind];
        let mut text =
            format!("apiVersion: {version}\nkind: {kind_name}\nmetadata:\n  name: {name}\n");
        if self.one_in(4) {
            text.push_str("  namespace: ns\n");
        }
        for field in ["labels", "annotations"] {
            if self.one_in(2) {
                let labels = self.labels("    ");
                write!(text, "  {field}:\n{labels}").unwrap();
            }
        }
        let body = match kind {
            0 | 1 | 6 => self.workload(kind),
            _ => self.other(kind),
        };
        text + &body
    }

    /// What a kind with pods has beside its metadata.
    fn workload(&mut self, kind: usize) -> String {
        match kind {
            0 | 1 => {
                let pod = self.pod("      ");
                let labels = self.labels("      ");
                let pod_labels = self.labels("        ");
                format!(
                    "spec:\n  replicas: {}\n  selector:\n    matchLabels:\n{labels}  template:\n    \
                     metadata:\n      labels:\n{pod_labels}    spec:\n{pod}",
                    self.next(4)
                )
            }
            _ => {
                let pod = self.pod("          ");
                format!(
                    "spec:\n  schedule: \"* * * * *\"\n  jobTemplate:\n    spec:\n      template:\n        \
                     spec:\n{pod}"
                )
            }
        }
    }

    /// What other kinds have beside their metadata.
    fn other(&mut self, kind: usize) -> String {
        match kind {
            2 => {
                let labels = self.labels("    ");
                let protocol = self.of(&["", "    protocol: TCP\n", "    protocol: UDP\n"]);
                format!(
                    "spec:\n  selector:\n{labels}  ports:\n  - port: 80\n{protocol}    name: http\n  \
                     - port: 443\n"
                )
            }
            3 => {
                let values = [self.of(&VALUES), self.of(&VALUES)];
                format!(
                    "data:\n  a: {}\n  b: {}\n  c: |\n    one\n    two\n",
                    values[0], values[1]
                )
            }
            4 => String::new(),
            5 => {
                let account = self.of(&NAMES);
                format!(
                    "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: \
                     {}\nsubjects:\n- kind: ServiceAccount\n  name: {account}\n- kind: \
                     ServiceAccount\n  name: default\n  namespace: ns\n",
                    self.of(&NAMES)
                )
            }
            7 => format!(
                "spec:\n  rules:\n  - host: h.example\n    http:\n      paths:\n      - path: /\n        \
                 backend:\n          service:\n            name: {}\n            port:\n              \
                 number: 80\n",
                self.of(&NAMES)
            ),
            8 => {
                let mut text = String::from("spec:\n");
                for key in ["a", "b", "c", "d"] {
                    let value = self.of(&SCALARS);
                    writeln!(text, "  {key}: {value}").unwrap();
                }
                text.push_str("  list:\n  - name: one\n    v: 1\n  - name: two\n");
                text
            }
            9 => format!(
                "rules:\n- apiGroups: [\"\"]\n  resources: [pods]\n  resourceNames: [{}]\n  verbs: \
                 [get]\n",
                self.of(&NAMES)
            ),
            _ => format!(
                "spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: \
                 {}\n  maxReplicas: 3\n",
                self.of(&NAMES)
            ),
        }
    }

    fn pod(&mut self, indent: &str) -> String {
        let mut text = String::new();
        let account = self.of(&NAMES);
        if self.one_in(2) {
            writeln!(text, "serviceAccountName: {account}").unwrap();
        }
        text.push_str("containers:\n");
        for name in ["main", "side"].into_iter().take(1 + self.next(2)) {
            let image = self.of(&[
                "nginx:1.25",
                "nginx",
                "h.io:5000/x/app:v1@sha256:aa",
                "busybox:2",
                "app",
            ]);
            writeln!(text, "- name: {name}\n  image: {image}").unwrap();
            if self.one_in(2) {
                let value = self.of(&["\"1\"", "text", "\"$(A)\"", "''"]);
                writeln!(
                    text,
                    "  env:\n  - name: A\n    value: {value}\n  - name: B\n    value: b"
                )
                .unwrap();
                if self.one_in(2) {
                    let name = self.of(&NAMES);
                    writeln!(
                        text,
                        "  - name: C\n    valueFrom:\n      configMapKeyRef:\n        name: {name}\n        key: k"
                    )
                    .unwrap();
                }
            }
            if self.one_in(3) {
                text.push_str(
                    "  ports:\n  - containerPort: 80\n  - containerPort: 443\n    protocol: TCP\n",
                );
            }
            if self.one_in(4) {
                text.push_str("  args: [\"--a\", \"$(B)\"]\n  resources: {}\n");
            }
        }
        if self.one_in(3) {
            let name = self.of(&NAMES);
            writeln!(
                text,
                "volumes:\n- name: v\n  configMap:\n    name: {name}\n- name: e\n  emptyDir: {{}}"
            )
            .unwrap();
        }
        text.lines().fold(String::new(), |mut all, line| {
            writeln!(all, "{indent}{line}").unwrap();
            all
        })
    }

    fn fields(&mut self, folder: &str) -> String {
        let mut text = String::new();
        if self.one_in(4) {
            let prefix = self.of(&["p-", "x-", "a1-"]);
            writeln!(text, "namePrefix: {prefix}").unwrap();
        }
        if self.one_in(6) {
            text.push_str("nameSuffix: -s\n");
        }
        if self.one_in(5) {
            let namespace = self.of(&["ns", "prod"]);
            writeln!(text, "namespace: {namespace}").unwrap();
        }
        if self.one_in(5) {
            let labels = self.quoted_labels("  ");
            write!(text, "commonLabels:\n{labels}").unwrap();
        }
        if self.one_in(4) {
            let labels = self.quoted_labels("    ");
            let how = self.of(&[
                "",
                "  includeSelectors: true\n",
                "  includeTemplates: true\n",
            ]);
            write!(text, "labels:\n- pairs:\n{labels}{how}").unwrap();
        }
        if self.one_in(5) {
            let labels = self.quoted_labels("  ");
            write!(text, "commonAnnotations:\n{labels}").unwrap();
        }
        if self.one_in(4) {
            let image = self.of(&["nginx", "busybox", "h.io:5000/x/app", "app"]);
            let change = self.of(&[
                "newTag: \"9\"",
                "newTag: v2",
                "newName: other",
                "digest: sha256:bb",
                "newName: r.io/y\n  newTag: \"1.10\"",
                "tagSuffix: -x",
            ]);
            writeln!(text, "images:\n- name: {image}\n  {change}").unwrap();
        }
        text.push_str(&self.generators(folder));
        let patches = self.patches();
        text.push_str(&patches);
        if self.one_in(6) {
            text.push_str(&self.replacement());
        }
        if text.is_empty() {
            text.push_str("commonAnnotations: {made: \"yes\"}\n");
        }
        text
    }

    fn quoted_labels(&mut self, indent: &str) -> String {
        let key = self.of(&LABELS);
        let value = self.of(&["x", "\"1\"", "\"true\"", "web", "\"\"", "'1.10'"]);
        format!("{indent}{key}: {value}\n")
    }

    fn generators(&mut self, folder: &str) -> String {
        let mut text = String::new();
        for (field, secret) in [("configMapGenerator", false), ("secretGenerator", true)] {
            if !self.one_in(5) {
                continue;
            }
            let name = self.of(&NAMES);
            writeln!(text, "{field}:\n- name: {name}").unwrap();
            let behavior = self.of(&["", "", "", "  behavior: merge\n", "  behavior: replace\n"]);
            text.push_str(behavior);
            let value = self.of(&["x", "1", "true", "\"q\"", "", "a=b"]);
            writeln!(text, "  literals: ['k={value}', k2=v]").unwrap();
            if self.one_in(3) {
                self.add(
                    &format!("{folder}/{field}.env"),
                    "E=1\n# c\nF=x y\n".to_owned(),
                );
                writeln!(text, "  envs: [{field}.env]").unwrap();
            }
            if self.one_in(3) {
                let content =
                    self.of(&["text\nmore\n", "one", "", "tab\there\n", "trailing \nx\n"]);
                self.add(&format!("{folder}/{field}.txt"), content.to_owned());
                writeln!(text, "  files: [f={field}.txt]").unwrap();
            }
            if self.one_in(3) {
                text.push_str("  options: {disableNameSuffixHash: true, labels: {g: \"1\"}}\n");
            }
            if secret && self.one_in(3) {
                text.push_str("  type: kubernetes.io/tls\n");
            }
        }
        if self.one_in(10) {
            text.push_str("generatorOptions: {annotations: {gen: \"1\"}, immutable: true}\n");
        }
        text
    }

    fn patches(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.next(3) {
            let kind = self.of(&[
                "Deployment",
                "StatefulSet",
                "Service",
                "Widget",
                "ConfigMap",
                ".*",
                "Deployment|CronJob",
            ]);
            let mut patch = String::new();
            if self.one_in(3) {
                let operation = self.of(&[
                    "- {op: add, path: /metadata/annotations/x, value: \"1\"}",
                    "- {op: add, path: /metadata/labels, value: {new: l}}",
                    "- {op: replace, path: /metadata/name, value: renamed}",
                    "- {op: add, path: /spec, value: {n: 12345678, f: 1.5, s: \"1\"}}",
                    "- {op: remove, path: /metadata/annotations}",
                    "- {op: test, path: /kind, value: Deployment}",
                ]);
                writeln!(patch, "    {operation}").unwrap();
            } else {
                let body = self.strategic();
                writeln!(
                    patch,
                    "    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      name: any"
                )
                .unwrap();
                patch.push_str(&body);
            }
            if text.is_empty() {
                text.push_str("patches:\n");
            }
            write!(text, "- target: {{kind: '{kind}'}}\n  patch: |\n{patch}").unwrap();
        }
        text
    }

    fn strategic(&mut self) -> String {
        let all = [
            "      labels: {app: patched, tier: null}\n",
            "      annotations:\n        note: \"1\"\n        x: null\n",
            "    spec:\n      replicas: 7\n",
            "    spec:\n      template:\n        spec:\n          containers:\n          - name: main\n            image: patched:1\n            env:\n            - name: A\n              value: \"2\"\n            - name: Z\n              value: z\n",
            "    spec:\n      template:\n        spec:\n          containers:\n          - name: new\n            image: new\n          - name: main\n            $patch: delete\n",
            "    spec:\n      template:\n        spec:\n          containers:\n          - name: main\n            ports:\n            - containerPort: 80\n              protocol: TCP\n              name: http\n            - containerPort: 9\n            resources:\n              limits: {cpu: 1}\n",
            "    spec:\n      template:\n        spec:\n          volumes:\n          - name: v\n            configMap: null\n            emptyDir: {}\n          - name: w\n            secret: {secretName: api}\n",
            "    spec:\n      ports:\n      - port: 80\n        targetPort: 8080\n      - port: 81\n",
            "    spec:\n      $patch: replace\n      a: 1\n",
            "    spec:\n      a: \"5\"\n      b: 6\n      c: {d: null, e: []}\n      list:\n      - name: three\n",
            "    data:\n      a: changed\n      b: null\n      new: \"1\"\n",
            "    $patch: delete\n",
            "    spec:\n      template:\n        metadata:\n          labels: {app: pod, env: \"2\"}\n",
            "    spec:\n      selector:\n        matchLabels: {app: sel}\n",
        ];
        self.of(&all).to_owned()
    }

    fn replacement(&mut self) -> String {
        let source = self.of(&[
            "  sourceValue: given\n",
            "  sourceValue: \"5\"\n",
            "  source: {kind: Deployment, fieldPath: metadata.name}\n",
            "  source: {kind: Service, fieldPath: spec.ports.0.port}\n",
        ]);
        let target = self.of(&[
            "  - select: {kind: Deployment}\n    fieldPaths: [metadata.labels.app]\n    options: {create: true}\n",
            "  - select: {kind: Widget}\n    fieldPaths: [spec.a, \"spec.list.[name=one].v\"]\n",
            "  - select: {kind: Deployment}\n    fieldPaths: [spec.template.spec.containers.*.image]\n    options: {delimiter: ':', index: 1}\n",
            "  - select: {kind: ConfigMap}\n    fieldPaths: [data.new]\n    options: {create: true}\n",
        ]);
        format!("replacements:\n- targets:\n{target}{source}")
    }
}
