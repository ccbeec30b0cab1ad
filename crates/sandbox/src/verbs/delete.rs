//! DELETE of one object: at once, after a grace period, or when its finalizers are gone.

use std::sync::Arc;

use yaml::{Map, Value};

use crate::admission;
use crate::conversion;
use crate::core::Call;
use crate::decode;
use crate::meta;
use crate::reply::Reply;
use crate::request::Query;
use crate::status_error::{About, ApiError, Details, success};
use crate::strategy::{self, Context};
use kinds::FieldError;
use life::clock;
use store::{Expect, Stored};

use super::options::wrong_dry_run;
use super::{object_reply, read, value_reply};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
const ATTEMPTS: usize = 32;

/// What the body and query of a DELETE ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) policy: Option<String>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) grace_period_seconds: Option<i64>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) dry_run: Vec<String>,
}

impl Options {
    /// Reads the options of a request: the body, or the query when there is none.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let options = match decode::delete_options(call)? {
            // The query is not looked at then.
            Some(body) => Self::of_body(&body),
            None => Self::of_query(&call.request.query)?,
        };
        options.check()?;
        Ok(options)
    }

    fn of_query(query: &Query) -> Result<Self, ApiError> {
        Ok(Options {
            policy: Some(query.get("propagationPolicy").to_owned()).filter(|text| !text.is_empty()),
            orphan_dependents: query
                .has("orphanDependents")
                .then(|| query.flag("orphanDependents")),
            grace_period_seconds: query.number("gracePeriodSeconds")?,
            dry_run: query.all("dryRun").map(str::to_owned).collect(),
            ..Options::default()
        })
    }

    fn of_body(body: &Value) -> Self {
        let text = |path: &[&str]| body.at(path).and_then(Value::as_str).map(str::to_owned);
        let dry_run = body.get("dryRun").and_then(Value::as_list);
        let dry_run = dry_run.unwrap_or_default().iter();
        Options {
            policy: text(&["propagationPolicy"]),
            orphan_dependents: body.get("orphanDependents").and_then(Value::as_bool),
            grace_period_seconds: body.get("gracePeriodSeconds").and_then(Value::as_i64),
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
            dry_run: dry_run
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// What is told about a deletion that leaves dependents behind unasked.
    pub(crate) fn warnings(&self, call: &Call<'_>) -> Vec<String> {
        let is_job = call.resource.group == "batch" && call.resource.plural == "jobs";
        if !is_job || self.policy.is_some() || self.orphan_dependents.is_some() {
            return Vec::new();
        }
        vec![
            "child pods are preserved by default when jobs are deleted; set \
             propagationPolicy=Background to remove them or set propagationPolicy=Orphan to \
             suppress this warning"
                .to_owned(),
        ]
    }

    /// The options as an object.
    pub(crate) fn value(&self) -> Value {
        let mut map = Map::new();
        let mut preconditions = Map::new();
        if let Some(policy) = &self.policy {
            map.insert("propagationPolicy", policy.as_str());
        }
        if let Some(orphan) = self.orphan_dependents {
            map.insert("orphanDependents", orphan);
        }
        if let Some(seconds) = self.grace_period_seconds {
            map.insert("gracePeriodSeconds", seconds);
        }
        for (key, text) in [
            ("uid", &self.uid),
            ("resourceVersion", &self.resource_version),
        ] {
            if let Some(text) = text {
                preconditions.insert(key, text.as_str());
            }
        }
        if !preconditions.is_empty() {
            map.insert("preconditions", preconditions);
        }
        if !self.dry_run.is_empty() {
            map.insert("dryRun", self.dry_run.clone());
        }
        map.into()
    }

    fn is_dry_run(&self) -> bool {
        !self.dry_run.is_empty()
    }

    fn check(&self) -> Result<(), ApiError> {
        let mut errors = Vec::new();
        if self.policy.is_some() && self.orphan_dependents.is_some() {
            errors.push(FieldError::invalid(
                "propagationPolicy",
                &self.policy.as_deref().unwrap_or_default().into(),
                "orphanDependents and deletionPropagation cannot be both set",
            ));
        }
        let known = ["Foreground", "Background", "Orphan"];
        if let Some(policy) = &self.policy
            && !known.contains(&policy.as_str())
        {
            errors.push(FieldError::not_supported(
                "propagationPolicy",
                &policy.as_str().into(),
                &["Foreground", "Background", "Orphan", "nil"],
            ));
        }
        errors.extend(wrong_dry_run(self.dry_run.iter().map(String::as_str)));
        if errors.is_empty() {
            return Ok(());
        }
        let about = crate::status_error::About {
            group: "meta.k8s.io",
            kind: "DeleteOptions",
            name: "",
        };
        Err(ApiError::invalid(about, &errors))
    }
}

/// Deletes the object of the path.
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let options = Options::of(call)?;
    for _ in 0..ATTEMPTS {
        let stored = read::find(call)?;
        let warnings = match call.subresource() {
            // An eviction is admitted as itself.
            Some(_) => Vec::new(),
            None => admission::check_deletion(call, &stored.value(), &options.value())?,
        };
        if let Some(reply) = try_delete(call, &options, &stored)? {
            let warnings = [warnings, options.warnings(call)].concat();
            return Ok(reply.with_warnings(warnings));
        }
    }
    Err(ApiError::modified(call.about(call.name())))
}

