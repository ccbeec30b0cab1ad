use super::*;

/// What is wrong with values, line by line.
fn check(schema: &str, values: &str, want: &[&str]) {
    let schema = Schema::new(schema.to_owned().into());
    let values = Values::parse(values).expect("values");
    let problem = schema.problem(&values, &mut Vec::new()).unwrap_or_default();
    assert_eq!(problem.trim_end().lines().collect::<Vec<_>>(), want);
}

#[test]
fn what_fits_is_not_told() {
    check("{}", "a: 1", &[]);
    check(r#"{"properties":{"a":{"type":"integer"}}}"#, "a: 1.0", &[]);
    check(r#"{"$ref":"https://host.invalid/x.json"}"#, "a: 1", &[]);
}

#[test]
fn several_problems_of_one_value_are_told_below_it() {
    let schema = r##"{"$schema":"http://json-schema.org/draft-07/schema#",
        "properties":{"j":{"$ref":"#/definitions/x"}},
        "definitions":{"x":{"required":["u","v"],"properties":{"w":{"type":"string"}}}}}"##;
    check(
        schema,
        "j: {w: 1}",
        &[
            "- at '/j': validation failed",
            "  - at '/j': missing properties 'u', 'v'",
            "  - at '/j/w': got number, want string",
        ],
    );
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema = r##"{"properties":{"a":{"$ref":"#"}},"additionalProperties":false}"##;
    check(schema, "a: {a: {}}", &[]);
    check(
        schema,
        "a: {b: 1}",
        &["- at '/a': additional properties 'b' not allowed"],
    );
}

#[test]
fn unevaluated_properties_know_what_others_looked_at() {
    let schema = r#"{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}"#;
    check(schema, "a: 1", &[]);
    check(schema, "a: 1\nb: 1", &["- at '/b': false schema"]);
}

#[test]
fn a_broken_schema_is_told_by_its_own() {
    let schema = r#"{"$schema":"http://json-schema.org/draft-07/schema#","required":true}"#;
    check(
        schema,
        "a: 1",
        &[
            "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation \
             failed with 'http://json-schema.org/draft-07/schema#'",
            "- at '/required': got boolean, want array",
        ],
    );
}
