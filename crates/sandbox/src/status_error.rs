//! What the server says when it refuses: the Status object, word for word.

use kinds::FieldError;
pub(crate) use kinds::quoted;
use yaml::{Map, Value};

/// A refusal: HTTP code, reason and message, and what is wrong in detail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    /// Empty where the real server gives none.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Box<Details>>,
    /// The whole Status, where somebody else wrote it.
    pub(crate) told: Option<Box<Value>>,
}

/// The `details` of a Status.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) uid: String,
    pub(crate) causes: Vec<Cause>,
    pub(crate) retry_after_seconds: i64,
}

/// One of the `causes` of a Status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

/// Group and plural or kind of what an error is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) group: &'a str,
    /// The plural for reading and writing, the kind for validation.
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
}

impl About<'_> {
    /// `kind` or `kind.group`.
    fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    fn details(&self) -> Details {
        Details {
            name: self.name.to_owned(),
            group: self.group.to_owned(),
            kind: self.kind.to_owned(),
            ..Details::default()
        }
    }
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        ApiError {
            code,
            reason,
            message: message.into(),
            details: None,
            told: None,
        }
    }

    /// A refusal in the words of somebody else.
    pub(crate) fn told(status: Value) -> Self {
        let code = status.get("code").and_then(Value::as_i64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let message = status.get("message").and_then(Value::as_str);
        let message = message.unwrap_or_default().to_owned();
        ApiError {
            told: Some(Box::new(status)),
            ..ApiError::new(code.unwrap_or(500), "", message)
        }
    }

    fn about(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// A 500 without a reason: how an error that is no Status comes out.
    pub(crate) fn unclassified(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(crate) fn internal(message: &str) -> Self {
        let message = format!("Internal error occurred: {message}");
        let cause = Cause {
            reason: "",
            message: message["Internal error occurred: ".len()..].to_owned(),
            field: String::new(),
        };
        Self::new(500, "InternalError", message).about(Details {
            causes: vec![cause],
            ..Details::default()
        })
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn not_found(about: About<'_>) -> Self {
        let message = format!("{} {} not found", about.qualified(), quoted(about.name));
        Self::new(404, "NotFound", message).about(about.details())
    }

    /// No such path in the API of a group that exists.
    pub(crate) fn no_resource() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .about(Details::default())
    }

    pub(crate) fn already_exists(about: About<'_>) -> Self {
        let message = format!(
            "{} {} already exists",
            about.qualified(),
            quoted(about.name)
        );
        Self::new(409, "AlreadyExists", message).about(about.details())
    }

    /// A 409 of an operation that found another object than expected.
    pub(crate) fn conflict(about: About<'_>, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: {why}",
            about.qualified(),
            quoted(about.name)
        );
        Self::new(409, "Conflict", message).about(about.details())
    }

    /// The object was changed by someone else.
    pub(crate) fn modified(about: About<'_>) -> Self {
        Self::conflict(
            about,
            "the object has been modified; please apply your changes to the latest version and \
             try again",
        )
    }

    pub(crate) fn forbidden(about: About<'_>, why: &str) -> Self {
        let message = if about.name.is_empty() {
            format!("{} is forbidden: {why}", about.qualified())
        } else {
            format!(
                "{} {} is forbidden: {why}",
                about.qualified(),
                quoted(about.name)
            )
        };
        Self::new(403, "Forbidden", message).about(about.details())
    }

    /// Adds a cause to the details.
    pub(crate) fn with_cause(mut self, cause: Cause) -> Self {
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// A 422 that lists fields; `about.kind` is the kind.
    pub(crate) fn invalid(about: About<'_>, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for error in errors {
            let text = error.text();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [] => "<nil>".to_owned(),
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = about.details();
        details.causes = errors
            .iter()
            .map(|error| Cause {
                reason: error.reason,
                message: error.message.clone(),
                field: error.field.clone(),
            })
            .collect();
        let message = format!(
            "{} {} is invalid: {list}",
            about.qualified(),
            quoted(about.name)
        );
        Self::new(422, "Invalid", message).about(details)
    }

    /// A 405 of a handler that knows the resource but not the verb.
    pub(crate) fn not_supported(about: About<'_>, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind {}",
            quoted(&about.qualified())
        );
        Self::new(405, "MethodNotAllowed", message).about(about.details())
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .about(Details::default())
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// What is asked for is being made.
    pub(crate) fn initializing(why: &str) -> Self {
        let message = format!("storage is (re)initializing: {why}");
        Self::new(429, "TooManyRequests", message).about(Details {
            retry_after_seconds: 1,
            ..Details::default()
        })
    }

    /// A resource version from the future.
    pub(crate) fn too_large_resource_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::new(504, "Timeout", message).about(Details {
            causes: vec![Cause {
                reason: "ResourceVersionTooLarge",
                message: "Too large resource version".to_owned(),
                field: String::new(),
            }],
            retry_after_seconds: 1,
            ..Details::default()
        })
    }

    pub(crate) fn unsupported_media_type(known: &[&str]) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 {}",
                known.join(", ")
            ),
        )
    }

    pub(crate) fn not_acceptable(known: &[&str]) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!(
                "only the following media types are accepted: {}",
                known.join(", ")
            ),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// The Status object.
    pub(crate) fn status(&self) -> Value {
        if let Some(told) = &self.told {
            return Value::clone(told);
        }
        let mut status = Map::from([
            ("apiVersion", "v1".into()),
            ("code", i64::from(self.code).into()),
            ("kind", "Status".into()),
            ("message", self.message.as_str().into()),
            ("metadata", Map::new().into()),
            ("status", "Failure".into()),
        ]);
        if !self.reason.is_empty() {
            status.insert("reason", self.reason);
        }
        if let Some(details) = &self.details {
            status.insert("details", details.value());
        }
        status.into()
    }
}

impl Details {
    fn value(&self) -> Value {
        let mut map = Map::new();
        let texts = [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ];
        for (key, text) in texts {
            if !text.is_empty() {
                map.insert(key, text.as_str());
            }
        }
        if !self.causes.is_empty() {
            let causes: Vec<Value> = self.causes.iter().map(Cause::value).collect();
            map.insert("causes", causes);
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds", self.retry_after_seconds);
        }
        map.into()
    }
}

impl Cause {
    fn value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [
            ("reason", self.reason),
            ("message", self.message.as_str()),
            ("field", self.field.as_str()),
        ] {
            if !text.is_empty() {
                map.insert(key, text);
            }
        }
        map.into()
    }
}

/// The Status of a success: a deletion, mostly.
pub(crate) fn success(code: Option<u16>, details: Option<Details>) -> Value {
    let mut status = Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Status".into()),
        ("metadata", Map::new().into()),
        ("status", "Success".into()),
    ]);
    if let Some(code) = code {
        status.insert("code", i64::from(code));
    }
    if let Some(details) = details {
        status.insert("details", details.value());
    }
    status.into()
}
