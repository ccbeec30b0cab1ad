//! ValidatingAdmissionPolicies: which of them look at a write, and what they say.
//!
//! [`check`] is the door. Expressions are compiled once per state of a policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cel::{Budget, Environment, EvalError, MapValue, Program, Type, Val, Variables};
use yaml::{Str, Value};

use crate::conversion;
use crate::core::{Call, Core};
use crate::registry::Resource;
use crate::status_error::{ApiError, Cause};
use store::Collection;

use super::subject::{Equivalents, Subject};
use super::{GROUP, Write, items, text};

/// What all expressions of a policy may cost for one write (Kubernetes' own limit).
pub(super) const BUDGET: u64 = 10_000_000;

/// Compiled policies by name, with the revision that they were read from.
pub(crate) type Cache = Mutex<HashMap<Str, (u64, Arc<Policy>)>>;

/// A policy, compiled.
pub(crate) struct Policy {
    name: Str,
    value: Value,
    conditions: Vec<Expression>,
    variables: Vec<(Str, Expression)>,
    validations: Vec<Validation>,
}

/// An expression, compiled.
pub(super) struct Expression {
    text: Str,
    program: Result<Program, String>,
}

struct Validation {
    expression: Expression,
    message: Str,
    message_expression: Option<Expression>,
    reason: Str,
}

/// What is said of a write that breaks a policy.
struct Denial {
    message: String,
    reason: Str,
}

/// Lets the policies of the store look at a write. Gives warnings.
///
/// # Errors
/// The refusal of the first policy that denies it.
pub(super) fn check(call: &Call<'_>, write: &Write<'_>) -> Result<Vec<String>, ApiError> {
    let list = |plural: &str| {
        let collection = Collection::new(GROUP, plural);
        call.core.store.list(&collection, None).objects
    };
    let bindings = list("validatingadmissionpolicybindings");
    if bindings.is_empty() {
        return Ok(Vec::new());
    }
    let written = Subject::new(call, write);
    let mut warnings = Vec::new();
    for stored in list("validatingadmissionpolicies") {
        let policy = compiled(call.core, &stored.name, stored.revision, || stored.value());
        let constraints = policy.value.at(&["spec", "matchConstraints"]);
        let target = constraints.and_then(|constraints| matches(&written, constraints));
        let Some(target) = target else {
            continue;
        };
        let request = Request::of(written.seen_as(&target)?.into_owned());
        for binding in &bindings {
            let binding = binding.value();
            if text(&binding, &["spec", "policyName"]) != &*policy.name {
                continue;
            }
            let limits = binding.at(&["spec", "matchResources"]);
            if limits.is_some_and(|limits| matches(&written, limits).is_none()) {
                continue;
            }
            for denial in request.judge(&policy, &binding) {
                let who = (policy.name.as_str(), crate::meta::name(&binding));
                warnings.extend(request.act(who, &binding, &denial)?);
            }
        }
    }
    Ok(warnings)
}

fn compiled(core: &Core, name: &str, revision: u64, value: impl Fn() -> Value) -> Arc<Policy> {
    let mut cache = core.policies.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, policy)) = cache.get(name)
        && *known == revision
    {
        return Arc::clone(policy);
    }
    let policy = Arc::new(Policy::compile(name, value(), &core.rules));
    cache.insert(name.into(), (revision, Arc::clone(&policy)));
    policy
}

/// The functions and variables of the expressions of admission.
pub(super) fn environment(functions: &Environment) -> Environment {
    [
        "object",
        "oldObject",
        "request",
        "params",
        "namespaceObject",
        "variables",
    ]
    .iter()
    .fold(functions.clone(), |all, name| all.with(name, Type::Dyn))
}

