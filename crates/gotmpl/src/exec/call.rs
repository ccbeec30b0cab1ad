//! What an operand gives: fields and methods of values, variables, and calls of functions with
//! arguments of the types that they want.
//!
//! Read `State::argument`, then `State::invoke`. It must never know nodes or output.

use std::borrow::Cow;

use super::{Place, Result, Scope, State};
use crate::builtins;
use crate::function::{Signature, Type};
use crate::node::{Id, Operand, Span, Term, first_name, up_to_dot};
use crate::object::Member;
use crate::print;
use crate::slot::Slot;
use crate::templates::MissingKey;
use crate::value::{Element, Value, Width};

/// The arguments of a call: the first is what is called.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'t, 'v> {
    pub(super) nodes: &'t [Operand],
    /// What comes out of the command before.
    pub(super) last: Option<&'v Slot>,
}

impl<'t> Arguments<'t, '_> {
    const NONE: Arguments<'static, 'static> = Arguments {
        nodes: &[],
        last: None,
    };

    /// Those behind what is called.
    fn given(self) -> &'t [Operand] {
        self.nodes.get(1..).unwrap_or_default()
    }

    fn is_empty(self) -> bool {
        self.given().is_empty() && self.last.is_none()
    }
}

impl<'t> State<'t> {
    pub(super) fn no_function(&self, first: Operand, arguments: Arguments<'_, '_>) -> Result<()> {
        if arguments.is_empty() {
            return Ok(());
        }
        let first = self.source.shown(first);
        self.fail(format!("can't give argument to non-function {first}"))
    }

    pub(super) fn field(
        &mut self,
        dot: &Slot,
        (operand, chain): (Operand, Span),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        self.fields(dot, dot, self.source.part(chain), arguments)
    }

    pub(super) fn chain(
        &mut self,
        dot: &Slot,
        operand: Operand,
        (inner, chain): (Id<Operand>, Span),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        let inner = *self.source.operands.one(inner);
        if let Term::Nil = inner.term {
            let operand = self.source.shown(operand);
            return self.fail(format!("indirection through explicit nil in {operand}"));
        }
        let receiver = self.argument(dot, None, inner)?;
        self.fields(dot, &receiver, self.source.part(chain), arguments)
    }

    pub(super) fn variable(
        &mut self,
        dot: &Slot,
        (operand, chain): (Operand, Span),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        let (name, fields) = up_to_dot(self.source.part(chain));
        let is_it = |(known, _): &&(&str, Slot)| *known == name;
        let Some((_, value)) = self.variables.iter().rev().find(is_it) else {
            return self.fail(format!("undefined variable: {name}"));
        };
        let value = value.clone();
        if fields.is_empty() {
            self.no_function(operand, arguments)?;
            return Ok(value);
        }
        self.fields(dot, &value, fields, arguments)
    }

    /// What the fields of a chain `.a.b` lead to, from a value on; the last one takes the arguments.
    fn fields(
        &mut self,
        dot: &Slot,
        from: &Slot,
        chain: &'t str,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        let mut found: Option<Slot> = None;
        let mut rest = chain;
        while let Some((name, behind)) = first_name(rest) {
            let arguments = match behind {
                "" => arguments,
                _ => Arguments::NONE,
            };
            found = Some(self.member(dot, found.as_ref().unwrap_or(from), name, arguments)?);
            rest = behind;
        }
        Ok(found.unwrap_or_else(|| from.clone()))
    }

