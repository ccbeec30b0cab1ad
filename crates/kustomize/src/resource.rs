//! One resource: its tree, who it is and was, and what the build notes about it.
//!
//! kustomize keeps these notes as annotations; here they are fields, and only annotations of the input
//! that look like such notes are read. Read [`Resource`] first.

use std::collections::BTreeMap;

use yaml::node::{Node, Scalar, Tag};
use yaml::{Str, Value};

use crate::error::{Error, Result, fail};
use crate::fields;
use crate::generate::Behavior;
use crate::identity::{Gvk, Id, split_version};

/// The domain of the annotations that kustomize keeps notes in.
const INTERNAL: &str = "internal.config.kubernetes.io/";

/// Annotations that never reach the output.
const BUILD_ANNOTATIONS: [&str; 18] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// What a resource was called before a change.
#[derive(Clone, Debug, PartialEq)]
struct Former {
    name: Str,
    namespace: Str,
    kind: Str,
}

/// What the build notes about a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    former: Vec<Former>,
    pub(crate) prefixes: Vec<Str>,
    pub(crate) suffixes: Vec<Str>,
    pub(crate) behavior: Behavior,
    pub(crate) needs_hash: bool,
    /// Whether a generator made it.
    pub(crate) is_generated: bool,
}

/// A resource on its way through the kustomizations.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    node: Node,
    id: Id,
    pub(crate) history: History,
    /// The vars that take their value from this.
    pub(crate) vars: Vec<String>,
    /// The scalars that stand at several places, by their number less one.
    cells: Vec<Scalar>,
}

impl Resource {
    pub(crate) fn new(node: Node) -> Self {
        let mut resource = Resource {
            id: id_of(&node),
            node,
            history: History::default(),
            vars: Vec::new(),
            cells: Vec::new(),
        };
        resource.read_notes();
        resource
    }

