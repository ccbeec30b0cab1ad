//! CronJobs: a Job at each due time.

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::cron_schedule::parse;
use super::fields::{
    controller, controller_reference, controller_uid, flag, int, items, map, text,
};
use super::job_status::finished_condition;
use super::kind::Kind;
use super::replica_set::created;
use super::time::{earlier_seconds, later_seconds, parse as time, stamp};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, status};

const COMPONENT: &str = "cronjob-controller";
/// From more missed times on, there is a warning and only the newest are looked at.
const MAX_MISSED: usize = 100;
const RECENT_SECONDS: i64 = 60;

/// CronJobs that changed, and those of Jobs that changed.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    match change.target.kind {
        Kind::CRON_JOB => keys.push(change.target.clone()),
        Kind::JOB => {
            let owner = change.latest().and_then(controller);
            if let Some(owner) = owner.filter(|owner| text(owner, &["kind"]) == "CronJob") {
                let name = text(owner, &["name"]);
                keys.push(Ref::new(Kind::CRON_JOB, &change.target.namespace, name));
            }
        }
        _ => {}
    }
}

/// Starts what is due, forgets old Jobs, lists the active ones.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(cron) = context
        .world
        .get(target)
        .filter(|cron| !cron.is_terminating())
    else {
        return Outcome::nothing();
    };
    let jobs: Vec<&Object> = context
        .world
        .owned(cron.uid(), Kind::JOB)
        .filter(|job| controller_uid(job) == cron.uid())
        .collect();
    let active: Vec<&Object> = jobs
        .iter()
        .copied()
        .filter(|job| finished_condition(job).is_none())
        .collect();
    let mut outcome = Outcome::nothing();
    let mut report = report(cron, &jobs, &active);
    let ended = ended_jobs(cron, &jobs);
    outcome.writes.extend(ended.into_iter().map(Write::Note));
    if let Some(due) = due(context, cron, &mut outcome) {
        let policy = text(cron.value(), &["spec", "concurrencyPolicy"]);
        if policy == "Forbid" && !active.is_empty() {
            outcome.push(Write::Note(already_active(cron)));
        } else {
            if policy == "Replace" {
                outcome
                    .writes
                    .extend(active.iter().map(|job| drop(cron, job)));
            }
            outcome.push(start(cron, due));
            report.insert("lastScheduleTime", stamp(due));
        }
    }
    outcome.push(status(Kind::CRON_JOB, cron, report));
    outcome.writes.extend(forget(cron, &jobs));
    outcome
}

fn already_active(cron: &Object) -> Note {
    let message =
        "Not starting job because prior execution is running and concurrency policy is Forbid";
    Note::normal(cron, COMPONENT, "JobAlreadyActive", message.to_owned())
}

/// Says which of the Jobs that were listed as active have ended.
fn ended_jobs(cron: &Object, jobs: &[&Object]) -> Vec<Note> {
    let listed = items(cron.value(), &["status", "active"]);
    let note = |reference: &Value| {
        let uid = text(reference, &["uid"]);
        let job = jobs.iter().find(|job| job.uid() == uid)?;
        let condition = text(finished_condition(job)?, &["type"]);
        let message = format!("Saw completed job: {}, condition: {condition}", job.name());
        Some(Note::normal(cron, COMPONENT, "SawCompletedJob", message))
    };
    listed.iter().filter_map(note).collect()
}

fn drop(cron: &Object, job: &Object) -> Write {
    let message = format!("Deleted job {}", job.name());
    let note = Note::normal(cron, COMPONENT, "SuccessfulDelete", message);
    delete(Kind::JOB, job, Deletion::Background).noted(note)
}

/// The latest time that is due and was not served; asks to be called at the next one.
fn due(context: &Context<'_>, cron: &Object, outcome: &mut Outcome) -> Option<Timestamp> {
    let value = cron.value();
    let schedule = parse(
        text(value, &["spec", "schedule"]),
        text(value, &["spec", "timeZone"]),
    )?;
    if flag(value, &["spec", "suspend"]) {
        return None;
    }
    let last = time(value.at(&["status", "lastScheduleTime"])).unwrap_or_else(|| created(cron));
    let limit = int(value, &["spec", "startingDeadlineSeconds"]);
    // Times before the deadline are not looked at: there may be very many.
    let mut from = limit.map_or(last, |limit| last.max(earlier_seconds(context.now, limit)));
    let mut due = None;
    let mut n_missed = 0;
    while let Some(next) = schedule.after(from).filter(|next| *next <= context.now) {
        n_missed += 1;
        due = Some(next);
        from = next;
        if n_missed > MAX_MISSED {
            outcome.push(Write::Note(too_many_missed(cron)));
            // The latest before now counts; a minute back is enough where they are so dense.
            let recent = earlier_seconds(context.now, RECENT_SECONDS);
            due = schedule
                .after(recent.max(last))
                .filter(|next| *next <= context.now)
                .or(due);
            break;
        }
    }
    outcome.again_at(schedule.after(context.now));
    due.filter(|due| limit.is_none_or(|limit| later_seconds(*due, limit) >= context.now))
}

