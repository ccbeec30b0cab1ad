//! Which types fit together, and what type parameters stand for.
//!
//! The rules are those of cel-go's checker, whose messages depend on them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::expression_type::Type;

/// Types nest no deeper in an expression that anybody wrote; deeper ones do not fit.
const MAX_DEPTH: usize = 64;

/// What type parameters are known to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Substitutions {
    known: HashMap<u32, Type>,
}

impl Substitutions {
    /// Whether every pair fits; what is learned is kept only when all do.
    pub(crate) fn all_fit(&mut self, pairs: &[(Type, Type)]) -> bool {
        let mut trial = self.clone();
        let fit = pairs
            .iter()
            .all(|(one, other)| trial.assignable(one, other, 0));
        if fit {
            *self = trial;
        }
        fit
    }

    /// Whether the two types fit.
    pub(crate) fn fit(&mut self, one: &Type, other: &Type) -> bool {
        let mut trial = self.clone();
        let fit = trial.assignable(one, other, 0);
        if fit {
            *self = trial;
        }
        fit
    }

    fn assignable(&mut self, one: &Type, other: &Type, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        if let Type::Param(param) = other
            && let Some(fit) = self.learn(one, *param, depth)
        {
            return fit;
        }
        if let Type::Param(param) = one
            && let Some(fit) = self.learn(other, *param, depth)
        {
            return fit;
        }
        match (one, other) {
            (one, other) if one.is_dyn_or_error() || other.is_dyn_or_error() => true,
            (Type::Null, known) | (known, Type::Null) => takes_null(known),
            (Type::List(one, _), Type::List(other, _))
            | (Type::Optional(one), Type::Optional(other)) => {
                self.assignable(one, other, depth + 1)
            }
            (Type::Map(key, value), Type::Map(other_key, other_value)) => {
                self.assignable(key, other_key, depth + 1)
                    && self.assignable(value, other_value, depth + 1)
            }
            (Type::Type(_), Type::Type(_)) => true,
            (one, other) => one == other,
        }
    }

    /// `None` when nothing can be learned of the parameter.
    fn learn(&mut self, ty: &Type, param: u32, depth: usize) -> Option<bool> {
        if matches!(ty, Type::Param(same) if *same == param) {
            return Some(true);
        }
        if let Some(known) = self.known.get(&param).cloned() {
            if !self.assignable(ty, &known, depth + 1) {
                return Some(false);
            }
            let general = if is_as_general(ty, &known) {
                ty.clone()
            } else {
                known
            };
            if !self.mentions(&general, param, depth) {
                self.known.insert(param, general);
            }
            return Some(true);
        }
        if self.mentions(ty, param, depth) {
            return None;
        }
        self.known.insert(param, ty.clone());
        Some(true)
    }

    fn mentions(&self, ty: &Type, param: u32, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        match ty {
            Type::Param(other) if *other == param => true,
            Type::Param(other) => self
                .known
                .get(other)
                .is_some_and(|known| self.mentions(known, param, depth + 1)),
            other => other
                .parts()
                .into_iter()
                .any(|part| self.mentions(part, param, depth + 1)),
        }
    }

    /// The type with its parameters replaced by what is known.
    pub(crate) fn resolve(&self, ty: &Type) -> Type {
        self.replace(ty, 0, &|param| Type::Param(param))
    }

    /// As [`Substitutions::resolve`]; what is still open is `dyn`.
    pub(crate) fn settle(&self, ty: &Type) -> Type {
        self.replace(ty, 0, &|_| Type::Dyn)
    }

    fn replace(&self, ty: &Type, depth: usize, open: &dyn Fn(u32) -> Type) -> Type {
        if depth > MAX_DEPTH {
            return Type::Dyn;
        }
        let inner = |part: &Arc<Type>| Arc::new(self.replace(part, depth + 1, open));
        match ty {
            Type::Param(param) => match self.known.get(param) {
                Some(known) => self.replace(known, depth + 1, open),
                None => open(*param),
            },
            Type::List(element, relation) => Type::List(inner(element), relation.clone()),
            Type::Map(key, value) => Type::Map(inner(key), inner(value)),
            Type::Optional(of) => Type::Optional(inner(of)),
            Type::Type(of) => Type::Type(inner(of)),
            other => other.clone(),
        }
    }
}

fn takes_null(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Null | Type::Object(_) | Type::Duration | Type::Timestamp | Type::Opaque(_)
    )
}

/// The more general of two types that fit.
pub(crate) fn most_general(one: Type, other: Type) -> Type {
    if is_as_general(&one, &other) {
        one
    } else {
        other
    }
}

fn is_as_general(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::Dyn | Type::Error | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Error | Type::Param(_)) => false,
        (Type::Null, other) => takes_null(other) && *other == Type::Null,
        (one, other) => {
            let (parts, others) = (one.parts(), other.parts());
            if parts.is_empty() || parts.len() != others.len() {
                return one == other;
            }
            parts
                .into_iter()
                .zip(others)
                .all(|(one, other)| is_as_general(one, other))
        }
    }
}

/// Numbers the parameters of an overload anew, from `first` on.
pub(crate) fn instantiate(ty: &Type, first: u32) -> Type {
    let inner = |part: &Arc<Type>| Arc::new(instantiate(part, first));
    match ty {
        Type::Param(param) => Type::Param(first.saturating_add(*param)),
        Type::List(element, relation) => Type::List(inner(element), relation.clone()),
        Type::Map(key, value) => Type::Map(inner(key), inner(value)),
        Type::Optional(of) => Type::Optional(inner(of)),
        Type::Type(of) => Type::Type(inner(of)),
        other => other.clone(),
    }
}
