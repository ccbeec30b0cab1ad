//! Which types the parts of an expression have, and what does not fit: cel-go's checker.

use yaml::Str;

use crate::ast::{Call, Comprehension, Expr, Item, Kind, Literal};
use crate::declarations::{Function, Functions, named_type};
use crate::expression_type::Type;
use crate::source::Position;
use crate::unify::{Substitutions, instantiate, most_general};
use crate::{go_time, regexp};

/// Checks `expr`, resolves its names, and gives its type with what is wrong.
pub(crate) fn check(
    expr: &mut Expr,
    variables: &[(Str, Type)],
    functions: &Functions,
) -> (Type, Vec<(Position, String)>) {
    let mut checker = Checker {
        scopes: variables.to_vec(),
        functions,
        known: Substitutions::default(),
        n_params: 0,
        problems: Vec::new(),
    };
    let ty = checker.check(expr);
    (checker.known.settle(&ty), checker.problems)
}

struct Checker<'a> {
    /// Variables; the innermost last.
    scopes: Vec<(Str, Type)>,
    functions: &'a Functions,
    known: Substitutions,
    n_params: u32,
    problems: Vec<(Position, String)>,
}

impl Checker<'_> {
    fn problem(&mut self, at: Position, message: String) -> Type {
        self.problems.push((at, message));
        Type::Error
    }

    fn undeclared(&mut self, at: Position, name: &str) -> Type {
        self.problem(
            at,
            format!("undeclared reference to '{name}' (in container '')"),
        )
    }

    fn mismatch(&mut self, at: Position, expected: &Type, found: &Type) -> Type {
        let (expected, found) = (self.known.resolve(expected), self.known.resolve(found));
        self.problem(
            at,
            format!("expected type '{expected}' but found '{found}'"),
        )
    }

    fn fresh(&mut self) -> Type {
        self.n_params += 1;
        Type::Param(self.n_params - 1)
    }

    fn variable(&self, name: &str) -> Option<Type> {
        let found = self.scopes.iter().rev().find(|(known, _)| *known == *name);
        found.map(|(_, ty)| ty.clone())
    }

    /// What a name is: a variable or a type.
    fn named(&self, name: &str) -> Option<Type> {
        self.variable(name)
            .or_else(|| named_type(name).map(|ty| Type::Type(ty.into())))
    }

    fn check(&mut self, expr: &mut Expr) -> Type {
        let at = expr.at;
        match &mut expr.kind {
            Kind::Literal(literal) => literal_type(literal),
            Kind::Ident(name) => match self.named(name) {
                Some(ty) => ty,
                None => {
                    let name = name.clone();
                    self.undeclared(at, &name)
                }
            },
            Kind::Select { .. } => self.select(expr),
            Kind::OptionalSelect { operand, field } => {
                let field = field.clone();
                let ty = self.field(at, operand, &field);
                match ty {
                    Type::Optional(_) => ty,
                    other => Type::optional(other),
                }
            }
            Kind::Call(call) => self.call(at, call),
            Kind::And(left, right) | Kind::Or(left, right) => {
                // Both sides are looked at, so that both are told.
                for side in [left, right] {
                    let ty = self.check(side);
                    if !self.known.fit(&ty, &Type::Bool) {
                        self.mismatch(side.at, &Type::Bool, &ty);
                    }
                }
                Type::Bool
            }
            Kind::Conditional(parts) => {
                let types = parts.each_mut().map(|part| self.check(part));
                self.resolve(at, "_?_:_", false, &types).0
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct(name) => {
                let name = name.clone();
                self.undeclared(at, &name)
            }
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn select(&mut self, expr: &mut Expr) -> Type {
        if let Some(name) = expr.qualified_name()
            && let Some(ty) = self.named(&name)
        {
            expr.kind = Kind::Ident(name.into());
            return ty;
        }
        let at = expr.at;
        let Kind::Select {
            operand,
            field,
            tests,
        } = &mut expr.kind
        else {
            return Type::Error;
        };
        let (field, tests) = (field.clone(), *tests);
        let ty = self.field(at, operand, &field);
        if tests { Type::Bool } else { ty }
    }

    /// The type of a field; of an optional operand it is optional too.
    fn field(&mut self, at: Position, operand: &mut Expr, field: &Str) -> Type {
        let operand = self.check(operand);
        let operand = self.known.resolve(&operand);
        let (target, is_optional) = match &operand {
            Type::Optional(of) => (of.as_ref().clone(), true),
            other => (other.clone(), false),
        };
        let ty = match &target {
            Type::Map(_, value) => value.as_ref().clone(),
            Type::Object(object) => match object.fields.get(field) {
                Some(field) => field.ty.clone(),
                None => self.problem(at, format!("undefined field '{field}'")),
            },
            Type::Param(_) => {
                self.known.fit(&Type::Dyn, &target);
                Type::Dyn
            }
            other if other.is_dyn_or_error() => Type::Dyn,
            other => {
                let message = format!("type '{other}' does not support field selection");
                self.problem(at, message);
                Type::Dyn
            }
        };
        if is_optional {
            Type::optional(ty)
        } else {
            self.known.resolve(&ty)
        }
    }

    fn call(&mut self, at: Position, call: &mut Call) -> Type {
        if call.is_member
            && let Some(prefix) = call.args[0].qualified_name()
        {
            let name = format!("{prefix}.{}", call.function);
            // A variable of that name would be meant instead.
            if self.functions.contains_key(name.as_str()) {
                call.function = name.into();
                call.is_member = false;
                call.args.remove(0);
            }
        }
        // The receiver is looked at last, as its problems are told behind those of the arguments.
        let types: Vec<Type> = call.args.iter_mut().map(|arg| self.check(arg)).collect();
        let (ty, function) = self.resolve(at, &call.function.clone(), call.is_member, &types);
        call.run = function.map(|function| function.run);
        self.literal_arguments(call);
        ty
    }

    /// Durations, times and patterns that stand in the text are read at once.
    fn literal_arguments(&mut self, call: &Call) {
        let Some(last) = call.args.last() else { return };
        let Kind::Literal(Literal::String(text)) = &last.kind else {
            return;
        };
        let fits = match (&*call.function, call.args.len()) {
            ("duration", 1) => go_time::parse_duration(text).is_ok(),
            ("timestamp", 1) => go_time::parse_timestamp(text).is_some(),
            ("matches", 2) => regexp::compile(text).is_ok(),
            _ => true,
        };
        if !fits {
            self.problem(last.at, format!("invalid {} argument", call.function));
        }
    }

    /// The result of the overloads that fit.
    fn resolve(
        &mut self,
        at: Position,
        name: &str,
        is_member: bool,
        args: &[Type],
    ) -> (Type, Option<Function>) {
        let Some(function) = self.functions.get(name) else {
            return (self.undeclared(at, name), None);
        };
        let mut result: Option<Type> = None;
        for overload in &function.overloads {
            if overload.is_member != is_member || overload.args.len() != args.len() {
                continue;
            }
            let first = self.n_params;
            let wanted = overload.args.iter().map(|arg| instantiate(arg, first));
            let pairs: Vec<(Type, Type)> = args.iter().cloned().zip(wanted).collect();
            self.n_params += 2;
            if !self.known.all_fit(&pairs) {
                continue;
            }
            let found = self.known.resolve(&instantiate(&overload.result, first));
            result = Some(match result {
                None => found,
                Some(known) if known == Type::Dyn || known == found => known,
                Some(_) => Type::Dyn,
            });
        }
        if let Some(result) = result {
            return (result, Some(function.clone()));
        }
        let shown: Vec<String> = args
            .iter()
            .map(|arg| self.known.settle(arg).to_string())
            .collect();
        let applied = match shown.split_first() {
            Some((receiver, rest)) if is_member => format!("{receiver}.({})", rest.join(", ")),
            _ => format!("({})", shown.join(", ")),
        };
        let message = format!("found no matching overload for '{name}' applied to '{applied}'");
        (self.problem(at, message), None)
    }

    fn item(&mut self, item: &mut Item) -> Type {
        let ty = self.check(&mut item.expr);
        if !item.is_optional {
            return ty;
        }
        match self.known.resolve(&ty) {
            Type::Optional(of) => of.as_ref().clone(),
            Type::Dyn => Type::Dyn,
            other => self.mismatch(item.expr.at, &Type::optional(other.clone()), &other),
        }
    }

    fn join(&mut self, at: Position, known: Option<Type>, next: Type) -> Type {
        let Some(known) = known else { return next };
        if self.known.fit(&known, &next) {
            return most_general(known, next);
        }
        self.mismatch(at, &known, &next)
    }

    fn list(&mut self, items: &mut [Item]) -> Type {
        let mut element = None;
        for item in items {
            let ty = self.item(item);
            element = Some(self.join(item.expr.at, element, ty));
        }
        let element = element.unwrap_or_else(|| self.fresh());
        Type::list(element)
    }

    fn map(&mut self, entries: &mut [(Expr, Item)]) -> Type {
        let (mut key, mut value) = (None, None);
        for (name, item) in entries {
            let ty = self.check(name);
            key = Some(self.join(name.at, key, ty));
            let ty = self.item(item);
            value = Some(self.join(item.expr.at, value, ty));
        }
        let key = key.unwrap_or_else(|| self.fresh());
        let value = value.unwrap_or_else(|| self.fresh());
        Type::map(key, value)
    }

    fn comprehension(&mut self, comprehension: &mut Comprehension) -> Type {
        let range = self.check(&mut comprehension.range);
        let accumulated = self.check(&mut comprehension.start);
        let range = self.known.resolve(&range);
        let is_double = comprehension.var2.is_some();
        let (first, second) = match &range {
            Type::List(element, _) if is_double => (Type::Int, element.as_ref().clone()),
            Type::List(element, _) => (element.as_ref().clone(), Type::Error),
            Type::Map(key, value) => (key.as_ref().clone(), value.as_ref().clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.known.fit(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be \
                     list, map, or dynamic)"
                );
                self.problem(comprehension.range.at, message);
                (Type::Error, Type::Error)
            }
        };
        let depth = self.scopes.len();
        let accumulator = comprehension.accumulator.clone();
        self.scopes.push((accumulator, accumulated.clone()));
        self.scopes.push((comprehension.var.clone(), first));
        if let Some(var2) = &comprehension.var2 {
            self.scopes.push((var2.clone(), second));
        }
        for (part, wanted) in [
            (&mut comprehension.condition, Type::Bool),
            (&mut comprehension.step, accumulated),
        ] {
            let ty = self.check(part);
            if !self.known.fit(&wanted, &ty) {
                self.mismatch(part.at, &wanted, &ty);
            }
        }
        self.scopes.truncate(depth + 1);
        let result = self.check(&mut comprehension.result);
        self.scopes.truncate(depth);
        self.known.resolve(&result)
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}
