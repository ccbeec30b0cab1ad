//! Development commands: the gate, the rules of the house, replays, benchmarks, recording tools.
//!
//! Owns what developers and CI run (`cargo xtask …`). Nothing depends on it, and it must never hold
//! product logic. Read [`Command`] first: it is the list of commands.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal is this program's only output"
)]

mod bench;
mod codegen;
mod gate;
mod install;
mod lexer;
mod replay;
mod soak;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The product's: what benches render in this process takes as long as in it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Development commands of Tiphys.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What `cargo xtask` can do.
#[derive(Subcommand)]
enum Command {
    /// The gate: format, lints, tidy, all tests, documentation; stops at the first failure
    Test,
    /// Check the rules of the house (layers, sizes, licences, documents)
    Tidy,
    /// Write the schema table of the built-in kinds from the reference data of Kubernetes
    Codegen {
        /// Only compare: fail when the checked-in table is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Put the real kubectl and helm, which some tests drive, into the cache folder
    InstallTools,
    /// Measure the budgets of the design and print them as a table (builds the release binary)
    Bench {
        /// Measure this part only
        part: Option<bench::Part>,
    },
    /// Hold a sandbox under load for a minute: no watcher misses anything, the memory stays
    Soak(soak::Arguments),
    /// Kill a sandbox 200 times in the middle of writes: nothing acknowledged is lost
    Crash,
    /// Ask what a corpus of recordings asks, and compare the answers
    Replay(replay::Arguments),
    /// Record random edits of random objects on a real kube-apiserver
    RecordEdits(replay::edits::RecordArguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        // A client that costs more than the server would only measure itself.
        Command::Bench { .. } | Command::Soak(_) if cfg!(debug_assertions) => gate::optimised(),
        Command::Test => gate::run(),
        Command::Tidy => tidy::run(),
        Command::Codegen { check: true } => codegen::check(),
        Command::Codegen { check: false } => codegen::run(),
        Command::InstallTools => install::run(),
        Command::Bench { part } => bench::run(part),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Crash => gate::crash(),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::RecordEdits(arguments) => replay::edits::record(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
