//! `cargo xtask replay CORPUS DIR`: asks the same of Tiphys as was asked of the real program when a
//! corpus was recorded, and compares the answers.
//!
//! Owns the table of corpora ([`CORPORA`]) and how results are printed. How a corpus is replayed and
//! compared is its module's, which must never know how a result was reached: it talks to a server,
//! ours or the real one, in the same way.

pub(crate) mod client;
mod compare;
mod kubernetes_api;
mod placeholders;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

/// Differences shown per failing case; the first ones tell what is wrong.
const MAX_SHOWN: usize = 4;

/// What to replay, and against whom.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The corpus' name: kubernetes-api
    corpus: String,
    /// A folder in the format of the corpus
    folder: PathBuf,
    /// Only cases whose name fits; `*` stands for any text
    #[arg(long, default_value = "*")]
    name: String,
    /// Ask this server instead of our own
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The bearer token for --server
    #[arg(long, requires = "server")]
    token: Option<String>,
}

/// A case and what differed; nothing did in a case that passes.
struct Case {
    name: String,
    differences: Vec<String>,
}

/// How one corpus is replayed.
struct Corpus {
    name: &'static str,
    replay: fn(&Path, &Arguments) -> Result<Vec<Case>>,
}

/// All corpora that can be replayed.
const CORPORA: &[Corpus] = &[Corpus {
    name: "kubernetes-api",
    replay: kubernetes_api::replay,
}];

/// Replays the cases and prints the failing ones.
///
/// # Errors
/// An unknown corpus, an unreadable folder, no case at all, or a case that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let corpus = CORPORA
        .iter()
        .find(|corpus| corpus.name == arguments.corpus);
    let corpus = corpus.with_context(|| {
        let names: Vec<&str> = CORPORA.iter().map(|corpus| corpus.name).collect();
        format!(
            "no corpus {:?}; there is: {}",
            arguments.corpus,
            names.join(", ")
        )
    })?;
    let cases = (corpus.replay)(&arguments.folder, arguments)?;
    if cases.is_empty() {
        bail!(
            "no case called {:?} in {}",
            arguments.name,
            arguments.folder.display()
        );
    }
    let failed = cases
        .iter()
        .filter(|case| !case.differences.is_empty())
        .count();
    for case in cases.iter().filter(|case| !case.differences.is_empty()) {
        println!("FAIL {}", case.name);
        for difference in case.differences.iter().take(MAX_SHOWN) {
            println!("    {difference}");
        }
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} cases failed", cases.len());
    }
    Ok(())
}

impl Arguments {
    /// Whether a case of this name is asked for.
    fn wants(&self, name: &str) -> bool {
        fits(&self.name, name)
    }
}

/// Whether `name` fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(left) = name.strip_prefix(start) else {
        return false;
    };
    let mut starts = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    starts.any(|at| fits(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("a*c", "abcbc", true),
            ("*b*", "abc", true),
            ("a*d", "abc", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }
}
