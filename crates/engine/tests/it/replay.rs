//! The recordings of a real Argo CD controller, replayed over the engine alone.
//!
//! A scenario is replayed when it has one repository, plain directories, and actions that need no
//! server. Compared are what `recordings` says of an Application, and the requests with the bodies
//! of creates. Server errors come from the recording itself.

use std::collections::BTreeMap;

use manifest::{Object, ObjectKey, TreePath, patch};
use yaml::{Map, Value};

use crate::requests;
use crate::shared;
use crate::world::{Unfit, World};

/// Scenarios that differ, each with the reason; the list may only get shorter.
const KNOWN: &[(&str, &str)] = &[
    // On purpose, see docs/differences.md.
    ("bad-path-file", "a path that names one file is a source"),
    // What the engine does not do yet.
    ("hooks-cm", "PreDelete and PostDelete hooks"),
    ("hooks-predelete-fails", "PreDelete and PostDelete hooks"),
    ("helm-hooks", "PreDelete and PostDelete hooks"),
    (
        "src-helm-env",
        "commits have no digits in these few lines, so no first seven",
    ),
    (
        "hooks-postdelete-nofinalizer",
        "PreDelete and PostDelete hooks",
    ),
    (
        "ssd-diff-true-includemutationwebhook-true",
        "server-side diff",
    ),
    ("health-apiservice-crd", "Lua health checks"),
    (
        "diff-old-api",
        "naming the versions that the cluster offers",
    ),
    ("bad-no-name", "the resource name in a message of kubectl"),
    // `kubectl auth reconcile` is not imitated: RBAC objects are applied as all others.
    (
        "kinds-order",
        "messages of kubectl auth reconcile; the order of equal kinds is by chance",
    ),
    ("proj-cluster-allow", "messages of kubectl auth reconcile"),
    // Accidents of time and cache in the recording.
    (
        "bad-name",
        "whether an applied object was seen before the operation failed",
    ),
    (
        "prune-waves",
        "the plan is made anew after each wave, which moves an apply to the end",
    ),
    (
        "heal-ignored-respect",
        "a second sync while the cache was behind",
    ),
    ("heal-twice", "a second sync while the cache was behind"),
    (
        "ignore-cm-respect-list",
        "a second sync while the cache was behind",
    ),
    (
        "shared-auto-heal",
        "two applications fight; the recording caught one moment",
    ),
    ("empty-namespace-dest", "an error that is listed twice"),
    (
        "bad-no-source",
        "an error of the step before is listed first",
    ),
    // What the few lines of this cluster or controller do not have.
    (
        "aoa-helm",
        "the order of two applications that sync at once",
    ),
    (
        "aoa-cascade-background",
        "the order of two applications' deletions",
    ),
    (
        "aoa-self",
        "an Application that is changed while it is reconciled",
    ),
    (
        "bad-dest-none",
        "the destination is the controller's to resolve",
    ),
    ("diff-api-version", "conditions of an autoscaling/v1 object"),
    ("diff-crd-unknown-fields", "schemas of custom resources"),
    ("diff-hpa-replicas", "an autoscaler that scales"),
    ("diff-sts-pvctemplates", "volumes that are never bound"),
    ("health-deployment", "progress deadlines"),
    ("health-pvc", "the protection of volumes"),
    ("prune-propagation-orphan", "orphaned ReplicaSets"),
];

pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    value.at(path).unwrap_or(&Value::Null)
}

pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).as_list().unwrap_or_default()
}

fn unfit(why: &str) -> Unfit {
    Unfit(why.to_owned())
}

fn namespace(name: &str) -> Object {
    object(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"
    ))
}

fn object(text: &str) -> Object {
    Object::new(yaml::parse_str(text).expect("YAML")).expect("an object")
}

const DEFAULT_PROJECT: &str = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata:\n  name: default\n  namespace: argocd\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  clusterResourceWhitelist: [{group: '*', kind: '*'}]\n";

