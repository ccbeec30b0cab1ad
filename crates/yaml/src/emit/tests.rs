use super::*;
use crate::json;

fn check(text: &str, want: &str) {
    let value = json::parse(text.as_bytes()).unwrap();
    assert_eq!(emit(&value), want, "{text}");
}

#[test]
fn lists_stand_below_their_key() {
    check(
        r#"{"a":[1,{"b":2,"c":[]}],"d":{"e":{}},"f":[[1,2],[3]]}"#,
        "a:\n- 1\n- b: 2\n  c: []\nd:\n  e: {}\nf:\n- - 1\n  - 2\n- - 3\n",
    );
}

#[test]
fn strings_that_would_change_type_are_quoted() {
    check(
        r##"["yes","1","1.5","null","","2001-01-01","1:30","0x1",".5","~","a: b","- a","#a","a #b"]"##,
        "- \"yes\"\n- \"1\"\n- \"1.5\"\n- \"null\"\n- \"\"\n- \"2001-01-01\"\n- \"1:30\"\n- \"0x1\"\n\
         - \".5\"\n- \"~\"\n- 'a: b'\n- '- a'\n- '#a'\n- 'a #b'\n",
    );
}

#[test]
fn several_lines_become_a_literal_block() {
    check(
        r#"{"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":" x\ny\n","e":"x \ny"}"#,
        "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: |2\n   x\n  y\ne: \"x \\ny\"\n",
    );
}

#[test]
fn long_text_is_folded_at_column_80() {
    let text = ["word"; 30].join(" ");
    let value = Value::Map(Map::from([("a", Value::from(text))]));
    let lines: Vec<usize> = emit(&value).lines().map(str::len).collect();
    assert_eq!(lines, [82, 71]);
}

#[test]
fn scalars_stand_alone() {
    check("1", "1\n");
    check("{}", "{}\n");
    check("\"a\\nb\"", "|-\n  a\n  b\n");
}
