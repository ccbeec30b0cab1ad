//! Webhooks and policies that look at requests.
//!
//! Their CEL expressions are text here: what compiles is known to who evaluates them.

use yaml::Value;

use super::field::{Field, satisfies};
use super::{conditions, selector};
use crate::names;

const FAILURE: [&str; 2] = ["Fail", "Ignore"];
const MATCH: [&str; 2] = ["Equivalent", "Exact"];
const HARMLESS: [&str; 2] = ["None", "NoneOnDryRun"];
const ANY_EFFECT: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const MAX_CONDITIONS: usize = 64;
const MAX_ANNOTATIONS: usize = 20;
const MAX_ANNOTATION_EXPRESSION: usize = 5 * 1024;

/// The rules of a `ValidatingWebhookConfiguration` and a `MutatingWebhookConfiguration`.
pub(super) fn webhooks(object: &Field<'_, '_>) {
    let hooks = object.get("webhooks");
    // What was stored wrongly once may stay so.
    let kept = |rule: fn(&Field<'_, '_>)| match hooks.old() {
        Some(old) => satisfies(old, |hooks| hooks.items().for_each(|hook| rule(&hook))),
        None => true,
    };
    let harmless = kept(|hook| hook.get("sideEffects").one_of(&HARMLESS));
    let recognized = kept(|hook| reviewed(&hook.get("admissionReviewVersions")));
    let unique = hooks.old().is_none_or(|old| satisfies(old, unique_names));
    let mut seen = Vec::new();
    for hook in hooks.items() {
        webhook(&hook, if harmless { &HARMLESS } else { &ANY_EFFECT });
        review_versions(&hook.get("admissionReviewVersions"), recognized);
        let name = hook.get("name");
        if unique && !name.is_empty() {
            if seen.contains(&name.text()) {
                name.duplicate();
            }
            seen.push(name.text());
        }
    }
}

fn unique_names(hooks: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for hook in hooks.items() {
        let name = hook.get("name");
        if seen.contains(&name.text()) {
            name.duplicate();
        }
        seen.push(name.text());
    }
}

fn reviewed(versions: &Field<'_, '_>) {
    if !versions.is_empty() && !versions.items().any(|v| REVIEWS.contains(&v.text())) {
        versions.invalid("must include at least one of v1, v1beta1");
    }
}

fn review_versions(versions: &Field<'_, '_>, recognized: bool) {
    if versions.is_empty() {
        versions.required("must specify one of v1, v1beta1");
        return;
    }
    let mut seen = Vec::new();
    for version in versions.items() {
        if seen.contains(&version.text()) {
            version.invalid("duplicate version");
            continue;
        }
        seen.push(version.text());
        version.problems(names::label_1035_problems);
    }
    if recognized {
        reviewed(versions);
    }
}

fn webhook(hook: &Field<'_, '_>, effects: &[&str]) {
    qualified_domain(&hook.get("name"));
    for rule in hook.get("rules").items() {
        operations_rule(&rule);
    }
    hook.get("failurePolicy").optional_one_of(&FAILURE);
    hook.get("matchPolicy").optional_one_of(&MATCH);
    let effect = hook.get("sideEffects");
    if effect.is_set() {
        effect.one_of(effects);
    } else {
        effect.required(&format!("must specify one of {}", effects.join(", ")));
    }
    let timeout = hook.get("timeoutSeconds");
    if timeout.number().is_some_and(|n| !(1..=30).contains(&n)) {
        timeout.invalid("the timeout value must be between 1 and 30 seconds");
    }
    selector::check(&hook.get("namespaceSelector"));
    selector::check(&hook.get("objectSelector"));
    hook.get("reinvocationPolicy")
        .optional_one_of(&["IfNeeded", "Never"]);
    let client = hook.get("clientConfig");
    let (url, service) = (client.get("url"), client.get("service"));
    match (url.is_set(), service.is_set()) {
        (true, false) => webhook_url(&url),
        (false, true) => webhook_service(&service),
        _ => client.required("exactly one of url or service is required"),
    }
    match_conditions(&hook.get("matchConditions"));
}

