//! What is a schema at first sight.
//!
//! Read [`is_plain`]. Most schemas use a few keywords, each as all versions of the language have it:
//! to see that takes a look at each part, while the schemas of schemas would have to be compiled
//! and asked. Whatever is not seen here is left to them, and with it all that can be said against a
//! schema.

use yaml::Value as Yaml;

use super::compile::{Draft, TYPES};
use super::formats;

/// What stands behind a keyword where no version of the language has anything against it.
#[derive(Clone, Copy)]
enum Form {
    Anything,
    Text,
    /// The URL of a version that is known.
    Version,
    Flag,
    Number,
    /// A whole number that is not negative.
    Count,
    Pattern,
    /// Texts that all differ, one at least.
    Texts,
    /// The name of a type, or several.
    Types,
    Schema,
    /// A list of schemas, one at least.
    Schemas,
    /// Schemas by name.
    SchemaMap,
    /// Schemas by pattern.
    PatternMap,
    /// To be asked of the schemas of schemas.
    Unseen,
}

/// All keywords of all versions; what is none of them may be anything.
const KEYWORDS: [(&str, Form); 62] = [
    ("$anchor", Form::Unseen),
    ("$comment", Form::Text),
    ("$defs", Form::SchemaMap),
    ("$dynamicAnchor", Form::Unseen),
    ("$dynamicRef", Form::Unseen),
    ("$id", Form::Unseen),
    ("$recursiveAnchor", Form::Unseen),
    ("$recursiveRef", Form::Unseen),
    ("$ref", Form::Text),
    ("$schema", Form::Version),
    ("$vocabulary", Form::Unseen),
    ("additionalItems", Form::Schema),
    ("additionalProperties", Form::Schema),
    ("allOf", Form::Schemas),
    ("anyOf", Form::Schemas),
    ("const", Form::Anything),
    ("contains", Form::Schema),
    ("contentEncoding", Form::Text),
    ("contentMediaType", Form::Text),
    ("contentSchema", Form::Schema),
    ("definitions", Form::SchemaMap),
    ("dependencies", Form::Unseen),
    ("dependentRequired", Form::Unseen),
    ("dependentSchemas", Form::SchemaMap),
    ("deprecated", Form::Flag),
    ("description", Form::Text),
    ("else", Form::Schema),
    ("enum", Form::Texts),
    ("examples", Form::Unseen),
    ("exclusiveMaximum", Form::Unseen),
    ("exclusiveMinimum", Form::Unseen),
    ("format", Form::Text),
    ("id", Form::Text),
    ("if", Form::Schema),
    ("items", Form::Schema),
    ("maxContains", Form::Count),
    ("maxItems", Form::Count),
    ("maxLength", Form::Count),
    ("maxProperties", Form::Count),
    ("maximum", Form::Number),
    ("minContains", Form::Count),
    ("minItems", Form::Count),
    ("minLength", Form::Count),
    ("minProperties", Form::Count),
    ("minimum", Form::Number),
    ("multipleOf", Form::Unseen),
    ("not", Form::Schema),
    ("oneOf", Form::Schemas),
    ("pattern", Form::Pattern),
    ("patternProperties", Form::PatternMap),
    ("prefixItems", Form::Schemas),
    ("properties", Form::SchemaMap),
    ("propertyNames", Form::Schema),
    ("readOnly", Form::Flag),
    ("required", Form::Texts),
    ("then", Form::Schema),
    ("title", Form::Text),
    ("type", Form::Types),
    ("unevaluatedItems", Form::Schema),
    ("unevaluatedProperties", Form::Schema),
    ("uniqueItems", Form::Flag),
    ("writeOnly", Form::Flag),
];

/// Schemas within schemas: far from what the check against the schemas of schemas gives up at.
const MAX_DEPTH: usize = 32;

/// Whether the schema of its version has nothing against this one, as far as can be seen.
pub(super) fn is_plain(schema: &Yaml, draft: Draft) -> bool {
    Look { draft }.schema(schema, MAX_DEPTH)
}

/// A look at a schema of a version.
struct Look {
    draft: Draft,
}

impl Look {
    fn schema(&self, schema: &Yaml, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        match schema {
            Yaml::Bool(_) => self.draft > Draft::D4,
            Yaml::Map(map) => map.iter().all(|(keyword, value)| {
                let known = KEYWORDS.binary_search_by(|(known, _)| (*known).cmp(keyword));
                known.is_err() || known.is_ok_and(|at| self.fits(KEYWORDS[at].1, value, depth))
            }),
            _ => false,
        }
    }

