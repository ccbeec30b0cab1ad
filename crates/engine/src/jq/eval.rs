//! Evaluation of an expression to the paths that it leads to.

use std::borrow::Cow;
use std::cmp::Ordering;

use yaml::{Map, Value};

use super::functions;
use super::syntax::{Operator, Term};

/// The most steps of one evaluation: an object of a megabyte has some ten thousand fields, and this
/// is well below a second.
const MAX_STEPS: u32 = 500_000;

/// One step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
    /// From the first to before the second.
    Slice(usize, usize),
}

/// A value on its way through an expression, and where it is in the input; computed values are
/// nowhere.
#[derive(Clone, Debug)]
pub(super) struct Item<'v> {
    pub(super) value: Cow<'v, Value>,
    path: Option<Vec<Step>>,
}

impl Item<'_> {
    pub(super) fn computed(value: Value) -> Self {
        Item {
            value: Cow::Owned(value),
            path: None,
        }
    }
}

/// Why an evaluation ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// An error of the expression, which `?` catches.
    Failed,
    /// It has taken too many steps.
    TooLong,
    /// Enough was given: only who asked for it catches this.
    Enough,
}

pub(super) type Outcome = Result<(), Stop>;
/// Takes what an expression gives, one after another.
pub(super) type Emit<'e, 'v> = &'e mut dyn FnMut(&mut Fuel, Item<'v>) -> Outcome;

/// The steps that are left.
pub(super) struct Fuel(u32);

impl Fuel {
    pub(super) fn burn(&mut self) -> Outcome {
        self.burn_all(1)
    }

    /// For work that grows with a value, so that no expression doubles values for ever.
    pub(super) fn burn_for(&mut self, value: &Value) -> Outcome {
        match value {
            Value::List(list) => list.iter().try_for_each(|it| self.burn_for(it))?,
            Value::Map(map) => map.values().try_for_each(|it| self.burn_for(it))?,
            Value::String(text) => {
                self.burn_all(u32::try_from(text.as_str().len() / 64).unwrap_or(u32::MAX))?;
            }
            _ => {}
        }
        self.burn()
    }

    fn burn_all(&mut self, steps: u32) -> Outcome {
        self.0 = self.0.checked_sub(steps).ok_or(Stop::TooLong)?;
        Ok(())
    }
}

/// The paths that `term` leads to in `value`.
pub(super) fn paths(term: &Term, value: &Value) -> Result<Vec<Vec<Step>>, Stop> {
    let mut paths = Vec::new();
    let root = Item {
        value: Cow::Borrowed(value),
        path: Some(Vec::new()),
    };
    eval(term, root, &mut Fuel(MAX_STEPS), &mut |_, item| {
        paths.push(item.path.ok_or(Stop::Failed)?);
        Ok(())
    })?;
    Ok(paths)
}

