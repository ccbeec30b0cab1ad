//! What an expression may name, and programs made of text.

use yaml::Str;

use crate::ast::{Expr, Kind};
use crate::checker;
use crate::declarations::{self, Functions};
use crate::eval::{self, Budget, EvalError, Variables};
use crate::expression_type::Type;
use crate::parser;
use crate::source::Issues;
use crate::value::Val;

/// The functions of Kubernetes, and the variables of a kind of expression.
#[derive(Clone, Debug)]
pub struct Environment {
    functions: std::sync::Arc<Functions>,
    variables: Vec<(Str, Type)>,
}

/// A checked expression. A clone copies a pointer.
#[derive(Clone, Debug)]
pub struct Program {
    expr: std::sync::Arc<Expr>,
    ty: Type,
}

impl Environment {
    /// The functions of kube-apiserver v1.35, and no variables. Reads a table, so keep it.
    #[must_use]
    pub fn kubernetes() -> Self {
        Environment {
            functions: std::sync::Arc::new(declarations::functions()),
            variables: Vec::new(),
        }
    }

    /// The same with one more variable.
    #[must_use]
    pub fn with(&self, name: &str, ty: Type) -> Self {
        let mut with = self.clone();
        with.variables.push((name.into(), ty));
        with
    }

    /// Parses and checks a text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(&self, text: &str) -> Result<Program, Issues> {
        let mut expr = parser::parse(text)?;
        let (ty, problems) = checker::check(&mut expr, &self.variables, &self.functions);
        if problems.is_empty() {
            return Ok(Program {
                expr: std::sync::Arc::new(expr),
                ty,
            });
        }
        Err(Issues::new(text, problems))
    }
}

impl Program {
    /// The type of what it gives.
    #[must_use]
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// Whether it looks at a variable.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        mentions(&self.expr, name)
    }

    /// Runs it.
    ///
    /// # Errors
    /// As cel-go fails, or when the budget is spent.
    pub fn run<'a>(
        &self,
        variables: &Variables<'a>,
        budget: &mut Budget,
    ) -> Result<Val<'a>, EvalError> {
        eval::run(&self.expr, variables, budget)
    }
}

fn mentions(expr: &Expr, name: &str) -> bool {
    let inner = |expr: &Expr| mentions(expr, name);
    match &expr.kind {
        Kind::Ident(known) => *known == *name,
        Kind::Literal(_) | Kind::Struct(_) => false,
        Kind::Select { operand, .. } | Kind::OptionalSelect { operand, .. } => inner(operand),
        Kind::Call(call) => call.args.iter().any(inner),
        Kind::And(left, right) | Kind::Or(left, right) => inner(left) || inner(right),
        Kind::Conditional(parts) => parts.iter().any(inner),
        Kind::List(items) => items.iter().any(|item| inner(&item.expr)),
        Kind::Map(entries) => entries
            .iter()
            .any(|(key, item)| inner(key) || inner(&item.expr)),
        Kind::Comprehension(of) => [&of.range, &of.start, &of.condition, &of.step, &of.result]
            .into_iter()
            .any(inner),
    }
}
