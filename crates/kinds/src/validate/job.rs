//! Jobs and CronJobs.

use yaml::Value;

use super::field::{Field, IMMUTABLE};
use super::{cron, pod, selector};
use crate::{FieldError, names};

/// Labels by which a Job finds its pods, and the member of its metadata that they repeat.
const GENERATED: [(&str, &str); 4] = [
    ("controller-uid", "uid"),
    ("job-name", "name"),
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("batch.kubernetes.io/job-name", "name"),
];
const COUNTS: [&str; 7] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
];
/// Limits of indexed Jobs: pods at once, failed indexes, and both above many completions.
const PARALLELISM: i64 = 100_000;
const FAILED: i64 = 100_000;
const MANY: i64 = 100_000;
const PARALLELISM_OF_MANY: i64 = 10_000;
const FAILED_OF_MANY: i64 = 10_000;
const RULES: usize = 20;
const CODES: usize = 255;
const PATTERNS: usize = 20;
const MANAGER: usize = 63;
/// A CronJob's name leaves room for the time in the names of its Jobs.
const CRON_NAME: usize = 52;
const INDEXED: &str = "requires indexed completion mode";

pub(super) fn job(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    if !object.is_update() {
        generated(object, &spec);
    }
    job_spec(&spec);
    let chosen = spec.get("selector");
    if chosen.is_set() {
        selector::check(&chosen);
    } else {
        chosen.required("");
    }
    let own = spec.get("template");
    let own = own.get("metadata.labels");
    let usable = !chosen.is_set() || selector::is_usable(&chosen);
    if usable && !selector::selects(&chosen, own.value()) {
        own.invalid("`selector` does not match template `labels`");
    }
    if object.is_update() {
        update(&spec);
    } else {
        pod_names(object, &spec);
    }
}

/// Pods of indexed Jobs are called by the Job and their index.
fn pod_names(object: &Field<'_, '_>, spec: &Field<'_, '_>) {
    let completions = spec.get("completions").number().unwrap_or(0);
    if spec.get("completionMode").text() != "Indexed" || completions <= 0 {
        return;
    }
    let name = object.get("metadata");
    let name = name.get("name");
    let longest = format!("{}-{}", name.text(), completions - 1);
    if !names::label_problems(&longest).is_empty() {
        let why = format!("will not able to create pod with invalid DNS label: {longest}");
        name.invalid_as(&name.text().into(), &why);
    }
}

/// The labels and the selector that the server makes.
fn generated(object: &Field<'_, '_>, spec: &Field<'_, '_>) {
    let chosen = spec.get("selector");
    if spec.get("manualSelector").is_true() || !chosen.is_set() {
        return;
    }
    let (metadata, template) = (object.get("metadata"), spec.get("template"));
    let expected = |member: &str| metadata.get(member).text().to_owned();
    let place = template.get("metadata");
    let labels = place.get("labels");
    for (label, member) in GENERATED {
        let (found, want) = (labels.key(label), expected(member));
        let place = place.get("labels");
        if !found.is_set() {
            let why = format!("must be '{want}'");
            place.key(label).required(&why);
        } else if found.text() != want {
            found.invalid_as(
                &labels.value().cloned().unwrap_or_default(),
                &format!("must be '{want}'"),
            );
        }
    }
    let pairs = GENERATED.map(|(label, member)| (label, Value::from(expected(member))));
    let pairs = Value::Map(pairs.into_iter().collect());
    if selector::is_usable(&chosen) && !selector::selects(&chosen, Some(&pairs)) {
        chosen.invalid("`selector` not auto-generated");
    }
}

