//! A tree over values: what a template does.
//!
//! Read [`State`]: it walks nodes, and remembers at which one it is, as errors name it. What a
//! pipeline gives is a [`Slot`].

mod call;

use crate::error::{Error, Stage};
use crate::node::{Branch, Call, Command, Id, Node, Nodes, Operand, Pipe, Source, Term, Tree};
use crate::print;
use crate::session::Session;
use crate::slot::Slot;
use crate::templates::Templates;
use crate::value::Value;
use call::Arguments;

/// The execution that a function is called in.
pub struct Scope<'a> {
    templates: &'a Templates,
    session: &'a mut Session,
}

impl Scope<'_> {
    /// The templates at hand.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        self.templates
    }

    /// The render that this execution belongs to.
    pub fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Executes one of the templates at hand, within the limits of this execution.
    ///
    /// # Errors
    /// As [`Templates::execute`].
    pub fn execute(&mut self, name: &str, dot: &Value) -> std::result::Result<String, Error> {
        self.templates.execute_within(name, dot, self.session)
    }

    /// The same with templates of the caller's: those at hand and some more.
    ///
    /// # Errors
    /// As [`Templates::execute`].
    pub fn execute_of(
        &mut self,
        templates: &Templates,
        name: &str,
        dot: &Value,
    ) -> std::result::Result<String, Error> {
        templates.execute_within(name, dot, self.session)
    }
}

/// The node that errors name.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Node(Node),
    Pipe(Id<Pipe>),
    Command(Command),
    Operand(Operand),
}

/// How a list of nodes was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Result<T> = std::result::Result<T, String>;

/// One template at work.
pub(crate) struct State<'t> {
    templates: &'t Templates,
    name: &'t str,
    source: &'t Source,
    root: Nodes,
    variables: Vec<(&'t str, Slot)>,
    place: Place,
    pub(crate) out: String,
    session: &'t mut Session,
}

impl<'t> State<'t> {
    /// The execution of a tree.
    pub(crate) fn new(
        templates: &'t Templates,
        (name, tree): (&'t str, &'t Tree),
        session: &'t mut Session,
    ) -> Self {
        State {
            templates,
            name,
            source: &tree.source,
            root: tree.root,
            variables: Vec::new(),
            place: Place::Start,
            out: String::new(),
            session,
        }
    }

    /// Executes the tree; what was written is in `out`, also when it fails.
    pub(crate) fn run(&mut self, dot: &Value) -> std::result::Result<(), Error> {
        let dot = Slot::plain(dot.clone());
        self.whole(&dot).map_err(|text| Error {
            stage: Stage::Execute,
            text,
            partial_output: std::mem::take(&mut self.out),
        })
    }

    fn whole(&mut self, dot: &Slot) -> Result<()> {
        self.variables = vec![("$", dot.clone())];
        self.nodes(dot, self.root).map(|_| ())
    }

    /// An error at the node at hand, in Go's form.
    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T> {
        let text = text.as_ref();
        let source = self.source;
        let (at, shown) = match self.place {
            Place::Start => return Err(format!("template: {}: {text}", self.name)),
            Place::Node(node) => (source.start_of(node), source.node_shown(node)),
            Place::Pipe(pipe) => (source.pipes.one(pipe).at, source.shown(pipe).to_string()),
            Place::Command(command) => {
                let first = source.operands.first(command);
                (first.at, source.shown(command).to_string())
            }
            Place::Operand(operand) => (operand.at, source.shown(operand).to_string()),
        };
        let (place, name) = (source.place(at), crate::quote(self.name));
        Err(format!(
            "template: {place}: executing {name} at <{shown}>: {text}"
        ))
    }

