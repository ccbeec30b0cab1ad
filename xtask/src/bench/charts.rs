//! Charts beside real helm, in the same run: the mission's chart, one of the size of the largest
//! public ones, and umbrellas of more and more subcharts that use `tpl`.
//!
//! Read [`table`]. In process is measured by this program itself, which is optimised; the whole
//! process is `tiphys render`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use helm::{Chart, Release, Values, render};
use manifest::TreePath;

use super::pace::{corpora, growth, in_turns, shown, write};
use super::{Scratch, median};
use crate::replay::charts::command::{files_of_folder, on_deep_stack, world};

/// Renders in one process; the median counts.
const N_RENDERS: usize = 15;
/// Subcharts of the umbrellas.
const SIZES: [usize; 4] = [15, 30, 60, 120];

/// A chart on disk and what is measured of it.
struct Subject {
    what: String,
    budget: &'static str,
    chart: PathBuf,
    values: Option<PathBuf>,
}

/// What was measured of a chart.
struct Times {
    /// Nothing of the chart is known: from its files to manifests.
    cold: Duration,
    /// The same values again, with the chart in memory.
    warm: Duration,
    ours: Duration,
    /// Real helm, where it is installed.
    helm: Option<Duration>,
}

/// Measures and prints the tables.
///
/// # Errors
/// When a chart cannot be rendered.
pub(super) fn table(binary: &Path) -> Result<()> {
    println!("| chart | budget | cold | warm | whole process | helm's | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for subject in [mission(), large()] {
        match subject {
            Ok((subject, _folder)) => measured(binary, &subject).map(|_| ())?,
            Err(problem) => println!("| skipped: {problem:#} | | | | | | |"),
        }
    }
    let mut points = Vec::new();
    for n_subcharts in SIZES {
        let folder = umbrella(n_subcharts)?;
        let subject = Subject {
            what: format!("umbrella of {n_subcharts} subcharts with `tpl`"),
            budget: "linear",
            chart: folder.0.clone(),
            values: None,
        };
        points.push((n_subcharts, measured(binary, &subject)?));
    }
    let of = |time: &dyn Fn(&Times) -> Option<Duration>| -> Vec<(usize, Duration)> {
        let points = points.iter();
        points.filter_map(|(n, it)| Some((*n, time(it)?))).collect()
    };
    println!("umbrellas, by subcharts:");
    println!("- cold {}", growth(&of(&|times| Some(times.cold))));
    println!("- warm {}", growth(&of(&|times| Some(times.warm))));
    println!("- the process {}", growth(&of(&|times| Some(times.ours))));
    println!("- helm's {}", growth(&of(&|times| times.helm)));
    Ok(())
}

/// The chart of the first mission with the values of its `dev` environment, its database included.
fn mission() -> Result<(Subject, Option<Scratch>)> {
    let repository = corpora().join("seed-repos/ai-chatbot-infra");
    let chart = repository.join("helm/ai-chatbot");
    if !chart.is_dir() {
        bail!("the mission's repository is not here");
    }
    let subject = Subject {
        what: "chatbot".to_owned(),
        budget: "cold <= 3 ms, warm <= 1 ms, process <= 15 ms",
        values: Some(repository.join("gitops/dev/values.yaml")),
        chart,
    };
    Ok((subject, None))
}

