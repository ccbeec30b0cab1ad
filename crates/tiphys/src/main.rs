//! The program `tiphys`: GitOps continuous delivery for Kubernetes in one binary.
//!
//! Owns the command line and what people see of it. It decides nothing about a cluster: verbs read
//! and write Application objects, and `up` starts what other crates are. Read [`cli::Command`] first.

mod apps;
mod checkout;
mod cli;
mod commands;
mod connect;
mod data_dir;
mod discover;
mod edits;
mod home;
mod local;
mod origin;
mod produced;
mod progress;
mod roots;
mod screen;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

/// Many small objects live long here: mimalloc returns memory sooner than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only if a provider is there already, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    terminal::log(arguments.verbose);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return terminal::fail(&anyhow::Error::new(error), commands::DOES_NOT_WORK),
    };
    let code = runtime.block_on(commands::run(arguments.command));
    // A render that still runs on the blocking pool must not hold up the end.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Help and version go to standard output; a mistake is told in one line, with the code of the
/// verbs' family: argocd's verbs use 1, ours 2.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        terminal::print(&error.render().to_string());
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    terminal::complain(text.trim_end());
    let is_argocd = std::env::args().nth(1).is_some_and(|verb| verb == "app");
    ExitCode::from(if is_argocd {
        commands::USAGE
    } else {
        commands::DOES_NOT_WORK
    })
}
