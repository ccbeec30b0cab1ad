//! The functions and operators of jq that conditions on fields are made of.

use regex::RegexBuilder;
use yaml::{Map, Value};

use super::JqError;
use super::eval::{Emit, Fuel, Item, Outcome, Stop, all, compare, each, eval, is_true, recurse};
use super::syntax::{Operator, Term};

/// The largest compiled pattern, as patterns come from users.
const PATTERN_LIMIT: usize = 1 << 20;

/// What is known here, with the number of arguments.
const KNOWN: [(&str, usize); 52] = [
    ("add", 0),
    ("all", 0),
    ("all", 1),
    ("any", 0),
    ("any", 1),
    ("arrays", 0),
    ("ascii_downcase", 0),
    ("ascii_upcase", 0),
    ("booleans", 0),
    ("contains", 1),
    ("empty", 0),
    ("endswith", 1),
    ("error", 0),
    ("first", 0),
    ("first", 1),
    ("flatten", 0),
    ("has", 1),
    ("in", 1),
    ("inside", 1),
    ("iterables", 0),
    ("join", 1),
    ("keys", 0),
    ("last", 0),
    ("last", 1),
    ("length", 0),
    ("ltrimstr", 1),
    ("map", 1),
    ("max", 0),
    ("min", 0),
    ("not", 0),
    ("nulls", 0),
    ("numbers", 0),
    ("objects", 0),
    ("recurse", 0),
    ("recurse_down", 0),
    ("reverse", 0),
    ("rtrimstr", 1),
    ("scalars", 0),
    ("select", 1),
    ("sort", 0),
    ("split", 1),
    ("startswith", 1),
    ("strings", 0),
    ("test", 1),
    ("test", 2),
    ("to_entries", 0),
    ("tojson", 0),
    ("tonumber", 0),
    ("tostring", 0),
    ("type", 0),
    ("unique", 0),
    ("values", 0),
];

/// Functions of jq that are not here; what is in neither list does not exist.
const BEYOND: &str = "IN INDEX abs add all any ascii base32 base32d base64 base64d bsearch builtins capture \
    ceil combinations debug del delpaths env error exec explode finites first flatten floor \
    format from_entries fromdate fromjson fromstream get_search_list getpath gmtime group_by \
    gsub halt halt_error have_literal_numbers implode index indices infinite input \
    input_filename input_line_number inputs isempty isfinite isinfinite isnan isnormal \
    isvalid ldexp leaf_paths limit localtime log ltrim ltrimstr map_values match max_by \
    min_by mktime modulemeta nan now nth path paths pick pow range recurse repeat rindex \
    round rtrim scan setpath significand skip sort_by splits sqrt strflocaltime strftime \
    strptime sub toarray todate tojson tostream transpose trim truncate_stream unique_by \
    until utf8bytelength walk while with_entries";

/// Whether a function can be called.
pub(super) fn check(name: &str, n_arguments: usize) -> Result<(), JqError> {
    if KNOWN.contains(&(name, n_arguments)) {
        return Ok(());
    }
    if BEYOND.split_whitespace().any(|it| it == name) {
        let what = format!("the function {name}/{n_arguments} is not supported");
        return Err(JqError::Unsupported(what));
    }
    let what = format!("function not defined: {name}/{n_arguments}");
    Err(JqError::Syntax(what))
}

/// Calls a function that [`check`] has let pass.
pub(super) fn call<'v>(
    name: &str,
    arguments: &[Term],
    input: Item<'v>,
    fuel: &mut Fuel,
    emit: Emit<'_, 'v>,
) -> Outcome {
    match (name, arguments) {
        ("empty", _) => Ok(()),
        ("error", _) => Err(Stop::Failed),
        ("recurse" | "recurse_down", _) => recurse(input, fuel, emit),
        ("select", [test]) => {
            for test in all(test, &input, fuel)? {
                if is_true(&test.value) {
                    emit(fuel, input.clone())?;
                }
            }
            Ok(())
        }
        ("map", [term]) => {
            let mut list = Vec::new();
            each(&input, fuel, &mut |fuel, item| {
                eval(term, item, fuel, &mut |fuel, item| {
                    fuel.burn_for(&item.value)?;
                    list.push(item.value.into_owned());
                    Ok(())
                })
            })?;
            emit(fuel, Item::computed(Value::List(list)))
        }
        ("first" | "last", [term]) => one_of(name, term, input, fuel, emit),
        ("first", []) => element(0, input, fuel, emit),
        ("last", []) => element(-1, input, fuel, emit),
        ("any" | "all", _) => {
            let holds = quantified(name == "any", arguments.first(), &input, fuel)?;
            emit(fuel, Item::computed(holds.into()))
        }
        (_, []) => {
            fuel.burn_for(&input.value)?;
            if let Some(is_kept) = filter(name, &input.value) {
                return if is_kept { emit(fuel, input) } else { Ok(()) };
            }
            let value = plain(name, &input.value)?;
            emit(fuel, Item::computed(value))
        }
        (_, [first, rest @ ..]) => {
            let flags = match rest {
                [flags, ..] => all(flags, &input, fuel)?.pop(),
                [] => None,
            };
            for argument in all(first, &input, fuel)? {
                fuel.burn_for(&input.value)?;
                fuel.burn_for(&argument.value)?;
                let flags = flags.as_ref().and_then(|it| it.value.as_str());
                let value = with_argument(name, &input.value, &argument.value, flags)?;
                emit(fuel, Item::computed(value))?;
            }
            Ok(())
        }
    }
}

