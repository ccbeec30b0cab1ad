use super::*;
use crate::Value;

fn check(text: &str, want: &str) {
    assert_eq!(to_string(&parse(text.as_bytes()).unwrap()), want);
}

fn check_error(text: &str, want: &str) {
    assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), want);
}

#[test]
fn what_is_read_is_written_compact_and_sorted() {
    check(
        r#" { "b" : [ 1 , true , null , "x" ] , "a" : { } } "#,
        r#"{"a":{},"b":[1,true,null,"x"]}"#,
    );
    check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
}

#[test]
fn numbers_keep_their_kind() {
    assert_eq!(parse(b"9223372036854775807").unwrap(), Value::Int(i64::MAX));
    assert_eq!(parse(b"9223372036854775808").unwrap(), Value::Uint(1 << 63));
    assert_eq!(parse(b"1.0").unwrap(), Value::Float(1.0));
    assert_eq!(parse(b"-0").unwrap(), Value::Int(0));
    assert_eq!(
        parse(b"18446744073709551616").unwrap(),
        Value::Float(18_446_744_073_709_552_000.0)
    );
}

#[test]
fn escapes_are_read_and_written_as_go_does() {
    check(
        r#""\u0041\u00e9\ud83d\ude00\ud800x\/""#,
        "\"Aé😀\u{fffd}x/\"",
    );
    check(
        r#""\u2028\u0001\b\f<&>\u007f""#,
        "\"\\u2028\\u0001\\b\\f<&>\u{7f}\"",
    );
    let value = Value::from("a<b>&c");
    assert_eq!(to_string_html_escaped(&value), r#""a\u003cb\u003e\u0026c""#);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(
        parse(b"\"a\xff\xfeb\"").unwrap(),
        Value::from("a\u{fffd}\u{fffd}b")
    );
}

#[test]
fn pretty_text_is_laid_out_as_marshal_indent_does() {
    let value = parse(br#"{"a":[1,{}],"b":{"c":[]}}"#).unwrap();
    let want = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": []\n  }\n}";
    assert_eq!(to_string_pretty(&value, Indent::Two), want);
}

#[test]
fn errors_name_line_and_column() {
    check_error(
        "{\n  \"a\": tru\n}",
        "line 2, column 11: invalid character '\\n' in literal true (expecting 'e')",
    );
    check_error(
        "[1,]",
        "line 1, column 4: invalid character ']' looking for beginning of value",
    );
    check_error(
        "{\"é\" 1}",
        "line 1, column 6: invalid character '1' after object key",
    );
    check_error("", "line 1, column 1: unexpected end of JSON input");
    check_error(
        "01",
        "line 1, column 2: invalid character '1' after top-level value",
    );
    check_error("1e999", "line 1, column 6: number 1e999 is out of range");
}

#[test]
fn nesting_is_limited() {
    let text = "[".repeat(100_000);
    check_error(
        &text,
        "line 1, column 402: nesting exceeds the limit of 400",
    );
}

#[test]
fn a_stream_gives_values_one_by_one() {
    let mut stream = Stream::new("{\"a\":1}\n {\"b\":2}\n");
    let mut lines = Vec::new();
    while let Some((_, position)) = stream.next_value().unwrap() {
        lines.push((position.line, position.column));
    }
    assert_eq!(lines, [(1, 1), (2, 2)]);
}

#[test]
fn a_reader_shares_what_texts_have_in_common() {
    let mut reader = Reader::default();
    let mut read = |text: &str| reader.parse(text.as_bytes()).unwrap();
    let text = r#"{"kind":"ConfigMap"}"#;
    let (a, b) = (read(text), read(text));
    assert_eq!(a, parse_str(text).unwrap());
    let shared = |value: &Value| value.get("kind").unwrap().as_str().unwrap().as_ptr();
    assert_eq!(shared(&a), shared(&b));
    assert!(reader.parse(b"{\"a\":tru").is_err());
    assert_eq!(reader.parse(b"1").unwrap(), Value::Int(1));
}
