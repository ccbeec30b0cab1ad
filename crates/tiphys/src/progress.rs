//! How far Applications are, in words: the lines and the live table of `up`, and its verdict.
//!
//! Pure: Applications go in, text comes out.

use std::collections::BTreeSet;

use api::operation::{OperationPhase, OperationState, ResourceResult, ResultCode};
use api::{Application, HealthCode, SyncCode};

use crate::apps::{Changed, States};
use crate::table::Table;

/// Details longer than this are cut on a terminal; `app get` has the whole text.
const MAX_DETAIL: usize = 110;

/// How far one Application is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Synced and Healthy.
    Reached,
    /// Compared, and it waits for somebody to sync it.
    WaitsForSync,
    /// Not there yet, for this reason.
    Pending(String),
}

/// How far an Application is. `revision` is what its source should resolve to, when that is known:
/// a status that speaks of another one is an old answer.
pub(crate) fn outlook(app: &Application, revision: Option<&str>) -> Outlook {
    let status = &app.status;
    let is_old = revision.is_some_and(|wanted| {
        let several = &status.sync.revisions;
        status.sync.revision != wanted && !several.iter().any(|one| one == wanted)
    });
    if let Some(reason) = error_of(app) {
        return Outlook::Pending(reason);
    }
    if app.operation.is_some() || phase_of(app).is_some_and(|phase| !phase.is_completed()) {
        return Outlook::Pending(operation_of(app));
    }
    if is_old || app.refresh().is_some() || status.sync.status.is_unset() {
        return Outlook::Pending("reading what Git says".to_owned());
    }
    if !app.spec.is_automated() && status.sync.status == SyncCode::OutOfSync {
        return Outlook::WaitsForSync;
    }
    match (&status.sync.status, &status.health.status) {
        (SyncCode::Synced, HealthCode::Healthy) => Outlook::Reached,
        (SyncCode::Synced, _) => Outlook::Pending(unhealthy(app)),
        _ => Outlook::Pending(out_of_sync(app)),
    }
}

fn phase_of(app: &Application) -> Option<&OperationPhase> {
    app.status
        .operation_state
        .as_ref()
        .map(|state| &state.phase)
}

/// The first error condition.
fn error_of(app: &Application) -> Option<String> {
    let condition = app
        .status
        .conditions
        .iter()
        .find(|condition| condition.is_error())?;
    Some(format!(
        "{}: {}",
        condition.condition_type, condition.message
    ))
}

fn operation_of(app: &Application) -> String {
    let Some(state) = &app.status.operation_state else {
        return "the sync begins".to_owned();
    };
    match (state.message.as_str(), failed(state)) {
        ("", _) => "the sync begins".to_owned(),
        (message, None) => message.to_owned(),
        (message, Some(failed)) => format!("{message} {failed}"),
    }
}

/// The first object that a sync could not bring to what Git says, and why.
fn failed(state: &OperationState) -> Option<String> {
    let result = state.sync_result.as_ref()?;
    let failed = |one: &&ResourceResult| one.status == ResultCode::SyncFailed;
    let one = result.resources.iter().find(failed)?;
    Some(format!("{}/{}: {}", one.kind, one.name, one.message))
}

fn unhealthy(app: &Application) -> String {
    let health = &app.status.health;
    let culprit = app.status.resources.iter().find_map(|resource| {
        let inner = resource.health.as_ref()?;
        let is_culprit = inner.status == health.status && inner.status != HealthCode::Healthy;
        is_culprit.then(|| format!("{}/{}: {}", resource.kind, resource.name, inner.message))
    });
    let text = culprit.unwrap_or_else(|| health.message.clone());
    let text = text.trim_end_matches(": ").to_owned();
    if text.is_empty() {
        format!("health is {}", shown(health.status.as_str()))
    } else {
        text
    }
}

fn out_of_sync(app: &Application) -> String {
    if let Some(state) = &app.status.operation_state
        && !state.phase.is_successful()
    {
        return failed(state).unwrap_or_else(|| {
            format!(
                "the sync ended with {}: {}",
                state.phase.as_str(),
                state.message
            )
        });
    }
    let resources = app.status.resources.iter();
    let differing: Vec<String> = resources
        .filter(|one| one.status == SyncCode::OutOfSync)
        .map(|one| format!("{}/{}", one.kind, one.name))
        .collect();
    match differing.len() {
        0 => "not synced yet".to_owned(),
        1 => format!("{} differs from Git", differing[0]),
        n => format!("{} and {} more differ from Git", differing[0], n - 1),
    }
}

