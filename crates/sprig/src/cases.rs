//! Upper and lower case, and words: Go's simple case mapping, xstrings and goutils.

use gotmpl::text::{bytes_of_text, string_of};

use crate::arguments::{Row, TEXT, text};

pub(super) const ROWS: &[Row] = &[
    Row::new("upper", &[TEXT], TEXT, |_, all| {
        text(all.text(0).chars().map(upper).collect::<String>())
    }),
    Row::new("lower", &[TEXT], TEXT, |_, all| {
        text(all.text(0).chars().map(lower).collect::<String>())
    }),
    Row::new("title", &[TEXT], TEXT, |_, all| text(titled(all.text(0)))),
    Row::new("untitle", &[TEXT], TEXT, |_, all| {
        text(uncapitalized(all.text(0)))
    }),
    Row::new("swapcase", &[TEXT], TEXT, |_, all| {
        text(swapped(all.text(0)))
    }),
    Row::new("camelcase", &[TEXT], TEXT, |_, all| {
        text(pascal_case(all.text(0)))
    }),
    Row::new("snakecase", &[TEXT], TEXT, |_, all| {
        text(connected(all.text(0), '_'))
    }),
    Row::new("kebabcase", &[TEXT], TEXT, |_, all| {
        text(connected(all.text(0), '-'))
    }),
    Row::new("nospace", &[TEXT], TEXT, |_, all| {
        text(without_spaces(all.text(0)))
    }),
    Row::new("initials", &[TEXT], TEXT, |_, all| {
        text(initials(all.text(0)))
    }),
];

/// One character for one character, as Go maps case: what has no such letter stays.
fn upper(it: char) -> char {
    let mut mapped = it.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => with_iota(it),
    }
}

/// Greek letters whose capitals hold an iota beside, which full case mapping writes behind.
fn with_iota(it: char) -> char {
    let distance = match u32::from(it) {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => 9,
        _ => 0,
    };
    char::from_u32(u32::from(it) + distance).unwrap_or(it)
}

fn lower(it: char) -> char {
    // The only letter whose full mapping has two characters keeps the first.
    it.to_lowercase().next().unwrap_or(it)
}

/// Letters that are two letters in one have a third form.
fn title(it: char) -> char {
    match it {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian has capitals, but no titles.
        '\u{10d0}'..='\u{10ff}' => it,
        _ => upper(it),
    }
}