fn too_many_missed(cron: &Object) -> Note {
    let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or \
                   check clock skew";
    Note::warning(cron, COMPONENT, "TooManyMissedTimes", message.to_owned())
}

fn start(cron: &Object, due: Timestamp) -> Write {
    let template = cron.value().at(&["spec", "jobTemplate"]);
    let mut metadata = Map::new();
    for key in ["labels", "annotations"] {
        if let Some(value) = template.and_then(|template| template.at(&["metadata", key])) {
            metadata.insert(key, value.clone());
        }
    }
    // The name tells the time, so that one due time makes one Job, however often it is tried.
    metadata.insert("name", format!("{}-{}", cron.name(), due.as_second() / 60));
    metadata.insert("namespace", cron.namespace());
    metadata.insert("ownerReferences", vec![controller_reference(cron)]);
    let spec = template.and_then(|template| template.get("spec")).cloned();
    let mut object = Object::new(map([
        ("apiVersion", "batch/v1".into()),
        ("kind", "Job".into()),
        ("metadata", metadata.into()),
        ("spec", spec.unwrap_or_default()),
    ]))
    .expect("a job has a kind");
    let scheduled = stamp(due);
    object.set_annotation(
        "batch.kubernetes.io/cronjob-scheduled-timestamp",
        scheduled.as_str().unwrap_or_default(),
    );
    let note = Note::normal(
        cron,
        COMPONENT,
        "SuccessfulCreate",
        "Created job {name}".to_owned(),
    );
    Write::Create {
        kind: Kind::JOB,
        object,
        note: Some(note),
    }
}

fn report(cron: &Object, jobs: &[&Object], active: &[&Object]) -> Map {
    let mut report = cron
        .value()
        .get("status")
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default();
    let list: Vec<Value> = active
        .iter()
        .map(|job| {
            map([
                ("apiVersion", job.api_version().into()),
                ("kind", job.kind().into()),
                ("name", job.name().into()),
                ("namespace", job.namespace().into()),
                ("resourceVersion", job.resource_version().into()),
                ("uid", job.uid().into()),
            ])
        })
        .collect();
    let known = |item: &Value| text(item, &["uid"]).to_owned();
    let same = items(cron.value(), &["status", "active"])
        .iter()
        .map(known)
        .eq(list.iter().map(known));
    if list.is_empty() {
        report.remove("active");
    } else if !same {
        report.insert("active", list);
    }
    let last = jobs
        .iter()
        .filter_map(|job| time(job.value().at(&["status", "completionTime"])))
        .max();
    if let Some(last) = last {
        let known = time(report.get("lastSuccessfulTime"));
        report.insert(
            "lastSuccessfulTime",
            stamp(known.map_or(last, |known| known.max(last))),
        );
    }
    report
}

/// Deletes Jobs that have ended, beyond the history limits, the oldest first.
fn forget(cron: &Object, jobs: &[&Object]) -> Vec<Write> {
    let limit = |field: &str, default: i64| {
        let limit = int(cron.value(), &["spec", field]).unwrap_or(default);
        usize::try_from(limit).unwrap_or(0)
    };
    let mut writes = Vec::new();
    for (kind, keep) in [
        ("Complete", limit("successfulJobsHistoryLimit", 3)),
        ("Failed", limit("failedJobsHistoryLimit", 1)),
    ] {
        let mut ended: Vec<&Object> = jobs
            .iter()
            .copied()
            .filter(|job| !job.is_terminating())
            .filter(|job| finished_condition(job).is_some_and(|done| text(done, &["type"]) == kind))
            .collect();
        ended.sort_by_key(|job| (created(job), job.name()));
        let surplus = ended.len().saturating_sub(keep);
        writes.extend(ended[..surplus].iter().map(|job| drop(cron, job)));
    }
    writes
}