/// Everything that `term` gives for a value.
pub(super) fn all<'v>(
    term: &Term,
    input: &Item<'v>,
    fuel: &mut Fuel,
) -> Result<Vec<Item<'v>>, Stop> {
    let mut items = Vec::new();
    eval(term, input.clone(), fuel, &mut |_, item| {
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

/// Gives what `term` makes of `input` to `emit`.
pub(super) fn eval<'v>(
    term: &Term,
    input: Item<'v>,
    fuel: &mut Fuel,
    emit: Emit<'_, 'v>,
) -> Outcome {
    fuel.burn()?;
    match term {
        Term::Identity => emit(fuel, input),
        Term::Literal(value) => emit(fuel, Item::computed(value.clone())),
        Term::Recurse => recurse(input, fuel, emit),
        Term::Pipe(first, second) => eval(first, input, fuel, &mut |fuel, item| {
            eval(second, item, fuel, emit)
        }),
        Term::Comma(first, second) => {
            eval(first, input.clone(), fuel, emit)?;
            eval(second, input, fuel, emit)
        }
        Term::Each(term) => eval(term, input, fuel, &mut |fuel, item| each(&item, fuel, emit)),
        Term::Index(term, index) => {
            let indices = all(index, &input, fuel)?;
            eval(term, input, fuel, &mut |fuel, item| {
                for index in &indices {
                    emit(fuel, at(&item, &index.value)?)?;
                }
                Ok(())
            })
        }
        Term::Slice(term, from, to) => {
            let from = bound(from.as_deref(), &input, fuel)?;
            let to = bound(to.as_deref(), &input, fuel)?;
            eval(term, input, fuel, &mut |fuel, item| {
                emit(fuel, slice(&item, from, to)?)
            })
        }
        Term::Try(term) => {
            // An error of what comes later is not this one's to catch.
            let mut items = Vec::new();
            let tried = eval(term, input, fuel, &mut |_, item| {
                items.push(item);
                Ok(())
            });
            if let Err(stop @ (Stop::TooLong | Stop::Enough)) = tried {
                return Err(stop);
            }
            items.into_iter().try_for_each(|item| emit(fuel, item))
        }
        Term::Array(None) => emit(fuel, Item::computed(Value::List(Vec::new()))),
        Term::Array(Some(term)) => {
            let items = all(term, &input, fuel)?;
            items.iter().try_for_each(|it| fuel.burn_for(&it.value))?;
            let items = items.into_iter().map(|it| it.value.into_owned());
            emit(fuel, Item::computed(Value::List(items.collect())))
        }
        Term::Negate(term) => eval(term, input, fuel, &mut |fuel, item| {
            let negated = functions::subtract(&Value::Int(0), &item.value)?;
            emit(fuel, Item::computed(negated))
        }),
        Term::Binary(operator, left, right) => binary(*operator, (left, right), &input, fuel, emit),
        Term::If(test, then, otherwise) => {
            for test in all(test, &input, fuel)? {
                if is_true(&test.value) {
                    eval(then, input.clone(), fuel, emit)?;
                } else if let Some(otherwise) = otherwise {
                    eval(otherwise, input.clone(), fuel, emit)?;
                } else {
                    emit(fuel, input.clone())?;
                }
            }
            Ok(())
        }
        Term::Call(name, arguments) => functions::call(name, arguments, input, fuel, emit),
    }
}

pub(super) fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// The value and all that is in it.
pub(super) fn recurse<'v>(input: Item<'v>, fuel: &mut Fuel, emit: Emit<'_, 'v>) -> Outcome {
    let mut open = vec![input];
    while let Some(item) = open.pop() {
        fuel.burn()?;
        let mut inner = Vec::new();
        if matches!(*item.value, Value::List(_) | Value::Map(_)) {
            each(&item, fuel, &mut |_, one| {
                inner.push(one);
                Ok(())
            })?;
        }
        emit(fuel, item)?;
        open.extend(inner.into_iter().rev());
    }
    Ok(())
}

/// `.[]`
pub(super) fn each<'v>(item: &Item<'v>, fuel: &mut Fuel, emit: Emit<'_, 'v>) -> Outcome {
    match &*item.value {
        Value::List(list) => {
            for index in 0..list.len() {
                fuel.burn()?;
                emit(fuel, element(item, index))?;
            }
            Ok(())
        }
        Value::Map(map) => {
            for key in map.keys() {
                fuel.burn()?;
                emit(fuel, member(item, key))?;
            }
            Ok(())
        }
        _ => Err(Stop::Failed),
    }
}

/// A part of a value: borrowed where the value is.
fn part<'v>(
    item: &Item<'v>,
    get: impl for<'a> Fn(&'a Value) -> Option<&'a Value>,
    step: Step,
) -> Item<'v> {
    let value = match &item.value {
        Cow::Borrowed(value) => get(value).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
        Cow::Owned(value) => Cow::Owned(get(value).cloned().unwrap_or_default()),
    };
    let path = item.path.clone().map(|mut path| {
        match (path.last().cloned(), step) {
            // An element of a slice is one of the list.
            (Some(Step::Slice(from, _)), Step::Index(index)) => {
                path.pop();
                path.push(Step::Index(from.saturating_add(index)));
            }
            (_, step) => path.push(step),
        }
        path
    });
    Item { value, path }
}

fn member<'v>(item: &Item<'v>, key: &str) -> Item<'v> {
    part(item, |value| value.get(key), Step::Key(key.to_owned()))
}

fn element<'v>(item: &Item<'v>, index: usize) -> Item<'v> {
    part(
        item,
        move |value| value.as_list()?.get(index),
        Step::Index(index),
    )
}

/// `.[index]`
fn at<'v>(item: &Item<'v>, index: &Value) -> Result<Item<'v>, Stop> {
    match (&*item.value, index) {
        (Value::Map(_) | Value::Null, Value::String(key)) => Ok(member(item, key)),
        (Value::List(list), index) => {
            let index = index.as_i64().ok_or(Stop::Failed)?;
            Ok(element(item, position(index, list.len())))
        }
        (Value::Null, index) => {
            let index = index.as_i64().ok_or(Stop::Failed)?;
            Ok(element(item, position(index, 0)))
        }
        _ => Err(Stop::Failed),
    }
}

/// Where an index is; below zero it counts from the end, and what is before the start is nowhere.
fn position(index: i64, length: usize) -> usize {
    let from_end = || length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => from_end().unwrap_or(usize::MAX),
    }
}

/// One end of a slice.
fn bound(term: Option<&Term>, input: &Item<'_>, fuel: &mut Fuel) -> Result<Option<i64>, Stop> {
    let Some(term) = term else {
        return Ok(None);
    };
    let found = all(term, input, fuel)?;
    match found.first().map(|it| &*it.value) {
        Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or(Stop::Failed),
        None => Err(Stop::Failed),
    }
}

