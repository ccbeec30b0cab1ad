use super::*;

fn check(path: &str, text: &str, objects: &[(&str, u32)], problems: &[&str]) {
    let decoded = decode(path, text.as_bytes());
    let found: Vec<(String, u32)> = decoded
        .objects
        .iter()
        .map(|object| (object.item.key().to_string(), object.line))
        .collect();
    let want: Vec<(String, u32)> = objects
        .iter()
        .map(|(key, line)| ((*key).to_owned(), *line))
        .collect();
    assert_eq!(found, want, "{text}");
    let found: Vec<String> = decoded
        .problems
        .iter()
        .map(|problem| format!("{:?} {problem}", problem.consequence))
        .collect();
    assert_eq!(found, problems, "{text}");
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

#[test]
fn documents_become_objects_with_their_lines() {
    let text =
        format!("# first\n---\n{CONFIG_MAP}---\n# nothing\n---\n{CONFIG_MAP}  namespace: b\n");
    check(
        "a.yaml",
        &text,
        &[("ConfigMap/a", 3), ("ConfigMap/b/a", 10)],
        &[],
    );
}

#[test]
fn a_list_stands_for_its_items() {
    let item = "{apiVersion: v1, kind: Secret, metadata: {name: x}}";
    check(
        "a.yaml",
        &format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n- {item}\n"),
        &[("Secret/x", 1), ("Secret/x", 1)],
        &[],
    );
    check(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMapList\nitems:\n",
        &[],
        &[],
    );
}

#[test]
fn json_files_hold_one_object_or_several() {
    let item = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}"#;
    check("a.json", item, &[("Secret/x", 1)], &[]);
    check(
        "a.json",
        &format!("{item}\n{item}"),
        &[("Secret/x", 1), ("Secret/x", 2)],
        &[],
    );
    check(
        "a.yaml",
        &format!("{item}{item}"),
        &[("Secret/x", 1), ("Secret/x", 1)],
        &[],
    );
    check(
        "a.json",
        "{",
        &[],
        &["Fails a.json:1:2: unexpected end of JSON input"],
    );
}

#[test]
fn a_broken_file_that_is_no_manifest_is_left_out() {
    let decoded = decode("a.yaml", b"a: [b\n");
    assert_eq!(decoded.problems[0].consequence, Consequence::LeftOut);
    check(
        "a.yaml",
        "a: b\n",
        &[],
        &["LeftOut a.yaml:1:1: Object 'Kind' is missing"],
    );
    check(
        "a.yaml",
        "- a\n",
        &[],
        &["LeftOut a.yaml:1:1: expected an object, got array"],
    );
}

#[test]
fn a_broken_manifest_fails_the_file() {
    let text = format!("{CONFIG_MAP}---\na: b\n");
    check(
        "a.yaml",
        &text,
        &[],
        &["Fails a.yaml:6:1: Object 'Kind' is missing"],
    );
    let decoded = decode(
        "a.yaml",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: x\n",
    );
    let failure = decoded.failure().unwrap();
    assert_eq!(
        (failure.position.line, failure.consequence),
        (4, Consequence::Fails)
    );
    // The words that Argo CD's condition has (recording bad-yaml-tab).
    let want =
        "error converting YAML to JSON: yaml: line 4: found character that cannot start any token";
    assert_eq!(failure.message, want);
    check(
        "a.yaml",
        "kind: ConfigMap\nmetadata: {name: a}\n",
        &[],
        &["Fails a.yaml:1:1: apiVersion is missing or no text"],
    );
}

#[test]
fn odd_objects_are_kept_with_a_problem() {
    check(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
        &[("ConfigMap/", 1)],
        &["Kept a.yaml:1:1: ConfigMap has no metadata.name"],
    );
    check(
        "a.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n",
        &[("Pod/", 1)],
        &[],
    );
    check(
        "a.yaml",
        &format!("{CONFIG_MAP}  name: b\n"),
        &[("ConfigMap/b", 1)],
        &["Kept a.yaml:5:3: key \"name\" appears more than once, the last one is used"],
    );
}

#[test]
fn bytes_that_are_no_text_are_located() {
    let decoded = decode("a.yaml", b"a: 1\nb: \xff\n");
    assert_eq!(decoded.problems[0].to_string(), "a.yaml:2:4: invalid UTF-8");
}