/// The first or the last thing that `term` gives.
fn one_of<'v>(
    name: &str,
    term: &Term,
    input: Item<'v>,
    fuel: &mut Fuel,
    emit: Emit<'_, 'v>,
) -> Outcome {
    let mut found = None;
    let outcome = eval(term, input, fuel, &mut |_, item| {
        found = Some(item);
        if name == "first" {
            Err(Stop::Enough)
        } else {
            Ok(())
        }
    });
    match (outcome, found) {
        (Ok(()) | Err(Stop::Enough), Some(item)) => emit(fuel, item),
        (outcome, _) => outcome,
    }
}

fn element<'v>(index: i64, input: Item<'v>, fuel: &mut Fuel, emit: Emit<'_, 'v>) -> Outcome {
    let index = Term::Literal(Value::Int(index));
    let term = Term::Index(Box::new(Term::Identity), Box::new(index));
    eval(&term, input, fuel, emit)
}

fn quantified(
    is_any: bool,
    test: Option<&Term>,
    input: &Item<'_>,
    fuel: &mut Fuel,
) -> Result<bool, Stop> {
    let mut holds = !is_any;
    each(input, fuel, &mut |fuel, item| {
        let results = match test {
            Some(test) => all(test, &item, fuel)?,
            None => vec![item],
        };
        for result in results {
            if is_true(&result.value) == is_any {
                holds = is_any;
            }
        }
        Ok(())
    })?;
    Ok(holds)
}

