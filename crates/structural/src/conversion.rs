//! ConversionReviews: what a webhook is sent to make objects of another version, and what its answer
//! means.
//!
//! [`review`] and [`converted`] are the doors. It must never know how a webhook is reached.

use kinds::{FieldError, names, quoted};
use manifest::go::decoded_type;
use yaml::{Map, Value};

/// The group of reviews.
pub const GROUP: &str = "apiextensions.k8s.io";
/// The kind of reviews.
pub const KIND: &str = "ConversionReview";

/// Asks for `objects` in `desired`, an `apiVersion`; the review is of `version` and has this uid.
#[must_use]
pub fn review((uid, version): (&str, &str), objects: Vec<Value>, desired: &str) -> Value {
    let request = Map::from([
        ("uid", uid.into()),
        ("desiredAPIVersion", desired.into()),
        ("objects", objects.into()),
    ]);
    // Go's struct is sent as it is: what is to be answered is there, empty.
    let result = Map::from([("metadata", Map::new().into())]);
    let response = Map::from([
        ("uid", "".into()),
        ("convertedObjects", Value::Null),
        ("result", result.into()),
    ]);
    Value::Map(Map::from([
        ("apiVersion", format!("{GROUP}/{version}").into()),
        ("kind", KIND.into()),
        ("request", request.into()),
        ("response", response.into()),
    ]))
}

/// The objects that the answer to a review gives for `originals`, which all have one type: those of
/// the answer with the metadata that they had, labels and annotations aside.
///
/// # Errors
/// Why there are none, in the words of the real server after `conversion webhook for <type>`.
pub fn converted(
    answer: &Value,
    (uid, version): (&str, &str),
    originals: &[Value],
    desired: &str,
) -> Result<Vec<Value>, String> {
    let given = given(answer, (uid, version)).map_err(|why| format!("failed: {why}"))?;
    if given.len() != originals.len() {
        let (found, wanted) = (given.len(), originals.len());
        return Err(format!("returned {found} objects, expected {wanted}"));
    }
    let pairs = originals.iter().zip(given);
    pairs
        .enumerate()
        .map(|(index, (original, given))| one(original, given, (index, desired)))
        .collect()
}

fn given<'a>(answer: &'a Value, (uid, version): (&str, &str)) -> Result<&'a [Value], String> {
    // The old version was never checked for type and uid.
    let strict = version == "v1";
    if strict && text(answer, &["apiVersion"]).is_empty() {
        return Err(format!(
            "expected webhook response of {GROUP}/{version}, Kind={KIND}, got /, Kind="
        ));
    }
    let response = answer.get("response").filter(|given| !given.is_null());
    let response = response.ok_or("no response provided")?;
    let answered = text(response, &["uid"]);
    if strict && answered != uid {
        let (wanted, found) = (quoted(uid), quoted(answered));
        return Err(format!("expected response.uid={wanted}, got {found}"));
    }
    let status = text(response, &["result", "status"]);
    if status != "Success" {
        return Err(match text(response, &["result", "message"]) {
            "" => format!("response.result.status was '{status}', not 'Success'"),
            message => message.to_owned(),
        });
    }
    let objects = response.get("convertedObjects").and_then(Value::as_list);
    Ok(objects.unwrap_or_default())
}

fn one(original: &Value, given: &Value, (index, desired): (usize, &str)) -> Result<Value, String> {
    let invalid = |what: &str, wanted: &str, found: &str| {
        format!(
            "returned invalid object at index {index}: invalid {what} (expected {wanted}, received \
             {found})"
        )
    };
    let found = text(given, &["apiVersion"]);
    if found != desired {
        return Err(invalid("groupVersion", desired, found));
    }
    let kind = text(original, &["kind"]);
    if text(given, &["kind"]) != kind {
        return Err(invalid("kind", kind, text(given, &["kind"])));
    }
    for (key, name) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (wanted, found) = (
            text(original, &["metadata", key]),
            text(given, &["metadata", key]),
        );
        if wanted != found {
            return Err(format!(
                "returned invalid object: must have the same {name}: {wanted} != {found}"
            ));
        }
    }
    let metadata =
        restored(original, given).map_err(|why| format!("returned invalid metadata: {why}"))?;
    let mut converted = given.clone();
    converted.map_at_mut(&[]).insert("metadata", metadata);
    Ok(converted)
}

