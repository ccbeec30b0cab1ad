//! The status of an Application, from everything that a reconcile found (semantics G and K).
//!
//! Read [`Findings`] and [`summarize`] first. The status is written once, from this.

use api::status::{ComparedTo, ResourceStatus, SourceType, Summary, SyncStatus};
use api::{ApplicationStatus, Condition, Health, HealthCode, SyncCode, Time, names, reason};
use manifest::Object;
use yaml::Value;

use crate::compare::{Compared, Comparison};
use crate::health::{assess, rank};
use crate::hook;
use crate::live::Live;
use crate::results::images;
use crate::subject::{ChildHealth, Subject};

/// How many objects the health message names (semantics 184).
const MAX_CAUSES: usize = 3;

/// What a reconcile found.
#[derive(Clone, Copy, Debug)]
pub struct Findings<'a> {
    /// How far it came.
    pub outcome: Outcome<'a>,
    /// Conditions besides those of the comparison: sync errors, warnings.
    pub conditions: &'a [Condition],
    /// The live objects, for images and URLs.
    pub live: &'a Live,
}

/// How far a reconcile came.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Desired and live state were compared.
    Compared {
        /// The result.
        comparison: &'a Comparison,
        /// The revisions, one for each source.
        revisions: &'a [String],
        /// The tools that rendered, one for each source.
        source_types: &'a [SourceType],
    },
    /// The sources gave nothing: an error of Git or of the render. Nothing is concluded from it.
    NotLoaded,
    /// The spec, the project or the destination is invalid: nothing was looked at.
    Invalid,
}

/// The new status. Times that mark a change stay where nothing changed; what this does not know
/// (operation, history, `reconciledAt`) stays as it is in the old one.
#[must_use]
pub fn summarize(subject: &Subject<'_>, findings: &Findings<'_>, now: Time) -> ApplicationStatus {
    let old = &subject.app.status;
    let mut status = old.clone();
    let mut conditions = findings.conditions.to_vec();
    // What keeps an Application from being deleted is another one's to say and to take back.
    let deletion = |it: &&Condition| it.condition_type == reason::DELETION_ERROR;
    conditions.extend(old.conditions.iter().filter(deletion).cloned());
    match findings.outcome {
        Outcome::Invalid => {
            status.sync.status = SyncCode::Unknown;
            status.health = health(old, HealthCode::Unknown, "", now);
        }
        Outcome::NotLoaded => {
            status.sync = SyncStatus {
                status: SyncCode::Unknown,
                ..sync_status(subject, &references(subject))
            };
            status.health = health(old, HealthCode::Healthy, "", now);
            for resource in &mut status.resources {
                if !resource.status.is_unset() {
                    resource.status = SyncCode::Unknown;
                }
            }
            common(&mut status, subject);
        }
        Outcome::Compared {
            comparison,
            revisions,
            source_types,
        } => {
            status.sync = SyncStatus {
                status: comparison.sync.clone(),
                ..sync_status(subject, revisions)
            };
            status.resources = resources(comparison);
            let (code, message) = app_health(comparison, subject);
            status.health = health(old, code, &message, now);
            status.summary = summary(comparison, findings.live, subject);
            let is_multiple = subject.app.spec.has_multiple_sources();
            let first = source_types.first().cloned().unwrap_or_default();
            status.source_type = if is_multiple {
                SourceType::Unset
            } else {
                first
            };
            status.source_types = if is_multiple {
                source_types.to_vec()
            } else {
                Vec::new()
            };
            conditions.extend(comparison.conditions.iter().cloned());
            common(&mut status, subject);
        }
    }
    status.conditions = merge_conditions(&old.conditions, conditions, now);
    status
}

fn common(status: &mut ApplicationStatus, subject: &Subject<'_>) {
    status
        .controller_namespace
        .clone_from(&subject.settings.control_namespace);
    names::HEALTH_SOURCE_APP_TREE.clone_into(&mut status.resource_health_source);
}

/// What was asked for, shown where nothing was resolved (recording bad-path).
fn references(subject: &Subject<'_>) -> Vec<String> {
    let sources = subject.app.spec.all_sources();
    sources
        .into_iter()
        .map(|source| source.target_revision)
        .collect()
}

