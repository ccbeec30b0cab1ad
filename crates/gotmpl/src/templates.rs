//! Parsed templates under their names. Read [`Templates`].

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::builtins;
use crate::error::{Error, Stage};
use crate::exec::State;
use crate::function::{Function, Functions};
use crate::lex::Delimiters;
use crate::memory::Memory;
use crate::node::Tree;
use crate::parse::parse;
use crate::session::Session;
use crate::value::Value;

/// What a key means that a map does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value, which is printed as `<no value>`.
    #[default]
    Invalid,
    /// The zero value of the map's elements.
    Zero,
    /// An error.
    Error,
}

/// What one execution may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes, rounds of a range and calls of functions.
    pub n_steps: u64,
    /// Bytes of output.
    pub n_bytes: usize,
    /// Templates inside templates; each takes some of the thread's stack.
    pub depth: usize,
}

impl Limits {
    /// The stack that a thread needs for the default depth, in a build without optimisation too.
    pub const STACK_BYTES: usize = 64 << 20;
}

impl Default for Limits {
    /// Far above what charts need: the largest public ones take some 100,000 steps.
    fn default() -> Self {
        Limits {
            n_steps: 100_000_000,
            n_bytes: 256 << 20,
            depth: 1_000,
        }
    }
}

/// A parsed text: its own template and those that it defines. Cheap to clone.
#[derive(Clone)]
pub struct Parsed(Arc<[(Arc<str>, Tree)]>);

type Trees = HashMap<Arc<str>, Tree>;

/// Templates that can call each other, and the functions that they may call. Cheap to clone: what
/// is parsed is shared.
#[derive(Clone)]
pub struct Templates {
    /// Those that clones share, below those of this one alone.
    base: Arc<Trees>,
    trees: Trees,
    functions: Arc<Functions>,
    delimiters: Delimiters,
    missing_key: MissingKey,
    limits: Limits,
    memory: Arc<Memory>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.base.keys().chain(self.trees.keys()).collect();
        names.sort();
        names.dedup();
        f.debug_list().entries(names).finish()
    }
}

impl Templates {
    /// No template yet; these functions, beside those that Go builds in.
    #[must_use]
    pub fn new(functions: Arc<Functions>) -> Self {
        Templates {
            base: Arc::default(),
            trees: HashMap::new(),
            functions,
            delimiters: Delimiters::default(),
            missing_key: MissingKey::default(),
            limits: Limits::default(),
            memory: Arc::default(),
        }
    }

    /// With other functions of the same names, which may know more of what is executed.
    #[must_use]
    pub fn with_functions(mut self, functions: Arc<Functions>) -> Self {
        self.functions = functions;
        self
    }

    /// With other delimiters of actions; empty ones mean `{{` and `}}`.
    #[must_use]
    pub fn with_delimiters(mut self, left: &str, right: &str) -> Self {
        let default = Delimiters::default();
        let or = |text: &str, default: String| match text {
            "" => default,
            text => text.to_owned(),
        };
        self.delimiters = Delimiters {
            left: or(left, default.left),
            right: or(right, default.right),
        };
        self
    }

    /// With another meaning of missing keys.
    #[must_use]
    pub fn with_missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Parses a text and adds it under its name, and what it defines. One of a known name replaces
    /// it, unless nothing is in it.
    ///
    /// # Errors
    /// With [`Stage::Parse`], in Go's words: `template: NAME:LINE: …`.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let parsed = self.parse_apart(name, text)?;
        self.add(&parsed);
        Ok(())
    }

    /// Parses a text for the functions and delimiters of these templates; what it gives can be added
    /// to many.
    ///
    /// # Errors
    /// As [`Templates::parse`].
    pub fn parse_apart(&self, name: &str, text: &str) -> Result<Parsed, Error> {
        let is_function =
            |name: &str| builtins::SPECIAL.contains(&name) || self.function(name).is_some();
        let trees = parse(name, text, &self.delimiters, &is_function)?;
        Ok(Parsed(trees.into()))
    }

    /// As [`Templates::add`], where the text's own template is new: it replaces one of its name also
    /// when nothing is in it.
    pub fn add_anew(&mut self, parsed: &Parsed, name: &str) {
        self.add(parsed);
        if let Some((name, tree)) = parsed.0.iter().find(|(known, _)| **known == *name) {
            self.trees.insert(name.clone(), tree.clone());
        }
    }

    /// Adds what was parsed apart, as [`Templates::parse`] does.
    pub fn add(&mut self, parsed: &Parsed) {
        for (name, tree) in &*parsed.0 {
            if !(tree.is_empty && self.contains(name)) {
                self.trees.insert(name.clone(), tree.clone());
            }
        }
    }

    /// The same, with all templates that are there shared by the clones: a clone then costs what is
    /// added to it later, however many there are.
    #[must_use]
    pub fn shared(mut self) -> Self {
        let mut all = std::mem::take(&mut self.base);
        let own = std::mem::take(&mut self.trees);
        Arc::make_mut(&mut all).extend(own);
        self.base = all;
        self
    }

    fn find(&self, name: &str) -> Option<(&Arc<str>, &Tree)> {
        let own = self.trees.get_key_value(name);
        own.or_else(|| self.base.get_key_value(name))
    }

    /// Whether there is a template of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Executes a template over a value.
    ///
    /// # Errors
    /// With [`Stage::Execute`], in Go's words: `template: NAME:LINE:COLUMN: executing "NAME" at
    /// <…>: …`; also when a limit is reached.
    pub fn execute(&self, name: &str, dot: &Value) -> Result<String, Error> {
        self.execute_in(name, dot, &mut Session::new(self.limits))
    }

    /// Executes a template over a value as a part of a render, whose limits, time and randomness it
    /// shares.
    ///
    /// # Errors
    /// As [`Templates::execute`].
    pub fn execute_in(
        &self,
        name: &str,
        dot: &Value,
        session: &mut Session,
    ) -> Result<String, Error> {
        self.execute_within(name, dot, session)
            .map(crate::bytes::shown)
            .map_err(|error| Error {
                text: crate::bytes::shown(error.text),
                partial_output: crate::bytes::shown(error.partial_output),
                ..error
            })
    }

    pub(crate) fn execute_within(
        &self,
        name: &str,
        dot: &Value,
        session: &mut Session,
    ) -> Result<String, Error> {
        let fail = |text: String| Error {
            stage: Stage::Execute,
            text,
            partial_output: String::new(),
        };
        let Some((name, tree)) = self.find(name) else {
            let name = crate::quote(name);
            return Err(fail(format!(
                "template: no template {name} associated with template \"gotpl\""
            )));
        };
        let Some(depth) = session.depth.checked_sub(1) else {
            let limit = self.limits.depth;
            return Err(fail(format!("exceeded maximum template depth ({limit})")));
        };
        session.depth = depth;
        let mut state = State::new(self, (name, tree), session);
        let result = state.run(dot);
        let out = std::mem::take(&mut state.out);
        session.depth += 1;
        result.map(|()| out)
    }

    /// What functions keep for later executions of these templates and their clones: one value of
    /// each type that is asked for. It must not change what a function gives.
    #[must_use]
    pub fn kept<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        self.memory.of()
    }

    pub(crate) fn tree(&self, name: &str) -> Option<&Tree> {
        self.find(name).map(|(_, tree)| tree)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        let own = self.functions.get(name);
        own.or_else(|| builtins::function(name))
    }

    pub(crate) fn missing_key(&self) -> MissingKey {
        self.missing_key
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }
}