    /// A key of a map, or a field or method of an object.
    fn member(
        &mut self,
        dot: &Slot,
        receiver: &Slot,
        name: &str,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        let missing_key = self.templates.missing_key();
        let value = match receiver {
            Slot::Absent if missing_key == MissingKey::Error => {
                let name = crate::quote(name);
                return self.fail(format!("nil data; no entry for key {name}"));
            }
            Slot::Absent => return Ok(Slot::Absent),
            Slot::Boxed(Value::Nil) => {
                return self.fail(format!("nil pointer evaluating interface {{}}.{name}"));
            }
            Slot::Boxed(value) | Slot::Plain(value) => value,
        };
        let underlying = match value {
            Value::Object(object) => match object.member(name) {
                Some(Member::Method(signature)) => {
                    let place = self.place;
                    let call = |scope: &mut Scope<'_>, given: Vec<Slot>| {
                        let given: Vec<Value> = given.into_iter().map(Slot::into_value).collect();
                        object.call(scope, name, &given)
                    };
                    return self.invoke(dot, (name, signature, place), arguments, call);
                }
                Some(Member::Field(_)) if !arguments.is_empty() => {
                    return self.fail(format!(
                        "{name} has arguments but cannot be invoked as function"
                    ));
                }
                Some(Member::Field(field)) => return Ok(Slot::plain(field)),
                None => value.underlying(),
            },
            _ => Cow::Borrowed(value),
        };
        let Value::Map(map) = underlying.as_ref() else {
            let type_name = match receiver {
                Slot::Plain(value) => value.type_name(),
                _ => Element::Any.name().to_owned(),
            };
            return self.fail(format!("can't evaluate field {name} in type {type_name}"));
        };
        if !arguments.is_empty() {
            return self.fail(format!("{name} is not a method but has arguments"));
        }
        if let Some(value) = map.get(name) {
            return Ok(Slot::element(value, map.element()));
        }
        match missing_key {
            MissingKey::Invalid => Ok(Slot::Absent),
            MissingKey::Zero => Ok(Slot::element(map.element().zero(), map.element())),
            MissingKey::Error => {
                self.fail(format!("map has no entry for key {}", crate::quote(name)))
            }
        }
    }

    pub(super) fn function(
        &mut self,
        dot: &Slot,
        name: Span,
        caller: Place,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        let name = self.source.part(name);
        if builtins::SPECIAL.contains(&name) {
            return self.special(dot, name, caller, arguments);
        }
        let Some(function) = self.templates.function(name) else {
            return self.fail(format!("{} is not a defined function", crate::quote(name)));
        };
        let call = |scope: &mut Scope<'_>, given| function.call(scope, given);
        self.invoke(dot, (name, function.signature(), caller), arguments, call)
    }

    /// A call of a function or method; errors of its body are placed at the caller.
    fn invoke(
        &mut self,
        dot: &Slot,
        (name, signature, caller): (&str, Signature<'_>, Place),
        arguments: Arguments<'t, '_>,
        call: impl FnOnce(&mut Scope<'_>, Vec<Slot>) -> Result<Value>,
    ) -> Result<Slot> {
        let n_parameters = signature.parameters.len();
        self.check_count(name, (n_parameters, signature.rest.is_some()), arguments)?;
        let given = self.evaluate(dot, signature, arguments)?;
        self.step()?;
        match call(&mut self.scope(), given) {
            Ok(value) => Ok(match signature.result {
                Type::Any | Type::Reflect => Slot::Boxed(value),
                _ => Slot::plain(value),
            }),
            Err(problem) => {
                self.place = caller;
                self.fail(format!("error calling {name}: {problem}"))
            }
        }
    }

    /// What a function may use of this execution.
    fn scope(&mut self) -> Scope<'_> {
        Scope {
            templates: self.templates,
            session: self.session,
        }
    }

    fn check_count(
        &self,
        name: &str,
        (n_fixed, has_rest): (usize, bool),
        arguments: Arguments<'t, '_>,
    ) -> Result<()> {
        let n_given = arguments.given().len();
        let n_all = n_given + usize::from(arguments.last.is_some());
        if has_rest && n_all < n_fixed {
            return self.fail(format!(
                "wrong number of args for {name}: want at least {n_fixed} got {n_given}"
            ));
        }
        if !has_rest && n_all != n_fixed {
            return self.fail(format!(
                "wrong number of args for {name}: want {n_fixed} got {n_all}"
            ));
        }
        Ok(())
    }

    /// The arguments of a call, each of its parameter's type.
    fn evaluate(
        &mut self,
        dot: &Slot,
        function: Signature<'_>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Vec<Slot>> {
        let nodes = arguments.given();
        let mut values = Vec::with_capacity(nodes.len() + 1);
        for (number, node) in nodes.iter().enumerate() {
            values.push(self.argument(dot, Some(function.wanted(number)), *node)?);
        }
        if let Some(last) = arguments.last {
            values.push(self.validate(last.clone(), Some(function.wanted(nodes.len())))?);
        }
        Ok(values)
    }

    /// `and`, `or` and `call`.
    fn special(
        &mut self,
        dot: &Slot,
        name: &'t str,
        caller: Place,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.check_count(name, (1, true), arguments)?;
        if name == "call" {
            return self.call(dot, caller, arguments);
        }
        let mut value = Slot::Absent;
        for node in arguments.given() {
            value = self.argument(dot, Some(Type::Reflect), *node)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(arguments.last.cloned().unwrap_or(value))
    }

    fn call(&mut self, dot: &Slot, caller: Place, arguments: Arguments<'t, '_>) -> Result<Slot> {
        let mut values = Vec::new();
        for node in arguments.given() {
            values.push(self.argument(dot, Some(Type::Reflect), *node)?);
        }
        values.extend(arguments.last.cloned());
        let callee = match arguments.given().first() {
            Some(node) => self.source.shown(*node).to_string(),
            None => print::sprint(
                &values
                    .iter()
                    .cloned()
                    .map(Slot::into_value)
                    .collect::<Vec<_>>(),
            ),
        };
        let values: Vec<Value> = values.into_iter().map(Slot::into_value).collect();
        let result = self.call_value(&callee, &values);
        result.or_else(|problem| {
            self.place = caller;
            self.fail(format!("error calling call: {problem}"))
        })
    }

    fn call_value(&mut self, callee: &str, values: &[Value]) -> Result<Slot> {
        let Some((callable, given)) = values.split_first() else {
            return Err("call of nil".to_owned());
        };
        let function = match callable {
            Value::Nil => return Err("call of nil".to_owned()),
            Value::Function(function) => function.clone(),
            other => {
                return Err(format!(
                    "non-function {callee} of type {}",
                    other.type_name()
                ));
            }
        };
        let (n_given, n_fixed) = (given.len(), function.parameters().len());
        match function.rest() {
            Some(_) if n_given < n_fixed => {
                return Err(format!(
                    "wrong number of args for {callee}: got {n_given} want at least {n_fixed}"
                ));
            }
            None if n_given != n_fixed => {
                return Err(format!(
                    "wrong number of args for {callee}: got {n_given} want {n_fixed}"
                ));
            }
            _ => {}
        }
        for (number, value) in given.iter().enumerate() {
            prepare(value, function.signature().wanted(number))
                .map_err(|problem| format!("arg {number}: {problem}"))?;
        }
        let given = given.iter().cloned().map(Slot::plain).collect();
        function.call(&mut self.scope(), given).map(Slot::Boxed)
    }

    /// The value of an argument, of the type that a parameter wants.
    fn argument(&mut self, dot: &Slot, wanted: Option<Type>, operand: Operand) -> Result<Slot> {
        self.place = Place::Operand(operand);
        let value = match operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => return self.nil(wanted),
            Term::Field(chain) => self.field(dot, (operand, chain), Arguments::NONE)?,
            Term::Variable(chain) => self.variable(dot, (operand, chain), Arguments::NONE)?,
            Term::Pipe(pipe) => self.pipe(dot, pipe)?,
            Term::Identifier(name) => {
                self.function(dot, name, Place::Operand(operand), Arguments::NONE)?
            }
            Term::Chain(inner, chain) => {
                self.chain(dot, operand, (inner, chain), Arguments::NONE)?
            }
            Term::Bool(_) | Term::Text(..) | Term::Number(_) => {
                return self.literal(dot, wanted, operand);
            }
        };
        self.validate(value, wanted)
    }

    fn nil(&self, wanted: Option<Type>) -> Result<Slot> {
        match wanted {
            None | Some(Type::Any | Type::Reflect) => Ok(Slot::Absent),
            Some(wanted) if wanted.takes_nil() => Ok(Slot::plain(wanted.zero())),
            Some(wanted) => self.fail(format!("cannot assign nil to {}", wanted.name())),
        }
    }

    /// A literal where a type is wanted: numbers fit several.
    fn literal(&mut self, dot: &Slot, wanted: Option<Type>, operand: Operand) -> Result<Slot> {
        let number = match operand.term {
            Term::Number(number) => Some(self.source.numbers.one(number)),
            _ => None,
        };
        let value = match (operand.term, wanted) {
            (_, None | Some(Type::Any | Type::Reflect)) => return self.constant(dot, operand),
            (Term::Bool(value), Some(Type::Bool)) => Value::Bool(value),
            (Term::Text(_, text), Some(Type::Text)) => Value::text(self.source.literal(text)),
            (_, Some(Type::Int)) if let Some(integer) = number.and_then(|it| it.integer) => {
                Value::int(integer)
            }
            (_, Some(Type::Int64)) if let Some(integer) = number.and_then(|it| it.integer) => {
                Value::int64(integer)
            }
            (_, Some(Type::Float)) if let Some(float) = number.and_then(|it| it.float) => {
                Value::Float(float)
            }
            (_, Some(Type::Uint32)) if let Some(unsigned) = number.and_then(|it| it.unsigned) => {
                Value::Integer((unsigned & u64::from(u32::MAX)).into(), Width::Uint32)
            }
            (_, Some(wanted)) => {
                let expected = match wanted {
                    Type::Bool => "bool",
                    Type::Text => "string",
                    Type::Int | Type::Int64 => "integer",
                    Type::Float => "float",
                    Type::Uint32 => "unsigned integer",
                    _ => {
                        let (operand, name) = (self.source.shown(operand), wanted.name());
                        return self.fail(format!("can't handle {operand} for arg of type {name}"));
                    }
                };
                let operand = self.source.shown(operand);
                return self.fail(format!("expected {expected}; found {operand}"));
            }
        };
        Ok(Slot::Plain(value))
    }

    /// A value where a type is wanted.
    fn validate(&self, value: Slot, wanted: Option<Type>) -> Result<Slot> {
        let Some(wanted) = wanted else {
            return Ok(value);
        };
        match (&value, wanted) {
            (_, Type::Reflect) => Ok(value),
            (Slot::Absent, Type::Any) => Ok(Slot::Absent),
            (Slot::Absent, _) if wanted.takes_nil() => Ok(Slot::plain(wanted.zero())),
            (Slot::Absent, _) => self.fail(format!("invalid value; expected {}", wanted.name())),
            (Slot::Plain(inner) | Slot::Boxed(inner), _) => {
                if wanted.takes(inner) {
                    return Ok(value);
                }
                let got = match inner {
                    Value::Nil => "interface {}".to_owned(),
                    inner => inner.type_name(),
                };
                self.fail(format!(
                    "wrong type for value; expected {}; got {got}",
                    wanted.name()
                ))
            }
        }
    }
}

/// Whether `call` may pass a value.
fn prepare(value: &Value, wanted: Type) -> Result<()> {
    if wanted.takes(value) || (matches!(value, Value::Nil) && wanted.takes_nil()) {
        return Ok(());
    }
    let name = wanted.name();
    Err(match value {
        Value::Nil => format!("value is nil; should be of type {name}"),
        other => format!("value has type {}; should be {name}", other.type_name()),
    })
}
