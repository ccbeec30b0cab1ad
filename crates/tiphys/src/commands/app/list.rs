//! `tiphys app list`.

use anyhow::Result;
use api::Application;
use yaml::Value;

use super::{print_value, selector};
use crate::cli::{Format, ListArguments};
use crate::table::Table;
use crate::{connect, local, terminal};

/// Prints the Applications that fit.
pub(super) async fn run(arguments: &ListArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    let mut found = apps.list().await?;
    found.retain(|app| fits(app, arguments));
    match arguments.output {
        Format::Wide => terminal::print(&table(&found)),
        Format::Name => {
            for app in &found {
                terminal::line(&qualified(app));
            }
        }
        format => print_value(
            &Value::List(found.iter().map(Application::to_value).collect()),
            format,
        )?,
    }
    Ok(0)
}

fn fits(app: &Application, arguments: &ListArguments) -> bool {
    let in_project = arguments.project.is_empty() || arguments.project.contains(&app.spec.project);
    let selector = arguments.selector.as_deref();
    let selected = selector.is_none_or(|text| selector::fits(text, &app.metadata.labels));
    let reads = arguments.repo.as_deref().is_none_or(|repo| {
        app.spec
            .all_sources()
            .iter()
            .any(|source| local::same(&source.repo_url, repo))
    });
    in_project && selected && reads
}

/// `NAMESPACE/NAME`.
pub(super) fn qualified(app: &Application) -> String {
    format!("{}/{}", app.metadata.namespace, app.metadata.name)
}

fn table(apps: &[Application]) -> String {
    let mut table = Table::new(&[
        "NAME",
        "CLUSTER",
        "NAMESPACE",
        "PROJECT",
        "STATUS",
        "HEALTH",
        "SYNCPOLICY",
        "CONDITIONS",
        "REPO",
        "PATH",
        "TARGET",
    ]);
    for app in apps {
        let destination = &app.spec.destination;
        let cluster = if destination.server.is_empty() {
            &destination.name
        } else {
            &destination.server
        };
        let source = app
            .spec
            .all_sources()
            .into_iter()
            .next()
            .unwrap_or_default();
        table.row(vec![
            qualified(app),
            cluster.clone(),
            destination.namespace.clone(),
            app.spec.project.clone(),
            app.status.sync.status.as_str().to_owned(),
            app.status.health.status.as_str().to_owned(),
            policy(app).to_owned(),
            conditions(app),
            source.repo_url,
            source.path,
            source.target_revision,
        ]);
    }
    table.render()
}

fn policy(app: &Application) -> &'static str {
    match app.spec.automation() {
        None => "Manual",
        Some(automated) if automated.prune => "Auto-Prune",
        Some(_) => "Auto",
    }
}

/// `<none>`, or the types with their number when there are several of one.
fn conditions(app: &Application) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for condition in &app.status.conditions {
        *counts
            .entry(condition.condition_type.as_str())
            .or_insert(0_usize) += 1;
    }
    let text = |(name, count): (&str, usize)| match count {
        1 => name.to_owned(),
        count => format!("{name}({count})"),
    };
    let texts: Vec<String> = counts.into_iter().map(text).collect();
    if texts.is_empty() {
        "<none>".to_owned()
    } else {
        texts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_argocd() {
        let text = "metadata: {name: web, namespace: argocd}\nspec:\n  project: platform\n  \
            source: {repoURL: 'https://host/r', path: p, targetRevision: main}\n  \
            destination: {server: 'https://kubernetes.default.svc', namespace: web}\n  \
            syncPolicy: {automated: {prune: true}}\n\
            status:\n  sync: {status: Synced}\n  health: {status: Healthy}\n  conditions:\n  \
            - {type: B, message: x}\n  - {type: A, message: x}\n  - {type: B, message: z}\n";
        let app = Application::from_value(yaml::parse_str(text).expect("YAML")).expect("one");
        let rows = table(&[app]);
        let words: Vec<&str> = rows
            .lines()
            .nth(1)
            .expect("a row")
            .split_whitespace()
            .collect();
        let want = [
            "argocd/web",
            "https://kubernetes.default.svc",
            "web",
            "platform",
            "Synced",
            "Healthy",
            "Auto-Prune",
            "A,B(2)",
            "https://host/r",
            "p",
            "main",
        ];
        assert_eq!(words, want);
    }
}
