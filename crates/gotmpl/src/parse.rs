//! Tokens as trees, with Go's errors. Read [`parse`].
//!
//! Tokens can be given back: a space is a token, and `$x` may begin a declaration or not.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Error;
use crate::lex::{Delimiters, Keyword, Kind, Lexer, Token};
use crate::node::{
    Branch, Call, Command, Id, List, Literal, Node, Nodes, Operand, Pipe, Source, Span, Term, Tree,
};
use crate::number::Number;
use crate::quote::unquote;

/// Deeper nesting is written by programs, to exhaust the stack.
const MAX_DEPTH: usize = 250;

/// Templates of one text: the text itself last, after what it defines.
pub(crate) type Parsed = Vec<(Arc<str>, Tree)>;

/// Parses the text of a template and the definitions in it.
///
/// `is_function` tells the functions that may be called.
///
/// # Errors
/// In Go's words, with the name and the line; also for a text of 4 GiB.
pub(crate) fn parse(
    name: &str,
    text: &str,
    delimiters: &Delimiters,
    is_function: &dyn Fn(&str) -> bool,
) -> std::result::Result<Parsed, Error> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::parse(format!(
            "template: {name}:1: larger than 4 GiB"
        )));
    }
    parse_small(name, text, delimiters, is_function).map_err(|error| *error)
}

fn parse_small(
    name: &str,
    text: &str,
    delimiters: &Delimiters,
    is_function: &dyn Fn(&str) -> bool,
) -> Result<Parsed> {
    let mut parser = Parser {
        text,
        lexer: Lexer::new(text, delimiters),
        tokens: Vec::new(),
        at: 0,
        n_seen: 0,
        variables: vec!["$"],
        action: None,
        range_depth: 0,
        depth: 0,
        is_function,
        known: [""; N_KNOWN],
        open: Open::default(),
        source: Source::new(name, text),
        templates: Vec::new(),
        places: HashMap::new(),
    };
    let root = parser.root()?;
    parser.add(Arc::clone(&parser.source.name), root)?;
    let source = Arc::new(parser.source);
    let tree = |(name, template): (Arc<str>, Template)| {
        let tree = Tree {
            source: Arc::clone(&source),
            root: template.root,
            is_empty: template.is_empty,
        };
        (name, tree)
    };
    Ok(parser.templates.into_iter().map(tree).collect())
}

/// How a list of nodes ends.
#[derive(Clone, Copy)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn shown(self) -> &'static str {
        match self {
            Ending::End => "{{end}}",
            Ending::Else => "{{else}}",
        }
    }
}

/// A node, or what ends the list that it would be in.
enum Item {
    Node(Node),
    Ending(Ending),
}

/// What was read of lists that are not complete yet: the innermost ones stand last.
#[derive(Default)]
struct Open {
    nodes: Vec<Node>,
    commands: Vec<Command>,
    operands: Vec<Operand>,
    variables: Vec<Span>,
}

/// A template whose text is still being read.
struct Template {
    root: Nodes,
    is_empty: bool,
}

/// Functions that were met lately: most files call few of them, and each often.
const N_KNOWN: usize = 64;

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// Text and the action behind it, as far as the lexer was asked.
    tokens: Vec<Token>,
    /// The next one of them.
    at: usize,
    /// How many of them were looked at: errors name the line of the last.
    n_seen: usize,
    /// The variables that are known here.
    variables: Vec<&'a str>,
    /// Where the action at hand began.
    action: Option<u32>,
    range_depth: usize,
    depth: usize,
    is_function: &'a dyn Fn(&str) -> bool,
    known: [&'a str; N_KNOWN],
    open: Open,
    source: Source,
    templates: Vec<(Arc<str>, Template)>,
    /// Where they are in the list, by name.
    places: HashMap<Arc<str>, usize>,
}

/// An error is rare and large: what is returned for every token should be neither.
type Result<T> = std::result::Result<T, Box<Error>>;

impl<'a> Parser<'a> {
    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Only tokens of the action at hand are given back: its end is the last that was read.
    fn back_up(&mut self) {
        self.at -= 1;
    }

    fn peek(&mut self) -> Token {
        if let Some(token) = self.tokens.get(self.at) {
            self.n_seen = self.n_seen.max(self.at + 1);
            return *token;
        }
        self.read_on()
    }

    /// Asks the lexer for more, which must not be done in the many places that look at a token.
    #[cold]
    #[inline(never)]
    fn read_on(&mut self) -> Token {
        self.lexer.read(&mut self.tokens);
        (self.at, self.n_seen) = (0, 1);
        self.tokens[0]
    }

    fn next_word(&mut self) -> Token {
        let token = self.peek_word();
        self.at += 1;
        token
    }

