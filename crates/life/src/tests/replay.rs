//! Part D of the recordings: what controllers do, replayed against a sandbox with ours.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;
use yaml::{Map, Value};

use sandbox::Server;

use super::matching::{sets, without_zeros};
use crate::client::{Api, ApiError, Call, Event};
use crate::fields::{int, items, map, text};
use crate::{Clock, Options, start};

/// What the recording calls settled: nothing happened for 1.5 s there, for this long here, where
/// everything is in one process.
const QUIET: Duration = Duration::from_millis(500);
/// A request of the recordings took the real server some 10 ms, in which its controllers went on.
const STEP: Duration = Duration::from_millis(25);
/// Conditions are waited for this long; far beyond what any takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// The rates only go up: scenarios that agree but for zero values that the server leaves out, and those
/// that agree exactly.
const LEAST_PASSED: usize = 25;
const LEAST_EXACT: usize = 25;
const LEAST_PASSED_OF_OURS: usize = 121;
const LEAST_EXACT_OF_OURS: usize = 121;
/// Scenarios replayed at once, each on a server of its own: most of their time is waiting.
const AT_ONCE: usize = 12;

struct Seen {
    path: String,
    events: Arc<std::sync::Mutex<Vec<(&'static str, Value)>>>,
}

struct Replay {
    api: Api,
    namespace: String,
    seen: Vec<Seen>,
    count: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
    addresses: u32,
    exact: bool,
}

impl Replay {
    async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        content_type: &str,
    ) -> Result<Value, ApiError> {
        let content_type = match content_type {
            "application/merge-patch+json" => "application/merge-patch+json",
            "application/strategic-merge-patch+json" => "application/strategic-merge-patch+json",
            _ => "application/json",
        };
        let method = Method::from_bytes(method.as_bytes()).expect("is a method");
        self.api
            .call(&Call {
                method,
                path: path.to_owned(),
                content_type,
                body,
                agent: "test/1",
            })
            .await
    }

