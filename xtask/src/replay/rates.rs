//! How much of a corpus agrees, by part, and the floors under which it must not fall.
//!
//! Owns the reading of `xtask/rates.txt`, where all floors stand, and the printed lines. It must
//! never know how a case was judged.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::Case;

/// Lines `corpus/part FLOOR of TOTAL`; what follows is why the rest is missing.
const FLOORS: &str = include_str!("../../rates.txt");

/// Passed cases and all cases of one part.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Rate {
    passed: usize,
    total: usize,
}

/// The rates of a corpus by part, one line each.
pub(super) fn lines(corpus: &str, cases: &[Case]) -> String {
    let line = |(part, rate): (&str, Rate)| {
        format!("{corpus}/{part}: {} of {}\n", rate.passed, rate.total)
    };
    rates(cases).into_iter().map(line).collect()
}

/// Whether every part that has a floor reaches it.
///
/// # Errors
/// The parts that do not, and those that were not replayed at all.
pub(super) fn check(corpus: &str, cases: &[Case]) -> Result<()> {
    let rates = rates(cases);
    let mut low = Vec::new();
    for (part, floor) in floors(FLOORS, corpus)? {
        let rate = rates.get(part.as_str()).copied().unwrap_or_default();
        if rate.passed < floor.passed || rate.total < floor.total {
            let (passed, total) = (rate.passed, rate.total);
            low.push(format!(
                "{corpus}/{part}: {passed} of {total} agree, {} of {} did before",
                floor.passed, floor.total
            ));
        }
    }
    if low.is_empty() {
        return Ok(());
    }
    bail!("{}", low.join("\n"))
}

fn rates(cases: &[Case]) -> BTreeMap<&str, Rate> {
    let mut rates: BTreeMap<&str, Rate> = BTreeMap::new();
    for case in cases {
        let rate = rates.entry(&case.part).or_default();
        rate.total += 1;
        rate.passed += usize::from(case.differences.is_empty());
    }
    rates
}

/// The floors of one corpus by part.
fn floors(text: &str, corpus: &str) -> Result<BTreeMap<String, Rate>> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut floors = BTreeMap::new();
    for line in lines {
        let mut words = line.split_whitespace();
        let mut word = || words.next().with_context(|| format!("rates.txt: {line}"));
        let (name, passed, of, total) = (word()?, word()?, word()?, word()?);
        let (owner, part) = name.split_once('/').context("a part has a corpus")?;
        if of != "of" {
            bail!("rates.txt: {line}");
        }
        let rate = Rate {
            passed: passed.parse()?,
            total: total.parse()?,
        };
        if owner == corpus {
            floors.insert(part.to_owned(), rate);
        }
    }
    Ok(floors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(part: &str, passes: bool) -> Case {
        Case {
            name: "x".to_owned(),
            part: part.to_owned(),
            differences: if passes {
                Vec::new()
            } else {
                vec!["differs".to_owned()]
            },
        }
    }

    #[test]
    fn rates_are_counted_by_part() {
        let cases = [case("A", true), case("A", false), case("B", true)];
        assert_eq!(lines("c", &cases), "c/A: 1 of 2\nc/B: 1 of 1\n");
    }

    #[test]
    fn floors_are_read_with_their_reasons() {
        let text = "# a comment\n\nc/A 1 of 2 because\nother/A 7 of 7\n";
        let want = BTreeMap::from([(
            "A".to_owned(),
            Rate {
                passed: 1,
                total: 2,
            },
        )]);
        assert_eq!(floors(text, "c").expect("is well formed"), want);
        assert!(floors("c/A 1", "c").is_err());
        assert!(floors("c/A 1 or 2", "c").is_err());
    }
}