/// Replays one scenario; the differences of all its steps.
fn replay(scenario: &Value) -> Result<Vec<String>, Unfit> {
    let mut world = prepare(scenario)?;
    let mut differences = Vec::new();
    for (number, step) in list(scenario, &["steps"]).iter().enumerate() {
        let expect = at(step, &["expect"]);
        let waits = at(expect, &["applications"])
            .as_map()
            .into_iter()
            .flat_map(Map::values);
        let is_retrying = |app: &Value| {
            text(app, &["status", "operationState", "message"]).contains("Retrying attempt")
        };
        // States in between are a matter of time.
        if expect.get("notSettled").is_some() || waits.into_iter().any(is_retrying) {
            break;
        }
        world.cluster.refusals = refusals(expect);
        world.cluster.requests.clear();
        for action in list(step, &["do"]) {
            act(&mut world, action)?;
        }
        world.settle()?;
        for difference in compare(&world, expect) {
            differences.push(format!("step {number}: {difference}"));
        }
        if !differences.is_empty() {
            break;
        }
    }
    Ok(differences)
}

fn prepare(scenario: &Value) -> Result<World, Unfit> {
    let config = at(scenario, &["config"])
        .as_map()
        .cloned()
        .unwrap_or_default();
    let mut world = World::new();
    for (key, value) in config.iter() {
        let value = value.as_str().unwrap_or_default();
        match key.as_str() {
            "application.resourceTrackingMethod" => {
                world.settings.tracking.method = engine::tracking::TrackingMethod::parse(value);
            }
            "application.instanceLabelKey" => world.settings.tracking.label_key = value.into(),
            "installationID" => world.settings.tracking.installation_id = value.into(),
            "resource.customizations.health.argoproj.io_Application" => {
                world.settings.child_health = engine::subject::ChildHealth::Counts;
            }
            _ => return Err(Unfit(format!("setting {key}"))),
        }
    }
    if list(scenario, &["repos"]).len() > 1 {
        return Err(unfit("several repositories"));
    }
    world.cluster.store(object(DEFAULT_PROJECT));
    let missing = list(scenario, &["namespacesNotCreated"]);
    let names = list(scenario, &["namespaces"])
        .iter()
        .filter(|name| !missing.contains(name));
    for name in names.filter_map(Value::as_str).chain(["argocd", "default"]) {
        world.cluster.store(namespace(name));
    }
    Ok(world)
}

/// What the server refused, by the results of the recording. What the engine refuses itself is
/// not among it.
fn refusals(expect: &Value) -> BTreeMap<(String, String), String> {
    let apps = at(expect, &["applications"])
        .as_map()
        .cloned()
        .unwrap_or_default();
    let results = apps.values().flat_map(|app| {
        list(
            app,
            &["status", "operationState", "syncResult", "resources"],
        )
        .to_vec()
    });
    results
        .filter(|result| text(result, &["status"]) == "SyncFailed")
        .map(|result| {
            let name = |key: &str| text(&result, &[key]).to_owned();
            ((name("kind"), name("name")), name("message"))
        })
        .collect()
}

fn act(world: &mut World, action: &Value) -> Result<(), Unfit> {
    let (name, what) = action
        .as_map()
        .and_then(|map| map.iter().next())
        .expect("an action");
    match name.as_str() {
        "commit" => commit(world, what),
        "create" => {
            let object = Object::new(what.clone()).map_err(|_| unfit("not an object"))?;
            world.cluster.store(object);
            Ok(())
        }
        "operation" => set_on_app(world, text(what, &["app"]), |app| {
            app.insert("operation", at(what, &["operation"]).clone());
        }),
        "terminate" => set_on_app(world, what.as_str().unwrap_or_default(), |app| {
            if let Some(Value::Map(status)) = app.get_mut("status") {
                let state = status.entry_or_insert("operationState", Value::Map(Map::new()));
                if let Value::Map(state) = state {
                    state.insert("phase", "Terminating");
                }
            }
        }),
        "refresh" => {
            world.refresh(text(what, &["app"]));
            Ok(())
        }
        "patch" => patch_live(world, what),
        "delete" => {
            let key = key_of(what);
            world.cluster.delete(&key);
            Ok(())
        }
        other => Err(Unfit(format!("action {other}"))),
    }
}

fn commit(world: &mut World, what: &Value) -> Result<(), Unfit> {
    if what.get("seed").is_some() || what.get("branch").is_some() || what.get("tag").is_some() {
        return Err(unfit("branches, tags and seeds"));
    }
    if what.get("annotatedTag").is_some() || what.get("edit").is_some() {
        return Err(unfit("branches, tags and seeds"));
    }
    let last = world.commits.last().cloned().unwrap_or_default();
    let mut files: BTreeMap<_, _> = last
        .iter()
        .map(|(at, it)| (at.clone(), it.clone()))
        .collect();
    for (path, content) in at(what, &["files"])
        .as_map()
        .into_iter()
        .flat_map(Map::iter)
    {
        let path = TreePath::parse(path).expect("a path");
        match content {
            Value::String(content) => {
                files.insert(path, content.as_bytes().into());
            }
            Value::Null => {
                files.remove(&path);
            }
            _ => return Err(unfit("links")),
        }
    }
    world.commits.push(files.into_iter().collect());
    Ok(())
}

