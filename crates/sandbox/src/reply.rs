//! What a request is answered with, before it becomes an HTTP response.

use bytes::Bytes;
use yaml::Value;

use crate::list_text::ListText;
use crate::negotiate::Media;
use crate::status_error::ApiError;
use crate::verbs::log::LogPlan;
use crate::watch::WatchPlan;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content: Content,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Vec<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The text that was negotiated for the resource, where that differs from what the header says.
    pub(crate) media: Option<Media>,
    /// Must be on disk before the answer is sent; 0 for reads.
    pub(crate) revision: u64,
}

/// The body of an answer.
pub(crate) enum Content {
    /// JSON text of an object.
    Json(Bytes),
    /// A list of objects, not yet put together.
    List(ListText),
    /// Something with its own media type.
    Typed(&'static str, Bytes),
    /// A stream of events.
    Watch(Box<WatchPlan>),
    /// A log that goes on.
    Log(Box<LogPlan>),
}

impl Reply {
    pub(crate) fn json(status: u16, json: impl Into<Bytes>) -> Self {
        Reply {
            status,
            content: Content::Json(json.into()),
            warnings: Vec::new(),
            headers: Vec::new(),
            media: None,
            revision: 0,
        }
    }

    pub(crate) fn list(list: ListText) -> Self {
        Reply {
            content: Content::List(list),
            ..Reply::json(200, Bytes::new())
        }
    }

    pub(crate) fn value(status: u16, value: &Value) -> Self {
        Reply::json(status, crate::codec::to_bytes(value))
    }

    pub(crate) fn typed(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Reply {
            content: Content::Typed(media_type, body.into()),
            ..Reply::json(status, Bytes::new())
        }
    }

    pub(crate) fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Reply::typed(status, "text/plain; charset=utf-8", text)
    }

    /// The answer to a path where nothing is.
    pub(crate) fn page_not_found() -> Self {
        Reply::text(404, "404 page not found\n")
    }

    pub(crate) fn watch(plan: WatchPlan) -> Self {
        Reply {
            content: Content::Watch(Box::new(plan)),
            ..Reply::json(200, Bytes::new())
        }
    }

    pub(crate) fn log(plan: LogPlan) -> Self {
        Reply {
            content: Content::Log(Box::new(plan)),
            ..Reply::json(200, Bytes::new())
        }
    }

    /// This answer, sent when `revision` is on disk.
    pub(crate) fn after(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    /// Puts warnings before those that the reply has: what is told last came first.
    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.splice(..0, warnings);
        self
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        let mut reply = Reply::value(error.code, &error.status());
        if let Some(details) = &error.details
            && details.retry_after_seconds > 0
        {
            let seconds = details.retry_after_seconds.to_string();
            reply.headers.push(("retry-after", seconds));
        }
        reply
    }
}
