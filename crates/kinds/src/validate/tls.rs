//! Pairs of certificate and key in Secrets: what Go's TLS library says of their PEM blocks.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::field::Field;

const CERTIFICATE: &str = "CERTIFICATE";
const KEY: &str = "PRIVATE KEY";

/// The warning about the pair of a Secret that says it has one.
pub(super) fn warnings(object: &Field<'_, '_>) -> Vec<String> {
    if object.get("type").text() != "kubernetes.io/tls" {
        return Vec::new();
    }
    let data = object.get("data");
    let text = |name: &str| {
        let bytes = BASE64_STANDARD.decode(data.key(name).text());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let problem =
        certificate(&block_types(&text("tls.crt"))).or_else(|| key(&block_types(&text("tls.key"))));
    problem
        .map(|problem| format!("tls: {problem}"))
        .into_iter()
        .collect()
}

/// The types of the PEM blocks of a text.
fn block_types(text: &str) -> Vec<&str> {
    let mut types = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        rest = after;
        let Some((kind, body)) = after.split_once("-----") else {
            break;
        };
        let end = format!("-----END {kind}-----");
        let Some((body, after)) = body.split_once(end.as_str()) else {
            continue;
        };
        let body: String = body.split_whitespace().collect();
        if BASE64_STANDARD.decode(body).is_ok() {
            types.push(kind);
            rest = after;
        }
    }
    types
}

fn certificate(types: &[&str]) -> Option<String> {
    if types.contains(&CERTIFICATE) {
        return None;
    }
    Some(match types {
        [] => "failed to find any PEM data in certificate input".to_owned(),
        [one] if one.ends_with(KEY) => "failed to find certificate PEM data in certificate input, \
                                        but did find a private key; PEM inputs may have been \
                                        switched"
            .to_owned(),
        skipped => format!(
            "failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM \
             blocks of the following types: [{}]",
            skipped.join(" ")
        ),
    })
}

fn key(types: &[&str]) -> Option<String> {
    if types.iter().any(|kind| kind.ends_with(KEY)) {
        return None;
    }
    Some(match types {
        [] => "failed to find any PEM data in key input".to_owned(),
        [CERTIFICATE] => {
            "found a certificate rather than a key in the PEM for the private key".to_owned()
        }
        skipped => format!(
            "failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after \
             skipping PEM blocks of the following types: [{}]",
            skipped.join(" ")
        ),
    })
}