fn slice<'v>(item: &Item<'v>, from: Option<i64>, to: Option<i64>) -> Result<Item<'v>, Stop> {
    let Value::List(list) = &*item.value else {
        return Err(Stop::Failed);
    };
    let place = |bound: i64| match bound.cmp(&0) {
        Ordering::Less => {
            let back = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
            list.len().saturating_sub(back)
        }
        _ => usize::try_from(bound).unwrap_or(usize::MAX).min(list.len()),
    };
    let from = from.map_or(0, place);
    let to = to.map_or(list.len(), place).max(from);
    let path = item.path.clone().map(|mut path| {
        path.push(Step::Slice(from, to));
        path
    });
    Ok(Item {
        value: Cow::Owned(Value::List(list.get(from..to).unwrap_or_default().to_vec())),
        path,
    })
}

fn binary<'v>(
    operator: Operator,
    (left, right): (&Term, &Term),
    input: &Item<'v>,
    fuel: &mut Fuel,
    emit: Emit<'_, 'v>,
) -> Outcome {
    if operator == Operator::Alternative {
        let mut found = Vec::new();
        let tried = eval(left, input.clone(), fuel, &mut |_, item| {
            found.push(item);
            Ok(())
        });
        if let Err(stop @ (Stop::TooLong | Stop::Enough)) = tried {
            return Err(stop);
        }
        found.retain(|item| is_true(&item.value));
        if found.is_empty() {
            return eval(right, input.clone(), fuel, emit);
        }
        return found.into_iter().try_for_each(|item| emit(fuel, item));
    }
    let is_logic = matches!(operator, Operator::And | Operator::Or);
    if is_logic {
        for left in all(left, input, fuel)? {
            if is_true(&left.value) == (operator == Operator::Or) {
                emit(fuel, Item::computed((operator == Operator::Or).into()))?;
                continue;
            }
            for right in all(right, input, fuel)? {
                emit(fuel, Item::computed(is_true(&right.value).into()))?;
            }
        }
        return Ok(());
    }
    // The right side is the outer loop, as in jq.
    let lefts = all(left, input, fuel)?;
    for right in all(right, input, fuel)? {
        for left in &lefts {
            fuel.burn_for(&left.value)?;
            fuel.burn_for(&right.value)?;
            let value = functions::operate(operator, &left.value, &right.value)?;
            emit(fuel, Item::computed(value))?;
        }
    }
    Ok(())
}

/// The order of values in jq.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => 3,
        Value::String(_) => 4,
        Value::List(_) => 5,
        Value::Map(_) => 6,
    };
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.as_str().cmp(b.as_str()),
        (Value::List(a), Value::List(b)) => {
            let different = a.iter().zip(b).map(|(a, b)| compare(a, b));
            let first = different.into_iter().find(|it| it.is_ne());
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => compare_maps(a, b),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Less),
            _ => rank(a).cmp(&rank(b)),
        },
    }
}

fn number(value: &Value) -> Option<f64> {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Float(_))
        .then(|| value.as_f64())
        .flatten()
}

fn compare_maps(a: &Map, b: &Map) -> Ordering {
    let sorted = |map: &Map| {
        let mut keys: Vec<String> = map.keys().map(|key| key.as_str().to_owned()).collect();
        keys.sort_unstable();
        keys
    };
    let keys = sorted(a);
    let values = || {
        let pairs = keys
            .iter()
            .filter_map(|key| Some((a.get(key)?, b.get(key)?)));
        let mut orders = pairs.map(|(a, b)| compare(a, b));
        orders.find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
    };
    keys.cmp(&sorted(b)).then_with(values)
}

/// Takes out what is at the paths, from the last to the first, so that indices stay true.
pub(super) fn delete(value: &mut Value, mut paths: Vec<Vec<Step>>) {
    paths.sort_unstable();
    paths.dedup();
    for path in paths.iter().rev() {
        if let Some((last, above)) = path.split_last() {
            if let Some(parent) = above.iter().try_fold(&mut *value, into) {
                remove(parent, last);
            }
        } else {
            *value = Value::Null;
        }
    }
}

fn into<'a>(value: &'a mut Value, step: &Step) -> Option<&'a mut Value> {
    match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.as_list_mut()?.get_mut(*index),
        Step::Slice(..) => None,
    }
}

fn remove(value: &mut Value, step: &Step) {
    match (value, step) {
        (Value::Map(map), Step::Key(key)) => drop(map.remove(key)),
        (Value::List(list), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
        }
        (Value::List(list), Step::Slice(from, to)) if from <= to && *to <= list.len() => {
            list.drain(*from..*to);
        }
        _ => {}
    }
}
