//! Bodies to objects, with the words of the real decoder when they are none.

use yaml::Value;

use crate::codec;
use crate::core::Call;
use crate::negotiate::PRODUCED;
use crate::status_error::ApiError;
use crate::typing;

/// A decoded body, without `apiVersion` and `kind`.
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// What is said in `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Json,
    Yaml,
    Protobuf,
}

fn text(call: &Call<'_>) -> Result<Text, ApiError> {
    let header = call.request.header("content-type");
    match header.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => Ok(Text::Json),
        "application/yaml" => Ok(Text::Yaml),
        "application/vnd.kubernetes.protobuf" if call.resource.custom.is_none() => {
            Ok(Text::Protobuf)
        }
        _ => Err(ApiError::unsupported_media_type(&PRODUCED)),
    }
}

/// Keys that a body gives again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeated {
    /// One text for each.
    pub(crate) told: Vec<String>,
    /// What a strict decoder says of all of them; empty when there are none.
    pub(crate) strict: String,
}

/// The body as an object of the call's resource.
///
/// # Errors
/// 400 and 415 as the real server gives them.
pub(crate) fn object(call: &Call<'_>) -> Result<Decoded, ApiError> {
    let Parsed { mut value, repeats } = parse(call, &call.resource.kind)?;
    check_type(call, &value)?;
    let map = value.map_at_mut(&[]);
    map.remove("apiVersion");
    map.remove("kind");
    let repeated = repeated(call, repeats);
    let mut warnings = Vec::new();
    let source = typing::Source::Body(&repeated);
    typing::check(call, &mut value, &mut warnings, source)?;
    Ok(Decoded { value, warnings })
}

/// A body as a tree.
struct Parsed {
    value: Value,
    repeats: Repeats,
}

/// What its reader noted of keys that are given again.
enum Repeats {
    None,
    /// There are some in the JSON.
    Json,
    /// One text for each in the YAML.
    Yaml(Vec<String>),
}

fn repeated(call: &Call<'_>, repeats: Repeats) -> Repeated {
    if call.request.query.get("fieldValidation") == "Ignore" {
        return Repeated::default();
    }
    match repeats {
        Repeats::None => Repeated::default(),
        Repeats::Json => {
            let told: Vec<String> = yaml::json::duplicates(&call.request.body)
                .iter()
                .map(|path| format!("duplicate field {}", kinds::quoted(path)))
                .collect();
            Repeated {
                strict: told.join(", "),
                told,
            }
        }
        Repeats::Yaml(told) => Repeated {
            strict: format!("yaml: unmarshal errors:\n  {}", told.join("\n  ")),
            told,
        },
    }
}

/// The body as an object of any kind, such as a Scale or a Binding.
///
/// # Errors
/// As [`object`].
pub(crate) fn any(call: &Call<'_>) -> Result<Decoded, ApiError> {
    let Parsed { value, .. } = parse(call, &call.resource.kind)?;
    Ok(Decoded {
        value,
        warnings: Vec::new(),
    })
}

/// The body of a DELETE; `None` when there is none.
///
/// # Errors
/// As [`object`].
pub(crate) fn delete_options(call: &Call<'_>) -> Result<Option<Value>, ApiError> {
    if call.request.body.is_empty() {
        return Ok(None);
    }
    parse(call, "DeleteOptions").map(|parsed| Some(parsed.value))
}

fn parse(call: &Call<'_>, kind: &str) -> Result<Parsed, ApiError> {
    let body = &call.request.body;
    let unrecognized = |why: &str| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({})",
            summary(body)
        ))
    };
    let no_json = |why: &str| {
        unrecognized(&format!(
            "couldn't get version/kind; json parse error: {why}"
        ))
    };
    let (value, repeats) = match text(call)? {
        Text::Json => match codec::parse_body(body).map_err(|why| no_json(&why))? {
            (value, true) => (value, Repeats::Json),
            (value, false) => (value, Repeats::None),
        },
        Text::Yaml => match codec::parse_yaml(body).map_err(|why| unrecognized(&why))? {
            (value, told) if told.is_empty() => (value, Repeats::None),
            (value, told) => (value, Repeats::Yaml(told)),
        },
        Text::Protobuf => {
            let value = protobuf::parse(body).map_err(ApiError::bad_request)?;
            (value, Repeats::None)
        }
    };
    match value {
        Value::Map(_) => Ok(Parsed { value, repeats }),
        Value::Null => Ok(Parsed {
            value: Value::Map(yaml::Map::new()),
            repeats,
        }),
        other => Err(no_json(&format!(
            "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            other.kind()
        ))),
    }
}

/// The beginning of a body, as messages show it.
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = body.get(..SHOWN).unwrap_or(body);
    let text = match body.first() {
        None => return "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    if body.len() > SHOWN {
        format!("{text} ...")
    } else {
        text
    }
}

/// A body may leave out its type, but not name another one.
pub(crate) fn check_type(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    let Some(wrong) = wrong_type(call, value) else {
        return Ok(());
    };
    Err(ApiError::bad_request(match wrong {
        WrongType::Version(why) => why,
        WrongType::Kind { said, why } => {
            format!(
                "{said} cannot be handled as a {}: {why}",
                call.resource.kind
            )
        }
    }))
}

/// Why the type that an object states is not the one of the call's resource.
pub(crate) enum WrongType {
    /// It is another version of it.
    Version(String),
    /// It is another kind, or none that is known.
    Kind { said: String, why: String },
}

/// What is wrong with the type that an object states, if it states one.
pub(crate) fn wrong_type(call: &Call<'_>, value: &Value) -> Option<WrongType> {
    let said = |key| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (said("apiVersion"), said("kind"));
    let resource = &call.resource;
    let want = resource.api_version();
    if (api_version.is_empty() || api_version == want)
        && (kind.is_empty() || *kind == *resource.kind)
    {
        return None;
    }
    let kind = if kind.is_empty() {
        &resource.kind
    } else {
        kind
    };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let known = call.core.registry().by_kind(group, version, kind).is_some();
    let package = internal_package(&resource.group);
    if known && kind == &*resource.kind && internal_package(group) == package {
        return Some(WrongType::Version(format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({want})"
        )));
    }
    let why = if known {
        format!(
            "converting ({version}.{kind}) to ({package}.{}): unknown conversion",
            resource.kind
        )
    } else {
        format!(
            "no kind \"{kind}\" is registered for version \"{api_version}\" in scheme \
             \"pkg/runtime/scheme.go:111\""
        )
    };
    let said = format!("{kind} in version \"{version}\"");
    Some(WrongType::Kind { said, why })
}

/// The package of the internal types of a group.
pub(crate) fn internal_package(group: &str) -> &str {
    if group.is_empty() || group == "events.k8s.io" {
        "core"
    } else {
        group.split('.').next().unwrap_or(group)
    }
}