/// `None` when someone else was faster.
pub(crate) fn try_delete(
    call: &Call<'_>,
    options: &Options,
    stored: &Arc<Stored>,
) -> Result<Option<Reply>, ApiError> {
    let old = stored.value();
    check_preconditions(call, options, stored, &old)?;
    strategy::may_delete(call, &old)?;
    let mut new = old.clone();
    if strategy::is_definition(&call.resource) && !meta::is_terminating(&old) {
        return mark_definition(call, options, stored, new);
    }
    let grace = strategy::grace_seconds(&call.resource, &old, options.grace_period_seconds);
    let finalizers = finalizers_after(call, options, &old);
    meta::set_finalizers(&mut new, &finalizers);
    let must_stay = !finalizers.is_empty() || grace > 0 || strategy::stays(&call.resource, &old);
    let graceful = strategy::is_graceful(&call.resource);
    if must_stay || graceful {
        mark(call, &mut new, grace);
    }
    let context = Context::of(call);
    if must_stay {
        if new == old {
            return Ok(Some(object_reply(call, 200, stored)));
        }
        if options.is_dry_run() {
            return Ok(Some(value_reply(call, 200, &new)));
        }
        let expect = Expect::Revision(stored.revision);
        let kept = conversion::to_store(call.core, &call.resource, new)?;
        let Ok(stored) = call.core.store.put(&call.resource.collection, expect, kept) else {
            return Ok(None);
        };
        strategy::after_write(&context, Some(&stored));
        let stored = conversion::found(call.core, &call.resource, stored)?;
        return Ok(Some(
            object_reply(call, 200, &stored).after(stored.revision),
        ));
    }
    if options.is_dry_run() {
        return Ok(Some(gone_reply(call, &old, &new)));
    }
    let Ok(gone) = call.core.store.remove(&call.resource.collection, stored) else {
        return Ok(None);
    };
    strategy::after_write(&context, None);
    meta::of(&mut new).insert("resourceVersion", gone.revision.to_string());
    Ok(Some(gone_reply(call, &old, &new).after(gone.revision)))
}

/// A definition first tells that it goes; its objects go before it does.
fn mark_definition(
    call: &Call<'_>,
    options: &Options,
    stored: &Stored,
    mut new: Value,
) -> Result<Option<Reply>, ApiError> {
    crate::crd::mark(&mut new, call.now);
    if options.is_dry_run() {
        return Ok(Some(value_reply(call, 200, &new)));
    }
    let expect = Expect::Revision(stored.revision);
    let put = call.core.store.put(&call.resource.collection, expect, new);
    Ok(put.ok().map(|stored| {
        strategy::after_write(&Context::of(call), Some(&stored));
        object_reply(call, 200, &stored).after(call.core.store.revision())
    }))
}

