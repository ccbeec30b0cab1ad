//! `spec.conversion`: how objects of one version become those of another.

use kinds::{FieldError, names};
use yaml::Value;

use super::{dns_1035, list, one_of, text};

const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// What is wrong with `spec.conversion`.
pub(super) fn check(definition: &Value, errors: &mut Vec<FieldError>) {
    let Some(conversion) = definition.at(&["spec", "conversion"]) else {
        return;
    };
    let strategy = text(conversion, &["strategy"]);
    one_of(
        "spec.conversion.strategy",
        strategy,
        &["None", "Webhook"],
        errors,
    );
    let client = conversion.at(&["webhook", "clientConfig"]);
    let client = client.filter(|client| !client.is_null());
    let reviews = list(conversion, &["webhook", "conversionReviewVersions"]);
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.push(FieldError::forbidden(
                "spec.conversion.webhookClientConfig",
                why,
            ));
        }
        if !reviews.is_empty() {
            errors.push(FieldError::forbidden(
                "spec.conversion.conversionReviewVersions",
                why,
            ));
        }
        return;
    }
    let at = "spec.conversion.webhookClientConfig";
    match client {
        None => errors.push(FieldError::required(
            at,
            "required when strategy is set to Webhook",
        )),
        Some(client) => match (client.get("url"), client.get("service")) {
            (Some(url), None) => url_problems(url, &format!("{at}.url"), errors),
            (None, Some(service)) => service_problems(service, &format!("{at}.service"), errors),
            _ => errors.push(FieldError::required(
                at,
                "exactly one of url or service is required",
            )),
        },
    }
    review_versions(reviews, errors);
}

fn review_versions(versions: &[Value], errors: &mut Vec<FieldError>) {
    let at = "spec.conversion.conversionReviewVersions";
    if versions.is_empty() {
        errors.push(FieldError::required(at, ""));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let name = version.as_str().unwrap_or_default();
        let field = format!("{at}[{index}]");
        if seen.contains(&name) {
            errors.push(FieldError::invalid(field, version, "duplicate version"));
            continue;
        }
        seen.push(name);
        dns_1035(name, &field, errors);
    }
    if !seen.iter().any(|name| REVIEWS.contains(name)) {
        let why = format!("must include at least one of {}", REVIEWS.join(", "));
        let shown: Value = versions.to_vec().into();
        errors.push(FieldError::invalid(at, &shown, &why));
    }
}

fn url_problems(url: &Value, field: &str, errors: &mut Vec<FieldError>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let url = url.as_str().unwrap_or_default();
    let mut refuse = |part: &str, why: String| {
        errors.push(FieldError::invalid(field, &part.into(), &why));
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme != "https" {
        refuse(
            scheme,
            format!("'https' is the only allowed URL scheme{FORM}"),
        );
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = if scheme.is_empty() {
        ""
    } else {
        rest.split('/').next().unwrap_or_default()
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() {
        refuse(host, format!("host must be specified{FORM}"));
    }
    for (part, why) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !part.is_empty() {
            refuse(part, why.to_owned());
        }
    }
}

fn service_problems(service: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for key in ["name", "namespace"] {
        if text(service, &[key]).is_empty() {
            errors.push(FieldError::required(format!("{at}.{key}"), ""));
        }
    }
    let port = service.get("port").and_then(Value::as_i64).unwrap_or(443);
    if !(1..=65535).contains(&port) {
        errors.push(FieldError::invalid(
            format!("{at}.port"),
            &port.into(),
            "port is not valid: must be between 1 and 65535, inclusive",
        ));
    }
    let path = text(service, &["path"]);
    let mut refuse = |why: &str| {
        errors.push(FieldError::invalid(format!("{at}.path"), &path.into(), why));
    };
    if matches!(path, "" | "/") {
        return;
    }
    if path == "//" {
        return refuse("segment[0] may not be empty");
    }
    if !path.starts_with('/') {
        refuse("must start with a '/'");
    }
    let inner: String = path.chars().skip(1).collect();
    let inner = inner.strip_suffix('/').unwrap_or(&inner);
    for (index, step) in inner.split('/').enumerate() {
        if step.is_empty() {
            refuse(&format!("segment[{index}] may not be empty"));
            continue;
        }
        for problem in names::subdomain_problems(step) {
            refuse(&format!("segment[{index}]: {problem}"));
        }
    }
}
