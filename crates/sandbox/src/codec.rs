//! JSON bytes to trees and back, in one place.

use bytes::Bytes;
use yaml::Value;

/// Reads one JSON value.
///
/// # Errors
/// What is wrong with the text, in words.
pub(crate) fn parse(json: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

/// Reads the JSON of a client, with the words of Go's decoder when it is none.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_json(json: &[u8]) -> Result<Value, String> {
    parse(json).map_err(|error| {
        if error.contains("EOF") {
            "unexpected end of JSON input".to_owned()
        } else {
            error
        }
    })
}

/// Reads the YAML of a client.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_yaml(text: &[u8]) -> Result<Value, String> {
    parse_json(text)
}

/// Compact JSON with sorted keys.
pub(crate) fn to_bytes(value: &Value) -> Bytes {
    Bytes::from(to_vec(value))
}

/// Compact JSON with sorted keys.
pub(crate) fn to_vec(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a tree has text keys and can be written")
}

/// Compact JSON with sorted keys, as text.
pub(crate) fn to_string(value: &Value) -> String {
    String::from_utf8(to_vec(value)).expect("JSON is UTF-8")
}

/// JSON text as YAML.
pub(crate) fn json_to_yaml(json: &Bytes) -> Bytes {
    json.clone()
}

/// JSON text, indented for people.
pub(crate) fn indent(json: &Bytes) -> Bytes {
    match parse(json)
        .and_then(|value| serde_json::to_vec_pretty(&value).map_err(|error| error.to_string()))
    {
        Ok(text) => text.into(),
        Err(_) => json.clone(),
    }
}
