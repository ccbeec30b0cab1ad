//! RFC 6902 as kube-apiserver applies it (evanphx/json-patch v4 with its settings).
//!
//! What differs from the RFC: a member that is missing reads as `null` (so `replace` creates it,
//! `test` of `null` passes and `copy` copies a `null`), a negative index counts from the end, and
//! the text before the first slash of a path is ignored.

use yaml::{Map, Str, Value};

use super::PatchError;

/// The most operations that one JSON patch may have, as in kube-apiserver.
pub const MAX_OPERATIONS: usize = 10_000;

/// The most bytes of JSON that the `copy` operations of one patch may add, as in kube-apiserver.
pub const MAX_COPY_BYTES: usize = 3 * 1024 * 1024;

/// Applies the operations of `patch`, a list, one after the other to `document`.
///
/// Nothing is changed unless all of them apply.
///
/// # Errors
/// [`PatchError::Decode`] when `patch` is not a list of operations, [`PatchError::TooManyOperations`],
/// [`PatchError::DoesNotApply`] with the reason of the first operation that fails, and
/// [`PatchError::CopiesTooMuch`].
pub fn json_patch(document: &Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = decode(patch)?;
    let mut state = State {
        document: document.clone(),
        n_copied: 0,
    };
    for operation in operations {
        state.apply(&operation)?;
    }
    Ok(state.document)
}

struct Operation<'a> {
    verb: &'a str,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: Option<&'a Value>,
}

fn decode(patch: &Value) -> Result<Vec<Operation<'_>>, PatchError> {
    let list = match patch {
        Value::List(list) => list.as_slice(),
        Value::Null => &[],
        other => return Err(cannot_decode(other, "value of type []handlers.jsonPatchOp")),
    };
    let operations = list
        .iter()
        .map(decode_operation)
        .collect::<Result<Vec<_>, _>>()?;
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations(operations.len()));
    }
    Ok(operations)
}

fn cannot_decode(found: &Value, target: &str) -> PatchError {
    PatchError::Decode {
        found: found.kind(),
        target: target.to_owned(),
    }
}

fn decode_operation(operation: &Value) -> Result<Operation<'_>, PatchError> {
    let empty = Operation {
        verb: "unknown",
        path: None,
        from: None,
        value: None,
    };
    let map = match operation {
        Value::Map(map) => map,
        Value::Null => return Ok(empty),
        other => return Err(cannot_decode(other, "value of type handlers.jsonPatchOp")),
    };
    let text = |field: &str| match map.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(cannot_decode(
            other,
            &format!("struct field jsonPatchOp.{field} of type string"),
        )),
    };
    Ok(Operation {
        verb: text("op")?.unwrap_or("unknown"),
        path: text("path")?,
        from: text("from")?,
        value: map.get("value"),
    })
}

struct State {
    document: Value,
    n_copied: usize,
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, PatchError> {
    Err(PatchError::DoesNotApply(reason.into()))
}

impl State {
    fn apply(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        match operation.verb {
            "add" => self.add(operation),
            "remove" => self.remove(operation),
            "replace" => self.replace(operation),
            "move" => self.r#move(operation),
            "test" => self.test(operation),
            "copy" => self.copy(operation),
            other => refuse(format!("Unexpected kind: {other}")),
        }
    }

    fn add(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let path = operation.path("add")?;
        let Some((container, key)) = container(&mut self.document, path) else {
            return refuse(format!(
                "add operation does not apply: doc is missing path: \"{path}\": missing value"
            ));
        };
        let value = operation.value.cloned().unwrap_or_default();
        insert(container, &key, value)
            .or_else(|reason| refuse(format!("error in add for path: '{path}': {reason}")))
    }

    fn remove(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let path = operation.path("remove")?;
        let Some((container, key)) = container(&mut self.document, path) else {
            return refuse(format!(
                "remove operation does not apply: doc is missing path: \"{path}\": missing value"
            ));
        };
        match take(container, &key) {
            Ok(_) => Ok(()),
            Err(reason) => refuse(format!("error in remove for path: '{path}': {reason}")),
        }
    }

    fn replace(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let path = operation.path("replace")?;
        let value = operation.value.cloned().unwrap_or_default();
        if path.is_empty() {
            if !matches!(value, Value::Map(_) | Value::List(_)) {
                return refuse("replace operation value must be object or array");
            }
            self.document = value;
            return Ok(());
        }
        let Some((container, key)) = container(&mut self.document, path) else {
            return refuse(format!(
                "replace operation does not apply: doc is missing path: {path}: missing value"
            ));
        };
        match container {
            Value::Map(map) => {
                map.insert(key, value);
                Ok(())
            }
            Value::List(list) => match index(&key, list.len()) {
                Ok(at) => {
                    list[at] = value;
                    Ok(())
                }
                Err(_) => refuse(format!(
                    "replace operation does not apply: doc is missing key: {path}: missing value"
                )),
            },
            _ => refuse(format!(
                "replace operation does not apply: doc is missing path: {path}: missing value"
            )),
        }
    }

