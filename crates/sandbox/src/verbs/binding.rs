//! POST to `pods/NAME/binding`: a pod gets its node.

use yaml::{Map, Value};

use crate::core::Call;
use crate::meta;
use crate::reply::Reply;
use crate::status_error::{About, ApiError, success};
use crate::strategy::pods;
use kinds::FieldError;
use life::clock;

use super::create::Writer;
use super::subresource::admitted;
use super::update::{self, Part};

/// Assigns a pod to a node, as a scheduler asks for.
pub(super) fn bind(call: &Call<'_>) -> Result<Reply, ApiError> {
    let mut binding = admitted(call)?;
    if meta::name(&binding) != call.name() {
        let why = "name in URL does not match name in Binding object";
        return Err(ApiError::bad_request(why));
    }
    check(&binding)?;
    let node = text(&binding, &["target", "name"]).to_owned();
    pods::place(&call.core.store, &mut binding, &node);
    let now = clock::seconds(call.now);
    let reply = update::change_object(call, Part::Other, &Writer::Apply, |old| {
        check_pod(call, &binding, old)?;
        let mut new = old.clone();
        new.map_at_mut(&["spec"]).insert("nodeName", node.as_str());
        hand_on(&binding, &mut new);
        set_condition(
            &mut new,
            Map::from([
                ("type", "PodScheduled".into()),
                ("status", "True".into()),
                ("lastProbeTime", Value::Null),
                ("lastTransitionTime", now.as_str().into()),
            ]),
        );
        Ok(new)
    })?;
    Ok(Reply::value(201, &success(Some(201), None)).after(reply.revision))
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with a binding is told as an error that is no Status.
fn check(binding: &Value) -> Result<(), ApiError> {
    let problems = kinds::binding_problems(binding);
    let texts: Vec<String> = problems.iter().map(FieldError::text).collect();
    match texts.as_slice() {
        [] => Ok(()),
        [one] => Err(ApiError::unclassified(one.as_str())),
        several => Err(ApiError::unclassified(format!("[{}]", several.join(", ")))),
    }
}

/// Whether the pod is the one that is meant, and can have a node.
fn check_pod(call: &Call<'_>, binding: &Value, pod: &Value) -> Result<(), ApiError> {
    for (key, name) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let (asked, found) = (meta::text(binding, key), meta::text(pod, key));
        if !asked.is_empty() && asked != found {
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/pods/{}/{}, \
                 ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {name} in \
                 precondition: {asked}, {name} in object meta: {found}",
                call.namespace(),
                call.name()
            );
            return Err(ApiError::conflict(call.about(call.name()), &why));
        }
    }
    let bound = text(pod, &["spec", "nodeName"]);
    let gates = pod
        .at(&["spec", "schedulingGates"])
        .and_then(Value::as_list);
    let name = call.name();
    let why = if meta::is_terminating(pod) {
        format!("pod {name} is being deleted, cannot be assigned to a host")
    } else if !bound.is_empty() {
        format!(
            "pod {name} is already assigned to node {}",
            kinds::quoted(bound)
        )
    } else if gates.is_some_and(|gates| !gates.is_empty()) {
        format!("pod {name} has non-empty .spec.schedulingGates")
    } else {
        return Ok(());
    };
    let about = About {
        group: "",
        kind: "pods/binding",
        name,
    };
    Err(ApiError::conflict(about, &why))
}

/// Labels and annotations of a binding become the pod's.
fn hand_on(binding: &Value, pod: &mut Value) {
    for key in ["labels", "annotations"] {
        let given = binding.at(&["metadata", key]).and_then(Value::as_map);
        for (name, value) in given.into_iter().flat_map(Map::iter) {
            pod.map_at_mut(&["metadata", key])
                .insert(name.clone(), value.clone());
        }
    }
}

fn set_condition(object: &mut Value, condition: Map) {
    let status = object.map_at_mut(&["status"]);
    let conditions = status.entry_or_insert("conditions", Value::List(Vec::new()));
    if !matches!(conditions, Value::List(_)) {
        *conditions = Value::List(Vec::new());
    }
    if let Some(list) = conditions.as_list_mut() {
        list.retain(|known| known.get("type") != condition.get("type"));
        list.push(condition.into());
    }
}