/// kube-prometheus-stack, with an empty chart in place of its definitions, which the corpus leaves
/// out.
fn large() -> Result<(Subject, Option<Scratch>)> {
    let source = corpora().join("charts/charts/prometheus-community/kube-prometheus-stack");
    if !source.is_dir() {
        bail!("the corpus of charts is not here");
    }
    let folder = Scratch::new("large")?;
    copy(&source, &folder.0)?;
    write(
        &folder.0.join("charts/crds/Chart.yaml"),
        "apiVersion: v2\nname: crds\nversion: 0.0.0\n",
    )?;
    let subject = Subject {
        what: "kube-prometheus-stack".to_owned(),
        budget: "process 20 times faster than helm's",
        chart: folder.0.clone(),
        values: None,
    };
    Ok((subject, Some(folder)))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Values are as unlike as those of real services: each subchart has texts of its own for `tpl`.
fn umbrella(n_subcharts: usize) -> Result<Scratch> {
    let folder = Scratch::new("umbrella")?;
    let mut chart = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n".to_owned();
    for number in 0..n_subcharts {
        let name = format!("service-{number}");
        chart.push_str(&format!("- {{name: {name}, version: 1.0.0}}\n"));
        let within = folder.0.join("charts").join(&name);
        let files = [
            (
                "Chart.yaml",
                format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
            ),
            ("values.yaml", VALUES.replace("NUMBER", &number.to_string())),
            ("templates/_helpers.tpl", HELPERS.replace("NAME", &name)),
            ("templates/all.yaml", TEMPLATE.replace("NAME", &name)),
        ];
        for (name, text) in files {
            write(&within.join(name), &text)?;
        }
    }
    write(&folder.0.join("Chart.yaml"), &chart)?;
    write(
        &folder.0.join("values.yaml"),
        "global: {domain: example.org}\n",
    )?;
    Ok(folder)
}

const VALUES: &str = r#"replicas: 2
host: "service-NUMBER.{{ .Values.global.domain }}"
annotations:
  url: "https://{{ tpl .Values.host . }}/NUMBER"
  release: "{{ .Release.Name }}-NUMBER"
env:
  NAME: "{{ .Chart.Name }}"
  HOST: "{{ .Values.host }}"
  LEVEL: info
"#;

const HELPERS: &str = r#"{{- define "NAME.labels" -}}
app: {{ .Chart.Name }}
release: {{ .Release.Name | quote }}
{{- end }}
"#;

const TEMPLATE: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-NAME
  labels: {{- include "NAME.labels" . | nindent 4 }}
  annotations: {{- tpl (toYaml .Values.annotations) $ | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "NAME.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "NAME.labels" . | nindent 8 }}
    spec:
      containers:
      - name: main
        image: "example/{{ .Chart.Name }}:{{ .Chart.Version }}"
        env:
        {{- range $name, $value := .Values.env }}
        - name: {{ $name }}
          value: {{ tpl $value $ | quote }}
        {{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-NAME
data:
  host: {{ tpl .Values.host . }}
"#;

/// Measures a chart and prints its line.
fn measured(binary: &Path, subject: &Subject) -> Result<Times> {
    let (cold, warm) = in_process(subject)?;
    let (ours, helm) = processes(binary, subject)?;
    let times = Times {
        cold,
        warm,
        ours,
        helm,
    };
    let beside = match helm {
        Some(helm) => {
            let ratio = helm.as_secs_f64() / ours.as_secs_f64();
            format!("{} | {ratio:.1}", shown(helm))
        }
        None => "not installed | -".to_owned(),
    };
    let Subject { what, budget, .. } = subject;
    let [cold, warm, ours] = [cold, warm, ours].map(shown);
    println!("| {what} | {budget} | {cold} | {warm} | {ours} | {beside} |");
    Ok(times)
}

fn in_process(subject: &Subject) -> Result<(Duration, Duration)> {
    let files = files_of_folder(&subject.chart);
    let values = match &subject.values {
        Some(path) => Values::parse(&fs::read_to_string(path)?)?,
        None => Values::new(),
    };
    let release = Release {
        name: "release-name".to_owned(),
        namespace: "default".to_owned(),
        is_upgrade: false,
        revision: 1,
    };
    on_deep_stack(move || {
        let world = world();
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..N_RENDERS {
            let began = Instant::now();
            let chart = Chart::load(&files, &TreePath::root())?;
            render(&chart, &values, &release, &world)?;
            cold.push(began.elapsed());
            let began = Instant::now();
            render(&chart, &values, &release, &world)?;
            warm.push(began.elapsed());
        }
        Ok((median(cold), median(warm)))
    })
}

/// Our process and helm's.
fn processes(binary: &Path, subject: &Subject) -> Result<(Duration, Option<Duration>)> {
    let state = Scratch::new("charts")?;
    let command = |program: &Path, before: &[&str]| {
        let mut command = Command::new(program);
        command.args(before).arg(&subject.chart);
        if let Some(values) = &subject.values {
            command.arg("-f").arg(values);
        }
        command.env("XDG_STATE_HOME", &state.0);
        command
    };
    let ours = || command(binary, &["render"]);
    let theirs = |helm: &Path| command(helm, &["template", "release-name"]);
    in_turns(&ours, Some("helm"), &theirs)
}
