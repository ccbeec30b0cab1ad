//! Which form of an answer a client accepts.

use crate::status_error::{ApiError, Details};

/// The shape in which objects are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As they are.
    Object,
    /// Their metadata only.
    Partial,
    /// Rows of a table.
    Table,
}

/// The text in which an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) media: Media,
    pub(crate) shape: Shape,
    /// Indented for people.
    pub(crate) pretty: bool,
}

/// The media types that are produced; protobuf is named because a real server has it.
pub(crate) const PRODUCED: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// What the one who asks can be answered with, as the real server says it in its two ways.
pub(crate) enum Refusal {
    /// The media type itself is unknown.
    Media,
    /// The media type is known, what it is asked to hold is not.
    Parameters,
}

impl Form {
    /// Reads an `Accept` header; the first clause that can be served wins.
    ///
    /// # Errors
    /// [`Refusal`] when none can be.
    pub(crate) fn accept(header: &str) -> Result<Self, Refusal> {
        let plain = Form {
            media: Media::Json,
            shape: Shape::Object,
            pretty: false,
        };
        if header.trim().is_empty() {
            return Ok(plain);
        }
        let mut refusal = Refusal::Media;
        for clause in header.split(',') {
            let mut parts = clause.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default() {
                "application/json" | "*/*" | "application/*" => Media::Json,
                "application/yaml" => Media::Yaml,
                "application/vnd.kubernetes.protobuf" => {
                    refusal = Refusal::Parameters;
                    continue;
                }
                _ => continue,
            };
            let parameters: Vec<(&str, &str)> =
                parts.filter_map(|part| part.split_once('=')).collect();
            let get = |name: &str| {
                parameters
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| *value)
            };
            let known = get("g").is_none_or(|group| group == "meta.k8s.io")
                && get("v").is_none_or(|version| version == "v1" || version == "v1beta1");
            let shape = match get("as") {
                None => Some(Shape::Object),
                Some("Table") if known => Some(Shape::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if known => {
                    Some(Shape::Partial)
                }
                Some(_) => None,
            };
            match shape {
                Some(shape) => {
                    return Ok(Form {
                        media,
                        shape,
                        pretty: get("pretty") == Some("1"),
                    });
                }
                None => refusal = Refusal::Parameters,
            }
        }
        Err(refusal)
    }
}

impl Refusal {
    /// The Status; a collection also names the stream types.
    pub(crate) fn error(&self, produced: &[&str]) -> ApiError {
        match self {
            Refusal::Parameters => ApiError::not_acceptable(&PRODUCED),
            Refusal::Media => ApiError {
                details: Some(Box::new(Details::default())),
                ..ApiError::new(
                    406,
                    "NotAcceptable",
                    format!(
                        "406: Not Acceptable\n\nAvailable representations: {}",
                        produced.join(", ")
                    ),
                )
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, want: Option<(Media, Shape)>) {
        let got = Form::accept(accept)
            .ok()
            .map(|form| (form.media, form.shape));
        assert_eq!(got, want, "{accept}");
    }

    #[test]
    fn the_first_clause_that_can_be_served_wins() {
        check("", Some((Media::Json, Shape::Object)));
        check("text/html, */*;q=0.1", Some((Media::Json, Shape::Object)));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some((Media::Json, Shape::Table)),
        );
        check("application/json;as=Nothing", None);
        check("application/yaml", Some((Media::Yaml, Shape::Object)));
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Some((Media::Json, Shape::Object)),
        );
        check("image/png", None);
    }
}
