//! Patches: strategic merge and JSON patches, inline or in files, for one resource or a selection.
//!
//! Read [`Patch::load`] first.

use std::collections::BTreeMap;

use manifest::go::quote;
use manifest::patch::json_patch;
use yaml::node::Node;
use yaml::{Map, Value};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::loader::Folder;
use crate::merge::Merger;
use crate::resource::{Resource, parse};
use crate::resources::Resources;
use crate::selector::{Matcher, Selector};

/// An entry of `patches` or `patchesJson6902`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    path: String,
    patch: String,
    target: Option<Selector>,
    options: BTreeMap<String, bool>,
}

/// A patch that is ready to be applied.
pub(crate) enum LoadedPatch {
    /// Strategic merge patches, for their own targets or for a selection.
    Strategic {
        patches: Vec<Resource>,
        target: Option<Selector>,
        may_rename: bool,
        may_change_kind: bool,
        source: String,
    },
    /// A JSON patch, or one without operations.
    Json {
        operations: Value,
        target: Option<Selector>,
        source: String,
        /// Whether what a resource was called is noted before it is changed.
        notes_ids: bool,
    },
    /// Entries of `patchesStrategicMerge`.
    Own(Vec<Resource>),
}

impl Patch {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Patch {
            path: fields.string("path")?,
            patch: fields.string("patch")?.trim().to_owned(),
            target: fields.object("target", "Selector", crate::kustomization::selector)?,
            options: fields.flags("options")?,
        })
    }

    /// The configuration as YAML, for messages.
    pub(crate) fn shown(&self) -> String {
        let mut map = Map::new();
        let text = |map: &mut Map, name: &str, text: &str| {
            if !text.is_empty() {
                map.insert(name, text);
            }
        };
        text(&mut map, "path", &self.path);
        text(&mut map, "patch", &self.patch);
        if let Some(target) = &self.target {
            let mut selector = Map::new();
            let id = &target.id;
            text(&mut selector, "annotationSelector", &target.annotations);
            text(&mut selector, "labelSelector", &target.labels);
            text(&mut selector, "group", &id.gvk.group);
            text(&mut selector, "version", &id.gvk.version);
            text(&mut selector, "kind", &id.gvk.kind);
            text(&mut selector, "name", &id.name);
            text(&mut selector, "namespace", &id.namespace);
            map.insert("target", selector);
        }
        if !self.options.is_empty() {
            let options = self.options.iter();
            let options: Vec<_> = options.map(|(name, flag)| (name.as_str(), *flag)).collect();
            let mut shown = Map::new();
            for (name, flag) in options {
                shown.insert(name, flag);
            }
            map.insert("options", shown);
        }
        yaml::emit(&Value::Map(map))
    }

    /// Reads the patch of an entry of `patches`; `config` is its configuration as text.
    ///
    /// # Errors
    /// No patch or two, a file that cannot be read, a text that is neither kind of patch or both.
    pub(crate) fn load(&self, folder: &Folder<'_>, config: &str) -> Result<LoadedPatch> {
        let (text, source) = match (self.patch.as_str(), self.path.as_str()) {
            ("", "") => return fail(format!("must specify one of patch and path in\n{config}")),
            ("", path) => {
                let bytes = folder.read(path).map_err(|error| {
                    error.within(&format!("failed to get the patch file from path({path})"))
                })?;
                (bytes.to_vec(), format!("[path: {}]", quote(path)))
            }
            (patch, "") => (
                patch.as_bytes().to_vec(),
                format!("[patch: {}]", quote(patch)),
            ),
            _ => {
                return fail(format!(
                    "patch and path can't be set at the same time\n{config}"
                ));
            }
        };
        let strategic = parse(&text);
        let json = operations(&text);
        let is_json = json
            .as_ref()
            .is_ok_and(|list| list.as_list().is_some_and(|l| !l.is_empty()));
        let target = self.target.clone();
        match (strategic, json) {
            (Ok(patches), _) if is_json && !patches.is_empty() => fail(format!(
                "illegally qualifies as both an SM and JSON patch: {source}"
            )),
            (Err(_), Err(_)) => fail(format!("unable to parse SM or JSON patch from {source}")),
            (Ok(patches), _) if !patches.is_empty() => {
                let option = |name: &str| self.options.get(name).copied().unwrap_or_default();
                Ok(LoadedPatch::Strategic {
                    patches,
                    target,
                    may_rename: option("allowNameChange"),
                    may_change_kind: option("allowKindChange"),
                    source,
                })
            }
            (_, operations) => Ok(LoadedPatch::Json {
                operations: operations.unwrap_or(Value::Null),
                target,
                source,
                notes_ids: true,
            }),
        }
    }

    /// Reads an entry of `patchesJson6902`; `inline` are operations that stand in it.
    ///
    /// # Errors
    /// No target, no operations or two sources of them, and what is no JSON patch.
    pub(crate) fn load_json6902(&self, folder: &Folder<'_>) -> Result<LoadedPatch> {
        let name = self
            .target
            .as_ref()
            .map_or("", |target| target.id.name.as_str());
        let text = match (name, self.path.as_str(), self.patch.as_str()) {
            ("", ..) => return fail("must specify the target name"),
            (_, "", "") => return fail("empty file path and empty jsonOp"),
            (_, "", operations) => operations.as_bytes().to_vec(),
            (_, path, "") => {
                let bytes = folder.read(path)?.to_vec();
                if bytes.is_empty() {
                    return fail(format!("patch file '{path}' empty seems to be empty"));
                }
                bytes
            }
            _ => return fail("must specify a file path or jsonOp, not both"),
        };
        let operations = operations(&text)?;
        if operations.as_list().is_none_or(<[_]>::is_empty) {
            return fail(format!(
                "patch appears to be empty; file={}, JsonOp={}",
                self.path,
                String::from_utf8_lossy(&text)
            ));
        }
        Ok(LoadedPatch::Json {
            operations,
            target: self.target.clone(),
            source: String::from_utf8_lossy(&text).into_owned(),
            notes_ids: false,
        })
    }

    /// As an entry whose operations stand in `jsonOp`.
    pub(crate) fn with_json_op(mut self, operations: String) -> Self {
        self.patch = operations;
        self
    }
}

