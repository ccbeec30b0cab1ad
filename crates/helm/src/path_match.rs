//! Go's `filepath.Match`: patterns of `.helmignore` and `--show-only`.

/// A pattern that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// Whether a name fits a pattern; `*` and `?` never stand for a slash.
///
/// # Errors
/// [`BadPattern`] when the pattern is none, as far as it was looked at.
pub(crate) fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where the last star is, and how much it has taken: one step back is enough.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut taken) = (0, 0);
    loop {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at + 1, taken));
            at += 1;
            continue;
        }
        if at == pattern.len() && taken == name.len() {
            return Ok(true);
        }
        let step = match pattern.get(at) {
            Some(_) => one(&pattern[at..], name.get(taken).copied())?,
            None => None,
        };
        if let Some(length) = step {
            at += length;
            taken += 1;
            continue;
        }
        match star {
            Some((behind, from)) if from < name.len() && name[from] != '/' => {
                star = Some((behind, from + 1));
                (at, taken) = (behind, from + 1);
            }
            _ => {
                check(&pattern[at.min(pattern.len())..])?;
                return Ok(false);
            }
        }
    }
}

/// Matches one character of a name; how long the pattern for it is.
fn one(pattern: &[char], name: Option<char>) -> Result<Option<usize>, BadPattern> {
    let (fits, length): (bool, usize) = match pattern[0] {
        '[' => class(pattern, name)?,
        '?' => (name.is_some_and(|it| it != '/'), 1),
        '\\' => {
            let it = pattern.get(1).ok_or(BadPattern)?;
            (name == Some(*it), 2)
        }
        it => (name == Some(it), 1),
    };
    Ok((fits && name.is_some()).then_some(length))
}

/// `[…]`: whether it fits, and its length.
fn class(pattern: &[char], name: Option<char>) -> Result<(bool, usize), BadPattern> {
    let is_negated = pattern.get(1) == Some(&'^');
    let mut at = if is_negated { 2 } else { 1 };
    let mut fits = false;
    let mut n_ranges = 0;
    loop {
        if pattern.get(at) == Some(&']') && n_ranges > 0 {
            break;
        }
        let (low, next) = character(pattern, at)?;
        let (high, next) = match pattern.get(next) {
            Some('-') => character(pattern, next + 1)?,
            _ => (low, next),
        };
        fits |= name.is_some_and(|it| low <= it && it <= high);
        n_ranges += 1;
        at = next;
    }
    Ok((fits != is_negated, at + 1))
}

fn character(pattern: &[char], at: usize) -> Result<(char, usize), BadPattern> {
    let (it, next) = match pattern.get(at).ok_or(BadPattern)? {
        '-' | ']' => return Err(BadPattern),
        '\\' => (*pattern.get(at + 1).ok_or(BadPattern)?, at + 2),
        it => (*it, at + 1),
    };
    // A class has an end.
    if next >= pattern.len() {
        return Err(BadPattern);
    }
    Ok((it, next))
}

/// Whether the rest of a pattern is one.
fn check(mut pattern: &[char]) -> Result<(), BadPattern> {
    while let Some(first) = pattern.first() {
        let length = match first {
            '[' => class(pattern, None)?.1,
            '\\' => {
                pattern.get(1).ok_or(BadPattern)?;
                2
            }
            _ => 1,
        };
        pattern = &pattern[length..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_go() {
        let check = |pattern: &str, name: &str, want: Result<bool, BadPattern>| {
            assert_eq!(path_match(pattern, name), want, "{pattern} {name}");
        };
        check("*.yaml", "a.yaml", Ok(true));
        check("*.yaml", "a/b.yaml", Ok(false));
        check("a*/b", "abc/b", Ok(true));
        check("a*b*c", "abbc", Ok(true));
        check("[a-c]?", "bx", Ok(true));
        check("[^a-c]", "b", Ok(false));
        check("a\\*", "a*", Ok(true));
        check("[", "a", Err(BadPattern));
        check("a[", "b", Err(BadPattern));
        check("templates/.?*", "templates/.x", Ok(true));
        check("templates/.?*", "templates/.", Ok(false));
        check("", "", Ok(true));
    }
}
