//! From the text of a jq expression to its tree, with gojq's words for what is no expression.

use yaml::Value;

use super::JqError;

/// The most tokens of an expression: paths to fields have a few dozen, and the tree of an
/// expression is as deep at most.
const MAX_TOKENS: usize = 300;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// `.`
    Identity,
    /// `..`
    Recurse,
    Literal(Value),
    /// `term[index]`, and `term.name`.
    Index(Box<Term>, Box<Term>),
    /// `term[from:to]`
    Slice(Box<Term>, Option<Box<Term>>, Option<Box<Term>>),
    /// `term[]`
    Each(Box<Term>),
    /// `term?`
    Try(Box<Term>),
    Pipe(Box<Term>, Box<Term>),
    Comma(Box<Term>, Box<Term>),
    /// `[term]`
    Array(Option<Box<Term>>),
    Negate(Box<Term>),
    Binary(Operator, Box<Term>, Box<Term>),
    If(Box<Term>, Box<Term>, Option<Box<Term>>),
    Call(String, Vec<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Alternative,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// How strongly it binds, and its meaning.
    fn of(token: &Token) -> Option<(u8, Operator)> {
        let Token::Sign(sign) = token else {
            return match token {
                Token::Word(word) if word == "or" => Some((2, Operator::Or)),
                Token::Word(word) if word == "and" => Some((3, Operator::And)),
                _ => None,
            };
        };
        Some(match *sign {
            "//" => (1, Operator::Alternative),
            "==" => (4, Operator::Equal),
            "!=" => (4, Operator::NotEqual),
            "<" => (4, Operator::Less),
            "<=" => (4, Operator::LessOrEqual),
            ">" => (4, Operator::Greater),
            ">=" => (4, Operator::GreaterOrEqual),
            "+" => (5, Operator::Add),
            "-" => (5, Operator::Subtract),
            "*" => (6, Operator::Multiply),
            "/" => (6, Operator::Divide),
            "%" => (6, Operator::Modulo),
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or a keyword.
    Word(String),
    /// `.name`
    Field(String),
    Text(String),
    Number(Value),
    Sign(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Word(word) => word.clone(),
            Token::Field(name) => format!(".{name}"),
            Token::Text(text) => format!("{text:?}"),
            Token::Number(number) => yaml::json::to_string(number),
            Token::Sign(sign) => (*sign).to_owned(),
        }
    }
}

/// Longest first.
const SIGNS: [&str; 32] = [
    "?//", "//=", "//", "==", "!=", "<=", ">=", "|=", "+=", "-=", "*=", "/=", "%=", "..", ".", "[",
    "]", "(", ")", "{", "}", "|", ",", ":", ";", "=", "<", ">", "+", "-", "*", "/",
];
const MORE_SIGNS: [&str; 4] = ["%", "?", "$", "@"];

/// Words that begin what is not read here.
const BEYOND: [&str; 9] = [
    "def", "reduce", "foreach", "label", "import", "include", "try", "as", "__loc__",
];

/// Reads an expression as Argo CD does: as the argument of `del`.
pub(super) fn parse(text: &str) -> Result<Term, JqError> {
    let mut tokens = tokens(text)?;
    if tokens.len() > MAX_TOKENS {
        let limit = format!("it has more than {MAX_TOKENS} parts");
        return Err(JqError::Unsupported(limit));
    }
    tokens.push(Token::Sign(")"));
    let mut parser = Parser { tokens, at: 0 };
    let term = parser.pipe()?;
    parser.expect(")")?;
    match parser.peek() {
        None => Ok(term),
        Some(token) => Err(unexpected(token)),
    }
}

fn unexpected(token: &Token) -> JqError {
    JqError::Syntax(format!("unexpected token {:?}", token.shown()))
}

fn tokens(text: &str) -> Result<Vec<Token>, JqError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if first == '"' {
            quoted(rest)?
        } else if first.is_ascii_digit() {
            number(rest)
        } else if is_name_start(first) {
            let (name, after) = name(rest);
            (Token::Word(name), after)
        } else if let Some(after) = rest
            .strip_prefix('.')
            .filter(|it| it.starts_with(is_name_start))
        {
            let (name, after) = name(after);
            (Token::Field(name), after)
        } else {
            let sign = SIGNS
                .iter()
                .chain(&MORE_SIGNS)
                .find(|it| rest.starts_with(**it));
            let Some(sign) = sign else {
                let shown = format!("unexpected token {:?}", first.to_string());
                return Err(JqError::Syntax(shown));
            };
            (Token::Sign(sign), &rest[sign.len()..])
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn name(text: &str) -> (String, &str) {
    let end = text.find(|c: char| !is_name_start(c) && !c.is_ascii_digit());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (name.to_owned(), rest)
}

fn number(text: &str) -> (Token, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let value = yaml::json::parse(digits.as_bytes()).unwrap_or_default();
    (Token::Number(value), rest)
}

/// A text in quotes, with JSON's escapes.
fn quoted(text: &str) -> Result<(Token, &str), JqError> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '(' if is_escaped => {
                return Err(JqError::Unsupported("interpolation of text".to_owned()));
            }
            '"' if !is_escaped => {
                let (literal, rest) = text.split_at(at + 1);
                let value = yaml::json::parse(literal.as_bytes());
                let value = value.map_err(|error| JqError::Syntax(error.to_string()))?;
                let text = value.as_str().unwrap_or_default().to_owned();
                return Ok((Token::Text(text), rest));
            }
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Err(JqError::Syntax("unterminated string literal".to_owned()))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

type Parsed = Result<Term, JqError>;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Sign(it)) if *it == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Word(it)) if it == word);
        self.at += usize::from(is_it);
        is_it
    }

    fn unexpected(&self) -> JqError {
        match self.peek() {
            Some(token) => unexpected(token),
            None => JqError::Syntax("unexpected EOF".to_owned()),
        }
    }

    fn expect(&mut self, sign: &str) -> Result<(), JqError> {
        match self.eat(sign) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), JqError> {
        match self.eat_word(word) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn pipe(&mut self) -> Parsed {
        let mut term = self.comma()?;
        // To the left: that is the same, and a long chain does not nest.
        while self.eat("|") {
            term = Term::Pipe(Box::new(term), Box::new(self.comma()?));
        }
        Ok(term)
    }

    fn comma(&mut self) -> Parsed {
        let mut term = self.binary(0)?;
        while self.eat(",") {
            term = Term::Comma(Box::new(term), Box::new(self.binary(0)?));
        }
        Ok(term)
    }

    fn binary(&mut self, least: u8) -> Parsed {
        let mut left = self.postfix()?;
        while let Some((strength, operator)) = self.peek().and_then(Operator::of) {
            if strength < least {
                break;
            }
            self.at += 1;
            // Only the alternative associates to the right.
            let is_left = operator != Operator::Alternative;
            let right = self.binary(strength + u8::from(is_left))?;
            left = Term::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn postfix(&mut self) -> Parsed {
        let mut term = self.primary()?;
        loop {
            if let Some(Token::Field(name)) = self.peek() {
                term = field(term, name.clone());
                self.at += 1;
            } else if self.eat("?") {
                term = Term::Try(Box::new(term));
            } else if self.eat("[") {
                term = self.bracket(term)?;
            } else if self.eat(".") {
                term = match self.peek() {
                    Some(Token::Text(name)) => field(term, name.clone()),
                    Some(Token::Sign("[")) => {
                        continue;
                    }
                    _ => return Err(self.unexpected()),
                };
                self.at += 1;
            } else if matches!(self.peek(), Some(Token::Word(word)) if word == "as") {
                return Err(beyond("as"));
            } else {
                return Ok(term);
            }
        }
    }

    /// After `[`.
    fn bracket(&mut self, term: Term) -> Parsed {
        let term = Box::new(term);
        if self.eat("]") {
            return Ok(Term::Each(term));
        }
        let parsed = if self.eat(":") {
            Term::Slice(term, None, Some(Box::new(self.pipe()?)))
        } else {
            let from = Box::new(self.pipe()?);
            if !self.eat(":") {
                Term::Index(term, from)
            } else if matches!(self.peek(), Some(Token::Sign("]"))) {
                Term::Slice(term, Some(from), None)
            } else {
                Term::Slice(term, Some(from), Some(Box::new(self.pipe()?)))
            }
        };
        self.expect("]")?;
        Ok(parsed)
    }

    fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected());
        };
        let term = match token {
            Token::Field(name) => field(Term::Identity, name),
            Token::Text(text) => Term::Literal(text.into()),
            Token::Number(number) => Term::Literal(number),
            Token::Word(word) => {
                self.at += 1;
                return self.word(word);
            }
            Token::Sign(sign) => {
                let before = self.at;
                self.at += 1;
                return match sign {
                    "." => Ok(self.dot()),
                    ".." => Ok(Term::Recurse),
                    "-" => Ok(Term::Negate(Box::new(self.postfix()?))),
                    "(" => {
                        let term = self.pipe()?;
                        self.expect(")")?;
                        Ok(term)
                    }
                    "[" if self.eat("]") => Ok(Term::Array(None)),
                    "[" => {
                        let term = self.pipe()?;
                        self.expect("]")?;
                        Ok(Term::Array(Some(Box::new(term))))
                    }
                    "{" | "$" | "@" => Err(beyond(sign)),
                    _ => {
                        self.at = before;
                        Err(self.unexpected())
                    }
                };
            }
        };
        self.at += 1;
        Ok(term)
    }

    /// After a `.` that no name follows.
    fn dot(&mut self) -> Term {
        match self.peek().cloned() {
            Some(Token::Text(name)) => {
                self.at += 1;
                field(Term::Identity, name)
            }
            _ => Term::Identity,
        }
    }

    fn word(&mut self, word: String) -> Parsed {
        match word.as_str() {
            "null" => return Ok(Term::Literal(Value::Null)),
            "true" => return Ok(Term::Literal(true.into())),
            "false" => return Ok(Term::Literal(false.into())),
            "if" => return self.condition(),
            "then" | "elif" | "else" | "end" | "and" | "or" | "catch" => {
                self.at -= 1;
                return Err(self.unexpected());
            }
            word if BEYOND.contains(&word) => return Err(beyond(word)),
            _ => {}
        }
        let mut arguments = Vec::new();
        if self.eat("(") {
            arguments.push(self.pipe()?);
            while self.eat(";") {
                arguments.push(self.pipe()?);
            }
            self.expect(")")?;
        }
        super::functions::check(&word, arguments.len())?;
        Ok(Term::Call(word, arguments))
    }

    /// After `if` or `elif`.
    fn condition(&mut self) -> Parsed {
        let test = Box::new(self.pipe()?);
        self.expect_word("then")?;
        let then = Box::new(self.pipe()?);
        if self.eat_word("elif") {
            let rest = self.condition()?;
            return Ok(Term::If(test, then, Some(Box::new(rest))));
        }
        let otherwise = match self.eat_word("else") {
            true => Some(Box::new(self.pipe()?)),
            false => None,
        };
        self.expect_word("end")?;
        Ok(Term::If(test, then, otherwise))
    }
}

fn field(term: Term, name: String) -> Term {
    Term::Index(Box::new(term), Box::new(Term::Literal(name.into())))
}

fn beyond(what: &str) -> JqError {
    JqError::Unsupported(format!("{what:?} is beyond paths to fields"))
}
