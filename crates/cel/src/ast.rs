//! Expressions as trees.

use std::sync::Arc;

use yaml::Str;

use crate::functions::Run;
use crate::source::Position;

/// One expression and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Literal(Literal),
    Ident(Str),
    /// `operand.field`; `has(operand.field)` when it only tests.
    Select {
        operand: Box<Expr>,
        field: Str,
        tests: bool,
    },
    /// `operand.?field`
    OptionalSelect {
        operand: Box<Expr>,
        field: Str,
    },
    Call(Box<Call>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Conditional(Box<[Expr; 3]>),
    List(Vec<Item>),
    Map(Vec<(Expr, Item)>),
    /// `Name{..}`, of which the checker knows none.
    Struct(Str),
    Comprehension(Box<Comprehension>),
}

/// A call of a function or operator; a call on something has it as its first argument.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: Str,
    pub(crate) is_member: bool,
    pub(crate) args: Vec<Expr>,
    /// What runs, once the checker knows.
    pub(crate) run: Option<Run>,
}

/// A part of a list or map literal; `?x` is left out when it is absent.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) expr: Expr,
    pub(crate) is_optional: bool,
}

/// A loop: what `all`, `map` and their like become.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    pub(crate) range: Expr,
    pub(crate) var: Str,
    pub(crate) var2: Option<Str>,
    pub(crate) accumulator: Str,
    pub(crate) start: Expr,
    pub(crate) condition: Expr,
    pub(crate) step: Expr,
    pub(crate) result: Expr,
}

/// A value that stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Str),
    Bytes(Arc<[u8]>),
}

impl Expr {
    pub(crate) fn new(at: Position, kind: Kind) -> Self {
        Expr { at, kind }
    }

    pub(crate) fn call(at: Position, function: &str, args: Vec<Expr>) -> Self {
        Self::any_call(at, function, false, args)
    }

    pub(crate) fn any_call(at: Position, function: &str, is_member: bool, args: Vec<Expr>) -> Self {
        let call = Call {
            function: function.into(),
            is_member,
            args,
            run: None,
        };
        Expr::new(at, Kind::Call(Box::new(call)))
    }

    pub(crate) fn ident(at: Position, name: &str) -> Self {
        Expr::new(at, Kind::Ident(name.into()))
    }

    /// `a.b.c` as text; `None` for anything else.
    pub(crate) fn qualified_name(&self) -> Option<String> {
        match &self.kind {
            Kind::Ident(name) => Some(name.to_string()),
            Kind::Select {
                operand,
                field,
                tests: false,
            } => Some(format!("{}.{field}", operand.qualified_name()?)),
            _ => None,
        }
    }
}