    fn read_notes(&mut self) {
        let annotations = self
            .node
            .get("metadata")
            .and_then(|meta| meta.get("annotations"));
        let Some(Node::Map(entries)) = annotations else {
            return;
        };
        let mut notes: BTreeMap<&str, Str> = BTreeMap::new();
        for (key, value) in entries {
            if let (Some(name), Some(text)) = (key.text.strip_prefix(INTERNAL), value.text()) {
                notes.insert(name, text.clone());
            }
        }
        let parts = |name: &str| -> Vec<Str> {
            let text = notes.get(name).map(Str::as_str);
            text.into_iter()
                .flat_map(|text| text.split(','))
                .map(Str::from)
                .collect()
        };
        let (names, namespaces) = (parts("previousNames"), parts("previousNamespaces"));
        let kinds = parts("previousKinds");
        let former = names.into_iter().zip(namespaces).zip(kinds);
        let former = former.map(|((name, namespace), kind)| Former {
            name,
            namespace,
            kind,
        });
        let is_enabled = |name: &str| notes.get(name).is_some_and(|text| *text == *"enabled");
        self.history = History {
            former: former.collect(),
            prefixes: parts("prefixes"),
            suffixes: parts("suffixes"),
            behavior: notes
                .get("generatorBehavior")
                .map_or(Behavior::Unspecified, |text| Behavior::named(text)),
            needs_hash: is_enabled("needsHashSuffix"),
            is_generated: notes.contains_key("generatorBehavior"),
        };
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Changes the tree; who it is is read again, and scalars that stand at several places follow.
    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Node, &Id) -> Result<T>,
    ) -> Result<T> {
        let result = change(&mut self.node, &self.id);
        self.follow_cells();
        self.refresh_id();
        result
    }

    /// Reads again who it is; most changes leave that as it was.
    fn refresh_id(&mut self) {
        let text = |name: &str| {
            self.node
                .get(name)
                .and_then(Node::text)
                .map_or("", Str::as_str)
        };
        let (group, version) = split_version(text("apiVersion"));
        let gvk = &self.id.gvk;
        if gvk.kind != *text("kind") || gvk.version != *version || gvk.group != *group {
            self.id = id_of(&self.node);
            return;
        }
        let meta = self.node.get("metadata");
        let of_meta = |name: &str| meta.map(|meta| fields::text(meta, name));
        self.id.name = of_meta("name").unwrap_or_default();
        self.id.namespace = of_meta("namespace").unwrap_or_default();
    }

    /// Changes the tree by one scalar that is put at several places: go-yaml's nodes are pointers, and
    /// kustomize puts one node at each, so that a later change of one is a change of all.
    pub(crate) fn put(
        &mut self,
        text: &str,
        change: impl FnOnce(&mut Node, &Id, &Scalar) -> Result<()>,
    ) -> Result<()> {
        let mut scalar = Scalar::string(text);
        self.cells.push(scalar.clone());
        scalar.cell = u32::try_from(self.cells.len()).unwrap_or_default();
        self.change(|node, id| change(node, id, &scalar))
    }

    /// Gives the resource a new tree, which shares nothing.
    pub(crate) fn reset(&mut self, node: Node) {
        self.node = node;
        self.cells.clear();
        self.id = id_of(&self.node);
    }

    fn follow_cells(&mut self) {
        if self.cells.is_empty() {
            return;
        }
        let cells = &mut self.cells;
        let mut changed: Vec<(usize, Scalar)> = Vec::new();
        visit_cells(&mut self.node, &mut |at, scalar| {
            if cells.get(at).is_some_and(|known| known.text != scalar.text) {
                changed.push((at, scalar.clone()));
            }
        });
        if changed.is_empty() {
            return;
        }
        for (at, scalar) in changed {
            cells[at] = scalar;
        }
        visit_cells(&mut self.node, &mut |at, scalar| {
            if let Some(known) = cells.get(at) {
                let cell = scalar.cell;
                scalar.clone_from(known);
                scalar.cell = cell;
            }
        });
    }

    /// Whether kustomize would keep notes in its annotations, so that there are some.
    pub(crate) fn has_notes(&self) -> bool {
        let history = &self.history;
        history.is_generated || !(history.former.is_empty() && history.prefixes.is_empty())
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.node.is_empty()
    }

    /// Who it is now.
    pub(crate) fn id(&self) -> &Id {
        &self.id
    }

    /// Who it was before, the oldest first.
    pub(crate) fn former_ids(&self) -> impl Iterator<Item = Id> + '_ {
        self.history.former.iter().map(|former| Id {
            gvk: Gvk {
                kind: former.kind.clone(),
                ..self.id.gvk.clone()
            },
            name: former.name.clone(),
            namespace: former.namespace.clone(),
            is_cluster_scoped: false,
        })
    }

    /// The names that it had before.
    pub(crate) fn former_names(&self) -> impl Iterator<Item = &Str> {
        self.history.former.iter().map(|former| &former.name)
    }

    /// Who it was at first.
    pub(crate) fn original_id(&self) -> Id {
        let first = self.former_ids().next();
        first.unwrap_or_else(|| self.id.clone())
    }

    /// Whether one of its ids fits, former ones first.
    pub(crate) fn any_id(&self, fits: impl Fn(&Id) -> bool) -> bool {
        self.former_ids().any(|id| fits(&id)) || fits(&self.id)
    }

    /// Notes who it is, before that changes.
    pub(crate) fn store_id(&mut self) {
        if !self.id.name.is_empty() {
            self.history.former.push(Former {
                name: self.id.name.clone(),
                namespace: self.id.effective_namespace().into(),
                kind: self.id.gvk.kind.clone(),
            });
        }
    }

    /// Sets `metadata.name`.
    pub(crate) fn set_name(&mut self, name: &str) -> Result<()> {
        self.set_meta("name", name)
    }

    fn set_meta(&mut self, field: &str, text: &str) -> Result<()> {
        self.change(|node, _| match fields::map_in(node, "metadata") {
            Some(meta) => fields::set(meta, field, Node::Scalar(Scalar::unset(text))),
            None => Ok(()),
        })
    }

    /// Sets or takes away `metadata.namespace`.
    pub(crate) fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        if namespace.is_empty() {
            return self.change(|node, _| match node.get_mut("metadata") {
                Some(meta) => fields::clear(meta, "namespace"),
                None => Ok(()),
            });
        }
        self.set_meta("namespace", namespace)
    }

    /// Sets the kind.
    pub(crate) fn set_kind(&mut self, kind: &str) -> Result<()> {
        self.change(|node, _| fields::set(node, "kind", Node::Scalar(Scalar::unset(kind))))
    }

    /// `metadata.labels` or `metadata.annotations` as texts.
    pub(crate) fn texts(&self, field: &str) -> BTreeMap<String, String> {
        let map = self.node.get("metadata").and_then(|meta| meta.get(field));
        let Some(Node::Map(entries)) = map else {
            return BTreeMap::new();
        };
        let text = |node: &Node| node.text().map(Str::to_string).unwrap_or_default();
        let entries = entries.iter();
        entries
            .map(|(key, value)| (key.text.to_string(), text(value)))
            .collect()
    }

    /// Sets `metadata.labels` or `metadata.annotations`; nothing takes the field away.
    pub(crate) fn set_texts(
        &mut self,
        field: &str,
        texts: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.change(|node, _| {
            let Some(meta) = fields::map_in(node, "metadata") else {
                return Ok(());
            };
            fields::clear(meta, field)?;
            if texts.is_empty() {
                return Ok(());
            }
            let entry = |(key, text): (&String, &String)| {
                (Scalar::unset(key.as_str()), Node::string(text.as_str()))
            };
            let entries = texts.iter().map(entry).collect();
            fields::set(meta, field, Node::Map(entries))
        })
    }

    /// `data` or `binaryData` as texts.
    pub(crate) fn data(&self, field: &str) -> BTreeMap<String, String> {
        let Some(Node::Map(entries)) = self.node.get(field) else {
            return BTreeMap::new();
        };
        let text = |node: &Node| match node {
            Node::Scalar(scalar) if !scalar.is_null() => scalar.text.to_string(),
            _ => String::new(),
        };
        let entries = entries.iter();
        entries
            .map(|(key, value)| (key.text.to_string(), text(value)))
            .collect()
    }

    /// Takes names, labels and annotations of the resource that this one replaces.
    pub(crate) fn take_over(&mut self, old: &Resource) -> Result<()> {
        for field in ["labels", "annotations"] {
            let mut texts = old.texts(field);
            texts.extend(self.texts(field));
            self.set_texts(field, &texts)?;
        }
        self.set_name(&old.id.name)?;
        self.set_namespace(&old.id.namespace)?;
        let needs_hash = self.history.needs_hash && old.history.needs_hash;
        self.history = old.history.clone();
        self.history.needs_hash = needs_hash;
        self.vars.clone_from(&old.vars);
        Ok(())
    }

    /// Adds the data of the resource that this one is merged into; its own data stays.
    pub(crate) fn merge_data(&mut self, old: &Resource) -> Result<()> {
        for field in ["data", "binaryData"] {
            let mut texts = old.data(field);
            texts.extend(self.data(field));
            self.change(|node, _| {
                fields::clear(node, field)?;
                for (key, text) in &texts {
                    crate::generate::put_text(node, field, key, text)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes the notes away that annotations of the input may hold, and those of the build unless they
    /// are asked for; all annotations become texts.
    pub(crate) fn finish(&mut self, keep_origin: bool, keep_transformations: bool) -> Result<()> {
        let mut annotations = self.texts("annotations");
        let had_any = !annotations.is_empty();
        for name in BUILD_ANNOTATIONS {
            annotations.remove(name);
        }
        if !keep_origin {
            annotations.remove(crate::origin::ORIGIN);
        }
        if !keep_transformations {
            annotations.remove(crate::origin::TRANSFORMATIONS);
        }
        if had_any || !keep_origin || !keep_transformations {
            self.set_texts("annotations", &annotations)?;
        }
        Ok(())
    }

    /// The object, as Go's decoders and encoders pass it on.
    pub(crate) fn to_value(&self) -> Result<Value> {
        self.node.to_value().map_err(|error| match &error.cause {
            yaml::Cause::DuplicateKey(key) => Error::Build(format!(
                "yaml: unmarshal errors: mapping key {} already defined",
                manifest::go::quote(key)
            )),
            yaml::Cause::UnsupportedKey(_) => {
                Error::Build("json: unsupported type: map[interface {}]interface {}".to_owned())
            }
            _ => error.into(),
        })
    }

    /// JSON, for messages.
    pub(crate) fn to_json(&self) -> String {
        self.to_value().map_or_else(
            |error| format!("<{error}>"),
            |value| yaml::json::to_string_html_escaped(&value),
        )
    }

    /// The object with the notes as annotations, for messages.
    pub(crate) fn with_notes(&self) -> Value {
        let mut shown = self.clone();
        let mut annotations = shown.texts("annotations");
        let join = |texts: &mut dyn Iterator<Item = &Str>| {
            texts.map(Str::as_str).collect::<Vec<_>>().join(",")
        };
        let former = &self.history.former;
        let mut names = former.iter().map(|one| &one.name);
        let mut kinds = former.iter().map(|one| &one.kind);
        let mut namespaces = former.iter().map(|one| &one.namespace);
        let notes = [
            ("prefixes", join(&mut self.history.prefixes.iter())),
            ("suffixes", join(&mut self.history.suffixes.iter())),
            ("previousNames", join(&mut names)),
            ("previousKinds", join(&mut kinds)),
            ("previousNamespaces", join(&mut namespaces)),
        ];
        for (name, text) in notes.into_iter().filter(|(_, text)| !text.is_empty()) {
            annotations.insert(format!("{INTERNAL}{name}"), text);
        }
        // What cannot be shown is left out.
        let _ = shown.set_texts("annotations", &annotations);
        shown.to_value().unwrap_or_default()
    }
}

/// Visits the scalars that stand at several places, with the places of their cells.
fn visit_cells(node: &mut Node, visit: &mut dyn FnMut(usize, &mut Scalar)) {
    match node {
        Node::Scalar(scalar) if scalar.cell > 0 => visit(scalar.cell as usize - 1, scalar),
        Node::Scalar(_) => {}
        Node::List(items) => items.iter_mut().for_each(|item| visit_cells(item, visit)),
        Node::Map(entries) => {
            for (_, value) in entries {
                visit_cells(value, visit);
            }
        }
    }
}

/// Who a tree says that it is.
pub(crate) fn id_of(node: &Node) -> Id {
    let text = |name: &str| node.get(name).and_then(Node::text).map_or("", Str::as_str);
    let gvk = Gvk::new(text("apiVersion"), text("kind"));
    let meta = node.get("metadata");
    let of_meta = |name: &str| {
        meta.map(|meta| fields::text(meta, name))
            .unwrap_or_default()
    };
    Id {
        is_cluster_scoped: gvk.is_cluster_scoped(),
        gvk,
        name: of_meta("name"),
        namespace: of_meta("namespace"),
    }
}

/// The resources of a file.
///
/// # Errors
/// Text that is no YAML, and documents that are no resources.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Resource>> {
    let mut queue: std::collections::VecDeque<Node> = nodes(bytes)?.into();
    let mut resources = Vec::new();
    while let Some(node) = queue.pop_front() {
        let kind = fields::text(&node, "kind");
        let items = node.get("items");
        let Some(items) = items.filter(|_| kind.ends_with("List")) else {
            resources.push(Resource::new(node));
            continue;
        };
        match items {
            Node::List(items) => {
                for item in items {
                    let item = item.to_value().map_err(|error| {
                        crate::error::Error::Build(format!(
                            "trouble expanding list of {kind}; {}",
                            error.go_text()
                        ))
                    })?;
                    let item = Node::from_value(&item);
                    if !item.is_empty() {
                        check_meta(&item)?;
                        queue.push_back(item);
                    }
                }
            }
            items if items.is_null() => {}
            items => {
                let found = match items {
                    Node::Map(_) => "map[string]interface {}",
                    _ => "string",
                };
                return fail(format!("expected array in {kind}/items, but found {found}"));
            }
        }
    }
    Ok(resources)
}

fn nodes(bytes: &[u8]) -> Result<Vec<Node>> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return fail("MalformedYAMLError: yaml: invalid leading UTF-8 octet");
    };
    let replaced;
    let text = if text.contains("\r\n") {
        replaced = text.replace("\r\n", "\n");
        &replaced
    } else {
        text
    };
    let pieces = yaml::node::split_documents(text).map_err(|error| match error.cause {
        yaml::Cause::BadSeparator(shown) => {
            crate::error::Error::Build(format!("invalid document separator: {shown}"))
        }
        _ => error.into(),
    })?;
    let mut nodes = Vec::new();
    for piece in &pieces {
        let found = yaml::node::first_document(piece)
            .map_err(|error| crate::error::Error::from(error).within("MalformedYAMLError"))?;
        let Some(node) = found.filter(|node| !node.is_null()) else {
            continue;
        };
        let kind = fields::text(&node, "kind");
        let is_list = pieces.len() == 1 && (*kind == *"List" || *kind == *"ResourceList");
        match node {
            Node::Map(entries) if is_list && has_items(&entries) => {
                let items = entries.into_iter().find(|(key, _)| key.text == *"items");
                if let Some((_, Node::List(items))) = items {
                    nodes.extend(items);
                }
            }
            node => nodes.push(node),
        }
    }
    nodes.retain(|node| !node.is_empty());
    nodes.iter().try_for_each(check_meta)?;
    Ok(nodes)
}

fn has_items(entries: &[(Scalar, Node)]) -> bool {
    let mut keys = entries.iter().map(|(key, _)| key.text.as_str());
    keys.any(|key| key == "items" || key == "functionConfig")
}

/// Refuses what has no kind or no name.
pub(crate) fn check_meta(node: &Node) -> Result<()> {
    let text = |node: &Node, name: &str| match node.get(name) {
        Some(found) if !found.is_empty() => found.text().map(Str::to_string).unwrap_or_default(),
        _ => String::new(),
    };
    let is_there = |name: &str| node.get(name).is_some_and(|found| !found.is_empty());
    if !["apiVersion", "kind", "metadata"].into_iter().any(is_there) {
        return fail("missing Resource metadata");
    }
    let empty = Node::null();
    let meta = node.get("metadata").unwrap_or(&empty);
    let (kind, name) = (text(node, "kind"), text(meta, "name"));
    let missing = match (kind.as_str(), name.as_str()) {
        ("", _) => "kind",
        (kind, "") if !kind.ends_with("List") => "metadata.name",
        _ => return Ok(()),
    };
    let shown = |field: &str| match meta.get(field).map(Node::to_value) {
        Some(Ok(value @ Value::Map(_))) => manifest::go::display(&value),
        _ => "map[]".to_owned(),
    };
    fail(format!(
        "missing {missing} in object {{{{{} {kind}}} {{{{{name} {}}} {} {}}}}}",
        text(node, "apiVersion"),
        text(meta, "namespace"),
        shown("labels"),
        shown("annotations"),
    ))
}

/// The tag of text that a transformer sets.
pub(crate) const TEXT: Tag = Tag::Str;
