//! When the recorder looked: its README's definition of settled, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use manifest::Object;
use tokio::time::Instant;
use yaml::Value;

use super::{Replay, list, text};

/// How often it is looked, in virtual time.
const LOOK: Duration = Duration::from_millis(250);

/// The recorder's defaults: nothing changes for the first, or it gives up after the second.
const QUIET: f64 = 2.5;
const TIMEOUT: f64 = 45.0;

type Apps = BTreeMap<String, Value>;

impl Replay {
    /// Waits until the recorder would have looked.
    pub(super) async fn settle(&self, step: &Value) {
        let wait = step.get("wait").cloned().unwrap_or_default();
        let timeout = Duration::from_secs_f64(number(&wait, "timeout").unwrap_or(TIMEOUT));
        let started = Instant::now();
        let mut last = (started, Apps::new(), 0);
        loop {
            let (apps, n_requests) = (self.world.applications().await, self.journal.len());
            if apps != last.1 || n_requests != last.2 {
                last = (Instant::now(), apps, n_requests);
            }
            let quiet = quiet(&wait, &last.1);
            if last.0.elapsed() >= quiet && self.is_reached(&wait, &last.1).await {
                return;
            }
            if started.elapsed() >= timeout {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_reached(&self, wait: &Value, apps: &Apps) -> bool {
        if wait.get("until").is_none() {
            let needs_status = wait.get("nostatus").is_none();
            return apps.values().all(|app| is_settled(app, needs_status));
        }
        for condition in list(wait, "until") {
            if !self.is_met(&self.filled(condition), apps).await {
                return false;
            }
        }
        true
    }

    async fn is_met(&self, condition: &Value, apps: &Apps) -> bool {
        if let Some(app) = condition.get("gone").and_then(Value::as_str) {
            return !apps.contains_key(app);
        }
        let found = match condition.get("object") {
            Some(object) => {
                let object = Object::new(object.clone()).expect("an object");
                let all = self.world.list(&object.gvk()).await;
                let mut all = all.into_iter();
                all.find(|it| it.key() == object.key())
                    .map(Object::into_value)
            }
            None => apps.get(text(condition, "app")).cloned(),
        };
        let path: Vec<&str> = text(condition, "path").split('.').collect();
        let found = found
            .and_then(|it| it.at(&path).cloned())
            .unwrap_or_default();
        let is = condition.get("is").is_none_or(|it| *it == found);
        let has = found
            .as_str()
            .unwrap_or_default()
            .contains(text(condition, "has"));
        let least = condition.get("min").and_then(Value::as_i64);
        let min = least.is_none_or(|it| found.as_i64().unwrap_or_default() >= it);
        let among = condition
            .get("in")
            .is_none_or(|_| list(condition, "in").contains(&found));
        is && has && min && among
    }
}

fn number(value: &Value, key: &str) -> Option<f64> {
    let value = value.get(key)?;
    value.as_f64().or(value.as_i64().map(|it| it as f64))
}

fn status<'a>(app: &'a Value, path: &[&str]) -> &'a str {
    let status = app.get("status").and_then(|it| it.at(path));
    status.and_then(Value::as_str).unwrap_or_default()
}

fn is_settled(app: &Value, needs_status: bool) -> bool {
    let has_status =
        !status(app, &["sync", "status"]).is_empty() || app.at(&["status", "conditions"]).is_some();
    let refresh = ["metadata", "annotations", "argocd.argoproj.io/refresh"];
    app.get("operation").is_none()
        && !["Running", "Terminating"].contains(&status(app, &["operationState", "phase"]))
        && app.at(&refresh).is_none()
        && app.at(&["metadata", "deletionTimestamp"]).is_none()
        && (has_status || !needs_status)
}

/// How long nothing must change.
fn quiet(wait: &Value, apps: &Apps) -> Duration {
    if let Some(seconds) = number(wait, "quiet") {
        return Duration::from_secs_f64(seconds);
    }
    let mut seconds = QUIET;
    for app in apps.values() {
        if ["Progressing", "Missing"].contains(&status(app, &["health", "status"])) {
            seconds = seconds.max(4.0);
        }
        let is_automated = app.at(&["spec", "syncPolicy", "automated"]).is_some();
        if is_automated && status(app, &["sync", "status"]) == "OutOfSync" {
            seconds = seconds.max(5.0);
        }
        if status(app, &["reconciledAt"]) < status(app, &["operationState", "finishedAt"]) {
            seconds = seconds.max(8.0);
        }
    }
    Duration::from_secs_f64(seconds)
}