impl Policy {
    fn compile(name: &str, value: Value, environment: &Environment) -> Policy {
        let environment = self::environment(environment);
        let expression = |text: &str| Expression::compile(text, &environment);
        let spec = |key: &str| items(&value, &["spec", key]);
        Policy {
            name: name.into(),
            conditions: spec("matchConditions")
                .iter()
                .map(|condition| expression(text(condition, &["expression"])))
                .collect(),
            variables: spec("variables")
                .iter()
                .map(|variable| {
                    let name = text(variable, &["name"]);
                    (name.into(), expression(text(variable, &["expression"])))
                })
                .collect(),
            validations: spec("validations")
                .iter()
                .map(|validation| Validation {
                    expression: expression(text(validation, &["expression"])),
                    message: text(validation, &["message"]).into(),
                    message_expression: Some(text(validation, &["messageExpression"]))
                        .filter(|text| !text.is_empty())
                        .map(expression),
                    reason: text(validation, &["reason"]).into(),
                })
                .collect(),
            value,
        }
    }

    fn fails_closed(&self) -> bool {
        text(&self.value, &["spec", "failurePolicy"]) != "Ignore"
    }
}

impl Expression {
    /// What is wrong with `text` comes out when it runs.
    pub(super) fn compile(text: &str, environment: &Environment) -> Self {
        Expression {
            program: environment
                .compile(text)
                .map_err(|issues| issues.to_string()),
            text: text.into(),
        }
    }

    /// # Errors
    /// In the words of the real server: why the text gives no value.
    pub(super) fn run<'a>(
        &self,
        variables: &Variables<'a>,
        budget: &mut Budget,
    ) -> Result<Val<'a>, String> {
        let said = |why: &str| format!("expression '{}' resulted in error: {why}", self.text);
        let program = self.program.as_ref().map_err(|why| said(why))?;
        let done = program.run(variables, budget);
        done.map_err(|error: EvalError| said(error.message()))
    }
}

/// The resource in whose version a policy or binding looks at a write, when it does.
fn matches(written: &Subject<'_>, constraints: &Value) -> Option<Arc<Resource>> {
    let rules = items(constraints, &["resourceRules"]);
    let excluded = items(constraints, &["excludeResourceRules"]);
    let equivalents = Equivalents::of(constraints);
    let target = if constraints.get("resourceRules").is_none() {
        Some(Arc::clone(&written.resource))
    } else {
        written.target(rules, equivalents)
    };
    let is_excluded = written.target(excluded, equivalents).is_some();
    target.filter(|_| !is_excluded && written.selected(constraints))
}

/// A write as expressions see it.
struct Request<'a> {
    subject: Subject<'a>,
    request: Value,
}