/// The metadata of the original with the labels and annotations that are given.
fn restored(original: &Value, given: &Value) -> Result<Map, String> {
    let Some(given) = given.get("metadata") else {
        return Err("missing metadata in converted object".to_owned());
    };
    let before = original.get("metadata").and_then(Value::as_map);
    let mut metadata = before.cloned().unwrap_or_default();
    for key in ["labels", "annotations"] {
        let pairs = match given.get(key) {
            None | Some(Value::Null) => {
                metadata.remove(key);
                continue;
            }
            Some(Value::Map(pairs)) => pairs,
            Some(other) => {
                let found = decoded_type(other);
                return Err(format!(
                    "invalid metadata.{key} of type {found} in converted object"
                ));
            }
        };
        if let Some((name, value)) = pairs.iter().find(|(_, value)| value.as_str().is_none()) {
            let found = decoded_type(value);
            return Err(format!(
                "metadata.{key}[{name}] must be a string, but is {found} in converted object"
            ));
        }
        if metadata.get(key).and_then(Value::as_map) != Some(pairs) {
            check_names(key, pairs)?;
        }
        metadata.insert(key, pairs.clone());
    }
    Ok(metadata)
}

fn check_names(key: &str, pairs: &Map) -> Result<(), String> {
    // The real server's path of annotations lacks a letter.
    let at = match key {
        "labels" => "metadata.labels",
        _ => "metadata.annotation",
    };
    let mut errors = Vec::new();
    for (name, value) in pairs.iter() {
        let lower = name.to_lowercase();
        let judged = if key == "labels" {
            name.as_str()
        } else {
            &lower
        };
        for problem in names::qualified_name_problems(judged) {
            errors.push(FieldError::invalid(at, &name.as_str().into(), &problem));
        }
        if key == "labels" {
            let value = value.as_str().unwrap_or_default();
            for problem in names::label_value_problems(value) {
                errors.push(FieldError::invalid(at, &value.into(), &problem));
            }
        }
    }
    let texts: Vec<String> = errors.iter().map(FieldError::text).collect();
    match texts.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Value {
        yaml::json::parse(text.as_bytes()).expect("is JSON")
    }

    const ORIGINAL: &str = r#"{"apiVersion":"g.io/v1","kind":"T","metadata":{"name":"one",
        "namespace":"n","uid":"u","generation":3,"labels":{"a":"b"}},"spec":{"x":1}}"#;

    /// What comes of the answer with this `response`, as recorded from the real server.
    fn check(response: &str, want: Result<&str, &str>) {
        let kind = r#""apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview""#;
        let answer = parse(&format!("{{{kind},\"response\":{response}}}"));
        let originals = [parse(ORIGINAL)];
        let found = converted(&answer, ("id", "v1"), &originals, "g.io/v2");
        match want {
            Ok(object) => assert_eq!(found, Ok(vec![parse(object)]), "{response}"),
            Err(why) => assert_eq!(found, Err(why.to_owned()), "{response}"),
        }
    }

    fn check_object(object: &str, want: Result<&str, &str>) {
        let response = format!(
            r#"{{"uid":"id","result":{{"status":"Success"}},"convertedObjects":[{object}]}}"#
        );
        check(&response, want);
    }

    #[test]
    fn an_answer_is_a_success_with_as_many_objects() {
        check("null", Err("failed: no response provided"));
        check(
            r#"{"uid":"q"}"#,
            Err(r#"failed: expected response.uid="id", got "q""#),
        );
        check(
            r#"{"uid":"id","result":{"status":"Failure"}}"#,
            Err("failed: response.result.status was 'Failure', not 'Success'"),
        );
        check(
            r#"{"uid":"id","result":{"status":"Failure","message":"cannot"}}"#,
            Err("failed: cannot"),
        );
        check(
            r#"{"uid":"id","result":{"status":"Success"},"convertedObjects":[]}"#,
            Err("returned 0 objects, expected 1"),
        );
    }

    #[test]
    fn metadata_stays_but_for_labels_and_annotations() {
        check_object(
            r#"{"apiVersion":"g.io/v2","kind":"T","metadata":{"name":"one","namespace":"n",
                "uid":"u","generation":9,"annotations":{"c":"d"}},"spec":{"y":1}}"#,
            Ok(
                r#"{"apiVersion":"g.io/v2","kind":"T","metadata":{"name":"one","namespace":"n",
                "uid":"u","generation":3,"annotations":{"c":"d"}},"spec":{"y":1}}"#,
            ),
        );
    }

    #[test]
    fn the_object_stays_the_same_one() {
        check_object(
            r#"{"apiVersion":"x/v9","kind":"T"}"#,
            Err(
                "returned invalid object at index 0: invalid groupVersion (expected g.io/v2, \
                 received x/v9)",
            ),
        );
        check_object(
            r#"{"apiVersion":"g.io/v2","kind":"N"}"#,
            Err("returned invalid object at index 0: invalid kind (expected T, received N)"),
        );
        check_object(
            r#"{"apiVersion":"g.io/v2","kind":"T"}"#,
            Err("returned invalid object: must have the same name: one != "),
        );
        check_object(
            r#"{"apiVersion":"g.io/v2","kind":"T","metadata":{"name":"one","namespace":"n",
                "uid":"u","labels":{"a":1}}}"#,
            Err(
                "returned invalid metadata: metadata.labels[a] must be a string, but is int64 in \
                 converted object",
            ),
        );
    }
}
