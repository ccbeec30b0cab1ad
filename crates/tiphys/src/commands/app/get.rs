//! `tiphys app get`.

use anyhow::Result;
use api::application::Automated;
use api::operation::OperationState;
use api::{Application, Source, SyncCode, Time};

use super::{Mistake, list, named, print_value, refreshed, resources, short};
use crate::cli::{Format, GetArguments};
use crate::table::Table;
use crate::{connect, terminal};

/// Width of the column of keys.
const KEY_WIDTH: usize = 20;

/// Prints one Application.
pub(super) async fn run(arguments: &GetArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    let (apps, name) = named(&apps, &arguments.name);
    let app = refreshed(&apps, name, arguments.refresh, arguments.hard_refresh).await?;
    let app = apps.with_health(app).await?;
    match arguments.output {
        Format::Wide => terminal::print(&whole(&app, arguments.show_operation)),
        Format::Name => return Err(Mistake("unknown output format: name".to_owned()).into()),
        format => print_value(&app.to_value(), format)?,
    }
    Ok(0)
}

/// Everything about an Application, as `get` and the end of `sync` show it.
pub(super) fn whole(app: &Application, with_operation: bool) -> String {
    let mut text = summary(app);
    if with_operation && let Some(state) = &app.status.operation_state {
        text.push('\n');
        text.push_str(&operation(state));
    }
    if !app.status.conditions.is_empty() {
        let mut table = Table::new(&["CONDITION", "MESSAGE", "LAST TRANSITION"]);
        for one in &app.status.conditions {
            let time = one.last_transition_time.map(shown_time).unwrap_or_default();
            table.row(vec![one.condition_type.clone(), one.message.clone(), time]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    let objects = resources::table(app);
    if !objects.is_empty() {
        text.push('\n');
        text.push_str(&objects);
    }
    text
}

fn line(key: &str, value: &str) -> String {
    format!("{key:<KEY_WIDTH$}{value}\n")
}

fn summary(app: &Application) -> String {
    let destination = &app.spec.destination;
    let server = if destination.server.is_empty() {
        &destination.name
    } else {
        &destination.server
    };
    let mut text = line("Name:", &list::qualified(app));
    text.push_str(&line("Project:", &app.spec.project));
    text.push_str(&line("Server:", server));
    text.push_str(&line("Namespace:", &destination.namespace));
    let several = app.spec.has_multiple_sources();
    text.push_str(if several { "Sources:\n" } else { "Source:\n" });
    for source in app.spec.all_sources() {
        text.push_str(&source_lines(&source));
    }
    text.push_str(&line("SyncWindow:", "Sync Allowed"));
    text.push_str(&line("Sync Policy:", policy(app.spec.automation())));
    text.push_str(&line("Sync Status:", &sync_status(app)));
    let health = &app.status.health;
    let words = match health.message.as_str() {
        "" => health.status.as_str().to_owned(),
        message => format!("{} ({message})", health.status.as_str()),
    };
    text.push_str(&line("Health Status:", &words));
    text
}

fn source_lines(source: &Source) -> String {
    let mut text = line("- Repo:", &source.repo_url);
    text.push_str(&line("  Target:", &source.target_revision));
    if !source.path.is_empty() {
        text.push_str(&line("  Path:", &source.path));
    }
    if !source.reference_name.is_empty() {
        text.push_str(&line("  Ref:", &source.reference_name));
    }
    if let Some(helm) = &source.helm
        && !helm.value_files.is_empty()
    {
        text.push_str(&line("  Helm Values:", &helm.value_files.join(",")));
    }
    if let Some(kustomize) = &source.kustomize
        && !kustomize.name_prefix.is_empty()
    {
        text.push_str(&line("  Name Prefix:", &kustomize.name_prefix));
    }
    text
}

fn policy(automated: Option<&Automated>) -> &'static str {
    match automated {
        None => "Manual",
        Some(automated) if automated.prune => "Automated (Prune)",
        Some(_) => "Automated",
    }
}

fn sync_status(app: &Application) -> String {
    let sync = &app.status.sync;
    let source = app
        .spec
        .all_sources()
        .into_iter()
        .next()
        .unwrap_or_default();
    let target = source.target_revision;
    let mut text = sync.status.as_str().to_owned();
    match sync.status {
        SyncCode::Synced => text = format!("{text} to {target}"),
        SyncCode::OutOfSync => text = format!("{text} from {target}"),
        _ => {}
    }
    let is_commit = target.len() >= short(&sync.revision).len()
        && target.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !target.is_empty();
    let revision = short(&sync.revision);
    if !is_commit && revision.len() < sync.revision.len() {
        text = format!("{text} ({revision})");
    }
    text
}

fn operation(state: &OperationState) -> String {
    let revision = state
        .sync_result
        .as_ref()
        .map_or("", |result| result.revision.as_str());
    let mut text = line("Operation:", "Sync");
    text.push_str(&line("Sync Revision:", revision));
    text.push_str(&line("Phase:", state.phase.as_str()));
    text.push_str(&line(
        "Start:",
        &state.started_at.map(shown_time).unwrap_or_default(),
    ));
    text.push_str(&line(
        "Finished:",
        &state.finished_at.map(shown_time).unwrap_or_default(),
    ));
    if let (Some(start), Some(end)) = (state.started_at, state.finished_at) {
        let seconds = end.instant().as_second() - start.instant().as_second();
        text.push_str(&line(
            "Duration:",
            &api::duration::GoDuration::from_seconds(seconds).to_string(),
        ));
    }
    if !state.message.is_empty() {
        text.push_str(&line("Message:", &state.message));
    }
    text
}

/// A time as Go prints it.
pub(super) fn shown_time(time: Time) -> String {
    time.instant()
        .strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recording `app-get` of the argocd API corpus, its placeholders filled in.
    #[test]
    fn an_application_is_shown_as_argocd_shows_it() {
        let text = "metadata: {name: guestbook, namespace: argocd}\nspec:\n  project: platform\n  \
            source: {repoURL: REPO/guestbook, path: guestbook, targetRevision: HEAD}\n  \
            destination: {server: 'https://kubernetes.default.svc', namespace: guestbook}\n\
            status:\n  sync: {status: Synced, revision: 0123456789abcdef0123456789abcdef01234567}\n  \
            health: {status: Healthy}\n  resources:\n  \
            - {group: apps, kind: Deployment, namespace: guestbook, name: ui, status: Synced, health: {status: Healthy}}\n";
        let app = Application::from_value(yaml::parse_str(text).expect("YAML")).expect("one");
        let want = "Name:               argocd/guestbook\n\
            Project:            platform\n\
            Server:             https://kubernetes.default.svc\n\
            Namespace:          guestbook\n\
            Source:\n\
            - Repo:             REPO/guestbook\n  \
              Target:           HEAD\n  \
              Path:             guestbook\n\
            SyncWindow:         Sync Allowed\n\
            Sync Policy:        Manual\n\
            Sync Status:        Synced to HEAD (0123456)\n\
            Health Status:      Healthy\n\n\
            GROUP  KIND        NAMESPACE  NAME  STATUS  HEALTH   HOOK  MESSAGE\n\
            apps   Deployment  guestbook  ui    Synced  Healthy        \n";
        assert_eq!(whole(&app, false), want);
    }
}
