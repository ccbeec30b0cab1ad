//! Which lists a strategic merge patch merges, and by which keys.
//!
//! Read [`Schemas`] first. kustomize's built-in data is that of Kubernetes v1.21, in a table of ours; a
//! kustomization can bring OpenAPI definitions of its own.

use std::collections::HashMap;
use std::sync::LazyLock;

use yaml::Value;

/// The built-in data.
const TABLE: &str = include_str!("../../data/merge.txt");

/// References of definitions to each other are followed so far.
const MAX_REFERENCES: usize = 64;

/// The known kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schemas {
    types: HashMap<&'static str, HashMap<&'static str, &'static str>>,
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    custom: Option<Value>,
    custom_kinds: HashMap<(String, String), String>,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Schema<'a> {
    /// A struct of the table.
    Struct(&'a str),
    /// A map of structs of the table.
    MapOf(&'a str),
    /// A merged list of the table: the type of its items, and the keys.
    List(&'a str, &'a str),
    /// A definition of the kustomization's own.
    Custom(&'a Value),
}

impl Schemas {
    /// The built-in data, read once for all builds.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Schemas> = LazyLock::new(Schemas::read_builtin);
        &BUILTIN
    }

    fn read_builtin() -> Self {
        let mut schemas = Schemas::default();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let (what, first) = (words.next(), words.next().unwrap_or_default());
            if what == Some("kind") {
                let kind = words.next().unwrap_or_default();
                let name = words.next().unwrap_or_default();
                schemas.kinds.insert((first, kind), name);
            } else {
                let fields = words.filter_map(|word| word.split_once('=')).collect();
                schemas.types.insert(first, fields);
            }
        }
        schemas
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        Schemas::default()
    }

    /// Adds the definitions of an OpenAPI document; they count before what was known.
    pub(crate) fn add(&mut self, document: Value) {
        const KINDS: &str = "x-kubernetes-group-version-kind";
        let definitions = document.get("definitions").and_then(Value::as_map);
        for (name, definition) in definitions.into_iter().flat_map(yaml::Map::iter) {
            let kinds = definition.get(KINDS).and_then(Value::as_list);
            for kind in kinds.into_iter().flatten() {
                let text = |part: &str| {
                    let text = kind.get(part).and_then(Value::as_str);
                    text.unwrap_or_default().to_owned()
                };
                let version = match text("group").as_str() {
                    "" => text("version"),
                    group => format!("{group}/{}", text("version")),
                };
                self.custom_kinds
                    .insert((version, text("kind")), name.to_string());
            }
        }
        self.custom = Some(document);
    }

    /// What is known of a kind.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<Schema<'_>> {
        let custom = self
            .custom_kinds
            .get(&(api_version.to_owned(), kind.to_owned()));
        if let (Some(name), Some(document)) = (custom, &self.custom) {
            return Some(Schema::Custom(document.at(&["definitions", name])?));
        }
        self.kinds
            .get(&(api_version, kind))
            .map(|name| Schema::Struct(name))
    }

    /// What is known of a member.
    pub(crate) fn member<'a>(&'a self, schema: Schema<'a>, name: &str) -> Option<Schema<'a>> {
        match schema {
            Schema::MapOf(of) => Some(Schema::Struct(of)),
            Schema::List(..) => None,
            Schema::Struct(of) => {
                let field = *self.types.get(of)?.get(name)?;
                if let Some(list) = field.strip_prefix('[') {
                    let (items, keys) = list.split_once(']')?;
                    return Some(Schema::List(items, keys));
                }
                let map = field
                    .strip_prefix('{')
                    .and_then(|map| map.strip_suffix('}'));
                Some(map.map_or(Schema::Struct(field), Schema::MapOf))
            }
            Schema::Custom(of) => {
                let declared = of.get("properties").and_then(|map| map.get(name));
                let other = || {
                    of.get("additionalProperties")
                        .filter(|of| of.as_map().is_some())
                };
                self.resolve(declared.or_else(other)?)
            }
        }
    }

    fn resolve<'a>(&'a self, mut of: &'a Value) -> Option<Schema<'a>> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = of.get("$ref").and_then(Value::as_str) else {
                return Some(Schema::Custom(of));
            };
            let name = reference.strip_prefix("#/definitions/")?;
            if let Some(found) = self.custom.as_ref()?.at(&["definitions", name]) {
                of = found;
            } else {
                let short = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis."]
                    .iter()
                    .find_map(|prefix| name.strip_prefix(prefix))?;
                return self
                    .types
                    .get_key_value(short)
                    .map(|(name, _)| Schema::Struct(name));
            }
        }
        None
    }

    /// What is known of the items of a list.
    pub(crate) fn items<'a>(&'a self, schema: Schema<'a>) -> Option<Schema<'a>> {
        match schema {
            Schema::List("", _) | Schema::Struct(_) | Schema::MapOf(_) => None,
            Schema::List(of, _) => Some(Schema::Struct(of)),
            Schema::Custom(of) => self.resolve(of.get("items")?),
        }
    }
}

impl Schema<'_> {
    /// The keys by which a list is merged, none when by value; `None` when it is replaced.
    pub(crate) fn merge_keys(&self) -> Option<Vec<String>> {
        match self {
            Schema::List(_, "") => Some(Vec::new()),
            Schema::List(_, keys) => Some(keys.split(',').map(str::to_owned).collect()),
            Schema::Struct(_) | Schema::MapOf(_) => None,
            Schema::Custom(of) => {
                let strategy = of.get("x-kubernetes-patch-strategy")?.as_str()?;
                if !strategy.split(',').any(|one| one == "merge") {
                    return None;
                }
                let list = of
                    .get("x-kubernetes-list-map-keys")
                    .and_then(Value::as_list);
                let keys = match list {
                    Some(keys) => keys.iter().filter_map(Value::as_str).collect(),
                    None => {
                        let key = of.get("x-kubernetes-patch-merge-key");
                        key.and_then(Value::as_str).into_iter().collect::<Vec<_>>()
                    }
                };
                Some(keys.into_iter().map(str::to_owned).collect())
            }
        }
    }
}
