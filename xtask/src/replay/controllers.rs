//! Part D: what controllers do, as recorded from a real kube-controller-manager.
//!
//! Owns the reading of `controllers/*.json` and the running of their actions; the README of the
//! corpus is the specification. A scenario on our own server has one for itself, so that objects
//! without a namespace do not meet.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use sandbox::{Controllers, Options};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::client::{Client, Request, body};
use super::compare::pointed;
use super::matching::sets;
use super::target::Target;
use super::{Arguments, Case, in_parallel};

/// The part of the corpus that these scenarios are.
const PART: &str = "D";
/// The folder of these scenarios in the corpus.
const FOLDER: &str = "controllers";
/// Nothing more is expected when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(1_500);
/// A server that never gets quiet is looked at as it is after this long.
const LONGEST: Duration = Duration::from_secs(20);
/// Waits that name no limit.
const PATIENCE_SECONDS: u64 = 25;
/// Between two looks at the same thing.
const PAUSE: Duration = Duration::from_millis(50);
/// What a namespace holds from the start; the watches begin after that.
const FIRST_OBJECTS: [&str; 2] = ["serviceaccounts/default", "configmaps/kube-root-ca.crt"];

#[derive(Deserialize)]
struct Scenario {
    name: String,
    #[serde(default = "yes")]
    namespace: bool,
    watch: Vec<String>,
    actions: Vec<Action>,
    #[serde(default)]
    teardown: Vec<Action>,
    events: BTreeMap<String, Vec<Json>>,
    #[serde(rename = "final")]
    end: BTreeMap<String, Vec<Json>>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Action {
    request: Option<Recorded>,
    #[serde(default = "accepted")]
    ok: Vec<u16>,
    wait: Option<Wait>,
    pods: Option<Pods>,
}

fn accepted() -> Vec<u16> {
    vec![200, 201, 202, 404, 409]
}

#[derive(Deserialize)]
struct Recorded {
    method: String,
    path: String,
    #[serde(default)]
    query: Map<String, Json>,
    #[serde(default)]
    headers: Map<String, Json>,
    body: Option<Json>,
}

#[derive(Deserialize)]
struct Wait {
    path: String,
    status: Option<u16>,
    count: Option<usize>,
    pointer: Option<String>,
    #[serde(default)]
    equals: Json,
    timeout_s: Option<u64>,
}

/// A phase that pods get, as from a kubelet.
#[derive(Deserialize)]
struct Pods {
    count: usize,
    to: String,
    from: Option<String>,
    selector: Option<String>,
}

/// Replays the controller scenarios of a corpus' folder, if it has any.
///
/// # Errors
/// When the folder cannot be read or no server can be reached; a scenario that fails is no error.
pub(super) fn replay(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let scenarios = load(&folder.join(FOLDER), arguments)?;
    if arguments.server.is_some() {
        let Some(url) = &arguments.controllers else {
            return Ok(Vec::new());
        };
        let client = Client::new(url, arguments.token.as_deref())?;
        let cases = scenarios.iter().map(|scenario| case(&client, scenario));
        return Ok(cases.collect());
    }
    in_parallel(&scenarios, |scenario| {
        let target = Target::new(arguments, options())?;
        Ok(case(&target.client()?, scenario))
    })
}

/// No nodes: the recordings play the kubelet themselves.
fn options() -> Options {
    Options {
        controllers: Controllers::On { nodes: 0 },
        ..Options::in_memory()
    }
}

fn load(folder: &Path, arguments: &Arguments) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    if !folder.is_dir() {
        return Ok(scenarios);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let scenario: Scenario = serde_json::from_str(&fs::read_to_string(&path)?)
            .with_context(|| format!("{} is no controller scenario", path.display()))?;
        if arguments.wants(&scenario.name) {
            scenarios.push(scenario);
        }
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

fn case(client: &Client, scenario: &Scenario) -> Case {
    let mut run = Run {
        client,
        namespace: &scenario.name,
        seen: BTreeMap::new(),
        count: Arc::default(),
        n_addresses: 0,
    };
    let differences = run.all(scenario);
    for action in &scenario.teardown {
        // What a failed scenario leaves behind is in a namespace of its own.
        drop(run.act(action));
    }
    Case {
        name: scenario.name.clone(),
        part: PART.to_owned(),
        differences: differences.unwrap_or_else(|error| vec![format!("{error:#}")]),
    }
}

/// The types of the events of one collection.
type Seen = Arc<Mutex<Vec<String>>>;

struct Run<'a> {
    client: &'a Client,
    namespace: &'a str,
    seen: BTreeMap<String, Seen>,
    count: Arc<AtomicUsize>,
    n_addresses: usize,
}

impl Run<'_> {
    fn all(&mut self, scenario: &Scenario) -> Result<Vec<String>> {
        if scenario.namespace {
            self.make_namespace()?;
        }
        for path in &scenario.watch {
            self.follow(path)?;
        }
        for action in &scenario.actions {
            self.act(action)?;
        }
        self.settle();
        let mut found = Vec::new();
        for path in &scenario.watch {
            found.extend(self.compare(scenario, path)?);
        }
        Ok(found)
    }

