//! `cargo xtask test`: every check that a change must pass, in the order of the cheapest answer.
//!
//! Owns the list of steps ([`STEPS`]) and how each is run and timed. It must never know what a
//! single step checks.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{install, tidy, workspace};

/// One step of the gate.
struct Step {
    name: &'static str,
    run: fn() -> Result<()>,
}

/// The gate, cheapest first: a wrongly formatted file is told in a second, not after the build.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "tidy",
        run: tidy::run,
    },
    Step {
        name: "lints",
        run: lints,
    },
    Step {
        name: "tools",
        run: install::run,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "documentation",
        run: documentation,
    },
];

/// Runs all steps and prints each with its time.
///
/// # Errors
/// The first step that fails; its output has been printed by then.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    for step in STEPS {
        println!("==> {}", step.name);
        let began = Instant::now();
        (step.run)().with_context(|| format!("step `{}` failed", step.name))?;
        println!(
            "    {} passed in {:.1} s",
            step.name,
            began.elapsed().as_secs_f64()
        );
    }
    println!(
        "all {} steps passed in {:.1} s",
        STEPS.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn format() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])
}

fn lints() -> Result<()> {
    cargo(
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )
}

fn tests() -> Result<()> {
    cargo(&["test", "--workspace", "--quiet"], &[])
}

/// The crash test of the sandbox, at its full length.
///
/// # Errors
/// When something acknowledged was lost.
pub(crate) fn crash() -> Result<()> {
    let test = "crash::nothing_acknowledged_is_lost_by_a_kill";
    let arguments = [
        "test",
        "--package",
        "sandbox",
        "--test",
        "it",
        test,
        "--",
        "--nocapture",
    ];
    cargo(&arguments, &[("SANDBOX_CRASH_ROUNDS", "200")])
}

/// Builds these commands with optimisation and runs the same one again.
///
/// # Errors
/// When the build or the command fails.
pub(crate) fn optimised() -> Result<()> {
    let mut arguments = vec!["run", "--release", "--quiet", "--package", "xtask", "--"];
    let given: Vec<String> = std::env::args().skip(1).collect();
    arguments.extend(given.iter().map(String::as_str));
    cargo(&arguments, &[])
}

fn documentation() -> Result<()> {
    let arguments = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ];
    cargo(&arguments, &[("RUSTDOCFLAGS", "-D warnings")])
}

/// Runs cargo in the workspace; its output goes to the terminal as it comes.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let status = workspace::cargo()
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("`cargo {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}
