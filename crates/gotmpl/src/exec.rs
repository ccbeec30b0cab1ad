//! A tree over values: what a template does.
//!
//! Read [`State`]: it walks nodes, and remembers at which one it is, as errors name it. What a
//! pipeline gives is a [`Slot`].

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use crate::builtins;
use crate::error::{Error, Stage};
use crate::function::{Signature, Type};
use crate::node::{Branch, Command, Node, Nodes, Operand, Pipe, Term, Tree};
use crate::object::Member;
use crate::print;
use crate::session::Session;
use crate::slot::Slot;
use crate::templates::{MissingKey, Templates};
use crate::value::{Element, Text, Value, Width};

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
enum Place<'t> {
    Start,
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

/// How a list of nodes was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// The arguments of a call: the first is what is called.
#[derive(Clone, Copy)]
struct Arguments<'t, 'v> {
    nodes: &'t [Operand],
    /// What comes out of the command before.
    last: Option<&'v Slot>,
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

type Result<T> = std::result::Result<T, String>;

/// One template at work.
pub(crate) struct State<'t> {
    templates: &'t Templates,
    name: &'t str,
    tree: &'t Tree,
    variables: Vec<(Text, Slot)>,
    place: Place<'t>,
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
            tree,
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
        let tree = self.tree;
        static ROOT: LazyLock<Text> = LazyLock::new(|| "$".into());
        self.variables = vec![(ROOT.clone(), dot.clone())];
        self.nodes(dot, &tree.root).map(|_| ())
    }

    /// An error at the node at hand, in Go's form.
    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T> {
        let text = text.as_ref();
        let (at, shown) = match self.place {
            Place::Start => return Err(format!("template: {}: {text}", self.name)),
            Place::Node(node) => (start_of(node), node.shown()),
            Place::Pipe(pipe) => (pipe.at, pipe.to_string()),
            Place::Command(command) => (command.arguments[0].at, command.to_string()),
            Place::Operand(operand) => (operand.at, operand.to_string()),
        };
        let (place, name) = (self.tree.place(at), crate::quote(self.name));
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

    fn nodes(&mut self, dot: &Slot, nodes: &'t Nodes) -> Result<Flow> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, dot: &Slot, node: &'t Node) -> Result<Flow> {
        self.place = Place::Node(node);
        self.step()?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.place = Place::Node(node);
                    self.print(value, node)?;
                }
            }
            Node::If(branch) => return self.condition(dot, branch, |_, dot| dot),
            Node::With(branch) => return self.condition(dot, branch, |value, _| value),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { name, pipe, .. } => self.template(dot, name, pipe.as_ref())?,
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn print(&mut self, value: Slot, node: &'t Node) -> Result<()> {
        match value {
            Slot::Absent => self.write("<no value>"),
            Slot::Plain(Value::Text(text)) => self.write(&text),
            Slot::Plain(Value::Function(function)) => {
                let shown = node.shown();
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
        branch: &'t Branch,
        inner: impl for<'d> Fn(&'d Slot, &'d Slot) -> &'d Slot,
    ) -> Result<Flow> {
        let n_variables = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match (&branch.otherwise, value.is_true()) {
            (_, true) => self.nodes(inner(&value, dot), &branch.body)?,
            (Some(otherwise), false) => self.nodes(dot, otherwise)?,
            (None, false) => Flow::On,
        };
        self.variables.truncate(n_variables);
        Ok(flow)
    }

    fn range(&mut self, dot: &Slot, branch: &'t Branch) -> Result<Flow> {
        let n_variables = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?.into_value();
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
                if branch.pipe.variables.len() > 1 {
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
        let flow = match &branch.otherwise {
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
            self.bind(&branch.pipe, index, &item);
            let flow = self.nodes(&item, &branch.body)?;
            self.variables.truncate(n_variables);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(has_run)
    }

    /// Gives the variables of a range their values for one round: with one it is the element, with
    /// two the first is the index.
    fn bind(&mut self, pipe: &Pipe, index: Slot, item: &Slot) {
        let both = [index, item.clone()];
        let values = match pipe.variables.len() {
            0 => return,
            1 => &both[1..],
            _ => &both[..],
        };
        if pipe.is_assignment {
            for (name, value) in pipe.variables.iter().zip(values) {
                self.assign(name, value);
            }
            return;
        }
        let start = self.variables.len() - values.len();
        for (variable, value) in self.variables[start..].iter_mut().zip(values) {
            variable.1 = value.clone();
        }
    }

    fn assign(&mut self, name: &str, value: &Slot) {
        let is_it = |(known, _): &&mut (Text, Slot)| **known == *name;
        if let Some(variable) = self.variables.iter_mut().rev().find(is_it) {
            variable.1 = value.clone();
        }
    }

    fn template(&mut self, dot: &Slot, name: &'t Arc<str>, pipe: Option<&'t Pipe>) -> Result<()> {
        let place = self.place;
        let Some(tree) = self.templates.tree(name) else {
            return self.fail(format!("template {} not defined", crate::quote(name)));
        };
        let dot = match pipe {
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
            tree,
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

    fn pipe(&mut self, dot: &Slot, pipe: &'t Pipe) -> Result<Slot> {
        self.place = Place::Pipe(pipe);
        let mut value: Option<Slot> = None;
        for command in &pipe.commands {
            let next = self.command(dot, command, value.as_ref())?;
            value = Some(next.unboxed());
        }
        let value = value.unwrap_or(Slot::Absent);
        for name in &pipe.variables {
            if pipe.is_assignment {
                self.assign(name, &value);
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Slot, command: &'t Command, last: Option<&Slot>) -> Result<Slot> {
        let first = &command.arguments[0];
        let arguments = Arguments {
            nodes: &command.arguments,
            last,
        };
        match &first.term {
            Term::Field(names) => self.field(dot, (first, names), arguments),
            Term::Chain(inner, names) => self.chain(dot, first, (inner, names), arguments),
            Term::Identifier(name) => {
                self.place = Place::Operand(first);
                self.function(dot, name, Place::Command(command), arguments)
            }
            Term::Pipe(pipe) => {
                self.no_function(first, arguments)?;
                self.pipe(dot, pipe)
            }
            Term::Variable(names) => self.variable(dot, (first, names), arguments),
            _ => {
                self.place = Place::Operand(first);
                self.no_function(first, arguments)?;
                match &first.term {
                    Term::Nil => self.fail("nil is not a command"),
                    _ => self.constant(dot, first),
                }
            }
        }
    }

    /// A literal or the dot.
    fn constant(&mut self, dot: &Slot, operand: &'t Operand) -> Result<Slot> {
        match &operand.term {
            Term::Bool(value) => Ok(Slot::Plain(Value::Bool(*value))),
            Term::Text { text, .. } => Ok(Slot::Plain(Value::Text(text.clone()))),
            Term::Dot => Ok(dot.clone()),
            Term::Number(number) => match number.ideal() {
                Ok(value) => Ok(Slot::Plain(value)),
                Err(problem) => self.fail(problem),
            },
            _ => self.fail(format!(
                "can't evaluate command {}",
                crate::quote(&operand.to_string())
            )),
        }
    }

    fn no_function(&self, first: &Operand, arguments: Arguments<'_, '_>) -> Result<()> {
        if arguments.is_empty() {
            return Ok(());
        }
        self.fail(format!("can't give argument to non-function {first}"))
    }

    fn field(
        &mut self,
        dot: &Slot,
        (operand, names): (&'t Operand, &'t [Text]),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        self.fields(dot, dot.clone(), names, arguments)
    }

    fn chain(
        &mut self,
        dot: &Slot,
        operand: &'t Operand,
        (inner, names): (&'t Operand, &'t [Text]),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        if let Term::Nil = inner.term {
            return self.fail(format!("indirection through explicit nil in {operand}"));
        }
        let receiver = self.argument(dot, None, inner)?;
        self.fields(dot, receiver, names, arguments)
    }

    fn variable(
        &mut self,
        dot: &Slot,
        (operand, names): (&'t Operand, &'t [Text]),
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.place = Place::Operand(operand);
        let is_it = |(known, _): &&(Text, Slot)| *known == names[0];
        let Some((_, value)) = self.variables.iter().rev().find(is_it) else {
            return self.fail(format!("undefined variable: {}", names[0]));
        };
        let value = value.clone();
        if names.len() == 1 {
            self.no_function(operand, arguments)?;
            return Ok(value);
        }
        self.fields(dot, value, &names[1..], arguments)
    }

    fn fields(
        &mut self,
        dot: &Slot,
        mut receiver: Slot,
        names: &'t [Text],
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        let last = names.len().saturating_sub(1);
        for (number, name) in names.iter().enumerate() {
            let arguments = if number == last {
                arguments
            } else {
                Arguments::NONE
            };
            receiver = self.member(dot, &receiver, name, arguments)?;
        }
        Ok(receiver)
    }

    /// A key of a map, or a field or method of an object.
    fn member(
        &mut self,
        dot: &Slot,
        receiver: &Slot,
        name: &Text,
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

    fn function(
        &mut self,
        dot: &Slot,
        name: &'t str,
        caller: Place<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
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
        (name, signature, caller): (&str, Signature<'_>, Place<'t>),
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
            values.push(self.argument(dot, Some(function.wanted(number)), node)?);
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
        caller: Place<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        self.check_count(name, (1, true), arguments)?;
        if name == "call" {
            return self.call(dot, caller, arguments);
        }
        let mut value = Slot::Absent;
        for node in arguments.given() {
            value = self.argument(dot, Some(Type::Reflect), node)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(arguments.last.cloned().unwrap_or(value))
    }

    fn call(
        &mut self,
        dot: &Slot,
        caller: Place<'t>,
        arguments: Arguments<'t, '_>,
    ) -> Result<Slot> {
        let mut values = Vec::new();
        for node in arguments.given() {
            values.push(self.argument(dot, Some(Type::Reflect), node)?);
        }
        values.extend(arguments.last.cloned());
        let callee = match arguments.given().first() {
            Some(node) => node.to_string(),
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
    fn argument(&mut self, dot: &Slot, wanted: Option<Type>, operand: &'t Operand) -> Result<Slot> {
        self.place = Place::Operand(operand);
        let value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => return self.nil(wanted),
            Term::Field(names) => self.field(dot, (operand, names), Arguments::NONE)?,
            Term::Variable(names) => self.variable(dot, (operand, names), Arguments::NONE)?,
            Term::Pipe(pipe) => self.pipe(dot, pipe)?,
            Term::Identifier(name) => {
                self.function(dot, name, Place::Operand(operand), Arguments::NONE)?
            }
            Term::Chain(inner, names) => {
                self.chain(dot, operand, (inner, names), Arguments::NONE)?
            }
            Term::Bool(_) | Term::Text { .. } | Term::Number(_) => {
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
    fn literal(&mut self, dot: &Slot, wanted: Option<Type>, operand: &'t Operand) -> Result<Slot> {
        let value = match (&operand.term, wanted) {
            (_, None | Some(Type::Any | Type::Reflect)) => return self.constant(dot, operand),
            (Term::Bool(value), Some(Type::Bool)) => Value::Bool(*value),
            (Term::Text { text, .. }, Some(Type::Text)) => Value::Text(text.clone()),
            (Term::Number(number), Some(Type::Int)) if let Some(integer) = number.integer => {
                Value::int(integer)
            }
            (Term::Number(number), Some(Type::Int64)) if let Some(integer) = number.integer => {
                Value::int64(integer)
            }
            (Term::Number(number), Some(Type::Float)) if let Some(float) = number.float => {
                Value::Float(float)
            }
            (Term::Number(number), Some(Type::Uint32)) if let Some(unsigned) = number.unsigned => {
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
                        let name = wanted.name();
                        return self.fail(format!("can't handle {operand} for arg of type {name}"));
                    }
                };
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

fn start_of(node: &Node) -> usize {
    match node {
        Node::Text(_) => 0,
        Node::Action(pipe) => pipe.at,
        Node::If(branch) | Node::With(branch) | Node::Range(branch) => branch.at,
        Node::Template { at, .. } | Node::Break(at) | Node::Continue(at) => *at,
    }
}