/// Whether a function that only lets some values pass does so; `None` for other functions.
fn filter(name: &str, value: &Value) -> Option<bool> {
    let kind = kind(value);
    Some(match name {
        "values" => kind != "null",
        "nulls" => kind == "null",
        "booleans" => kind == "boolean",
        "numbers" => kind == "number",
        "strings" => kind == "string",
        "arrays" => kind == "array",
        "objects" => kind == "object",
        "iterables" => matches!(kind, "array" | "object"),
        "scalars" => !matches!(kind, "array" | "object"),
        _ => return None,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

/// Functions of the input alone.
fn plain(name: &str, value: &Value) -> Result<Value, Stop> {
    let list = || value.as_list().map(<[Value]>::to_vec).ok_or(Stop::Failed);
    let text = || value.as_str().ok_or(Stop::Failed);
    let sorted = || {
        let mut list = list()?;
        list.sort_by(compare);
        Ok(list)
    };
    Ok(match name {
        "not" => (!is_true(value)).into(),
        "type" => kind(value).into(),
        "length" => length(value)?,
        "keys" => keys(value)?,
        "to_entries" => entries(value)?,
        "ascii_downcase" => text()?.to_ascii_lowercase().into(),
        "ascii_upcase" => text()?.to_ascii_uppercase().into(),
        "tostring" => match value {
            Value::String(_) => value.clone(),
            value => yaml::json::to_string(value).into(),
        },
        "tojson" => yaml::json::to_string(value).into(),
        "tonumber" => match value {
            Value::String(text) => {
                let number =
                    yaml::json::parse(text.as_str().as_bytes()).map_err(|_| Stop::Failed)?;
                if kind(&number) != "number" {
                    return Err(Stop::Failed);
                }
                number
            }
            value if kind(value) == "number" => value.clone(),
            _ => return Err(Stop::Failed),
        },
        "sort" => Value::List(sorted()?),
        "unique" => {
            let mut list = sorted()?;
            list.dedup_by(|a, b| compare(a, b).is_eq());
            Value::List(list)
        }
        "min" => sorted()?.into_iter().next().unwrap_or_default(),
        "max" => sorted()?.pop().unwrap_or_default(),
        "reverse" => Value::List(list()?.into_iter().rev().collect()),
        "flatten" => {
            let mut flat = Vec::new();
            flatten(value, &mut flat);
            Value::List(flat)
        }
        "add" => {
            let mut sum = Value::Null;
            for one in list()? {
                sum = add(&sum, &one)?;
            }
            sum
        }
        _ => return Err(Stop::Failed),
    })
}

fn keys(value: &Value) -> Result<Value, Stop> {
    let list: Vec<Value> = match value {
        Value::Map(map) => {
            let mut keys: Vec<&str> = map.keys().map(yaml::Str::as_str).collect();
            keys.sort_unstable();
            keys.into_iter().map(Value::from).collect()
        }
        Value::List(list) => (0..count(list.len())).map(Value::Int).collect(),
        _ => return Err(Stop::Failed),
    };
    Ok(Value::List(list))
}

fn entries(value: &Value) -> Result<Value, Stop> {
    let map = value.as_map().ok_or(Stop::Failed)?;
    let entry = |(key, value): (&yaml::Str, &Value)| {
        Value::Map(Map::from([
            ("key", key.as_str().into()),
            ("value", value.clone()),
        ]))
    };
    Ok(Value::List(map.iter().map(entry).collect()))
}

fn flatten(value: &Value, flat: &mut Vec<Value>) {
    match value {
        Value::List(list) => list.iter().for_each(|one| flatten(one, flat)),
        value => flat.push(value.clone()),
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn length(value: &Value) -> Result<Value, Stop> {
    Ok(match value {
        Value::Null => Value::Int(0),
        Value::String(text) => Value::Int(count(text.as_str().chars().count())),
        Value::List(list) => Value::Int(count(list.len())),
        Value::Map(map) => Value::Int(count(map.len())),
        Value::Bool(_) => return Err(Stop::Failed),
        Value::Int(number) => Value::Int(number.saturating_abs()),
        Value::Uint(_) => value.clone(),
        Value::Float(number) => Value::Float(number.abs()),
    })
}

/// Functions of the input and one argument.
fn with_argument(
    name: &str,
    value: &Value,
    argument: &Value,
    flags: Option<&str>,
) -> Result<Value, Stop> {
    let texts = || {
        Ok((
            value.as_str().ok_or(Stop::Failed)?,
            argument.as_str().ok_or(Stop::Failed)?,
        ))
    };
    Ok(match name {
        "has" => has(value, argument)?.into(),
        "in" => has(argument, value)?.into(),
        "contains" => contains(value, argument)?.into(),
        "inside" => contains(argument, value)?.into(),
        "startswith" => texts().map(|(text, start)| text.starts_with(start))?.into(),
        "endswith" => texts().map(|(text, end)| text.ends_with(end))?.into(),
        "ltrimstr" => match texts() {
            Ok((text, start)) => text.strip_prefix(start).unwrap_or(text).into(),
            Err(_) => value.clone(),
        },
        "rtrimstr" => match texts() {
            Ok((text, end)) => text.strip_suffix(end).unwrap_or(text).into(),
            Err(_) => value.clone(),
        },
        "split" => {
            let (text, separator) = texts()?;
            Value::List(text.split(separator).map(Value::from).collect())
        }
        "join" => {
            let separator = argument.as_str().ok_or(Stop::Failed)?;
            let parts = value
                .as_list()
                .ok_or(Stop::Failed)?
                .iter()
                .map(|it| match it {
                    Value::Null => String::new(),
                    Value::String(text) => text.as_str().to_owned(),
                    other => yaml::json::to_string(other),
                });
            parts.collect::<Vec<_>>().join(separator).into()
        }
        "test" => {
            let (text, pattern) = texts()?;
            let flags = flags.unwrap_or_default();
            let pattern = RegexBuilder::new(pattern)
                .case_insensitive(flags.contains('i'))
                .dot_matches_new_line(flags.contains('s'))
                .ignore_whitespace(flags.contains('x'))
                .size_limit(PATTERN_LIMIT)
                .build()
                .map_err(|_| Stop::Failed)?;
            pattern.is_match(text).into()
        }
        _ => return Err(Stop::Failed),
    })
}

fn has(value: &Value, key: &Value) -> Result<bool, Stop> {
    match (value, key) {
        (Value::Map(map), Value::String(key)) => Ok(map.contains_key(key.as_str())),
        (Value::List(list), Value::Int(index)) => Ok((0..count(list.len())).contains(index)),
        _ => Err(Stop::Failed),
    }
}

fn contains(value: &Value, part: &Value) -> Result<bool, Stop> {
    match (value, part) {
        (Value::String(text), Value::String(part)) => Ok(text.as_str().contains(part.as_str())),
        (Value::List(list), Value::List(parts)) => {
            let is_in = |part: &Value| list.iter().any(|it| contains(it, part) == Ok(true));
            Ok(parts.iter().all(is_in))
        }
        (Value::Map(map), Value::Map(parts)) => Ok(parts.iter().all(|(key, part)| {
            map.get(key.as_str())
                .is_some_and(|it| contains(it, part) == Ok(true))
        })),
        (value, part) if kind(value) == kind(part) => Ok(compare(value, part).is_eq()),
        _ => Err(Stop::Failed),
    }
}

/// An operator between two values; the logical ones are not values' business.
pub(super) fn operate(operator: Operator, left: &Value, right: &Value) -> Result<Value, Stop> {
    let order = || compare(left, right);
    Ok(match operator {
        Operator::Equal => order().is_eq().into(),
        Operator::NotEqual => order().is_ne().into(),
        Operator::Less => order().is_lt().into(),
        Operator::LessOrEqual => order().is_le().into(),
        Operator::Greater => order().is_gt().into(),
        Operator::GreaterOrEqual => order().is_ge().into(),
        Operator::Add => add(left, right)?,
        Operator::Subtract => subtract(left, right)?,
        Operator::Multiply => numbers(left, right, i64::checked_mul, |a, b| a * b)?,
        Operator::Divide => {
            let divided =
                |a: i64, b: i64| a.checked_rem(b).filter(|it| *it == 0).and(a.checked_div(b));
            numbers(left, right, divided, |a, b| a / b)?
        }
        Operator::Modulo => {
            let (a, b) = (
                left.as_i64().ok_or(Stop::Failed)?,
                right.as_i64().ok_or(Stop::Failed)?,
            );
            Value::Int(a.checked_rem(b).ok_or(Stop::Failed)?)
        }
        Operator::Alternative | Operator::And | Operator::Or => return Err(Stop::Failed),
    })
}

fn add(left: &Value, right: &Value) -> Result<Value, Stop> {
    Ok(match (left, right) {
        (Value::Null, other) | (other, Value::Null) => other.clone(),
        (Value::String(a), Value::String(b)) => format!("{}{}", a.as_str(), b.as_str()).into(),
        (Value::List(a), Value::List(b)) => Value::List(a.iter().chain(b).cloned().collect()),
        (Value::Map(a), Value::Map(b)) => {
            let mut sum = a.clone();
            for (key, value) in b.iter() {
                sum.insert(key.as_str(), value.clone());
            }
            Value::Map(sum)
        }
        _ => numbers(left, right, i64::checked_add, |a, b| a + b)?,
    })
}

pub(super) fn subtract(left: &Value, right: &Value) -> Result<Value, Stop> {
    match (left, right) {
        (Value::List(a), Value::List(b)) => {
            let is_left = |it: &&Value| !b.iter().any(|other| compare(it, other).is_eq());
            Ok(Value::List(a.iter().filter(is_left).cloned().collect()))
        }
        _ => numbers(left, right, i64::checked_sub, |a, b| a - b),
    }
}

/// Whole numbers as long as they stay whole.
fn numbers(
    left: &Value,
    right: &Value,
    whole: impl Fn(i64, i64) -> Option<i64>,
    real: impl Fn(f64, f64) -> f64,
) -> Result<Value, Stop> {
    if kind(left) != "number" || kind(right) != "number" {
        return Err(Stop::Failed);
    }
    if let (Value::Int(a), Value::Int(b)) = (left, right)
        && let Some(found) = whole(*a, *b)
    {
        return Ok(Value::Int(found));
    }
    let (a, b) = (
        left.as_f64().ok_or(Stop::Failed)?,
        right.as_f64().ok_or(Stop::Failed)?,
    );
    let found = real(a, b);
    if found.is_finite() {
        Ok(Value::Float(found))
    } else {
        Err(Stop::Failed)
    }
}
