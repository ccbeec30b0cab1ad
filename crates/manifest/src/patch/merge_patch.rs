//! RFC 7386 as kube-apiserver applies it (evanphx/json-patch v4).
//!
//! What differs from the RFC: a list that replaces anything but a map loses the `null` members of
//! the maps in it.

use yaml::{Map, Value};

use super::PatchError;

/// Merges `patch` into `document`: maps member by member, `null` deletes, all else replaces.
///
/// # Errors
/// [`PatchError::InvalidMergePatch`] when `patch` is neither a map nor a list.
pub fn merge_patch(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    match (patch, &mut document) {
        (Value::Map(patch), Value::Map(map)) => {
            merge_maps(map, patch);
            Ok(document)
        }
        (Value::Map(_) | Value::List(_), _) => Ok(without_nulls(patch)),
        _ => Err(PatchError::InvalidMergePatch),
    }
}

fn merge_maps(map: &mut Map, patch: &Map) {
    for (key, change) in patch.iter() {
        if change.is_null() {
            map.remove(key);
            continue;
        }
        match (map.get_mut(key), change) {
            (Some(Value::Map(current)), Value::Map(change)) => merge_maps(current, change),
            (Some(Value::Map(_)), _) => {
                map.insert(key.clone(), change.clone());
            }
            _ => {
                map.insert(key.clone(), without_nulls(change));
            }
        }
    }
}

/// A copy without the `null` members of maps; `null` items of lists stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => map
            .iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| (key.clone(), without_nulls(member)))
            .collect::<Map>()
            .into(),
        Value::List(list) => Value::List(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The merge patch that turns `original` into `modified`, as `kubectl` and controllers make it.
///
/// Lists count as one value. An empty patch means that nothing differs. A `null` in `modified`
/// cannot be told from a deletion; that is a limit of merge patches.
#[must_use]
pub fn merge_patch_between(original: &Map, modified: &Map) -> Map {
    let mut patch = Map::new();
    for (key, new) in modified.iter() {
        match (original.get(key), new) {
            (Some(Value::Map(old)), Value::Map(new)) => {
                let members = merge_patch_between(old, new);
                if !members.is_empty() {
                    patch.insert(key.clone(), members);
                }
            }
            (Some(old), new) if old == new => {}
            _ => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    for key in original.keys().filter(|key| !modified.contains_key(key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[track_caller]
    fn check(document: &str, patch: &str, want: &str) {
        let got = match merge_patch(json(document), &json(patch)) {
            Ok(value) => serde_json::to_string(&value).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{document} patched by {patch}");
    }

    #[test]
    fn the_examples_of_rfc_7386_hold() {
        for (document, patch, want) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (
                r#"{}"#,
                r#"{"a":{"bb":{"ccc":null}}}"#,
                r#"{"a":{"bb":{}}}"#,
            ),
        ] {
            check(document, patch, want);
        }
    }

    #[test]
    fn lists_in_place_of_other_than_maps_lose_null_members() {
        check(
            r#"{"a":[]}"#,
            r#"{"a":[{"b":null,"c":1},null]}"#,
            r#"{"a":[{"c":1},null]}"#,
        );
        check(
            r#"{"a":{}}"#,
            r#"{"a":[{"b":null}]}"#,
            r#"{"a":[{"b":null}]}"#,
        );
    }

    #[test]
    fn the_patch_between_two_maps_leads_from_one_to_the_other() {
        let original = json(r#"{"a":1,"b":{"c":[1],"d":2},"e":{"f":1}}"#);
        let modified = json(r#"{"a":2,"b":{"c":[1,2]},"e":{"f":1},"g":{}}"#);
        let patch = merge_patch_between(original.as_map().unwrap(), modified.as_map().unwrap());
        let text = serde_json::to_string(&patch).unwrap();
        assert_eq!(text, r#"{"a":2,"b":{"c":[1,2],"d":null},"g":{}}"#);
        assert_eq!(merge_patch(original, &Value::Map(patch)), Ok(modified));
    }
}
