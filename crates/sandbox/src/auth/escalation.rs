//! Nobody may grant more than he holds, unless he may escalate or bind.

use yaml::Value;

use super::MASTERS;
use super::attributes::Attributes;
use super::rbac::{GROUP, Policy};
use super::rules::{Rule, missing, quoted_list};
use crate::core::Call;
use crate::meta;
use crate::status_error::{About, ApiError};
use kinds::quoted;

/// Checks a new state of a role or binding; other kinds pass. `old` is what an update replaces.
///
/// # Errors
/// 403 when it grants what its writer does not hold, 404 when a binding names no role.
pub(crate) fn check(call: &Call<'_>, new: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    let user = &call.request.user;
    if call.resource.group != GROUP || user.groups.iter().any(|group| group == MASTERS) {
        return Ok(());
    }
    let Some(policy) = call.core.authorizer.policy(&call.core.store) else {
        return Ok(());
    };
    let same = |key: &str| old.is_some_and(|old| old.get(key) == new.get(key));
    match call.resource.plural.as_str() {
        "roles" | "clusterroles" if !(same("rules") && same("aggregationRule")) => {
            role(call, &policy, new)
        }
        "rolebindings" | "clusterrolebindings" if !(same("roleRef") && same("subjects")) => {
            binding(call, &policy, new)
        }
        _ => Ok(()),
    }
}

fn may(call: &Call<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let action = Attributes {
        verb: verb.to_owned(),
        group: GROUP.to_owned(),
        resource: resource.to_owned(),
        namespace: call.namespace().to_owned(),
        name: name.to_owned(),
        is_resource: true,
        ..Attributes::default()
    };
    let core = call.core;
    let decision = core
        .authorizer
        .decide(&core.store, &call.request.user, &action);
    decision.allowed
}

fn role(call: &Call<'_>, policy: &Policy, new: &Value) -> Result<(), ApiError> {
    let name = meta::name(new);
    if may(call, "escalate", &call.resource.plural, name) {
        return Ok(());
    }
    confirm(call, policy, name, &Rule::all_of(new))?;
    // An aggregation can gather anything.
    let gathers = new.get("aggregationRule").is_some_and(|it| !it.is_null());
    if gathers && confirm(call, policy, name, &Rule::everything()).is_err() {
        let why = "must have cluster-admin privileges to use the aggregationRule";
        return Err(ApiError::forbidden(call.about(name), why));
    }
    Ok(())
}

fn binding(call: &Call<'_>, policy: &Policy, new: &Value) -> Result<(), ApiError> {
    let text = |path: &[&str]| new.at(path).and_then(Value::as_str).unwrap_or_default();
    let (kind, role) = (text(&["roleRef", "kind"]), text(&["roleRef", "name"]));
    let plural = if kind == "Role" {
        "roles"
    } else {
        "clusterroles"
    };
    if may(call, "bind", plural, role) {
        return Ok(());
    }
    let Some(rules) = policy.rules(kind, call.namespace(), role) else {
        return Err(ApiError::not_found(About {
            group: GROUP,
            kind: if kind == "Role" {
                "role"
            } else {
                "clusterrole"
            },
            name: role,
        }));
    };
    confirm(call, policy, meta::name(new), rules)
}

fn confirm(call: &Call<'_>, policy: &Policy, name: &str, wanted: &[Rule]) -> Result<(), ApiError> {
    let user = &call.request.user;
    let held = policy.held(user, call.namespace());
    let missing = missing(&held.rules, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut why = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(&user.name),
        quoted_list(&user.groups, " "),
        missing.join("\n")
    );
    if !held.errors.is_empty() {
        why.push_str(&format!("; resolution errors: [{}]", held.errors.join(" ")));
    }
    Err(ApiError::forbidden(call.about(name), &why))
}
