//! Objects against a schema: types, bounds, formats, as kube-openapi's validator says it.
//!
//! What an update does not change may stay as it is, though the schema forbids it (ratcheting).

use kinds::FieldError;
use yaml::{Map, Str, Value};

use crate::schema::{Additional, ITEMS, LENGTH, PROPERTIES, Schema};

/// What is wrong with a value, and how much of the schema was met.
#[derive(Clone, Debug, Default)]
struct Verdict {
    /// What is wrong.
    errors: Vec<FieldError>,
    /// How many checks were made; the best of several alternatives has the most.
    n_checks: usize,
}

impl Verdict {
    fn merge(&mut self, other: Verdict) {
        self.errors.extend(other.errors);
        self.n_checks += other.n_checks;
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    fn invalid(&mut self, path: &str, value: &Value, detail: &str) {
        self.errors
            .push(FieldError::invalid(shown(path), value, detail));
    }

    /// A problem of several schemas at once, which names no field.
    fn composite(&mut self, detail: &str) {
        self.errors
            .push(FieldError::invalid("<nil>", &"".into(), detail));
    }
}

/// Whether an error keeps the rules of a schema from being looked at.
#[must_use]
pub fn is_blocking(error: &FieldError) -> bool {
    matches!(
        error.reason,
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

/// A path without its leading dot; the object itself has none.
fn shown(path: &str) -> String {
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.is_empty() { "<nil>" } else { path }.to_owned()
}

impl Schema {
    /// What is wrong with `value`, which stands at `root` (empty for a whole object). Of what is as
    /// in `old`, nothing is said. Messages name paths from the value on, fields from the object on.
    #[must_use]
    pub fn validate(&self, root: &str, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = self.part("", value, old).errors;
        for error in errors.iter_mut().filter(|_| !root.is_empty()) {
            error.field = match error.field.as_str() {
                "<nil>" => root.to_owned(),
                inner => format!("{root}.{inner}"),
            };
        }
        errors
    }

    /// A part of the value; what did not change may be wrong.
    fn part(&self, path: &str, value: &Value, old: Option<&Value>) -> Verdict {
        let mut verdict = self.node(path, value, old);
        if !verdict.is_valid() && old == Some(value) {
            verdict.errors.clear();
        }
        verdict
    }

    fn node(&self, path: &str, value: &Value, old: Option<&Value>) -> Verdict {
        let mut verdict = Verdict::default();
        let has_type = self.int_or_string || !self.ty.is_empty() || self.check.0.is_some();
        if has_type {
            self.check_type(path, value, &mut verdict);
        }
        if value.is_null() {
            self.check_known(path, value, &mut verdict);
            return verdict;
        }
        self.alternatives(path, value, old, &mut verdict);
        match value {
            Value::String(text) => self.check_text(path, text, value, &mut verdict),
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                self.check_number(path, value, &mut verdict);
            }
            Value::List(items) => self.check_items(path, items, old, &mut verdict),
            _ => {}
        }
        self.check_known(path, value, &mut verdict);
        if let Value::Map(members) = value {
            self.check_members(path, members, old, &mut verdict);
        }
        verdict.n_checks += 2;
        verdict
    }

    fn types(&self) -> Vec<&str> {
        if self.int_or_string {
            vec!["integer", "string"]
        } else {
            Some(self.ty.as_str())
                .filter(|ty| !ty.is_empty())
                .into_iter()
                .collect()
        }
    }

    fn check_type(&self, path: &str, value: &Value, verdict: &mut Verdict) {
        let types = self.types();
        let mut refuse = |wanted: &str, found: &str| {
            let path = path.strip_prefix('.').unwrap_or(path);
            let detail = format!("{path} in body must be of type {wanted}: \"{found}\"");
            verdict.errors.push(FieldError::type_invalid(
                shown(path),
                &found.into(),
                &detail,
            ));
        };
        if value.is_null() {
            if !types.is_empty() && !self.nullable {
                refuse(&types.join(","), "null");
            }
            return;
        }
        let (found, found_format) = json_type(value);
        let is_whole = matches!(value, Value::Float(number) if number.fract() == 0.0)
            && types.contains(&"integer");
        let is_wider = found == "integer" && types.contains(&"number");
        let fits = types.contains(&found) || is_whole || is_wider;
        let is_text = matches!(value, Value::String(_) | Value::List(_));
        let format = match &self.check.0 {
            Some(_) => self.format.as_str(),
            None => "",
        };
        if !is_text && !format.is_empty() && !fits && found_format != format {
            refuse(format, found_format);
            return;
        }
        let is_numeric = types.contains(&"number") || types.contains(&"integer");
        if !is_numeric && !format.is_empty() && is_text {
            verdict.n_checks += 1;
            return;
        }
        if fits {
            verdict.n_checks += 1;
        } else if !types.is_empty() || !format.is_empty() {
            refuse(&types.join(","), found);
        }
    }

    /// `anyOf`, `oneOf`, `allOf` and `not`.
    fn alternatives(&self, path: &str, value: &Value, old: Option<&Value>, verdict: &mut Verdict) {
        let quoted = kinds::quoted(path.strip_prefix('.').unwrap_or(path));
        let judge = |schemas: &[Schema]| -> Vec<Verdict> {
            let judged = schemas.iter().map(|schema| schema.node(path, value, old));
            judged.collect()
        };
        if !self.any_of.is_empty() {
            let verdicts = judge(&self.any_of);
            if !verdicts.iter().any(Verdict::is_valid) {
                verdict.composite(&format!(
                    "{quoted} must validate at least one schema (anyOf)"
                ));
            }
            verdict.merge(best(verdicts));
        }
        if !self.one_of.is_empty() {
            let verdicts = judge(&self.one_of);
            match verdicts.iter().filter(|one| one.is_valid()).count() {
                1 => verdict.merge(best(verdicts)),
                0 => {
                    verdict.composite(&format!(
                        "{quoted} must validate one and only one schema (oneOf). Found none valid"
                    ));
                    verdict.merge(best(verdicts));
                }
                count => verdict.composite(&format!(
                    "{quoted} must validate one and only one schema (oneOf). Found {count} valid \
                     alternatives"
                )),
            }
        }
        if !self.all_of.is_empty() {
            let verdicts = judge(&self.all_of);
            let valid = verdicts.iter().filter(|one| one.is_valid()).count();
            let all = verdicts.len();
            verdicts.into_iter().for_each(|one| verdict.merge(one));
            if valid != all {
                let none = if valid == 0 { ". None validated" } else { "" };
                verdict.composite(&format!(
                    "{quoted} must validate all the schemas (allOf){none}"
                ));
            }
        }
        if let Some(not) = &self.not
            && not.node(path, value, old).is_valid()
        {
            verdict.composite(&format!("{quoted} must not validate the schema (not)"));
        }
        verdict.n_checks += 2;
    }

    fn check_text(&self, path: &str, text: &Str, value: &Value, verdict: &mut Verdict) {
        let name = path.strip_prefix('.').unwrap_or(path);
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(most) = self.at_most[LENGTH].filter(|most| length > *most) {
            verdict.errors.push(FieldError {
                reason: "FieldValueTooLong",
                field: shown(path),
                message: format!("Too long: may not be more than {most} bytes"),
            });
        } else if let Some(least) = self.at_least[LENGTH].filter(|least| length < *least) {
            let detail = format!("{name} in body should be at least {least} chars long");
            verdict.invalid(path, value, &detail);
        } else if let Some(pattern) = &self.pattern
            && !pattern.compiled().is_ok_and(|regex| regex.is_match(text))
        {
            let detail = format!("{name} in body should match '{}'", pattern.text());
            verdict.invalid(path, value, &detail);
        }
        if let Some(format) = &self.check.0
            && !format.fits(text)
        {
            let detail = format!(
                "{name} in body must be of type {}: {}",
                self.format,
                kinds::quoted(text)
            );
            verdict
                .errors
                .push(FieldError::type_invalid(shown(path), value, &detail));
        }
    }

    fn check_number(&self, path: &str, value: &Value, verdict: &mut Verdict) {
        let name = path.strip_prefix('.').unwrap_or(path);
        let Some(number) = value.as_f64() else { return };
        let is_whole = !matches!(value, Value::Float(_));
        // Whole numbers are compared with the whole part of a bound.
        let limit = |limit: f64| if is_whole { limit.trunc() } else { limit };
        if let Some(factor) = self.multiple_of.map(limit) {
            if factor <= 0.0 {
                let detail = format!(
                    "factor MultipleOf declared for {name} must be positive: {}",
                    go_number(factor)
                );
                verdict.invalid(path, &Value::Float(factor), &detail);
            } else if !is_multiple(number, factor) {
                let detail = format!(
                    "{name} in body should be a multiple of {}",
                    go_number(factor)
                );
                verdict.invalid(path, value, &detail);
            }
        }
        if let Some(least) = self.minimum {
            let low = limit(least.limit);
            if number < low || least.exclusive && number <= low {
                let or = if least.exclusive { "" } else { " or equal to" };
                let detail = format!(
                    "{name} in body should be greater than{or} {}",
                    go_number(low)
                );
                verdict.invalid(path, value, &detail);
            }
        }
        if let Some(most) = self.maximum {
            let high = limit(most.limit);
            if number > high || most.exclusive && number >= high {
                let or = if most.exclusive { "" } else { " or equal to" };
                let detail = format!("{name} in body should be less than{or} {}", go_number(high));
                verdict.invalid(path, value, &detail);
            }
        }
        verdict.n_checks += 1;
    }

    fn check_items(&self, path: &str, items: &[Value], old: Option<&Value>, verdict: &mut Verdict) {
        let name = path.strip_prefix('.').unwrap_or(path);
        if let Some(schema) = &self.items {
            for (index, item) in items.iter().enumerate() {
                let old = old.and_then(|old| self.counterpart(item, old));
                verdict.merge(schema.part(&format!("{path}[{index}]"), item, old));
            }
        }
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(least) = self.at_least[ITEMS].filter(|least| count < *least) {
            let detail = format!("{name} in body should have at least {least} items");
            verdict.invalid(path, &count.into(), &detail);
        }
        self.too_many(path, count, self.at_most[ITEMS], verdict);
        verdict.n_checks += 1;
    }

    fn too_many(&self, path: &str, count: i64, most: Option<i64>, verdict: &mut Verdict) {
        if let Some(most) = most.filter(|most| count > *most) {
            verdict.errors.push(FieldError {
                reason: "FieldValueTooMany",
                field: shown(path),
                message: format!("Too many: {count}: must have at most {most} items"),
            });
        }
    }

    /// The item of an old list that has the same keys; only keyed lists know.
    pub(crate) fn counterpart<'v>(&self, item: &Value, old: &'v Value) -> Option<&'v Value> {
        if self.list_type != "map" {
            return None;
        }
        old.as_list()?.iter().find(|old| {
            self.list_keys
                .iter()
                .all(|key| old.get(key) == item.get(key))
        })
    }

