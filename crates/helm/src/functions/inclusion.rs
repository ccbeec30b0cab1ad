//! Templates in templates: `include` and `tpl`; and what ends a render: `required` and `fail`.

use std::cell::RefCell;
use std::collections::HashMap;

use gotmpl::{Element, MissingKey, Scope, Type, Value, quote};

use super::{Lookup, Row, text, value};

const ANY: Type = Type::Any;
const TEXT: Type = Type::Text;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "include",
        parameters: &[TEXT, ANY],
        result: TEXT,
        body: include,
    },
    Row {
        name: "tpl",
        parameters: &[TEXT, ANY],
        result: TEXT,
        body: tpl,
    },
    Row {
        name: "required",
        parameters: &[TEXT, ANY],
        result: ANY,
        body: required,
    },
    Row {
        name: "fail",
        parameters: &[TEXT],
        result: TEXT,
        body: |_, given| Err(warning(text(given, 0))),
    },
    Row {
        name: "lookup",
        parameters: &[TEXT; 4],
        result: Type::Map(Element::Any),
        body: lookup,
    },
];

/// As often may a template be inside itself.
const MAX_NESTING: usize = 1_000;

/// What one render remembers for its functions.
pub(super) struct Rendering {
    /// How often each template is included at this moment.
    included: RefCell<HashMap<String, usize>>,
    lookup: Option<Lookup>,
}

impl Rendering {
    pub(super) fn new(lookup: Option<Lookup>) -> Self {
        Rendering {
            included: RefCell::default(),
            lookup,
        }
    }
}

fn include(scope: &mut Scope<'_>, given: &[Value]) -> Result<Value, String> {
    let (name, dot) = (text(given, 0), value(given, 1));
    let rendering = scope.session().context::<Rendering>();
    if let Some(rendering) = &rendering {
        let mut included = rendering.included.borrow_mut();
        let count = included.entry(name.to_owned()).or_default();
        if *count > MAX_NESTING {
            return Err(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            ));
        }
        *count += 1;
    }
    let result = scope.execute(name, dot);
    if let Some(rendering) = &rendering
        && let Some(count) = rendering.included.borrow_mut().get_mut(name)
    {
        *count -= 1;
    }
    match result {
        Ok(text) => Ok(Value::from(text)),
        Err(error) => Err(error.text),
    }
}

/// Executes a text as a template that sees all others; what it defines is seen by itself alone.
fn tpl(scope: &mut Scope<'_>, given: &[Value]) -> Result<Value, String> {
    /// Helm names all such texts after the root of its templates.
    const NAME: &str = "gotpl";
    let (template, dot) = (text(given, 0), value(given, 1));
    let mut templates = scope.templates().clone().with_missing_key(MissingKey::Zero);
    templates
        .parse_anew(NAME, template)
        .map_err(|error| format!("cannot parse template {}: {}", quote(template), error.text))?;
    let written = scope.execute_of(&templates, NAME, dot).map_err(|error| {
        let template = quote(template);
        format!(
            "error during tpl function execution for {template}: {}",
            error.text
        )
    })?;
    Ok(Value::from(written.replace("<no value>", "")))
}

/// A message that is shown without the way to it.
fn warning(message: &str) -> String {
    format!(
        "{}{message}{}",
        crate::trace::WARN_START,
        crate::trace::WARN_END
    )
}

fn required(_: &mut Scope<'_>, given: &[Value]) -> Result<Value, String> {
    match value(given, 1) {
        Value::Nil => Err(warning(text(given, 0))),
        Value::Text(empty) if empty.is_empty() => Err(warning(text(given, 0))),
        value => Ok(value.clone()),
    }
}

fn lookup(scope: &mut Scope<'_>, given: &[Value]) -> Result<Value, String> {
    let rendering = scope.session().context::<Rendering>();
    let found = match rendering.as_ref().and_then(|it| it.lookup.as_ref()) {
        Some(lookup) => lookup(
            text(given, 0),
            text(given, 1),
            text(given, 2),
            text(given, 3),
        )?,
        None => yaml::Value::Map(yaml::Map::new()),
    };
    Ok(sprig::json::of_object(&found))
}
