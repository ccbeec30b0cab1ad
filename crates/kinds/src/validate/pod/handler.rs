//! Probes and hooks of containers.

use crate::names;
use crate::validate::field::Check::{self, Needs, Rule};
use crate::validate::field::Field;

const ONE_HANDLER: &str = "may not specify more than 1 handler type";
const NUMBERS: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];
const HANDLERS: [(&str, Check); 5] = [
    ("exec", Needs(&["command"])),
    ("httpGet", Rule(http)),
    ("tcpSocket", Rule(ported)),
    ("grpc", Rule(ported)),
    ("sleep", Needs(&[])),
];

/// A probe called `name`.
pub(super) fn probe(probe: &Field<'_, '_>, name: &str, grace: Option<i64>) {
    if !probe.is_set() {
        return;
    }
    handler(probe, grace);
    for number in NUMBERS {
        probe.get(number).not_negative();
    }
    let period = probe.get("terminationGracePeriodSeconds");
    if period.number().is_some_and(|seconds| seconds <= 0) {
        period.invalid("must be greater than 0");
    }
    let successes = probe.get("successThreshold");
    if name == "readinessProbe" {
        if period.is_set() {
            period.invalid("must not be set for readinessProbes");
        }
    } else if successes.number() != Some(1) {
        successes.invalid("must be 1");
    }
}

pub(super) fn lifecycle(lifecycle: &Field<'_, '_>, grace: Option<i64>) {
    for name in ["postStart", "preStop"] {
        let hook = lifecycle.get(name);
        if hook.is_set() {
            handler(&hook, grace);
        }
    }
}

fn handler(handler: &Field<'_, '_>, grace: Option<i64>) {
    if !handler.one_member(HANDLERS, ONE_HANDLER) {
        handler.required("must specify a handler type");
    }
    let others = HANDLERS.iter().take(4);
    let alone = !others.clone().any(|(name, _)| handler.get(name).is_set());
    let sleep = handler.get("sleep");
    let seconds = sleep.get("seconds").number().unwrap_or(0);
    if let Some(grace) = grace
        && sleep.is_set()
        && alone
        && (seconds < 0 || seconds > grace)
    {
        sleep.invalid_as(
            &seconds.into(),
            &format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})"),
        );
    }
}

fn ported(handler: &Field<'_, '_>) {
    handler.get("port").port();
}

fn http(get: &Field<'_, '_>) {
    get.get("path").require();
    get.get("port").port();
    get.get("scheme").one_of(&["HTTP", "HTTPS"]);
    let headers = get.get("httpHeaders");
    for header in headers.items() {
        let name = header.get("name");
        name.told_at(&headers).problems(names::header_name_problems);
    }
}
