//! Tokens to trees, with the messages of cel-go's ANTLR parser for the mistakes that people make.

use crate::ast::{Expr, Item, Kind, Literal};
use crate::lexer::{self, Placed, Token};
use crate::macros;
use crate::source::{Issues, Position};

/// Expressions nest no deeper, as everything that walks them costs stack.
const MAX_NESTING: usize = 250;
/// No longer text is looked at (cel-go's own limit).
const MAX_LENGTH: usize = 100_000;

/// Words that are no names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What can start an expression, as messages list it: around it stand what else fits there.
const STARTS: &str = "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, \
                      IDENTIFIER}";

/// Parses a whole expression.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Expr, Issues> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        let message =
            format!("expression code point size exceeds limit: size: {length}, limit {MAX_LENGTH}");
        return Err(Issues::new(text, vec![(0, message)]));
    }
    let (tokens, problems) = lexer::tokens(text);
    let mut parser = Parser {
        tokens,
        next: 0,
        depth: 0,
        problems,
    };
    let expr = parser.whole();
    match expr {
        Some(expr) if parser.problems.is_empty() => Ok(expr),
        _ => Err(Issues::new(text, parser.problems)),
    }
}

pub(crate) struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    problems: Vec<(Position, String)>,
}

/// What may stand where an expression is awaited, besides an expression.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Plain,
    /// The first argument of a call.
    Argument,
    /// Inside `[]` behind a value.
    Index,
    /// Behind `-` or `!`.
    Operand,
}

impl Parser {
    fn peek(&self) -> &Placed {
        let last = self.tokens.len() - 1;
        &self.tokens[self.next.min(last)]
    }

    fn is(&self, mark: &str) -> bool {
        matches!(&self.peek().token, Token::Mark(known) if *known == mark)
    }

    fn take(&mut self, mark: &str) -> Option<Position> {
        let at = self.peek().at;
        self.is(mark).then(|| {
            self.next += 1;
            at
        })
    }

    /// Tells of a problem, and gives up.
    fn fail<T>(&mut self, at: Position, message: impl Into<String>) -> Option<T> {
        self.problems.push((at, message.into()));
        None
    }

    /// Notes a problem of a macro, and goes on.
    pub(crate) fn note(&mut self, at: Position, message: &str) {
        self.problems.push((at, message.to_owned()));
    }

    fn mismatched<T>(&mut self, expecting: &str) -> Option<T> {
        let Placed { at, text, .. } = self.peek().clone();
        self.fail(
            at,
            format!("Syntax error: mismatched input '{text}' expecting {expecting}"),
        )
    }

    /// A mark that must stand here.
    fn expect(&mut self, mark: &str) -> Option<Position> {
        if let Some(at) = self.take(mark) {
            return Some(at);
        }
        let Placed { at, text, token } = self.peek().clone();
        if token == Token::End && matches!(mark, ")" | "]") {
            return self.fail(at, format!("Syntax error: missing '{mark}' at '<EOF>'"));
        }
        self.fail(
            at,
            format!("Syntax error: mismatched input '{text}' expecting '{mark}'"),
        )
    }

