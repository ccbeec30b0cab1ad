//! ConfigMaps and Secrets.

use base64::Engine;
use yaml::Value;

use super::field::Field;
use crate::names;

/// The largest ConfigMap or Secret.
const SIZE: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// Checks the keys; gives the size of the values.
fn keys(data: &Field<'_, '_>) -> usize {
    let mut size = 0;
    for (key, value) in data.entries() {
        for problem in names::config_key_problems(key) {
            value.invalid_as(&key.into(), &problem);
        }
        size += value.text().len();
    }
    size
}

/// What Go's types have where a client gives nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// Nothing, which an empty map is not.
    Nil,
    /// An empty map.
    Empty,
}

fn frozen(object: &Field<'_, '_>, fields: &[(&str, Absent)]) {
    let immutable = object.get("immutable");
    if immutable.old().and_then(Value::as_bool) != Some(true) {
        return;
    }
    if !immutable.is_true() {
        immutable.forbidden(FROZEN);
    }
    for (name, absent) in fields {
        let field = object.get(name);
        let had_some = field.old().and_then(Value::as_map);
        let stays_empty = field.is_empty() && had_some.is_none_or(yaml::Map::is_empty);
        if field.changed() && !(stays_empty && *absent == Absent::Empty) {
            field.forbidden(FROZEN);
        }
    }
}

pub(super) fn config_map(object: &Field<'_, '_>) {
    let (data, binary) = (object.get("data"), object.get("binaryData"));
    for (key, value) in data.entries() {
        if binary.key(key).is_set() {
            value.invalid_as(&key.into(), "duplicate of key present in binaryData");
        }
    }
    let size = keys(&data) + keys(&binary) / 4 * 3;
    if size > SIZE {
        // The server tells it at a path without a name.
        object.under("[]").too_long(SIZE);
    }
    let fields = [("data", Absent::Empty), ("binaryData", Absent::Nil)];
    frozen(object, &fields);
}

/// Base64 of JSON; what it holds is never told.
fn is_json(entry: &Field<'_, '_>) {
    if !entry.is_set() {
        return;
    }
    let bytes = base64::prelude::BASE64_STANDARD.decode(entry.text());
    if let Err(error) = yaml::json::parse(&bytes.unwrap_or_default()) {
        entry.invalid_as(
            &"<secret contents redacted>".into(),
            &error.cause.to_string(),
        );
    }
}

pub(super) fn secret(object: &Field<'_, '_>) {
    let data = object.get("data");
    let size = keys(&data);
    if size / 4 * 3 > SIZE {
        data.too_long(SIZE);
    }
    let require = |wanted: &[&str]| {
        for key in wanted {
            let entry = data.key(key);
            if !entry.is_set() {
                entry.required("");
            }
        }
    };
    match object.get("type").text() {
        "kubernetes.io/tls" => require(&["tls.crt", "tls.key"]),
        "kubernetes.io/ssh-auth" => {
            data.key("ssh-privatekey").require();
        }
        "kubernetes.io/dockercfg" => {
            require(&[".dockercfg"]);
            is_json(&data.key(".dockercfg"));
        }
        "kubernetes.io/dockerconfigjson" => {
            require(&[".dockerconfigjson"]);
            is_json(&data.key(".dockerconfigjson"));
        }
        "kubernetes.io/basic-auth"
            if !data.key("username").is_set() && !data.key("password").is_set() =>
        {
            require(&["username", "password"]);
        }
        "kubernetes.io/service-account-token" => {
            let annotations = object.get("metadata.annotations");
            annotations
                .key("kubernetes.io/service-account.name")
                .require();
        }
        _ => {}
    }
    object.get("type").immutable();
    frozen(object, &[("data", Absent::Nil)]);
}
