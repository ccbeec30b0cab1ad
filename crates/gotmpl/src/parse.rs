//! Tokens as trees, with Go's errors. Read [`parse`].
//!
//! Three tokens can be given back: a space is a token, and `$x` may begin a declaration or not.

use std::sync::Arc;

use crate::error::Error;
use crate::lex::{Delimiters, Keyword, Kind, Lexer, Token};
use crate::node::{Branch, Command, Node, Nodes, Operand, Pipe, Term, Tree};
use crate::number::Number;
use crate::quote::unquote;

/// Deeper nesting is written by programs, to exhaust the stack.
const MAX_DEPTH: usize = 250;

/// Templates of one text: the text itself first, then what it defines.
pub(crate) type Parsed = Vec<(Arc<str>, Tree)>;

/// Parses the text of a template and the definitions in it.
///
/// `is_function` tells the functions that may be called.
///
/// # Errors
/// In Go's words, with the name and the line.
pub(crate) fn parse(
    name: &str,
    text: &str,
    delimiters: &Delimiters,
    is_function: &dyn Fn(&str) -> bool,
) -> Result<Parsed> {
    let mut parser = Parser {
        name: name.into(),
        text: text.into(),
        lexer: Lexer::new(text, delimiters),
        tokens: [Token::end(0); 3],
        n_given_back: 0,
        variables: vec!["$".into()],
        action_line: 0,
        range_depth: 0,
        depth: 0,
        is_function,
        parsed: Vec::new(),
        names: Names::default(),
    };
    let root = parser.root()?;
    parser.add(name.into(), root)?;
    Ok(parser.parsed)
}

/// How a list of nodes ends.
enum Ending {
    End,
    Else,
}

impl Ending {
    fn shown(&self) -> &'static str {
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

struct Parser<'a> {
    name: Arc<str>,
    text: Arc<str>,
    lexer: Lexer<'a>,
    /// The last token, and those that were given back before it.
    tokens: [Token<'a>; 3],
    n_given_back: usize,
    variables: Vec<Arc<str>>,
    action_line: usize,
    range_depth: usize,
    depth: usize,
    is_function: &'a dyn Fn(&str) -> bool,
    parsed: Parsed,
    names: Names,
}

type Result<T> = std::result::Result<T, Error>;

impl<'a> Parser<'a> {
    fn next(&mut self) -> Token<'a> {
        if self.n_given_back > 0 {
            self.n_given_back -= 1;
        } else {
            self.tokens[0] = self.lexer.next_token();
        }
        self.tokens[self.n_given_back]
    }

    fn back_up(&mut self) {
        self.n_given_back += 1;
    }

    fn back_up_two(&mut self, first: Token<'a>) {
        self.tokens[1] = first;
        self.n_given_back = 2;
    }

    fn back_up_three(&mut self, first: Token<'a>, second: Token<'a>) {
        self.tokens[1] = second;
        self.tokens[2] = first;
        self.n_given_back = 3;
    }