    fn r#move(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let from = operation.from("move")?;
        let Some((source, key)) = container(&mut self.document, from) else {
            return refuse(format!(
                "move operation does not apply: doc is missing from path: {from}: missing value"
            ));
        };
        let value = take(source, &key)
            .or_else(|reason| refuse(format!("error in move for path: '{key}': {reason}")))?;
        let path = operation.path("move")?;
        let Some((target, key)) = container(&mut self.document, path) else {
            return refuse(format!(
                "move operation does not apply: doc is missing destination path: {path}: missing value"
            ));
        };
        insert(target, &key, value)
            .or_else(|reason| refuse(format!("error in move for path: '{path}': {reason}")))
    }

    fn test(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let path = operation.path("test")?;
        let want = operation.value.unwrap_or(&Value::Null);
        let found = if path.is_empty() {
            &self.document
        } else {
            let Some((container, key)) = container(&mut self.document, path) else {
                return refuse(format!(
                    "test operation does not apply: is missing path: {path}: missing value"
                ));
            };
            match look(container, &key) {
                Ok(found) => found.unwrap_or(&Value::Null),
                Err(reason) => {
                    return refuse(format!("error in test for path: '{path}': {reason}"));
                }
            }
        };
        if found == want {
            Ok(())
        } else {
            refuse(format!("testing value {path} failed: test failed"))
        }
    }

    fn copy(&mut self, operation: &Operation<'_>) -> Result<(), PatchError> {
        let from = operation.from("copy")?;
        let Some((source, key)) = container(&mut self.document, from) else {
            return refuse(format!(
                "copy operation does not apply: doc is missing from path: {from}: missing value"
            ));
        };
        let value = match look(source, &key) {
            Ok(found) => found.cloned().unwrap_or_default(),
            Err(reason) => return refuse(format!("error in copy for from: '{from}': {reason}")),
        };
        self.n_copied = self.n_copied.saturating_add(json_bytes(&value));
        if self.n_copied > MAX_COPY_BYTES {
            return Err(PatchError::CopiesTooMuch(self.n_copied));
        }
        let path = operation.path("copy")?;
        let Some((target, key)) = container(&mut self.document, path) else {
            return refuse(format!(
                "copy operation does not apply: doc is missing destination path: {path}: missing value"
            ));
        };
        insert(target, &key, value)
            .or_else(|reason| refuse(format!("error while adding value during copy: {reason}")))
    }
}

impl<'a> Operation<'a> {
    fn path(&self, verb: &str) -> Result<&'a str, PatchError> {
        self.path.map_or_else(
            || {
                refuse(format!(
                    "{verb} operation failed to decode path: missing value"
                ))
            },
            Ok,
        )
    }

    fn from(&self, verb: &str) -> Result<&'a str, PatchError> {
        self.from.map_or_else(
            || {
                refuse(format!(
                    "{verb} operation failed to decode from: missing value"
                ))
            },
            Ok,
        )
    }
}

/// The map or list that holds the last segment of `path`, and that segment unescaped.
fn container<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, Str)> {
    // The text before the first slash counts for nothing.
    let (_, rest) = path.split_once('/')?;
    let (parents, key) = rest.rsplit_once('/').unwrap_or(("", rest));
    let mut at = document;
    if rest.contains('/') {
        for segment in parents.split('/') {
            let segment = unescape(segment);
            at = match at {
                Value::Map(map) => map.get_mut(&segment)?,
                Value::List(list) => {
                    let i = index(&segment, list.len()).ok()?;
                    &mut list[i]
                }
                _ => return None,
            };
        }
    }
    matches!(at, Value::Map(_) | Value::List(_)).then(|| (at, unescape(key)))
}

fn unescape(segment: &str) -> Str {
    if segment.contains('~') {
        segment.replace("~1", "/").replace("~0", "~").into()
    } else {
        segment.into()
    }
}

/// The place of an item: a decimal number, counted from the end when negative.
fn index(key: &str, len: usize) -> Result<usize, String> {
    let number = parse_index(key)?;
    let wanted = if number < 0 {
        len.checked_sub(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(number).ok().filter(|i| *i < len)
    };
    wanted.ok_or_else(|| {
        format!("Unable to access invalid index: {number}: invalid index referenced")
    })
}

fn parse_index(key: &str) -> Result<i64, String> {
    key.parse().map_err(|_| {
        format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            crate::go::quote(key)
        )
    })
}

fn look<'a>(container: &'a Value, key: &str) -> Result<Option<&'a Value>, String> {
    match container {
        Value::Map(map) => Ok(map.get(key)),
        Value::List(list) => Ok(list.get(index(key, list.len())?)),
        _ => Ok(None),
    }
}

fn take(container: &mut Value, key: &str) -> Result<Value, String> {
    match container {
        Value::List(list) => {
            let at = index(key, list.len())?;
            Ok(list.remove(at))
        }
        Value::Map(map) => map
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value")),
        _ => Err("invalid state detected".to_owned()),
    }
}