    fn fits(&self, form: Form, value: &Yaml, depth: usize) -> bool {
        match (form, value) {
            (Form::Anything, _)
            | (Form::Text, Yaml::String(_))
            | (Form::Flag, Yaml::Bool(_))
            | (Form::Number, Yaml::Int(_) | Yaml::Float(_)) => true,
            (Form::Version, Yaml::String(url)) => Draft::of_url(url).is_some(),
            (Form::Count, Yaml::Int(count)) => *count >= 0,
            (Form::Pattern, Yaml::String(pattern)) => formats::regex(pattern).is_ok(),
            (Form::Texts, Yaml::List(all)) => !all.is_empty() && differ(all, |_| true),
            (Form::Types, Yaml::String(one)) => TYPES.contains(&one.as_str()),
            (Form::Types, Yaml::List(all)) => {
                !all.is_empty() && differ(all, |one| TYPES.contains(&one))
            }
            (Form::Schema, schema) => self.schema(schema, depth),
            (Form::Schemas, Yaml::List(all)) => {
                !all.is_empty() && all.iter().all(|one| self.schema(one, depth))
            }
            (Form::SchemaMap, Yaml::Map(all)) => all.values().all(|one| self.schema(one, depth)),
            (Form::PatternMap, Yaml::Map(all)) => all
                .iter()
                .all(|(pattern, one)| formats::regex(pattern).is_ok() && self.schema(one, depth)),
            _ => false,
        }
    }
}

/// Whether all are texts, each of them another one and as it should be.
fn differ(all: &[Yaml], is_right: impl Fn(&str) -> bool) -> bool {
    let texts: Option<Vec<&str>> = all.iter().map(Yaml::as_str).collect();
    texts.is_some_and(|mut texts| {
        let n_texts = texts.len();
        texts.sort_unstable();
        texts.dedup();
        texts.len() == n_texts && texts.into_iter().all(is_right)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use yaml::json;

    use super::*;
    use crate::schema::meta;

    const DRAFTS: [Draft; 5] = [Draft::D4, Draft::D6, Draft::D7, Draft::D2019, Draft::D2020];

    #[test]
    fn all_keywords_of_all_versions_are_known() {
        assert!(KEYWORDS.is_sorted_by_key(|(keyword, _)| *keyword));
        let all = meta::properties();
        let unknown: Vec<&String> = all
            .iter()
            .filter(|name| KEYWORDS.iter().all(|(keyword, _)| keyword != name))
            .collect();
        assert_eq!(unknown, Vec::<&String>::new());
    }

    /// Whether it is seen that a schema is one, in all versions.
    fn check(schema: &str, want: bool) {
        let schema = json::parse_str(schema).expect("a schema");
        for draft in DRAFTS {
            assert_eq!(is_plain(&schema, draft), want, "{schema:?} {draft:?}");
            assert!(
                !want || has_no_problem(&schema, draft),
                "{schema:?} {draft:?}"
            );
        }
    }

    fn has_no_problem(schema: &Yaml, draft: Draft) -> bool {
        let problem = meta::problem(schema, draft).expect("a schema of schemas");
        problem.is_none()
    }

    #[test]
    fn what_is_as_in_all_versions_is_seen() {
        let deep = |depth: usize| {
            let (open, close) = (r#"{"not":"#.repeat(depth), "}".repeat(depth));
            format!("{open}{{}}{close}")
        };
        check(r#"{"type":["null","object"],"title":"a","form":[1]}"#, true);
        check(r#"{"$schema":"http://json-schema.org/schema#"}"#, true);
        check(
            r#"{"properties":{"a":{"pattern":"^a"}},"allOf":[{}]}"#,
            true,
        );
        check(r#"{"$schema":"https://host.invalid/x"}"#, false);
        check(r#"{"properties":{"a":{"pattern":"("}}}"#, false);
        check(r#"{"enum":["a","b","a"]}"#, false);
        check(r#"{"minLength":-1}"#, false);
        check(r#"{"allOf":[]}"#, false);
        check(&deep(MAX_DEPTH - 1), true);
        check(&deep(MAX_DEPTH), false);
    }

    /// Schemas that are tried; the gate's time allows so many.
    const N_CASES: u32 = 2_000;

    /// A schema, or something like one.
    fn schemas() -> impl Strategy<Value = Yaml> {
        let keyword = proptest::sample::select(KEYWORDS.map(|(keyword, _)| keyword).to_vec());
        let text = proptest::sample::select(vec!["a", "string", "^a", "(", "#", "object", "0"]);
        let leaf = prop_oneof![
            text.prop_map(Yaml::from),
            (-1_i64..3).prop_map(Yaml::from),
            any::<bool>().prop_map(Yaml::from),
            Just(Yaml::Null),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let members = proptest::collection::vec((keyword.clone(), inner.clone()), 0..4);
            prop_oneof![
                1 => proptest::collection::vec(inner, 0..4).prop_map(Yaml::List),
                3 => members.prop_map(|members| {
                    let members = members.into_iter().map(|(key, value)| (key.to_owned(), value));
                    Yaml::Map(members.collect())
                }),
            ]
        })
    }

    #[test]
    fn nothing_can_be_said_against_what_is_seen() {
        let config = Config {
            cases: N_CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
        let n_seen = Cell::new(0);
        let outcome = TestRunner::new_with_rng(config, random).run(&schemas(), |schema| {
            for draft in DRAFTS {
                if is_plain(&schema, draft) {
                    n_seen.set(n_seen.get() + 1);
                    prop_assert!(has_no_problem(&schema, draft), "{draft:?}");
                }
            }
            Ok(())
        });
        outcome.expect("a problem that was not seen");
        assert!(
            n_seen.get() > N_CASES / 2,
            "only {} were seen",
            n_seen.get()
        );
    }
}