fn check_preconditions(
    call: &Call<'_>,
    options: &Options,
    stored: &Stored,
    old: &Value,
) -> Result<(), ApiError> {
    // The kind, not the resource, is named.
    let about = About {
        kind: &call.resource.kind,
        ..call.about(&stored.name)
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != meta::uid(old)) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object \
             might have been deleted and then recreated",
            meta::uid(old)
        );
        return Err(ApiError::conflict(about, &why));
    }
    let revision = stored.revision.to_string();
    let version = options.resource_version.as_deref();
    if let Some(version) = version.filter(|version| *version != revision) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the \
             ResourceVersion in record ({revision}). The object might have been modified"
        );
        return Err(ApiError::conflict(about, &why));
    }
    Ok(())
}

/// The finalizers that the propagation policy leaves.
fn finalizers_after(call: &Call<'_>, options: &Options, old: &Value) -> Vec<String> {
    let mut finalizers: Vec<String> = meta::finalizers(old)
        .into_iter()
        .filter(|name| *name != ORPHAN && *name != FOREGROUND)
        .map(str::to_owned)
        .collect();
    let had = |name: &str| meta::finalizers(old).contains(&name);
    let policy = options.policy.as_deref();
    let orphans = match (policy, options.orphan_dependents) {
        (Some(policy), _) => policy == "Orphan",
        (None, Some(orphan)) => orphan,
        (None, None) => {
            had(ORPHAN) || (!had(FOREGROUND) && strategy::orphans_by_default(&call.resource))
        }
    };
    let foreground = match (policy, options.orphan_dependents) {
        (Some(policy), _) => policy == "Foreground",
        (None, Some(_)) => false,
        (None, None) => had(FOREGROUND),
    };
    if orphans {
        finalizers.push(ORPHAN.to_owned());
    }
    if foreground {
        finalizers.push(FOREGROUND.to_owned());
    }
    finalizers
}

/// Sets the deletion timestamp, once, and the grace period, which may only become shorter.
fn mark(call: &Call<'_>, new: &mut Value, grace: i64) {
    let terminating = meta::is_terminating(new);
    let has_generation = meta::generation(new) > 0;
    let generation = meta::generation(new);
    let current = new
        .at(&["metadata", "deletionGracePeriodSeconds"])
        .and_then(Value::as_i64);
    let at = call
        .now
        .saturating_add(std::time::Duration::from_secs(grace.unsigned_abs()))
        .unwrap_or(call.now);
    if strategy::is_namespace(&call.resource) {
        if !terminating {
            meta::of(new).insert("deletionTimestamp", clock::seconds(call.now));
            new.map_at_mut(&["status"]).insert("phase", "Terminating");
        }
        return;
    }
    let metadata = meta::of(new);
    if terminating {
        if current.is_some_and(|current| grace < current) {
            metadata.insert("deletionTimestamp", clock::seconds(at));
            metadata.insert("deletionGracePeriodSeconds", grace);
        }
        return;
    }
    metadata.insert("deletionTimestamp", clock::seconds(at));
    metadata.insert("deletionGracePeriodSeconds", grace);
    if has_generation {
        metadata.insert("generation", generation + 1);
    }
}

/// Most kinds answer with a Status that names what went, some with the object.
fn gone_reply(call: &Call<'_>, old: &Value, new: &Value) -> Reply {
    if strategy::returns_deleted(&call.resource) {
        return value_reply(call, 200, new);
    }
    let details = Details {
        name: meta::name(old).to_owned(),
        group: call.resource.group.to_string(),
        kind: call.resource.plural.to_string(),
        uid: meta::uid(old).to_owned(),
        ..Details::default()
    };
    Reply::value(200, &success(None, Some(details)))
}
