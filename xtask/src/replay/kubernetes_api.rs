//! Scenarios of HTTP requests, as recorded from a real kube-apiserver.
//!
//! Owns the reading of `corpora/kubernetes-api/*.json` and the running of their steps; the README of
//! the corpus is the specification. All scenarios run on one server, in the order that they state.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use reqwest::blocking::Response;
use sandbox::{Options, Rbac};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::client::{Client, Request, body, header, kept_headers};
use super::compare::{differences, pointed, prepare};
use super::placeholders::Bindings;
use super::target::Target;
use super::{Arguments, Case, controllers, in_parallel, sessions};

/// Files of the folder that hold something else.
const OTHER_FILES: &[&str] = &[sessions::FILE, "index.json"];
/// Scenarios that state no order come after those that do.
const DEFAULT_ORDER: i64 = 100;
/// A scenario with this tag waits for minutes; it runs when it is asked for by name.
const SLOW: &str = "slow";
const SETUP_SECONDS: u64 = 20;
const COLLECT_SECONDS: u64 = 5;
/// Between two attempts of a request that is repeated until its answer fits.
const PAUSE: Duration = Duration::from_millis(50);
/// An event that should not come would come within this time.
const AFTER_LAST_EVENT: Duration = Duration::from_millis(150);
/// A real server may answer a watch with 504 while its cache is behind; the README allows repeats.
const WATCH_ATTEMPTS: usize = 8;
/// Statuses that a setup step may have when it names none.
const SETUP_STATUSES: [u16; 5] = [200, 201, 202, 404, 409];
/// Differences kept per step.
const MAX_PER_STEP: usize = 12;

/// Requests with the answers that the real server gave.
#[derive(Deserialize)]
pub(super) struct Scenario {
    pub(super) name: String,
    part: String,
    #[serde(default)]
    tags: Vec<String>,
    order: Option<i64>,
    #[serde(default)]
    setup: Vec<SetupStep>,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    #[serde(default)]
    pub(super) teardown: Vec<SetupStep>,
}

/// A request whose answer is not compared.
#[derive(Deserialize)]
pub(super) struct SetupStep {
    request: Recorded,
    ok: Option<Vec<u16>>,
    until: Option<Until>,
    timeout_s: Option<u64>,
}

#[derive(Deserialize)]
struct Until {
    status: Option<u16>,
    pointer: Option<String>,
    equals: Option<Json>,
    #[serde(default)]
    absent: bool,
    timeout_s: Option<u64>,
}

/// One request and its answer, or what an open watch delivered.
#[derive(Deserialize)]
pub(super) struct Step {
    request: Option<Recorded>,
    response: Json,
    #[serde(default)]
    compare: Json,
    retry_until: Option<Until>,
    stream: Option<String>,
    collect: Option<String>,
    #[serde(default)]
    events: usize,
    timeout_s: Option<u64>,
}

#[derive(Deserialize)]
struct Recorded {
    method: String,
    path: String,
    #[serde(default)]
    query: Map<String, Json>,
    #[serde(default)]
    headers: Map<String, Json>,
    /// As written: a server's messages follow the order of fields.
    #[serde(default, deserialize_with = "present")]
    body: Option<Box<RawValue>>,
    body_text: Option<String>,
}

/// Tells `"body": null`, which is sent, from no body.
fn present<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(input).map(Some)
}

/// Replays every scenario of a folder.
///
/// # Errors
/// When the folder cannot be read or no server can be reached; a scenario that fails is no error.
pub(super) fn replay(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let mut cases = requests(folder, arguments)?;
    cases.extend(controllers::replay(folder, arguments)?);
    Ok(cases)
}

fn requests(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let scenarios = load(folder, arguments)?;
    // As recorded: no controllers, roles are enforced, and everything on one fresh server.
    let options = Options {
        rbac: Rbac::On,
        ..Options::in_memory()
    };
    let target = Target::new(arguments, options)?;
    let client = target.client()?;
    let one = |scenario: &Scenario| {
        Ok(Case {
            name: scenario.name.clone(),
            part: scenario.part.clone(),
            differences: run(&client, scenario),
        })
    };
    // The first ones need a server that nobody has changed; the others have a place of their own.
    let is_first = |scenario: &Scenario| scenario.order < Some(DEFAULT_ORDER);
    let (first, others): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(is_first);
    let mut cases = first.iter().map(one).collect::<Result<Vec<_>>>()?;
    cases.extend(in_parallel(&others, one)?);
    cases.extend(sessions::replay(folder, arguments, &target)?);
    Ok(cases)
}

