//! Tiny charts: output and error text, byte by byte.

use super::command::on_deep_stack;
use super::corpus::{cases, folder, rate};
use super::recordings::{check_tiny, text_of};

/// Cases that must agree.
const FLOOR: usize = 387;

#[test]
fn tiny_charts_render_as_in_helm() {
    on_deep_stack(|| {
        let Some(folder) = folder("helm-engine") else {
            return;
        };
        let cases = cases(&folder);
        let mut failed = Vec::new();
        for case in &cases {
            if let Err(difference) = check_tiny(case) {
                failed.push(format!("{}: {difference}", text_of(case, "name")));
            }
        }
        rate("charts of helm-engine", &failed, cases.len(), FLOOR);
    });
}
