//! What is written is read back as it was, for arbitrary trees.

use proptest::prelude::*;
use yaml::{Dialect, Map, Mode, Value, json};

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // A whole float comes back as a whole number, in Go as here.
        any::<f64>()
            .prop_filter("has a fraction", |n| n.fract() != 0.0)
            .prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~\n\t]{0,24}",
        "\\PC{0,12}",
        "(yes|no|~|0x1|1_0|<<|- |# |: |\n){1,3}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(
                (
                    text.clone()
                        .prop_filter("go-yaml does not quote it", |key| key != "<<"),
                    inner
                ),
                0..5
            )
            .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_comes_back(value in tree()) {
        for text in [
            json::to_string(&value),
            json::to_string_html_escaped(&value),
            json::to_string_pretty(&value, json::Indent::Four),
        ] {
            prop_assert_eq!(json::parse(text.as_bytes()).unwrap(), value.clone());
        }
    }

    #[test]
    fn yaml_comes_back(value in tree()) {
        let text = yaml::emit(&value);
        prop_assert_eq!(yaml::parse_str(&text), Ok(value.clone()), "{}", text);
        // Not the dialect of go-yaml v3 itself: with 4 spaces its block scalars that begin with a
        // space or a line break cannot be read back, by Go neither.
        let text = yaml::emit_in(&value, Dialect::Kustomize);
        // Nor a block scalar that begins with a tab, which Go writes all the same.
        let begins_with_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
        prop_assume!(!text.lines().any(begins_with_tab));
        prop_assert_eq!(yaml::parse_str_in(&text, Mode::GoYaml3), Ok(value), "{}", text);
    }

    /// Only the strict mode always takes the reader of YAML; it reads what has no key twice alike.
    #[test]
    fn json_on_one_line_has_one_meaning(value in tree()) {
        let text = json::to_string(&Value::Map(Map::from([("a", value)])));
        let slow = yaml::parse_str_in(&text, Mode::GoYaml2Strict);
        prop_assert_eq!(yaml::parse_str_in(&text, Mode::GoYaml2), slow, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-c:\\-\\[\\]{},#&*!|>'\"%@ \n\t?~<0-9.]|\\PC){0,60}") {
        for mode in [Mode::GoYaml2, Mode::GoYaml2Strict, Mode::GoYaml3] {
            let _ = yaml::parse_documents(&text, mode);
        }
        let _ = json::parse(text.as_bytes());
    }
}