    fn check_known(&self, path: &str, value: &Value, verdict: &mut Verdict) {
        if self.known.is_empty() || self.known.iter().any(|known| is_same(known, value)) {
            verdict.n_checks += 1;
            return;
        }
        let words: Vec<String> = self
            .known
            .iter()
            .map(|word| match word {
                Value::String(text) => text.to_string(),
                other => yaml::json::to_string(other),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        verdict
            .errors
            .push(FieldError::not_supported(shown(path), value, &words));
        verdict.n_checks += 1;
    }

    fn check_members(&self, path: &str, members: &Map, old: Option<&Value>, verdict: &mut Verdict) {
        let name = path.strip_prefix('.').unwrap_or(path);
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
        if let Some(least) = self.at_least[PROPERTIES].filter(|least| count < *least) {
            let detail = format!("{name} in body should have at least {least} properties");
            verdict.invalid(path, &count.into(), &detail);
        }
        self.too_many(path, count, self.at_most[PROPERTIES], verdict);
        for (key, member) in members.iter() {
            let inner = format!("{path}.{key}");
            let old = old.and_then(|old| old.get(key));
            if let Some(schema) = self.member(key) {
                verdict.merge(schema.part(&inner, member, old));
            } else if matches!(self.additional, Additional::Any(false)) {
                let detail = format!("{name}.{key} in body is a forbidden property");
                verdict.invalid(path, &key.clone().into(), &detail);
            }
        }
        for key in &self.required {
            if !members.contains_key(key) {
                let field = shown(&format!("{path}.{key}"));
                verdict.errors.push(FieldError::required(field, ""));
            }
        }
    }
}

/// The first that is met, else the one with the most checks.
fn best(verdicts: Vec<Verdict>) -> Verdict {
    let mut best: Option<Verdict> = None;
    for verdict in verdicts {
        if verdict.is_valid() {
            return verdict;
        }
        if best
            .as_ref()
            .is_none_or(|best| verdict.n_checks > best.n_checks)
        {
            best = Some(verdict);
        }
    }
    best.unwrap_or_default()
}

/// The type and the format that a value has in Go.
fn json_type(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Int(_) | Value::Uint(_) => ("integer", "int64"),
        Value::Float(_) => ("number", "double"),
        Value::String(_) => ("string", ""),
        Value::List(_) => ("array", ""),
        Value::Map(_) => ("object", ""),
    }
}

/// Numbers are the same whatever their kind.
fn is_same(known: &Value, value: &Value) -> bool {
    known == value
        || matches!((known.as_f64(), value.as_f64()), (Some(one), Some(other)) if one == other)
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let ratio = if factor < 1.0 {
        1.0 / factor * number
    } else {
        number / factor
    };
    let rounded = ratio.round();
    // As close as Go's check of whole numbers asks.
    (ratio - rounded).abs() <= 1e-9 * ratio.abs().max(1.0)
}

/// A number as Go's `%v` prints it.
fn go_number(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (-4..21).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}