    fn peek(&mut self) -> Token<'a> {
        if self.n_given_back == 0 {
            self.tokens[0] = self.lexer.next_token();
            self.n_given_back = 1;
        }
        self.tokens[self.n_given_back - 1]
    }

    fn next_word(&mut self) -> Token<'a> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_word(&mut self) -> Token<'a> {
        let token = self.next_word();
        self.back_up();
        token
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        self.names.get(text).text.clone()
    }

    /// The name of a function that may be called.
    fn function(&mut self, text: &str) -> Option<Arc<str>> {
        let is_function = self.is_function;
        let name = self.names.get(text);
        let is_known = *name.is_function.get_or_insert_with(|| is_function(text));
        is_known.then(|| name.text.clone())
    }

    fn fail<T>(&self, text: impl AsRef<str>) -> Result<T> {
        let line = self.tokens[0].line;
        let text = text.as_ref();
        Err(Error::parse(format!(
            "template: {}:{line}: {text}",
            self.name
        )))
    }

    fn unexpected<T>(&self, token: Token<'a>, context: &str) -> Result<T> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", token.shown()));
        }
        let problem = self.lexer.problem();
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            extra = format!(" in action started at {}:{}", self.name, self.action_line);
            if problem.ends_with(" action") {
                extra.drain(.." in action".len());
            }
        }
        self.fail(format!("{problem}{extra}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'a>> {
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

    fn root(&mut self) -> Result<Nodes> {
        let mut nodes = Nodes::new();
        while self.peek().kind != Kind::End {
            if self.peek().kind == Kind::LeftDelimiter {
                let delimiter = self.next();
                if self.next_word().kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.back_up_two(delimiter);
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => return self.fail(format!("unexpected {}", ending.shown())),
            }
        }
        Ok(nodes)
    }

    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_word();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        self.inner_template(name, CONTEXT)
    }

    /// The body of a definition or block up to its end: it has variables of its own.
    fn inner_template(&mut self, name: Arc<str>, context: &str) -> Result<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (nodes, ending) = self.deeper(Self::items)?;
        if let Ending::Else = ending {
            return self.fail(format!("unexpected {} in {context}", ending.shown()));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        self.add(name, nodes)
    }

    /// Adds a template. An empty one does not replace another, two that are not are one too many.
    fn add(&mut self, name: Arc<str>, root: Nodes) -> Result<()> {
        let tree = Tree {
            parse_name: self.name.clone(),
            text: self.text.clone(),
            root,
        };
        match self.parsed.iter_mut().find(|(known, _)| *known == name) {
            None => self.parsed.push((name, tree)),
            Some((_, known)) if known.is_empty() => *known = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => {
                let name = crate::quote(&name);
                return self.fail(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn items(&mut self) -> Result<(Nodes, Ending)> {
        let mut nodes = Nodes::new();
        while self.peek_word().kind != Kind::End {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => return Ok((nodes, ending)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next_word();
        match token.kind {
            Kind::Text => {
                let end = token.at + token.text.len();
                Ok(Item::Node(Node::Text(token.at..end)))
            }
            Kind::LeftDelimiter => {
                self.action_line = token.line;
                let item = self.action()?;
                self.action_line = 0;
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
                Node::Break(token.at)
            }
            Keyword::Continue => {
                self.loop_control("{{continue}}")?;
                Node::Continue(token.at)
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

    fn control(&mut self, context: &str) -> Result<Box<Branch>> {
        self.deeper(|parser| parser.branch(context).map(Box::new))
    }

    fn branch(&mut self, context: &str) -> Result<Branch> {
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
        Ok(Branch {
            at: pipe.at,
            pipe,
            body,
            otherwise,
        })
    }

    fn else_branch(&mut self, context: &str) -> Result<Nodes> {
        let next = self.peek().kind;
        if context == "if" && next == Kind::Keyword(Keyword::If) {
            self.next();
            return Ok(vec![self.condition()?]);
        }
        if context == "with" && next == Kind::Keyword(Keyword::With) {
            self.next();
            return Ok(vec![self.with()?]);
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
        self.inner_template(name.clone(), CONTEXT)?;
        Ok(Node::Template {
            at: token.at,
            name,
            pipe: Some(pipe),
        })
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
        Ok(Node::Template {
            at: token.at,
            name,
            pipe,
        })
    }

    fn template_name(&mut self, token: Token<'a>, context: &str) -> Result<Arc<str>> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquoted(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&mut self, token: Token<'a>) -> Result<Arc<str>> {
        if token.kind == Kind::String && !token.text.contains('\\') {
            return Ok(self.name(token.text.trim_matches('"')));
        }
        match unquote(token.text) {
            Ok(text) => Ok(text.into()),
            Err(problem) => self.fail(problem),
        }
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        let at = self.peek_word().at;
        let mut pipe = Pipe {
            at,
            variables: Vec::new(),
            is_assignment: false,
            // Most pipes have no more.
            commands: Vec::with_capacity(1),
        };
        while self.declaration(&mut pipe, context)? {}
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
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        self.check_pipe(&pipe, context)?;
        Ok(pipe)
    }

    /// Reads `$x :=`, `$x =` or `$x,` when it is there; gives whether another one follows.
    fn declaration(&mut self, pipe: &mut Pipe, context: &str) -> Result<bool> {
        let variable = self.peek_word();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next();
        let behind = self.peek();
        let next = self.peek_word();
        let is_comma = next.kind == Kind::Char && next.text == ",";
        if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
            if behind.kind == Kind::Space {
                self.back_up_three(variable, behind);
            } else {
                self.back_up_two(variable);
            }
            return Ok(false);
        }
        self.next_word();
        let name = self.name(variable.text);
        pipe.is_assignment |= next.kind == Kind::Assign;
        pipe.variables.push(name.clone());
        self.variables.push(name);
        if !is_comma {
            return Ok(false);
        }
        if context != "range" || pipe.variables.len() > 1 {
            return self.fail(format!("too many declarations in {context}"));
        }
        match self.peek_word().kind {
            Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis => Ok(true),
            _ => self.fail("range can only initialize variables"),
        }
    }

    /// A pipe has a value, and only its first command may be a plain one.
    fn check_pipe(&self, pipe: &Pipe, context: &str) -> Result<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (number, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.arguments[0].term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text { .. }
            ) {
                let stage = number + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        // Most commands have no more.
        let mut arguments = Vec::with_capacity(2);
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                arguments.push(operand);
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
        if arguments.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { arguments })
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(inner) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(inner));
        }
        let at = self.peek().at;
        let term = match inner.term {
            Term::Field(names) => Term::Field(self.fields_behind(names)),
            Term::Variable(names) => Term::Variable(self.fields_behind(names)),
            Term::Bool(_) | Term::Text { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                self.fields_behind(Vec::new());
                let shown = crate::quote(&inner.to_string());
                return self.fail(format!("unexpected . after term {shown}"));
            }
            Term::Identifier(_) | Term::Chain(..) | Term::Pipe(_) => {
                Term::Chain(Box::new(inner), self.fields_behind(Vec::new()))
            }
        };
        Ok(Some(Operand { at, term }))
    }

    /// Names with those of the field tokens that follow.
    fn fields_behind(&mut self, mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
        while self.peek().kind == Kind::Field {
            let token = self.next();
            names.push(self.name(field_name(token.text)));
        }
        names
    }

    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.next_word();
        let term = match token.kind {
            Kind::Identifier => match self.function(token.text) {
                Some(name) => Term::Identifier(name),
                None => {
                    let name = crate::quote(token.text);
                    return self.fail(format!("function {name} not defined"));
                }
            },
            Kind::Keyword(Keyword::Dot) => Term::Dot,
            Kind::Keyword(Keyword::Nil) => Term::Nil,
            Kind::Variable => self.variable(token)?,
            Kind::Field => Term::Field(chain_of(self.name(field_name(token.text)))),
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => self.number(token)?,
            Kind::LeftParenthesis => {
                let pipe = self.deeper(|parser| {
                    parser.pipe("parenthesized pipeline", Kind::RightParenthesis)
                })?;
                let at = pipe.at;
                let term = Term::Pipe(Box::new(pipe));
                return Ok(Some(Operand { at, term }));
            }
            Kind::String | Kind::RawString => Term::Text {
                text: self.unquoted(token)?,
                quoted: self.name(token.text),
            },
            _ => {
                self.back_up();
                return Ok(None);
            }
        };
        Ok(Some(Operand { at: token.at, term }))
    }

    fn variable(&mut self, token: Token<'a>) -> Result<Term> {
        let name = self.name(token.text);
        if !self.variables.contains(&name) {
            let name = crate::quote(&name);
            return self.fail(format!("undefined variable {name}"));
        }
        Ok(Term::Variable(chain_of(name)))
    }

    fn number(&mut self, token: Token<'a>) -> Result<Term> {
        let number = match token.kind {
            Kind::CharConstant => Number::of_char(token.text),
            _ => Number::parse(token.text),
        };
        match number {
            Ok(number) => Ok(Term::Number(Box::new(number))),
            Err(problem) => self.fail(problem),
        }
    }
}

/// Texts that were met lately: a template has few names, and each of them often. One that another
/// has taken the place of is made anew.
struct Names(Vec<Option<Name>>);

/// A text, and whether it is the name of a function, once that was asked.
#[derive(Clone)]
struct Name {
    text: Arc<str>,
    is_function: Option<bool>,
}

/// More than the names of most files.
const N_NAMES: usize = 256;

impl Default for Names {
    fn default() -> Self {
        Names(vec![None; N_NAMES])
    }
}

impl Names {
    fn get(&mut self, text: &str) -> &mut Name {
        let mix = |mixed: usize, byte: &u8| mixed.wrapping_mul(31).wrapping_add((*byte).into());
        let place = text.as_bytes().iter().fold(0, mix) % N_NAMES;
        let known = &mut self.0[place];
        if known.as_ref().is_none_or(|known| *known.text != *text) {
            *known = None;
        }
        known.get_or_insert_with(|| Name {
            text: text.into(),
            is_function: None,
        })
    }
}

/// The name of a field token.
fn field_name(text: &str) -> &str {
    text.strip_prefix('.').unwrap_or(text)
}

/// A chain of names that begins with this one; few are longer than its room.
fn chain_of(name: Arc<str>) -> Vec<Arc<str>> {
    let mut names = Vec::with_capacity(4);
    names.push(name);
    names
}