fn sync_status(subject: &Subject<'_>, revisions: &[String]) -> SyncStatus {
    let spec = &subject.app.spec;
    let mut compared_to = ComparedTo {
        destination: spec.destination.clone(),
        ignore_differences: spec.ignore_differences.clone(),
        ..ComparedTo::default()
    };
    let mut sync = SyncStatus::default();
    if spec.has_multiple_sources() {
        compared_to.sources.clone_from(&spec.sources);
        sync.revisions = revisions.to_vec();
    } else {
        compared_to.source = spec.all_sources().pop().unwrap_or_default();
        sync.revision = revisions.first().cloned().unwrap_or_default();
    }
    sync.compared_to = compared_to;
    sync
}

/// `status.resources`, sorted by group, kind, namespace and name as one text.
fn resources(comparison: &Comparison) -> Vec<ResourceStatus> {
    let shown = comparison.objects.iter().filter(|one| one.is_shown());
    let mut resources: Vec<ResourceStatus> = shown.map(resource_status).collect();
    resources.sort_by_cached_key(|one| {
        [one.group.as_str(), &one.kind, &one.namespace, &one.name].join("/")
    });
    resources
}

fn resource_status(one: &Compared) -> ResourceStatus {
    // What is not desired any more has none (recording helm-hooks).
    let desired = one.desired.as_ref();
    let wave = desired.map_or(0, |it| hook::wave(&it.object));
    // A generated name is not known before the object is made.
    let name = one.object().map_or("", Object::name);
    ResourceStatus {
        group: one.key.group.to_string(),
        version: one.gvk.version.to_string(),
        kind: one.key.kind.to_string(),
        namespace: one.key.namespace.to_string(),
        name: name.to_owned(),
        status: one.status.clone(),
        hook: one.is_hook,
        requires_pruning: one.requires_pruning,
        sync_wave: wave,
        requires_deletion_confirmation: one.requires_confirmation,
        ..ResourceStatus::default()
    }
}

/// The health of an application: the worst of its objects, and who is to blame (semantics 180-184).
#[must_use]
pub fn app_health(comparison: &Comparison, subject: &Subject<'_>) -> (HealthCode, String) {
    let mut worst = HealthCode::Healthy;
    let mut causes: Vec<String> = Vec::new();
    let shown = || comparison.objects.iter().filter(|one| one.is_shown());
    for one in shown() {
        let Some(code) = counted_health(one, subject) else {
            continue;
        };
        match rank(&code).cmp(&rank(&worst)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal if code == HealthCode::Healthy => {}
            std::cmp::Ordering::Equal => causes.push(cause(one)),
            std::cmp::Ordering::Greater => {
                worst = code;
                causes = vec![cause(one)];
            }
        }
    }
    let mut objects = shown().filter(|one| !one.is_hook).peekable();
    if objects.peek().is_some() && objects.all(|one| one.live.is_none()) {
        return (HealthCode::Missing, String::new());
    }
    (worst, caused_by(&causes))
}

/// The health of an object, as far as it counts for its application (semantics 181).
fn counted_health(one: &Compared, subject: &Subject<'_>) -> Option<HealthCode> {
    let live = one.live.as_ref()?;
    let is_left_out = one.is_hook
        || hook::is_ignored(live)
        || hook::ignores_health(live)
        || one
            .desired
            .as_ref()
            .is_some_and(|desired| hook::ignores_health(&desired.object));
    if is_left_out {
        return None;
    }
    let code = assess(live)?.status;
    let is_app = live.kind() == names::APPLICATION && live.group() == names::GROUP;
    if !is_app || live.is_terminating() {
        return Some(code);
    }
    let is_known = !matches!(code, HealthCode::Missing | HealthCode::Unknown);
    let counts =
        subject.settings.child_health == ChildHealth::Counts && !subject.is(live) && is_known;
    counts.then_some(code)
}

fn cause(one: &Compared) -> String {
    let key = &one.key;
    let group = if key.group.is_empty() {
        String::new()
    } else {
        format!("{}/", key.group)
    };
    let namespace = if key.namespace.is_empty() {
        String::new()
    } else {
        format!("{}/", key.namespace)
    };
    format!("{group}{}:{namespace}{}", key.kind, key.name)
}

fn caused_by(causes: &[String]) -> String {
    let named = causes.get(..MAX_CAUSES).unwrap_or(causes).join(", ");
    match causes.len().saturating_sub(MAX_CAUSES) {
        _ if named.is_empty() => String::new(),
        0 => format!("Caused by {named}"),
        more => format!("Caused by {named} and {more} more"),
    }
}

