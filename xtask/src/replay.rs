//! `cargo xtask replay CORPUS DIR`: asks the same of Tiphys as was asked of the real program when a
//! corpus was recorded, and compares the answers.
//!
//! Owns the table of corpora ([`CORPORA`]) and how results are printed. How a corpus is replayed and
//! compared is its module's, which must never know how a result was reached: it talks to a server,
//! ours or the real one, in the same way.

mod argocd_sync;
pub(crate) mod charts;
pub(crate) mod client;
mod compare;
mod controllers;
pub(crate) mod edits;
mod kubernetes_api;
mod kustomize;
mod matching;
mod placeholders;
mod rates;
#[cfg(test)]
mod real;
mod sessions;
mod target;
mod terminal;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

/// Cases that run at the same time: most wait for events, not for a processor.
const N_AT_ONCE: usize = 8;
/// Differences shown per failing case; the first ones tell what is wrong.
const MAX_SHOWN: usize = 4;

/// What to replay, and against whom.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The corpus' name: argocd-sync, charts, edits, helm-engine, kubernetes-api, kustomizations or kustomize
    corpus: String,
    /// A folder in the format of the corpus
    folder: PathBuf,
    /// Only cases whose name fits; `*` stands for any text
    #[arg(long, default_value = "*")]
    name: String,
    /// Ask this server instead of our own
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// One more server, which runs the controllers that part D needs; without it that part is left out
    #[arg(long, value_name = "URL", requires = "server")]
    controllers: Option<String>,
    /// The bearer token for --server
    #[arg(long, requires = "server")]
    token: Option<String>,
    /// Fail only where fewer cases agree than xtask/rates.txt says
    #[arg(long)]
    floors: bool,
}

/// A case and what differed; nothing did in a case that passes.
struct Case {
    name: String,
    part: String,
    differences: Vec<String>,
}

/// How one corpus is replayed.
struct Corpus {
    name: &'static str,
    replay: fn(&Path, &Arguments) -> Result<Vec<Case>>,
}

/// All corpora that can be replayed.
const CORPORA: &[Corpus] = &[
    Corpus {
        name: "argocd-sync",
        replay: argocd_sync::replay,
    },
    Corpus {
        name: "charts",
        replay: charts::replay_public,
    },
    Corpus {
        name: "helm-engine",
        replay: charts::replay_tiny,
    },
    Corpus {
        name: "kubernetes-api",
        replay: kubernetes_api::replay,
    },
    Corpus {
        name: "kustomize",
        replay: kustomize::replay_small,
    },
    Corpus {
        name: "kustomizations",
        replay: kustomize::replay_public,
    },
    Corpus {
        name: "edits",
        replay: edits::replay,
    },
];

/// Replays the cases and prints the failing ones and the rate of each part.
///
/// # Errors
/// An unknown corpus, an unreadable folder, no case at all, or a case that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cases = replay(arguments)?;
    for case in failed(&cases) {
        println!("FAIL {}", case.name);
        for difference in case.differences.iter().take(MAX_SHOWN) {
            println!("    {difference}");
        }
    }
    print!("{}", rates::lines(&arguments.corpus, &cases));
    let n_failed = failed(&cases).count();
    println!("{} passed, {n_failed} failed", cases.len() - n_failed);
    if arguments.floors {
        return rates::check(&arguments.corpus, &cases);
    }
    if n_failed > 0 {
        bail!("{n_failed} of {} cases failed", cases.len());
    }
    Ok(())
}

fn failed(cases: &[Case]) -> impl Iterator<Item = &Case> {
    cases.iter().filter(|case| !case.differences.is_empty())
}

fn replay(arguments: &Arguments) -> Result<Vec<Case>> {
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
    Ok(cases)
}

