//! What the tests need beside Rust: the real kubectl and helm, a registry, and an ssh server in CI.
//!
//! Owns where those programs are put (a cache folder outside the checkout) and when their absence
//! is an error: never on a user's machine, where the tests that need them skip aloud, always in CI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Makes sure that the programs are there; a second run finds them and does nothing.
///
/// # Errors
/// In CI, when one of them cannot be put in place.
pub(crate) fn run() -> Result<()> {
    let outcomes = [
        ("kubectl and helm", kubectl_and_helm()),
        ("sshd", ssh_server()),
        ("docker-registry", registry()),
    ];
    for (what, outcome) in outcomes {
        match outcome {
            Ok(place) => println!("    {what}: {place}"),
            Err(error) if in_ci() => return Err(error.context(format!("{what} are needed in CI"))),
            Err(error) => {
                println!("    {what}: absent, the tests that drive them skip ({error:#})");
            }
        }
    }
    Ok(())
}

/// Whether this run is a CI run: there, a test that cannot run is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// The folder of the real programs: `$TIPHYS_ORACLE`, else `oracle` in the user's cache.
pub(crate) fn oracle_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TIPHYS_ORACLE") {
        return Ok(folder.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(Path::new(&home).join(".cache/tiphys/oracle"))
}

fn kubectl_and_helm() -> Result<String> {
    let folder = oracle_folder()?;
    let complete = ["kubectl", "helm"]
        .iter()
        .all(|name| folder.join(name).is_file());
    if !complete {
        let script = workspace::root().join("tools/oracle-install");
        run_quietly(Command::new("bash").arg(script).arg(&folder))?;
    }
    Ok(folder.display().to_string())
}

/// Debian's package, and only where nobody else uses the machine: in CI as root.
fn ssh_server() -> Result<String> {
    const PROGRAM: &str = "/usr/sbin/sshd";
    if Path::new(PROGRAM).is_file() {
        return Ok(PROGRAM.to_owned());
    }
    if !in_ci() {
        bail!("not installed");
    }
    run_quietly(Command::new("apt-get").args(["update", "-qq"]))?;
    run_quietly(
        Command::new("apt-get")
            .args([
                "install",
                "-qq",
                "-y",
                "--no-install-recommends",
                "openssh-server",
            ])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    Ok(PROGRAM.to_owned())
}

/// The registry that tests of charts push to: Debian's package, unpacked beside kubectl and helm,
/// so that nothing of the machine changes.
fn registry() -> Result<String> {
    let folder = oracle_folder()?;
    let program = folder.join("docker-registry");
    if !program.is_file() {
        if in_ci() {
            run_quietly(Command::new("apt-get").args(["update", "-qq"]))?;
        }
        std::fs::create_dir_all(&folder)?;
        let work = folder.join("unpacking");
        std::fs::create_dir_all(&work)?;
        let script = "apt-get download -qq docker-registry && dpkg-deb -x docker-registry_*.deb . \
                      && mv usr/bin/docker-registry ..";
        let outcome = run_quietly(Command::new("sh").args(["-c", script]).current_dir(&work));
        std::fs::remove_dir_all(&work)?;
        outcome?;
    }
    Ok(program.display().to_string())
}

/// Runs a program; its output is shown only when it fails.
fn run_quietly(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
