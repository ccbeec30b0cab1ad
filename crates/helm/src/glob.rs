//! Patterns of `.Files.Glob`: those of gobwas/glob with `/` between parts.
//!
//! `*` stays within a part, `**` does not; `?`, `[abc]`, `[!a-c]` and `{one,two}` are as usual.

/// A parsed pattern.
#[derive(Debug)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Debug)]
enum Token {
    Char(char),
    /// Any one character but a slash.
    Single,
    /// Any text within a part.
    Any,
    /// Any text.
    Super,
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// One of several patterns.
    Either(Vec<Vec<Token>>),
}

/// Pieces of text that are tried for one pattern and name: `{…}` can ask for very many.
const MAX_STEPS: u32 = 1_000_000;

impl Glob {
    /// Reads a pattern; none when it is broken.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        let tokens = sequence(&chars, &mut at, 0)?;
        (at == chars.len()).then_some(Glob(tokens))
    }

    /// Whether a name fits.
    pub(crate) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let mut steps = MAX_STEPS;
        fits(&[&self.0], &name, &mut steps)
    }
}

/// Reads tokens up to the end, or the end of an alternative.
fn sequence(chars: &[char], at: &mut usize, depth: usize) -> Option<Vec<Token>> {
    const MAX_DEPTH: usize = 50;
    if depth > MAX_DEPTH {
        return None;
    }
    let mut tokens = Vec::new();
    while let Some(it) = chars.get(*at) {
        *at += 1;
        tokens.push(match it {
            ',' | '}' if depth > 0 => {
                *at -= 1;
                return Some(tokens);
            }
            '?' => Token::Single,
            '*' => {
                let mut n_stars = 1;
                while chars.get(*at) == Some(&'*') {
                    *at += 1;
                    n_stars += 1;
                }
                if n_stars > 1 {
                    Token::Super
                } else {
                    Token::Any
                }
            }
            '[' => class(chars, at)?,
            '{' => alternatives(chars, at, depth)?,
            '\\' => {
                *at += 1;
                Token::Char(*chars.get(*at - 1)?)
            }
            other => Token::Char(*other),
        });
    }
    (depth == 0).then_some(tokens)
}

fn alternatives(chars: &[char], at: &mut usize, depth: usize) -> Option<Token> {
    let mut all = Vec::new();
    loop {
        all.push(sequence(chars, at, depth + 1)?);
        *at += 1;
        match chars.get(*at - 1)? {
            '}' => return Some(Token::Either(all)),
            _ => continue,
        }
    }
}

fn class(chars: &[char], at: &mut usize) -> Option<Token> {
    let is_negated = chars.get(*at) == Some(&'!');
    if is_negated {
        *at += 1;
    }
    let mut ranges = Vec::new();
    loop {
        let mut low = *chars.get(*at)?;
        *at += 1;
        if low == ']' {
            break;
        }
        if low == '\\' {
            low = *chars.get(*at)?;
            *at += 1;
        }
        let mut high = low;
        if chars.get(*at) == Some(&'-') && chars.get(*at + 1).is_some_and(|it| *it != ']') {
            high = *chars.get(*at + 1)?;
            *at += 2;
        }
        ranges.push((low, high));
    }
    (!ranges.is_empty()).then_some(Token::Class { is_negated, ranges })
}

/// Whether a name fits sequences one after the other.
fn fits(sequences: &[&[Token]], name: &[char], steps: &mut u32) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    let Some((first, rest)) = sequences.split_first() else {
        return name.is_empty();
    };
    let Some((token, behind)) = first.split_first() else {
        return fits(rest, name, steps);
    };
    let mut next = vec![behind];
    next.extend_from_slice(rest);
    match token {
        Token::Either(all) => all.iter().any(|tokens| {
            let mut with = vec![tokens.as_slice()];
            with.extend_from_slice(&next);
            fits(&with, name, steps)
        }),
        Token::Any | Token::Super => {
            let limit = match token {
                Token::Any => name.iter().position(|it| *it == '/').unwrap_or(name.len()),
                _ => name.len(),
            };
            (0..=limit).any(|taken| fits(&next, &name[taken..], steps))
        }
        one => match name.split_first() {
            Some((it, name)) if fits_one(one, *it) => fits(&next, name, steps),
            _ => false,
        },
    }
}

fn fits_one(token: &Token, it: char) -> bool {
    match token {
        Token::Char(known) => *known == it,
        Token::Single => it != '/',
        Token::Class { is_negated, ranges } => {
            ranges.iter().any(|(low, high)| *low <= it && it <= *high) != *is_negated
        }
        Token::Any | Token::Super | Token::Either(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_gobwas() {
        let check = |pattern: &str, name: &str, want: Option<bool>| {
            let got = Glob::parse(pattern).map(|glob| glob.fits(name));
            assert_eq!(got, want, "{pattern} {name}");
        };
        check("conf/*", "conf/a.txt", Some(true));
        check("conf/*", "conf/a/b.txt", Some(false));
        check("conf/**", "conf/a/b.txt", Some(true));
        check("**/*.{yaml,yml}", "a/b/c.yml", Some(true));
        check("conf/[ab].*", "conf/a.txt", Some(true));
        check("conf/[!ab].*", "conf/a.txt", Some(false));
        check("conf/?.txt", "conf/ab.txt", Some(false));
        check("conf/[", "x", None);
        check("{a,b", "a", None);
        check("**", "a/b", Some(true));
    }
}