/// Runs cases that do not touch each other, several at a time; the results keep their order.
fn in_parallel<T: Sync>(items: &[T], run: impl Fn(&T) -> Result<Case> + Sync) -> Result<Vec<Case>> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        for _ in 0..N_AT_ONCE {
            let (sender, next, run) = (sender.clone(), &next, &run);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else {
                        return;
                    };
                    // The receiver outlives this scope.
                    drop(sender.send((number, run(item))));
                }
            });
        }
    });
    drop(sender);
    let mut results: Vec<_> = receiver.into_iter().collect();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
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
    use std::io::Write;

    use super::*;
    use crate::{install, workspace};

    /// What the real server itself answers otherwise from time to time, and why. This may not grow.
    const CHANCE: [(&str, &str); 1] = [(
        "c-resourcequota-invalid-hard",
        "errors come in the order of a Go map, which is random",
    )];
    /// The recorded runs asked of the real server again, and runs asked of both, in `rates.txt`.
    const REPEATED: &str = "edits-real";
    const LIVE: &str = "edits-live";
    /// Runs beside those of the recorded sample, which the real server answers live.
    const LIVE_SEEDS: std::ops::Range<u64> = 1_000_000..1_000_100;

    fn replay_of(corpus: &str, folder: PathBuf) -> Arguments {
        Arguments {
            corpus: corpus.to_owned(),
            folder,
            name: "*".to_owned(),
            token: None,
            floors: true,
            server: None,
            controllers: None,
        }
    }

    /// A corpus of the shared folder; where that is absent, says so and gives nothing.
    fn corpus(name: &str) -> Option<Arguments> {
        let shared = std::env::var_os("TIPHYS_SHARED")
            .map_or_else(|| workspace::root().join("../shared"), PathBuf::from);
        let folder = shared.join("corpora").join(name);
        if !folder.is_dir() {
            assert!(!install::in_ci(), "{} is absent", folder.display());
            say(&format!("skipped: {} is absent\n", folder.display()));
            return None;
        }
        Some(replay_of(name, folder))
    }

    /// Past the capture of the test's output: rates and skipped tests are for everybody to see.
    pub(super) fn say(text: &str) {
        std::io::stderr()
            .write_all(text.as_bytes())
            .expect("a terminal or a pipe");
    }

    fn check(arguments: &Arguments) {
        let cases = replay(arguments).expect("the corpus can be replayed");
        check_rates(&arguments.corpus, &cases);
    }

    fn check_rates(corpus: &str, cases: &[Case]) {
        say(&rates::lines(corpus, cases));
        if let Err(low) = rates::check(corpus, cases) {
            let names: Vec<&str> = failed(cases).map(|case| case.name.as_str()).collect();
            panic!("{low}\nthese differ: {}", names.join(" "));
        }
    }

    #[test]
    fn the_sandbox_answers_as_the_real_server_did() {
        if let Some(arguments) = corpus("kubernetes-api") {
            check(&arguments);
        }
    }

    fn edits_folder() -> PathBuf {
        workspace::root().join("crates/sandbox/testdata/edits")
    }

    #[test]
    fn random_edits_give_what_they_gave_on_the_real_server() {
        check(&replay_of("edits", edits_folder()));
    }

    /// Minutes: only by hand.
    fn real_servers() -> Option<(real::Server, real::Server)> {
        std::env::var_os("TIPHYS_REAL")?;
        let bare = real::Server::start(real::Controllers::None)?;
        Some((bare, real::Server::start(real::Controllers::Running)?))
    }

    /// Fails for the first cases that differ on the real server and are not known to be left to
    /// chance there.
    fn check_repeated(arguments: &Arguments) {
        let cases = replay(arguments).expect("the corpus can be replayed");
        say(&rates::lines(&arguments.corpus, &cases));
        let is_chance = |case: &&Case| CHANCE.iter().any(|(name, _)| *name == case.name);
        let found: Vec<String> = failed(&cases)
            .filter(|case| !is_chance(case))
            .map(|case| format!("{}: {}", case.name, case.differences.join("\n    ")))
            .collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn the_real_server_passes_every_recording() {
        let Some((bare, controlled)) = real_servers() else {
            return;
        };
        let on_real = |arguments| Arguments {
            server: Some(bare.url()),
            controllers: Some(controlled.url()),
            token: Some(real::TOKEN.to_owned()),
            ..arguments
        };
        if let Some(arguments) = corpus("kubernetes-api") {
            check_repeated(&on_real(arguments));
        }
        let cases = replay(&on_real(replay_of("edits", edits_folder())));
        check_rates(REPEATED, &cases.expect("the runs can be replayed"));
        // What was not recorded is asked of both: the sandbox answers as often as the sample says.
        let client = client::Client::new(&bare.url(), Some(real::TOKEN)).expect("TLS");
        let seeds: Vec<u64> = LIVE_SEEDS.collect();
        let sandbox = replay_of(LIVE, PathBuf::new());
        let cases = edits::compare(&client, &sandbox, &seeds).expect("both can be asked");
        check_rates(LIVE, &cases);
    }

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