/// The time changes only with the code, and so does the message (semantics 184, 185).
fn health(old: &ApplicationStatus, status: HealthCode, message: &str, now: Time) -> Health {
    if old.health.status == status && old.health.last_transition_time.is_some() {
        return old.health.clone();
    }
    Health {
        last_transition_time: Some(now),
        ..Health::with_message(status, message)
    }
}

/// Conditions sorted by type and message, each once; one that was there keeps its time
/// (semantics 118).
#[must_use]
pub fn merge_conditions(old: &[Condition], new: Vec<Condition>, now: Time) -> Vec<Condition> {
    let mut merged: Vec<Condition> = Vec::new();
    for mut condition in new {
        let is_same = |one: &&Condition| {
            one.condition_type == condition.condition_type && one.message == condition.message
        };
        if merged.iter().any(|one| is_same(&one)) {
            continue;
        }
        let since = old
            .iter()
            .find(is_same)
            .and_then(|one| one.last_transition_time);
        condition.last_transition_time = Some(since.unwrap_or(now));
        merged.push(condition);
    }
    let key = |one: &Condition| (one.condition_type.clone(), one.message.clone());
    merged.sort_by_cached_key(key);
    merged
}

fn summary(comparison: &Comparison, live: &Live, subject: &Subject<'_>) -> Summary {
    let objects = || {
        comparison
            .objects
            .iter()
            .filter_map(|one| one.live.as_ref())
    };
    let pods = live
        .iter()
        .map(|(_, object)| object)
        .filter(|object| object.kind() == "Pod");
    let mut all_images: Vec<String> = objects()
        .filter(|object| object.kind() != "CronJob")
        .chain(pods)
        .flat_map(images)
        .collect();
    all_images.sort();
    all_images.dedup();
    let mut urls: Vec<String> = objects().flat_map(external_urls).collect();
    let own = subject.app.metadata.annotations.iter();
    urls.extend(
        own.filter(|(key, _)| key.starts_with(names::LINK_PREFIX))
            .map(|(_, url)| url.clone()),
    );
    urls.sort();
    urls.dedup();
    let has_child = comparison.objects.iter().any(|one| {
        one.key.kind == names::APPLICATION
            && one.key.group == names::GROUP
            && one.key.name != subject.app.metadata.name.as_str()
    });
    Summary {
        external_urls: urls,
        images: all_images,
        is_app_of_apps: has_child.then_some(true),
        ..Summary::default()
    }
}

/// Links of annotations, and the addresses of an Ingress.
fn external_urls(object: &Object) -> Vec<String> {
    let annotations = object
        .value()
        .at(&["metadata", "annotations"])
        .and_then(Value::as_map);
    let links = annotations.into_iter().flat_map(yaml::Map::iter);
    let mut urls: Vec<String> = links
        .filter(|(key, _)| key.starts_with(names::LINK_PREFIX))
        .filter_map(|(_, url)| url.as_str().map(str::to_owned))
        .collect();
    let has_default_links =
        object.annotation("argocd.argoproj.io/ignore-default-links") != Some("true");
    if object.kind() == "Ingress" && has_default_links {
        urls.extend(ingress_urls(object));
    }
    urls
}

fn ingress_urls(object: &Object) -> Vec<String> {
    let list = |path: &[&str]| {
        object
            .value()
            .at(path)
            .and_then(Value::as_list)
            .unwrap_or_default()
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let tls_hosts: Vec<&str> = list(&["spec", "tls"])
        .iter()
        .filter_map(|tls| tls.get("hosts")?.as_list())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let addresses: Vec<String> = list(&["status", "loadBalancer", "ingress"])
        .iter()
        .filter_map(|one| text(one, "hostname").or_else(|| text(one, "ip")))
        .collect();
    let mut urls = Vec::new();
    for rule in list(&["spec", "rules"]) {
        let hosts = match text(rule, "host").filter(|host| !host.is_empty()) {
            Some(host) => vec![host],
            None => addresses.clone(),
        };
        let paths = rule
            .at(&["http", "paths"])
            .and_then(Value::as_list)
            .unwrap_or_default();
        for host in hosts {
            let scheme = if tls_hosts.contains(&host.as_str()) {
                "https"
            } else {
                "http"
            };
            urls.extend(paths.iter().map(|path| {
                let path = text(path, "path").unwrap_or_default();
                format!("{scheme}://{host}{}", path.trim_end_matches('*'))
            }));
            if paths.is_empty() {
                urls.push(format!("{scheme}://{host}"));
            }
        }
    }
    urls
}