/// The spec of a Job or of the template of one.
fn job_spec(spec: &Field<'_, '_>) {
    for count in COUNTS {
        spec.get(count).not_negative();
    }
    let per_index = spec.get("backoffLimitPerIndex");
    if spec.get("maxFailedIndexes").is_set() && !per_index.is_set() {
        per_index.required("when maxFailedIndexes is specified");
    }
    managed_by(&spec.get("managedBy"));
    let mode = spec.get("completionMode");
    mode.optional_one_of(&["NonIndexed", "Indexed"]);
    match mode.text() {
        "Indexed" => indexed(spec),
        "" | "NonIndexed" => {
            for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                let limit = spec.get(name);
                if limit.is_set() {
                    limit.invalid(INDEXED);
                }
            }
        }
        _ => {}
    }
    let failure = spec.get("podFailurePolicy");
    if failure.is_set() {
        failure_policy(spec, &failure);
    }
    let success = spec.get("successPolicy");
    if success.is_set() {
        success_policy(spec, &success);
    }
    let replacement = spec.get("podReplacementPolicy");
    if failure.is_set() {
        replacement.optional_one_of(&["Failed"]);
    } else {
        replacement.optional_one_of(&["Failed", "TerminatingOrFailed"]);
    }
    let template = spec.get("template");
    pod::template(&template);
    let policy = template.get("spec");
    let policy = policy.get("restartPolicy");
    match policy.text() {
        "" | "Always" => policy.required("valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if failure.is_set() => {
            policy.invalid("only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" => {}
        _ => policy.not_supported(&["OnFailure", "Never"]),
    }
}

fn managed_by(manager: &Field<'_, '_>) {
    if !manager.is_set() || !manager.require() {
        return;
    }
    let text = manager.text();
    match text.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            for problem in names::subdomain_problems(host) {
                manager.invalid_as(&host.into(), &problem);
            }
            let known =
                |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
            if !path.bytes().all(known) {
                manager.invalid_as(
                    &path.into(),
                    "Invalid path (regex used for validation is \
                     '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
                );
            }
        }
        _ => manager.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if text.len() > MANAGER {
        manager.too_long(MANAGER);
    }
}

fn indexed(spec: &Field<'_, '_>) {
    let (completions, parallelism, failed) = (
        spec.get("completions"),
        spec.get("parallelism"),
        spec.get("maxFailedIndexes"),
    );
    let above =
        |count: &Field<'_, '_>, limit: i64| count.number().is_some_and(|count| count > limit);
    if !completions.is_set() {
        completions.required("when completion mode is Indexed");
    }
    if above(&parallelism, PARALLELISM) {
        parallelism.invalid(&format!(
            "must be less than or equal to {PARALLELISM} when completion mode is Indexed"
        ));
    }
    if completions
        .number()
        .is_some_and(|completions| above(&failed, completions))
    {
        failed.invalid("must be less than or equal to completions");
    }
    if above(&failed, FAILED) {
        failed.invalid(&format!("must be less than or equal to {FAILED}"));
    }
    if !above(&completions, MANY) || !spec.get("backoffLimitPerIndex").is_set() {
        return;
    }
    if !failed.is_set() {
        failed.required(&format!(
            "must be specified when completions is above {MANY}"
        ));
    }
    for (count, limit) in [(parallelism, PARALLELISM_OF_MANY), (failed, FAILED_OF_MANY)] {
        if above(&count, limit) {
            count.invalid(&format!(
                "must be less than or equal to {limit} when completions are above {MANY} and used \
                 with backoff limit per index"
            ));
        }
    }
}

fn too_many(list: &Field<'_, '_>, limit: usize) {
    let count = list.list().len();
    if count > limit {
        list.tell(|path| FieldError::too_many(path, count, limit));
    }
}

/// One of some words, which are listed when it is missing.
fn listed(word: &Field<'_, '_>, known: &[&str]) {
    if word.is_empty() {
        let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        word.required(&format!("valid values: [{}]", known.join(" ")));
    } else {
        word.one_of(known);
    }
}

