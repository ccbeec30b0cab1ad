//! Custom resources against their schema: the door to the crate `structural`.

use yaml::Value;

use crate::core::Call;
use crate::crd::Served;
use crate::render;
use crate::status_error::ApiError;
use crate::strategy::Context;
use crate::verbs::update::Part;
use kinds::FieldError;

/// Finalizers without a domain that are known.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Gives `value` the form that its schema asks for: unknown members go, defaults come. Gives the
/// paths of what went.
///
/// # Errors
/// 400 when metadata of the object, or of objects within it, cannot be read.
pub(crate) fn decode(call: &Call<'_>, value: &mut Value) -> Result<Vec<String>, ApiError> {
    let Some(custom) = &call.resource.custom else {
        return Ok(Vec::new());
    };
    let (kind, version) = (&call.resource.kind, &call.resource.version);
    let refuse = |why: &str| {
        ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
        ))
    };
    let schema = custom.structural();
    let mut unknown = structural::coerce_metadata(value).map_err(|why| refuse(&why))?;
    unknown.extend(schema.prune(value));
    let embedded = schema
        .coerce(value)
        .map_err(|malformed| refuse(&malformed.0.text()))?;
    unknown.extend(embedded);
    schema.fill_defaults(value);
    Ok(unknown)
}

/// What is wrong with an object; `old` is the state that an update of a part replaces.
pub(crate) fn validate(
    context: &Context<'_>,
    custom: &Served,
    value: &Value,
    old: Option<(Part, &Value)>,
) -> Vec<FieldError> {
    let typed = |value: &Value| {
        let mut value = value.clone();
        render::type_meta(&mut value, context.resource);
        value
    };
    let object = typed(value);
    let before = old.map(|(_, old)| typed(old));
    let part = old.map_or(Part::Main, |(part, _)| part);
    let schema = custom.structural();
    let mut errors = match part {
        Part::Status => status_errors(custom, &object, before.as_ref()),
        Part::Main | Part::Resize | Part::EphemeralContainers | Part::Other => {
            schema.validate("", &object, before.as_ref())
        }
    };
    errors.extend(scale_errors(custom, &object, part));
    if part != Part::Status {
        errors.extend(schema.embedded_problems(&object));
    }
    // What had repeats before may go on having them.
    let had_repeats = before
        .as_ref()
        .is_some_and(|old| !schema.duplicates(old).is_empty());
    if !had_repeats {
        errors.extend(schema.duplicates(&object));
    }
    let Some(rules) = custom.rules(context.core) else {
        return errors;
    };
    if errors.iter().any(structural::is_blocking) {
        errors.push(FieldError::invalid(
            "<nil>",
            &Value::Null,
            "some validation rules were not checked because the object was invalid; correct the \
             existing errors to complete validation",
        ));
    } else {
        errors.extend(rules.run(&object, before.as_ref()).0);
    }
    errors
}

fn status_errors(custom: &Served, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let schema = custom.structural().member("status");
    let (Some(schema), Some(status)) = (schema, object.get("status")) else {
        return Vec::new();
    };
    let old = old.and_then(|old| old.get("status"));
    schema.validate("status", status, old)
}

/// Numbers of replicas are whole and not negative.
fn scale_errors(custom: &Served, object: &Value, part: Part) -> Vec<FieldError> {
    let Some(scale) = &custom.scale else {
        return Vec::new();
    };
    let spec = (part != Part::Status).then_some(&scale.replicas);
    spec.into_iter()
        .chain([&scale.status])
        .filter_map(|path| {
            let steps: Vec<&str> = path.trim_start_matches('.').split('.').collect();
            let value = object.at(&steps)?;
            match value {
                Value::Int(number) if *number < 0 => Some(FieldError::invalid(
                    path.clone(),
                    value,
                    "should be a non-negative integer",
                )),
                Value::Int(number) if *number > i64::from(i32::MAX) => {
                    let why = format!("should be less than or equal to {}", i32::MAX);
                    Some(FieldError::invalid(path.clone(), value, &why))
                }
                _ => None,
            }
        })
        .collect()
}

/// What a client is warned of though it is allowed: names of finalizers that may clash.
pub(crate) fn warnings(value: &Value, old: Option<&Value>) -> Vec<String> {
    let finalizers = |value: &Value| -> Vec<String> {
        crate::meta::finalizers(value)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let had = old.map(finalizers).unwrap_or_default();
    let mut added: Vec<String> = finalizers(value);
    added.retain(|name| !had.contains(name));
    added.sort();
    added.dedup();
    added
        .iter()
        .flat_map(|name| finalizer_warnings(name))
        .collect()
}

fn finalizer_warnings(name: &str) -> Vec<String> {
    let about = format!("metadata.finalizers: {}", kinds::quoted(name));
    let mut warnings: Vec<String> = kinds::names::qualified_name_problems(name)
        .into_iter()
        .map(|problem| format!("{about}: {problem}"))
        .collect();
    if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
        let path = if name.contains('.') {
            " including a path (/)"
        } else {
            ""
        };
        warnings.push(format!(
            "{about}: prefer a domain-qualified finalizer name{path} to avoid accidental \
             conflicts with other finalizer writers"
        ));
    }
    warnings
}
