use super::*;
use crate::decode::Decoder;
use crate::events::Events;
use crate::resolve::Mode;
use crate::{Value, Warning};

type Outcome = (Result<Option<(Value, Position)>, Error>, Vec<Warning>);

fn source(text: &str) -> Source<'_> {
    Source {
        text,
        lines_before: 7,
        last_line_closed: text.len().is_multiple_of(2),
    }
}

/// What the simple way gives, if it goes to the end.
fn simple(text: &str) -> Option<Outcome> {
    let mut decoder = Decoder::new(Mode::GoYaml2);
    scan(source(text), &mut decoder).ok()?;
    let result = decoder.first_document(source(text));
    // As they were counted twice.
    let warnings = decoder.take_warnings();
    let half = warnings.len() / 2;
    Some((result, warnings[half..].to_vec()))
}

fn full(text: &str) -> Outcome {
    let mut decoder = Decoder::new(Mode::GoYaml2);
    let result = decoder.document(&mut Events::of(source(text), Mode::GoYaml2));
    (result, decoder.take_warnings())
}

/// Both ways agree, or the simple one gives up.
fn check(text: &str) -> bool {
    let Some((result, warnings)) = simple(text) else {
        return false;
    };
    let (want, want_warnings) = full(text);
    // The full parser also gives documents without content.
    let want = want.map(|found| found.filter(|(value, _)| *value != Value::Null));
    let result = result.map(|found| found.filter(|(value, _)| *value != Value::Null));
    assert_eq!(result, want, "{text}");
    assert_eq!(warnings, want_warnings, "{text}");
    true
}

#[test]
fn ordinary_manifests_are_simple() {
    for text in [
        "---\n# c\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 'a'\n  labels: {}\n  list: [a, \"b\", 1]\n",
        "a:\n- b: 1\n  c:\n  - d\n  - e\n- f\ng: # note\n  h: http://x:80/y#z\n",
        "a: |\n  x\n   y\n\n  z\n\n\nb: |-\n  x\nc: |+\n  y\n\n",
        "- - a\n  - b\n-\n  c: 1\n-\n- d: \"x\" # note\n",
        "a: é ü\né: 1\né: 2\n",
        "a:\nb:\n  - \nc: 'it''s'\n",
        "a: \"b \\\"c\\\" \\\\ d\\n\\te\"\nf: ''\n",
        "a: {b: c, \"d\": [e, {}, [], {f: 'g'}], h: {i: 1, i: 2}} # j\nk: [{l: m}, n, ]\n",
        "a:\n  {b: 'é', c: [\"é\", d]}\n",
        "- {a: b}\n- [c]\n- d: 1\n",
        "a: 'b  \n\n   c ''d''\n  e: \n    ' # f\ng:\n- \"\n  h \\\"\\n\n  i\"\n- j\n",
        "a: :b:c\nd:\n- ::e\n",
        "a: |\n  b",
        "a: |-\n  b\n\n  c",
        "a: |+\n  b\n     c",
        "- \"a\\nb\"\n- 'it''s'\n",
        "a: b\n  c 'd'\n\n\n  - e # f\nb:\n  two\n   lines\nc:\n- x\n  y\n- z\n",
    ] {
        assert!(check(text), "{text}");
    }
}

#[test]
fn anything_else_is_left_to_the_full_parser() {
    for text in [
        "a: b # c\n  d\n",
        "a: b\n  c: d\n",
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "a: {b: c d}\n",
        "a: {b:c}\n",
        "a: {b}\n",
        "a: {b: }\n",
        "a: [b: c]\n",
        "a: [{b: c}, d]: e\n",
        "a: {b: c}d\n",
        "a: {b: c]\n",
        "a: >\n  b\n",
        "a: |2\n   b\n",
        "a: 'b\nc'\n",
        "a: 'b\n  c' d\n",
        "a: 'b\n  c': d\n",
        "a: \"b\\\n  c\"\n",
        "a: 'b\t\n  c'\n",
        "a: 'b\n  c\n",
        "a: :\n",
        "a: : b\n",
        ":a: b\n",
        "a: \"\\x41\"\n",
        "\"a\\n\": b\n",
        "a: \"b\\\"\n",
        "ab: |\n  b\n   ",
        "? a\n",
        "a:\tb\n",
        "  a: 1\nb: 2\n",
        "a: 1\n---\nb: 2\n",
        "a: b: c\n",
        "- a\n  b: c\n",
        "a\n",
        "'a'\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: 1\r\n",
        "a: [b,\nc]\n",
        "a: |\n\tx\n",
        "a: |\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: - b\n",
        "...\n",
        "a: \"b\"c\n",
        "a: 'b'#c\n",
    ] {
        assert!(!check(text), "{text}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "tests read their recordings")]
fn both_ways_agree_on_all_recorded_texts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/parse.jsonl");
    let recorded = std::fs::read_to_string(path).unwrap();
    let (mut n, mut n_simple) = (0, 0);
    for line in recorded.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["input"].as_str().unwrap();
        // Refused before either way is taken.
        if crate::stream::check_text(text).is_err() {
            continue;
        }
        n += 1;
        n_simple += usize::from(check(text));
    }
    println!("{n_simple} of {n} recorded texts are simple");
    assert!(
        n_simple * 3 > n,
        "the simple way is hardly taken: {n_simple} of {n}"
    );
}

mod arbitrary {
    use proptest::prelude::*;

    /// Lines that often make a document together, and often nearly do.
    fn text() -> impl Strategy<Value = String> {
        let content = prop::sample::select(vec![
            "a:",
            "b: c",
            "a: 1 # n",
            "- ",
            "-",
            "- a",
            "- a: b",
            "- b:",
            "- - x",
            "text",
            "two words",
            "# note",
            "",
            "a: |",
            "b: |-",
            "- |+",
            "|",
            "a: >",
            "'q'",
            "'q': r",
            "\"d\": e",
            "a: 'x'",
            "a: \"y\" # n",
            "a: \"y\\\"\\nz\"",
            "- \"y\\tz\" # n",
            "a: {b: [c, {d: 'e'}], f: g}",
            "- {a: {}, b: 1, }",
            "a: 'x  ",
            "- \"x\\\" ",
            "y' # n",
            "z\"",
            "a: :b",
            "- :c",
            "[{a: b}]",
            "{a: b}",
            "- [a, b]: c",
            "a: [x, 1, 'z']",
            "- []",
            "a: {}",
            "---",
            "...",
            "a:b",
            "a : b",
            "x: y: z",
            "-- z",
            "a: é",
            "é: - b",
            "? k",
            ": v",
            "a: &b c",
            "a: *b",
            "a: b\tc",
            "http://h:1/ #x",
        ]);
        let line = (0_usize..5, content).prop_map(|(indent, text)| " ".repeat(indent) + text);
        (prop::collection::vec(line, 0..9), any::<bool>()).prop_map(|(lines, closed)| {
            let end = if closed { "\n" } else { "" };
            lines.join("\n") + end
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 6000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn both_ways_agree(text in text()) {
            super::check(&text);
        }
    }
}
