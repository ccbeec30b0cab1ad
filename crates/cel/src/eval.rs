//! Runs checked expressions.

use std::sync::Arc;

use yaml::Str;

use crate::ast::{Call, Comprehension, Expr, Item, Kind, Literal};
use crate::value::{List, MapValue, Val};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    message: String,
    is_overrun: bool,
}

impl EvalError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        EvalError {
            message: message.into(),
            is_overrun: false,
        }
    }

    /// The failure of something outside of the expression, such as a named result.
    #[must_use]
    pub fn failed(message: String) -> Self {
        Self::new(message)
    }

    pub(crate) fn no_overload() -> Self {
        Self::new("no such overload")
    }

    /// What went wrong, as cel-go says it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it cost too much: nothing more should be run.
    #[must_use]
    pub fn is_overrun(&self) -> bool {
        self.is_overrun
    }
}

/// What evaluations may cost: steps, and letters looked at.
#[derive(Clone, Debug)]
pub struct Budget {
    call: u64,
    total: u64,
}

impl Budget {
    /// A single evaluation may cost this much (Kubernetes' own limit: about 0.1 s).
    pub const PER_CALL: u64 = 1_000_000;

    /// A budget for several evaluations.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Budget {
            call: Self::PER_CALL.min(total),
            total,
        }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.total == 0
    }

    fn start(&mut self) {
        self.call = Self::PER_CALL.min(self.total);
    }

    fn spend(&mut self, cost: u64) -> Result<(), EvalError> {
        self.total = self.total.saturating_sub(cost);
        match self.call.checked_sub(cost) {
            Some(left) => {
                self.call = left;
                Ok(())
            }
            None => {
                self.call = 0;
                Err(EvalError {
                    message: "operation cancelled: actual cost limit exceeded".to_owned(),
                    is_overrun: true,
                })
            }
        }
    }
}

/// What the names of an expression stand for.
#[derive(Clone, Debug, Default)]
pub struct Variables<'a> {
    known: Vec<(Str, Val<'a>)>,
}

impl<'a> Variables<'a> {
    /// No names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what a name stands for.
    pub fn set(&mut self, name: &str, value: Val<'a>) {
        self.known.retain(|(known, _)| *known != *name);
        self.known.push((name.into(), value));
    }
}

/// Runs `expr`.
pub(crate) fn run<'a>(
    expr: &Expr,
    variables: &Variables<'a>,
    budget: &mut Budget,
) -> Result<Val<'a>, EvalError> {
    budget.start();
    Runner {
        scopes: variables.known.clone(),
        budget,
    }
    .eval(expr)
}

struct Runner<'a, 'b> {
    scopes: Vec<(Str, Val<'a>)>,
    budget: &'b mut Budget,
}

type Evaluated<'a> = Result<Val<'a>, EvalError>;

impl<'a> Runner<'a, '_> {
    fn eval(&mut self, expr: &Expr) -> Evaluated<'a> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(literal_value(literal)),
            Kind::Ident(name) => self.ident(name),
            Kind::Select {
                operand,
                field,
                tests,
            } => {
                self.budget.spend(u64::from(!tests))?;
                let operand = self.eval(operand)?;
                if *tests {
                    has(&operand, field)
                } else {
                    select(&operand, field)
                }
            }
            Kind::OptionalSelect { operand, field } => {
                self.budget.spend(1)?;
                optional_select(&self.eval(operand)?, field)
            }
            Kind::Call(call) => self.call(call),
            Kind::And(left, right) => self.junction(left, right, false),
            Kind::Or(left, right) => self.junction(left, right, true),
            Kind::Conditional(parts) => {
                let [condition, yes, no] = parts.as_ref();
                match self.eval(condition)? {
                    Val::Bool(true) => self.eval(yes),
                    Val::Bool(false) => self.eval(no),
                    _ => Err(EvalError::no_overload()),
                }
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct(_) => Err(EvalError::no_overload()),
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn ident(&mut self, name: &Str) -> Evaluated<'a> {
        self.budget.spend(1)?;
        let found = self.scopes.iter().rev().find(|(known, _)| known == name);
        if let Some((_, value)) = found {
            return Ok(value.clone());
        }
        if crate::declarations::named_type(name).is_some() {
            return Ok(Val::Type(name.clone()));
        }
        Err(EvalError::new(format!("no such attribute(s): {name}")))
    }

