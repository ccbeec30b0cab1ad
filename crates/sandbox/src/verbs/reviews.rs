//! Questions that are asked by creating an object which is never stored.

use yaml::{Map, Value};

use crate::auth::attributes::Attributes;
use crate::auth::rbac::Decision;
use crate::auth::rules::Rule;
use crate::auth::tokens::{ISSUER, Unknown};
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::reply::Reply;
use crate::request::User;
use crate::status_error::{About, ApiError};
use crate::{meta, ownership, render};
use kinds::FieldError;
use life::clock;

/// Answers a review; `None` for resources that are stored.
pub(crate) fn answer(call: &Call<'_>) -> Option<Result<Reply, ApiError>> {
    let status: fn(&Call<'_>, &Value) -> Result<Value, ApiError> =
        match (call.resource.group.as_str(), call.resource.plural.as_str()) {
            ("authorization.k8s.io", "selfsubjectaccessreviews") => own_access,
            ("authorization.k8s.io", "subjectaccessreviews") => access,
            ("authorization.k8s.io", "localsubjectaccessreviews") => local_access,
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
    match call.resource.plural.as_str() {
        // These answer with an object of their own, whatever was sent.
        "selfsubjectreviews" => {
            let created = Map::from([("creationTimestamp", clock::seconds(call.now).into())]);
            let answer = Map::from([("metadata", created.into())]);
            value = Value::Map(answer);
        }
        "selfsubjectrulesreviews" => {}
        _ => {
            let context = crate::strategy::Context::of(call);
            let manager = ownership::manager(call.request);
            ownership::track_create(&context, &mut value, &manager);
        }
    }
    if call.resource.namespaced {
        let namespace = meta::text(&value, "namespace");
        if !namespace.is_empty() && namespace != call.namespace() {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
        meta::of(&mut value).insert("namespace", call.namespace());
    }
    let status = status(call, &value)?;
    if call.resource.plural == "selfsubjectrulesreviews" {
        value = Value::Map(Map::from([("spec", Map::new().into())]));
    }
    value.map_at_mut(&[]).insert("status", status);
    value.map_at_mut(&["metadata"]);
    render::type_meta(&mut value, &call.resource);
    let kind = call.resource.handle();
    Ok(super::shaped_reply(call, 201, &kind, (&value, &value)).with_warnings(warnings))
}

fn invalid(error: FieldError) -> ApiError {
    let about = About {
        group: "authorization.k8s.io",
        kind: "",
        name: "",
    };
    ApiError::invalid(about, &[error])
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// What a review asks about.
fn action(review: &Value) -> Result<Attributes, ApiError> {
    let given = |key: &str| review.at(&["spec", key]).filter(|value| !value.is_null());
    match (given("resourceAttributes"), given("nonResourceAttributes")) {
        (None, None) => Err(invalid(FieldError::invalid(
            "spec.resourceAttributes",
            &Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ))),
        (Some(_), Some(path)) => Err(invalid(FieldError::invalid(
            "spec.nonResourceAttributes",
            &shown_path(path),
            "cannot be specified in combination with resourceAttributes",
        ))),
        (Some(resource), None) => {
            let text = |key| text(resource, &[key]).to_owned();
            Ok(Attributes {
                verb: text("verb"),
                group: text("group"),
                resource: text("resource"),
                subresource: text("subresource"),
                namespace: text("namespace"),
                name: text("name"),
                path: String::new(),
                is_resource: true,
            })
        }
        (None, Some(path)) => Ok(Attributes {
            verb: text(path, &["verb"]).to_owned(),
            path: text(path, &["path"]).to_owned(),
            ..Attributes::default()
        }),
    }
}

/// Non-resource attributes with the names of the internal type, as errors show them.
fn shown_path(path: &Value) -> Value {
    Value::Map(Map::from([
        ("Path", text(path, &["path"]).into()),
        ("Verb", text(path, &["verb"]).into()),
    ]))
}

fn decision(call: &Call<'_>, user: &User, action: &Attributes) -> Value {
    let core = call.core;
    let Decision { allowed, reason } = core.authorizer.decide(&core.store, user, action);
    let mut status = Map::from([("allowed", allowed.into())]);
    if !reason.is_empty() {
        status.insert("reason", reason);
    }
    status.into()
}

fn own_access(call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    Ok(decision(call, &call.request.user, &action(review)?))
}

fn access(call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    let texts = |path: &[&str]| -> Vec<String> {
        let list = review.at(path).and_then(Value::as_list).unwrap_or_default();
        let texts = list.iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let user = User {
        name: text(review, &["spec", "user"]).to_owned(),
        uid: text(review, &["spec", "uid"]).to_owned(),
        groups: texts(&["spec", "groups"]),
        extra: Vec::new(),
    };
    let action = action(review)?;
    if user.name.is_empty() && user.groups.is_empty() {
        return Err(invalid(FieldError::invalid(
            "spec.user",
            &"".into(),
            "at least one of user or group must be specified",
        )));
    }
    Ok(decision(call, &user, &action))
}

fn local_access(call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    if let Some(path) = review.at(&["spec", "nonResourceAttributes"]) {
        return Err(invalid(FieldError::invalid(
            "spec.nonResourceAttributes",
            &shown_path(path),
            "disallowed on this kind of request",
        )));
    }
    let asked = text(review, &["spec", "resourceAttributes", "namespace"]);
    if review.at(&["spec", "resourceAttributes"]).is_some() && asked != call.namespace() {
        return Err(invalid(FieldError::invalid(
            "spec.resourceAttributes.namespace",
            &asked.into(),
            "must match metadata.namespace",
        )));
    }
    access(call, review)
}

fn rules(call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    let namespace = text(review, &["spec", "namespace"]);
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let policy = call.core.authorizer.policy(&call.core.store);
    let held = policy.map(|policy| policy.held(&call.request.user, namespace));
    let (rules, errors) = match held {
        Some(held) => (held.rules, held.errors),
        None => (Rule::everything().to_vec(), Vec::new()),
    };
    let shown = |fields: [(&str, &Vec<String>); 4]| -> Value {
        let given = fields.into_iter().filter(|(_, words)| !words.is_empty());
        let map: Map = given
            .map(|(name, words)| (name, Value::from(words.clone())))
            .collect();
        map.into()
    };
    let none = Vec::new();
    let resources = rules.iter().filter(|rule| !rule.resources.is_empty());
    let resources: Vec<Value> = resources
        .map(|rule| {
            shown([
                ("verbs", &rule.verbs),
                ("apiGroups", &rule.groups),
                ("resources", &rule.resources),
                ("resourceNames", &rule.names),
            ])
        })
        .collect();
    let paths = rules.iter().filter(|rule| !rule.urls.is_empty());
    let paths: Vec<Value> = paths
        .map(|rule| {
            shown([
                ("verbs", &rule.verbs),
                ("nonResourceURLs", &rule.urls),
                ("", &none),
                ("", &none),
            ])
        })
        .collect();
    let mut status = Map::from([
        ("incomplete", false.into()),
        ("resourceRules", resources.into()),
        ("nonResourceRules", paths.into()),
    ]);
    if !errors.is_empty() {
        status.insert("evaluationError", errors.join(", "));
    }
    Ok(status.into())
}

fn whoami(call: &Call<'_>, _review: &Value) -> Result<Value, ApiError> {
    let info = call.request.user.info();
    Ok(Map::from([("userInfo", info.into())]).into())
}

fn token(call: &Call<'_>, review: &Value) -> Result<Value, ApiError> {
    let token = text(review, &["spec", "token"]);
    if token.is_empty() {
        return Err(ApiError::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let asked = review.at(&["spec", "audiences"]).and_then(Value::as_list);
    let asked: Vec<String> = asked
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let audiences = if asked.is_empty() {
        vec![ISSUER.to_owned()]
    } else {
        asked
    };
    let core = call.core;
    let known = core
        .authenticator
        .known(token, &audiences, &core.store, call.now);
    let status = match known {
        Ok(user) => Map::from([
            ("authenticated", true.into()),
            ("user", user.info().into()),
            ("audiences", audiences.into()),
        ]),
        Err(unknown) => Map::from([
            ("user", Map::new().into()),
            ("error", refusal(&unknown, &audiences).into()),
        ]),
    };
    Ok(status.into())
}

fn refusal(unknown: &Unknown, audiences: &[String]) -> String {
    let list = |words: &[String]| crate::auth::rules::quoted_list(words, " ");
    match unknown {
        Unknown::Invalid => "invalid bearer token".to_owned(),
        Unknown::OtherAudience(meant) => format!(
            "[invalid bearer token, token audiences {} is invalid for the target audiences {}]",
            list(meant),
            list(audiences)
        ),
    }
}
