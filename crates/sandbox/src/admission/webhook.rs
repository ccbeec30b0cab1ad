//! Webhooks: which of them look at a write, in which order, and what their answers do.
//!
//! [`Webhooks`] is what the configurations in the store say; a request works with those that were
//! there when it came. Reviews are sent from a thread that may wait: [`Core::answer`] is called on
//! one whenever there are webhooks.
//!
//! [`Core::answer`]: crate::core::Core::answer

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use admit::{Power, Verdict};
use cel::{Budget, Environment, Type, Val, Variables};
use manifest::patch;
use yaml::{Map, Value};

use crate::codec;
use crate::core::Call;
use crate::outbound::{Endpoint, Review, VERSIONS, wait};
use crate::registry::Resource;
use crate::status_error::ApiError;
use store::{Collection, Store};

use super::policy::{self, Expression};
use super::subject::{Equivalents, Subject};
use super::{GROUP, items, text};

const REVIEW: Review = Review {
    group: "admission.k8s.io",
    kind: "AdmissionReview",
};
/// Seconds that a webhook has which says nothing about it.
const TIMEOUT: i64 = 10;
/// The longest that a webhook may take: validation allows no more.
const LONGEST: i64 = 30;
/// What the conditions of a webhook may cost for one write (Kubernetes' own limit).
const BUDGET: u64 = 2_500_000;

/// All webhooks, in the order in which they are asked.
#[derive(Default)]
pub(crate) struct Webhooks {
    pub(crate) mutating: Vec<Webhook>,
    pub(crate) validating: Vec<Webhook>,
}

/// One webhook of a configuration.
pub(crate) struct Webhook {
    name: String,
    /// As it is configured.
    value: Value,
    conditions: Vec<Expression>,
    endpoint: Result<Endpoint, String>,
    /// In which its reviews are written; `None` when it takes none that is known.
    version: Option<&'static str>,
    timeout: Duration,
    on_failure: OnFailure,
}

/// What becomes of a write when a webhook cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Refuse,
    GoOn,
}

/// Why a webhook lets no write through.
enum Failure {
    /// It could not be asked: its failure policy decides.
    Call(String),
    /// It denied the write, or its answer breaks it.
    Refusal(ApiError),
}

