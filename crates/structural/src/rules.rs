//! The CEL rules of a schema: compiled once, run on every write.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::{
    Budget, Environment, EvalError, Field, ObjectType, Program, Relation, Type, Val, Variables,
};
use kinds::FieldError;
use yaml::{Str, Value};

use crate::definition::path;
use crate::schema::{Additional, Rule, Schema};

/// What all rules of an object may cost together (Kubernetes' own limit: about a second).
const BUDGET: u64 = 10_000_000;
/// A message that an expression makes is no longer (Kubernetes' own limit).
const MAX_MESSAGE: usize = 5 * 1024;

/// The functions that rules may use. Reads a table, so keep it.
#[must_use]
pub fn environment() -> Environment {
    Environment::kubernetes()
}

/// The compiled rules of a schema.
#[derive(Clone, Debug)]
pub struct Rules {
    root: Node,
}

#[derive(Clone, Debug)]
struct Node {
    /// The type in the schema, for messages.
    kind: Str,
    here: Option<Here>,
    properties: BTreeMap<Str, Node>,
    additional: Option<Box<Node>>,
    items: Option<Box<Node>>,
    /// Keys by which items find their former selves.
    keys: Option<Vec<Str>>,
}

/// The rules of one schema, and the type that they see.
#[derive(Clone, Debug)]
struct Here {
    ty: Type,
    compiled: Vec<Compiled>,
}

/// A rule with what is known before it runs.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    pub(crate) program: Result<Program, String>,
    pub(crate) uses_old: bool,
    pub(crate) message: Option<Result<Program, String>>,
    field_path: String,
}

impl Rules {
    /// Compiles the rules of a whole schema; `None` when it has none.
    #[must_use]
    pub fn compile(schema: &Schema, environment: &Environment) -> Option<Rules> {
        node(schema, true, environment).map(|root| Rules { root })
    }

    /// As [`Rules::compile`], for a schema inside another one.
    pub(crate) fn compile_part(schema: &Schema, environment: &Environment) -> Option<Rules> {
        node(schema, schema.embedded, environment).map(|root| Rules { root })
    }

    /// Runs the rules on a whole object with its type, and on what it was before. Gives what is
    /// wrong, and warnings about what is wrong but unchanged.
    #[must_use]
    pub fn run(&self, object: &Value, old: Option<&Value>) -> (Vec<FieldError>, Vec<String>) {
        self.run_at("", object, old)
    }

