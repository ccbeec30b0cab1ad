//! `tiphys app history`.

use anyhow::Result;
use api::Application;
use api::status::HistoryEntry;

use super::{get, named, short};
use crate::cli::{HistoryArguments, HistoryFormat};
use crate::table::Table;
use crate::{connect, terminal};

/// Prints what was deployed when.
pub(super) async fn run(arguments: &HistoryArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    let (apps, name) = named(&apps, &arguments.name);
    let app = apps.get(name).await?;
    match arguments.output {
        HistoryFormat::Id => {
            for entry in &app.status.history {
                terminal::line(&entry.id.to_string());
            }
        }
        HistoryFormat::Wide => terminal::print(&table(&app)),
    }
    Ok(0)
}

/// One block for each repository, in the order of their first deployment.
fn table(app: &Application) -> String {
    let mut blocks: Vec<(String, Table)> = Vec::new();
    for entry in &app.status.history {
        for (repository, revision) in revisions(entry) {
            let found = blocks.iter().position(|(known, _)| *known == repository);
            let place = found.unwrap_or_else(|| {
                let mut table = Table::default();
                table.row(vec!["SOURCE".to_owned(), repository.clone()]);
                table.row(["ID", "DATE", "REVISION"].map(str::to_owned).to_vec());
                blocks.push((repository, table));
                blocks.len() - 1
            });
            let date = entry.deployed_at.map(get::shown_time).unwrap_or_default();
            blocks[place]
                .1
                .row(vec![entry.id.to_string(), date, revision]);
        }
    }
    let texts: Vec<String> = blocks.iter().map(|(_, table)| table.render()).collect();
    texts.join("\n")
}

/// Repository and revision of each source of an entry.
fn revisions(entry: &HistoryEntry) -> Vec<(String, String)> {
    let one = |source: &api::Source, revision: &str| {
        let shown = format!("{} ({})", source.target_revision, short(revision));
        (source.repo_url.clone(), shown)
    };
    if entry.sources.is_empty() {
        return vec![one(&entry.source, &entry.revision)];
    }
    entry
        .sources
        .iter()
        .zip(&entry.revisions)
        .map(|(source, revision)| one(source, revision))
        .collect()
}
