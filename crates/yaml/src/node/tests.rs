use super::*;
use crate::{Dialect, emit_in};

#[track_caller]
fn check(text: &str, want: &str) {
    let node = first_document(text).unwrap().expect("a document");
    let got = match node.to_value() {
        Ok(value) => emit_in(&value, Dialect::GoYaml2),
        Err(error) => format!("{}\n", error.cause),
    };
    assert_eq!(got, want, "{text}");
}

#[test]
fn scalars_mean_what_they_mean_to_go_yaml_3_and_json() {
    check("a: 2001-12-14\n", "a: \"2001-12-14T00:00:00Z\"\n");
    check(
        "a: 2001-1-4 21:59:43.10\n",
        "a: \"2001-01-04T21:59:43.1Z\"\n",
    );
    check(
        "a: 2001-12-14t1:59:43-05:00\n",
        "a: \"2001-12-14T01:59:43-05:00\"\n",
    );
    check(
        "a: [1e3, 1.10, 0x10, 014, 1_000]\n",
        "a:\n- 1000\n- 1.1\n- 16\n- 12\n- 1000\n",
    );
    check("y: yes\n", "\"y\": \"yes\"\n");
    check("a: !!str 1\nb: !!int \"1\"\n", "a: \"1\"\nb: 1\n");
    check("a: !!int x\n", "cannot decode !!str `x` as a !!int\n");
    check("{a: , b: ~}\n", "a: \"\"\nb: null\n");
    check("a: .nan\n", "json: unsupported value: NaN\n");
}

#[test]
fn keys_are_texts_and_there_once() {
    check("1: x\n", "unsupported map key of type: interface {}\n");
    check("a: 1\na: 2\n", "key \"a\" already set in map\n");
    check("\"1\": x\n", "\"1\": x\n");
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    check(
        "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3\nc: *x\n",
        "a:\n  k: 1\n  l: 2\nb:\n  k: 1\n  l: 3\nc:\n  k: 1\n  l: 2\n",
    );
    check(
        "a: &x {k: 1}\nb: &y {k: 2, m: 4}\nc:\n  <<: [*x, *y]\n",
        "a:\n  k: 1\nb:\n  k: 2\n  m: 4\nc:\n  k: 1\n  m: 4\n",
    );
}

#[test]
fn streams_are_cut_at_whole_lines() {
    let check = |text: &str, want: &[&str]| {
        assert_eq!(split_documents(text).unwrap(), want, "{text:?}");
    };
    check("", &[""]);
    check("a: 1\n---\nb: 2\n", &["a: 1\n", "b: 2\n"]);
    check("---\na: 1\n--- # x\nb: 2", &["---\na: 1\n", "b: 2"]);
    check("a: 1\n---", &["a: 1\n---"]);
    assert!(split_documents("a: 1\n--- b\nc: 1\n").is_err());
}

#[test]
fn a_text_may_be_no_string_in_yaml_1_1() {
    for text in ["1", "yes", "null", "1.5", "[a]", "a: b", "# x"] {
        assert!(Scalar::unset(text).is_no_string_in_yaml_1_1(), "{text}");
    }
    for text in ["", "a", "2001-01-01", "nginx:1.2", "a\nb", "/x", "-x"] {
        assert!(!Scalar::unset(text).is_no_string_in_yaml_1_1(), "{text}");
    }
}
