//! What client-go says about an answer that is no success: the words of a failed review.

use yaml::{Value, json};

/// What client-go says about an answer that is no success.
///
/// `media` is the type of its body.
#[must_use]
pub fn refusal(status: u16, media: &str, body: &[u8]) -> String {
    let told = json::parse(body).unwrap_or_default();
    if told.get("kind").and_then(Value::as_str) == Some("Status")
        && let Some(message) = told.get("message").and_then(Value::as_str)
    {
        return message.to_owned();
    }
    let text = if media.starts_with("text/") {
        String::from_utf8_lossy(body).trim().to_owned()
    } else {
        "unknown".to_owned()
    };
    let fixed = match status {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 406 | 415 => return text,
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be \
             processing the request"
        }
        500.. => {
            let text = kinds::quoted(&text);
            return format!(
                "an error on the server ({text}) has prevented the request from succeeding"
            );
        }
        _ => {
            return format!(
                "the server responded with the status code {status} but did not return more \
                 information"
            );
        }
    };
    fixed.to_owned()
}