fn insert(container: &mut Value, key: &Str, value: Value) -> Result<(), String> {
    match container {
        Value::Map(map) => {
            map.insert(key.clone(), value);
        }
        Value::List(list) if key == "-" => list.push(value),
        Value::List(list) => {
            let number = parse_index(key)
                .map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
            // One more place than there are items: -1 means behind the last one.
            let at = index(&number.to_string(), list.len() + 1)?;
            list.insert(at, value);
        }
        _ => return Err("invalid state detected".to_owned()),
    }
    Ok(())
}

/// The length of `value` as compact JSON, escapes not counted.
fn json_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Int(number) => number.to_string().len(),
        Value::Uint(number) => number.to_string().len(),
        Value::Float(number) => crate::go::float(*number).len(),
        Value::String(text) => text.len() + 2,
        Value::List(list) => {
            2 + list.len().saturating_sub(1) + list.iter().map(json_bytes).sum::<usize>()
        }
        Value::Map(map) => 2 + map.len().saturating_sub(1) + members_bytes(map),
    }
}

fn members_bytes(map: &Map) -> usize {
    map.iter()
        .map(|(key, value)| key.len() + 3 + json_bytes(value))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[track_caller]
    fn check(document: &str, patch: &str, want: &str) {
        let got = match json_patch(&json(document), &json(patch)) {
            Ok(value) => serde_json::to_string(&value).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{document} patched by {patch}");
    }

    #[test]
    fn operations_change_maps_and_lists() {
        check(
            r#"{"a":{"b":1},"l":[1,2]}"#,
            r#"[{"op":"add","path":"/a/c","value":2},{"op":"add","path":"/l/1","value":9},
                {"op":"add","path":"/l/-","value":3},{"op":"remove","path":"/a/b"}]"#,
            r#"{"a":{"c":2},"l":[1,9,2,3]}"#,
        );
        check(
            r#"{"a/b":{"~":1}}"#,
            r#"[{"op":"move","from":"/a~1b/~0","path":"/x"},{"op":"copy","from":"/x","path":"/y"}]"#,
            r#"{"a/b":{},"x":1,"y":1}"#,
        );
    }

    #[test]
    fn negative_indexes_count_from_the_end() {
        check(
            r#"{"l":[1,2,3]}"#,
            r#"[{"op":"replace","path":"/l/-1","value":9},{"op":"add","path":"/l/-1","value":4}]"#,
            r#"{"l":[1,2,9,4]}"#,
        );
        check(
            r#"{"l":[1]}"#,
            r#"[{"op":"remove","path":"/l/-2"}]"#,
            "error in remove for path: '/l/-2': Unable to access invalid index: -2: invalid index referenced",
        );
    }

    #[test]
    fn a_missing_member_reads_as_null() {
        check(
            r#"{"a":{}}"#,
            r#"[{"op":"test","path":"/a/x","value":null},{"op":"replace","path":"/a/x","value":1},
                {"op":"copy","from":"/a/none","path":"/a/y"},{"op":"add","path":"/a/z"}]"#,
            r#"{"a":{"x":1,"y":null,"z":null}}"#,
        );
        check(
            r#"{"a":{}}"#,
            r#"[{"op":"remove","path":"/a/x"}]"#,
            "error in remove for path: '/a/x': Unable to remove nonexistent key: x: missing value",
        );
    }

    #[test]
    fn the_text_before_the_first_slash_counts_for_nothing() {
        check(
            r#"{}"#,
            r#"[{"op":"add","path":"data/x","value":"y"}]"#,
            r#"{"x":"y"}"#,
        );
        check(
            r#"{}"#,
            r#"[{"op":"add","path":"x","value":"y"}]"#,
            r#"add operation does not apply: doc is missing path: "x": missing value"#,
        );
    }

    #[test]
    fn bodies_that_are_no_patch_are_refused() {
        check(
            "{}",
            r#"{"op":"add"}"#,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        );
        check(
            "{}",
            "[1]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        );
        check("{}", r#"[{"path":"/a"}]"#, "Unexpected kind: unknown");
    }

    #[test]
    fn patches_are_bounded() {
        let many = Value::List(vec![
            json(r#"{"op":"add","path":"/a"}"#);
            MAX_OPERATIONS + 1
        ]);
        assert_eq!(
            json_patch(&json("{}"), &many),
            Err(PatchError::TooManyOperations(MAX_OPERATIONS + 1))
        );
        let document = Value::from(Map::from([("a", Value::from("x".repeat(1024 * 1024)))]));
        let patch = json(
            r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"copy","from":"/a","path":"/c"},
            {"op":"copy","from":"/a","path":"/d"}]"#,
        );
        assert!(matches!(
            json_patch(&document, &patch),
            Err(PatchError::CopiesTooMuch(_))
        ));
    }
}
