//! Label selectors as they stand in the query of a request, with the words of apimachinery's parser.
//!
//! [`parse_labels`] is the door.

use std::collections::BTreeSet;

use kinds::quoted;

/// What a label selector asks of one label.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The name of the label.
    pub key: String,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Requirement {
    /// Whether a label with this value, or none, is what is asked for.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::Above(limit) => number(value).is_some_and(|value| value > *limit),
            Operator::Below(limit) => number(value).is_some_and(|value| value < *limit),
        }
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            Token::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", ">="];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else {
            let end = rest
                .find(|letter: char| letter.is_whitespace() || "=!(),><".contains(letter))
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }
}

/// Reads a label selector.
///
/// # Errors
/// What is wrong with it, in the words of the real parser.
pub fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::Word(_) | Token::Sign("!") => {
                let requirement = parse_requirement(&mut parser)
                    .map_err(|why| format!("unable to parse requirement: {why}"))?;
                requirements.push(requirement);
                match parser.take() {
                    Token::End => return Ok(requirements),
                    Token::Sign(",") => match parser.peek() {
                        Token::Word(_) | Token::Sign("!") => {}
                        other => {
                            return Err(format!(
                                "found '{}', expected: identifier after ','",
                                other.text()
                            ));
                        }
                    },
                    other => {
                        return Err(format!(
                            "found '{}', expected: ',' or 'end of string'",
                            other.text()
                        ));
                    }
                }
            }
            Token::End => return Ok(requirements),
            other @ Token::Sign(_) => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    other.text()
                ));
            }
        }
    }
}

fn parse_requirement(parser: &mut Parser) -> Result<Requirement, String> {
    let absent = parser.peek() == Token::Sign("!");
    if absent {
        parser.take();
    }
    let Token::Word(key) = parser.take() else {
        return Err("found '', expected: identifier".to_owned());
    };
    if let Some(problem) = kinds::names::label_key_problem(&key) {
        return Err(format!("<nil>: Invalid value: {}: {problem}", quoted(&key)));
    }
    if absent {
        return Ok(Requirement {
            key,
            operator: Operator::Absent,
        });
    }
    let operator = match parser.peek() {
        Token::End | Token::Sign(",") => Operator::Exists,
        Token::Sign("=" | "==") => {
            parser.take();
            Operator::In(BTreeSet::from([exact_value(parser, &key)?]))
        }
        Token::Sign("!=") => {
            parser.take();
            Operator::NotIn(BTreeSet::from([exact_value(parser, &key)?]))
        }
        Token::Sign(">") => {
            parser.take();
            Operator::Above(bound(parser, &key)?)
        }
        Token::Sign("<") => {
            parser.take();
            Operator::Below(bound(parser, &key)?)
        }
        Token::Word(word) if word == "in" || word == "notin" => {
            parser.take();
            let values = value_list(parser, &key)?;
            if word == "in" {
                Operator::In(values)
            } else {
                Operator::NotIn(values)
            }
        }
        other => {
            return Err(format!(
                "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                other.text()
            ));
        }
    };
    Ok(Requirement { key, operator })
}

fn exact_value(parser: &mut Parser, key: &str) -> Result<String, String> {
    match parser.peek() {
        Token::Word(word) => {
            parser.take();
            checked_value(key, 0, word)
        }
        Token::End | Token::Sign(",") => Ok(String::new()),
        other => Err(format!("found '{}', expected: identifier", other.text())),
    }
}

fn checked_value(key: &str, index: usize, value: String) -> Result<String, String> {
    match kinds::names::label_value_problem(&value) {
        Some(problem) => Err(format!(
            "values[{index}][{key}]: Invalid value: {}: {problem}",
            quoted(&value)
        )),
        None => Ok(value),
    }
}

fn bound(parser: &mut Parser, key: &str) -> Result<i64, String> {
    let value = exact_value(parser, key)?;
    value.parse().map_err(|_invalid| {
        format!(
            "values[0]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
            quoted(&value)
        )
    })
}

fn value_list(parser: &mut Parser, key: &str) -> Result<BTreeSet<String>, String> {
    match parser.take() {
        Token::Sign("(") => {}
        other => return Err(format!("found '{}' expected: '('", other.text())),
    }
    let mut values = BTreeSet::new();
    loop {
        match parser.take() {
            Token::Word(word) => {
                let value = checked_value(key, values.len(), word)?;
                values.insert(value);
                match parser.take() {
                    Token::Sign(",") => {
                        if parser.peek() == Token::Sign(")") {
                            values.insert(String::new());
                        }
                    }
                    Token::Sign(")") => return Ok(values),
                    other => {
                        return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                    }
                }
            }
            Token::Sign(",") => {
                values.insert(String::new());
            }
            Token::Sign(")") => {
                if values.is_empty() {
                    values.insert(String::new());
                }
                return Ok(values);
            }
            other => {
                return Err(format!(
                    "found '{}', expected: ',', ')' or identifier",
                    other.text()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, labels: &[(&str, &str)], want: bool) {
        let requirements = parse_labels(selector).expect("is a selector");
        let got = requirements.iter().all(|requirement| {
            let value = labels
                .iter()
                .find(|(key, _)| *key == requirement.key)
                .map(|(_, value)| *value);
            requirement.matches(value)
        });
        assert_eq!(got, want, "{selector} on {labels:?}");
    }

    #[test]
    fn label_selectors_select() {
        check("", &[], true);
        check("a=b", &[("a", "b")], true);
        check("a==b,c", &[("a", "b")], false);
        check("a!=b", &[], true);
        check("a in (b, c)", &[("a", "c")], true);
        check("a notin (b,c)", &[("a", "c")], false);
        check("!a", &[("a", "")], false);
        check("a=", &[("a", "")], true);
        check("n>2", &[("n", "10")], true);
    }

    #[test]
    fn what_does_not_parse_is_told_in_the_real_words() {
        let check = |selector: &str, want: &str| {
            assert_eq!(
                parse_labels(selector).expect_err("is none"),
                want,
                "{selector}"
            );
        };
        check("app=a=b", "found '=', expected: ',' or 'end of string'");
        check(
            "=",
            "found '=', expected: !, identifier, or 'end of string'",
        );
        check("a,,b", "found ',', expected: identifier after ','");
        check(
            "!",
            "unable to parse requirement: found '', expected: identifier",
        );
        check(
            "app in a",
            "unable to parse requirement: found 'a' expected: '('",
        );
    }
}