    fn step(&mut self) -> Result<()> {
        match self.session.n_steps.checked_sub(1) {
            Some(left) => self.session.n_steps = left,
            None => return self.fail("the template takes too many steps"),
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match self.session.n_bytes.checked_sub(text.len()) {
            Some(left) => self.session.n_bytes = left,
            None => return self.fail("the template writes too much"),
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, dot: &Slot, nodes: Nodes) -> Result<Flow> {
        for node in self.source.nodes.all(nodes) {
            let flow = self.node(dot, *node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, dot: &Slot, node: Node) -> Result<Flow> {
        self.place = Place::Node(node);
        self.step()?;
        match node {
            Node::Text(part) => self.write(self.source.part(part))?,
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if self.source.pipes.one(pipe).variables.is_empty() {
                    self.place = Place::Node(node);
                    self.print(value, node)?;
                }
            }
            Node::If(branch) => return self.condition(dot, branch, |_, dot| dot),
            Node::With(branch) => return self.condition(dot, branch, |value, _| value),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template(call) => self.template(dot, self.source.calls.one(call))?,
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn print(&mut self, value: Slot, node: Node) -> Result<()> {
        match value {
            Slot::Absent => self.write("<no value>"),
            Slot::Plain(Value::Text(text)) => self.write(&text),
            Slot::Plain(Value::Function(function)) => {
                let shown = self.source.node_shown(node);
                self.fail(format!(
                    "can't print {shown} of type {}",
                    function.type_name()
                ))
            }
            Slot::Plain(value) | Slot::Boxed(value) => {
                let mut text = String::new();
                print::print_value(&mut text, &value);
                self.write(&text)
            }
        }
    }

    fn condition(
        &mut self,
        dot: &Slot,
        branch: Id<Branch>,
        inner: impl for<'d> Fn(&'d Slot, &'d Slot) -> &'d Slot,
    ) -> Result<Flow> {
        let branch = self.source.branches.one(branch);
        let n_variables = self.variables.len();
        let value = self.pipe(dot, branch.pipe)?;
        let flow = match (branch.otherwise, value.is_true()) {
            (_, true) => self.nodes(inner(&value, dot), branch.body)?,
            (Some(otherwise), false) => self.nodes(dot, otherwise)?,
            (None, false) => Flow::On,
        };
        self.variables.truncate(n_variables);
        Ok(flow)
    }

    fn range(&mut self, dot: &Slot, branch: Id<Branch>) -> Result<Flow> {
        let branch = self.source.branches.one(branch);
        let pipe = self.source.pipes.one(branch.pipe);
        let n_variables = self.variables.len();
        let value = self.pipe(dot, branch.pipe)?.into_value();
        let has_run = match value.underlying().as_ref() {
            Value::List(list) => {
                let element = list.element();
                let items = list.items().iter().enumerate().map(|(number, item)| {
                    let index = Value::int(i64::try_from(number).unwrap_or(i64::MAX));
                    (Slot::plain(index), Slot::element(item.clone(), element))
                });
                self.iterate(branch, items)?
            }
            Value::Map(map) => {
                let element = map.element();
                let items = map.entries().into_iter().map(|(key, item)| {
                    (Slot::plain(Value::Text(key)), Slot::element(item, element))
                });
                self.iterate(branch, items)?
            }
            Value::Integer(number, width) => {
                if pipe.variables.len() > 1 {
                    return self.fail(format!(
                        "can't use {number} to iterate over more than one variable"
                    ));
                }
                let items = (0..*number)
                    .map(|number| (Slot::Absent, Slot::Plain(Value::Integer(number, *width))));
                self.iterate(branch, items)?
            }
            Value::Nil => false,
            other => {
                let shown = print::sprint(std::slice::from_ref(other));
                return self.fail(format!("range can't iterate over {shown}"));
            }
        };
        let flow = match branch.otherwise {
            Some(otherwise) if !has_run => self.nodes(dot, otherwise)?,
            _ => Flow::On,
        };
        self.variables.truncate(n_variables);
        Ok(flow)
    }

    /// Runs the body for each element; gives whether there was one.
    fn iterate(
        &mut self,
        branch: &'t Branch,
        items: impl Iterator<Item = (Slot, Slot)>,
    ) -> Result<bool> {
        let n_variables = self.variables.len();
        let mut has_run = false;
        for (index, item) in items {
            has_run = true;
            self.step()?;
            self.bind(branch.pipe, index, &item);
            let flow = self.nodes(&item, branch.body)?;
            self.variables.truncate(n_variables);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(has_run)
    }

    /// Gives the variables of a range their values for one round: with one it is the element, with
    /// two the first is the index.
    fn bind(&mut self, pipe: Id<Pipe>, index: Slot, item: &Slot) {
        let pipe = self.source.pipes.one(pipe);
        let both = [index, item.clone()];
        let values = match pipe.variables.len() {
            0 => return,
            1 => &both[1..],
            _ => &both[..],
        };
        if pipe.is_assignment {
            let names = self.source.variables.all(pipe.variables);
            for (name, value) in names.iter().zip(values) {
                self.assign(self.source.part(*name), value);
            }
            return;
        }
        let start = self.variables.len() - values.len();
        for (variable, value) in self.variables[start..].iter_mut().zip(values) {
            variable.1 = value.clone();
        }
    }

    fn assign(&mut self, name: &str, value: &Slot) {
        let is_it = |(known, _): &&mut (&str, Slot)| *known == name;
        if let Some(variable) = self.variables.iter_mut().rev().find(is_it) {
            variable.1 = value.clone();
        }
    }

    fn template(&mut self, dot: &Slot, call: &Call) -> Result<()> {
        let place = self.place;
        let name = self.source.literal(call.name);
        let Some(tree) = self.templates.tree(name) else {
            return self.fail(format!("template {} not defined", crate::quote(name)));
        };
        let dot = match call.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Slot::Absent,
        };
        let Some(depth) = self.session.depth.checked_sub(1) else {
            self.place = place;
            let limit = self.templates.limits().depth;
            return self.fail(format!("exceeded maximum template depth ({limit})"));
        };
        self.session.depth = depth;
        let mut inner = State {
            templates: self.templates,
            name,
            source: &tree.source,
            root: tree.root,
            variables: Vec::new(),
            place,
            out: std::mem::take(&mut self.out),
            session: self.session,
        };
        let result = inner.whole(&dot);
        self.out = inner.out;
        self.session.depth += 1;
        result
    }

    fn pipe(&mut self, dot: &Slot, id: Id<Pipe>) -> Result<Slot> {
        self.place = Place::Pipe(id);
        let pipe = self.source.pipes.one(id);
        let mut value: Option<Slot> = None;
        for command in self.source.commands.all(pipe.commands) {
            let next = self.command(dot, *command, value.as_ref())?;
            value = Some(next.unboxed());
        }
        let value = value.unwrap_or(Slot::Absent);
        for name in self.source.variables.all(pipe.variables) {
            let name = self.source.part(*name);
            if pipe.is_assignment {
                self.assign(name, &value);
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Slot, command: Command, last: Option<&Slot>) -> Result<Slot> {
        let operands = self.source.operands.all(command);
        let first = operands[0];
        let arguments = Arguments {
            nodes: operands,
            last,
        };
        match first.term {
            Term::Field(chain) => self.field(dot, (first, chain), arguments),
            Term::Chain(inner, chain) => self.chain(dot, first, (inner, chain), arguments),
            Term::Identifier(name) => {
                self.place = Place::Operand(first);
                self.function(dot, name, Place::Command(command), arguments)
            }
            Term::Pipe(pipe) => {
                self.no_function(first, arguments)?;
                self.pipe(dot, pipe)
            }
            Term::Variable(chain) => self.variable(dot, (first, chain), arguments),
            _ => {
                self.place = Place::Operand(first);
                self.no_function(first, arguments)?;
                match first.term {
                    Term::Nil => self.fail("nil is not a command"),
                    _ => self.constant(dot, first),
                }
            }
        }
    }

    /// A literal or the dot.
    fn constant(&mut self, dot: &Slot, operand: Operand) -> Result<Slot> {
        match operand.term {
            Term::Bool(value) => Ok(Slot::Plain(Value::Bool(value))),
            Term::Text(_, text) => Ok(Slot::Plain(Value::text(self.source.literal(text)))),
            Term::Dot => Ok(dot.clone()),
            Term::Number(number) => match self.source.numbers.one(number).ideal() {
                Ok(value) => Ok(Slot::Plain(value)),
                Err(problem) => self.fail(problem),
            },
            _ => self.fail(format!(
                "can't evaluate command {}",
                crate::quote(&self.source.shown(operand).to_string())
            )),
        }
    }
}