/// A domain of three segments or more.
fn qualified_domain(name: &Field<'_, '_>) {
    if !name.require() {
        return;
    }
    let problems = names::subdomain_problems(name.text());
    if !problems.is_empty() {
        name.invalid(&problems.join(","));
    } else if name.text().split('.').count() < 3 {
        name.invalid("should be a domain with at least three segments separated by dots");
    }
}

/// A URL of a webhook: `https`, a host and a path, nothing else.
pub(super) fn webhook_url(url: &Field<'_, '_>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let text = url.text();
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = split_scheme(rest);
    let authority = rest
        .strip_prefix("//")
        .map_or("", |rest| rest.split('/').next().unwrap_or_default());
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let tell = |shown: &str, why: &str| url.invalid_as(&shown.into(), why);
    if scheme != "https" {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        tell(&scheme, &why);
    }
    if host.is_empty() {
        tell(host, &format!("host must be specified{FORM}"));
    }
    if authority.contains('@') {
        tell(user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        tell(fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        tell(query, "query parameters are not permitted in the URL");
    }
}

/// The scheme of a URL in lower case, as Go's parser finds it, and what follows its colon.
fn split_scheme(url: &str) -> (String, &str) {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    match url.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(known) =>
        {
            (scheme.to_lowercase(), rest)
        }
        _ => (String::new(), url),
    }
}

/// A service that is a webhook.
pub(super) fn webhook_service(service: &Field<'_, '_>) {
    // The real server takes one for the other.
    for (told, read) in [("name", "namespace"), ("namespace", "name")] {
        if service.get(read).is_empty() {
            service.get(told).required("");
        }
    }
    let port = service.get("port");
    let number = port.number().unwrap_or(0);
    if !(1..=65535).contains(&number) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        port.invalid_as(&number.into(), why);
    }
    let path = service.get("path");
    let text = path.text();
    if text.is_empty() || text == "/" {
        return;
    }
    if text == "//" {
        path.invalid("segment[0] may not be empty");
        return;
    }
    if !text.starts_with('/') {
        path.invalid("must start with a '/'");
    }
    let mut steps = text.chars();
    steps.next();
    let steps = steps.as_str();
    let steps = steps.strip_suffix('/').unwrap_or(steps);
    for (index, step) in steps.split('/').enumerate() {
        if step.is_empty() {
            path.invalid(&format!("segment[{index}] may not be empty"));
            continue;
        }
        for problem in names::subdomain_problems(step) {
            path.invalid(&format!("segment[{index}]: {problem}"));
        }
    }
}

fn match_conditions(conditions: &Field<'_, '_>) {
    if conditions.list().len() > MAX_CONDITIONS {
        conditions.too_many(MAX_CONDITIONS);
    }
    let mut seen = Vec::new();
    for condition in conditions.items() {
        let (expression, name) = (condition.get("expression"), condition.get("name"));
        if expression.text().trim().is_empty() {
            expression.required("");
        }
        if name.require() {
            name.problems(names::qualified_name_problems);
            if seen.contains(&name.text()) {
                name.duplicate();
            }
            seen.push(name.text());
        }
    }
}

fn has(list: &Field<'_, '_>, wanted: &str) -> bool {
    list.list().iter().any(|item| item.as_str() == Some(wanted))
}

fn alone(list: &Field<'_, '_>, what: &str) {
    if list.list().len() > 1 && has(list, "*") {
        list.invalid(&format!("if '*' is present, must not specify other {what}"));
    }
}

