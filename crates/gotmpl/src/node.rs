//! A parsed text: trees without values, shared by all executions.
//!
//! Read [`Source`]: all nodes of a text stand in a few flat lists, one for each kind, and name each
//! other by their places; names and texts are parts of the text itself. So parsing allocates next to
//! nothing. Every node knows the offset of its token, and can be written as Go writes it: errors
//! quote it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::number::Number;

/// A part of a text: offsets of its first byte and of the one behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The part of the text that it was made for.
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    /// From here to the end of `last`.
    pub(crate) fn up_to(self, last: Span) -> Span {
        Span {
            start: self.start,
            end: last.end,
        }
    }
}

/// The place of one item in the list of its kind.
pub(crate) struct Id<T>(u32, PhantomData<fn() -> T>);

/// The places of items that follow each other in the list of their kind.
pub(crate) struct List<T> {
    start: u32,
    end: u32,
    of: PhantomData<fn() -> T>,
}

// Derived ones would ask the same of what is listed.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for List<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}..{}", self.start, self.end)
    }
}

impl<T> List<T> {
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// All items of one kind.
#[derive(Debug)]
pub(crate) struct Items<T>(Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Items(Vec::new())
    }
}

impl<T: Clone> Items<T> {
    /// Adds what `open` holds from a place on, which is taken out of it.
    pub(crate) fn take(&mut self, open: &mut Vec<T>, from: usize) -> List<T> {
        let start = self.n_items();
        self.0.extend_from_slice(&open[from..]);
        open.truncate(from);
        List {
            start,
            end: self.n_items(),
            of: PhantomData,
        }
    }
}

impl<T> Items<T> {
    /// How many there are. A text has fewer than 2^32 bytes, and each item takes one at least.
    fn n_items(&self) -> u32 {
        self.0.len() as u32
    }

    pub(crate) fn add(&mut self, item: T) -> Id<T> {
        let id = Id(self.n_items(), PhantomData);
        self.0.push(item);
        id
    }

    pub(crate) fn one(&self, id: Id<T>) -> &T {
        &self.0[id.0 as usize]
    }

    pub(crate) fn all(&self, list: List<T>) -> &[T] {
        &self.0[list.start as usize..list.end as usize]
    }

    pub(crate) fn first(&self, list: List<T>) -> &T {
        &self.0[list.start as usize]
    }
}

/// What a text was parsed to: its own template and all that it defines.
#[derive(Debug)]
pub(crate) struct Source {
    /// The name of the text; a definition keeps it, wherever it is called.
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    pub(crate) nodes: Items<Node>,
    pub(crate) branches: Items<Branch>,
    pub(crate) calls: Items<Call>,
    pub(crate) pipes: Items<Pipe>,
    pub(crate) commands: Items<Command>,
    pub(crate) operands: Items<Operand>,
    pub(crate) variables: Items<Span>,
    pub(crate) numbers: Items<Number>,
    /// What literals with escapes stand for.
    pub(crate) texts: Items<Arc<str>>,
}

/// One template.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) source: Arc<Source>,
    pub(crate) root: Nodes,
    /// Whether nothing but space and definitions is in it.
    pub(crate) is_empty: bool,
}

/// A sequence of nodes.
pub(crate) type Nodes = List<Node>;

/// What a template does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Text(Span),
    Action(Id<Pipe>),
    If(Id<Branch>),
    With(Id<Branch>),
    Range(Id<Branch>),
    Template(Id<Call>),
    Break(u32),
    Continue(u32),
}

/// A condition or a list, and what to do with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) at: u32,
    pub(crate) pipe: Id<Pipe>,
    pub(crate) body: Nodes,
    pub(crate) otherwise: Option<Nodes>,
}

/// `template "name" pipe`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) at: u32,
    pub(crate) name: Literal,
    pub(crate) pipe: Option<Id<Pipe>>,
}

/// `$x := a | b | c`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipe {
    pub(crate) at: u32,
    pub(crate) variables: List<Span>,
    /// Whether the variables exist already.
    pub(crate) is_assignment: bool,
    pub(crate) commands: List<Command>,
}

/// A function or value, and arguments; never empty.
pub(crate) type Command = List<Operand>;

/// Something that has a value, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub(crate) at: u32,
    pub(crate) term: Term,
}

/// What has a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Term {
    Bool(bool),
    /// A literal as it is quoted, and what it stands for.
    Text(Span, Literal),
    Number(Id<Number>),
    Dot,
    Nil,
    /// `.a.b`
    Field(Span),
    /// `$x.a.b`
    Variable(Span),
    Identifier(Span),
    /// `(…).a.b`
    Chain(Id<Operand>, Span),
    Pipe(Id<Pipe>),
}

/// What a quoted text stands for: what is between the quotes, or something that was made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Literal {
    Part(Span),
    Made(Id<Arc<str>>),
}

/// The first name in `.a.b`, and the chain behind it; `None` at its end.
pub(crate) fn first_name(chain: &str) -> Option<(&str, &str)> {
    chain.strip_prefix('.').map(up_to_dot)
}

