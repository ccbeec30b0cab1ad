//! The recordings of a real kube-apiserver, as scenarios of requests and answers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use yaml::Value;

/// One request with its answer.
pub(crate) struct Step {
    pub(crate) scenario: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Value,
    pub(crate) user_agent: String,
    pub(crate) content_type: String,
    pub(crate) body: Option<Value>,
    pub(crate) status: i64,
    pub(crate) answer: Value,
}

/// A scenario: its steps, and the objects that its setup created, by path.
pub(crate) struct Scenario {
    pub(crate) steps: Vec<Step>,
    pub(crate) objects: BTreeMap<String, Value>,
}

/// The shared folder; `None`, with a line that says so, where it is absent.
pub(crate) fn shared() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TIPHYS_SHARED").map_or(root.join("../shared"), PathBuf::from);
    if shared.is_dir() {
        return Some(shared);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI needs {}",
        shared.display()
    );
    println!("skipped: {} is absent", shared.display());
    None
}

/// The scenarios whose file name starts with `prefix`.
pub(crate) fn scenarios(prefix: &str) -> Vec<Scenario> {
    let Some(shared) = shared() else {
        return Vec::new();
    };
    let folder = shared.join("corpora/kubernetes-api");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".json")
        })
        .collect();
    names.sort();
    names
        .iter()
        .map(|path| scenario(&std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn text(value: &Value, path: &[&str]) -> String {
    let found = value.at(path).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_list).unwrap_or_default()
}

/// A body as data; YAML text is read, and what is no YAML is no body.
fn body(request: &Value) -> Option<Value> {
    match request.get("body_text").and_then(Value::as_str) {
        Some(text) => yaml::parse_str(text).ok(),
        None => request.get("body").cloned(),
    }
}

fn scenario(json: &str) -> Scenario {
    let document: Value = serde_json::from_str(json).unwrap();
    let mut objects = BTreeMap::new();
    for step in list(&document, "setup") {
        let Some(request) = step.get("request") else {
            continue;
        };
        if let Some(body) = request.get("body")
            && text(request, &["method"]) == "POST"
        {
            let path = [text(request, &["path"]), text(body, &["metadata", "name"])].join("/");
            let mut stored = body.clone();
            if text(body, &["kind"]) == "Deployment" {
                // The setup's answer is not recorded; of the defaults a patch only touches this one.
                stored
                    .map_at_mut(&["spec", "strategy"])
                    .insert("type", "RollingUpdate");
            }
            objects.insert(path, stored);
        }
    }
    let steps = list(&document, "steps").iter().filter_map(|step| {
        let request = step.get("request")?;
        let content_type = text(request, &["headers", "content-type"]);
        Some(Step {
            scenario: text(&document, &["name"]),
            method: text(request, &["method"]),
            path: text(request, &["path"]),
            query: request.get("query").cloned().unwrap_or_default(),
            user_agent: text(request, &["headers", "user-agent"]),
            content_type,
            body: body(request),
            status: step
                .at(&["response", "status"])
                .and_then(Value::as_i64)
                .unwrap(),
            answer: step.at(&["response", "body"]).cloned().unwrap_or_default(),
        })
    });
    Scenario {
        steps: steps.collect(),
        objects,
    }
}

impl Scenario {
    /// Calls `judge` for each step with the object that was stored at its path before. The status is
    /// a part of its object; what another subresource wrote is not recorded.
    pub(crate) fn replay(mut self, mut judge: impl FnMut(&Step, Option<&Value>)) {
        for step in std::mem::take(&mut self.steps) {
            let object = step.path.strip_suffix("/status").unwrap_or(&step.path);
            judge(&step, self.objects.get(object));
            let is_stored = (200..300).contains(&step.status) && step.query.get("dryRun").is_none();
            if !is_stored {
                continue;
            }
            if let Some(object) = step.path.strip_suffix("/scale") {
                self.objects.remove(object);
            } else if step.answer.at(&["metadata", "name"]).is_some() {
                let path = match step.method.as_str() {
                    "POST" => [object, &text(&step.answer, &["metadata", "name"])].join("/"),
                    _ => object.to_owned(),
                };
                self.objects.insert(path, step.answer);
            }
        }
    }
}
