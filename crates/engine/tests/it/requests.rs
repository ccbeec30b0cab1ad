//! Writes to managed objects beside the recorded ones: the same set, in an order that agrees with the
//! stages, and creates with the same bodies.

use std::collections::BTreeSet;

use yaml::Value;

use crate::cluster::{Request, plural};
use crate::replay::{at, text};

/// Verb, resource and name.
type Write = (String, String, String);

/// What differs.
pub(crate) fn compare(ours: &[Request], theirs: &[Value]) -> Vec<String> {
    // RBAC objects go through `kubectl auth reconcile`, which is not imitated.
    let ours: Vec<&Request> = ours
        .iter()
        .filter(|request| !request.kind.contains("Role"))
        .collect();
    let is_done = |request: &&Value| {
        let code = at(request, &["code"]).as_i64().unwrap_or(200);
        code < 400 && text(request, &["group"]) != "rbac.authorization.k8s.io"
    };
    let theirs: Vec<(Write, &Value)> = theirs
        .iter()
        .filter(is_done)
        .map(|request| (recorded(request), request))
        .collect();
    let found: BTreeSet<Write> = ours.iter().map(|request| own(request)).collect();
    let want: BTreeSet<Write> = theirs.iter().map(|(write, _)| write.clone()).collect();
    if found != want {
        let extra: Vec<_> = found.difference(&want).collect();
        let lacking: Vec<_> = want.difference(&found).collect();
        return vec![format!("requests: extra {extra:?}, lacking {lacking:?}")];
    }
    let mut differences = Vec::new();
    let stages = stages(&ours, &theirs);
    if !stages.is_sorted() {
        differences.push(format!(
            "requests: in their order, our stages are {stages:?}"
        ));
    }
    differences.extend(
        ours.iter()
            .filter_map(|request| compare_body(request, &theirs)),
    );
    differences
}

fn own(request: &Request) -> Write {
    (
        request.verb.to_owned(),
        plural(&request.kind),
        request.name.clone(),
    )
}

fn recorded(request: &Value) -> Write {
    let name = match text(request, &["name"]) {
        "" => text(request, &["body", "metadata", "name"]),
        name => name,
    };
    (
        text(request, &["verb"]).to_owned(),
        text(request, &["resource"]).to_owned(),
        name.to_owned(),
    )
}

/// The stages of ours in the order of theirs; what happened twice says nothing about the order.
fn stages(ours: &[&Request], theirs: &[(Write, &Value)]) -> Vec<usize> {
    let is_single = |write: &Write| theirs.iter().filter(|(one, _)| one == write).count() == 1;
    let singles = theirs
        .iter()
        .map(|(write, _)| write)
        .filter(|write| is_single(write));
    singles
        .filter_map(|write| ours.iter().find(|request| own(request) == *write))
        .map(|request| request.stage)
        .collect()
}

fn compare_body(request: &Request, theirs: &[(Write, &Value)]) -> Option<String> {
    let body = without_server_fields(request.body.as_ref()?);
    let (_, recorded) = theirs.iter().find(|(write, _)| *write == own(request))?;
    let want = without_server_fields(recorded.get("body")?);
    (body != want).then(|| {
        let texts = (yaml::json::to_string(&body), yaml::json::to_string(&want));
        format!(
            "body of {}/{}:\n{}\n{}",
            request.kind, request.name, texts.0, texts.1
        )
    })
}

/// A body without nulls, which clients leave out, and without what the recorder masks.
fn without_server_fields(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(Value::Map(metadata)) = body.get_mut("metadata") {
        metadata.retain(|name, _| !matches!(name, "uid" | "generation" | "resourceVersion"));
    }
    prune(&mut body);
    body
}

fn prune(value: &mut Value) {
    match value {
        Value::Map(map) => {
            map.retain(|_, value| !value.is_null());
            map.iter_mut().for_each(|(_, value)| prune(value));
        }
        Value::List(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}
