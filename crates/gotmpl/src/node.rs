//! A parsed template: a tree without values, shared by all executions.
//!
//! Every node knows the offset of its token, and can be written as Go writes it: errors quote it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::number::Number;

/// A sequence of nodes.
pub(crate) type Nodes = Vec<Node>;

/// One template.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The name of the text that it was written in; a definition keeps that of its file.
    pub(crate) parse_name: Arc<str>,
    /// The whole text, which its texts are parts of; also for lines and columns.
    pub(crate) text: Arc<str>,
    pub(crate) root: Nodes,
}

impl Tree {
    /// Whether nothing but space and definitions is in it.
    pub(crate) fn is_empty(&self) -> bool {
        let is_blank = |text: &str| text.chars().all(crate::print::is_go_space);
        self.root
            .iter()
            .all(|node| matches!(node, Node::Text(part) if is_blank(&self.text[part.clone()])))
    }

    /// `NAME:LINE:COLUMN` of an offset.
    pub(crate) fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = match before.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => at - newline - 1,
            None => at,
        };
        format!("{}:{line}:{column}", self.parse_name)
    }
}

/// What a template does.
#[derive(Debug)]
pub(crate) enum Node {
    /// A part of the tree's text.
    Text(Range<usize>),
    Action(Pipe),
    // Most nodes are texts and actions; the large ones stand elsewhere.
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template {
        at: usize,
        name: Arc<str>,
        pipe: Option<Pipe>,
    },
    Break(usize),
    Continue(usize),
}

/// A condition or a list, and what to do with it.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) at: usize,
    pub(crate) pipe: Pipe,
    pub(crate) body: Nodes,
    pub(crate) otherwise: Option<Nodes>,
}

/// `$x := a | b | c`
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) variables: Vec<Arc<str>>,
    /// Whether the variables exist already.
    pub(crate) is_assignment: bool,
    pub(crate) commands: Vec<Command>,
}

/// A function or value, and arguments; never empty.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) arguments: Vec<Operand>,
}

/// Something that has a value, and where it is.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) at: usize,
    pub(crate) term: Term,
}

/// What has a value.
#[derive(Debug)]
pub(crate) enum Term {
    Bool(bool),
    Text {
        quoted: Arc<str>,
        text: Arc<str>,
    },
    Number(Box<Number>),
    Dot,
    Nil,
    /// `.a.b`
    Field(Vec<Arc<str>>),
    /// `$x.a.b`: the name with its sign, then fields.
    Variable(Vec<Arc<str>>),
    Identifier(Arc<str>),
    /// `(…).a.b`
    Chain(Box<Operand>, Vec<Arc<str>>),
    Pipe(Box<Pipe>),
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (number, command) in self.commands.iter().enumerate() {
            if number > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, argument) in self.arguments.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            write_in_parentheses(f, argument)?;
        }
        Ok(())
    }
}

fn write_in_parentheses(f: &mut fmt::Formatter<'_>, operand: &Operand) -> fmt::Result {
    match &operand.term {
        Term::Pipe(pipe) => write!(f, "({pipe})"),
        _ => write!(f, "{operand}"),
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Bool(value) => write!(f, "{value}"),
            Term::Text { quoted, .. } => f.write_str(quoted),
            Term::Number(number) => f.write_str(&number.text),
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            Term::Variable(names) => f.write_str(&names.join(".")),
            Term::Identifier(name) => f.write_str(name),
            Term::Chain(inner, names) => {
                write_in_parentheses(f, inner)?;
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Term::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl Node {
    /// As Go writes it, of this text; parts that no error quotes are left out.
    pub(crate) fn shown(&self, text: &str) -> String {
        match self {
            Node::Action(pipe) => format!("{{{{{pipe}}}}}"),
            Node::If(branch) => format!("{{{{if {}}}}}", branch.pipe),
            Node::With(branch) => format!("{{{{with {}}}}}", branch.pipe),
            Node::Range(branch) => format!("{{{{range {}}}}}", branch.pipe),
            Node::Template { name, pipe, .. } => match pipe {
                Some(pipe) => format!("{{{{template {} {pipe}}}}}", crate::quote(name)),
                None => format!("{{{{template {}}}}}", crate::quote(name)),
            },
            Node::Text(part) => text[part.clone()].to_owned(),
            Node::Break(_) => "{{break}}".to_owned(),
            Node::Continue(_) => "{{continue}}".to_owned(),
        }
    }
}
