//! ValidatingAdmissionPolicies: which of them look at a write, and what they say.
//!
//! [`check`] is the door. Expressions are compiled once per state of a policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cel::{Budget, Environment, EvalError, MapValue, Program, Type, Val, Variables};
use yaml::{Map, Str, Value};

use crate::core::{Call, Core};
use crate::render;
use crate::status_error::{ApiError, Cause};
use crate::store::Collection;

const GROUP: &str = "admissionregistration.k8s.io";
/// What all expressions of a policy may cost for one write (Kubernetes' own limit).
const BUDGET: u64 = 10_000_000;

/// What a write does, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// A write: the object to be and the one that is.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) operation: Operation,
    pub(crate) new: Option<&'a Value>,
    pub(crate) old: Option<&'a Value>,
}

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

struct Expression {
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
pub(crate) fn check(call: &Call<'_>, write: Write<'_>) -> Result<Vec<String>, ApiError> {
    let list = |plural: &str| {
        let collection = Collection::new(GROUP, plural);
        call.core.store.list(&collection, None).objects
    };
    let bindings = list("validatingadmissionpolicybindings");
    // Policies do not look at what makes them, so that they can be mended.
    if bindings.is_empty() || call.resource.group == GROUP {
        return Ok(Vec::new());
    }
    let request = Request::of(call, write);
    let mut warnings = Vec::new();
    for stored in list("validatingadmissionpolicies") {
        let policy = compiled(call.core, &stored.name, stored.revision, || stored.value());
        let constraints = policy.value.at(&["spec", "matchConstraints"]);
        if !constraints.is_some_and(|constraints| request.matches(constraints)) {
            continue;
        }
        for binding in &bindings {
            let binding = binding.value();
            if text(&binding, &["spec", "policyName"]) != &*policy.name {
                continue;
            }
            let limits = binding.at(&["spec", "matchResources"]);
            if limits.is_some_and(|limits| !request.matches(limits)) {
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

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
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

impl Policy {
    fn compile(name: &str, value: Value, environment: &Environment) -> Policy {
        let known = [
            "object",
            "oldObject",
            "request",
            "params",
            "namespaceObject",
            "variables",
        ];
        let environment = known
            .iter()
            .fold(environment.clone(), |all, name| all.with(name, Type::Dyn));
        let expression = |text: &str| Expression {
            program: environment
                .compile(text)
                .map_err(|issues| issues.to_string()),
            text: text.into(),
        };
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
    fn run<'a>(&self, variables: &Variables<'a>, budget: &mut Budget) -> Result<Val<'a>, String> {
        let said = |why: &str| format!("expression '{}' resulted in error: {why}", self.text);
        let program = self.program.as_ref().map_err(|why| said(why))?;
        let done = program.run(variables, budget);
        done.map_err(|error: EvalError| said(error.message()))
    }
}

/// A write as expressions see it.
struct Request<'a> {
    call: &'a Call<'a>,
    operation: Operation,
    object: Value,
    old: Value,
    namespace: Value,
    request: Value,
}

impl<'a> Request<'a> {
    fn of(call: &'a Call<'_>, write: Write<'_>) -> Request<'a> {
        let typed = |value: Option<&Value>| match value {
            Some(value) => {
                let mut value = value.clone();
                render::type_meta(&mut value, &call.resource);
                value
            }
            None => Value::Null,
        };
        let namespace = call.namespace();
        let found = call
            .core
            .store
            .get(&Collection::new("", "namespaces"), "", namespace);
        let namespace = found.map_or(Value::Null, |stored| stored.value());
        let name = write
            .new
            .or(write.old)
            .map_or(call.name(), crate::meta::name);
        Request {
            operation: write.operation,
            object: typed(write.new),
            old: typed(write.old),
            request: request(call, write.operation, name),
            namespace,
            call,
        }
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
            let about = self.call.about(text(&self.request, &["name"]));
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

    /// Whether a policy or binding looks at this write.
    fn matches(&self, constraints: &Value) -> bool {
        let rules = items(constraints, &["resourceRules"]);
        let excluded = items(constraints, &["excludeResourceRules"]);
        let named =
            constraints.get("resourceRules").is_none() || rules.iter().any(|rule| self.fits(rule));
        if !named || excluded.iter().any(|rule| self.fits(rule)) {
            return false;
        }
        let selector = |key: &str| constraints.get(key).unwrap_or(&Value::Null);
        let is_namespace =
            self.call.resource.group.is_empty() && self.call.resource.plural == "namespaces";
        let namespace = if is_namespace {
            &self.object
        } else {
            &self.namespace
        };
        let in_namespace = namespace.is_null() || selects(selector("namespaceSelector"), namespace);
        let of_object = [&self.object, &self.old]
            .into_iter()
            .any(|object| !object.is_null() && selects(selector("objectSelector"), object));
        in_namespace && of_object
    }

    fn fits(&self, rule: &Value) -> bool {
        let resource = &self.call.resource;
        let any = |key: &str, wanted: &str| {
            items(rule, &[key])
                .iter()
                .filter_map(Value::as_str)
                .any(|known| known == "*" || known == wanted)
        };
        let plural = resource.plural.as_str();
        let part = self.call.subresource();
        let of_resource = items(rule, &["resources"])
            .iter()
            .filter_map(Value::as_str)
            .any(|known| match (known.split_once('/'), part) {
                (None, None) => known == "*" || known == plural,
                (None, Some(_)) => false,
                (Some((of, "*")), None) => of == "*" || of == plural,
                (Some(_), None) => false,
                (Some((of, wanted)), Some(part)) => {
                    (of == "*" || of == plural) && (wanted == "*" || wanted == part)
                }
            });
        let scope = match text(rule, &["scope"]) {
            "Cluster" => !resource.namespaced,
            "Namespaced" => resource.namespaced,
            _ => true,
        };
        let names = items(rule, &["resourceNames"]);
        let name = text(&self.request, &["name"]);
        let named = names.is_empty() || names.iter().any(|known| known.as_str() == Some(name));
        any("apiGroups", &resource.group)
            && any("apiVersions", &resource.version)
            && any("operations", self.operation.name())
            && of_resource
            && scope
            && named
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
        let registry = self.call.core.registry();
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
            "" => self.call.namespace(),
            given => given,
        };
        let store = &self.call.core.store;
        let found: Vec<Value> = match text(reference, &["name"]) {
            "" => {
                let selector = reference.get("selector").unwrap_or(&Value::Null);
                let all = store.list(&resource.collection, Some(namespace)).objects;
                let all = all.iter().map(|stored| stored.value());
                all.filter(|value| selects(selector, value)).collect()
            }
            name => store
                .get(&resource.collection, namespace, name)
                .map(|stored| stored.value())
                .into_iter()
                .collect(),
        };
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
            ("object", &self.object),
            ("oldObject", &self.old),
            ("request", &self.request),
            ("namespaceObject", &self.namespace),
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

/// The `request` of expressions.
fn request(call: &Call<'_>, operation: Operation, name: &str) -> Value {
    let resource = &call.resource;
    let texts = |pairs: [(&str, &str); 3]| -> Value {
        let pairs = pairs
            .into_iter()
            .map(|(key, text)| (Str::from(key), Value::from(text)));
        Value::Map(pairs.collect::<Map>())
    };
    let kind = texts([
        ("group", &resource.group),
        ("version", &resource.version),
        ("kind", &resource.kind),
    ]);
    let place = texts([
        ("group", &resource.group),
        ("version", &resource.version),
        ("resource", &resource.plural),
    ]);
    let part = call.subresource().unwrap_or_default();
    let user = &call.request.user;
    let user = Map::from([
        ("username", user.name.as_str().into()),
        ("uid", user.uid.as_str().into()),
        ("groups", user.groups.clone().into()),
    ]);
    Value::Map(Map::from([
        ("kind", kind.clone()),
        ("resource", place.clone()),
        ("subResource", part.into()),
        ("requestKind", kind),
        ("requestResource", place),
        ("requestSubResource", part.into()),
        ("name", name.into()),
        ("namespace", call.namespace().into()),
        ("operation", operation.name().into()),
        ("userInfo", user.into()),
        ("dryRun", call.dry_run().into()),
    ]))
}

/// Whether a label selector, or none, selects an object.
fn selects(selector: &Value, object: &Value) -> bool {
    let labels = object.at(&["metadata", "labels"]);
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    let pairs = selector.get("matchLabels").and_then(Value::as_map);
    let equal = pairs
        .into_iter()
        .flat_map(Map::iter)
        .all(|(key, value)| label(key) == value.as_str());
    let fits = |expression: &Value| {
        let value = label(text(expression, &["key"]));
        let among = value.is_some_and(|value| {
            let known = items(expression, &["values"]);
            known.iter().any(|known| known.as_str() == Some(value))
        });
        match text(expression, &["operator"]) {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    };
    equal && items(selector, &["matchExpressions"]).iter().all(fits)
}
