use super::*;
use crate::limits::MAX_DEPTH;

/// The events of a text, one a line, up to its end or an error.
fn shown(text: &str, mode: Mode) -> String {
    let mut events = Events::new(text, mode);
    let mut lines = Vec::new();
    loop {
        let (event, span) = match events.next_event() {
            Ok(Some(found)) => found,
            Ok(None) => return lines.join("\n"),
            Err(error) => {
                lines.push(error.go_text());
                return lines.join("\n");
            }
        };
        let (bytes, at) = (span.bytes, span.position);
        let written = &text[bytes];
        lines.push(format!("{}:{} {event:?} {written:?}", at.line, at.column));
    }
}

#[track_caller]
fn check(text: &str, want: &str) {
    let want: Vec<&str> = want.lines().map(str::trim).collect();
    assert_eq!(shown(text, Mode::GoYaml2), want.join("\n"), "{text}");
}

#[track_caller]
fn check_last(text: &str, want: &str) {
    let shown = shown(text, Mode::GoYaml2);
    assert_eq!(shown.lines().last(), Some(want), "{text}\n{shown}");
}

#[test]
fn events_have_the_bytes_and_the_place_of_what_they_are() {
    check(
        "é: [a, 'b']\nc:\n- &x 1\n",
        r#"1:1 DocumentStart ""
           1:1 MappingStart(None) ""
           1:1 Scalar("é", Plain, None, None) "é"
           1:4 SequenceStart(None) "["
           1:5 Scalar("a", Plain, None, None) "a"
           1:8 Scalar("b", Quoted, None, None) "'b'"
           1:11 SequenceEnd "]"
           2:1 Scalar("c", Plain, None, None) "c"
           3:1 SequenceStart(None) ""
           3:6 Scalar("1", Plain, None, Some(1)) "1"
           4:1 SequenceEnd ""
           4:1 MappingEnd ""
           4:1 DocumentEnd """#,
    );
}

#[test]
fn brackets_hold_pairs_and_keys_without_values() {
    check(
        "[a: b, {c}]",
        r#"1:1 DocumentStart ""
           1:1 SequenceStart(None) "["
           1:2 MappingStart(None) ""
           1:2 Scalar("a", Plain, None, None) "a"
           1:5 Scalar("b", Plain, None, None) "b"
           1:6 MappingEnd ""
           1:8 MappingStart(None) "{"
           1:9 Scalar("c", Plain, None, None) "c"
           1:10 Scalar("", Plain, None, None) ""
           1:10 MappingEnd "}"
           1:11 SequenceEnd "]"
           2:1 DocumentEnd """#,
    );
}

#[test]
fn scalars_without_folds_and_escapes_are_not_copied() {
    let mut events = Events::new("[a b, 'c  d', \"e\", 'f\n g', \"\\t\"]", Mode::GoYaml2);
    let mut borrowed = Vec::new();
    while let Some((event, _)) = events.next_event().unwrap() {
        if let Event::Scalar(text, ..) = event {
            borrowed.push(matches!(text, Cow::Borrowed(_)));
        }
    }
    assert_eq!(borrowed, [true, true, true, false, false]);
}

#[test]
fn tags_and_directives_are_those_of_yaml_1_1() {
    for (text, want) in [
        ("!!int 1", "Some(Int)"),
        ("!<tag:yaml.org,2002:int> 1", "Some(Int)"),
        ("%TAG !y! tag:yaml.org,2002:\n---\n!y!int 1", "Some(Int)"),
        ("!!%69nt 1", "Some(Int)"),
        ("! 1", "Some(NonSpecific)"),
        ("!int 1", "Some(Other)"),
    ] {
        let shown = shown(text, Mode::GoYaml2);
        assert!(shown.contains(&format!("Plain, {want}, None")), "{shown}");
    }
    check_last(
        "%YAML 1.2\n---\na",
        "yaml: found incompatible YAML document",
    );
    check_last("%FOO\n---\na", "yaml: found unknown directive name");
    check_last("a: !e!x 1", "yaml: found undefined tag handle");
}

