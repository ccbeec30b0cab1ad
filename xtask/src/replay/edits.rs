//! Random edits of random objects: recorded on a real server once, replayed on ours ever after.
//!
//! Owns the file of recorded runs and the recording of new ones; a run is a scenario of the corpus
//! `kubernetes-api`, so everything else is that module's. The judge is the real server: what it does
//! not answer the same way twice is not recorded.

mod generate;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use sandbox::Options;
use serde_json::{Value as Json, json};

use self::generate::Grammar;
use super::client::Client;
use super::kubernetes_api::{Runner, Scenario, run};
use super::target::Target;
use super::{Arguments, Case, in_parallel};

/// The recorded runs: one scenario a line.
const FILE: &str = "runs.jsonl.zst";
const PART: &str = "runs";
/// The file is written once and read at every test.
const COMPRESSION: i32 = 19;
/// Far beyond what any recording needs.
const MAX_BYTES: u64 = 256 << 20;

/// Which runs to record, and on which server.
#[derive(Args)]
pub(crate) struct RecordArguments {
    /// A folder; its file of runs is replaced
    folder: PathBuf,
    /// A fresh real kube-apiserver without controllers
    #[arg(long, value_name = "URL")]
    server: String,
    /// Its bearer token
    #[arg(long)]
    token: String,
    /// How many runs
    #[arg(long, default_value_t = 2000)]
    runs: u64,
    /// The first seed; every run has the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Replays the runs of a folder.
///
/// # Errors
/// When the file cannot be read or no server can be reached.
pub(super) fn replay(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let path = folder.join(FILE);
    let file = fs::File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    zstd::Decoder::new(file)?
        .take(MAX_BYTES)
        .read_to_string(&mut text)?;
    let target = Target::new(arguments, Options::in_memory())?;
    let runs: Vec<&str> = text.lines().collect();
    replay_runs(&target.client()?, &runs, arguments)
}

fn replay_runs(client: &Client, runs: &[&str], arguments: &Arguments) -> Result<Vec<Case>> {
    prepare(client)?;
    let mut scenarios = Vec::new();
    for line in runs {
        let scenario: Scenario = serde_json::from_str(line).context("a run is a scenario")?;
        if arguments.wants(&scenario.name) {
            scenarios.push(scenario);
        }
    }
    in_parallel(&scenarios, |scenario: &Scenario| {
        Ok(Case {
            name: scenario.name.clone(),
            part: PART.to_owned(),
            differences: run(client, scenario),
        })
    })
}

/// Records runs and writes their file.
///
/// # Errors
/// When the server cannot be reached or the file not be written.
pub(crate) fn record(arguments: &RecordArguments) -> Result<()> {
    let client = Client::new(&arguments.server, Some(&arguments.token))?;
    let mut runs = Vec::new();
    let mut seed = arguments.seed;
    let wanted = usize::try_from(arguments.runs)?;
    while runs.len() < wanted {
        let missing = u64::try_from(wanted - runs.len())?;
        let seeds: Vec<u64> = (seed..seed + missing).collect();
        seed += missing;
        let more = recorded(&client, &seeds)?;
        if more.is_empty() {
            bail!("the server answers no run, or none the same way twice");
        }
        runs.extend(more);
        println!("{} of {wanted} runs recorded", runs.len());
    }
    let mut out = zstd::Encoder::new(Vec::new(), COMPRESSION)?;
    for run in &runs {
        writeln!(out, "{run}")?;
    }
    fs::create_dir_all(&arguments.folder)?;
    let path = arguments.folder.join(FILE);
    fs::write(&path, out.finish()?).with_context(|| format!("cannot write {}", path.display()))
}

/// The runs of these seeds that the server answers the same way twice.
fn recorded(client: &Client, seeds: &[u64]) -> Result<Vec<String>> {
    prepare(client)?;
    let grammar = Grammar::new()?;
    // The text of a run travels as its name.
    let twice = |seed: &u64| {
        let (name, differences) = match answered(client, *seed, &grammar.run(*seed)) {
            Ok(text) => {
                let again: Scenario = serde_json::from_str(&text)?;
                (text, run(client, &again))
            }
            // Some requests make the real server drop the connection.
            Err(error) => (String::new(), vec![format!("{error:#}")]),
        };
        Ok(Case {
            name,
            part: PART.to_owned(),
            differences,
        })
    };
    let runs = in_parallel(seeds, twice)?;
    let stable = runs.into_iter().filter(|run| run.differences.is_empty());
    Ok(stable.map(|run| run.name).collect())
}

/// One run with the server's answers, as a line; the object is gone afterwards.
fn answered(client: &Client, seed: u64, requests: &[Json]) -> Result<String> {
    let unanswered: Vec<Json> = requests
        .iter()
        .map(|request| json!({"request": request, "response": null}))
        .collect();
    let path = requests.iter().find(|request| request["method"] != "POST");
    let path = path.map_or(Json::Null, |request| request["path"].clone());
    let unfinalized = json!([{"op": "add", "path": "/metadata/finalizers", "value": []}]);
    let mut scenario = json!({
        "name": format!("edits-{seed}"),
        "part": PART,
        "steps": unanswered,
        "teardown": [
            {"request": {"method": "PATCH", "path": path, "body": unfinalized,
                "headers": {"content-type": "application/json-patch+json"}}, "ok": [200, 404, 422]},
            {"request": {"method": "DELETE", "path": path, "query": {"gracePeriodSeconds": "0"}}},
        ],
    });
    let parsed: Scenario = serde_json::from_str(&scenario.to_string())?;
    let mut runner = Runner::new(client);
    let steps = scenario["steps"].as_array_mut().context("are a list")?;
    for (step, written) in parsed.steps.iter().zip(steps) {
        let answer = runner.step(step)?;
        if let Some(compare) = open_order(&answer) {
            written["compare"] = compare;
        }
        written["response"] = answer;
    }
    runner.setup(&parsed.teardown)?;
    Ok(scenario.to_string())
}

/// What the real server leaves to chance: the order in which several managers, and the errors of a
/// CRD's schema, are named.
fn open_order(answer: &Json) -> Option<Json> {
    let body = answer.get("body")?;
    match body.get("reason")?.as_str()? {
        "Conflict" => Some(json!({"ignore": ["/body/message"]})),
        "Invalid" => Some(json!({"causes_any_order": true})),
        _ => None,
    }
}

/// What the runs need beside their own objects.
fn prepare(client: &Client) -> Result<()> {
    let grammar = Grammar::new()?;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let name = grammar.definition()["metadata"]["name"].as_str();
    let name = name.context("the grammar has a definition")?;
    let create = |path: &str, body: &Json| json!({"request": {"method": "POST", "path": path, "body": body}, "ok": [201, 409]});
    let named = |name: &str| json!({"metadata": {"name": name}});
    let established =
        json!({"pointer": "/status/conditions/type=Established/status", "equals": "True"});
    let steps = json!([
        create(definitions, grammar.definition()),
        {"request": {"method": "GET", "path": format!("{definitions}/{name}")}, "until": established},
        {"request": {"method": "GET", "path": "/apis/edits.example.com/v1/widgets"}, "ok": [200]},
        create("/api/v1/namespaces", &named("edits-other")),
        create("/api/v1/namespaces/default/serviceaccounts", &named("default")),
    ]);
    let steps: Vec<_> = serde_json::from_str(&steps.to_string())?;
    Runner::new(client).setup(&steps)
}

/// Records runs on one server and replays them on another.
///
/// # Errors
/// When one of them cannot be reached.
#[cfg(test)]
pub(super) fn compare(real: &Client, arguments: &Arguments, seeds: &[u64]) -> Result<Vec<Case>> {
    let runs = recorded(real, seeds)?;
    let lines: Vec<&str> = runs.iter().map(String::as_str).collect();
    let target = Target::new(arguments, Options::in_memory())?;
    replay_runs(&target.client()?, &lines, arguments)
}