/// What stands before the next dot, and the chain from there on.
pub(crate) fn up_to_dot(chain: &str) -> (&str, &str) {
    // Names are short: looking for the dot in many bytes at once does not pay.
    let dot = chain.bytes().position(|byte| byte == b'.');
    chain.split_at(dot.unwrap_or(chain.len()))
}

impl Source {
    /// Nothing was parsed yet.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Source {
            name: name.into(),
            text: text.into(),
            nodes: Items::default(),
            branches: Items::default(),
            calls: Items::default(),
            pipes: Items::default(),
            commands: Items::default(),
            operands: Items::default(),
            variables: Items::default(),
            numbers: Items::default(),
            texts: Items::default(),
        }
    }

    /// A part of the text.
    pub(crate) fn part(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    /// The text that a literal stands for.
    pub(crate) fn literal(&self, literal: Literal) -> &str {
        match literal {
            Literal::Part(span) => self.part(span),
            Literal::Made(text) => self.texts.one(text),
        }
    }

    /// `NAME:LINE:COLUMN` of an offset.
    pub(crate) fn place(&self, at: u32) -> String {
        let line_break = self.before(at).iter().rposition(|byte| *byte == b'\n');
        let column = at as usize - line_break.map_or(0, |line_break| line_break + 1);
        format!("{}:{}:{column}", self.name, self.line(at))
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, at: u32) -> usize {
        1 + memchr::memchr_iter(b'\n', self.before(at)).count()
    }

    fn before(&self, at: u32) -> &[u8] {
        &self.text.as_bytes()[..at as usize]
    }

    /// The offset that errors name.
    pub(crate) fn start_of(&self, node: Node) -> u32 {
        match node {
            Node::Text(_) => 0,
            Node::Action(pipe) => self.pipes.one(pipe).at,
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                self.branches.one(branch).at
            }
            Node::Template(call) => self.calls.one(call).at,
            Node::Break(at) | Node::Continue(at) => at,
        }
    }

    /// Something of this text as Go writes it.
    pub(crate) fn shown<T>(&self, what: T) -> Shown<'_, T> {
        Shown(self, what)
    }

    /// A node as Go writes it; parts that no error quotes are left out.
    pub(crate) fn node_shown(&self, node: Node) -> String {
        let control = |word: &str, branch| {
            let pipe = self.branches.one(branch).pipe;
            format!("{{{{{word} {}}}}}", self.shown(pipe))
        };
        match node {
            Node::Action(pipe) => format!("{{{{{}}}}}", self.shown(pipe)),
            Node::If(branch) => control("if", branch),
            Node::With(branch) => control("with", branch),
            Node::Range(branch) => control("range", branch),
            Node::Template(call) => {
                let call = self.calls.one(call);
                let name = crate::quote(self.literal(call.name));
                match call.pipe {
                    Some(pipe) => format!("{{{{template {name} {}}}}}", self.shown(pipe)),
                    None => format!("{{{{template {name}}}}}"),
                }
            }
            Node::Text(part) => self.part(part).to_owned(),
            Node::Break(_) => "{{break}}".to_owned(),
            Node::Continue(_) => "{{continue}}".to_owned(),
        }
    }
}

/// A part of a tree as Go writes it.
pub(crate) struct Shown<'s, T>(&'s Source, T);

impl fmt::Display for Shown<'_, Id<Pipe>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(source, pipe) = *self;
        let pipe = source.pipes.one(pipe);
        let variables = source.variables.all(pipe.variables);
        for (number, variable) in variables.iter().enumerate() {
            let before = if number > 0 { ", " } else { "" };
            write!(f, "{before}{}", source.part(*variable))?;
        }
        if !variables.is_empty() {
            let sign = if pipe.is_assignment { "=" } else { ":=" };
            write!(f, " {sign} ")?;
        }
        for (number, command) in source.commands.all(pipe.commands).iter().enumerate() {
            let before = if number > 0 { " | " } else { "" };
            write!(f, "{before}{}", source.shown(*command))?;
        }
        Ok(())
    }
}

impl fmt::Display for Shown<'_, Command> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(source, command) = *self;
        for (number, argument) in source.operands.all(command).iter().enumerate() {
            let before = if number > 0 { " " } else { "" };
            f.write_str(before)?;
            write_in_parentheses(f, source, *argument)?;
        }
        Ok(())
    }
}

fn write_in_parentheses(
    f: &mut fmt::Formatter<'_>,
    source: &Source,
    operand: Operand,
) -> fmt::Result {
    match operand.term {
        Term::Pipe(pipe) => write!(f, "({})", source.shown(pipe)),
        _ => write!(f, "{}", source.shown(operand)),
    }
}

impl fmt::Display for Shown<'_, Operand> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(source, operand) = *self;
        match operand.term {
            Term::Bool(value) => write!(f, "{value}"),
            Term::Text(quoted, _) => f.write_str(source.part(quoted)),
            Term::Number(number) => f.write_str(&source.numbers.one(number).text),
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Field(part) | Term::Variable(part) | Term::Identifier(part) => {
                f.write_str(source.part(part))
            }
            Term::Chain(inner, names) => {
                write_in_parentheses(f, source, *source.operands.one(inner))?;
                f.write_str(source.part(names))
            }
            Term::Pipe(pipe) => write!(f, "{}", source.shown(pipe)),
        }
    }
}