fn is_title(it: char) -> bool {
    matches!(it, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
        || matches!(u32::from(it), 0x1f88..=0x1f8f | 0x1f98..=0x1f9f | 0x1fa8..=0x1faf
            | 0x1fbc | 0x1fcc | 0x1ffc)
}

/// Whether Go's `unicode.IsUpper` holds; symbols with case, such as `Ⓐ`, are no letters.
fn is_upper(it: char) -> bool {
    it.is_uppercase() && !is_title(it) && !is_symbol_with_case(it)
}

fn is_lower(it: char) -> bool {
    it.is_lowercase() && !is_symbol_with_case(it) && !matches!(it, 'ª' | 'º')
}

fn is_symbol_with_case(it: char) -> bool {
    matches!(u32::from(it), 0x2160..=0x217f | 0x24b6..=0x24e9 | 0x1f130..=0x1f189)
}

/// Letters behind anything that is neither letter, digit nor `_`.
fn titled(whole: &str) -> String {
    let mut previous = ' ';
    let mapped = whole.chars().map(|it| {
        let behind = std::mem::replace(&mut previous, it);
        if is_separator(behind) { title(it) } else { it }
    });
    mapped.collect()
}

fn is_separator(it: char) -> bool {
    if it.is_ascii() {
        return !it.is_ascii_alphanumeric() && it != '_';
    }
    !it.is_alphanumeric() && it.is_whitespace()
}

fn uncapitalized(whole: &str) -> String {
    let mut is_first = true;
    let mapped = whole.chars().map(|it| {
        if it.is_whitespace() {
            is_first = true;
            return it;
        }
        if std::mem::take(&mut is_first) {
            lower(it)
        } else {
            it
        }
    });
    mapped.collect()
}

fn swapped(whole: &str) -> String {
    let mut is_behind_space = true;
    let mapped = whole.chars().map(|it| {
        if is_upper(it) || is_title(it) {
            is_behind_space = false;
            lower(it)
        } else if is_lower(it) {
            if std::mem::take(&mut is_behind_space) {
                title(it)
            } else {
                upper(it)
            }
        } else {
            is_behind_space = it.is_whitespace();
            it
        }
    });
    mapped.collect()
}

/// Without spaces. goutils looks at bytes: where it removes one, it writes all others as characters.
fn without_spaces(whole: &str) -> String {
    let bytes = bytes_of_text(whole);
    let is_space = |byte: &u8| char::from(*byte).is_whitespace();
    if !bytes.iter().any(is_space) {
        return whole.to_owned();
    }
    let kept = bytes.iter().filter(|byte| !is_space(byte));
    kept.map(|byte| char::from(*byte)).collect()
}

/// The first byte of each word, as a character.
fn initials(whole: &str) -> String {
    let mut is_first = true;
    let bytes = bytes_of_text(whole);
    let firsts = bytes.iter().map(|byte| char::from(*byte)).filter(|it| {
        if it.is_whitespace() {
            is_first = true;
            return false;
        }
        std::mem::take(&mut is_first)
    });
    firsts.collect()
}

fn is_connector(it: char) -> bool {
    matches!(it, '-' | '_') || it.is_whitespace()
}

/// `some_words` as `SomeWords`.
fn pascal_case(whole: &str) -> String {
    let mut out = String::with_capacity(whole.len());
    let mut rest = whole.chars();
    let mut current = None;
    let mut is_shouting = false;
    for it in rest.by_ref() {
        if is_connector(it) {
            current = Some(it);
            out.push(it);
            continue;
        }
        is_shouting = is_upper(it);
        current = Some(upper(it));
        break;
    }
    let Some(mut current) = current else {
        return out;
    };
    if rest.as_str().is_empty() {
        out.push(current);
        return out;
    }
    for it in rest {
        let previous = std::mem::replace(&mut current, it);
        if is_connector(it) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            is_shouting = is_upper(it);
            current = upper(it);
            continue;
        }
        if is_shouting {
            if is_upper(it) {
                current = lower(it);
            } else {
                is_shouting = false;
            }
        }
        out.push(previous);
    }
    out.push(current);
    out
}

/// What a word consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Nothing,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// The words of a text: their kinds with what they are.
struct Words<'t> {
    rest: &'t str,
    kind: Word,
    word: &'t str,
}

impl<'t> Words<'t> {
    fn new(whole: &'t str) -> Self {
        let mut words = Words {
            rest: whole,
            kind: Word::Nothing,
            word: "",
        };
        words.next();
        words
    }

    fn next(&mut self) {
        let (kind, size) = first_word(self.rest);
        self.kind = kind;
        (self.word, self.rest) = self.rest.split_at(size);
    }

    fn is_letters_or_number(&self) -> bool {
        matches!(self.kind, Word::Letters | Word::Number)
    }

    fn is_apart(&self) -> bool {
        matches!(self.kind, Word::Connector | Word::Punctuation)
    }
}

/// Letters that are no capitals; those without case are none, so that Chinese stays together.
fn is_letter(it: char) -> bool {
    is_lower(it) || is_upper(it) || is_title(it)
}

fn is_number(it: char) -> bool {
    it.is_numeric()
}