    async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.call("GET", path, None, "").await
    }

    async fn follow(&mut self, path: &str) -> Result<(), String> {
        let list = self.get(path).await.map_err(|error| error.to_string())?;
        let version = text(&list, &["metadata", "resourceVersion"]).to_owned();
        let watch = self
            .api
            .watch_path(path, &version, "application/json")
            .await;
        let mut watch = watch.map_err(|error| error.to_string())?;
        let events = Arc::default();
        let (sink, count) = (Arc::clone(&events), Arc::clone(&self.count));
        self.seen.push(Seen {
            path: path.to_owned(),
            events,
        });
        let mut known = std::collections::HashSet::new();
        for item in items(&list, &["items"]) {
            known.insert(text(item, &["metadata", "uid"]).to_owned());
        }
        self.tasks.spawn(async move {
            while let Ok(Some(event)) = watch.next().await {
                let event = match event {
                    Event::Present(object) => {
                        let new = known.insert(text(&object, &["metadata", "uid"]).to_owned());
                        (if new { "ADDED" } else { "MODIFIED" }, object)
                    }
                    Event::Gone(object) => ("DELETED", object),
                    Event::Bookmark(_) | Event::Expired => continue,
                };
                sink.lock().expect("nobody panics with it").push(event);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    async fn settle(&self) {
        self.quiet(QUIET).await;
    }

    /// Waits until nothing has happened for that long.
    async fn quiet(&self, time: Duration) {
        let (mut last, mut since) = (usize::MAX, Instant::now());
        let end = Instant::now() + PATIENCE;
        while since.elapsed() < time && Instant::now() < end {
            let now = self.count.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn act(&mut self, action: &Value) -> Result<(), String> {
        if let Some(request) = action.get("request") {
            self.request(action, request).await?;
            self.quiet(STEP).await;
            return Ok(());
        }
        if let Some(wait) = action.get("wait") {
            return self.wait(wait).await;
        }
        if let Some(pods) = action.get("pods") {
            return self.pods(pods).await;
        }
        self.settle().await;
        Ok(())
    }

    async fn request(&self, action: &Value, request: &Value) -> Result<(), String> {
        let query: Vec<String> = request
            .get("query")
            .and_then(Value::as_map)
            .into_iter()
            .flat_map(Map::iter)
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let path = format!("{}?{}", text(request, &["path"]), query.join("&"));
        let content_type = text(request, &["headers", "content-type"]);
        let body = request.get("body").cloned();
        let answer = self
            .call(text(request, &["method"]), &path, body, content_type)
            .await;
        let fine = |code: i64| match action.get("ok").and_then(Value::as_list) {
            Some(list) => list.contains(&Value::Int(code)),
            None => code == 404 || code == 409,
        };
        match answer {
            Err(error) if !error.code().is_some_and(|code| fine(code.into())) => {
                Err(error.to_string())
            }
            _ => Ok(()),
        }
    }

    async fn wait(&self, wait: &Value) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < end {
            let answer = self.get(text(wait, &["path"])).await;
            let met = if let Some(status) = int(wait, &["status"]) {
                let code = answer
                    .as_ref()
                    .err()
                    .and_then(ApiError::code)
                    .unwrap_or(200);
                last = code.to_string();
                i64::from(code) == status
            } else if let Some(count) = int(wait, &["count"]) {
                let found = answer.map_or(0, |list| items(&list, &["items"]).len());
                last = found.to_string();
                i64::try_from(found) == Ok(count)
            } else {
                let value = answer
                    .ok()
                    .and_then(|object| pointer(&object, text(wait, &["pointer"])));
                last = format!("{value:?}");
                value.as_ref() == wait.get("equals")
            };
            if met {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(format!("wait ran out: {wait:?}, last {last}"))
    }

    /// Does what a kubelet would: gives the next pods in order of creation another phase.
    async fn pods(&mut self, pods: &Value) -> Result<(), String> {
        let count = usize::try_from(int(pods, &["count"]).unwrap_or(1)).unwrap_or(1);
        let from = match text(pods, &["from"]) {
            "" => "Pending",
            from => from,
        };
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let selected = match text(pods, &["selector"]) {
            "" => path.clone(),
            selector => format!("{path}?labelSelector={}", selector.replace('=', "%3D")),
        };
        let end = Instant::now() + PATIENCE;
        let found = loop {
            let list = self
                .get(&selected)
                .await
                .map_err(|error| error.to_string())?;
            let mut found: Vec<Value> = items(&list, &["items"])
                .iter()
                .filter(|pod| text(pod, &["status", "phase"]) == from)
                .filter(|pod| pod.at(&["metadata", "deletionTimestamp"]).is_none())
                .cloned()
                .collect();
            found.sort_by_key(|pod| {
                text(pod, &["metadata", "resourceVersion"])
                    .parse::<u64>()
                    .ok()
            });
            if found.len() >= count {
                break found;
            }
            if Instant::now() > end {
                return Err(format!("only {} pods", found.len()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        for pod in found.into_iter().take(count) {
            self.addresses += 1;
            let status = self.pod_status(&pod, text(pods, &["to"]));
            let path = format!("{path}/{}/status", text(&pod, &["metadata", "name"]));
            let body = map([("status", status)]);
            let kind = "application/strategic-merge-patch+json";
            self.call("PATCH", &path, Some(body), kind)
                .await
                .map_err(|error| error.to_string())?;
            self.settle().await;
        }
        Ok(())
    }

    fn pod_status(&self, pod: &Value, to: &str) -> Value {
        let now = crate::time::stamp(jiff::Timestamp::now());
        let running = to == "Running";
        let containers: Vec<Value> = items(pod, &["spec", "containers"])
            .iter()
            .map(|container| {
                let mut status = Map::from([
                    ("name", text(container, &["name"]).into()),
                    ("image", text(container, &["image"]).into()),
                    ("imageID", "".into()),
                    ("ready", running.into()),
                    ("restartCount", 0.into()),
                ]);
                if running {
                    status.insert("started", true);
                    status.insert(
                        "state",
                        map([("running", map([("startedAt", now.clone())]))]),
                    );
                } else {
                    let code = i64::from(to != "Succeeded");
                    let ended = map([
                        ("exitCode", code.into()),
                        ("startedAt", now.clone()),
                        ("finishedAt", now.clone()),
                    ]);
                    status.insert("state", map([("terminated", ended)]));
                }
                Value::Map(status)
            })
            .collect();
        let mut status = Map::from([
            ("phase", to.into()),
            ("containerStatuses", containers.into()),
        ]);
        if running {
            let address = format!("10.0.0.{}", self.addresses);
            status.insert("podIP", address.as_str());
            status.insert("podIPs", vec![map([("ip", address.into())])]);
            status.insert("startTime", now.clone());
            let ready = map([
                ("type", "Ready".into()),
                ("status", "True".into()),
                ("lastTransitionTime", now),
            ]);
            status.insert("conditions", vec![ready]);
        }
        Value::Map(status)
    }

    async fn run(&mut self, scenario: &Value) -> Result<(), String> {
        let namespace = map([
            ("apiVersion", "v1".into()),
            ("kind", "Namespace".into()),
            ("metadata", map([("name", self.namespace.as_str().into())])),
        ]);
        if scenario.get("namespace").and_then(Value::as_bool) != Some(false) {
            let made = self
                .call("POST", "/api/v1/namespaces", Some(namespace), "")
                .await;
            made.map_err(|error| error.to_string())?;
            // Filled by the namespace controller; the watches begin after that.
            for path in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
                let path = format!("/api/v1/namespaces/{}/{path}", self.namespace);
                self.wait(&map([("path", path.into()), ("status", 200.into())]))
                    .await?;
            }
        }
        for path in items(scenario, &["watch"]) {
            self.follow(path.as_str().unwrap_or_default()).await?;
        }
        for action in items(scenario, &["actions"]) {
            self.act(action).await?;
        }
        self.settle().await;
        let mut differences = Vec::new();
        for position in 0..self.seen.len() {
            differences.extend(self.compare(scenario, position).await.err());
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(differences.join("\n    "))
        }
    }

    async fn compare(&mut self, scenario: &Value, position: usize) -> Result<(), String> {
        let (path, events) = {
            let seen = &self.seen[position];
            (seen.path.clone(), Arc::clone(&seen.events))
        };
        let list = self.get(&path).await.map_err(|error| error.to_string())?;
        let kind = text(&list, &["kind"]).trim_end_matches("List").to_owned();
        let got: Vec<Value> = items(&list, &["items"])
            .iter()
            .map(|item| trimmed(item, text(&list, &["apiVersion"]), &kind))
            .collect();
        let want: Vec<Value> = items(scenario, &["final", &path])
            .iter()
            .map(|item| trimmed(item, text(item, &["apiVersion"]), text(item, &["kind"])))
            .collect();
        if sets(&want, &got).is_some() {
            self.exact = false;
        }
        let strip = |list: &[Value]| list.iter().map(without_zeros).collect::<Vec<_>>();
        if let Some(difference) = sets(&strip(&want), &strip(&got)) {
            return Err(format!("{path}: {difference}"));
        }
        if path.ends_with("/events") {
            return Ok(());
        }
        for kind in ["ADDED", "DELETED"] {
            let want = items(scenario, &["events", &path])
                .iter()
                .filter(|event| text(event, &["type"]) == kind)
                .count();
            let events = events.lock().expect("nobody panics with it");
            let got = events.iter().filter(|(known, _)| *known == kind).count();
            if want != got {
                return Err(format!("{path}: {got} events {kind}, not {want}"));
            }
        }
        Ok(())
    }
}

/// An object without what part D leaves out.
fn trimmed(item: &Value, api_version: &str, kind: &str) -> Value {
    let mut item = item.clone();
    item.map_at_mut(&["metadata"]).remove("managedFields");
    let root_ca = text(&item, &["metadata", "name"]) == "kube-root-ca.crt";
    let map = item.map_at_mut(&[]);
    map.insert("apiVersion", api_version);
    map.insert("kind", kind);
    // It counts the writes between, which are timing.
    if kind == "EndpointSlice" {
        let metadata = map.get_mut("metadata").and_then(Value::as_map_mut);
        metadata.map(|metadata| metadata.remove("generation"));
    }
    if kind == "Event" {
        map.remove("count");
    }
    if root_ca {
        map.remove("data");
    }
    item
}

/// A JSON pointer in which `key=value` picks an element of a list.
fn pointer(value: &Value, pointer: &str) -> Option<Value> {
    let mut value = value;
    for step in pointer.split('/').skip(1) {
        value = match (value, step.split_once('=')) {
            (Value::List(list), Some((key, wanted))) => {
                list.iter().find(|item| text(item, &[key]) == wanted)?
            }
            _ => value.get(step)?,
        };
    }
    Some(value.clone())
}

/// Recordings beside the corpus, made in the same way; see their README.
fn own_recordings() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/controllers");
    let entries = std::fs::read_dir(folder).expect("is in the repository");
    entries
        .map(|entry| entry.expect("is readable").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .collect()
}

fn recordings_of_the_corpus() -> Option<Vec<PathBuf>> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora/kubernetes-api/controllers");
    let entries = std::fs::read_dir(folder).ok()?;
    Some(
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect(),
    )
}

async fn replay(file: PathBuf) -> (String, Result<bool, String>) {
    let bytes = std::fs::read(&file).expect("is readable");
    let scenario = yaml::json::parse(&bytes).expect("is JSON");
    let name = text(&scenario, &["name"]).to_owned();
    let server = Server::start(sandbox::Options::in_memory())
        .await
        .expect("starts in memory");
    let options = Options {
        root_ca: "certificate".to_owned(),
        ..Options::new(Clock::real())
    };
    let life = start(server.service(), options);
    let mut replay = Replay {
        api: Api::new(server.service()),
        namespace: name.clone(),
        seen: Vec::new(),
        count: Arc::default(),
        tasks: JoinSet::new(),
        addresses: 0,
        exact: true,
    };
    let result = replay.run(&scenario).await.map(|()| replay.exact);
    replay.tasks.shutdown().await;
    life.stop().await;
    (name, result)
}

/// Replays the files and gives how many agree but for zero values, and how many exactly.
async fn replay_all(mut files: Vec<PathBuf>) -> (usize, usize) {
    files.sort();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let files = files
        .into_iter()
        .filter(|file| file.to_string_lossy().contains(&only));
    let results: Vec<_> = futures::StreamExt::collect(futures::StreamExt::buffered(
        futures::stream::iter(files.map(replay)),
        AT_ONCE,
    ))
    .await;
    let total = results.len();
    let (mut passed, mut exact) = (0, 0);
    for (name, result) in results {
        match result {
            Ok(is_exact) => {
                passed += 1;
                exact += usize::from(is_exact);
            }
            Err(reason) => println!("{name}: {reason}"),
        }
    }
    println!(
        "controllers: {passed} passed but for zero values, {exact} of them exactly, {} failed",
        total - passed
    );
    (passed, exact)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_do_what_was_recorded() {
    let Some(files) = recordings_of_the_corpus() else {
        println!("skipped: the corpus kubernetes-api is not there");
        return;
    };
    let total = files.len();
    let (passed, exact) = replay_all(files).await;
    assert!(passed >= LEAST_PASSED.min(total), "{passed} of {total}");
    assert!(
        exact >= LEAST_EXACT.min(total),
        "{exact} of {total} exactly"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_do_what_was_recorded_for_this_crate() {
    let (passed, exact) = replay_all(own_recordings()).await;
    assert!(passed >= LEAST_PASSED_OF_OURS, "{passed}");
    assert!(exact >= LEAST_EXACT_OF_OURS, "{exact} exactly");
}
