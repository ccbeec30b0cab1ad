//! What the tables of renderers share: processes beside those of the real tool, and how times grow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::median;
use crate::{install, workspace};

/// Processes of each program, and after how much time those are enough that ran by then: kubectl
/// takes minutes for what is measured in milliseconds here.
const N_PROCESSES: usize = 7;
const ENOUGH: Duration = Duration::from_secs(20);

/// The recordings of the shared folder.
pub(super) fn corpora() -> PathBuf {
    std::env::var_os("TIPHYS_SHARED")
        .map_or_else(|| workspace::root().join("../shared"), PathBuf::from)
        .join("corpora")
}

/// Writes a file, and the folders that it is in.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file in a folder")?)?;
    Ok(fs::write(path, text)?)
}

pub(super) fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Our process and the one of a real tool, in turns: what slows one slows the other. The second time
/// is `None` where that tool is not installed, or not asked for.
pub(super) fn in_turns(
    ours: &dyn Fn() -> Command,
    tool: Option<&str>,
    theirs: &dyn Fn(&Path) -> Command,
) -> Result<(Duration, Option<Duration>)> {
    let folder = install::oracle_folder()?;
    let tool = tool.map(|tool| folder.join(tool)).filter(|it| it.is_file());
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..N_PROCESSES {
        if began.elapsed() > ENOUGH {
            break;
        }
        our_times.push(timed(ours())?);
        if let Some(tool) = &tool {
            their_times.push(timed(theirs(tool))?);
        }
    }
    let theirs = (!their_times.is_empty()).then(|| median(their_times));
    Ok((median(our_times), theirs))
}

fn timed(mut command: Command) -> Result<Duration> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let elapsed = began.elapsed();
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(elapsed)
}

/// How times grow with a number: the exponent, which is 1 where they grow as it does, and the time of
/// one more.
pub(super) fn growth(points: &[(usize, Duration)]) -> String {
    let points: Vec<(f64, f64)> = points
        .iter()
        .map(|(n, time)| (*n as f64, time.as_secs_f64() * 1e3))
        .collect();
    let logarithms: Vec<_> = points.iter().map(|(n, it)| (n.ln(), it.ln())).collect();
    match (slope(&logarithms), slope(&points)) {
        (Some(exponent), Some(more)) => format!("grows as n^{exponent:.2}, {more:.3} ms each"),
        _ => "was not measured".to_owned(),
    }
}

/// The slope of the line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let middle = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (x, y) = (middle(|it| it.0), middle(|it| it.1));
    let products = points.iter().map(|it| (it.0 - x) * (it.1 - y));
    let squares = points.iter().map(|it| (it.0 - x).powi(2));
    let (products, squares): (f64, f64) = (products.sum(), squares.sum());
    (squares > 0.0).then(|| products / squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_linearly_has_the_exponent_1() {
        let check = |time: fn(f64) -> f64, want: f64| {
            let points = [15.0, 30.0, 60.0, 120.0_f64].map(|n| (n.ln(), time(n).ln()));
            let found = slope(&points).unwrap();
            assert!((found - want).abs() < 1e-9, "{found}");
        };
        check(|n| 3.0 * n, 1.0);
        check(|n| 0.1 * n * n, 2.0);
    }
}