    fn call(&mut self, call: &Call) -> Evaluated<'a> {
        // What failed once may only be looked at by this one.
        if &*call.function == "@not_strictly_false" {
            return Ok(match call.args.first().map(|arg| self.eval(arg)) {
                Some(Ok(Val::Bool(false))) => Val::Bool(false),
                Some(Err(error)) if error.is_overrun => return Err(error),
                _ => Val::Bool(true),
            });
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.eval(arg)?);
        }
        self.budget
            .spend(1 + args.iter().map(weight).sum::<u64>())?;
        let run = call.run.ok_or_else(EvalError::no_overload)?;
        run(&args)
    }

    /// `&&` and `||`: a side that decides alone makes the other one's failure harmless.
    fn junction(&mut self, left: &Expr, right: &Expr, decides: bool) -> Evaluated<'a> {
        let left = self.eval(left);
        match left {
            Ok(Val::Bool(flag)) if flag == decides => return left,
            Err(error) if error.is_overrun => return Err(error),
            _ => {}
        }
        let right = self.eval(right);
        match (left, right) {
            (_, Ok(Val::Bool(flag))) if flag == decides => Ok(Val::Bool(decides)),
            (Err(error), _) | (Ok(Val::Bool(_)), Err(error)) => Err(error),
            (Ok(Val::Bool(_)), Ok(Val::Bool(_))) => Ok(Val::Bool(!decides)),
            _ => Err(EvalError::no_overload()),
        }
    }

    fn item(&mut self, item: &Item) -> Result<Option<Val<'a>>, EvalError> {
        let value = self.eval(&item.expr)?;
        if !item.is_optional {
            return Ok(Some(value));
        }
        match value {
            Val::Optional(value) => Ok(value.map(|value| *value)),
            _ => Err(EvalError::no_overload()),
        }
    }

    fn list(&mut self, items: &[Item]) -> Evaluated<'a> {
        self.budget.spend(10)?;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.extend(self.item(item)?);
        }
        Ok(Val::list(values))
    }

    fn map(&mut self, entries: &[(Expr, Item)]) -> Evaluated<'a> {
        self.budget.spend(30)?;
        let mut map = Vec::with_capacity(entries.len());
        for (key, item) in entries {
            let key = self.eval(key)?;
            if let Some(value) = self.item(item)? {
                map.push((key, value));
            }
        }
        Ok(Val::Map(MapValue::Made(Arc::new(map))))
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Evaluated<'a> {
        let range = self.eval(&comprehension.range)?;
        let pairs = pairs(&range, comprehension.var2.is_some())?;
        let mut result = self.eval(&comprehension.start);
        let depth = self.scopes.len();
        for (first, second) in pairs {
            // What has failed goes on: a later item may decide nevertheless.
            if let Ok(value) = &result {
                let condition = &comprehension.condition;
                let goes_on = self.with_result(comprehension, value.clone(), condition)?;
                if !matches!(goes_on, Val::Bool(true)) {
                    break;
                }
            }
            self.scopes.push((comprehension.var.clone(), first));
            if let (Some(name), Some(second)) = (&comprehension.var2, second) {
                self.scopes.push((name.clone(), second));
            }
            result = self.step(comprehension, result);
            self.scopes.truncate(depth);
            if let Err(error) = &result
                && error.is_overrun
            {
                break;
            }
        }
        self.with_result(comprehension, result?, &comprehension.result)
    }

    /// Runs a part of a loop that knows the result so far.
    fn with_result(
        &mut self,
        comprehension: &Comprehension,
        result: Val<'a>,
        part: &Expr,
    ) -> Evaluated<'a> {
        self.scopes
            .push((comprehension.accumulator.clone(), result));
        let done = self.eval(part);
        self.scopes.pop();
        done
    }

    /// One step; the result so far may have failed, which `&&` and `||` can still make good.
    fn step(&mut self, comprehension: &Comprehension, result: Evaluated<'a>) -> Evaluated<'a> {
        let junction = match &comprehension.step.kind {
            Kind::And(_, predicate) => Some((predicate, false)),
            Kind::Or(_, predicate) => Some((predicate, true)),
            _ => None,
        };
        match (result, junction) {
            (Err(error), Some((predicate, decides))) => match self.eval(predicate) {
                Ok(Val::Bool(flag)) if flag == decides => Ok(Val::Bool(decides)),
                Err(overrun) if overrun.is_overrun => Err(overrun),
                _ => Err(error),
            },
            (Err(error), None) => Err(error),
            (Ok(value), _) => self.with_result(comprehension, value, &comprehension.step),
        }
    }
}

