//! Macros: calls that become loops and tests while they are parsed.

use yaml::Str;

use crate::ast::{Comprehension, Expr, Item, Kind, Literal};
use crate::parser::Parser;
use crate::source::Position;

/// The name of a loop's result so far; no name of a text can be it.
const ACCUMULATOR: &str = "@result";

/// A call of a name, expanded when it is a macro.
pub(crate) fn call(parser: &mut Parser, at: Position, name: &str, mut args: Vec<Expr>) -> Expr {
    if name != "has" || args.len() != 1 {
        return Expr::call(at, name, args);
    }
    let arg = args.remove(0);
    match arg.kind {
        Kind::Select {
            operand,
            field,
            tests: false,
        } => Expr::new(
            at,
            Kind::Select {
                operand,
                field,
                tests: true,
            },
        ),
        kind => {
            parser.note(arg.at, "invalid argument to has() macro");
            Expr::new(arg.at, kind)
        }
    }
}

/// A call on something, which is the first of `args`, expanded when it is a macro.
pub(crate) fn member_call(parser: &mut Parser, at: Position, name: &str, args: Vec<Expr>) -> Expr {
    let Some(expand) = find(name, args.len() - 1) else {
        return Expr::any_call(at, name, true, args);
    };
    expand(parser, at, args)
}

type Expand = fn(&mut Parser, Position, Vec<Expr>) -> Expr;