fn load(folder: &Path, arguments: &Arguments) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".json") || OTHER_FILES.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let scenario: Scenario = serde_json::from_str(&text)
            .with_context(|| format!("{} is no scenario", path.display()))?;
        let is_slow = scenario.tags.iter().any(|tag| tag == SLOW);
        if arguments.wants(&scenario.name) && (!is_slow || arguments.name == scenario.name) {
            scenarios.push(scenario);
        }
    }
    scenarios.sort_by(|a, b| {
        let place = |one: &Scenario| (one.order.unwrap_or(DEFAULT_ORDER), one.name.clone());
        place(a).cmp(&place(b))
    });
    Ok(scenarios)
}

/// What differed; a connection that breaks fails the scenario, not the run.
pub(super) fn run(client: &Client, scenario: &Scenario) -> Vec<String> {
    let mut runner = Runner::new(client);
    let mut found = Vec::new();
    let outcome = runner.setup(&scenario.setup).and_then(|()| {
        for (number, step) in scenario.steps.iter().enumerate() {
            let got = runner.step(step)?;
            let want = prepare(&step.response, &step.compare);
            let label = step.request.as_ref().map_or_else(
                || format!("collect {}", step.collect.as_deref().unwrap_or_default()),
                |request| format!("{} {}", request.method, request.path),
            );
            let differing = differences(&want, &prepare(&got, &step.compare), "");
            let place = |text: String| format!("step {} ({label}) {text}", number + 1);
            found.extend(differing.into_iter().take(MAX_PER_STEP).map(place));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        found.push(format!("{error:#}"));
    }
    let mut cleaner = Runner::new(client);
    // What a failed scenario leaves behind is in a namespace of its own.
    drop(cleaner.setup(&scenario.teardown));
    found
}

/// Sends the requests of one scenario, which share their placeholders.
pub(super) struct Runner<'a> {
    client: &'a Client,
    bindings: Bindings,
    streams: HashMap<String, Receiver<String>>,
}

impl<'a> Runner<'a> {
    /// A runner that has seen nothing yet.
    pub(super) fn new(client: &'a Client) -> Self {
        Runner {
            client,
            bindings: Bindings::new(),
            streams: HashMap::new(),
        }
    }

    /// Sends requests until each is answered as it must be.
    ///
    /// # Errors
    /// A request that is answered otherwise for too long, or a server that is gone.
    pub(super) fn setup(&mut self, steps: &[SetupStep]) -> Result<()> {
        for step in steps {
            let limit = Duration::from_secs(step.timeout_s.unwrap_or(SETUP_SECONDS));
            let deadline = Instant::now() + limit;
            loop {
                let response = self.send(&step.request)?;
                let status = response.status().as_u16();
                let allowed = step.ok.as_deref().unwrap_or(&SETUP_STATUSES);
                let answer = decoded(&header_of(&response), &body(response)?);
                let fits = step
                    .until
                    .as_ref()
                    .is_none_or(|until| until.fits(status, &answer));
                if allowed.contains(&status) && fits {
                    break;
                }
                if Instant::now() > deadline {
                    let (method, path) = (&step.request.method, &step.request.path);
                    bail!("setup step {method} {path} gave {status}: {answer}");
                }
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn send(&mut self, recorded: &Recorded) -> Result<Response> {
        if let Some(value) = &recorded.body {
            self.bindings
                .note_literals(&serde_json::from_str(value.get())?);
        }
        if let Some(text) = &recorded.body_text {
            self.bindings.note_literals(&Json::from(text.as_str()));
        }
        let bindings = &self.bindings;
        let plain = |value: &Json| match bindings.resolve(value) {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let text = |value: &Json| (!value.is_null()).then(|| plain(value));
        let body_text = recorded
            .body_text
            .as_ref()
            .map(|text| plain(&Json::from(text.as_str())));
        let body_json = recorded
            .body
            .as_ref()
            .map(|raw| bindings.resolve_json(raw.get()));
        let query = |(key, value): (&String, &Json)| (key.clone(), plain(value));
        let header = |(key, value): (&String, &Json)| (key.clone(), text(value));
        self.client.send(&Request {
            method: recorded.method.clone(),
            path: bindings.resolve_text(&recorded.path),
            query: recorded.query.iter().map(query).collect(),
            headers: recorded.headers.iter().map(header).collect(),
            body: body_text.or(body_json).map(String::into_bytes),
        })
    }

    /// Runs a step and gives the answer with placeholders, in the form of the recording.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) fn step(&mut self, step: &Step) -> Result<Json> {
        if let Some(name) = &step.collect {
            return self.collect(name, step);
        }
        let recorded = step.request.as_ref().context("a step without a request")?;
        if let Some(name) = &step.stream {
            return self.open(name, recorded);
        }
        let watch = recorded
            .query
            .get("watch")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if matches!(watch, "1" | "true" | "True") || recorded.path.contains("/watch/") {
            return self.watch(recorded);
        }
        let limit = step.retry_until.as_ref().and_then(|until| until.timeout_s);
        let deadline = Instant::now() + Duration::from_secs(limit.unwrap_or(SETUP_SECONDS));
        loop {
            let response = self.send(recorded)?;
            let status = response.status().as_u16();
            let mut out = start_of(&response);
            let headers = kept_headers(&response);
            let answer = decoded(&header_of(&response), &body(response)?);
            let fits = step
                .retry_until
                .as_ref()
                .is_none_or(|until| until.fits(status, &answer));
            if !fits && Instant::now() < deadline {
                thread::sleep(PAUSE);
                continue;
            }
            if !headers.is_empty() {
                out.insert(
                    "headers".to_owned(),
                    self.bindings.normalize_headers(headers),
                );
            }
            out.insert("body".to_owned(), self.compared(&answer, &step.compare)?);
            return Ok(Json::Object(out));
        }
    }

    /// The part of a body that is compared.
    fn compared(&mut self, answer: &Json, compare: &Json) -> Result<Json> {
        match compare.get("body").and_then(Json::as_str) {
            Some("none") => return Ok(Json::from("<omitted>")),
            Some("shape") => return Ok(json!({"<shape>": shape(answer)})),
            Some("openapi-index") => return openapi_index(answer),
            _ => {}
        }
        let Some(only) = compare.get("only").and_then(Json::as_array) else {
            return Ok(self.bindings.normalize(answer));
        };
        let pick = |pointer: &str| {
            (
                pointer.to_owned(),
                pointed(answer, pointer).cloned().unwrap_or(Json::Null),
            )
        };
        let picked: Map<String, Json> = only.iter().filter_map(Json::as_str).map(pick).collect();
        Ok(self.bindings.normalize(&Json::Object(picked)))
    }

    fn watch(&mut self, recorded: &Recorded) -> Result<Json> {
        let mut out = self.watch_once(recorded)?;
        for _ in 1..WATCH_ATTEMPTS {
            let is_behind = out
                .pointer("/events/0/object/code")
                .is_some_and(|code| code == 504);
            if !is_behind {
                break;
            }
            thread::sleep(PAUSE);
            out = self.watch_once(recorded)?;
        }
        Ok(out)
    }

    fn watch_once(&mut self, recorded: &Recorded) -> Result<Json> {
        let response = self.send(recorded)?;
        let mut out = start_of(&response);
        let headers = kept_headers(&response);
        if !headers.is_empty() {
            out.insert("headers".to_owned(), Json::Object(headers));
        }
        let is_stream =
            response.status().is_success() && header_of(&response).kind.contains("json");
        let kind = header_of(&response);
        // A server may end a stream without saying so.
        let bytes = body(response).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        if is_stream && (text.is_empty() || text.contains("\"object\"")) {
            let events = self.events(text.lines())?;
            out.insert("events".to_owned(), events);
        } else {
            let answer = self.bindings.normalize(&decoded(&kind, &bytes));
            out.insert("body".to_owned(), answer);
        }
        Ok(Json::Object(out))
    }

    /// Opens a watch that goes on beside the next steps.
    fn open(&mut self, name: &str, recorded: &Recorded) -> Result<Json> {
        let response = self.send(recorded)?;
        let out = start_of(&response);
        let (sender, receiver) = channel();
        // Ends with the server's stream, at the latest after the client's timeout.
        thread::spawn(move || {
            for line in BufReader::new(response).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        self.streams.insert(name.to_owned(), receiver);
        Ok(Json::Object(out))
    }

    fn collect(&mut self, name: &str, step: &Step) -> Result<Json> {
        let receiver = self
            .streams
            .get(name)
            .context("a stream that was never opened")?;
        let seconds = step.timeout_s.unwrap_or(COLLECT_SECONDS);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = if lines.len() < step.events {
                left
            } else {
                AFTER_LAST_EVENT
            };
            match receiver.recv_timeout(wait) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let events = self.events(lines.iter().map(String::as_str))?;
        Ok(json!({"events": events}))
    }

    fn events<'t>(&mut self, lines: impl Iterator<Item = &'t str>) -> Result<Json> {
        let mut events = Vec::new();
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let event: Json = serde_json::from_str(line).context("a watch line is no JSON")?;
            events.push(self.event(&event));
        }
        Ok(Json::Array(events))
    }

    /// A bookmark's version has no identity, other events are normalized as a whole.
    fn event(&mut self, event: &Json) -> Json {
        if event.get("type").is_none_or(|kind| kind != "BOOKMARK") {
            return self.bindings.normalize(event);
        }
        let mut object = event
            .get("object")
            .and_then(Json::as_object)
            .cloned()
            .unwrap_or_default();
        let mut metadata = match object.remove("metadata") {
            Some(Json::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        if let Some(version) = metadata.get_mut("resourceVersion") {
            *version = self.bindings.fresh("listrv", version).into();
        }
        let mut object = self.bindings.normalize(&Json::Object(object));
        if let Some(object) = object.as_object_mut() {
            object.insert("metadata".to_owned(), Json::Object(metadata));
        }
        json!({"type": "BOOKMARK", "object": object})
    }
}

impl Until {
    fn fits(&self, status: u16, answer: &Json) -> bool {
        if self.status.is_some_and(|wanted| wanted != status) {
            return false;
        }
        let Some(pointer) = &self.pointer else {
            return true;
        };
        let found = pointed(answer, pointer).filter(|value| !value.is_null());
        match &self.equals {
            Some(wanted) => found.unwrap_or(&Json::Null) == wanted,
            None => found.is_none() == self.absent,
        }
    }
}

/// How a body is written.
struct Encoding {
    kind: String,
    is_gzip: bool,
}

fn header_of(response: &Response) -> Encoding {
    let is_gzip = header(response, "content-encoding") == "gzip";
    Encoding {
        kind: header(response, "content-type"),
        is_gzip,
    }
}

fn start_of(response: &Response) -> Map<String, Json> {
    let mut out = Map::new();
    out.insert("status".to_owned(), response.status().as_u16().into());
    out.insert(
        "content_type".to_owned(),
        header(response, "content-type").into(),
    );
    out
}

fn decoded(encoding: &Encoding, bytes: &[u8]) -> Json {
    let mut unpacked = Vec::new();
    let bytes = if encoding.is_gzip {
        match std::io::Read::read_to_end(&mut GzDecoder::new(bytes), &mut unpacked) {
            Ok(_) => unpacked.as_slice(),
            Err(error) => return Json::from(format!("broken gzip: {error}")),
        }
    } else {
        bytes
    };
    if encoding.kind.contains("protobuf") {
        let start = bytes
            .iter()
            .take(4)
            .map(|byte| char::from(*byte))
            .collect::<String>();
        return json!({"<protobuf>": start.replace('\0', "\\0")});
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    if encoding.kind.contains("json") {
        serde_json::from_str(&text).unwrap_or(Json::String(text))
    } else {
        Json::String(text)
    }
}

/// The kinds of the fields of a document, in the words of the recorder.
fn shape(value: &Json) -> Json {
    let word = |value: &Json| match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    };
    match value {
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), Json::from(word(value))))
            .collect(),
        other => word(other).into(),
    }
}

/// The paths of the OpenAPI index without the hashes of their documents.
fn openapi_index(answer: &Json) -> Result<Json> {
    let parsed;
    let answer = match answer {
        Json::String(text) => {
            parsed = serde_json::from_str::<Json>(text).context("the index is no JSON")?;
            &parsed
        }
        other => other,
    };
    let paths = answer
        .get("paths")
        .and_then(Json::as_object)
        .context("the index has no paths")?;
    let unhashed = |value: &Json| {
        let url = value
            .get("serverRelativeURL")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let (start, end) = url.split_once("hash=").unwrap_or((url, ""));
        let rest = end.trim_start_matches(|digit: char| {
            digit.is_ascii_digit() || ('A'..='F').contains(&digit)
        });
        let mark = if end.len() > rest.len() {
            "hash=<hash>"
        } else {
            ""
        };
        json!({"serverRelativeURL": format!("{start}{mark}{rest}")})
    };
    let paths: Map<String, Json> = paths
        .iter()
        .map(|(path, value)| (path.clone(), unhashed(value)))
        .collect();
    Ok(json!({"paths": paths}))
}