/// Reads the entries of `patchesStrategicMerge`: texts or paths.
///
/// # Errors
/// An entry that is neither a patch nor a file with patches.
pub(crate) fn load_own(paths: &[String], folder: &Folder<'_>) -> Result<Vec<Resource>> {
    let mut patches = Vec::new();
    for path in paths {
        let found = parse(path.as_bytes()).or_else(|_| {
            let bytes = folder.read(path)?;
            parse(&bytes).map_err(|error| crate::target::of_file(error, path))
        });
        patches.extend(found?);
    }
    Ok(patches)
}

/// The operations of a JSON patch, written as JSON or YAML.
fn operations(text: &[u8]) -> Result<Value> {
    let no_patch = || Error::Build("invalid JSON patch".to_owned());
    let value = match text.first() {
        None => return fail("empty json patch operations"),
        Some(b'[') => yaml::json::parse(text).map_err(|error| Error::Build(error.to_string()))?,
        Some(_) => yaml::parse_str(std::str::from_utf8(text).map_err(|_| no_patch())?)?,
    };
    let is_operation = |item: &Value| matches!(item, Value::Map(_) | Value::Null);
    match &value {
        Value::Null => Ok(value),
        Value::List(items) if items.iter().all(is_operation) => Ok(value),
        other => fail(format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            other.kind()
        )),
    }
}

impl LoadedPatch {
    /// Applies the patch.
    ///
    /// # Errors
    /// No resource is meant or several, and what the patch does not fit.
    pub(crate) fn apply(&self, resources: &mut Resources, merger: &Merger<'_>) -> Result<()> {
        match self {
            LoadedPatch::Strategic {
                patches,
                target,
                may_rename,
                may_change_kind,
                source,
            } => {
                let may = May {
                    rename: *may_rename,
                    change_kind: *may_change_kind,
                };
                match (target, patches.as_slice()) {
                    (Some(target), [patch]) => {
                        let matcher = Matcher::new(target).map_err(|error| {
                            error.within("unable to find patch target in `resources`")
                        })?;
                        let selected = resources.select(&matcher);
                        apply_to(resources, &selected, patch, may, merger)
                    }
                    (Some(_), _) => fail(format!(
                        "Multiple Strategic-Merge Patches in one `patches` entry is not allowed \
                         to set `patches.target` field: {source}"
                    )),
                    (None, patches) => patches.iter().try_for_each(|patch| {
                        let id = patch.original_id();
                        let at = resources.the_one(&id).map_err(|error| {
                            error.within(&format!(
                                "no resource matches strategic merge patch {}",
                                quote(&id.to_string())
                            ))
                        })?;
                        let forgets = forgets_notes(patch.node());
                        resources.change(at, |resource| {
                            if forgets {
                                resource.history = crate::resource::History::default();
                            }
                            merge(resource, patch.node().clone(), may, merger)
                        })
                    }),
                }
            }
            LoadedPatch::Own(patches) => patches.iter().try_for_each(|patch| {
                let at = resources.the_one(&patch.original_id())?;
                apply_to(resources, &[at], patch, May::default(), merger)
            }),
            LoadedPatch::Json {
                operations,
                target,
                source,
                notes_ids,
            } => {
                let Some(target) = target else {
                    return fail(format!("must specify a target for JSON patch {source}"));
                };
                for at in resources.select(&Matcher::new(target)?) {
                    resources.change(at, |resource| {
                        if *notes_ids {
                            resource.store_id();
                        }
                        apply_json(resource, operations)
                    })?;
                }
                Ok(())
            }
        }
    }
}

