//! `tiphys completion SHELL`: the completion script, made from the command line's own definition.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::Arguments;
use crate::terminal;

/// Prints the script.
pub(super) fn run(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tiphys", &mut script);
    terminal::print(&String::from_utf8(script)?);
    Ok(0)
}
