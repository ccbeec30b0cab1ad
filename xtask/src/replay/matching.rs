//! Compares objects with recordings in which volatile values are placeholders without identity, as
//! the corpus' README says for part D.

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::compare::differences;

/// What each placeholder stands for.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("uid", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("rv", r"\d+"),
    ("listrv", r"\d+"),
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    ("microtime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    ("name", r"[a-z0-9][a-z0-9.-]*-[a-z0-9]{5}"),
    ("hash", r"[a-z0-9]+"),
    ("ip", r"10\.96\.\d+\.\d+"),
    ("nodeport", r"3\d{4}"),
    ("rand", r"[a-z0-9]{5}"),
    ("event", r"[0-9a-f]{16}"),
    ("ca", r"(?s:.*)"),
];
/// Addresses that the replay gives to pods are numbered by chance.
const POD_ADDRESS: &str = r"10\.0\.0\.\d+";

/// Compares lists of objects as sets; gives the first difference to the best partner.
pub(super) fn sets(want: &[Json], got: &[Json]) -> Option<String> {
    let mut left: Vec<&Json> = got.iter().collect();
    for want in want {
        let differing = |got: &Json| differences(want, &with_placeholders(want, got), "");
        if let Some(position) = left.iter().position(|got| differing(got).is_empty()) {
            left.remove(position);
            continue;
        }
        let name = want["metadata"]["name"].as_str().unwrap_or_default();
        let partner = left.iter().min_by_key(|got| differing(got).len());
        let reasons = partner.map(|got| differing(got));
        return Some(match reasons.as_deref() {
            Some([first, rest @ ..]) => {
                let more = rest.len();
                format!("{name}: {first} (and {more} more)")
            }
            _ => format!("{name} is missing"),
        });
    }
    let name = &left.first()?["metadata"]["name"];
    Some(format!("{name} was not recorded"))
}

/// What was got, with a recorded text in each place where what was got fits its placeholders.
fn with_placeholders(want: &Json, got: &Json) -> Json {
    match (want, got) {
        (Json::Object(want), Json::Object(got)) => got
            .iter()
            .map(|(key, got)| {
                let want = want.get(key).unwrap_or(&Json::Null);
                (key.clone(), with_placeholders(want, got))
            })
            .collect::<Map<_, _>>()
            .into(),
        (Json::Array(want), Json::Array(got)) => {
            let pairs = got.iter().enumerate();
            let one = |(number, got): (usize, &Json)| {
                with_placeholders(want.get(number).unwrap_or(&Json::Null), got)
            };
            pairs.map(one).collect()
        }
        (Json::String(wanted), Json::String(text)) if fits(wanted, text) => want.clone(),
        _ => got.clone(),
    }
}

fn fits(want: &str, got: &str) -> bool {
    if want == got {
        return true;
    }
    if !want.contains('<') && !want.contains("10.0.0.") {
        return false;
    }
    let Ok(mark) = Regex::new(&format!(r"<([a-z]+)(?::\d+)?>|{POD_ADDRESS}")) else {
        return false;
    };
    let mut pattern = String::from("^");
    let mut rest = 0;
    for found in mark.captures_iter(want) {
        let Some(all) = found.get(0) else { continue };
        let meaning = match found.get(1) {
            Some(name) => PLACEHOLDERS
                .iter()
                .find(|(known, _)| *known == name.as_str()),
            None => Some(&("", POD_ADDRESS)),
        };
        let Some((_, meaning)) = meaning else {
            return false;
        };
        pattern.push_str(&regex::escape(&want[rest..all.start()]));
        pattern.push_str(meaning);
        rest = all.end();
    }
    pattern.push_str(&regex::escape(&want[rest..]));
    pattern.push('$');
    Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(got))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_for_their_values_only() {
        for (want, got, same) in [
            ("web-<hash:1>", "web-7d9f", true),
            ("web-<hash:1>", "api-7d9f", false),
            ("<time>", "2026-01-02T03:04:05Z", true),
            ("<time>", "now", false),
            ("Created pod: <name:2>", "Created pod: web-7d9f-x2b4z", true),
            ("plain", "plain", true),
            ("10.0.0.1", "10.0.0.7", true),
        ] {
            assert_eq!(fits(want, got), same, "{want} {got}");
        }
    }
}