fn key_of(what: &Value) -> ObjectKey {
    let version = text(what, &["apiVersion"]);
    ObjectKey {
        group: version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .into(),
        kind: text(what, &["kind"]).into(),
        namespace: text(what, &["metadata", "namespace"]).into(),
        name: text(what, &["metadata", "name"]).into(),
    }
}

fn set_on_app(world: &mut World, name: &str, set: impl FnOnce(&mut Map)) -> Result<(), Unfit> {
    let found = world.apps().into_keys().find(|key| key.name == name);
    let key = found.ok_or_else(|| unfit("an application that is not there"))?;
    let mut object = world.cluster.live.get(&key).cloned().expect("it is there");
    set(object.value_mut().as_map_mut().expect("a map"));
    world.cluster.live.insert(object);
    Ok(())
}

fn patch_live(world: &mut World, what: &Value) -> Result<(), Unfit> {
    if what.get("subresource").is_some() || what.get("manager").is_some() {
        return Err(unfit("patches of subresources or by managers"));
    }
    let key = key_of(what);
    let Some(object) = world.cluster.live.get(&key).cloned() else {
        return Err(unfit("a patch of what is not there"));
    };
    let body = at(what, &["body"]);
    let schema = world.cluster.schema(&object.gvk());
    let value = object.into_value();
    let patched = match (text(what, &["type"]), schema) {
        ("merge", _) => patch::merge_patch(value, body),
        ("json", _) => patch::json_patch(&value, body),
        ("strategic", Some(schema)) => patch::strategic_merge(value, body, &schema),
        _ => return Err(unfit("patch type")),
    };
    let patched = patched.map_err(|_| unfit("a patch that fails"))?;
    let object = Object::new(patched).map_err(|_| unfit("a patch that fails"))?;
    world.cluster.store(object);
    world.cluster.remove_finalizer(&key, "");
    Ok(())
}

/// What differs between the world and what was recorded.
fn compare(world: &World, expect: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let apps = world.apps();
    let wanted = at(expect, &["applications"])
        .as_map()
        .cloned()
        .unwrap_or_default();
    for (name, want) in wanted.iter() {
        match apps.iter().find(|(key, _)| key.name == *name) {
            None => differences.push(format!("{name} is gone")),
            Some((_, app)) => {
                let found = recordings::application(name, want, &app.to_value(), true);
                differences.extend(
                    found
                        .into_iter()
                        .map(|it| format!("{}: {}", it.path, it.text)),
                );
            }
        }
    }
    if let Some((key, _)) = apps.iter().find(|(key, _)| !wanted.contains_key(&key.name)) {
        differences.push(format!("{} is still there", key.name));
    }
    differences.extend(requests::compare(
        &world.cluster.requests,
        list(expect, &["requests"]),
    ));
    differences
}

#[test]
#[allow(clippy::disallowed_methods, reason = "tests read their corpus")]
fn recorded_syncs_come_out_the_same() {
    let Some(folder) = shared("corpora/argocd-sync") else {
        return;
    };
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !only.is_empty() && only != name {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .expect("a scenario")
            .replace("<REPO>", "REPO");
        let scenario = yaml::json::parse(text.as_bytes()).expect("a scenario");
        if scenario.get("steps").is_none() {
            continue;
        }
        match replay(&scenario) {
            Err(Unfit(why)) => *skipped.entry(why).or_default() += 1,
            Ok(differences) if differences.is_empty() => passed.push(name),
            Ok(differences) => {
                println!("{name}: {}", differences.join("\n    "));
                failed.push(name);
            }
        }
    }
    println!("not replayed: {skipped:?}");
    println!(
        "argocd-sync: {} passed, {} failed",
        passed.len(),
        failed.len()
    );
    let is_known = |name: &&String| KNOWN.iter().any(|(known, _)| known == name);
    let new: Vec<_> = failed.iter().filter(|name| !is_known(name)).collect();
    assert!(new.is_empty(), "differ: {new:?}");
}
