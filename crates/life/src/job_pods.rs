//! The pods of a Job: how they are made, numbered and released.

use std::collections::BTreeSet;

use manifest::Object;
use yaml::Value;

use super::fields::{finalizers_without, has_finalizer, map, text};
use super::job::COMPONENT;
use super::kind::Kind;
use super::pod;
use super::write::{Deletion, Note, Write, delete, patch};

/// The finalizer that keeps a pod until it is counted.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// A pod for the Job, for one index where the Job is indexed.
pub(crate) fn create(job: &Object, index: Option<i64>) -> Write {
    let mut object = pod::from_template(job, pod::template(job));
    let finalizers = object
        .metadata_mut()
        .entry_or_insert("finalizers", Value::List(Vec::new()));
    if let Some(list) = finalizers.as_list_mut() {
        list.push(TRACKING.into());
    }
    if let Some(index) = index {
        number(&mut object, job.name(), index);
    }
    let note = Note::normal(
        job,
        COMPONENT,
        "SuccessfulCreate",
        "Created pod: {}".to_owned(),
    );
    Write::Create {
        kind: Kind::POD,
        object,
        note: Some(note),
    }
}

fn number(object: &mut Object, job: &str, index: i64) {
    object.set_annotation(INDEX, &index.to_string());
    object.set_label(INDEX, &index.to_string());
    object
        .metadata_mut()
        .insert("generateName", format!("{job}-{index}-"));
    let spec = object.value_mut().map_at_mut(&["spec"]);
    spec.insert("hostname", format!("{job}-{index}"));
    let variable = map([
        ("name", "JOB_COMPLETION_INDEX".into()),
        (
            "valueFrom",
            map([(
                "fieldRef",
                map([
                    ("apiVersion", "v1".into()),
                    ("fieldPath", format!("metadata.labels['{INDEX}']").into()),
                ]),
            )]),
        ),
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

/// Takes a pod away: first its finalizer, then the pod.
pub(crate) fn remove(job: &Object, pod: &Object) -> Vec<Write> {
    let mut writes = Vec::new();
    if has_finalizer(pod, TRACKING) {
        writes.push(untrack(pod));
    }
    let message = format!("Deleted pod: {}", pod.name());
    let note = Note::normal(job, COMPONENT, "SuccessfulDelete", message);
    writes.push(delete(Kind::POD, pod, Deletion::Background).noted(note));
    writes
}

/// The indexes that have succeeded.
pub(crate) struct Indexes(BTreeSet<i64>);

impl Indexes {
    /// Those in the status, and those of pods that have succeeded since.
    pub(crate) fn of(job: &Object, pods: &[&Object]) -> Self {
        let mut done = parse(text(job.value(), &["status", "completedIndexes"]));
        let succeeded = pods.iter().filter(|pod| pod::phase(pod) == "Succeeded");
        done.extend(succeeded.filter_map(|pod| index(pod)));
        Indexes(done)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }

    /// Whether an index has succeeded.
    pub(crate) fn has(&self, index: i64) -> bool {
        self.0.contains(&index)
    }

    /// As `status.completedIndexes`: `0,2-4`; two neighbours are not a range.
    pub(crate) fn completed(&self) -> String {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for index in &self.0 {
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
}

/// The most indexes that a status may name; more would be a list that the API server refuses.
const MAX_INDEXES: i64 = 100_000;

fn parse(text: &str) -> BTreeSet<i64> {
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
        let check = |text: &str| assert_eq!(Indexes(parse(text)).completed(), text);
        check("");
        check("0");
        check("0,1");
        check("0-2");
        check("0,2-4,7,8,10");
    }
}
