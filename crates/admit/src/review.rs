//! AdmissionReviews: what a webhook is sent, and what its answer means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yaml::{Map, Value};

const GROUP: &str = "admission.k8s.io";
const KIND: &str = "AdmissionReview";

/// What a webhook may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It may change the object.
    Mutate,
    /// It may only allow or deny.
    Validate,
}

/// What a webhook answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// `None` when it allows the write; else the Status that it gives, if any.
    pub denied: Option<Value>,
    /// The text of its JSON patch; empty when it has none.
    pub patch: Vec<u8>,
    /// What the writer is told.
    pub warnings: Vec<String>,
}

/// The review, in `version`, of the write that `request` describes; texts that are empty in it are
/// left out. It holds the objects and the review's uid already.
#[must_use]
pub fn review(mut request: Map, version: &str) -> Value {
    for key in ["subResource", "requestSubResource", "name", "namespace"] {
        if request.get(key).and_then(Value::as_str) == Some("") {
            request.remove(key);
        }
    }
    if let Some(Value::Map(user)) = request.get_mut("userInfo")
        && user.get("uid").and_then(Value::as_str) == Some("")
    {
        user.remove("uid");
    }
    Value::Map(Map::from([
        ("apiVersion", format!("{GROUP}/{version}").into()),
        ("kind", KIND.into()),
        ("request", request.into()),
    ]))
}

/// What the answer to the review `uid` in `version` says.
///
/// # Errors
/// Why it is none, in the words of the real server.
pub fn verdict(
    answer: &Value,
    (uid, version): (&str, &str),
    power: Power,
) -> Result<Verdict, String> {
    let patch = STANDARD
        .decode(text(answer, &["response", "patch"]))
        .map_err(|error| format!("failed to call webhook: {}", go_base64(&error)))?;
    check(answer, (uid, version), power, !patch.is_empty())
        .map_err(|why| format!("received invalid webhook response: {why}"))?;
    let response = answer.get("response").unwrap_or(&Value::Null);
    let warnings = response.get("warnings").and_then(Value::as_list);
    let mut verdict = Verdict {
        warnings: warnings
            .unwrap_or_default()
            .iter()
            .filter_map(|warning| warning.as_str().map(str::to_owned))
            .collect(),
        ..Verdict::default()
    };
    if response.get("allowed").and_then(Value::as_bool) != Some(true) {
        verdict.denied = Some(response.get("status").cloned().unwrap_or_default());
        return Ok(verdict);
    }
    if patch.is_empty() {
        return Ok(verdict);
    }
    let kind = text(response, &["patchType"]);
    if kind != "JSONPatch" && version == "v1" {
        return Err(format!("unsupported patch type {}", kinds::quoted(kind)));
    }
    verdict.patch = patch;
    Ok(verdict)
}

fn check(
    answer: &Value,
    (uid, version): (&str, &str),
    power: Power,
    has_patch: bool,
) -> Result<(), String> {
    let Some(response) = answer
        .get("response")
        .filter(|response| !response.is_null())
    else {
        return Err("webhook response was absent".to_owned());
    };
    // The old version was never checked for these.
    let strict = version == "v1";
    let said = text(answer, &["apiVersion"]);
    if strict && said.is_empty() {
        return Err(format!(
            "expected webhook response of {GROUP}/{version}, Kind={KIND}, got /, Kind="
        ));
    }
    let answered = text(response, &["uid"]);
    if strict && answered != uid {
        return Err(format!(
            "expected response.uid={}, got {}",
            kinds::quoted(uid),
            kinds::quoted(answered)
        ));
    }
    let has_type = !text(response, &["patchType"]).is_empty();
    let why = match (power, has_patch, has_type) {
        (Power::Validate, true, _) => "validating webhook may not return response.patch",
        (Power::Validate, false, true) => "validating webhook may not return response.patchType",
        (Power::Mutate, true, false) if strict => {
            "webhook returned response.patch but not response.patchType"
        }
        (Power::Mutate, false, true) => {
            "webhook returned response.patchType but not response.patch"
        }
        _ => return Ok(()),
    };
    // The old version let validating webhooks answer what is not looked at.
    if strict || power == Power::Mutate {
        return Err(why.to_owned());
    }
    Ok(())
}

/// What Go's decoder says.
fn go_base64(error: &base64::DecodeError) -> String {
    let at = match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            *at
        }
        base64::DecodeError::InvalidLength(length) => *length,
        base64::DecodeError::InvalidPadding => 0,
    };
    format!("illegal base64 data at input byte {at}")
}

/// The Status of a denial by the webhook `name`, of which it gave `given`, or `null`.
#[must_use]
pub fn denial(name: &str, given: &Value) -> Value {
    let message = text(given, &["message"]);
    let reason = text(given, &["reason"]);
    let who = format!(
        "admission webhook {} denied the request",
        kinds::quoted(name)
    );
    let message = match (message, reason) {
        ("", "") => format!("{who} without explanation"),
        ("", reason) => format!("{who}: {reason}"),
        (message, _) => format!("{who}: {message}"),
    };
    let code = given.get("code").and_then(Value::as_i64).unwrap_or(0);
    let mut status = Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Status".into()),
        ("metadata", Map::new().into()),
        ("status", "Failure".into()),
        ("message", message.into()),
        // A denial is never told as a success.
        ("code", code.max(400).into()),
    ]);
    if !reason.is_empty() {
        status.insert("reason", reason);
    }
    if let Some(details @ Value::Map(_)) = given.get("details") {
        status.insert("details", details.clone());
    }
    status.into()
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}