    /// The next token but spaces, which are passed over.
    fn peek_word(&mut self) -> Token {
        loop {
            let token = self.peek();
            if token.kind != Kind::Space {
                return token;
            }
            self.at += 1;
        }
    }

    /// The text of a token.
    fn text_of(&self, token: Token) -> &'a str {
        token.span.of(self.text)
    }

    /// Whether a function of this name may be called.
    fn is_function(&mut self, name: &'a str) -> bool {
        let bytes = name.as_bytes();
        let mix = usize::from(bytes[0]) ^ (usize::from(bytes[bytes.len() - 1]) << 2) ^ bytes.len();
        let known = &mut self.known[mix % N_KNOWN];
        if *known == name {
            return true;
        }
        let is_function = (self.is_function)(name);
        if is_function {
            *known = name;
        }
        is_function
    }

    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T> {
        let last = self.tokens.get(self.n_seen.saturating_sub(1));
        let line = last.map_or(0, |token| self.source.line(token.span.start));
        let (name, text) = (&self.source.name, text.as_ref());
        let text = format!("template: {name}:{line}: {text}");
        Err(Box::new(Error::parse(text)))
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Result<T> {
        if token.kind != Kind::Error {
            let token = token.shown(self.text);
            return self.fail(format!("unexpected {token} in {context}"));
        }
        let problem = self.lexer.problem();
        let mut extra = String::new();
        if let Some(action) = self.action.map(|at| self.source.line(at))
            && action != self.source.line(token.span.start)
        {
            extra = format!(" in action started at {}:{action}", self.source.name);
            if problem.ends_with(" action") {
                extra.drain(.." in action".len());
            }
        }
        self.fail(format!("{problem}{extra}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token> {
        let token = self.next_word();
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(token, context)
    }

    /// Counts a level of nesting while `inner` runs.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return self.fail(format!("nested more than {MAX_DEPTH} levels deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Adds the nodes that were opened from a place on, as one list.
    fn nodes_from(&mut self, from: usize) -> Nodes {
        self.source.nodes.take(&mut self.open.nodes, from)
    }

    fn root(&mut self) -> Result<Nodes> {
        let from = self.open.nodes.len();
        while self.peek().kind != Kind::End {
            if self.peek().kind == Kind::LeftDelimiter {
                let delimiter = self.at;
                self.next();
                if self.next_word().kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.at = delimiter;
            }
            match self.text_or_action()? {
                Item::Node(node) => self.open.nodes.push(node),
                Item::Ending(ending) => return self.fail(format!("unexpected {}", ending.shown())),
            }
        }
        Ok(self.nodes_from(from))
    }

    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_word();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        self.inner_template(name, CONTEXT)
    }

    /// The body of a definition or block up to its end: it has variables of its own.
    fn inner_template(&mut self, name: Literal, context: &str) -> Result<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$"]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (nodes, ending) = self.deeper(Self::items)?;
        if let Ending::Else = ending {
            return self.fail(format!("unexpected {} in {context}", ending.shown()));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        let name = self.source.literal(name).into();
        self.add(name, nodes)
    }

    /// Adds a template. An empty one does not replace another, two that are not are one too many.
    fn add(&mut self, name: Arc<str>, root: Nodes) -> Result<()> {
        let is_empty = self.is_empty(root);
        let template = Template { root, is_empty };
        let Some(place) = self.places.get(&name) else {
            self.places.insert(name.clone(), self.templates.len());
            self.templates.push((name, template));
            return Ok(());
        };
        let known = &mut self.templates[*place].1;
        if !known.is_empty && !is_empty {
            let name = crate::quote(&name);
            return self.fail(format!("template: multiple definition of template {name}"));
        }
        if known.is_empty {
            *known = template;
        }
        Ok(())
    }

    fn is_empty(&self, root: Nodes) -> bool {
        let is_blank = |text: &str| text.chars().all(crate::print::is_go_space);
        self.source
            .nodes
            .all(root)
            .iter()
            .all(|node| matches!(node, Node::Text(part) if is_blank(part.of(self.text))))
    }

    fn items(&mut self) -> Result<(Nodes, Ending)> {
        let from = self.open.nodes.len();
        while self.peek_word().kind != Kind::End {
            match self.text_or_action()? {
                Item::Node(node) => self.open.nodes.push(node),
                Item::Ending(ending) => return Ok((self.nodes_from(from), ending)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next_word();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.span))),
            Kind::LeftDelimiter => {
                self.action = Some(token.span.start);
                let item = self.action()?;
                self.action = None;
                Ok(item)
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item> {
        let token = self.next_word();
        let Kind::Keyword(keyword) = token.kind else {
            return self.plain_action();
        };
        let node = match keyword {
            Keyword::Block => self.block()?,
            Keyword::Break => {
                self.loop_control("{{break}}")?;
                Node::Break(token.span.start)
            }
            Keyword::Continue => {
                self.loop_control("{{continue}}")?;
                Node::Continue(token.span.start)
            }
            Keyword::Else => return self.otherwise().map(|()| Item::Ending(Ending::Else)),
            Keyword::End => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Keyword::If => self.condition()?,
            Keyword::Range => Node::Range(self.control("range")?),
            Keyword::Template => self.call()?,
            Keyword::With => self.with()?,
            Keyword::Dot | Keyword::Nil | Keyword::Define => return self.plain_action(),
        };
        Ok(Item::Node(node))
    }

    fn plain_action(&mut self) -> Result<Item> {
        self.back_up();
        let pipe = self.pipe("command", Kind::RightDelimiter)?;
        Ok(Item::Node(Node::Action(pipe)))
    }

    fn loop_control(&mut self, what: &str) -> Result<()> {
        let token = self.next_word();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(token, what);
        }
        if self.range_depth == 0 {
            return self.fail(format!("{what} outside {{{{range}}}}"));
        }
        Ok(())
    }

    fn otherwise(&mut self) -> Result<()> {
        let next = self.peek_word().kind;
        if !matches!(next, Kind::Keyword(Keyword::If | Keyword::With)) {
            self.expect(Kind::RightDelimiter, "else")?;
        }
        Ok(())
    }

    fn condition(&mut self) -> Result<Node> {
        self.control("if").map(Node::If)
    }

    fn with(&mut self) -> Result<Node> {
        self.control("with").map(Node::With)
    }

    fn control(&mut self, context: &str) -> Result<Id<Branch>> {
        self.deeper(|parser| parser.branch(context))
    }

    fn branch(&mut self, context: &str) -> Result<Id<Branch>> {
        let n_variables = self.variables.len();
        let pipe = self.pipe(context, Kind::RightDelimiter)?;
        let is_range = context == "range";
        self.range_depth += usize::from(is_range);
        let (body, ending) = self.items()?;
        self.range_depth -= usize::from(is_range);
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.else_branch(context)?),
        };
        self.variables.truncate(n_variables);
        Ok(self.source.branches.add(Branch {
            at: self.source.pipes.one(pipe).at,
            pipe,
            body,
            otherwise,
        }))
    }

    fn else_branch(&mut self, context: &str) -> Result<Nodes> {
        let next = self.peek().kind;
        let from = self.open.nodes.len();
        if context == "if" && next == Kind::Keyword(Keyword::If) {
            self.next();
            let node = self.condition()?;
            self.open.nodes.push(node);
            return Ok(self.nodes_from(from));
        }
        if context == "with" && next == Kind::Keyword(Keyword::With) {
            self.next();
            let node = self.with()?;
            self.open.nodes.push(node);
            return Ok(self.nodes_from(from));
        }
        let (nodes, ending) = self.items()?;
        match ending {
            Ending::End => Ok(nodes),
            Ending::Else => self.fail(format!("expected end; found {}", ending.shown())),
        }
    }

    fn block(&mut self) -> Result<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_word();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipe(CONTEXT, Kind::RightDelimiter)?;
        self.inner_template(name, CONTEXT)?;
        Ok(self.called(token, name, Some(pipe)))
    }

    fn call(&mut self) -> Result<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_word();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_word().kind != Kind::RightDelimiter {
            self.back_up();
            pipe = Some(self.pipe(CONTEXT, Kind::RightDelimiter)?);
        }
        Ok(self.called(token, name, pipe))
    }

    fn called(&mut self, token: Token, name: Literal, pipe: Option<Id<Pipe>>) -> Node {
        let at = token.span.start;
        Node::Template(self.source.calls.add(Call { at, name, pipe }))
    }

    fn template_name(&mut self, token: Token, context: &str) -> Result<Literal> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquoted(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&mut self, token: Token) -> Result<Literal> {
        let quoted = self.text_of(token);
        let changes = if token.kind == Kind::String {
            '\\'
        } else {
            '\r'
        };
        if !quoted.contains(changes) {
            return Ok(Literal::Part(Span {
                start: token.span.start + 1,
                end: token.span.end - 1,
            }));
        }
        match unquote(quoted) {
            Ok(text) => Ok(Literal::Made(self.source.texts.add(text.into()))),
            Err(problem) => self.fail(problem),
        }
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Result<Id<Pipe>> {
        let at = self.peek_word().span.start;
        let (variables, is_assignment) = self.declarations(context)?;
        let from = self.open.commands.len();
        loop {
            let token = self.next_word();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Keyword(Keyword::Dot | Keyword::Nil)
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.back_up();
                    let command = self.command()?;
                    self.open.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        self.check_commands(&self.open.commands[from..], context)?;
        let commands = self.source.commands.take(&mut self.open.commands, from);
        Ok(self.source.pipes.add(Pipe {
            at,
            variables,
            is_assignment,
            commands,
        }))
    }

    /// Reads `$x :=`, `$x =` or `$x, $y :=` when it is there; gives whether the variables exist
    /// already.
    fn declarations(&mut self, context: &str) -> Result<(List<Span>, bool)> {
        let from = self.open.variables.len();
        let mut is_assignment = false;
        while self.peek_word().kind == Kind::Variable {
            let start = self.at;
            let variable = self.next();
            let next = self.peek_word();
            let is_comma = next.kind == Kind::Char && self.text_of(next) == ",";
            if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.at = start;
                break;
            }
            self.next();
            is_assignment |= next.kind == Kind::Assign;
            self.open.variables.push(variable.span);
            self.variables.push(self.text_of(variable));
            if !is_comma {
                break;
            }
            if context != "range" || self.open.variables.len() > from + 1 {
                return self.fail(format!("too many declarations in {context}"));
            }
            if !matches!(
                self.peek_word().kind,
                Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis
            ) {
                return self.fail("range can only initialize variables");
            }
        }
        let variables = self.source.variables.take(&mut self.open.variables, from);
        Ok((variables, is_assignment))
    }

    /// A pipe has a value, and only its first command may be a plain one.
    fn check_commands(&self, commands: &[Command], context: &str) -> Result<()> {
        if commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (number, command) in commands.iter().enumerate().skip(1) {
            if matches!(
                self.source.operands.first(*command).term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(..)
            ) {
                let stage = number + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        let from = self.open.operands.len();
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                self.open.operands.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParenthesis => {
                    self.back_up();
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(token, "operand"),
            }
        }
        if self.open.operands.len() == from {
            return self.fail("empty command");
        }
        Ok(self.source.operands.take(&mut self.open.operands, from))
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(inner) = self.term()? else {
            return Ok(None);
        };
        let field = self.peek();
        if field.kind != Kind::Field {
            return Ok(Some(inner));
        }
        let fields = self.fields();
        let term = match inner.term {
            Term::Field(first) => Term::Field(first.up_to(fields)),
            Term::Variable(first) => Term::Variable(first.up_to(fields)),
            Term::Bool(_) | Term::Text(..) | Term::Number(_) | Term::Nil | Term::Dot => {
                let shown = crate::quote(&self.source.shown(inner).to_string());
                return self.fail(format!("unexpected . after term {shown}"));
            }
            Term::Identifier(_) | Term::Chain(..) | Term::Pipe(_) => {
                Term::Chain(self.source.operands.add(inner), fields)
            }
        };
        let at = field.span.start;
        Ok(Some(Operand { at, term }))
    }

    /// The fields that follow each other from here on, at least one.
    fn fields(&mut self) -> Span {
        let mut fields = self.next().span;
        while self.peek().kind == Kind::Field {
            fields = fields.up_to(self.next().span);
        }
        fields
    }

    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.next_word();
        let term = match token.kind {
            Kind::Identifier => {
                let name = self.text_of(token);
                if !self.is_function(name) {
                    let name = crate::quote(name);
                    return self.fail(format!("function {name} not defined"));
                }
                Term::Identifier(token.span)
            }
            Kind::Keyword(Keyword::Dot) => Term::Dot,
            Kind::Keyword(Keyword::Nil) => Term::Nil,
            Kind::Variable => self.variable(token)?,
            Kind::Field => Term::Field(token.span),
            Kind::Bool => Term::Bool(self.text_of(token) == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => self.number(token)?,
            Kind::LeftParenthesis => {
                let pipe = self.deeper(|parser| {
                    parser.pipe("parenthesized pipeline", Kind::RightParenthesis)
                })?;
                let at = self.source.pipes.one(pipe).at;
                let term = Term::Pipe(pipe);
                return Ok(Some(Operand { at, term }));
            }
            Kind::String | Kind::RawString => Term::Text(token.span, self.unquoted(token)?),
            _ => {
                self.back_up();
                return Ok(None);
            }
        };
        let at = token.span.start;
        Ok(Some(Operand { at, term }))
    }

    fn variable(&mut self, token: Token) -> Result<Term> {
        let name = self.text_of(token);
        if !self.variables.contains(&name) {
            let name = crate::quote(name);
            return self.fail(format!("undefined variable {name}"));
        }
        Ok(Term::Variable(token.span))
    }

    fn number(&mut self, token: Token) -> Result<Term> {
        let text = self.text_of(token);
        let number = match token.kind {
            Kind::CharConstant => Number::of_char(text),
            _ => Number::parse(text),
        };
        match number {
            Ok(number) => Ok(Term::Number(self.source.numbers.add(number))),
            Err(problem) => self.fail(problem),
        }
    }
}
