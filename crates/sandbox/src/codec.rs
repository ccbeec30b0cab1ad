//! JSON and YAML bytes to trees and back, in one place.

use std::io::Read;

use bytes::Bytes;
use flate2::Compression;
use yaml::{Value, json};

/// Reads one JSON value.
///
/// # Errors
/// What is wrong with the text, in words.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    json::parse(text).map_err(|error| error.to_string())
}

/// Reads the JSON of a client, with the words of Go's decoder when it is none.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_json(text: &[u8]) -> Result<Value, String> {
    parse(text).map_err(|error| json::syntax_error(text).unwrap_or(error))
}

/// As [`parse_json`]; also tells whether keys are given again.
///
/// # Errors
/// As [`parse_json`].
pub(crate) fn parse_body(text: &[u8]) -> Result<(Value, bool), String> {
    json::parse_noting_repeats(text)
        .map_err(|error| json::syntax_error(text).unwrap_or(error.to_string()))
}

/// Reads the YAML of a client, and tells the keys that are given again.
///
/// # Errors
/// What is wrong with the text, in the words of Go's decoder.
pub(crate) fn parse_yaml(text: &[u8]) -> Result<(Value, Vec<String>), String> {
    let text = std::str::from_utf8(text).map_err(|_invalid| "yaml: invalid UTF-8".to_owned())?;
    let (documents, warnings) =
        yaml::parse_documents(text, yaml::Mode::GoYaml2).map_err(|error| error.go_text())?;
    let repeated = warnings
        .iter()
        .filter_map(|warning| match &warning.oddity {
            yaml::Oddity::RepeatedKey(key) => Some(format!(
                "line {}: key {} already set in map",
                warning.position.line,
                kinds::quoted(key)
            )),
            yaml::Oddity::IgnoredText => None,
        })
        .collect();
    let first = documents.into_iter().next();
    Ok((
        first.map(|document| document.value).unwrap_or_default(),
        repeated,
    ))
}

/// Compact JSON with sorted keys.
pub(crate) fn to_bytes(value: &Value) -> Bytes {
    Bytes::from(to_vec(value))
}

/// Compact JSON with sorted keys.
pub(crate) fn to_vec(value: &Value) -> Vec<u8> {
    json::to_vec(value)
}

/// Compact JSON with sorted keys, as text.
pub(crate) fn to_string(value: &Value) -> String {
    json::to_string(value)
}

/// JSON text as YAML.
pub(crate) fn json_to_yaml(text: &Bytes) -> Bytes {
    parse(text).map_or_else(|_| text.clone(), |value| yaml::emit(&value).into())
}

/// JSON text, indented for people.
pub(crate) fn indent(text: &Bytes) -> Bytes {
    match parse(text) {
        Ok(value) => {
            let mut out = json::to_string_pretty(&value, json::Indent::Two);
            out.push('\n');
            out.into()
        }
        Err(_) => text.clone(),
    }
}

/// JSON text of an object as protobuf; `None` when its kind has no message.
pub(crate) fn json_to_protobuf(text: &Bytes) -> Option<Bytes> {
    let value = parse(text).ok()?;
    protobuf::encode(&value).map(Bytes::from)
}

/// Compressed, for speed rather than size, as kube-apiserver does.
pub(crate) fn gzip(text: &Bytes) -> Bytes {
    let mut out = Vec::with_capacity(text.len() / 4);
    let mut packer = flate2::read::GzEncoder::new(text.as_ref(), Compression::fast());
    packer
        .read_to_end(&mut out)
        .expect("reading from memory and writing to it does not fail");
    out.into()
}
