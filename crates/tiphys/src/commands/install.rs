//! `tiphys install --crds`: what a cluster needs before it can hold Applications.

use anyhow::Result;

use crate::cli::InstallArguments;
use crate::terminal;

/// Prints the CustomResourceDefinitions as one YAML stream.
pub(super) fn run(arguments: &InstallArguments) -> Result<u8> {
    if arguments.crds {
        let texts: Vec<String> = api::crds().iter().map(yaml::emit).collect();
        terminal::print(&texts.join("---\n"));
    }
    Ok(0)
}
