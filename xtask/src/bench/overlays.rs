//! Kustomizations beside real kubectl, in the same run: the mission's overlay, and trees of overlays
//! with more and more resources.
//!
//! Read [`table`]. In process is measured by this program itself, which is optimised; the whole
//! process is `tiphys render`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kustomize::{Options, build};
use manifest::{Recorder, TreePath};

use super::pace::{corpora, growth, in_turns, shown, write};
use super::{Scratch, median};
use crate::replay::charts::command::files_of_folder;

/// Builds in one process; the median counts.
const N_BUILDS: usize = 15;
/// Resources of the trees.
const SIZES: [usize; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// kubectl's time grows with the square of them: minutes, from here on.
const MAX_BESIDE: usize = 2_000;
/// Resources of one of their leaves, and leaves of one overlay in the middle.
const LEAF: usize = 50;
const LEAVES: usize = 10;

/// Measures and prints the table.
///
/// # Errors
/// When a kustomization cannot be built.
pub(super) fn table(binary: &Path) -> Result<()> {
    println!("| kustomization | budget | in process | whole process | kubectl's | ratio |");
    println!("|---|---|---|---|---|---|");
    let harvis = corpora().join("seed-repos/harvis");
    if harvis.is_dir() {
        let place = (harvis.as_path(), "k8s-manifests/overlays/prod");
        let budget = "<= 3 ms, process <= 15 ms";
        row(
            binary,
            ("Harvis, production", budget),
            place,
            Some("kubectl"),
        )?;
    } else {
        println!("| skipped: the mission's repository is not here | | | | | |");
    }
    let mut points = Vec::new();
    for n_resources in SIZES {
        let folder = Scratch::new("overlays")?;
        fill(&folder.0, n_resources)?;
        let budget = match n_resources {
            4_000 => "<= 500 ms",
            _ => "linear",
        };
        let what = format!("tree of {n_resources} resources");
        let beside = (n_resources <= MAX_BESIDE).then_some("kubectl");
        let time = row(binary, (&what, budget), (&folder.0, "top"), beside)?;
        points.push((n_resources, time));
    }
    println!("trees, by resources: in process {}", growth(&points));
    Ok(())
}

/// Measures one folder of a tree and prints its line; gives the time in process.
fn row(
    binary: &Path,
    (what, budget): (&str, &str),
    (root, folder): (&Path, &str),
    beside: Option<&str>,
) -> Result<Duration> {
    let inside = in_process(root, folder)?;
    let target = root.join(folder);
    let state = Scratch::new("state")?;
    let ours = || {
        let mut command = Command::new(binary);
        command.arg("render").arg(&target);
        command.env("XDG_STATE_HOME", &state.0);
        command
    };
    let theirs = |kubectl: &Path| {
        let mut command = Command::new(kubectl);
        command.arg("kustomize").arg(&target);
        command
    };
    let (ours, theirs) = in_turns(&ours, beside, &theirs)?;
    let beside = match theirs {
        Some(theirs) => {
            let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
            format!("{} | {ratio:.1}", shown(theirs))
        }
        None => "not run | -".to_owned(),
    };
    let [inside_text, ours] = [inside, ours].map(shown);
    println!("| {what} | {budget} | {inside_text} | {ours} | {beside} |");
    Ok(inside)
}

fn in_process(root: &Path, folder: &str) -> Result<Duration> {
    let files = files_of_folder(root);
    let path = TreePath::parse(folder)?;
    let mut times = Vec::new();
    for _ in 0..N_BUILDS {
        let began = Instant::now();
        let text = match build(&Recorder::new(&files), &path, &Options::default()) {
            Ok(built) => built.text(),
            Err(error) => bail!("{folder}: {error}"),
        };
        times.push(began.elapsed());
        if text.is_empty() {
            bail!("{folder}: nothing was built");
        }
    }
    Ok(median(times))
}

/// Writes a tree of overlays: leaves with prefixes and labels, overlays over ten of them with images
/// and annotations, and one over all with a namespace and a prefix.
fn fill(root: &Path, n_resources: usize) -> Result<()> {
    let n_leaves = n_resources / LEAF;
    for leaf in 0..n_leaves {
        let first = leaf * LEAF / 2;
        let all: String = (first..first + LEAF / 2)
            .map(|number| PAIR.replace("NUMBER", &number.to_string()))
            .collect();
        let folder = root.join(format!("leaf-{leaf}"));
        write(&folder.join("all.yaml"), &all)?;
        let text = format!(
            "resources: [all.yaml]\nnamePrefix: l{leaf}-\ncommonLabels: {{leaf: l{leaf}}}\n"
        );
        write(&folder.join("kustomization.yaml"), &text)?;
    }
    let numbers: Vec<usize> = (0..n_leaves).collect();
    let mut middles = Vec::new();
    for (number, leaves) in numbers.chunks(LEAVES).enumerate() {
        let leaves: Vec<String> = leaves.iter().map(|it| format!("../leaf-{it}")).collect();
        let text = format!(
            "resources: [{}]\ncommonAnnotations: {{middle: m{number}}}\n\
             images: [{{name: example, newTag: '2'}}]\n",
            leaves.join(", ")
        );
        write(
            &root.join(format!("middle-{number}/kustomization.yaml")),
            &text,
        )?;
        middles.push(format!("../middle-{number}"));
    }
    let middles = middles.join(", ");
    let text = format!("resources: [{middles}]\nnamespace: space\nnamePrefix: t-\n");
    write(&root.join("top/kustomization.yaml"), &text)
}

/// Two resources, one of which names the other.
const PAIR: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: dNUMBER
spec:
  selector:
    matchLabels: {app: dNUMBER}
  template:
    metadata:
      labels: {app: dNUMBER}
    spec:
      containers:
      - name: main
        image: example:1
        envFrom:
        - configMapRef: {name: mNUMBER}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: mNUMBER
data:
  key: value
";
