//! Changes to the kustomization that a build begins with, as `kustomize edit` makes them in its file.
//!
//! Read [`Edit`] first. Nothing is written: the kustomization is changed after it was read. This
//! module must never know who wants the changes.

use std::collections::BTreeMap;

use yaml::Value;

use crate::decode::Fields;
use crate::error::{Result, fail};
use crate::kustomization::{FILE_NAMES, Image, Kustomization, Label, Replica};
use crate::loader::Folder;
use crate::patch::Patch;
use crate::transform::split_image;

/// One change, in the order and with the meaning of `kustomize edit` v5.7.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// `set nameprefix`.
    NamePrefix(String),
    /// `set namesuffix`.
    NameSuffix(String),
    /// `set image`: arguments such as `name=new:tag@digest`; `*` keeps what the file says.
    Images(Vec<String>),
    /// `set replicas`: counts by name.
    Replicas(Vec<(String, i64)>),
    /// `add label`.
    Labels {
        /// The labels.
        labels: BTreeMap<String, String>,
        /// What of the file gives way.
        existing: Existing,
        /// Where the labels go.
        reach: LabelReach,
    },
    /// `add annotation`.
    Annotations {
        /// The annotations.
        annotations: BTreeMap<String, String>,
        /// What of the file gives way.
        existing: Existing,
    },
    /// `set namespace`.
    Namespace(String),
    /// Patches behind those of the file, each as an entry of `patches`; no command adds these.
    Patches(Vec<Value>),
    /// `add buildmetadata`.
    BuildMetadata(Vec<String>),
    /// `add component`: paths and URLs, those that the file has already left out.
    Components(Vec<String>),
}

/// What happens to labels and annotations that the file has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They are an error.
    #[default]
    Refused,
    /// They are replaced (`--force`).
    Replaced,
}

/// Where labels go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelReach {
    /// Selectors and templates too.
    #[default]
    Selectors,
    /// `metadata.labels` only (`--without-selector`).
    Metadata,
    /// Templates too, and no selectors (`--without-selector --include-templates`).
    Templates,
    /// `--include-templates` alone, which is refused.
    TemplatesAlone,
}

/// What a new name, tag or digest is that keeps the one of the file.
const KEEP: &str = "*";

/// What `kustomize edit` says of a folder in which there is not exactly one kustomization.
pub(crate) fn check_file(folder: &Folder<'_>) -> Result<()> {
    let mut found = Vec::new();
    for name in FILE_NAMES {
        if folder.has_file(name)? {
            found.push(name);
        }
    }
    match found.as_slice() {
        [_] => Ok(()),
        [] => fail(format!("Missing kustomization file '{}'.\n", FILE_NAMES[0])),
        several => fail(format!(
            "Found multiple kustomization file: [{}]\n",
            several.join(" ")
        )),
    }
}