fn failure_policy(spec: &Field<'_, '_>, policy: &Field<'_, '_>) {
    let rules = policy.get("rules");
    too_many(&rules, RULES);
    let pod = spec.get("template.spec");
    let lists = [pod.get("containers"), pod.get("initContainers")];
    let names = lists.iter().flat_map(Field::list);
    let names: Vec<&Value> = names
        .filter_map(|container| container.get("name"))
        .collect();
    for rule in rules.items() {
        let action = rule.get("action");
        if action.text() == "FailIndex" {
            if !spec.get("backoffLimitPerIndex").is_set() {
                action.invalid("requires the backoffLimitPerIndex to be set");
            }
        } else {
            listed(&action, &["Count", "FailIndex", "FailJob", "Ignore"]);
        }
        let (codes, conditions) = (rule.get("onExitCodes"), rule.get("onPodConditions"));
        if codes.is_set() {
            exit_codes(&codes, &names);
        }
        too_many(&conditions, PATTERNS);
        for pattern in conditions.items() {
            pattern.get("type").problems(names::qualified_name_problems);
            listed(&pattern.get("status"), &["False", "True", "Unknown"]);
        }
        let why = match (codes.is_set(), conditions.is_empty()) {
            (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        rule.tell(|path| FieldError::invalid_without_value(path, why));
    }
}

fn exit_codes(codes: &Field<'_, '_>, names: &[&Value]) {
    let operator = codes.get("operator");
    listed(&operator, &["In", "NotIn"]);
    let container = codes.get("containerName");
    if container.value().is_some_and(|name| !names.contains(&name)) {
        container
            .invalid("must be one of the container or initContainer names in the pod template");
    }
    let values = codes.get("values");
    if values.is_empty() {
        values.invalid("at least one value is required");
    }
    too_many(&values, CODES);
    let mut seen: Vec<i64> = Vec::new();
    let mut ordered = true;
    for value in values.items() {
        let code = value.number().unwrap_or(0);
        if operator.text() == "In" && code == 0 {
            value.invalid("must not be 0 for the In operator");
        }
        if seen.contains(&code) {
            value.duplicate();
        }
        ordered &= seen.last().is_none_or(|last| *last <= code);
        seen.push(code);
    }
    if !ordered {
        values.invalid("must be ordered");
    }
}

fn success_policy(spec: &Field<'_, '_>, policy: &Field<'_, '_>) {
    if spec.get("completionMode").text() != "Indexed" {
        let shown = policy.get("rules").go_list(&[
            ("SucceededIndexes", "succeededIndexes", "null"),
            ("SucceededCount", "succeededCount", "null"),
        ]);
        let shown = format!("{{\"Rules\":{shown}}}");
        return policy.tell(|path| FieldError::invalid_printed(path, &shown, INDEXED));
    }
    let completions = spec.get("completions").number().unwrap_or(0);
    let rules = policy.get("rules");
    if rules.is_empty() {
        rules.required("at least one rules must be specified when the successPolicy is specified");
    }
    too_many(&rules, RULES);
    for rule in rules.items() {
        let (indexes, count) = (rule.get("succeededIndexes"), rule.get("succeededCount"));
        if !indexes.is_set() && !count.is_set() {
            rule.required("at least one of succeededCount or succeededIndexes must be specified");
        }
        let mut total = 0;
        if indexes.is_set() {
            match indexes_total(indexes.text(), completions) {
                Ok(number) => total = number,
                Err(why) => indexes.invalid(&format!("error parsing succeededIndexes: {why}")),
            }
        }
        count.not_negative();
        let above = |limit: i64| count.number().is_some_and(|count| count > limit);
        if above(completions) {
            count.invalid(&format!(
                "must be less than or equal to {completions} (the number of specified completions)"
            ));
        }
        if indexes.is_set() && above(total) {
            count.invalid(&format!(
                "must be less than or equal to {total} (the number of indexes in the specified \
                 succeededIndexes field)"
            ));
        }
    }
}

/// How many indexes a text such as `1,3-5` names.
fn indexes_total(text: &str, completions: i64) -> Result<i64, String> {
    let runs = index_runs(text, completions)?;
    Ok(runs.iter().map(|(first, end)| end - first + 1).sum())
}

/// The runs of indexes that a text such as `1,3-5` names.
pub(super) fn index_runs(text: &str, completions: i64) -> Result<Vec<(i64, i64)>, String> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for interval in text.split(',').filter(|_| !text.is_empty()) {
        let limits: Vec<&str> = interval.split('-').collect();
        let number = |text: &str| {
            let number: i64 = text.parse().map_err(|_invalid| {
                format!("cannot convert string to integer for index: {text:?}")
            })?;
            if number >= completions {
                return Err(format!("too large index: {text:?}"));
            }
            Ok(number)
        };
        let order = |before: i64, now: i64| {
            format!("non-increasing order, previous: {before}, current: {now}")
        };
        let (first, end) = match limits.as_slice() {
            [one] => (number(one)?, number(one)?),
            [first, end] => {
                let (first, end) = (number(first)?, number(end)?);
                if first >= end {
                    return Err(order(first, end));
                }
                (first, end)
            }
            _ => {
                return Err(format!(
                    "the fragment {interval:?} violates the requirement that an index interval can \
                     have at most two parts separated by '-'"
                ));
            }
        };
        if let Some((_, last)) = runs.last().filter(|(_, last)| *last >= first) {
            return Err(order(*last, first));
        }
        runs.push((first, end));
    }
    Ok(runs)
}

fn update(spec: &Field<'_, '_>) {
    let completions = spec.get("completions");
    if spec.get("completionMode").text() != "Indexed" {
        completions.immutable();
    } else if completions.changed()
        && completions.is_set()
        && completions.number() != spec.get("parallelism").number()
    {
        completions.invalid("can only be modified in tandem with spec.parallelism");
    }
    selector::immutable(&spec.get("selector"));
    template_update(spec);
    for (name, ty) in [
        ("completionMode", "*"),
        ("podFailurePolicy", "*PodFailurePolicy"),
        ("backoffLimitPerIndex", "*"),
        ("managedBy", "*"),
        ("successPolicy", "*SuccessPolicy"),
    ] {
        let member = spec.get(name);
        if member.changed() {
            member.invalid_internal(ty, IMMUTABLE);
        }
    }
}

/// Where pods run may change while the Job has not started; nothing else of the template.
fn template_update(spec: &Field<'_, '_>) {
    let template = spec.get("template");
    let suspended = spec.get("suspend").old().and_then(Value::as_bool) == Some(true);
    if !suspended {
        if template.changed() {
            template.invalid_internal("PodTemplateSpec", IMMUTABLE);
        }
        return;
    }
    let free = |template: Option<&Value>| {
        let mut template = template.cloned().unwrap_or_default();
        let metadata = template.map_at_mut(&["metadata"]);
        metadata.remove("labels");
        metadata.remove("annotations");
        let pod = template.map_at_mut(&["spec"]);
        for key in ["nodeSelector", "tolerations", "schedulingGates", "affinity"] {
            pod.remove(key);
        }
        template
    };
    if free(template.value()) != free(template.old()) {
        template.invalid_internal("PodTemplateSpec", IMMUTABLE);
    }
}

pub(super) fn cron_job(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    cron::schedule(&spec);
    spec.get("startingDeadlineSeconds").not_negative();
    let zone = spec.get("timeZone");
    if !object.is_update() || zone.changed() {
        cron::time_zone(&zone);
    }
    spec.get("concurrencyPolicy")
        .require_one_of(&["Allow", "Forbid", "Replace"]);
    let template = spec.get("jobTemplate");
    let job = template.get("spec");
    job_spec(&job);
    let chosen = job.get("selector");
    if chosen.is_set() {
        chosen.invalid("`selector` will be auto-generated");
    }
    let manual = job.get("manualSelector");
    if manual.is_true() {
        manual.not_supported(&["nil", "false"]);
    }
    spec.get("successfulJobsHistoryLimit").not_negative();
    spec.get("failedJobsHistoryLimit").not_negative();
    let metadata = object.get("metadata");
    let name = metadata.get("name");
    if !object.is_update() && name.text().len() > CRON_NAME {
        name.invalid("must be no more than 52 characters");
    }
}