#[test]
fn errors_have_the_words_and_the_lines_of_go_yaml() {
    for (text, want) in [
        (
            "a: 1\nb: c: d\n",
            "line 2: mapping values are not allowed in this context",
        ),
        (
            "a:\n\tb: 1\n",
            "line 2: found character that cannot start any token",
        ),
        ("a: 1\nb\nc: 2\n", "line 3: could not find expected ':'"),
        (
            "a:\n- b\nc: [1,\n",
            "line 3: did not find expected node content",
        ),
        (
            "a: 1\n  b: 2\n",
            "line 2: mapping values are not allowed in this context",
        ),
        ("a:\n   b: 1\n  c: 2\n", "line 2: did not find expected key"),
        ("a: 'x\n\n", "line 3: found unexpected end of stream"),
        ("a: \"\\/\"", "found unknown escape character"),
        (
            "a: |\n \tb\n\tc: 1\n",
            "line 2: found a tab character where an indentation space is expected",
        ),
        ("a: *b\n", "unknown anchor 'b' referenced"),
        ("...\n", "did not find expected node content"),
    ] {
        check_last(text, &format!("yaml: {want}"));
    }
}

#[test]
fn version_three_sees_what_is_wrong_two_words_ahead() {
    assert_eq!(
        shown("'a' b\nc: d\n", Mode::GoYaml3),
        "yaml: line 2: mapping values are not allowed in this context"
    );
    let v2 = shown("'a' b\nc: d\n", Mode::GoYaml2);
    assert!(v2.contains("DocumentEnd"), "{v2}");
}

#[test]
fn depth_is_limited_however_it_is_written() {
    for open in ["[", "{a: ", "- ", "? "] {
        let text = open.repeat(MAX_DEPTH + 1);
        check_last(&text, "yaml: nesting exceeds the limit of 400");
    }
}

/// Texts that took libyaml's translations a time in the square of their length: each is read in
/// less work than would be noticed.
#[test]
fn long_texts_take_time_in_proportion() {
    for part in [
        "a, ",
        "'a', ",
        "? ",
        "&a ",
        "!a ",
        "a\n",
        ", ",
        "\"a\": b, ",
    ] {
        for open in ["", "[", "{", "- [{a: ["] {
            let text = format!("{open}{}", part.repeat(20_000));
            let mut events = Events::new(&text, Mode::GoYaml2);
            while let Ok(Some(_)) = events.next_event() {}
        }
    }
}

mod arbitrary {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::super::*;

    /// Characters that mean something, and some that do not.
    fn text() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "a",
            "b",
            "é",
            "1",
            " ",
            " ",
            " ",
            "\n",
            "\n",
            "\n",
            "\r",
            "\r\n",
            "\t",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            ":",
            ": ",
            "- ",
            "-",
            "[",
            "]",
            "{",
            "}",
            ",",
            "#",
            " #",
            "&a",
            "*a",
            "!",
            "!!int",
            "!e!x",
            "|",
            "|2",
            ">",
            ">+",
            "-\n",
            "'",
            "\"",
            "\\",
            "\\x41",
            "\\\n",
            "%",
            "%TAG !e! y\n",
            "%YAML 1.1\n",
            "@",
            "`",
            "?",
            "? ",
            "~",
            ".",
            "\n---\n",
            "\n...\n",
            "\0",
            "<<",
            "😀",
        ]);
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4000,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Events come in the order of the text, what is opened is closed, and they end.
        #[test]
        fn any_text_ends(text in text(), closed in any::<bool>()) {
            for mode in [Mode::GoYaml2, Mode::GoYaml3] {
                let last_line_closed = closed;
                let source = Source { text: &text, lines_before: 3, last_line_closed };
                let mut events = Events::of(source, mode);
                let (mut n_open, mut n_events, mut end) = (0_usize, 0_usize, 0);
                while let Ok(Some((event, span))) = events.next_event() {
                    prop_assert!(text.get(span.bytes.clone()).is_some(), "{:?}", span);
                    prop_assert!(span.bytes.start <= span.bytes.end);
                    end = end.max(span.bytes.end);
                    n_events += 1;
                    match event {
                        Event::SequenceStart(_) | Event::MappingStart(_) => n_open += 1,
                        Event::SequenceEnd | Event::MappingEnd => n_open -= 1,
                        Event::DocumentEnd => prop_assert_eq!(n_open, 0),
                        _ => {}
                    }
                    prop_assert!(n_events <= 4 * text.len() + 8);
                }
                prop_assert!(end <= text.len());
            }
        }
    }
}