impl Edit {
    /// Makes the change.
    ///
    /// # Errors
    /// What `kustomize edit` says of arguments that it does not take, and of a label or annotation
    /// that is there.
    pub(crate) fn apply(&self, kustomization: &mut Kustomization) -> Result<()> {
        match self {
            Edit::NamePrefix(prefix) => kustomization.name_prefix.clone_from(prefix),
            Edit::NameSuffix(suffix) => kustomization.name_suffix.clone_from(suffix),
            Edit::Namespace(namespace) => kustomization.namespace.clone_from(namespace),
            Edit::Images(arguments) => {
                let images = std::mem::take(&mut kustomization.images);
                kustomization.images = with_images(images, arguments)?;
            }
            Edit::Replicas(counts) => {
                let replicas = std::mem::take(&mut kustomization.replicas);
                kustomization.replicas = with_replicas(replicas, counts)?;
            }
            Edit::Labels {
                labels,
                existing,
                reach,
            } => add_labels(kustomization, labels, *existing, *reach)?,
            Edit::Annotations {
                annotations,
                existing,
            } => {
                let own = &mut kustomization.common_annotations;
                add_texts(own, annotations, "annotation", *existing)?;
            }
            Edit::Patches(patches) => {
                for value in patches {
                    let fields = Fields::json(value, "Patch")?;
                    kustomization.patches.push(Patch::read(&fields)?);
                    fields.finish()?;
                }
            }
            Edit::BuildMetadata(names) => {
                kustomization.build_metadata.extend(names.iter().cloned());
            }
            Edit::Components(paths) => {
                for path in paths {
                    if !kustomization.components.contains(path) {
                        kustomization.components.push(path.clone());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Images by name: of those of the file the first of each name, unless an argument has that name.
fn with_images(existing: Vec<Image>, arguments: &[String]) -> Result<Vec<Image>> {
    let mut images: BTreeMap<String, Image> = BTreeMap::new();
    for argument in arguments {
        let image = image(argument)?;
        images.insert(image.name.clone(), image);
    }
    for own in existing {
        match images.get_mut(&own.name) {
            Some(image) => keep(image, &own),
            None => {
                images.insert(own.name.clone(), own);
            }
        }
    }
    let none = Image::default();
    Ok(images
        .into_values()
        .map(|mut image| {
            keep(&mut image, &none);
            image
        })
        .collect())
}

/// Takes from `own` what `image` keeps.
fn keep(image: &mut Image, own: &Image) {
    for (part, other) in [
        (&mut image.new_name, &own.new_name),
        (&mut image.new_tag, &own.new_tag),
        (&mut image.digest, &own.digest),
    ] {
        if part == KEEP {
            part.clone_from(other);
            image.tag_suffix.clear();
        }
    }
}

/// `[name=]new[:tag][@digest]`.
fn image(argument: &str) -> Result<Image> {
    let (key, value) = argument.split_once('=').unwrap_or(("", argument));
    let (name, tag, digest) = split_image(value);
    if name == argument {
        return fail(
            "invalid format of image, use one of the following options:\n\
             - <image>=<newimage>:<newtag>\n- <image>=<newimage>@<digest>\n\
             - <image>=<newimage>:<newtag>@<digest>\n- <image>=<newimage>\n- <image>:<newtag>\n\
             - <image>:<newtag>@<digest>\n- <image>@<digest>",
        );
    }
    let (name, new_name) = match key {
        "" => (name, ""),
        key => (key, name),
    };
    Ok(Image {
        name: name.to_owned(),
        new_name: new_name.to_owned(),
        new_tag: tag.to_owned(),
        digest: digest.to_owned(),
        tag_suffix: String::new(),
    })
}

fn with_replicas(existing: Vec<Replica>, counts: &[(String, i64)]) -> Result<Vec<Replica>> {
    let mut replicas: BTreeMap<String, Replica> = BTreeMap::new();
    for (name, count) in counts {
        if name.contains('=') {
            return fail("invalid format of replica, use the following format: <name>=<count>");
        }
        let replica = Replica {
            name: name.clone(),
            count: *count,
        };
        replicas.insert(name.clone(), replica);
    }
    for own in existing {
        replicas.entry(own.name.clone()).or_insert(own);
    }
    Ok(replicas.into_values().collect())
}

fn add_labels(
    kustomization: &mut Kustomization,
    labels: &BTreeMap<String, String>,
    existing: Existing,
    reach: LabelReach,
) -> Result<()> {
    let include_templates = match reach {
        LabelReach::Selectors => {
            let own = kustomization.common_labels.get_or_insert_default();
            return add_texts(own, labels, "label", existing);
        }
        LabelReach::TemplatesAlone => {
            return fail(
                "--without-selector flag must be specified for --include-templates to work",
            );
        }
        LabelReach::Metadata => false,
        LabelReach::Templates => true,
    };
    let is_same = |it: &Label| !it.include_selectors && it.include_templates == include_templates;
    let all = &mut kustomization.labels;
    if !all.iter().any(is_same) {
        all.push(Label {
            include_templates,
            ..Label::default()
        });
    }
    match all.iter_mut().find(|it| is_same(it)) {
        Some(label) => add_texts(&mut label.pairs, labels, "label", existing),
        None => Ok(()),
    }
}

/// Adds what a command line says as `key:value`: quotes around a value are the shell's.
fn add_texts(
    own: &mut BTreeMap<String, String>,
    texts: &BTreeMap<String, String>,
    kind: &str,
    existing: Existing,
) -> Result<()> {
    for (name, value) in texts {
        let argument = format!("{name}:{value}");
        let (name, value) = argument.split_once(':').unwrap_or((&argument, ""));
        if name.is_empty() {
            return fail(format!(
                "invalid {kind}: '{argument}' (need k:v pair where v may be quoted)"
            ));
        }
        if existing == Existing::Refused && own.contains_key(name) {
            return fail(format!(
                "{kind} {name} already in kustomization file. Use --force to override."
            ));
        }
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        own.insert(name.to_owned(), bare.unwrap_or(value).to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    /// What a kustomization says after an edit, or the error.
    fn check(text: &str, edit: &Edit, show: impl Fn(&Kustomization) -> String, want: &str) {
        let mut kustomization = Kustomization::parse(text, "/").unwrap();
        let got = match edit.apply(&mut kustomization) {
            Ok(()) => show(&kustomization),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{edit:?}");
    }

    #[test]
    fn images_are_set_in_all_spellings_and_sorted_by_name() {
        let text = "images: [{name: b, newTag: '1', newName: own}, {name: c, newTag: '3'}]";
        let shown = |it: &Kustomization| {
            let parts = it
                .images
                .iter()
                .map(|it| format!("{}={}:{}@{}", it.name, it.new_name, it.new_tag, it.digest));
            parts.collect::<Vec<_>>().join(" ")
        };
        let check = |argument: &str, want: &str| {
            check(text, &Edit::Images(vec![argument.to_owned()]), shown, want);
        };
        check("a:2", "a=:2@ b=own:1@ c=:3@");
        check("b:2", "b=:2@ c=:3@");
        check("b=*:2", "b=own:2@ c=:3@");
        check("b=m:*", "b=m:1@ c=:3@");
        check("z=*:2", "b=own:1@ c=:3@ z=:2@");
        check("b=host:5/m", "b=host:5/m:@ c=:3@");
        check("b=m:4@sha256:0", "b=m:4@sha256:0 c=:3@");
        check("host:5/b@sha256:0", "b=own:1@ c=:3@ host:5/b=:@sha256:0");
        check("plain", &image("plain").unwrap_err().to_string());
    }

    #[test]
    fn labels_and_annotations_that_are_there_need_force() {
        let text = "commonLabels: {a: '1'}\ncommonAnnotations: {a: '1'}";
        let labels = |existing| Edit::Labels {
            labels: texts(&[("a", "2"), ("b", "\"3\"")]),
            existing,
            reach: LabelReach::Selectors,
        };
        let shown = |it: &Kustomization| format!("{:?}", it.common_labels);
        check(
            text,
            &labels(Existing::Refused),
            shown,
            "label a already in kustomization file. Use --force to override.",
        );
        let want = r#"Some({"a": "2", "b": "3"})"#;
        check(text, &labels(Existing::Replaced), shown, want);
        let annotations = Edit::Annotations {
            annotations: texts(&[("a", "2")]),
            existing: Existing::Refused,
        };
        check(
            text,
            &annotations,
            |_| String::new(),
            "annotation a already in kustomization file. Use --force to override.",
        );
    }

    #[test]
    fn labels_without_selectors_go_to_the_first_entry_of_their_kind() {
        let text = "labels: [{pairs: {a: '1'}, includeSelectors: true}, {pairs: {b: '1'}}]";
        let add = |key: &str, reach| Edit::Labels {
            labels: texts(&[(key, "2")]),
            existing: Existing::Refused,
            reach,
        };
        let shown = |it: &Kustomization| {
            let pairs = it.labels.iter().map(|it| format!("{:?}", it.pairs));
            pairs.collect::<Vec<_>>().join(" ")
        };
        let both = r#"{"a": "1"} {"a": "2", "b": "1"}"#;
        check(text, &add("a", LabelReach::Metadata), shown, both);
        let three = r#"{"a": "1"} {"b": "1"} {"b": "2"}"#;
        check(text, &add("b", LabelReach::Templates), shown, three);
        check(
            text,
            &add("b", LabelReach::Metadata),
            shown,
            "label b already in kustomization file. Use --force to override.",
        );
        check(
            text,
            &add("b", LabelReach::TemplatesAlone),
            shown,
            "--without-selector flag must be specified for --include-templates to work",
        );
    }
}