impl Webhooks {
    /// What the store's configurations say.
    pub(crate) fn of(store: &Store, functions: &Environment) -> Self {
        let environment = policy::environment(functions);
        let read = |plural: &str| {
            let listing = store.list(&Collection::new(GROUP, plural), None);
            let configurations = listing.objects.iter().map(|stored| stored.value());
            configurations
                .flat_map(|configuration| items(&configuration, &["webhooks"]).to_vec())
                .map(|webhook| Webhook::of(webhook, &environment))
                .collect()
        };
        Webhooks {
            mutating: read("mutatingwebhookconfigurations"),
            validating: read("validatingwebhookconfigurations"),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mutating.is_empty() && self.validating.is_empty()
    }
}

/// Lets the mutating webhooks change what is written; `None` when none did.
///
/// # Errors
/// The refusal of the first that denies it, or that cannot be asked.
pub(super) fn mutate(call: &Call<'_>, written: Subject<'_>) -> Result<Option<Value>, ApiError> {
    let hooks = &call.webhooks.mutating;
    let resource = Arc::clone(&written.resource);
    let mut subject = written;
    let mut is_changed = false;
    // Those that want to see what later ones make of the object, and those that now must.
    let (mut eligible, mut again) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..2 {
        for (index, hook) in hooks.iter().enumerate() {
            let Some(target) = hook.target(&subject)? else {
                continue;
            };
            if round > 0 && !again.contains(&index) {
                continue;
            }
            let seen = subject.seen_as(&target)?.into_owned();
            if let Some(changed) = hook.mutate(&seen)? {
                is_changed = true;
                again.append(&mut eligible);
                subject = changed.seen_as(&resource)?.into_owned();
            }
            if text(&hook.value, &["reinvocationPolicy"]) == "IfNeeded" {
                eligible.insert(index);
            }
        }
        if again.is_empty() {
            break;
        }
    }
    Ok(is_changed.then(|| subject.into_stored()))
}

/// Lets the validating webhooks look at what is written, all at once.
///
/// # Errors
/// The refusal of the first that denies it, or that cannot be asked.
pub(super) fn validate(call: &Call<'_>, written: &Subject<'_>) -> Result<(), ApiError> {
    let mut asked = Vec::new();
    for hook in &call.webhooks.validating {
        if let Some(target) = hook.target(written)? {
            asked.push((hook, written.seen_as(&target)?));
        }
    }
    let asks = asked
        .iter()
        .map(|(hook, seen)| hook.ask(seen, Power::Validate));
    let verdicts = wait(futures::future::join_all(asks));
    for ((hook, _), verdict) in asked.iter().zip(verdicts) {
        hook.judge(call, verdict)?;
    }
    Ok(())
}

impl Webhook {
    fn of(value: Value, environment: &Environment) -> Self {
        let seconds = value.get("timeoutSeconds").and_then(Value::as_i64);
        let seconds = seconds.unwrap_or(TIMEOUT).clamp(1, LONGEST);
        let taken = items(&value, &["admissionReviewVersions"]).iter();
        Webhook {
            name: text(&value, &["name"]).to_owned(),
            conditions: items(&value, &["matchConditions"])
                .iter()
                .map(|condition| Expression::compile(text(condition, &["expression"]), environment))
                .collect(),
            endpoint: Endpoint::of(value.get("clientConfig").unwrap_or(&Value::Null)),
            version: taken.filter_map(Value::as_str).find_map(|taken| {
                let known = VERSIONS.into_iter();
                known.clone().find(|known| *known == taken)
            }),
            timeout: Duration::from_secs(seconds.unsigned_abs()),
            on_failure: match text(&value, &["failurePolicy"]) {
                "Ignore" => OnFailure::GoOn,
                _ => OnFailure::Refuse,
            },
            value,
        }
    }

    /// The resource in whose version the webhook wants to see a write; `None` when it does not.
    fn target(&self, subject: &Subject<'_>) -> Result<Option<Arc<Resource>>, ApiError> {
        let rules = items(&self.value, &["rules"]);
        let target = subject.target(rules, Equivalents::of(&self.value));
        let Some(target) = target.filter(|_| subject.selected(&self.value)) else {
            return Ok(None);
        };
        let seen = subject.seen_as(&target)?;
        Ok(self.conditions_hold(&seen)?.then_some(target))
    }