    /// As [`Rules::run`], for a value that stands at a path.
    pub(crate) fn run_at(
        &self,
        path: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> (Vec<FieldError>, Vec<String>) {
        let mut runner = Runner {
            budget: Budget::new(BUDGET),
            errors: Vec::new(),
            warnings: Vec::new(),
            is_over: false,
        };
        let at = At {
            value: object,
            old,
            is_unchanged: false,
        };
        runner.node(&self.root, path, at);
        (runner.errors, runner.warnings)
    }
}

/// The type of values of a schema in rules; `None` when rules cannot see them.
pub(crate) fn declared(schema: &Schema, is_resource: bool) -> Option<Type> {
    named(schema, is_resource, "self")
}

/// Whether there is such a type.
fn is_declared(schema: &Schema, is_resource: bool) -> bool {
    if schema.int_or_string {
        return true;
    }
    let holds = |part: &Schema| is_declared(part, part.embedded);
    match schema.ty.as_str() {
        "array" => schema.items.as_deref().is_some_and(holds),
        "object" => match &schema.additional {
            Additional::Schema(inner) if !is_resource => holds(inner),
            _ => true,
        },
        "string" | "boolean" | "number" | "integer" => true,
        _ => false,
    }
}

fn named(schema: &Schema, is_resource: bool, name: &str) -> Option<Type> {
    if schema.int_or_string {
        return Some(Type::Dyn);
    }
    Some(match schema.ty.as_str() {
        "array" => {
            let items = schema.items.as_ref()?;
            let item = named(items, items.embedded, &format!("{name}.@idx"))?;
            let relation = match schema.list_type.as_str() {
                "set" => Relation::Set,
                "map" => Relation::Map(schema.list_keys.clone().into()),
                _ => Relation::Atomic,
            };
            Type::List(Arc::new(item), relation)
        }
        "object" => match &schema.additional {
            Additional::Schema(inner) if !is_resource => {
                let value = named(inner, inner.embedded, &format!("{name}.@elem"))?;
                Type::map(Type::String, value)
            }
            _ => object(schema, is_resource, name),
        },
        "string" => match schema.format.as_str() {
            "byte" => Type::Bytes,
            "duration" => Type::Duration,
            "date" | "date-time" => Type::Timestamp,
            _ => Type::String,
        },
        "boolean" => Type::Bool,
        "number" => Type::Double,
        "integer" => Type::Int,
        _ => return None,
    })
}

fn object(schema: &Schema, is_resource: bool, name: &str) -> Type {
    let mut fields: BTreeMap<Str, Field> = BTreeMap::new();
    for (key, property) in &schema.properties {
        let ty = named(property, property.embedded, &format!("{name}.{key}"));
        if let (Some(ty), Some(escaped)) = (ty, escape(key)) {
            let key = key.clone();
            fields.insert(escaped.into(), Field { key, ty });
        }
    }
    if is_resource {
        let text = |key: &str| Field {
            key: key.into(),
            ty: Type::String,
        };
        let metadata = ObjectType {
            name: format!("{name}.metadata").into(),
            fields: ["name", "generateName"]
                .map(|key| (key.into(), text(key)))
                .into(),
        };
        fields.insert("kind".into(), text("kind"));
        fields.insert("apiVersion".into(), text("apiVersion"));
        let ty = Type::Object(Arc::new(metadata));
        let key = "metadata".into();
        fields.insert("metadata".into(), Field { key, ty });
    }
    let name = name.into();
    Type::Object(Arc::new(ObjectType { name, fields }))
}

/// Words that are no names in rules.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name of a property in rules; `None` when none can be made.
fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    name.chars().all(fits).then(|| {
        name.replace("__", "__underscores__")
            .replace('.', "__dot__")
            .replace('-', "__dash__")
            .replace('/', "__slash__")
    })
}

/// Compiles the rules that stand at one schema.
pub(crate) fn compile_here(schema: &Schema, ty: &Type, environment: &Environment) -> Vec<Compiled> {
    if schema.rules.is_empty() {
        return Vec::new();
    }
    let environment = environment.with("self", ty.clone());
    let plain = environment.with("oldSelf", ty.clone());
    let optional = environment.with("oldSelf", Type::optional(ty.clone()));
    schema
        .rules
        .iter()
        .map(|rule| {
            let environment = if rule.optional_old_self == Some(true) {
                &optional
            } else {
                &plain
            };
            compile_rule(schema, rule, environment)
        })
        .collect()
}

fn compile_rule(schema: &Schema, rule: &Rule, environment: &Environment) -> Compiled {
    let program = match environment.compile(&rule.rule) {
        Err(issues) => Err(format!("compilation failed: {issues}")),
        Ok(program) if *program.ty() != Type::Bool => {
            Err("cel expression must evaluate to a bool".to_owned())
        }
        Ok(program) => Ok(program),
    };
    let wants_message = program.is_ok() && !rule.message_expression.is_empty();
    let message = wants_message.then(|| match environment.compile(&rule.message_expression) {
        Err(issues) => Err(format!("messageExpression compilation failed: {issues}")),
        Ok(program) if *program.ty() != Type::String => {
            Err("messageExpression must evaluate to a string".to_owned())
        }
        Ok(program) => Ok(program),
    });
    Compiled {
        uses_old: program
            .as_ref()
            .is_ok_and(|program| program.mentions("oldSelf")),
        field_path: path::normalized(&rule.field_path, schema).unwrap_or_default(),
        rule: rule.clone(),
        program,
        message,
    }
}