fn operations_rule(rule: &Field<'_, '_>) {
    let operations = rule.get("operations");
    operations.require();
    alone(&operations, "operations");
    for operation in operations.items() {
        operation.one_of(&["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]);
    }
    let (groups, versions) = (rule.get("apiGroups"), rule.get("apiVersions"));
    groups.require();
    alone(&groups, "API groups");
    versions.require();
    alone(&versions, "API versions");
    for version in versions.items() {
        version.require();
    }
    resources(&rule.get("resources"));
    rule.get("scope")
        .optional_one_of(&["*", "Cluster", "Namespaced"]);
}

/// `resource`, `resource/subresource`, and `*` for either.
fn resources(resources: &Field<'_, '_>) {
    resources.require();
    let (mut all_of, mut all_with) = (Vec::new(), Vec::new());
    let mut plain = false;
    for entry in resources.items() {
        if !entry.require() {
            continue;
        }
        let text = entry.text();
        let Some((resource, sub)) = text.split_once('/') else {
            plain = text != "*";
            continue;
        };
        let clash = |present: &str| {
            entry.invalid(&format!(
                "if '{present}' is present, must not specify {text}"
            ));
        };
        if all_of.contains(&resource) {
            clash(&format!("{resource}/*"));
        }
        if all_with.contains(&sub) {
            clash(&format!("*/{sub}"));
        }
        if sub == "*" {
            all_of.push(resource);
        }
        if resource == "*" {
            all_with.push(sub);
        }
    }
    if resources.list().len() > 1 && has(resources, "*/*") {
        resources.invalid("if '*/*' is present, must not specify other resources");
    }
    if has(resources, "*") && plain {
        resources
            .invalid("if '*' is present, must not specify other resources without subresources");
    }
}

/// The rules of a `ValidatingAdmissionPolicy`.
pub(super) fn policy(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    required_one_of(&spec.get("failurePolicy"), &FAILURE);
    let kind = spec.get("paramKind");
    if kind.is_set() {
        param_kind(&kind);
    }
    let constraints = spec.get("matchConstraints");
    if constraints.is_set() {
        match_resources(&constraints);
        constraints.get("resourceRules").require();
    } else {
        constraints.required("");
    }
    match_conditions(&spec.get("matchConditions"));
    for entry in spec.get("variables").items() {
        variable(&entry);
    }
    let (validations, annotations) = (spec.get("validations"), spec.get("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        for list in [&validations, &annotations] {
            list.required("validations or auditAnnotations must contain at least one item");
        }
        return;
    }
    for entry in validations.items() {
        validation(&entry);
    }
    if annotations.list().len() > MAX_ANNOTATIONS {
        annotations.invalid(&format!(
            "must not have more than {MAX_ANNOTATIONS} auditAnnotations"
        ));
    }
    audit_annotations(&annotations, object.get("metadata.name").text());
}

fn audit_annotations(annotations: &Field<'_, '_>, policy: &str) {
    let mut seen = Vec::new();
    for annotation in annotations.items() {
        let (key, value) = (annotation.get("key"), annotation.get("valueExpression"));
        let whole = format!("{policy}/{}", key.text());
        for problem in names::qualified_name_problems(&whole) {
            key.invalid_as(&whole.as_str().into(), &problem);
        }
        let expression = value.text().trim();
        if expression.is_empty() {
            value.required("valueExpression is not specified");
        } else if expression.len() > MAX_ANNOTATION_EXPRESSION {
            value.required(&format!(
                "must not exceed {MAX_ANNOTATION_EXPRESSION} bytes in length"
            ));
        }
        if seen.contains(&key.text()) {
            key.duplicate();
        }
        seen.push(key.text());
    }
}

fn required_one_of(field: &Field<'_, '_>, known: &[&str]) {
    if field.is_set() {
        field.one_of(known);
    } else {
        field.required("");
    }
}

fn param_kind(kind: &Field<'_, '_>) {
    let (version, name) = (kind.get("apiVersion"), kind.get("kind"));
    if version.require() {
        let text = version.text();
        let (group, short) = text.split_once('/').unwrap_or(("", text));
        if text.matches('/').count() > 1 {
            version.invalid(&format!("unexpected GroupVersion string: {text}"));
        } else {
            let problems = names::subdomain_problems(group);
            if !group.is_empty() && !problems.is_empty() {
                version.invalid_as(&group.into(), &problems.join(","));
            }
            let problems = names::label_1035_problems(short);
            if short.is_empty() {
                version.invalid("version must be specified");
            } else if !problems.is_empty() {
                version.invalid_as(&short.into(), &problems.join(","));
            }
        }
    }
    if name.require() {
        let problems = names::label_1035_problems(&name.text().to_lowercase());
        if !problems.is_empty() {
            name.invalid(&format!(
                "may have mixed case, but should otherwise match: {}",
                problems.join(",")
            ));
        }
    }
}

fn match_resources(resources: &Field<'_, '_>) {
    required_one_of(&resources.get("matchPolicy"), &MATCH);
    for name in ["namespaceSelector", "objectSelector"] {
        let selector = resources.get(name);
        if selector.is_set() {
            selector::check(&selector);
        } else {
            selector.required("");
        }
    }
    for list in ["resourceRules", "excludeResourceRules"] {
        for rule in resources.get(list).items() {
            let mut seen = Vec::new();
            for name in rule.get("resourceNames").items() {
                name.problems(names::path_segment_problems);
                if seen.contains(&name.text()) {
                    name.duplicate();
                }
                seen.push(name.text());
            }
            operations_rule(&rule);
        }
    }
}

/// Words that no CEL identifier may be.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn variable(variable: &Field<'_, '_>) {
    let (name, expression) = (variable.get("name"), variable.get("expression"));
    let text = name.text();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.trim().is_empty() {
        name.required("name is not specified");
    } else if text.starts_with(|first: char| first.is_ascii_digit())
        || !text.bytes().all(known)
        || RESERVED.contains(&text)
    {
        name.invalid("must be a valid CEL identifier");
    }
    if expression.text().trim().is_empty() {
        expression.required("expression is not specified");
    }
}

fn validation(validation: &Field<'_, '_>) {
    let expression = validation.get("expression");
    if expression.text().trim().is_empty() {
        expression.required("expression is not specified");
    }
    let (message, computed) = (
        validation.get("message"),
        validation.get("messageExpression"),
    );
    for text in [&computed, &message] {
        if !text.is_empty() && text.text().trim().is_empty() {
            text.invalid("must be non-empty if specified");
        }
    }
    if message.text().trim().contains(['\n', '\r']) {
        message.invalid("must not contain line breaks");
    }
    validation
        .get("reason")
        .optional_one_of(&["Forbidden", "Invalid", "RequestEntityTooLarge"]);
}

/// The status of a `ValidatingAdmissionPolicy`.
pub(super) fn policy_status(object: &Field<'_, '_>) {
    let status = object.get("status");
    for warning in status.get("typeChecking.expressionWarnings").items() {
        warning.get("warning").require();
        let reference = warning.get("fieldRef");
        if reference.text().trim().is_empty() {
            reference.required("");
        }
    }
    conditions::check(&status.get("conditions"));
}

/// The rules of a `ValidatingAdmissionPolicyBinding`.
pub(super) fn policy_binding(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let name = spec.get("policyName");
    if name.require() {
        name.problems(names::subdomain_problems);
    }
    let parameters = spec.get("paramRef");
    if parameters.is_set() {
        param_ref(&parameters);
    }
    let resources = spec.get("matchResources");
    if resources.is_set() {
        match_resources(&resources);
    }
    let actions = spec.get("validationActions");
    let mut seen = Vec::new();
    for action in actions.items() {
        action.one_of(&["Audit", "Deny", "Warn"]);
        if seen.contains(&action.text()) {
            action.duplicate();
        }
        seen.push(action.text());
    }
    if has(&actions, "Deny") && has(&actions, "Warn") {
        actions.invalid(
            "must not contain both Deny and Warn (repeating the same validation failure \
             information in the API response and headers serves no purpose)",
        );
    }
    if actions.is_empty() {
        actions.required("at least one validation action is required");
    }
}

fn param_ref(reference: &Field<'_, '_>) {
    const ONE: &str = "name and selector are mutually exclusive";
    let (name, selector) = (reference.get("name"), reference.get("selector"));
    if !name.is_empty() {
        name.problems(names::path_segment_problems);
        if selector.is_set() {
            name.forbidden(ONE);
        }
    }
    if selector.is_set() {
        selector::check(&selector);
        if !name.is_empty() {
            selector.forbidden(ONE);
        }
    } else if name.is_empty() {
        reference.required("one of name or selector must be specified");
    }
    let action = reference.get("parameterNotFoundAction");
    if action.require() && !matches!(action.text(), "Allow" | "Deny") {
        action.not_supported_as(&Value::from(action.text()), &["Deny", "Allow"]);
    }
}
