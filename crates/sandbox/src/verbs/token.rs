//! POST to `serviceaccounts/NAME/token`: a signed token.

use std::sync::Arc;

use yaml::{Map, Value};

use crate::auth::tokens::{Bound, Claims, ISSUER};
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::meta;
use crate::registry::Resource;
use crate::reply::Reply;
use crate::status_error::{About, ApiError};
use crate::strategy::Context;
use crate::{ownership, render};
use kinds::FieldError;
use life::clock;
use store::Collection;

use super::read;

const DEFAULT_SECONDS: i64 = 3600;
const LEAST_SECONDS: i64 = 600;
const MOST_SECONDS: i64 = 1 << 32;

/// Answers with the request, and a token in its status.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let resource = Arc::new(Resource {
        group: "authentication.k8s.io".into(),
        version: "v1".into(),
        kind: "TokenRequest".into(),
        ..(*call.resource).clone()
    });
    let inner = Call {
        resource,
        form: call.form,
        ..*call
    };
    let Decoded {
        mut value,
        warnings,
    } = decode::object(&inner)?;
    let spec = value.map_at_mut(&["spec"]);
    spec.entry_or_insert("expirationSeconds", DEFAULT_SECONDS.into());
    check_place(call, &value)?;
    let manager = ownership::manager(call.request);
    ownership::track_create(&Context::of(&inner), &mut value, &manager);
    let account = read::find(call)?;
    complete(call, &mut value, &account.value());
    let seconds = check_duration(&value)?;
    let bound = bound(call, &value)?;
    let uid = account.value();
    let issued = call.now.as_second();
    let audiences = audiences(&value);
    let claims = Claims {
        namespace: call.namespace(),
        account: call.name(),
        uid: meta::uid(&uid),
        audiences: &audiences,
        bound: bound.as_ref(),
        issued,
        expires: issued.saturating_add(seconds),
    };
    let signer = call.core.authenticator.signer();
    let token = signer
        .sign(&claims)
        .map_err(|error| ApiError::internal(&error.to_string()))?;
    let expires = jiff::Timestamp::from_second(claims.expires).unwrap_or(call.now);
    let status = Map::from([
        ("token", token.into()),
        ("expirationTimestamp", clock::seconds(expires).into()),
    ]);
    value.map_at_mut(&[]).insert("status", status);
    render::type_meta(&mut value, &inner.resource);
    let kind = inner.resource.handle();
    Ok(super::shaped_reply(call, 201, &kind, (&value, &value)).with_warnings(warnings))
}

fn about(name: &str) -> About<'_> {
    About {
        group: "authentication.k8s.io",
        kind: "TokenRequest",
        name,
    }
}

/// Name and namespace in the body are those of the path, or absent.
fn check_place(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    let namespace = meta::text(value, "namespace");
    if !namespace.is_empty() && namespace != call.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let name = meta::name(value);
    if !name.is_empty() && name != call.name() {
        let why = "must match the service account name if specified";
        let error = FieldError::invalid("metadata.name", &name.into(), why);
        return Err(ApiError::invalid(about(call.name()), &[error]));
    }
    Ok(())
}

fn complete(call: &Call<'_>, value: &mut Value, account: &Value) {
    let metadata = meta::of(value);
    metadata.insert("name", call.name());
    metadata.insert("namespace", call.namespace());
    metadata.insert("uid", meta::uid(account));
    metadata.insert("creationTimestamp", clock::seconds(call.now));
    let spec = value.map_at_mut(&["spec"]);
    let none = |value: &Value| value.as_list().is_none_or(<[Value]>::is_empty);
    if spec.get("audiences").is_none_or(none) {
        spec.insert("audiences", vec![ISSUER]);
    }
    spec.entry_or_insert("boundObjectRef", Value::Null);
}

fn audiences(value: &Value) -> Vec<String> {
    let list = value.at(&["spec", "audiences"]).and_then(Value::as_list);
    let texts = list.unwrap_or_default().iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn check_duration(value: &Value) -> Result<i64, ApiError> {
    let given = value.at(&["spec", "expirationSeconds"]);
    let seconds = given.and_then(Value::as_i64).unwrap_or(DEFAULT_SECONDS);
    let why = match seconds {
        ..LEAST_SECONDS => "may not specify a duration less than 10 minutes",
        LEAST_SECONDS..=MOST_SECONDS => return Ok(seconds),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let error = FieldError::invalid("spec.expirationSeconds", &seconds.into(), why);
    Err(ApiError::invalid(about(""), &[error]))
}

/// The object that the token dies with, which must be there.
fn bound(call: &Call<'_>, value: &Value) -> Result<Option<Bound>, ApiError> {
    let Some(reference) = value
        .at(&["spec", "boundObjectRef"])
        .filter(|reference| !reference.is_null())
    else {
        return Ok(None);
    };
    let text = |key: &str| {
        reference
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (api_version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let (plural, namespace) = match (api_version, kind) {
        ("v1", "Pod") => ("pods", call.namespace()),
        ("v1", "Secret") => ("secrets", call.namespace()),
        ("v1", "Node") => ("nodes", ""),
        _ => {
            let slash = if api_version.contains('/') { "" } else { "/" };
            return Err(ApiError::bad_request(format!(
                "cannot bind token to object of type {slash}{api_version}, Kind={kind}"
            )));
        }
    };
    let stored = call
        .core
        .store
        .get(&Collection::new("", plural), namespace, name)
        .ok_or_else(|| {
            ApiError::not_found(About {
                group: "",
                kind: plural,
                name,
            })
        })?;
    let object = stored.value();
    let runs_as = object.at(&["spec", "serviceAccountName"]);
    if kind == "Pod" && runs_as.and_then(Value::as_str) != Some(call.name()) {
        return Err(ApiError::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different \
             serviceaccount name.",
            call.name()
        )));
    }
    let uid = text("uid");
    if !uid.is_empty() && uid != meta::uid(&object) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        let about = About {
            group: "",
            kind,
            name,
        };
        return Err(ApiError::conflict(about, &why));
    }
    Ok(Some(Bound {
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: meta::uid(&object).to_owned(),
    }))
}
