//! Whether defaults fit the schema that they stand in.

use cel::Environment;
use kinds::FieldError;

use super::place::At;
use crate::rules::Rules;
use crate::schema::Schema;

/// What is wrong with the defaults of a whole schema.
pub(super) fn problems(schema: &Schema, at: At<'_>, environment: &Environment) -> Vec<FieldError> {
    let mut errors = Vec::new();
    node(schema, &at, true, environment, &mut errors);
    errors
}

fn node(
    schema: &Schema,
    at: &At<'_>,
    is_resource: bool,
    environment: &Environment,
    errors: &mut Vec<FieldError>,
) {
    if let Some(default) = &schema.default {
        one(
            schema,
            default,
            &at.member("default").to_string(),
            environment,
            errors,
        );
    }
    if let Some(items) = &schema.items {
        node(
            items,
            &at.member("items"),
            items.embedded,
            environment,
            errors,
        );
    }
    for (name, property) in &schema.properties {
        // The type and metadata of objects have no defaults of their own, which is said elsewhere.
        if is_resource && crate::prune::META.contains(&name.as_str()) {
            continue;
        }
        node(
            property,
            &at.property(name),
            property.embedded,
            environment,
            errors,
        );
    }
}

fn one(
    schema: &Schema,
    default: &yaml::Value,
    at: &str,
    environment: &Environment,
    errors: &mut Vec<FieldError>,
) {
    let mut pruned = default.clone();
    schema.prune_part(&mut pruned);
    if pruned != *default {
        errors.push(FieldError::invalid(
            at,
            default,
            "must not have unknown fields",
        ));
    }
    let found = schema.validate(at, default, None);
    if !found.is_empty() {
        errors.extend(found);
        return;
    }
    if let Some(rules) = Rules::compile_part(schema, environment) {
        errors.extend(rules.run_at(at, default, None).0);
    }
}