/// What is said of an Application beside its two statuses.
pub(crate) fn detail(app: &Application, revision: Option<&str>) -> String {
    let warnings = || {
        let mut warnings = app.status.conditions.iter().filter(|one| !one.is_error());
        warnings
            .next()
            .map_or_else(String::new, |one| one.message.clone())
    };
    match outlook(app, revision) {
        Outlook::Reached => warnings(),
        Outlook::WaitsForSync => {
            format!("waits for its sync: tiphys app sync {}", app.metadata.name)
        }
        Outlook::Pending(reason) => reason,
    }
}

/// A status or health; a dash while there is none.
pub(crate) fn shown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The table of all Applications, for a terminal.
pub(crate) fn table(apps: &States, revisions: &Revisions) -> String {
    let mut table = Table::new(&["APPLICATION", "STATUS", "HEALTH", "DETAIL"]);
    for (name, app) in apps {
        let mut detail = detail(app, revisions.of(app)).replace('\n', " ");
        if let Some((at, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(at);
            detail.push('…');
        }
        let status = app.status.sync.status.as_str();
        let health = app.status.health.status.as_str();
        table.row(vec![
            name.clone(),
            shown(status).into(),
            shown(health).into(),
            detail,
        ]);
    }
    table.render()
}

/// One line for an Application, for logs.
pub(crate) fn line(app: &Application, revisions: &Revisions) -> String {
    let status = shown(app.status.sync.status.as_str());
    let health = shown(app.status.health.status.as_str());
    let detail = detail(app, revisions.of(app));
    let line = format!("{}: {status}, {health}", app.metadata.name);
    if detail.is_empty() {
        line
    } else {
        format!("{line} ({})", detail.replace('\n', " "))
    }
}

/// What the repositories that are read here resolve to now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Revisions(pub(crate) Vec<Known>);

/// What one of them resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The URL that Applications name, [normalized](crate::local::normalized).
    pub(crate) url: String,
    /// The references that mean this revision; `None` when all do.
    pub(crate) references: Option<Vec<String>>,
    /// The revision.
    pub(crate) revision: String,
}

impl Revisions {
    /// The revision that an Application's source resolves to, when that is known here.
    pub(crate) fn of(&self, app: &Application) -> Option<&str> {
        let source = app.spec.all_sources().into_iter().next()?;
        let url = crate::local::normalized(&source.repo_url);
        let is_it = |known: &&Known| known.url == url;
        let known = self.0.iter().find(is_it)?;
        let asked = match source.target_revision.trim() {
            "" => "HEAD",
            text => text.strip_prefix("refs/heads/").unwrap_or(text),
        };
        let is_meant = known
            .references
            .as_ref()
            .is_none_or(|references| references.iter().any(|one| one == asked));
        is_meant.then_some(known.revision.as_str())
    }
}

/// Which Applications are not there yet, kept as their states change.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    names: BTreeSet<String>,
    revisions: Revisions,
}