/// What a loop goes over: items or keys, or both with their index or value.
fn pairs<'a>(
    range: &Val<'a>,
    is_double: bool,
) -> Result<Vec<(Val<'a>, Option<Val<'a>>)>, EvalError> {
    match range {
        Val::List(list) => Ok(list
            .items()?
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                if is_double {
                    let index = i64::try_from(index).unwrap_or(i64::MAX);
                    (Val::Int(index), Some(item))
                } else {
                    (item, None)
                }
            })
            .collect()),
        Val::Map(map) => map
            .keys()
            .into_iter()
            .map(|key| {
                let value = if is_double {
                    map.get(&key).transpose()?
                } else {
                    None
                };
                Ok((key, value))
            })
            .collect(),
        _ => Err(EvalError::no_overload()),
    }
}

fn no_such_key(field: &str) -> EvalError {
    EvalError::new(format!("no such key: {field}"))
}

fn select<'a>(operand: &Val<'a>, field: &Str) -> Evaluated<'a> {
    match operand {
        Val::Map(map) => map.field(field).unwrap_or_else(|| Err(no_such_key(field))),
        Val::Optional(None) => Ok(Val::Optional(None)),
        Val::Optional(Some(inner)) => optional_select(inner, field),
        _ => Err(EvalError::no_overload()),
    }
}

fn optional_select<'a>(operand: &Val<'a>, field: &Str) -> Evaluated<'a> {
    match operand {
        Val::Optional(None) => Ok(Val::Optional(None)),
        Val::Optional(Some(inner)) => optional_select(inner, field),
        Val::Map(map) => match map.field(field) {
            None => Ok(Val::Optional(None)),
            Some(value) => Ok(Val::some(value?)),
        },
        _ => Err(EvalError::no_overload()),
    }
}

fn has<'a>(operand: &Val<'a>, field: &Str) -> Evaluated<'a> {
    match operand {
        Val::Map(map) => Ok(Val::Bool(map.field(field).is_some())),
        Val::Optional(None) => Ok(Val::Bool(false)),
        Val::Optional(Some(inner)) => has(inner, field),
        _ => Err(EvalError::no_overload()),
    }
}

/// Ten letters or items cost as much as a step.
fn weight(value: &Val<'_>) -> u64 {
    let size = match value {
        Val::String(text) => text.len(),
        Val::Bytes(bytes) => bytes.len(),
        Val::List(List::Made(items)) => items.len(),
        Val::List(List::Data(items, ..)) => items.len(),
        _ => 0,
    };
    u64::try_from(size / 10).unwrap_or(u64::MAX)
}

fn literal_value<'a>(literal: &Literal) -> Val<'a> {
    match literal {
        Literal::Null => Val::Null,
        Literal::Bool(flag) => Val::Bool(*flag),
        Literal::Int(number) => Val::Int(*number),
        Literal::Uint(number) => Val::Uint(*number),
        Literal::Double(number) => Val::Double(*number),
        Literal::String(text) => Val::String(text.clone()),
        Literal::Bytes(bytes) => Val::Bytes(Arc::clone(bytes)),
    }
}