/// What a strategic merge patch may change beside all else.
#[derive(Clone, Copy, Default)]
struct May {
    rename: bool,
    change_kind: bool,
}

/// Applies a patch to a selection: it takes the version of each resource.
fn apply_to(
    resources: &mut Resources,
    selected: &[usize],
    patch: &Resource,
    may: May,
    merger: &Merger<'_>,
) -> Result<()> {
    let mut copy = patch.clone();
    for field in ["labels", "annotations"] {
        let texts = copy.texts(field);
        copy.set_texts(field, &texts)?;
    }
    let mut changed_ids = false;
    for at in selected {
        resources.change(*at, |resource| {
            let before = resource.id().clone();
            let mut node = copy.node().clone();
            let version = resource.id().gvk.api_version();
            crate::fields::set(
                &mut node,
                "apiVersion",
                crate::generate::text_node(&version),
            )?;
            merge(resource, node, may, merger)?;
            changed_ids |= before != *resource.id();
            Ok(())
        })?;
    }
    resources.drop_gone();
    if changed_ids {
        resources.check_ids()?;
    }
    Ok(())
}

/// Merges a patch into a resource, which keeps its name, namespace and kind.
fn merge(resource: &mut Resource, patch: Node, may: May, merger: &Merger<'_>) -> Result<()> {
    let id = resource.id().clone();
    if may.rename || may.change_kind {
        resource.store_id();
    }
    resource.change(|node, _| {
        let target = std::mem::replace(node, Node::null());
        *node = merger.merge(target, patch)?.unwrap_or_else(Node::null);
        Ok(())
    })?;
    if resource.is_gone() {
        return Ok(());
    }
    let now = resource.id().clone();
    if !may.change_kind && now.gvk.kind != id.gvk.kind {
        resource.set_kind(&id.gvk.kind)?;
    }
    if !may.rename && now.name != id.name {
        resource.set_name(&id.name)?;
    }
    if now.namespace != id.namespace {
        resource.set_namespace(&id.namespace)?;
    }
    Ok(())
}

/// Whether a patch takes annotations away, and with them what kustomize notes there.
fn forgets_notes(patch: &Node) -> bool {
    let resets = |node: &Node| {
        let directive = node.get("$patch").and_then(Node::text);
        let is_reset = directive.is_some_and(|text| *text == *"replace" || *text == *"delete");
        node.is_null() || is_reset
    };
    let meta = patch.get("metadata");
    let annotations = meta.and_then(|meta| meta.get("annotations"));
    resets(patch) || meta.is_some_and(resets) || annotations.is_some_and(resets)
}

/// Applies a JSON patch; numbers become floats on the way, as Go's decoder makes them.
fn apply_json(resource: &mut Resource, operations: &Value) -> Result<()> {
    let mut document = resource.to_value()?;
    if resource.has_notes()
        && let Some(Value::Map(meta)) = document.get_mut("metadata")
        && meta.get("annotations").is_none_or(Value::is_null)
    {
        meta.insert("annotations", Map::new());
    }
    let mut patched =
        json_patch(&document, operations).map_err(|error| Error::Build(error.to_string()))?;
    if !matches!(patched, Value::Map(_)) {
        return fail(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            patched.kind()
        ));
    }
    numbers_to_floats(&mut patched);
    resource.reset(Node::from_value(&patched));
    let annotations = resource.texts("annotations");
    resource.set_texts("annotations", &annotations)
}

#[allow(clippy::cast_precision_loss, reason = "Go's decoder loses it too")]
fn numbers_to_floats(value: &mut Value) {
    match value {
        Value::Int(number) => *value = Value::Float(*number as f64),
        Value::Uint(number) => *value = Value::Float(*number as f64),
        Value::List(items) => items.iter_mut().for_each(numbers_to_floats),
        Value::Map(map) => map
            .iter_mut()
            .for_each(|(_, value)| numbers_to_floats(value)),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::String(_) => {}
    }
}