    fn whole(&mut self) -> Option<Expr> {
        let expr = self.expr(Place::Plain)?;
        let Placed { token, at, text } = self.peek().clone();
        if token == Token::End {
            return Some(expr);
        }
        let last = self
            .tokens
            .get(self.next + 1)
            .is_none_or(|next| next.token == Token::End);
        let how = if last { "extraneous" } else { "mismatched" };
        self.fail(
            at,
            format!("Syntax error: {how} input '{text}' expecting <EOF>"),
        )
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_NESTING {
            let message = format!("expression recursion limit exceeded: {MAX_NESTING}");
            return self.fail(self.peek().at, message);
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn expr(&mut self, place: Place) -> Option<Expr> {
        self.deeper(|parser| parser.conditional(place))
    }

    fn conditional(&mut self, place: Place) -> Option<Expr> {
        let condition = self.junction(place, "||")?;
        let Some(at) = self.take("?") else {
            return Some(condition);
        };
        let yes = self.deeper(|parser| parser.junction(Place::Plain, "||"))?;
        self.expect(":")?;
        let no = self.expr(Place::Plain)?;
        Some(Expr::new(
            at,
            Kind::Conditional(Box::new([condition, yes, no])),
        ))
    }

    /// Terms joined by `||` or `&&`: a balanced tree, so that many of them are not deep.
    fn junction(&mut self, place: Place, mark: &str) -> Option<Expr> {
        let mut terms = vec![self.term(place, mark)?];
        let mut marks = Vec::new();
        while let Some(at) = self.take(mark) {
            marks.push(at);
            terms.push(self.term(Place::Plain, mark)?);
        }
        Some(balance(terms, &marks, mark))
    }

    fn term(&mut self, place: Place, mark: &str) -> Option<Expr> {
        if mark == "||" {
            self.junction(place, "&&")
        } else {
            self.relation(place)
        }
    }

    fn relation(&mut self, place: Place) -> Option<Expr> {
        const RELATIONS: [(&str, &str); 7] = [
            ("<", "_<_"),
            ("<=", "_<=_"),
            (">", "_>_"),
            (">=", "_>=_"),
            ("==", "_==_"),
            ("!=", "_!=_"),
            ("in", "@in"),
        ];
        self.chain(place, &RELATIONS, Self::sum)
    }

    fn sum(&mut self, place: Place) -> Option<Expr> {
        self.chain(place, &[("+", "_+_"), ("-", "_-_")], Self::product)
    }

    fn product(&mut self, place: Place) -> Option<Expr> {
        const PRODUCTS: [(&str, &str); 3] = [("*", "_*_"), ("/", "_/_"), ("%", "_%_")];
        self.chain(place, &PRODUCTS, Self::unary)
    }

    /// Operands joined from the left; each one makes the tree deeper.
    fn chain(
        &mut self,
        place: Place,
        operators: &[(&str, &str)],
        operand: fn(&mut Self, Place) -> Option<Expr>,
    ) -> Option<Expr> {
        let mut left = operand(self, place)?;
        let depth = self.depth;
        loop {
            let found = operators
                .iter()
                .find_map(|(mark, name)| self.take(mark).map(|at| (at, *name)));
            let Some((at, name)) = found else {
                self.depth = depth;
                return Some(left);
            };
            let right = self.deeper(|parser| operand(parser, Place::Plain))?;
            self.depth += 1;
            left = Expr::call(at, name, vec![left, right]);
        }
    }

    fn unary(&mut self, place: Place) -> Option<Expr> {
        for (mark, name) in [("!", "!_"), ("-", "-_")] {
            if !self.is(mark) {
                continue;
            }
            let start = self.next;
            let at = self.peek().at;
            while self.take(mark).is_some() {}
            let count = self.next - start;
            if mark == "-" && count == 1 && self.is_number() {
                self.next = start;
                return self.member(place);
            }
            let operand = self.member(Place::Operand)?;
            // Two of a kind cancel each other.
            return Some(if count.is_multiple_of(2) {
                operand
            } else {
                Expr::call(at, name, vec![operand])
            });
        }
        self.member(place)
    }

    fn is_number(&self) -> bool {
        matches!(
            self.peek().token,
            Token::Literal(Literal::Int(_) | Literal::Double(_)) | Token::Unfit(_)
        )
    }

    /// A primary expression with what is selected, called and indexed of it.
    fn member(&mut self, place: Place) -> Option<Expr> {
        let mut expr = self.primary(place)?;
        let depth = self.depth;
        loop {
            let step = if let Some(at) = self.take(".") {
                self.selection(expr, at)
            } else if let Some(at) = self.take("[") {
                self.index(expr, at)
            } else if self.is("{") && expr.qualified_name().is_some() {
                self.structure(&expr)
            } else {
                self.depth = depth;
                return Some(expr);
            };
            expr = step?;
            if self.depth >= MAX_NESTING {
                let message = format!("expression recursion limit exceeded: {MAX_NESTING}");
                return self.fail(expr.at, message);
            }
            self.depth += 1;
        }
    }

    fn selection(&mut self, operand: Expr, at: Position) -> Option<Expr> {
        let is_optional = self.take("?").is_some();
        let Placed {
            token,
            at: found,
            text,
        } = self.peek().clone();
        let Token::Ident(field) = token else {
            let text = if token == Token::End { "" } else { &text };
            let message = format!("Syntax error: no viable alternative at input '.{text}'");
            return self.fail(found, message);
        };
        self.next += 1;
        let operand = Box::new(operand);
        if is_optional {
            let field = field.into();
            return Some(Expr::new(at, Kind::OptionalSelect { operand, field }));
        }
        if let Some(open) = self.take("(") {
            let mut args = vec![*operand];
            args.extend(self.arguments()?);
            return Some(macros::member_call(self, open, &field, args));
        }
        let kind = Kind::Select {
            operand,
            field: field.into(),
            tests: false,
        };
        Some(Expr::new(at, kind))
    }

    fn index(&mut self, operand: Expr, at: Position) -> Option<Expr> {
        let is_optional = self.take("?").is_some();
        let index = self.expr(Place::Index)?;
        self.expect("]")?;
        let name = if is_optional { "_[?_]" } else { "_[_]" };
        Some(Expr::call(at, name, vec![operand, index]))
    }

    /// `Name{field: value}`: no struct can be made, so only its name is kept.
    fn structure(&mut self, name: &Expr) -> Option<Expr> {
        let at = self.take("{")?;
        let text = name.qualified_name()?;
        while !self.is("}") {
            self.take("?");
            if !matches!(self.peek().token, Token::Ident(_)) {
                return self.mismatched("{'}', ',', '?', IDENTIFIER}");
            }
            self.next += 1;
            self.expect(":")?;
            self.expr(Place::Plain)?;
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("}")?;
        Some(Expr::new(at, Kind::Struct(text.into())))
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        let mut args = Vec::new();
        if self.take(")").is_some() {
            return Some(args);
        }
        let mut place = Place::Argument;
        loop {
            args.push(self.expr(place)?);
            place = Place::Plain;
            if self.take(",").is_none() {
                self.expect(")")?;
                return Some(args);
            }
        }
    }

    fn primary(&mut self, place: Place) -> Option<Expr> {
        let Placed { token, at, text } = self.peek().clone();
        match token {
            Token::Literal(literal) => {
                self.next += 1;
                Some(Expr::new(at, Kind::Literal(literal)))
            }
            Token::Unfit(message) => {
                let message = if message == "lowest int" {
                    "invalid int literal"
                } else {
                    message
                };
                self.fail(at, message)
            }
            Token::Ident(name) => {
                self.next += 1;
                self.name(at, &name)
            }
            Token::Mark("true" | "false") => {
                self.next += 1;
                Some(Expr::new(at, Kind::Literal(Literal::Bool(text == "true"))))
            }
            Token::Mark("null") => {
                self.next += 1;
                Some(Expr::new(at, Kind::Literal(Literal::Null)))
            }
            Token::Mark("-") => self.negative(at, place),
            Token::Mark("(") => {
                self.next += 1;
                let inner = self.expr(Place::Plain)?;
                self.expect(")")?;
                Some(inner)
            }
            Token::Mark("[") => self.list(at),
            Token::Mark("{") => self.map(at),
            Token::Mark(".") => {
                self.next += 1;
                match self.peek().token.clone() {
                    Token::Ident(name) => {
                        self.next += 1;
                        self.name(at, &name)
                    }
                    _ => self.mismatched("IDENTIFIER"),
                }
            }
            Token::Mark(_) | Token::End => self.unexpected(place),
        }
    }

    /// A token that starts no expression: it is left out when that helps.
    fn unexpected(&mut self, place: Place) -> Option<Expr> {
        let Placed { token, at, text } = self.peek().clone();
        let expecting = match place {
            Place::Argument => format!("{{'[', '{{', '(', ')', '.', '-', '!', {STARTS}"),
            Place::Index => format!("{{'[', '{{', '(', '.', '-', '!', '?', {STARTS}"),
            Place::Plain | Place::Operand => {
                format!("{{'[', '{{', '(', '.', '-', '!', {STARTS}")
            }
        };
        let next_fits = self.tokens.get(self.next + 1).is_some_and(|next| {
            let fits = matches!(
                next.token,
                Token::Literal(_)
                    | Token::Ident(_)
                    | Token::Unfit(_)
                    | Token::Mark("[" | "{" | "(" | "." | "-" | "!" | "true" | "false" | "null")
            );
            fits || (place == Place::Argument && next.token == Token::Mark(")"))
        });
        let is_extra = token != Token::End && next_fits;
        if is_extra || place == Place::Operand {
            let message = format!("Syntax error: extraneous input '{text}' expecting {expecting}");
            self.problems.push((at, message));
            self.next += 1;
            if !is_extra || self.is(")") || self.depth >= MAX_NESTING {
                return None;
            }
            return self.deeper(|parser| parser.member(Place::Plain));
        }
        self.mismatched(&expecting)
    }

    /// A number behind its sign, which is one literal.
    fn negative(&mut self, at: Position, place: Place) -> Option<Expr> {
        let next = self
            .tokens
            .get(self.next + 1)
            .map(|next| next.token.clone());
        let literal = match next {
            Some(Token::Literal(Literal::Int(number))) => Literal::Int(-number),
            Some(Token::Literal(Literal::Double(number))) => Literal::Double(-number),
            Some(Token::Unfit("lowest int")) => Literal::Int(i64::MIN),
            Some(Token::Unfit(message)) => return self.fail(at, message),
            _ => return self.unexpected(place),
        };
        self.next += 2;
        Some(Expr::new(at, Kind::Literal(literal)))
    }

    fn name(&mut self, at: Position, name: &str) -> Option<Expr> {
        if RESERVED.contains(&name) {
            self.note(at, &format!("reserved identifier: {name}"));
        }
        let Some(open) = self.take("(") else {
            return Some(Expr::ident(at, name));
        };
        let args = self.arguments()?;
        Some(macros::call(self, open, name, args))
    }

    fn list(&mut self, at: Position) -> Option<Expr> {
        self.next += 1;
        let mut items = Vec::new();
        while !self.is("]") {
            let is_optional = self.take("?").is_some();
            let expr = self.expr(Place::Plain)?;
            items.push(Item { expr, is_optional });
            if self.take(",").is_none() {
                break;
            }
        }
        if self.take("]").is_none() {
            return self.mismatched("{']', ','}");
        }
        Some(Expr::new(at, Kind::List(items)))
    }

    fn map(&mut self, at: Position) -> Option<Expr> {
        self.next += 1;
        let mut entries = Vec::new();
        while !self.is("}") {
            let is_optional = self.take("?").is_some();
            let key = self.expr(Place::Plain)?;
            self.expect(":")?;
            let expr = self.expr(Place::Plain)?;
            entries.push((key, Item { expr, is_optional }));
            if self.take(",").is_none() {
                break;
            }
        }
        if self.take("}").is_none() {
            return self.mismatched("{'}', ','}");
        }
        Some(Expr::new(at, Kind::Map(entries)))
    }
}

/// A tree of the terms in their order that is as flat as can be.
fn balance(mut terms: Vec<Expr>, marks: &[Position], mark: &str) -> Expr {
    if terms.len() < 2 {
        return terms.pop().expect("a junction has a term");
    }
    let middle = marks.len() / 2;
    let right = terms.split_off(middle + 1);
    let left = Box::new(balance(terms, &marks[..middle], mark));
    let right = Box::new(balance(right, &marks[middle + 1..], mark));
    let kind = if mark == "||" {
        Kind::Or(left, right)
    } else {
        Kind::And(left, right)
    };
    Expr::new(marks[middle], kind)
}