fn node(schema: &Schema, is_resource: bool, environment: &Environment) -> Option<Node> {
    if !is_declared(schema, is_resource) {
        return None;
    }
    let inner = |schema: &Schema| node(schema, schema.embedded, environment);
    let properties: BTreeMap<Str, Node> = schema
        .properties
        .iter()
        .filter_map(|(name, schema)| Some((name.clone(), inner(schema)?)))
        .collect();
    let additional = match &schema.additional {
        Additional::Schema(schema) => inner(schema).map(Box::new),
        Additional::Unsaid | Additional::Any(_) => None,
    };
    let items = schema.items.as_deref().and_then(inner).map(Box::new);
    let ruled = (!schema.rules.is_empty()).then(|| declared(schema, is_resource));
    let here = ruled.flatten().map(|ty| Here {
        compiled: compile_here(schema, &ty, environment),
        ty,
    });
    let is_empty =
        here.is_none() && properties.is_empty() && additional.is_none() && items.is_none();
    (!is_empty).then(|| Node {
        kind: schema.ty.clone(),
        here,
        properties,
        additional,
        items,
        keys: (schema.list_type == "map").then(|| schema.list_keys.clone()),
    })
}

/// A value, what it was, and whether what it stands in is as it was.
#[derive(Clone, Copy)]
struct At<'v> {
    value: &'v Value,
    old: Option<&'v Value>,
    is_unchanged: bool,
}

struct Runner {
    budget: Budget,
    errors: Vec<FieldError>,
    warnings: Vec<String>,
    /// The budget is spent: nothing more is run.
    is_over: bool,
}

fn shown(path: &str) -> String {
    if path.is_empty() { "<nil>" } else { path }.to_owned()
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() {
        step.trim_start_matches('.').to_owned()
    } else {
        format!("{path}{step}")
    }
}

impl Runner {
    fn node(&mut self, node: &Node, path: &str, at: At<'_>) {
        if at.value.is_null() || self.is_over {
            return;
        }
        let is_unchanged = match at.old {
            Some(old) => old == at.value,
            None => at.is_unchanged,
        };
        self.rules(node, path, At { is_unchanged, ..at });
        match at.value {
            Value::Map(members) => {
                for (name, value) in members.iter() {
                    let (below, step) = match (node.properties.get(name), &node.additional) {
                        (Some(below), _) => (below, format!(".{name}")),
                        (None, Some(below)) => (below.as_ref(), format!("[{name}]")),
                        (None, None) => continue,
                    };
                    let old = at.old.and_then(|old| old.get(name));
                    let at = At {
                        value,
                        old,
                        is_unchanged,
                    };
                    self.node(below, &join(path, &step), at);
                }
            }
            Value::List(items) => {
                let Some(below) = &node.items else { return };
                for (index, value) in items.iter().enumerate() {
                    let old = node.keys.as_ref().and_then(|keys| {
                        let items = at.old?.as_list()?;
                        let same =
                            |old: &&Value| keys.iter().all(|key| old.get(key) == value.get(key));
                        items.iter().find(same)
                    });
                    let at = At {
                        value,
                        old,
                        is_unchanged,
                    };
                    self.node(below, &join(path, &format!("[{index}]")), at);
                }
            }
            _ => {}
        }
    }

    fn invalid(&mut self, node: &Node, path: &str, detail: &str) {
        let kind: Value = node.kind.clone().into();
        self.errors
            .push(FieldError::invalid(shown(path), &kind, detail));
    }

    fn rules(&mut self, node: &Node, path: &str, at: At<'_>) {
        let Some(here) = &node.here else { return };
        let seen = Val::data(at.value, &here.ty).and_then(|value| {
            Ok((
                value,
                at.old.map(|old| Val::data(old, &here.ty)).transpose()?,
            ))
        });
        let (value, old) = match seen {
            Ok(seen) => seen,
            Err(error) => {
                let rule = here.compiled.first().map(|one| said(&one.rule));
                let detail = format!(
                    "{} evaluating rule: {}",
                    error.message(),
                    rule.unwrap_or_default()
                );
                return self.invalid(node, path, &detail);
            }
        };
        for compiled in &here.compiled {
            let is_optional = compiled.rule.optional_old_self == Some(true);
            if compiled.uses_old && old.is_none() && !is_optional {
                continue;
            }
            let program = match &compiled.program {
                Ok(program) => program,
                Err(why) => {
                    self.invalid(node, path, &format!("rule compile error: {why}"));
                    continue;
                }
            };
            if self.budget.is_spent() {
                self.is_over = true;
                return self.invalid(node, path, OUT_OF_BUDGET);
            }
            let variables = variables(&value, old.as_ref(), is_optional);
            match program.run(&variables, &mut self.budget) {
                Ok(Val::Bool(true)) => {}
                Ok(_) => self.violated(node, path, compiled, (at, &value, old.as_ref())),
                Err(error) => {
                    self.failed(node, path, compiled, &error);
                    if error.is_overrun() {
                        self.is_over = true;
                        return;
                    }
                }
            }
        }
    }

