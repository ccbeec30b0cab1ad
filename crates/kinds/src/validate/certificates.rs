//! Requests for certificates.

use base64::Engine;
use yaml::Value;

use super::field::Field;
use crate::names;

const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// A certificate lives at least so many seconds.
const MIN_SECONDS: i64 = 600;
const MAX_SIGNER: usize = 571;

/// The rules of a `CertificateSigningRequest`.
pub(super) fn request(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let request = spec.get("request");
    if !is_request(request.text()) {
        request.invalid("PEM block type must be CERTIFICATE REQUEST");
    }
    let usages = spec.get("usages");
    usages.require();
    for usage in usages.items() {
        usage.one_of(&USAGES);
    }
    let mut seen = Vec::new();
    for usage in usages.items() {
        if seen.contains(&usage.text()) {
            usage.duplicate();
        }
        seen.push(usage.text());
    }
    let signer = spec.get("signerName");
    if signer.text() == "kubernetes.io/legacy-unknown" {
        signer.invalid("the legacy signerName is not allowed via this API version");
    } else {
        signer_name(&signer);
    }
    let seconds = spec.get("expirationSeconds");
    if seconds.number().is_some_and(|number| number < MIN_SECONDS) {
        seconds.invalid("may not specify a duration less than 600 seconds (10 minutes)");
    }
    conditions(&object.get("status.conditions"));
    if object.is_update() {
        kept_conditions(object);
    }
}

/// Whether base64 text holds a PEM block that is a request.
fn is_request(text: &str) -> bool {
    let bytes = base64::prelude::BASE64_STANDARD
        .decode(text)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .any(|line| line.trim_end() == "-----BEGIN CERTIFICATE REQUEST-----")
}

/// `example.com/name` of who signs.
fn signer_name(signer: &Field<'_, '_>) {
    if !signer.require() {
        return;
    }
    let parts: Vec<&str> = signer.text().split('/').collect();
    let [domain, path] = parts[..] else {
        signer.invalid(
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
        return;
    };
    if domain.len() > 253 {
        signer.too_long(253);
    }
    first_problem(signer, domain, names::label_problems);
    if !domain.contains('.') {
        signer.invalid_as(
            &domain.into(),
            "should be a domain with at least two segments separated by dots",
        );
    }
    first_problem(signer, path, names::subdomain_problems);
    if signer.text().len() > MAX_SIGNER {
        signer.too_long(MAX_SIGNER);
    }
}

/// Tells what is wrong with the first wrong label.
fn first_problem(signer: &Field<'_, '_>, text: &str, rule: fn(&str) -> Vec<String>) {
    let wrong = text
        .split('.')
        .map(|label| (label, rule(label)))
        .find(|(_, problems)| !problems.is_empty());
    if let Some((label, problems)) = wrong {
        for problem in problems {
            signer.invalid_as(
                &text.into(),
                &format!("validating label {label:?}: {problem}"),
            );
        }
    }
}

fn conditions(conditions: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for condition in conditions.items() {
        let (kind, status) = (condition.get("type"), condition.get("status"));
        kind.require();
        let known: &[&str] = match kind.text() {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        status.require_one_of(known);
        let opposite = match kind.text() {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if !opposite.is_empty() && seen.contains(&opposite) {
            conditions.invalid_as(
                &kind.text().into(),
                "Approved and Denied conditions are mutually exclusive",
            );
        }
        if seen.contains(&kind.text()) {
            kind.duplicate();
        }
        seen.push(kind.text());
    }
}

/// What was decided stays decided.
fn kept_conditions(object: &Field<'_, '_>) {
    let conditions = object.get("status.conditions");
    let count = |list: Option<&Value>, kind: &str| {
        let list = list.and_then(Value::as_list).unwrap_or_default();
        let has = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some(kind);
        list.iter().filter(has).count()
    };
    for kind in ["Approved", "Denied", "Failed"] {
        if count(conditions.value(), kind) < count(conditions.old(), kind) {
            conditions.forbidden(&format!(
                "updates may not remove a condition of type {kind:?}"
            ));
        }
    }
}

/// The status of a `CertificateSigningRequest`: it is not approved by this path.
pub(super) fn status(object: &Field<'_, '_>) {
    request(object);
    let conditions = object.get("status.conditions");
    let count = |list: &[Value], kind: &str| {
        let has = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some(kind);
        list.iter().filter(has).count()
    };
    let old = conditions
        .old()
        .and_then(Value::as_list)
        .unwrap_or_default();
    for kind in ["Approved", "Denied"] {
        if count(conditions.list(), kind) > count(old, kind) {
            conditions.forbidden(&format!("updates may not add a condition of type {kind:?}"));
        }
    }
}
