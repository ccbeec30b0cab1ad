use super::*;

const POD: &str = "{spec: {replicas: 2, containers: [{name: a, image: x, env: [{name: P, value: '1'}, {name: Q, value: '2'}]},
    {name: b, image: y}]}, metadata: {annotations: {a/b: c, d: e}, name: p}}";

/// What is left of the pod.
fn check(expression: &str, want: &str) {
    let mut value = yaml::parse_str(POD).expect("YAML");
    let program = Program::parse(expression).expect(expression);
    program.delete(&mut value);
    let want: Value = yaml::parse_str(want).expect("YAML");
    let found = yaml::json::to_string(&value);
    assert_eq!(found, yaml::json::to_string(&want), "{expression}");
}

/// The pod after a plain text is taken out of its YAML.
fn without(part: &str) -> String {
    assert!(POD.contains(part), "{part}");
    POD.replace(part, "")
}

#[test]
fn what_an_expression_leads_to_is_taken_out() {
    check(".spec.replicas", &without("replicas: 2, "));
    check(".spec[\"replicas\"]", &without("replicas: 2, "));
    check(".spec.\"replicas\"", &without("replicas: 2, "));
    check(".metadata.annotations[\"a/b\"]", &without("a/b: c, "));
    check(".spec.containers[1].image", &without(", image: y"));
    check(".spec.containers[-1].image", &without(", image: y"));
    check(
        ".spec.containers[].image",
        &without("image: x, ").replace(", image: y", ""),
    );
    check(
        ".spec.containers[] | select(.name == \"b\") | .image",
        &without(", image: y"),
    );
    check(
        ".spec.containers[] | select(.name | test(\"^B\"; \"i\")).image",
        &without(", image: y"),
    );
    check(
        ".spec.containers[].env[]? | select(.name == \"P\").value",
        &without(", value: '1'"),
    );
    check(
        ".spec.containers[].env[]? | select(.name == (\"P\", \"Q\"))",
        &without("{name: P, value: '1'}, {name: Q, value: '2'}"),
    );
    check(
        ".spec.containers[0].env[:1]",
        &without("{name: P, value: '1'}, "),
    );
    check(
        ".spec.containers[0].env[0:1][0].value",
        &without(", value: '1'"),
    );
    check(
        "..|.image?",
        &without("image: x, ").replace(", image: y", ""),
    );
    check(
        ".spec.replicas, .metadata.name",
        &without("replicas: 2, ").replace(", name: p", ""),
    );
    check("first(.spec.containers[].image)", &without("image: x, "));
    check(
        "if .spec.replicas > 1 then .spec.replicas else empty end",
        &without("replicas: 2, "),
    );
    check(".spec.nothing // .spec.replicas", &without("replicas: 2, "));
    check(
        ".spec.containers[] | select(has(\"env\") and (.env | length) == 1 + 1) | .image",
        &without("image: x, "),
    );
    check(".metadata.annotations | to_entries", POD);
    check(
        ".metadata | .[keys[0]]",
        &without("annotations: {a/b: c, d: e}, "),
    );
}

#[test]
fn what_leads_nowhere_or_fails_takes_out_nothing() {
    check(".nothing.at.all", POD);
    check(".spec.containers[7].image", POD);
    check(".spec.nothing[]", POD);
    check(".spec.replicas.x", POD);
    check("error", POD);
    check(".spec.replicas, error", POD);
}

#[test]
fn an_expression_that_never_ends_is_given_up() {
    let doubled = vec!["[.,.]"; 40].join("|");
    check(&format!("select({doubled} | length > 5)"), POD);
    let many = vec!["(1,1)"; 40].join("|");
    check(&format!("select([{many}] | length > 0)"), POD);
    check(&format!("select(({many})?)"), POD);
}

#[test]
fn what_is_no_expression_is_refused_in_the_words_of_gojq() {
    let check = |text: &str, want: &str| {
        let want = JqError::Syntax(want.to_owned());
        assert_eq!(Program::parse(text), Err(want), "{text}");
    };
    check(".spec.template.spec.containers[", "unexpected token \")\"");
    check(".a)", "unexpected token \")\"");
    check("", "unexpected token \")\"");
    check(".a | | .b", "unexpected token \"|\"");
    check("nonsense(.a)", "function not defined: nonsense/1");
    check(".a | select(.b == \"c)", "unterminated string literal");
}

#[test]
fn what_is_beyond_paths_is_told_apart() {
    for text in [
        "with_entries(.value)",
        ". as $x | .a",
        "def f: f; f",
        "reduce .[] as $x (0; . + $x)",
        "{a: 1}",
        "\"\\(.a)\"",
    ] {
        let found = Program::parse(text);
        assert!(
            matches!(found, Err(JqError::Unsupported(_))),
            "{text}: {found:?}"
        );
    }
}