    fn failed(&mut self, node: &Node, path: &str, compiled: &Compiled, error: &EvalError) {
        let rule = said(&compiled.rule);
        let message = error.message();
        let detail = if message.starts_with("no such overload") {
            format!(
                "'{message}': call arguments did not match a supported operator, function or \
                 macro signature for rule: {rule}"
            )
        } else if error.is_overrun() {
            format!(
                "'{message}': no further validation rules will be run due to call cost exceeds \
                 limit for rule: {rule}"
            )
        } else {
            format!("{message} evaluating rule: {rule}")
        };
        self.invalid(node, path, &detail);
    }

    fn violated(
        &mut self,
        node: &Node,
        path: &str,
        compiled: &Compiled,
        (at, value, old): (At<'_>, &Val<'_>, Option<&Val<'_>>),
    ) {
        let detail = self
            .message(compiled, value, old)
            .unwrap_or_else(|| default_message(&compiled.rule));
        let field = if compiled.field_path.is_empty() {
            shown(path)
        } else {
            join(path, &format!(".{}", compiled.field_path))
        };
        let error = error_for(field, node, at.value, &detail, &compiled.rule);
        if !compiled.uses_old && at.is_unchanged {
            self.warnings.push(error.text());
        } else {
            self.errors.push(error);
        }
    }

    /// What `messageExpression` gives, when it gives a usable text.
    fn message(
        &mut self,
        compiled: &Compiled,
        value: &Val<'_>,
        old: Option<&Val<'_>>,
    ) -> Option<String> {
        let Some(Ok(program)) = &compiled.message else {
            return None;
        };
        let variables = variables(value, old, false);
        let Ok(Val::String(text)) = program.run(&variables, &mut self.budget) else {
            return None;
        };
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
        fits.then(|| text.to_owned())
    }
}

const OUT_OF_BUDGET: &str = "validation failed due to running out of cost budget, no further \
    validation rules will be run";

fn variables<'a>(value: &Val<'a>, old: Option<&Val<'a>>, is_optional: bool) -> Variables<'a> {
    let mut variables = Variables::new();
    variables.set("self", value.clone());
    if is_optional {
        variables.set("oldSelf", Val::Optional(old.cloned().map(Box::new)));
    } else if let Some(old) = old {
        variables.set("oldSelf", old.clone());
    }
    variables
}

/// A rule as messages name it.
fn said(rule: &Rule) -> String {
    let text = if rule.message.is_empty() {
        &rule.rule
    } else {
        &rule.message
    };
    text.trim().to_owned()
}

fn default_message(rule: &Rule) -> String {
    if rule.message.is_empty() {
        format!("failed rule: {}", said(rule))
    } else {
        said(rule)
    }
}

/// The error of a broken rule; objects and lists are not printed.
fn error_for(field: String, node: &Node, value: &Value, detail: &str, rule: &Rule) -> FieldError {
    let is_shown = !matches!(node.kind.as_str(), "object" | "array");
    let hidden = |reason: &'static str, message: String| FieldError {
        reason,
        field: field.clone(),
        message,
    };
    match rule.reason.as_deref() {
        Some("FieldValueForbidden") => FieldError::forbidden(field, detail),
        Some("FieldValueRequired") => FieldError::required(field, detail),
        Some("FieldValueDuplicate") if is_shown => FieldError::duplicate(field, value),
        Some("FieldValueDuplicate") => hidden("FieldValueDuplicate", "Duplicate value".to_owned()),
        _ if is_shown => FieldError::invalid(field, value, detail),
        _ => hidden("FieldValueInvalid", format!("Invalid value: {detail}")),
    }
}
