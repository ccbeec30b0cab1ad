//! Templates in templates: `include` and `tpl`; and what ends a render: `required` and `fail`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gotmpl::text::Text;
use gotmpl::{Element, Error, MissingKey, Parsed, Scope, Templates, Type, Value, quote};

use super::{Lookup, Row, shared, text, value};

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
    /// The templates that are included at this moment, the innermost last.
    included: RefCell<Vec<Text>>,
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
    let (name, dot) = (shared(given, 0), value(given, 1));
    let rendering = scope.session().context::<Rendering>();
    if let Some(rendering) = &rendering {
        let mut included = rendering.included.borrow_mut();
        let is_it = |outer: &&Text| ***outer == *name;
        // One of them is not there more often than all.
        if included.len() > MAX_NESTING && included.iter().filter(is_it).count() > MAX_NESTING {
            return Err(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            ));
        }
        included.push(name.clone());
    }
    let result = scope.execute(&name, dot);
    if let Some(rendering) = &rendering {
        rendering.included.borrow_mut().pop();
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
    let parsed = parsed(scope.templates(), NAME, template)
        .map_err(|error| format!("cannot parse template {}: {}", quote(template), error.text))?;
    let mut templates = scope.templates().clone().with_missing_key(MissingKey::Zero);
    templates.add_anew(&parsed, NAME);
    let written = scope.execute_of(&templates, NAME, dot).map_err(|error| {
        let template = quote(template);
        format!(
            "error during tpl function execution for {template}: {}",
            error.text
        )
    })?;
    Ok(Value::from(written.replace("<no value>", "")))
}

/// Texts that `tpl` has parsed, for the next render of the chart: values change less often than they
/// are rendered.
#[derive(Default)]
struct Texts(Mutex<HashMap<Arc<str>, Parsed>>);

/// Charts have some hundred such texts; more are made by templates that make them.
const MAX_TEXTS: usize = 2_000;
/// Longer texts are parsed each time: what is kept stays as long as the chart.
const MAX_TEXT_BYTES: usize = 16 << 10;

fn parsed(templates: &Templates, name: &str, text: &str) -> Result<Parsed, Error> {
    if text.len() > MAX_TEXT_BYTES {
        return templates.parse_apart(name, text);
    }
    let texts = templates.kept::<Texts>();
    // A render that panicked left the map as it was: entries are put in whole.
    let known = || texts.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(parsed) = known().get(text) {
        return Ok(parsed.clone());
    }
    let parsed = templates.parse_apart(name, text)?;
    let mut known = known();
    if known.len() == MAX_TEXTS {
        known.clear();
    }
    known.insert(text.into(), parsed.clone());
    Ok(parsed)
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
