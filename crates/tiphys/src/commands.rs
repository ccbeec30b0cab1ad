//! The verbs of the command line, one module each, and how they end.

mod app;
mod completion;
mod install;
mod render;
mod sandbox;
mod up;

use anyhow::Error;

use crate::cli::Command;
use crate::terminal;

/// Our own verbs: it differs, or is not healthy.
pub(crate) const DIFFERS: u8 = 1;
/// Our own verbs: it could not be done.
pub(crate) const DOES_NOT_WORK: u8 = 2;
/// The verbs of argocd: a mistake on the command line, or a sync that failed.
pub(crate) const USAGE: u8 = 1;
/// The verbs of argocd: the API refused.
pub(crate) const API_ERROR: u8 = 20;

/// Runs a verb to its end; gives the exit code, after telling why when it is not 0.
pub(crate) async fn run(command: Command) -> u8 {
    let (outcome, code) = match command {
        Command::Up(arguments) => (up::run(arguments).await, DOES_NOT_WORK),
        Command::Render(arguments) => (render::run(&arguments).await, DOES_NOT_WORK),
        Command::App(command) => (app::run(command).await, API_ERROR),
        Command::Install(arguments) => (install::run(&arguments), DOES_NOT_WORK),
        Command::Sandbox(arguments) => (sandbox::run(arguments).await, DOES_NOT_WORK),
        Command::Completion { shell } => (completion::run(shell), DOES_NOT_WORK),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let code = error.downcast_ref::<Mistake>().map_or(code, |_| USAGE);
            terminal::complain(&format!("error: {}", told(&error)));
            code
        }
    }
}

/// Something that the caller of an argocd verb got wrong, or that went wrong as argocd counts it.
#[derive(Debug)]
pub(crate) struct Mistake(pub(crate) String);

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

/// The chain of an error in one line, each part once.
fn told(error: &Error) -> String {
    let mut text = String::new();
    for part in error.chain().map(ToString::to_string) {
        if text.ends_with(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    text
}
