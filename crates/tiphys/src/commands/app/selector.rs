//! Label selectors as kubectl reads them: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.

use std::collections::BTreeMap;

/// Whether labels fit a selector; all its parts must.
pub(super) fn fits(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    parts(selector).iter().all(|part| part_fits(part, labels))
}

/// Splits at the commas outside of parentheses.
fn parts(selector: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, character) in selector.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(selector[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(selector[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn part_fits(part: &str, labels: &BTreeMap<String, String>) -> bool {
    let value = |key: &str| labels.get(key.trim()).map(String::as_str);
    let list = |text: &str| -> Vec<String> {
        let inside = text.trim().trim_start_matches('(').trim_end_matches(')');
        inside.split(',').map(|one| one.trim().to_owned()).collect()
    };
    if let Some((key, values)) = part.split_once(" notin ") {
        return !value(key).is_some_and(|found| list(values).iter().any(|one| one == found));
    }
    if let Some((key, values)) = part.split_once(" in ") {
        return value(key).is_some_and(|found| list(values).iter().any(|one| one == found));
    }
    if let Some((key, wanted)) = part.split_once("!=") {
        return value(key) != Some(wanted.trim());
    }
    if let Some((key, wanted)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return value(key) == Some(wanted.trim());
    }
    match part.strip_prefix('!') {
        Some(key) => value(key).is_none(),
        None => value(part).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_understood() {
        let labels = BTreeMap::from([
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ]);
        for (selector, want) in [
            ("a=1", true),
            ("a==2", false),
            ("a=1,b=3", false),
            ("a!=2", true),
            ("c!=2", true),
            ("a", true),
            ("!a", false),
            ("!c,b", true),
            ("a in (0, 1),b", true),
            ("a notin (1)", false),
            ("c notin (1)", true),
        ] {
            assert_eq!(fits(selector, &labels), want, "{selector}");
        }
    }
}
