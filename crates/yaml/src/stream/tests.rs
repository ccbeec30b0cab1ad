use super::*;

fn check(text: &str, want: &str) {
    let value = parse_str(text).unwrap();
    assert_eq!(json::to_string(&value), want, "{text}");
}

fn check_error(mode: Mode, text: &str, want: &str) {
    let error = parse_documents(text, mode).unwrap_err();
    assert_eq!(error.to_string(), want, "{text}");
}

fn check_documents(text: &str, want: &[(u32, &str)]) {
    let (documents, _) = parse_documents(text, Mode::GoYaml2).unwrap();
    let found: Vec<(u32, String)> = documents
        .iter()
        .map(|document| (document.line, json::to_string(&document.value)))
        .collect();
    let want: Vec<(u32, String)> = want
        .iter()
        .map(|(line, text)| (*line, (*text).into()))
        .collect();
    assert_eq!(found, want, "{text}");
}

#[test]
fn plain_scalars_get_the_types_of_yaml_1_1() {
    check(
        "a: yes\nb: 0o10\nc: 1.0\nd: ~\ne:\nf: 2001-01-01\n",
        r#"{"a":true,"b":8,"c":1,"d":null,"e":null,"f":"2001-01-01"}"#,
    );
    check(
        "[1_000, 0x1F, 1e3, 'yes', \"1\", ! 12]",
        r#"[1000,31,1000,"yes","1","12"]"#,
    );
}

#[test]
fn keys_that_are_no_text_become_text() {
    check(
        "{1: a, true: b, 1.5: c, 0x10: d, off: e}",
        r#"{"1":"a","1.5":"c","16":"d","false":"e","true":"b"}"#,
    );
    check_error(
        Mode::GoYaml2,
        "~: a",
        "line 1, column 1: unsupported map key of type: null",
    );
    check_error(
        Mode::GoYaml2,
        "a: 1\n? [b]\n: c",
        "line 2, column 3: unsupported map key of type: list",
    );
}

#[test]
fn tags_are_checked() {
    check(
        "[!!str 1, !!int '1', !!float 2, !!binary aGk=, !x 3]",
        r#"["1",1,2,"hi","3"]"#,
    );
    check_error(
        Mode::GoYaml2,
        "a: !!int x",
        "line 1, column 10: cannot decode !!str `x` as a !!int",
    );
}

#[test]
fn aliases_and_merges_expand() {
    check(
        "a: &a {x: 1, z: 2}\nb: *a\nc:\n  x: 0\n  <<: *a\n  z: 3\n",
        r#"{"a":{"x":1,"z":2},"b":{"x":1,"z":2},"c":{"x":1,"z":3}}"#,
    );
    check("c: {<<: [{x: 1}, {x: 2, z: 3}]}", r#"{"c":{"x":1,"z":3}}"#);
    check_error(
        Mode::GoYaml2,
        "<<: 1",
        "line 1, column 5: map merge requires map or sequence of maps as the value",
    );
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    check_error(
        Mode::GoYaml2,
        &text,
        "line 4, column 20: document contains excessive aliasing",
    );
}

#[test]
fn nesting_is_limited() {
    let text = "[".repeat(5000);
    let error = parse_documents(&text, Mode::GoYaml2).unwrap_err();
    assert_eq!(
        error.position,
        Position {
            line: 1,
            column: 401
        }
    );
}

#[test]
fn of_repeated_keys_the_last_wins_with_a_warning() {
    let (documents, warnings) = parse_documents("a: 1\nb: 2\na: 3\n", Mode::GoYaml2).unwrap();
    assert_eq!(json::to_string(&documents[0].value), r#"{"a":3,"b":2}"#);
    assert_eq!(
        warnings[0].to_string(),
        "line 3, column 1: key \"a\" appears more than once, the last one is used"
    );
    let want = "line 3, column 1: key \"a\" already set in map";
    check_error(Mode::GoYaml2Strict, "a: 1\nb: 2\na: 3\n", want);
    check_error(Mode::GoYaml3, "a: 1\nb: 2\na: 3\n", want);
}

#[test]
fn streams_are_cut_as_kubernetes_does() {
    check_documents(
        "# only a comment\n---\na: 1\n---\n---\n# b\nb: 2\n--- # c\nc: 3",
        &[(3, r#"{"a":1}"#), (7, r#"{"b":2}"#), (9, r#"{"c":3}"#)],
    );
    check_documents(
        "\u{feff}a: 1\r\n---\r\nb: 2\r\n",
        &[(1, r#"{"a":1}"#), (3, r#"{"b":2}"#)],
    );
    check_documents("a: 1\n...\nb: 2\n", &[(1, r#"{"a":1}"#)]);
    check_documents("", &[]);
    check_documents("null\n---\n~\n", &[]);
    check_error(
        Mode::GoYaml2,
        "a: 1\n--- b\n",
        "line 2, column 4: invalid Yaml document separator: b",
    );
}

#[test]
fn text_that_go_yaml_never_reads_is_a_warning() {
    for (text, want) in [
        (
            "a: 1\n...\nb: 2\n",
            "line 3, column 1: text behind the end of the document is ignored",
        ),
        ("a: 1\n...\n# c\n---\nb: 2\n", ""),
        ("a: 1\n---\nb: 2\n", ""),
    ] {
        let found = parse_documents(text, Mode::GoYaml2).map(|(_, warnings)| warnings);
        let found: Vec<String> = found.iter().flatten().map(Warning::to_string).collect();
        assert_eq!(found.join("\n"), want, "{text}");
    }
}

#[test]
fn a_stream_may_begin_as_json() {
    check_documents(
        "{\"a\":1}\n{\"b\":2}\n",
        &[(1, r#"{"a":1}"#), (2, r#"{"b":2}"#)],
    );
    check_documents(
        "{\"a\":1}\n---\nb: 2\n",
        &[(1, r#"{"a":1}"#), (3, r#"{"b":2}"#)],
    );
    check_documents("{a: 1}\n", &[(1, r#"{"a":1}"#)]);
    let text = "{\"a\":1}{\"b\":2}\n---\n";
    check_error(
        Mode::GoYaml2,
        text,
        "line 2, column 2: invalid character '-' in numeric literal",
    );
}

#[test]
fn block_scalars_keep_their_last_line_break() {
    check("a: |\n  x\nb: >\n  y\n  z", r#"{"a":"x\n","b":"y z"}"#);
    check("a: |\n  x", r#"{"a":"x"}"#);
    // Kubernetes' stream reader closes the last line, sigs.k8s.io/yaml does not.
    check_documents("a: |\n  x", &[(1, r#"{"a":"x\n"}"#)]);
    check("a: |+\n  x\n\n", r#"{"a":"x\n\n"}"#);
}

#[test]
fn errors_name_line_and_column() {
    let error = parse_documents("a: 1\n---\nb:\n  c: [1\nd: 2\n", Mode::GoYaml2).unwrap_err();
    assert_eq!(error.position.line, 5);
    check_error(
        Mode::GoYaml2,
        "a: \u{1}",
        "line 1, column 4: control characters are not allowed",
    );
    check_error(
        Mode::GoYaml2,
        "a: .inf",
        "line 1, column 4: json: unsupported value: +Inf",
    );
}