fn find(name: &str, n_args: usize) -> Option<Expand> {
    Some(match (name, n_args) {
        ("all", 2 | 3) => |parser, at, args| quantifier(parser, at, args, Quantifier::All),
        ("exists", 2 | 3) => |parser, at, args| quantifier(parser, at, args, Quantifier::Exists),
        ("exists_one" | "existsOne", 2 | 3) => {
            |parser, at, args| quantifier(parser, at, args, Quantifier::One)
        }
        ("map", 2 | 3) => map,
        ("filter", 2) => filter,
        ("transformList", 3 | 4) => transform_list,
        ("transformMap", 3 | 4) => transform_map,
        ("transformMapEntry", 3 | 4) => transform_entry,
        ("optMap", 2) => |parser, at, args| opt_map(parser, at, args, "optional.of"),
        ("optFlatMap", 2) => |parser, at, args| opt_map(parser, at, args, ""),
        ("sortBy", 2) => sort_by,
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Quantifier {
    All,
    Exists,
    One,
}

fn literal(at: Position, literal: Literal) -> Expr {
    Expr::new(at, Kind::Literal(literal))
}

fn result(at: Position) -> Expr {
    Expr::ident(at, ACCUMULATOR)
}

fn conditional(at: Position, condition: Expr, yes: Expr, no: Expr) -> Expr {
    Expr::new(at, Kind::Conditional(Box::new([condition, yes, no])))
}

fn list(at: Position, items: Vec<Expr>) -> Expr {
    let items = items
        .into_iter()
        .map(|expr| Item {
            expr,
            is_optional: false,
        })
        .collect();
    Expr::new(at, Kind::List(items))
}

/// The name of a loop variable.
fn variable(parser: &mut Parser, arg: &Expr, otherwise: &str) -> Str {
    match &arg.kind {
        Kind::Ident(name) => name.clone(),
        _ => {
            parser.note(arg.at, otherwise);
            "_".into()
        }
    }
}

const SIMPLE: &str = "argument must be a simple name";
const IDENTIFIER: &str = "argument is not an identifier";

/// The loop variables at the front of `args`, which keep what follows them.
fn variables(
    parser: &mut Parser,
    args: &mut Vec<Expr>,
    count: usize,
    otherwise: &str,
) -> (Str, Option<Str>) {
    let first = args.remove(0);
    let var = variable(parser, &first, otherwise);
    if count == 1 {
        return (var, None);
    }
    let second = args.remove(0);
    let var2 = variable(parser, &second, otherwise);
    if var == var2 {
        parser.note(second.at, &format!("duplicate variable name: {var}"));
    }
    (var, Some(var2))
}

/// A loop over all items; `condition` may end it early.
struct Loop {
    range: Expr,
    vars: (Str, Option<Str>),
    start: Expr,
    condition: Expr,
    step: Expr,
    result: Expr,
}

impl Loop {
    fn expr(self, at: Position) -> Expr {
        let (var, var2) = self.vars;
        Expr::new(
            at,
            Kind::Comprehension(Box::new(Comprehension {
                range: self.range,
                var,
                var2,
                accumulator: ACCUMULATOR.into(),
                start: self.start,
                condition: self.condition,
                step: self.step,
                result: self.result,
            })),
        )
    }
}

fn quantifier(parser: &mut Parser, at: Position, mut args: Vec<Expr>, what: Quantifier) -> Expr {
    let range = args.remove(0);
    let count = args.len() - 1;
    let vars = variables(parser, &mut args, count, SIMPLE);
    let predicate = args.remove(0);
    let truth = |flag| literal(at, Literal::Bool(flag));
    let goes_on = |value| Expr::call(at, "@not_strictly_false", vec![value]);
    let (start, condition, step, end) = match what {
        Quantifier::All => (
            truth(true),
            goes_on(result(at)),
            Kind::And(Box::new(result(at)), Box::new(predicate)),
            result(at),
        ),
        Quantifier::Exists => (
            truth(false),
            goes_on(Expr::call(at, "!_", vec![result(at)])),
            Kind::Or(Box::new(result(at)), Box::new(predicate)),
            result(at),
        ),
        Quantifier::One => {
            let one = || literal(at, Literal::Int(1));
            let more = Expr::call(at, "_+_", vec![result(at), one()]);
            (
                literal(at, Literal::Int(0)),
                truth(true),
                conditional(at, predicate, more, result(at)).kind,
                Expr::call(at, "_==_", vec![result(at), one()]),
            )
        }
    };
    Loop {
        range,
        vars,
        start,
        condition,
        step: Expr::new(at, step),
        result: end,
    }
    .expr(at)
}

/// A loop that gathers: `step` is taken where the filter, if any, is true.
fn gather(
    at: Position,
    (range, vars): (Expr, (Str, Option<Str>)),
    start: Expr,
    (filter, step): (Option<Expr>, Expr),
) -> Expr {
    let step = match filter {
        Some(filter) => conditional(at, filter, step, result(at)),
        None => step,
    };
    Loop {
        range,
        vars,
        start,
        condition: literal(at, Literal::Bool(true)),
        step,
        result: result(at),
    }
    .expr(at)
}

fn map(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let range = args.remove(0);
    let vars = variables(parser, &mut args, 1, IDENTIFIER);
    let filter = (args.len() == 2).then(|| args.remove(0));
    let step = Expr::call(at, "_+_", vec![result(at), list(at, args)]);
    gather(at, (range, vars), list(at, Vec::new()), (filter, step))
}

fn filter(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let range = args.remove(0);
    let vars = variables(parser, &mut args, 1, IDENTIFIER);
    let item = Expr::ident(at, &vars.0);
    let step = Expr::call(at, "_+_", vec![result(at), list(at, vec![item])]);
    let predicate = args.remove(0);
    gather(
        at,
        (range, vars),
        list(at, Vec::new()),
        (Some(predicate), step),
    )
}

fn transform_list(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let range = args.remove(0);
    let vars = variables(parser, &mut args, 2, IDENTIFIER);
    let filter = (args.len() == 2).then(|| args.remove(0));
    let step = Expr::call(at, "_+_", vec![result(at), list(at, args)]);
    gather(at, (range, vars), list(at, Vec::new()), (filter, step))
}

fn transform_map(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let range = args.remove(0);
    let vars = variables(parser, &mut args, 2, IDENTIFIER);
    let filter = (args.len() == 2).then(|| args.remove(0));
    let mut insert = vec![result(at), Expr::ident(at, &vars.0)];
    insert.append(&mut args);
    let step = Expr::call(at, "cel.@mapInsert", insert);
    let start = Expr::new(at, Kind::Map(Vec::new()));
    gather(at, (range, vars), start, (filter, step))
}

fn transform_entry(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let range = args.remove(0);
    let vars = variables(parser, &mut args, 2, IDENTIFIER);
    let filter = (args.len() == 2).then(|| args.remove(0));
    let mut insert = vec![result(at)];
    insert.append(&mut args);
    let step = Expr::call(at, "cel.@mapInsert", insert);
    let start = Expr::new(at, Kind::Map(Vec::new()));
    gather(at, (range, vars), start, (filter, step))
}

/// `target.optMap(x, f(x))`: the value under a name, when there is one.
fn opt_map(parser: &mut Parser, at: Position, mut args: Vec<Expr>, wrap: &str) -> Expr {
    let target = args.remove(0);
    let var = variable(
        parser,
        &args.remove(0),
        "optMap() variable name must be a simple identifier",
    );
    let body = bind(
        at,
        &var,
        member(at, "value", target.clone()),
        args.remove(0),
    );
    let present = if wrap.is_empty() {
        body
    } else {
        Expr::call(at, wrap, vec![body])
    };
    conditional(
        at,
        member(at, "hasValue", target),
        present,
        Expr::call(at, "optional.none", Vec::new()),
    )
}

fn member(at: Position, name: &str, target: Expr) -> Expr {
    Expr::any_call(at, name, true, vec![target])
}

/// `body` with a name for a value: a loop over nothing that starts with it.
fn bind(at: Position, var: &Str, value: Expr, body: Expr) -> Expr {
    Expr::new(
        at,
        Kind::Comprehension(Box::new(Comprehension {
            range: list(at, Vec::new()),
            var: "#unused".into(),
            var2: None,
            accumulator: var.clone(),
            start: value,
            condition: literal(at, Literal::Bool(false)),
            step: Expr::ident(at, var),
            result: body,
        })),
    )
}

/// `list.sortBy(x, key(x))`: sorted by the keys that another loop makes.
fn sort_by(parser: &mut Parser, at: Position, mut args: Vec<Expr>) -> Expr {
    let target = args.remove(0);
    let name: Str = "@__sortBy_input__".into();
    let mut keys = vec![Expr::ident(at, &name)];
    keys.append(&mut args);
    let keys = map(parser, at, keys);
    let sorted = Expr::any_call(
        at,
        "@sortByAssociatedKeys",
        true,
        vec![Expr::ident(at, &name), keys],
    );
    bind(at, &name, target, sorted)
}