impl Pending {
    /// Takes in what changed. Gives whether everything is reached, the roots included:
    /// [`missing`] is empty then.
    pub(crate) fn is_over(
        &mut self,
        (apps, changed): (&States, Changed<'_>),
        roots: &[String],
        revisions: &Revisions,
    ) -> bool {
        let is_pending =
            |app: &Application| matches!(outlook(app, revisions.of(app)), Outlook::Pending(_));
        match changed {
            Changed::One(name) if self.revisions == *revisions => {
                if apps.get(name).is_some_and(|app| is_pending(app)) {
                    self.names.insert(name.to_owned());
                } else {
                    self.names.remove(name);
                }
            }
            _ => {
                self.revisions.clone_from(revisions);
                let pending = apps.iter().filter(|(_, app)| is_pending(app));
                self.names = pending.map(|(name, _)| name.clone()).collect();
            }
        }
        self.names.is_empty() && roots.iter().all(|root| apps.contains_key(root))
    }
}

/// What is missing until everything is reached; empty when it is. Applications that wait for
/// somebody to sync them count as reached.
pub(crate) fn missing(apps: &States, roots: &[String], revisions: &Revisions) -> Vec<String> {
    let absent = roots.iter().filter(|name| !apps.contains_key(*name));
    let mut missing: Vec<String> = absent
        .map(|name| format!("{name}: the Application is not there yet"))
        .collect();
    for (name, app) in apps {
        if let Outlook::Pending(reason) = outlook(app, revisions.of(app)) {
            let status = shown(app.status.sync.status.as_str());
            let health = shown(app.status.health.status.as_str());
            missing.push(format!("{name}: {status}, {health}: {reason}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(spec: &str, status: &str) -> Application {
        let text = format!("metadata: {{name: a}}\nspec: {spec}\nstatus: {status}\n");
        Application::from_value(yaml::parse_str(&text).expect("YAML")).expect("an Application")
    }

    const AUTOMATED: &str = "{source: {repoURL: 'https://host/r'}, syncPolicy: {automated: {}}}";
    const MANUAL: &str = "{source: {repoURL: 'https://host/r'}}";

    fn check(spec: &str, status: &str, want: &str) {
        let got = match outlook(&app(spec, status), Some("new")) {
            Outlook::Reached => "reached".to_owned(),
            Outlook::WaitsForSync => "waits".to_owned(),
            Outlook::Pending(reason) => reason,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn synced_and_healthy_at_the_newest_revision_is_reached() {
        check(
            AUTOMATED,
            "{sync: {status: Synced, revision: new}, health: {status: Healthy}}",
            "reached",
        );
        let old = "{sync: {status: Synced, revision: old}, health: {status: Healthy}}";
        check(AUTOMATED, old, "reading what Git says");
        check(AUTOMATED, "{}", "reading what Git says");
    }

    #[test]
    fn a_manual_application_waits_once_it_is_compared() {
        check(
            MANUAL,
            "{sync: {status: OutOfSync, revision: new}, health: {status: Missing}}",
            "waits",
        );
        check(
            AUTOMATED,
            "{sync: {status: OutOfSync, revision: new}, health: {status: Missing}, \
             resources: [{kind: Service, name: web, status: OutOfSync}]}",
            "Service/web differs from Git",
        );
    }

    #[test]
    fn the_reason_names_what_is_wrong() {
        check(
            AUTOMATED,
            "{sync: {status: Unknown}, health: {status: Healthy}, \
             conditions: [{type: ComparisonError, message: 'a.yaml:3: broken'}]}",
            "ComparisonError: a.yaml:3: broken",
        );
        check(
            AUTOMATED,
            "{sync: {status: Synced, revision: new}, health: {status: Degraded}, resources: \
             [{kind: Pod, name: p, health: {status: Degraded, message: crashed}}]}",
            "Pod/p: crashed",
        );
        check(
            AUTOMATED,
            "{sync: {status: OutOfSync, revision: new}, health: {status: Missing}, \
             operationState: {phase: Running, message: waiting for Deployment/web}}",
            "waiting for Deployment/web",
        );
    }

    #[test]
    fn what_fails_is_named_while_the_sync_is_tried_again() {
        check(
            AUTOMATED,
            "{operationState: {phase: Running, message: tried again soon., syncResult: {resources: \
             [{kind: Pod, name: p, status: SyncFailed, message: no such image}]}}}",
            "tried again soon. Pod/p: no such image",
        );
    }

    #[test]
    fn only_references_that_mean_the_folder_have_its_revision() {
        let known = |references: Option<&[&str]>| {
            let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
            Revisions(vec![Known {
                url: crate::local::normalized("https://host/r.git"),
                references: references.map(owned),
                revision: "new".to_owned(),
            }])
        };
        let of = |reference: &str, known: &Revisions| {
            let spec =
                format!("{{source: {{repoURL: 'https://host/r', targetRevision: '{reference}'}}}}");
            known.of(&app(&spec, "{}")).map(str::to_owned)
        };
        let git = known(Some(&["HEAD", "trunk"]));
        for (reference, want) in [
            ("", Some("new")),
            ("HEAD", Some("new")),
            ("refs/heads/trunk", Some("new")),
            ("v1.0", None),
        ] {
            assert_eq!(of(reference, &git).as_deref(), want, "{reference}");
        }
        assert_eq!(of("v1.0", &known(None)).as_deref(), Some("new"));
    }

    #[test]
    fn a_root_that_is_absent_is_missing() {
        let got = missing(&States::new(), &["root".to_owned()], &Revisions::default());
        assert_eq!(got, ["root: the Application is not there yet"]);
    }
}
