//! What is printed, and where: results on standard output, everything about them on standard error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Prints text as it is. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Prints one line.
pub(crate) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints one line on standard error.
pub(crate) fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    drop(writeln!(out, "{text}"));
}

/// Tells why a command failed; gives its exit code.
pub(crate) fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    complain(&format!("error: {error:#}"));
    ExitCode::from(code)
}

/// Whether a person reads standard output.
pub(crate) fn is_interactive() -> bool {
    std::io::stdout().is_terminal()
}

/// Our own crates: what the libraries below them say is only of use to who asks for it.
const CRATES: [&str; 7] = [
    "cluster",
    "controller",
    "engine",
    "life",
    "sandbox",
    "source",
    "tiphys",
];

/// Sends log lines to standard error; `$RUST_LOG` beats the number of `-v`.
pub(crate) fn log(verbosity: u8) {
    let default = match verbosity {
        0 => "off".to_owned(),
        1 => "info".to_owned(),
        _ => CRATES.map(|name| format!("{name}=debug")).join(",") + ",info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only when a test has set one already.
    drop(subscriber.try_init());
}
