//! The controller's writes: the same set with the same bodies, in an order that agrees.

use yaml::{Map, Value};

use crate::pattern::{Difference, differences, is_alike, text};

/// Codes of a write that raced: the request may be missing or doubled. The README says so of creates
/// and deletes; an update that takes a finalizer off races in the same way (recording `hooks-cm`).
const RACED: [i64; 2] = [404, 409];
const RACING: [&str; 3] = ["create", "update", "delete"];

/// Where the found requests of a step are not as recorded. Both are in the form of the corpus.
#[must_use]
pub fn requests(want: &[Value], found: &[Value]) -> Vec<Difference> {
    let mut left: Vec<Option<&Value>> = found.iter().map(Some).collect();
    let mut pairs: Vec<(usize, &Value)> = Vec::new();
    let mut found_differences = Vec::new();
    for want in want {
        let is_same = |it: &Option<&Value>| it.is_some_and(|it| is_same(want, it));
        // Of several equal ones the first with the same body.
        let best = |it: &Option<&Value>| is_same(it) && it.is_some_and(|it| has_same(want, it));
        let at = left
            .iter()
            .position(best)
            .or_else(|| left.iter().position(is_same));
        match at.and_then(|at| Some((at, left.get_mut(at)?.take()?))) {
            Some((at, request)) => {
                found_differences.extend(compare(want, request));
                pairs.push((at, want));
            }
            None if has_raced(want) => {}
            None => found_differences.push(Difference::text(
                "requests",
                format!("lacks {}", name(want)),
            )),
        }
    }
    let extra = left.into_iter().flatten().filter(|it| !has_raced(it));
    found_differences
        .extend(extra.map(|it| Difference::text("requests", format!("has {} too", name(it)))));
    found_differences.extend(order(&pairs));
    found_differences
}

/// Members of metadata that the recorder masks.
const SERVER_SET: [&str; 5] = [
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
];

fn name(request: &Value) -> String {
    let text = |key| text(request, &[key]);
    let code = request.get("code").map(yaml::json::to_string);
    format!(
        "{} {} {}/{} ({})",
        text("verb"),
        text("resource"),
        text("namespace"),
        object_name(request),
        code.unwrap_or_default()
    )
}

fn object_name(request: &Value) -> &str {
    match text(request, &["name"]) {
        "" => match text(request, &["body", "metadata", "name"]) {
            "" => text(request, &["body", "metadata", "generateName"]),
            name => name,
        },
        name => name,
    }
}

fn has_raced(request: &Value) -> bool {
    let code = request.get("code").and_then(Value::as_i64).unwrap_or(200);
    let verb = text(request, &["verb"]);
    RACED.contains(&code) && RACING.contains(&verb)
}

fn is_same(want: &Value, found: &Value) -> bool {
    let same = |key: &str| text(want, &[key]) == text(found, &[key]);
    // A create is the same in JSON and in protobuf.
    let keys = ["verb", "group", "resource", "namespace", "dryRun"];
    keys.into_iter().all(same)
        && (same("contentType") || text(want, &["verb"]) == "create")
        && crate::fits(object_name(want), object_name(found))
        && want.get("code") == found.get("code")
}

fn has_same(want: &Value, found: &Value) -> bool {
    compare(want, found).is_empty()
}

fn compare(want: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    for key in ["version", "fieldManager", "force", "options"] {
        let at = |request: &Value| request.get(key).cloned().unwrap_or_default();
        let (wanted, there) = (at(want), at(found));
        if !is_alike(&wanted, &there) {
            let place = format!("requests/{}/{key}", name(want));
            all.push(Difference::new(&place, &there, &wanted));
        }
    }
    let wanted = body(want);
    if wanted.get("protobuf").is_none() {
        let place = format!("requests/{}/body", name(want));
        all.extend(differences(&place, &wanted, &body(found)));
    }
    all
}

/// A body without what the recorder masks; of an object also without nulls, which clients leave
/// out.
fn body(request: &Value) -> Value {
    let mut body = request.get("body").cloned().unwrap_or_default();
    let is_patch = text(request, &["verb"]) == "patch";
    if let Some(Value::Map(metadata)) = body.get_mut("metadata") {
        metadata.retain(|name, _| !SERVER_SET.contains(&name));
    }
    if !is_patch {
        prune(&mut body);
    }
    body
}

fn prune(value: &mut Value) {
    match value {
        Value::Map(map) => {
            map.retain(|_, value| !value.is_null());
            map.iter_mut().for_each(|(_, value)| prune(value));
        }
        Value::List(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Requests of one application are in order, save those of one kind side by side, and deletions.
fn order(pairs: &[(usize, &Value)]) -> Vec<Difference> {
    let may_swap = |a: &Value, b: &Value| {
        let same = |key: &str| text(a, &[key]) == text(b, &[key]);
        let is_deletion = text(a, &["verb"]) == "delete";
        let is_other_app = app(a) != app(b) || app(a).is_none();
        is_other_app || (same("verb") && (is_deletion || same("resource")))
    };
    let mut all = Vec::new();
    for (number, (ours, want)) in pairs.iter().enumerate() {
        let later = pairs.get(number + 1..).unwrap_or_default();
        let swapped = later
            .iter()
            .find(|(other, it)| other < ours && !may_swap(want, it));
        if let Some((_, other)) = swapped {
            let text = format!("{} comes after {}", name(want), name(other));
            all.push(Difference::text("requests", text));
        }
    }
    all
}

/// The application that tracks the object of a request, as far as its body says.
fn app(request: &Value) -> Option<&str> {
    let annotations: &Map = request.at(&["body", "metadata", "annotations"])?.as_map()?;
    let id = annotations
        .get("argocd.argoproj.io/tracking-id")?
        .as_str()?;
    id.split(':').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &str, found: &str, texts: &[&str]) {
        let parse = |text: &str| -> Vec<Value> {
            let value = yaml::parse_str(text).expect("YAML");
            value.as_list().expect("a list").to_vec()
        };
        let differences = requests(&parse(want), &parse(found));
        let found: Vec<&str> = differences.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(found, texts);
    }

    #[test]
    fn requests_are_a_set_in_an_order() {
        let of = |kind: &str, name: &str, wave: &str| {
            format!(
                "{{verb: create, resource: {kind}, code: 201, body: {{metadata: {{name: {name}, \
                 annotations: {{w: '{wave}', argocd.argoproj.io/tracking-id: 'a:x'}}}}}}}}"
            )
        };
        let (a, b, s) = (of("cm", "a", "0"), of("cm", "b", "0"), of("sa", "s", "0"));
        let list = |items: &[&str]| format!("[{}]", items.join(", "));
        check(&list(&[&a, &b, &s]), &list(&[&b, &a, &s]), &[]);
        check(
            &list(&[&a, &s]),
            &list(&[&s, &a]),
            &["create cm /a (201) comes after create sa /s (201)"],
        );
        check(
            &list(&[&a]),
            &list(&[&b]),
            &["lacks create cm /a (201)", "has create cm /b (201) too"],
        );
        check(
            &list(&[&a]),
            &list(&[&of("cm", "a", "1")]),
            &["\"1\"\n        instead of \"0\""],
        );
        check(
            "[{verb: delete, resource: cm, name: a, code: 404}]",
            "[]",
            &[],
        );
    }
}