impl<'a> Request<'a> {
    fn of(subject: Subject<'a>) -> Request<'a> {
        let request = subject.request().into();
        Request { subject, request }
    }

    /// Does what the binding says about a broken policy.
    fn act(
        &self,
        (policy, name): (&str, &str),
        binding: &Value,
        denial: &Denial,
    ) -> Result<Option<String>, ApiError> {
        let actions = items(binding, &["spec", "validationActions"]);
        let acts = |name: &str| actions.iter().any(|action| action.as_str() == Some(name));
        let who = format!("ValidatingAdmissionPolicy '{policy}' with binding '{name}'");
        if acts("Deny") {
            let message = format!("{who} denied request: {}", denial.message);
            let about = self.subject.call.about(&self.subject.name);
            let mut error = ApiError::forbidden(about, &message);
            (error.code, error.reason) = match denial.reason.as_str() {
                "Unauthorized" => (401, "Unauthorized"),
                "Forbidden" => (403, "Forbidden"),
                "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
                _ => (422, "Invalid"),
            };
            return Err(error.with_cause(Cause {
                reason: "",
                message,
                field: String::new(),
            }));
        }
        let warning = || format!("Validation failed for {who}: {}", denial.message);
        Ok(acts("Warn").then(warning))
    }

    /// The objects that a binding gives to a policy: `null` when it takes none.
    fn params(&self, policy: &Policy, binding: &Value) -> Result<Vec<Value>, Denial> {
        let Some(kind) = policy.value.at(&["spec", "paramKind"]) else {
            return Ok(vec![Value::Null]);
        };
        let Some(reference) = binding.at(&["spec", "paramRef"]) else {
            return Ok(vec![Value::Null]);
        };
        let version = text(kind, &["apiVersion"]);
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let registry = self.subject.call.core.registry();
        let denied = |message: &str| Denial {
            message: message.to_owned(),
            reason: "".into(),
        };
        let Some(resource) = registry.by_kind(group, version, text(kind, &["kind"])) else {
            return Err(denied(
                "failed to configure policy: failed to find resource referenced by paramKind",
            ));
        };
        let namespace = match text(reference, &["namespace"]) {
            _ if !resource.namespaced => "",
            "" => self.subject.call.namespace(),
            given => given,
        };
        let store = &self.subject.call.core.store;
        let core = self.subject.call.core;
        let (objects, selector) = match text(reference, &["name"]) {
            "" => {
                let all = store.list(&resource.collection, Some(namespace)).objects;
                (all, reference.get("selector"))
            }
            name => {
                let one = store.get(&resource.collection, namespace, name);
                (Vec::from_iter(one), None)
            }
        };
        let objects = conversion::listed(core, resource, objects)
            .map_err(|error| denied(&format!("failed to configure binding: {}", error.message)))?;
        let selects = |value: &Value| selector.is_none_or(|it| admit::selects(it, value));
        let found = objects.iter().map(|stored| stored.value());
        let found: Vec<Value> = found.filter(selects).collect();
        if found.is_empty() && text(reference, &["parameterNotFoundAction"]) == "Deny" {
            return Err(denied(
                "failed to configure binding: no params found for policy binding with `Deny` \
                 parameterNotFoundAction",
            ));
        }
        Ok(found)
    }

    /// What a policy says through a binding.
    fn judge(&self, policy: &Policy, binding: &Value) -> Vec<Denial> {
        match self.params(policy, binding) {
            Ok(params) => params
                .iter()
                .flat_map(|params| self.judge_with(policy, params))
                .collect(),
            Err(denial) => vec![denial],
        }
    }

    fn judge_with(&self, policy: &Policy, params: &Value) -> Vec<Denial> {
        let mut variables = Variables::new();
        for (name, value) in [
            ("object", &self.subject.object),
            ("oldObject", &self.subject.old),
            ("request", &self.request),
            ("namespaceObject", &self.subject.namespace),
            ("params", params),
        ] {
            let value = Val::data(value, &Type::Dyn).unwrap_or(Val::Null);
            variables.set(name, value);
        }
        let mut budget = Budget::new(BUDGET);
        let closed = |message: String| {
            let denial = Denial {
                message,
                reason: "".into(),
            };
            policy.fails_closed().then_some(denial)
        };
        for condition in &policy.conditions {
            match condition.run(&variables, &mut budget) {
                Ok(Val::Bool(true)) => {}
                Ok(_) => return Vec::new(),
                Err(why) => return closed(why).into_iter().collect(),
            }
        }
        let mut results: Vec<(Str, Result<Val<'_>, EvalError>)> = Vec::new();
        for (name, expression) in &policy.variables {
            let known = Val::Map(MapValue::Results(Arc::new(results.clone())));
            variables.set("variables", known);
            let result = expression.run(&variables, &mut budget);
            let result = result.map_err(|why| {
                EvalError::failed(format!(
                    "composited variable \"{name}\" fails to evaluate: {why}"
                ))
            });
            results.push((name.clone(), result));
        }
        let known = Val::Map(MapValue::Results(Arc::new(results)));
        variables.set("variables", known);
        policy
            .validations
            .iter()
            .filter_map(
                |validation| match validation.expression.run(&variables, &mut budget) {
                    Ok(Val::Bool(true)) => None,
                    Ok(_) => Some(Denial {
                        message: validation.message(&variables, &mut budget),
                        reason: validation.reason.clone(),
                    }),
                    Err(why) => closed(why),
                },
            )
            .collect()
    }
}

impl Validation {
    fn message(&self, variables: &Variables<'_>, budget: &mut Budget) -> String {
        let made = self
            .message_expression
            .as_ref()
            .map(|expression| expression.run(variables, budget));
        if let Some(Ok(Val::String(made))) = made
            && !made.trim().is_empty()
        {
            return made.trim().to_owned();
        }
        if self.message.is_empty() {
            format!("failed expression: {}", self.expression.text.trim())
        } else {
            self.message.trim().to_owned()
        }
    }
}