    fn make_namespace(&self) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        self.call("POST", "/api/v1/namespaces", Some(&namespace))?;
        for path in FIRST_OBJECTS {
            self.wait(&Wait {
                path: format!("/api/v1/namespaces/{}/{path}", self.namespace),
                status: Some(200),
                count: None,
                pointer: None,
                equals: Json::Null,
                timeout_s: None,
            })?;
        }
        Ok(())
    }

    fn send(&self, request: &Request) -> Result<(u16, Json)> {
        let response = self.client.send(request)?;
        let status = response.status().as_u16();
        let bytes = body(response)?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Json>) -> Result<(u16, Json)> {
        self.send(&Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: body.map(|body| body.to_string().into_bytes()),
        })
    }

    fn follow(&mut self, path: &str) -> Result<()> {
        let (_, list) = self.call("GET", path, None)?;
        let version = pointed(&list, "/metadata/resourceVersion").and_then(Json::as_str);
        let query = [
            ("watch", "1"),
            ("resourceVersion", version.unwrap_or_default()),
        ];
        let response = self.client.send(&Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: query
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            headers: Vec::new(),
            body: None,
        })?;
        let seen = Seen::default();
        let (sink, count) = (Arc::clone(&seen), Arc::clone(&self.count));
        self.seen.insert(path.to_owned(), seen);
        // Ends with the server's stream, at the latest after the client's timeout.
        thread::spawn(move || {
            for line in BufReader::new(response).lines().map_while(Result::ok) {
                let event: Json = serde_json::from_str(&line).unwrap_or_default();
                let kind = event.get("type").and_then(Json::as_str).unwrap_or_default();
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(kind.to_owned());
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    /// Waits until nothing has happened for a while.
    fn settle(&self) {
        let end = Instant::now() + LONGEST;
        let (mut last, mut since) = (usize::MAX, Instant::now());
        while since.elapsed() < QUIET && Instant::now() < end {
            let now = self.count.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            thread::sleep(PAUSE);
        }
    }

    fn act(&mut self, action: &Action) -> Result<()> {
        if let Some(recorded) = &action.request {
            return self.request(recorded, &action.ok);
        }
        if let Some(wait) = &action.wait {
            return self.wait(wait);
        }
        if let Some(pods) = &action.pods {
            return self.pods(pods);
        }
        self.settle();
        Ok(())
    }

    fn request(&self, recorded: &Recorded, ok: &[u16]) -> Result<()> {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (method, path) = (recorded.method.clone(), recorded.path.clone());
        let (status, answer) = self.send(&Request {
            query: recorded
                .query
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            headers: recorded
                .headers
                .iter()
                .map(|(key, value)| (key.clone(), Some(text(value))))
                .collect(),
            body: recorded
                .body
                .as_ref()
                .map(|body| body.to_string().into_bytes()),
            method: method.clone(),
            path: path.clone(),
        })?;
        if !ok.contains(&status) {
            bail!("{method} {path} gave {status}: {answer}");
        }
        Ok(())
    }

    fn wait(&self, wait: &Wait) -> Result<()> {
        let limit = Duration::from_secs(wait.timeout_s.unwrap_or(PATIENCE_SECONDS));
        let end = Instant::now() + limit;
        loop {
            let (status, answer) = self.call("GET", &wait.path, None)?;
            let count = answer.get("items").and_then(Json::as_array).map(Vec::len);
            let met = match (wait.status, wait.count, &wait.pointer) {
                (Some(wanted), ..) => status == wanted,
                (_, Some(wanted), _) => count == Some(wanted),
                (_, _, Some(pointer)) => pointed(&answer, pointer) == Some(&wait.equals),
                (None, None, None) => true,
            };
            if met {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("waited in vain for {}: {answer}", wait.path);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Does what a kubelet would: gives the next pods in order of change another phase.
    fn pods(&mut self, pods: &Pods) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let end = Instant::now() + LONGEST;
        let found = loop {
            let found = self.pods_to_change(&path, pods)?;
            if found.len() >= pods.count {
                break found;
            }
            if Instant::now() > end {
                bail!("only {} pods", found.len());
            }
            thread::sleep(PAUSE);
        };
        for pod in found.iter().take(pods.count) {
            self.n_addresses += 1;
            let status = json!({"status": pod_status(pod, &pods.to, self.n_addresses)});
            let name = pointed(pod, "/metadata/name").and_then(Json::as_str);
            let patch = "application/strategic-merge-patch+json";
            self.send(&Request {
                method: "PATCH".to_owned(),
                path: format!("{path}/{}/status", name.unwrap_or_default()),
                query: Vec::new(),
                headers: vec![("content-type".to_owned(), Some(patch.to_owned()))],
                body: Some(status.to_string().into_bytes()),
            })?;
            self.settle();
        }
        Ok(())
    }

    fn pods_to_change(&self, path: &str, pods: &Pods) -> Result<Vec<Json>> {
        let selector = pods.selector.iter();
        let (_, list) = self.send(&Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: selector
                .map(|selector| ("labelSelector".to_owned(), selector.clone()))
                .collect(),
            headers: Vec::new(),
            body: None,
        })?;
        let from = pods.from.as_deref().unwrap_or("Pending");
        let mut found: Vec<Json> = items(&list)
            .iter()
            .filter(|pod| pointed(pod, "/status/phase").is_some_and(|phase| phase == from))
            .filter(|pod| pointed(pod, "/metadata/deletionTimestamp").is_none())
            .cloned()
            .collect();
        found.sort_by_key(version);
        Ok(found)
    }

    /// The objects at the end as a set, and how many came and went.
    fn compare(&self, scenario: &Scenario, path: &str) -> Result<Vec<String>> {
        let (_, list) = self.call("GET", path, None)?;
        let text = |key: &str| list.get(key).and_then(Json::as_str).unwrap_or_default();
        let kind = text("kind").trim_end_matches("List");
        let got: Vec<Json> = items(&list)
            .iter()
            .map(|item| trimmed(item, text("apiVersion"), kind))
            .collect();
        let none = Vec::new();
        let want = scenario.end.get(path).unwrap_or(&none);
        let want: Vec<Json> = want
            .iter()
            .map(|item| trimmed(item, text("apiVersion"), kind))
            .collect();
        let mut found: Vec<String> = sets(&want, &got)
            .map(|difference| format!("{path}: {difference}"))
            .into_iter()
            .collect();
        if path.ends_with("/events") {
            return Ok(found);
        }
        let seen = self.seen.get(path).context("a watch was opened")?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = scenario.events.get(path).unwrap_or(&none);
        for kind in ["ADDED", "DELETED"] {
            let want = recorded
                .iter()
                .filter(|event| event["type"] == kind)
                .count();
            let got = seen.iter().filter(|known| *known == kind).count();
            if want != got {
                found.push(format!("{path}: expected {want} events {kind}, got {got}"));
            }
        }
        Ok(found)
    }
}

fn items(list: &Json) -> &[Json] {
    let items = list.get("items").and_then(Json::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

fn version(object: &Json) -> u64 {
    pointed(object, "/metadata/resourceVersion")
        .and_then(Json::as_str)
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

/// An object without what part D leaves out.
fn trimmed(item: &Json, api_version: &str, kind: &str) -> Json {
    let mut item = item.clone();
    item["apiVersion"] = api_version.into();
    item["kind"] = kind.into();
    let is_root_ca = item["metadata"]["name"] == "kube-root-ca.crt";
    if let Some(metadata) = item["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if let Some(object) = item.as_object_mut() {
        if kind == "Event" {
            object.remove("count");
        }
        if is_root_ca {
            object.remove("data");
        }
    }
    item
}

/// What a kubelet reports about a pod in that phase.
fn pod_status(pod: &Json, phase: &str, number: usize) -> Json {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let running = phase == "Running";
    let containers = pointed(pod, "/spec/containers").and_then(Json::as_array);
    let statuses: Vec<Json> = containers
        .into_iter()
        .flatten()
        .map(|container| {
            let mut status = json!({"name": container["name"], "image": container["image"],
                "imageID": "", "ready": running, "restartCount": 0});
            if running {
                status["started"] = true.into();
                status["state"] = json!({"running": {"startedAt": now}});
            } else {
                let code = i64::from(phase != "Succeeded");
                status["state"] = json!({"terminated":
                    {"exitCode": code, "startedAt": now, "finishedAt": now}});
            }
            status
        })
        .collect();
    let mut status = json!({"phase": phase, "containerStatuses": statuses});
    if running {
        let address = format!("10.0.0.{number}");
        status["podIPs"] = json!([{"ip": address}]);
        status["podIP"] = address.into();
        status["conditions"] =
            json!([{"type": "Ready", "status": "True", "lastTransitionTime": now}]);
        status["startTime"] = now.into();
    }
    status
}