fn is_punctuation(it: char) -> bool {
    if it.is_ascii() {
        return it.is_ascii_punctuation()
            && !matches!(it, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(u32::from(it), 0xa1 | 0xa7 | 0xab | 0xb6 | 0xb7 | 0xbb | 0xbf
        | 0x2010..=0x2027 | 0x2030..=0x2043 | 0x2045..=0x2051 | 0x2053..=0x205e
        | 0x3001..=0x3003 | 0x3008..=0x3011 | 0x3014..=0x301f | 0xff01..=0xff03
        | 0xff05..=0xff0a | 0xff0c..=0xff0f | 0xff1a | 0xff1b | 0xff1f | 0xff20)
}

/// The kind and length of the word that a text begins with.
fn first_word(rest: &str) -> (Word, usize) {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else {
        return (Word::Nothing, 0);
    };
    let size_of = |is_part: &dyn Fn(char) -> bool| {
        let end = rest.char_indices().skip(1).find(|(_, it)| !is_part(*it));
        end.map_or(rest.len(), |(at, _)| at)
    };
    let is_small = |it: char| is_letter(it) && !is_upper(it);
    if is_connector(first) {
        return (Word::Connector, size_of(&is_connector));
    }
    if is_punctuation(first) {
        return (Word::Punctuation, size_of(&is_punctuation));
    }
    if is_upper(first) {
        return (
            Word::Upper,
            match chars.next() {
                // The last capital of several begins the next word, when letters follow it.
                Some(second) if is_upper(second) => {
                    let end = size_of(&is_upper);
                    let follows = rest[end..].chars().next();
                    let last = rest[..end].chars().next_back().map_or(0, char::len_utf8);
                    if follows.is_some_and(is_letter) {
                        end - last
                    } else {
                        end
                    }
                }
                Some(second) if is_letter(second) => size_of(&is_small),
                _ => first.len_utf8(),
            },
        );
    }
    if is_letter(first) {
        return (Word::Letters, size_of(&is_small));
    }
    if is_number(first) {
        return (Word::Number, size_of(&is_number));
    }
    let is_other =
        |it: char| !(is_connector(it) || is_letter(it) || is_number(it) || is_punctuation(it));
    (Word::Other, size_of(&is_other))
}

/// `SomeWords` as `some_words`: xstrings' rules about numbers between letters.
fn connected(whole: &str, connector: char) -> String {
    let mut out = String::with_capacity(whole.len() + 8);
    let whole = string_of(&bytes_of_text(whole));
    let mut words = Words::new(&whole);
    while !words.rest.is_empty() {
        if words.kind != Word::Connector {
            push_lower(&mut out, words.kind, words.word, connector);
        }
        let (before, last) = (words.kind, words.word);
        words.next();
        match before {
            Word::Number => {
                push_run(&mut out, &mut words, connector);
            }
            Word::Connector => push_lower(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if words.kind != Word::Number => {
                if !words.is_apart() {
                    out.push(connector);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let number = words.word;
                words.next();
                if words.kind == Word::Letters {
                    out.push(connector);
                    out.push_str(number);
                    push_run(&mut out, &mut words, connector);
                } else {
                    out.push_str(number);
                    if !words.is_apart() {
                        out.push(connector);
                    }
                }
            }
        }
    }
    push_lower(&mut out, words.kind, words.word, connector);
    out
}

/// Letters and numbers in a row stay together; a connector follows, unless one is there.
fn push_run(out: &mut String, words: &mut Words<'_>, connector: char) {
    while words.is_letters_or_number() {
        push_lower(out, words.kind, words.word, connector);
        words.next();
    }
    if words.kind != Word::Nothing && !words.is_apart() {
        out.push(connector);
    }
}

fn push_lower(out: &mut String, kind: Word, word: &str, connector: char) {
    if !matches!(kind, Word::Upper | Word::Connector) {
        return out.push_str(word);
    }
    out.extend(word.chars().map(|it| {
        if is_connector(it) {
            connector
        } else if is_upper(it) {
            lower(it)
        } else {
            it
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(whole: &str, snake: &str, pascal: &str) {
        assert_eq!(connected(whole, '_'), snake, "{whole}");
        assert_eq!(pascal_case(whole), pascal, "{whole}");
    }

    #[test]
    fn words_are_cut_as_xstrings_cuts_them() {
        check("FirstName", "first_name", "FirstName");
        check("HTTPServer", "http_server", "Httpserver");
        check("NoHTTPS", "no_https", "NoHTTPS");
        check("GO_PATH", "go_path", "GoPath");
        check("GO PATH", "go_path", "GoPath");
        check("http2xx", "http_2xx", "Http2xx");
        check("HTTP20xOK", "http_20x_ok", "Http20xOK");
        check("Duration2m3s", "duration_2m3s", "Duration2m3s");
        check("Bld4Floor3rd", "bld4_floor_3rd", "Bld4Floor3rd");
        check("x", "x", "X");
        check("", "", "");
        check("世界Hello", "世界_hello", "世界Hello");
    }
}
