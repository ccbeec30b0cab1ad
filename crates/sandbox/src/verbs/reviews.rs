//! Questions that are asked by creating an object which is never stored.

use yaml::{Map, Value};

use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::reply::Reply;
use crate::status_error::ApiError;
use crate::{meta, ownership, render};
use life::clock;

/// Answers a review; `None` for resources that are stored.
pub(crate) fn answer(call: &Call<'_>) -> Option<Result<Reply, ApiError>> {
    let status: fn(&Call<'_>, &Value) -> Result<Value, ApiError> =
        match (call.resource.group.as_str(), call.resource.plural.as_str()) {
            (
                "authorization.k8s.io",
                "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews",
            ) => access,
            ("authorization.k8s.io", "selfsubjectrulesreviews") => rules,
            ("authentication.k8s.io", "selfsubjectreviews") => whoami,
            ("authentication.k8s.io", "tokenreviews") => token,
            _ => return None,
        };
    Some(review(call, status))
}

fn review(
    call: &Call<'_>,
    status: fn(&Call<'_>, &Value) -> Result<Value, ApiError>,
) -> Result<Reply, ApiError> {
    let Decoded {
        mut value,
        warnings,
    } = decode::object(call)?;
    let status = status(call, &value)?;
    if call.resource.plural == "selfsubjectreviews" {
        meta::of(&mut value).insert("creationTimestamp", clock::seconds(call.now));
    } else {
        let context = crate::strategy::Context::of(call);
        let manager = ownership::manager(call.request);
        ownership::track_create(&context, &mut value, &manager);
    }
    value.map_at_mut(&[]).insert("status", status);
    value.map_at_mut(&["metadata"]);
    render::type_meta(&mut value, &call.resource);
    Ok(Reply::value(201, &value).with_warnings(warnings))
}

/// Everything is allowed to the one user there is.
fn access(_call: &Call<'_>, _review: &Value) -> Result<Value, ApiError> {
    Ok(Map::from([("allowed", true.into())]).into())
}

fn rules(_call: &Call<'_>, _review: &Value) -> Result<Value, ApiError> {
    let all = || Value::from(vec!["*"]);
    let resource = Map::from([("apiGroups", all()), ("resources", all()), ("verbs", all())]);
    let path = Map::from([("nonResourceURLs", all()), ("verbs", all())]);
    Ok(Map::from([
        ("incomplete", false.into()),
        ("resourceRules", vec![Value::Map(resource)].into()),
        ("nonResourceRules", vec![Value::Map(path)].into()),
    ])
    .into())
}

fn whoami(call: &Call<'_>, _review: &Value) -> Result<Value, ApiError> {
    let user = &call.request.user;
    let groups: Vec<Value> = user
        .groups
        .iter()
        .map(|group| group.as_str().into())
        .collect();
    let mut info = Map::from([
        ("username", user.name.as_str().into()),
        ("groups", groups.into()),
    ]);
    if !user.uid.is_empty() {
        info.insert("uid", user.uid.as_str());
    }
    Ok(Map::from([("userInfo", info.into())]).into())
}

fn token(_call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    let token = review
        .at(&["spec", "token"])
        .and_then(Value::as_str)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(ApiError::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    Ok(Map::from([
        ("error", "invalid bearer token".into()),
        ("user", Map::new().into()),
    ])
    .into())
}
