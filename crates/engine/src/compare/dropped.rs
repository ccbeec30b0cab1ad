//! Fields that the cluster does not keep: a custom resource's schema has no place for them, so the
//! API server drops them from every write, and they can never become live.
//!
//! Argo CD shows such an object as OutOfSync for ever (fact 21 and 25 of argocd-sync); here the
//! difference is a warning (docs/differences.md).

use api::{Condition, reason};
use manifest::Object;
use manifest::schema::{Schema, Type, TypeRef};

use super::diff::{Diff, Difference};

/// Takes the differences out of `diff` that no write can mend, and says which fields they are.
pub(super) fn take(diff: &mut Diff, desired: &Object, schema: &Schema) -> Option<Condition> {
    let dropped = diff.take_out(|difference| {
        difference.live.is_none() && !is_declared(difference, schema.root())
    });
    if dropped.is_empty() {
        return None;
    }
    let fields: Vec<String> = dropped
        .iter()
        .map(|difference| difference.pointer.replace('/', "."))
        .collect();
    Some(Condition::new(
        reason::DROPPED_FIELD_WARNING,
        format!(
            "{}/{}: the cluster's definition of the kind does not know {}, so it is not stored",
            desired.kind(),
            desired.name(),
            fields.join(", ")
        ),
    ))
}

/// Whether the schema has a place at the difference's pointer.
fn is_declared(difference: &Difference, root: TypeRef<'_>) -> bool {
    let mut at = root;
    for token in difference.pointer.split('/').skip(1) {
        let below = match at.ty() {
            Type::List(_) => at.element(),
            Type::Scalar(_) => return true,
            Type::Map(_) | Type::Any | Type::Opaque => {
                at.member(&token.replace("~1", "/").replace("~0", "~"))
            }
        };
        match below {
            Some(below) => at = below,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use api::sync_options::SyncOptions;
    use manifest::Gvk;
    use manifest::schema::SchemaSet;
    use yaml::parse_str;

    use super::*;
    use crate::compare::{Means, Rules, diff};

    const SCHEMA: &str = "
type: object
properties:
  spec:
    type: object
    properties:
      known: {type: integer}
      open: {type: object, x-kubernetes-preserve-unknown-fields: true}
      items: {type: array, items: {type: object, properties: {known: {type: string}}}}
";

    /// Which fields are reported, and how many differences stay.
    fn check(desired: &str, live: &str, want: &[&str], stay: usize) {
        let object = |spec: &str| {
            let text = format!(
                "{{apiVersion: e.com/v1, kind: Boat, metadata: {{name: a}}, spec: {spec}}}"
            );
            Object::new(parse_str(&text).unwrap()).unwrap()
        };
        let (desired, live) = (object(desired), object(live));
        let openapi = parse_str(SCHEMA).unwrap();
        let schema = SchemaSet::builtin().custom(&openapi).unwrap();
        let (rules, options) = (Rules::new(&[], &[]), SyncOptions::default());
        let schema_of = |_: &Gvk| None;
        let means = Means {
            rules: &rules,
            options: &options,
            schema_of: &schema_of,
        };
        let mut diff = diff::diff(&desired, &live, &means);
        let message = take(&mut diff, &desired, &schema).map(|condition| condition.message);
        assert_eq!(message.is_some(), !want.is_empty(), "{message:?}");
        for field in want {
            assert!(
                message.as_ref().is_some_and(|text| text.contains(field)),
                "{message:?}"
            );
        }
        assert_eq!(diff.differences().len(), stay, "{diff:?}");
    }

    #[test]
    fn a_field_without_a_place_in_the_schema_is_no_drift() {
        check("{known: 1, manual: {}}", "{known: 1}", &[".spec.manual"], 0);
        check(
            "{items: [{known: a, other: b}]}",
            "{items: [{known: a}]}",
            &[".spec.items.0.other"],
            0,
        );
    }

    #[test]
    fn a_field_that_the_schema_knows_stays_drift() {
        check("{known: 1}", "{}", &[], 1);
        check("{open: {any: 1}}", "{open: {}}", &[], 1);
        check("{known: 1, manual: {}}", "{known: 2}", &[".spec.manual"], 1);
    }
}