    fn conditions_hold(&self, subject: &Subject<'_>) -> Result<bool, ApiError> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let request = Value::from(subject.request());
        // Expressions of webhooks see no namespace: the real server gives them an empty one.
        let namespace = Value::from(Map::new());
        let mut variables = Variables::new();
        for (name, value) in [
            ("object", &subject.object),
            ("oldObject", &subject.old),
            ("request", &request),
            ("namespaceObject", &namespace),
        ] {
            variables.set(name, Val::data(value, &Type::Dyn).unwrap_or(Val::Null));
        }
        let mut budget = Budget::new(BUDGET);
        let mut problems = Vec::new();
        for condition in &self.conditions {
            match condition.run(&variables, &mut budget) {
                Ok(Val::Bool(false)) => return Ok(false),
                Ok(_) => {}
                Err(why) => problems.push(why),
            }
        }
        let told = match problems.as_slice() {
            [] => return Ok(true),
            _ if self.on_failure == OnFailure::GoOn => return Ok(false),
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let about = subject.call.about(&subject.name);
        Err(ApiError::forbidden(about, &told))
    }

    async fn ask(&self, subject: &Subject<'_>, power: Power) -> Result<(Verdict, Value), Failure> {
        let effects = text(&self.value, &["sideEffects"]);
        if subject.is_dry_run() && !matches!(effects, "None" | "NoneOnDryRun") {
            let name = kinds::quoted(&self.name);
            let why = format!("admission webhook {name} does not support dry run");
            return Err(Failure::Refusal(ApiError::bad_request(why)));
        }
        let version = self.version.ok_or_else(|| {
            let why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)";
            Failure::Call(format!("could not create admission objects: {why}"))
        })?;
        let uid = uuid::Uuid::new_v4().to_string();
        let mut request = subject.request();
        request.insert("uid", uid.as_str());
        request.insert("object", subject.object.clone());
        request.insert("oldObject", subject.old.clone());
        let body = admit::review(request, version);
        let endpoint = self.endpoint.as_ref();
        let endpoint =
            endpoint.map_err(|why| Failure::Call(format!("could not get REST client: {why}")))?;
        let store = &subject.call.core.store;
        let answer = endpoint
            .ask(store, REVIEW, &body, self.timeout)
            .await
            .map_err(|why| Failure::Call(format!("failed to call webhook: {why}")))?;
        let verdict = admit::verdict(&answer, (&uid, version), power).map_err(Failure::Call)?;
        let operations = operations(&verdict.patch).map_err(Failure::Call)?;
        Ok((verdict, operations))
    }

    /// Asks for a change; `None` when it makes none.
    fn mutate<'a>(&self, subject: &Subject<'a>) -> Result<Option<Subject<'a>>, ApiError> {
        let verdict = wait(self.ask(subject, Power::Mutate));
        match self.judge(subject.call, verdict)? {
            Value::List(operations) if !operations.is_empty() => {
                self.apply(subject, &operations.into())
            }
            _ => Ok(None),
        }
    }

    fn apply<'a>(
        &self,
        subject: &Subject<'a>,
        patch: &Value,
    ) -> Result<Option<Subject<'a>>, ApiError> {
        if subject.object.is_null() {
            let name = kinds::quoted(&self.name);
            return Err(ApiError::internal(&format!(
                "admission webhook {name} attempted to modify the object, which is not supported \
                 for this operation"
            )));
        }
        let object = patch::json_patch(&subject.object, patch)
            .map_err(|error| ApiError::internal(&error.to_string()))?;
        let object = subject
            .decoded(object)
            .map_err(|why| ApiError::internal(&why))?;
        let changed = Subject {
            object,
            ..subject.clone()
        };
        Ok((changed.object != subject.object).then_some(changed))
    }

    /// What an answer means for the write: the operations that it asks for.
    fn judge(
        &self,
        call: &Call<'_>,
        verdict: Result<(Verdict, Value), Failure>,
    ) -> Result<Value, ApiError> {
        let (verdict, operations) = match verdict {
            Ok(verdict) => verdict,
            Err(Failure::Refusal(refusal)) => return Err(refusal),
            Err(Failure::Call(why)) => {
                tracing::warn!(webhook = self.name, why, "a webhook cannot be asked");
                if self.on_failure == OnFailure::GoOn {
                    return Ok(Value::Null);
                }
                let name = kinds::quoted(&self.name);
                let why = format!("failed calling webhook {name}: {why}");
                return Err(ApiError::internal(&why));
            }
        };
        call.warn(verdict.warnings);
        match verdict.denied {
            Some(status) => Err(ApiError::told(admit::denial(&self.name, &status))),
            None => Ok(operations),
        }
    }
}

/// The operations of a patch; `null` when there is none.
fn operations(patch: &[u8]) -> Result<Value, String> {
    let undecodable = |why: &str| format!("received undecodable patch in webhook response: {why}");
    if patch.is_empty() {
        return Ok(Value::Null);
    }
    match codec::parse_json(patch).map_err(|why| undecodable(&why))? {
        operations @ (Value::Null | Value::List(_)) => Ok(operations),
        other => Err(undecodable(&format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            other.kind()
        ))),
    }
}
