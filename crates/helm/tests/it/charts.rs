//! Public charts: documents, and the whole text.

use std::collections::BTreeMap;

use manifest::trees::Files;

use super::command::{files_of_folder, on_deep_stack};
use super::corpus::{cases, folder, rate};
use super::recordings::{Agreement, check_public, text_of};

/// Deterministic cases that must agree document by document, and as text.
const FLOOR_DOCUMENTS: usize = 282;
const FLOOR_TEXT: usize = 282;
/// Cases with lines that differ from run to run: the other lines agree.
const FLOOR_CHANCE: usize = 43;

#[test]
fn public_charts_render_as_in_helm() {
    on_deep_stack(|| {
        let Some(folder) = folder("charts") else {
            return;
        };
        let (mut by_document, mut by_text, mut by_chance) = (Vec::new(), Vec::new(), Vec::new());
        let (mut n_fixed, mut n_chance) = (0, 0);
        let mut trees: BTreeMap<String, Files> = BTreeMap::new();
        for case in &cases(&folder) {
            let chart = text_of(case, "chart");
            let path = folder.join("charts").join(&chart);
            let files = trees.entry(chart).or_insert_with(|| files_of_folder(&path));
            let agreement = check_public(&folder, files, case);
            let name = text_of(case, "name");
            let is_fixed = case.get("nondeterministic").is_none();
            *(if is_fixed {
                &mut n_fixed
            } else {
                &mut n_chance
            }) += 1;
            match agreement {
                Agreement::Text => {}
                Agreement::Documents if is_fixed => by_text.push(name),
                Agreement::Documents => {}
                Agreement::Nothing(why) if is_fixed => {
                    by_text.push(name.clone());
                    by_document.push(format!("{name}: {why}"));
                }
                Agreement::Nothing(why) => by_chance.push(format!("{name}: {why}")),
            }
        }
        rate(
            "charts with chance in them",
            &by_chance,
            n_chance,
            FLOOR_CHANCE,
        );
        rate("charts as text", &by_text, n_fixed, FLOOR_TEXT);
        rate("charts by document", &by_document, n_fixed, FLOOR_DOCUMENTS);
    });
}
