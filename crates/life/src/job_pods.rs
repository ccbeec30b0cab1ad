//! The pods of a Job: how they are made, numbered and released.

use std::collections::BTreeSet;

use manifest::Object;
use yaml::Value;

use super::fields::{finalizers_without, has_finalizer, map};
use super::job::COMPONENT;
use super::job_policy::{INDEX_FAILURES, INDEX_IGNORED};
use super::kind::Kind;
use super::pod;
use super::write::{Deletion, Note, Write, delete, patch};

/// The finalizer that keeps a pod until it is counted.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The place of a pod in an indexed Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The index.
    pub(crate) index: i64,
    /// Failures of this index before, those that count and those that do not; `None` where indexes
    /// have no limits of their own.
    pub(crate) failures: Option<(i64, i64)>,
}

/// A pod for the Job, for one index where the Job is indexed.
pub(crate) fn create(job: &Object, place: Option<Place>) -> Write {
    let mut object = pod::from_template(job, pod::template(job));
    let finalizers = object
        .metadata_mut()
        .entry_or_insert("finalizers", Value::List(Vec::new()));
    if let Some(list) = finalizers.as_list_mut() {
        list.push(TRACKING.into());
    }
    if let Some(place) = place {
        number(&mut object, job.name(), place);
    }
    let message = "Created pod: {name}".to_owned();
    Write::Create {
        kind: Kind::POD,
        object,
        note: Some(Note::creation(job, COMPONENT, message)),
    }
}

fn number(object: &mut Object, job: &str, place: Place) {
    let index = place.index.to_string();
    object.set_annotation(INDEX, &index);
    object.set_label(INDEX, &index);
    if let Some((counted, ignored)) = place.failures {
        object.set_annotation(INDEX_FAILURES, &counted.to_string());
        if ignored > 0 {
            object.set_annotation(INDEX_IGNORED, &ignored.to_string());
        }
    }
    object
        .metadata_mut()
        .insert("generateName", format!("{job}-{index}-"));
    let spec = object.value_mut().map_at_mut(&["spec"]);
    spec.insert("hostname", format!("{job}-{index}"));
    let field = map([
        ("apiVersion", "v1".into()),
        ("fieldPath", format!("metadata.labels['{INDEX}']").into()),
    ]);
    let variable = map([
        ("name", "JOB_COMPLETION_INDEX".into()),
        ("valueFrom", map([("fieldRef", field)])),
    ]);
    for field in ["initContainers", "containers"] {
        let containers = spec.get_mut(field).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            let list = container
                .map_at_mut(&[])
                .entry_or_insert("env", Value::List(Vec::new()));
            if let Some(list) = list.as_list_mut() {
                list.push(variable.clone());
            }
        }
    }
}

/// The index of a pod.
pub(crate) fn index(pod: &Object) -> Option<i64> {
    pod.annotation(INDEX)?.parse().ok()
}

/// Lets a pod go without counting it.
pub(crate) fn untrack(pod: &Object) -> Write {
    let finalizers = finalizers_without(pod, TRACKING);
    patch(
        Kind::POD,
        pod,
        map([("metadata", map([("finalizers", finalizers)]))]),
    )
}

/// Deletes a pod, and says so.
pub(crate) fn drop(job: &Object, pod: &Object) -> Write {
    let message = format!("Deleted pod: {}", pod.name());
    let note = Note::normal(job, COMPONENT, "SuccessfulDelete", message);
    delete(Kind::POD, pod, Deletion::Background).noted(note)
}

/// Takes a pod away that is not to be counted: first its finalizer, then the pod.
pub(crate) fn remove(job: &Object, pod: &Object) -> Vec<Write> {
    let mut writes = Vec::new();
    if has_finalizer(pod, TRACKING) {
        writes.push(untrack(pod));
    }
    writes.push(drop(job, pod));
    writes
}

/// As in `status.completedIndexes`: `0,2-4`; two neighbours are not a range.
pub(crate) fn written(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let parts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    parts.join(",")
}

/// The most indexes that a status may name; more would be a list that the API server refuses.
const MAX_INDEXES: i64 = 100_000;

/// Reads what [`written`] gives.
pub(crate) fn parse_indexes(text: &str) -> BTreeSet<i64> {
    let mut done = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            done.extend(first..=last.min(first.saturating_add(MAX_INDEXES)));
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_runs() {
        let check = |text: &str| assert_eq!(written(&parse_indexes(text)), text);
        check("");
        check("0");
        check("0,1");
        check("0-2");
        check("0,2-4,7,8,10");
    }
}
