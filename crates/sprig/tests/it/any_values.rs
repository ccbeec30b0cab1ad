//! Sprig's functions over values that nobody wrote: none of them panics, and each ends.

use std::sync::Arc;

use gotmpl::{Element, Functions, Limits, List, Map, Session, Templates, Type, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Few enough that keys and slow hashes are refused.
const SMALL: Limits = Limits {
    n_steps: 200_000,
    n_bytes: 1 << 20,
    depth: 50,
};

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        proptest::sample::select(vec![
            "",
            " ",
            "-1",
            "0x1f",
            "1.2.3-a.1+b",
            ">=1.2 <2 || 3.x",
            "^0.x",
            "1 - 2",
            "[a-z]+(b|c)*?",
            "(?P<n>\\d{2,3})$",
            "$1${n}$$",
            "2006-01-02T15:04:05.999Z07:00",
            "2024-02-29",
            "1h30m",
            "Europe/Berlin",
            "http://u:p@h:80/a%20b?c#d",
            "a/../b//c.txt",
            "{\"a\":[1,null]}",
            "aGk=",
            "NBSWY3DP",
            "é世😀",
            "rsa",
            "long",
            "a\nb",
            "%d %s %[3]*.2f",
            "-----BEGIN X-----",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3i64..70,
        proptest::sample::select(vec![i64::MIN, i64::MAX, 1_000, 100_000, -100_000, 1 << 40]),
    ]
}

fn any_value() -> impl Strategy<Value = Simple> {
    let leaf = prop_oneof![
        Just(Simple::Nil),
        any::<bool>().prop_map(Simple::Bool),
        any_integer().prop_map(Simple::Integer),
        any::<f64>().prop_map(Simple::Float),
        any_text().prop_map(Simple::Text),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Simple::List),
            vec((any_text(), inner), 0..4).prop_map(Simple::Map),
        ]
    })
}

/// A value that can be made in any thread.
#[derive(Clone, Debug)]
enum Simple {
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Simple>),
    Map(Vec<(String, Simple)>),
}

impl Simple {
    fn value(&self) -> Value {
        match self {
            Simple::Nil => Value::Nil,
            Simple::Bool(truth) => Value::Bool(*truth),
            Simple::Integer(number) => Value::int(*number),
            Simple::Float(number) => Value::Float(*number),
            Simple::Text(text) => Value::text(text),
            Simple::List(items) => Value::list(items.iter().map(Simple::value).collect()),
            Simple::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, item)| (key.as_str().into(), item.value()));
                Value::Map(entries.collect())
            }
        }
    }

    /// The value as a parameter wants it, as far as it can be.
    fn of(&self, wanted: Type) -> Value {
        match (wanted, self) {
            (Type::Text, Simple::Text(_)) | (Type::Any, _) => self.value(),
            (Type::Text, other) => Value::text(&format!("{other:?}")),
            (Type::Int, Simple::Integer(_)) | (Type::Bool, Simple::Bool(_)) => self.value(),
            (Type::Int, _) => Value::int(3),
            (Type::Bool, _) => Value::Bool(true),
            (Type::Float, _) => Value::Float(0.5),
            (Type::List(Element::Any), Simple::List(_)) => self.value(),
            (Type::List(element), _) => Value::List(List::new(Vec::new(), element)),
            (Type::Map(Element::Any), Simple::Map(_)) => self.value(),
            (Type::Map(element), _) => Value::Map(Map::new(element)),
            _ => self.value(),
        }
    }
}

fn run(
    functions: &Arc<Functions>,
    text: &str,
    dot: &Map,
    limits: Limits,
) -> Result<String, String> {
    let mut templates = Templates::new(functions.clone());
    templates.parse("t", text).map_err(|error| error.text)?;
    let mut session = Session::new(limits).with_seed([3; 32]);
    let outcome = templates.execute_in("t", &Value::Map(dot.clone()), &mut session);
    outcome.map_err(|error| error.text)
}

#[test]
fn no_function_panics_whatever_it_is_given() {
    let functions = Arc::new(sprig::functions());
    let mut names: Vec<&str> = functions.names().collect();
    names.sort_unstable();
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = vec(any_value(), 6);
    let outcome = runner.run(&strategy, |values| {
        for name in &names {
            let function = functions.get(name).unwrap();
            let parameters = function.parameters();
            let n_rest = if function.rest().is_some() { 2 } else { 0 };
            let rest = std::iter::repeat_n(function.rest().unwrap_or(Type::Any), n_rest);
            let dot = Map::new(Element::Any);
            let mut text = format!("{{{{ {name}");
            let wanted = parameters.iter().copied().chain(rest);
            for (number, (wanted, value)) in wanted.zip(&values).enumerate() {
                dot.set(format!("a{number}").into(), value.of(wanted));
                text.push_str(&format!(" .a{number}"));
            }
            text.push_str(" | print }}");
            // Whether it is an error is the recordings' to say.
            drop(run(&functions, &text, &dot, SMALL));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn what_would_not_end_is_ended() {
    let functions = Arc::new(sprig::functions());
    let check = |text: &str| {
        let error = run(&functions, text, &Map::new(Element::Any), SMALL).unwrap_err();
        let is_limit = [
            "too many steps",
            "too much",
            "overflow",
            "out of range",
            "repeat count",
        ];
        assert!(
            is_limit.iter().any(|part| error.contains(part)),
            "{text}: {error}"
        );
    };
    for text in [
        "{{ repeat 9223372036854775807 \"xx\" }}",
        "{{ repeat 100000000 \"x\" }}",
        "{{ indent 100000000 \"x\" }}",
        "{{ nindent 9223372036854775807 \"x\" }}",
        "{{ until 9223372036854775807 }}",
        "{{ untilStep 0 -9223372036854775808 -1 }}",
        "{{ seq 1 99999999999 }}",
        "{{ randAlphaNum 100000000 }}",
        "{{ randBytes 9223372036854775807 }}",
        "{{ genPrivateKey \"rsa\" }}",
        "{{ genCA \"x\" 1 }}",
        "{{ bcrypt \"x\" }}",
        "{{ derivePassword 1 \"long\" \"a\" \"b\" \"c\" }}",
        "{{ mustRegexMatch \"((a{100}){10}){10}\" \"\" }}",
        "{{ replace \"\" (repeat 10000 \"x\") (repeat 10000 \"y\") }}",
        "{{ regexReplaceAll \"\" (repeat 10000 \"y\") (repeat 10000 \"x\") }}",
        "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ toJson $d }}",
        "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ deepCopy $d }}",
    ] {
        check(text);
    }
}
