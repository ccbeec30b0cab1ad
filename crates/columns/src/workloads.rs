//! Cells of the kinds that make pods: those of `apps`, `batch`, `autoscaling` and `policy`.

use jiff::Timestamp;
use yaml::Value;

use crate::age::{since, time_since};
use crate::of::{NONE, Of, UNKNOWN, UNSET, containers, labels, selector};

fn ready(of: &Of<'_>, path: &str) -> Value {
    format!("{}/{}", of.number(path), of.number("spec.replicas")).into()
}

fn template(of: &Of<'_>, select: Option<&str>) -> Vec<Value> {
    let path = "spec.template.spec.containers";
    let mut cells = vec![containers(of, path, "name"), containers(of, path, "image")];
    if let Some(path) = select {
        cells.push(selector(of.at(path)).into());
    }
    cells
}

pub(crate) fn deployment(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![
        ready(of, "status.readyReplicas"),
        of.number("status.updatedReplicas").into(),
        of.number("status.availableReplicas").into(),
        age,
    ];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

pub(crate) fn replicas(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![
        of.number("spec.replicas").into(),
        of.number("status.replicas").into(),
        of.number("status.readyReplicas").into(),
        age,
    ];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

pub(crate) fn stateful(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![ready(of, "status.readyReplicas"), age];
    cells.extend(template(of, None));
    cells
}

pub(crate) fn daemon(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells: Vec<Value> = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ]
    .iter()
    .map(|key| of.number(&format!("status.{key}")).into())
    .collect();
    cells.push(labels(of.at("spec.template.spec.nodeSelector")).into());
    cells.push(age);
    cells.extend(template(of, Some("spec.selector")));
    cells
}

pub(crate) fn revision(of: &Of<'_>, age: Value) -> Vec<Value> {
    let owner = of.list("metadata.ownerReferences").first().map(Of);
    let owner = owner.map_or(NONE.to_owned(), |owner| {
        let group = owner
            .text("apiVersion")
            .split('/')
            .next()
            .unwrap_or_default();
        format!(
            "{}.{group}/{}",
            owner.text("kind").to_lowercase(),
            owner.text("name")
        )
    });
    vec![owner.into(), of.number("revision").into(), age]
}

fn condition(of: &Of<'_>, kind: &str) -> bool {
    of.list("status.conditions")
        .iter()
        .map(Of)
        .any(|condition| condition.text("type") == kind && condition.text("status") == "True")
}

pub(crate) fn job(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let status = if condition(of, "Complete") {
        "Complete"
    } else if condition(of, "Failed") {
        "Failed"
    } else if !of.text("metadata.deletionTimestamp").is_empty() {
        "Terminating"
    } else if condition(of, "Suspended") {
        "Suspended"
    } else if condition(of, "FailureTarget") {
        "FailureTarget"
    } else if condition(of, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let succeeded = of.number("status.succeeded");
    let completions = match of.at("spec.completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if of.number("spec.parallelism") > 1 => {
            format!("{succeeded}/1 of {}", of.number("spec.parallelism"))
        }
        None => format!("{succeeded}/1"),
    };
    let start = of.text("status.startTime").parse::<Timestamp>();
    let end = of.text("status.completionTime").parse::<Timestamp>();
    let duration = match (start, end) {
        (Ok(start), Ok(end)) => since(start, end),
        (Ok(start), Err(_)) => since(start, now),
        (Err(_), _) => String::new(),
    };
    let mut cells = vec![status.into(), completions.into(), duration.into(), age];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

pub(crate) fn cron(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let last = match of.text("status.lastScheduleTime") {
        "" => NONE.to_owned(),
        time => time_since(time, now),
    };
    let suspended = of
        .at("spec.suspend")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let suspended = if suspended { "True" } else { "False" };
    let path = "spec.jobTemplate.spec.template.spec.containers";
    vec![
        of.text("spec.schedule").into(),
        of.or("spec.timeZone", NONE).into(),
        suspended.into(),
        i64::try_from(of.list("status.active").len())
            .unwrap_or(0)
            .into(),
        last.into(),
        age,
        containers(of, path, "name"),
        containers(of, path, "image"),
        selector(of.at("spec.jobTemplate.spec.selector")).into(),
    ]
}

pub(crate) fn budget(of: &Of<'_>, age: Value) -> Vec<Value> {
    let shown = |path: &str| match of.at(path) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        shown("spec.minAvailable").into(),
        shown("spec.maxUnavailable").into(),
        of.number("status.disruptionsAllowed").into(),
        age,
    ]
}

pub(crate) fn autoscaler(of: &Of<'_>, age: Value) -> Vec<Value> {
    let reference = format!(
        "{}/{}",
        of.text("spec.scaleTargetRef.kind"),
        of.text("spec.scaleTargetRef.name")
    );
    let current = of.list("status.currentMetrics");
    let targets: Vec<String> = of
        .list("spec.metrics")
        .iter()
        .enumerate()
        .map(|(index, metric)| target(&Of(metric), current.get(index)))
        .collect();
    let targets = match targets.as_slice() {
        [] => NONE.to_owned(),
        [a, b, rest @ ..] if !rest.is_empty() => format!("{a}, {b} + {} more...", rest.len()),
        few => few.join(", "),
    };
    let minimum = match of.at("spec.minReplicas").and_then(Value::as_i64) {
        Some(number) => number.to_string(),
        None => UNSET.to_owned(),
    };
    vec![
        reference.into(),
        targets.into(),
        minimum.into(),
        of.number("spec.maxReplicas").into(),
        of.number("status.currentReplicas").into(),
        age,
    ]
}

fn target(metric: &Of<'_>, current: Option<&Value>) -> String {
    let kind = metric.text("type");
    let mut key = kind.to_owned();
    if let Some(first) = key.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let is_resource = matches!(kind, "Resource" | "ContainerResource");
    let name = if is_resource {
        format!("{}: ", metric.text(&format!("{key}.name")))
    } else {
        String::new()
    };
    let now = current.map(|current| {
        let current = Of(current);
        let utilization = current.at(&format!("{key}.current.averageUtilization"));
        match utilization.and_then(Value::as_i64) {
            Some(percent) => format!("{percent}%"),
            None => current
                .or(
                    &format!("{key}.current.averageValue"),
                    current.or(&format!("{key}.current.value"), UNKNOWN),
                )
                .to_owned(),
        }
    });
    let now = now.unwrap_or_else(|| UNKNOWN.to_owned());
    let wanted = match metric
        .at(&format!("{key}.target.averageUtilization"))
        .and_then(Value::as_i64)
    {
        Some(percent) => format!("{percent}%"),
        None => {
            let average = metric.text(&format!("{key}.target.averageValue"));
            if average.is_empty() {
                metric
                    .or(&format!("{key}.target.value"), "<auto>")
                    .to_owned()
            } else if is_resource || kind == "Pods" {
                average.to_owned()
            } else {
                format!("{average} (avg)")
            }
        }
    };
    format!("{name}{now}/{wanted}")
}
