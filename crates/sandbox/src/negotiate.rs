//! Which form of an answer a client accepts.
//!
//! A real server looks twice: its router compares bare media types with those of the route, then
//! its negotiation reads the parameters. Both ways of refusing have words of their own.

use crate::status_error::{ApiError, Details};

/// The shape in which objects are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As they are.
    Object,
    /// Their metadata only.
    Partial,
    /// A list of metadata: for lists only.
    PartialList,
    /// Rows of a table.
    Table,
}

/// The text in which an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
    Protobuf,
}

/// Whose objects are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    BuiltIn,
    Custom,
    /// What is made to be answered and never kept: no table shows it.
    Answered,
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) media: Media,
    pub(crate) shape: Shape,
    /// The `apiVersion` of tables and of metadata on its own.
    pub(crate) meta_version: &'static str,
    /// Indented for people.
    pub(crate) pretty: bool,
}

/// The media types that are produced.
pub(crate) const PRODUCED: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
/// The media types of watches.
pub(crate) const STREAMED: [&str; 2] = [
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];

/// Why nothing can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The media type itself is unknown.
    Media,
    /// The media type is known, what it is asked to hold is not.
    Parameters,
}

/// One clause of an `Accept` header.
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let mut quality = 1.0;
        let mut parameters = Vec::new();
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            if key == "q" {
                quality = value.parse().unwrap_or(1.0);
            } else {
                parameters.push((key, value));
            }
        }
        Clause {
            media,
            parameters,
            quality,
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.parameters.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value)
    }

    /// How exact the type is: wildcards come after names.
    fn wildness(&self) -> u8 {
        match self.media.split_once('/') {
            Some(("*", _)) => 2,
            Some((_, "*")) => 1,
            _ => 0,
        }
    }

    /// What this clause gives; `None` when nothing.
    fn form(&self, kinds: Kinds) -> Option<Form> {
        let media = match self.media {
            "application/json" | "*/*" | "application/*" => Media::Json,
            "application/yaml" => Media::Yaml,
            "application/vnd.kubernetes.protobuf" => Media::Protobuf,
            _ => return None,
        };
        let streams = match self.get("stream") {
            None | Some("") => true,
            Some(stream) => stream == "watch" && media != Media::Yaml,
        };
        let shape = self.shape(media)?;
        // Custom objects have no message, their metadata has.
        let writable = match kinds {
            Kinds::BuiltIn => true,
            Kinds::Custom => media != Media::Protobuf || shape != Shape::Object,
            Kinds::Answered => shape != Shape::Table,
        };
        Some(Form {
            media,
            shape,
            meta_version: match self.get("v") {
                Some("v1beta1") => "meta.k8s.io/v1beta1",
                _ => "meta.k8s.io/v1",
            },
            pretty: self.get("pretty") == Some("1"),
        })
        .filter(|_| streams && writable)
    }

    fn shape(&self, media: Media) -> Option<Shape> {
        let (kind, group, version) = (self.get("as"), self.get("g"), self.get("v"));
        if kind.is_none() && group.is_none() && version.is_none() {
            return Some(Shape::Object);
        }
        let known = group == Some("meta.k8s.io") && matches!(version, Some("v1" | "v1beta1"));
        match kind.filter(|_| known)? {
            "Table" if media != Media::Protobuf => Some(Shape::Table),
            "PartialObjectMetadata" => Some(Shape::Partial),
            "PartialObjectMetadataList" => Some(Shape::PartialList),
            _ => None,
        }
    }
}

impl Form {
    /// Objects as JSON: what a client gets that asks for nothing.
    pub(crate) const PLAIN: Form = Form {
        media: Media::Json,
        shape: Shape::Object,
        meta_version: "meta.k8s.io/v1",
        pretty: false,
    };

    /// Reads an `Accept` header; the clause of the highest quality that can be served wins.
    ///
    /// # Errors
    /// [`Refusal`] when none can be.
    pub(crate) fn accept(header: &str, kinds: Kinds) -> Result<Self, Refusal> {
        if header.is_empty() {
            return Ok(Self::PLAIN);
        }
        let mut clauses: Vec<Clause<'_>> = header.split(',').map(Clause::parse).collect();
        let routed =
            |clause: &Clause<'_>| clause.media == "*/*" || PRODUCED.contains(&clause.media);
        if !clauses.iter().any(routed) {
            return Err(Refusal::Media);
        }
        clauses.sort_by(|a, b| {
            let by_quality = b.quality.total_cmp(&a.quality);
            by_quality.then(a.wildness().cmp(&b.wildness()))
        });
        let found = clauses.iter().find_map(|clause| clause.form(kinds));
        found.ok_or(Refusal::Parameters)
    }

    /// The text of a refusal and of what is no object.
    pub(crate) fn media_of(header: &str) -> Media {
        Self::accept(header, Kinds::BuiltIn).map_or(Media::Json, |form| form.media)
    }
}

impl Refusal {
    /// The Status; a collection also names the stream types.
    pub(crate) fn error(self, produced: &[&str]) -> ApiError {
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

    fn check(accept: &str, want: Result<(Media, Shape), Refusal>) {
        let got = Form::accept(accept, Kinds::BuiltIn).map(|form| (form.media, form.shape));
        assert_eq!(got, want, "{accept}");
    }

    #[test]
    fn the_best_clause_that_can_be_served_wins() {
        check("", Ok((Media::Json, Shape::Object)));
        check("text/html, */*;q=0.1", Ok((Media::Json, Shape::Object)));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Ok((Media::Json, Shape::Table)),
        );
        check("application/yaml", Ok((Media::Yaml, Shape::Object)));
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Ok((Media::Protobuf, Shape::Object)),
        );
        check(
            "application/vnd.kubernetes.protobuf;q=0.1,application/json;q=0.9",
            Ok((Media::Json, Shape::Object)),
        );
        check(
            "*/*,application/vnd.kubernetes.protobuf",
            Ok((Media::Protobuf, Shape::Object)),
        );
    }

    #[test]
    fn tables_have_the_version_that_is_asked_for_and_show_only_what_is_kept() {
        let table = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
        let form = |kinds| Form::accept(table, kinds);
        let version = form(Kinds::BuiltIn).map(|form| form.meta_version);
        assert_eq!(version, Ok("meta.k8s.io/v1beta1"));
        assert_eq!(form(Kinds::Answered), Err(Refusal::Parameters));
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        check("application/json;as=Nothing", Err(Refusal::Parameters));
        check(
            "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
            Err(Refusal::Parameters),
        );
        check("image/png", Err(Refusal::Media));
        check("application/*", Err(Refusal::Media));
    }
}
