//! What the fields of each kind are: types, merge rules, defaults and scope.
//!
//! Read [`SchemaSet`] and [`Type`] first. The table of the built-in kinds is generated from the
//! OpenAPI documents of kube-apiserver v1.35 by `cargo xtask codegen` (`data/schema.txt`); the schema
//! of a custom resource is built at run time from its `openAPIV3Schema` by [`SchemaSet::custom`].
//! Both end in the same types, so patches, merges and field ownership know only these.
//!
//! This module knows shapes. It must never know values, and does not validate them.

mod openapi;
mod table;
mod undeclared;

use std::collections::HashMap;
use std::sync::Arc;

use yaml::{Str, Value};

use crate::Gvk;

/// Why a schema cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A line of the table of built-in kinds is malformed.
    #[error("schema table line {line}: {reason}")]
    Table {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A custom resource's schema is malformed.
    #[error("openAPIV3Schema{path}: {reason}")]
    OpenApi {
        /// The path in the schema, such as `.spec.items`.
        path: String,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// The place of a type in its [`SchemaSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);

/// The shape of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// One value without parts.
    Scalar(Scalar),
    /// A struct, a map, or both.
    Map(MapType),
    /// A list.
    List(ListType),
    /// Nothing is known: maps merge member by member, lists and all else are one value.
    Any,
    /// Nothing is known, and the whole is one value (`RawExtension`).
    Opaque,
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A whole number of unknown size.
    Integer,
    /// Any number.
    Number,
    /// Base64 text.
    Bytes,
    /// RFC 3339 time in whole seconds.
    Time,
    /// RFC 3339 time with microseconds.
    MicroTime,
    /// A [`crate::quantity::Quantity`].
    Quantity,
    /// A number or text.
    IntOrString,
    /// Any value without parts.
    Untyped,
}

/// A struct (`fields`), a map (`element`), or a struct that takes more members (both).
#[derive(Clone, Debug, PartialEq)]
pub struct MapType {
    /// The Go name of the struct for messages, such as `PodSpec`; empty when it has none.
    pub name: Str,
    /// The declared members, sorted by name.
    pub fields: Vec<Field>,
    /// The type of all other members; `None` when there may be none.
    pub element: Option<TypeId>,
    /// Whether the whole is one value when it is merged or owned.
    pub atomic: bool,
}

/// A declared member of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The member's name.
    pub name: Str,
    /// Its type.
    pub ty: TypeId,
    /// Whether it must be present.
    pub required: bool,
    /// The default that the OpenAPI document declares.
    pub default: Option<Value>,
    /// What the Go type writes when nothing was given.
    pub presence: Presence,
    /// How strategic merge patches treat it.
    pub patch: PatchRule,
}

/// How a member of a Go struct is written; OpenAPI documents do not tell all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// A pointer that may be absent: what was given stays, zero values too.
    #[default]
    Pointer,
    /// A pointer that is written as `null` when it is absent.
    Null,
    /// Written always, with the zero value when nothing was given; empty lists and maps are `null`.
    Always,
    /// Left out when it has its zero value or is empty.
    Vanishes,
}

/// The `patchStrategy` and `patchMergeKey` tags of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchRule {
    /// Merge or replace.
    pub strategy: PatchStrategy,
    /// Whether patches list the members that stay (`retainKeys`).
    pub retain_keys: bool,
    /// The member that identifies an item of the list.
    pub merge_key: Option<Str>,
}

/// How a strategic merge patch changes a field that exists on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchStrategy {
    /// Not declared: maps merge, lists are replaced.
    #[default]
    Undeclared,
    /// Lists merge too.
    Merge,
    /// Maps are replaced too.
    Replace,
}

/// A list's element and how items are told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ListType {
    /// The type of the items.
    pub element: TypeId,
    /// How items are identified.
    pub relation: ListRelation,
}

/// How the items of a list are identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListRelation {
    /// Not at all: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these members of the item.
    Map(Vec<Str>),
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// A built-in kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The resource name in URLs, such as `deployments`.
    pub resource: Str,
    /// Namespaced or not.
    pub scope: Scope,
    /// The type of its objects.
    pub ty: TypeId,
}

/// Types that refer to each other, and the kinds made of them.
///
/// A set made by [`SchemaSet::custom`] stands on the built-in one and shares it.
#[derive(Debug, Default)]
pub struct SchemaSet {
    base: Option<Arc<SchemaSet>>,
    types: Vec<Type>,
    names: HashMap<Str, TypeId>,
    kinds: HashMap<Gvk, Kind>,
}

impl SchemaSet {
    /// Reads the table of the built-in kinds: milliseconds of work, so keep the result.
    ///
    /// # Panics
    /// Never: a test reads the same table.
    #[must_use]
    pub fn builtin() -> Arc<SchemaSet> {
        let set = table::parse(concat!(
            include_str!("../data/schema.txt"),
            include_str!("../data/presence.txt")
        ));
        Arc::new(set.expect("the table is part of the program and checked by a test"))
    }

    /// Reads a table of the format of `data/schema.txt`.
    ///
    /// # Errors
    /// [`SchemaError::Table`] with the line that is malformed.
    pub fn parse(table: &str) -> Result<SchemaSet, SchemaError> {
        table::parse(table)
    }

    /// The schema of a custom resource from the `openAPIV3Schema` of one version of its definition;
    /// `self` must be the built-in set, whose `ObjectMeta` is used.
    ///
    /// # Errors
    /// [`SchemaError::OpenApi`] with the path of what cannot be understood.
    pub fn custom(self: &Arc<Self>, openapi: &Value) -> Result<Schema, SchemaError> {
        openapi::build(self, openapi)
    }

    /// The schema of one version of a whole `CustomResourceDefinition`; `None` when the version is
    /// not there, or its schema cannot be understood.
    #[must_use]
    pub fn of_definition(self: &Arc<Self>, definition: &Value, version: &str) -> Option<Schema> {
        let versions = definition.at(&["spec", "versions"])?.as_list()?;
        let name = |version: &Value| {
            version
                .get("name")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let found = versions
            .iter()
            .find(|one| name(one).as_deref() == Some(version))?;
        self.custom(found.at(&["schema", "openAPIV3Schema"])?).ok()
    }

    /// A schema for objects of which nothing is known: maps merge, lists are replaced.
    #[must_use]
    pub fn unknown(self: &Arc<Self>) -> Schema {
        let set = SchemaSet {
            base: Some(Arc::clone(self)),
            types: vec![Type::Any],
            ..SchemaSet::default()
        };
        let root = TypeId(self.n_types());
        Schema {
            set: Arc::new(set),
            root,
        }
    }

    /// The schema of a built-in kind.
    #[must_use]
    pub fn schema(self: &Arc<Self>, gvk: &Gvk) -> Option<Schema> {
        self.kinds.get(gvk).map(|kind| Schema {
            set: Arc::clone(self),
            root: kind.ty,
        })
    }

    /// The schema of a named type, such as `core.v1.PodSpec`.
    #[must_use]
    pub fn named(self: &Arc<Self>, name: &str) -> Option<Schema> {
        self.names.get(name).map(|id| Schema {
            set: Arc::clone(self),
            root: *id,
        })
    }

    /// A built-in kind.
    #[must_use]
    pub fn kind(&self, gvk: &Gvk) -> Option<&Kind> {
        self.kinds.get(gvk)
    }

    /// All built-in kinds, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// The type at `id`; ids come from this set or from the one that it stands on.
    #[must_use]
    pub fn get(&self, id: TypeId) -> &Type {
        let n_base = self.base.as_ref().map_or(0, |base| base.n_types());
        match (&self.base, id.0.checked_sub(n_base)) {
            (Some(base), None) => base.get(id),
            (_, own) => own
                .and_then(|index| self.types.get(index as usize))
                .unwrap_or(&Type::Any),
        }
    }

    fn n_types(&self) -> u32 {
        let own = u32::try_from(self.types.len()).expect("tables are far smaller than 2^32");
        self.base.as_ref().map_or(0, |base| base.n_types()) + own
    }

    fn push(&mut self, ty: Type) -> TypeId {
        let id = TypeId(self.n_types());
        self.types.push(ty);
        id
    }
}

/// The type of one kind's objects, with all that it refers to. A clone copies a pointer.
#[derive(Clone, Debug)]
pub struct Schema {
    set: Arc<SchemaSet>,
    root: TypeId,
}

impl Schema {
    /// The type of the whole object.
    #[must_use]
    pub fn root(&self) -> TypeRef<'_> {
        TypeRef {
            set: &self.set,
            id: self.root,
        }
    }

    /// Whether it comes from a definition in a cluster ([`SchemaSet::custom`]), rather than from the
    /// table of the built-in kinds.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.set.base.is_some()
    }

    /// The set that the schema is part of.
    #[must_use]
    pub fn set(&self) -> &Arc<SchemaSet> {
        &self.set
    }

    /// The schema of a part, found by member names; lists and maps are passed through by `[]` and `{}`.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<Schema> {
        let mut at = self.root();
        for step in path {
            at = match *step {
                "[]" | "{}" => at.element()?,
                name => at.member(name)?,
            };
        }
        Some(Schema {
            set: Arc::clone(&self.set),
            root: at.id,
        })
    }
}

/// A type together with the set that explains it.
#[derive(Clone, Copy, Debug)]
pub struct TypeRef<'a> {
    set: &'a SchemaSet,
    id: TypeId,
}

impl<'a> TypeRef<'a> {
    /// The type itself.
    #[must_use]
    pub fn ty(self) -> &'a Type {
        self.set.get(self.id)
    }

    /// The type at another id of the same set.
    #[must_use]
    pub fn resolve(self, id: TypeId) -> TypeRef<'a> {
        TypeRef { set: self.set, id }
    }

    /// The declared member `name` of a struct.
    #[must_use]
    pub fn field(self, name: &str) -> Option<&'a Field> {
        match self.ty() {
            Type::Map(map) => map.field(name),
            _ => None,
        }
    }

    /// The type of the member `name` of a struct or map.
    #[must_use]
    pub fn member(self, name: &str) -> Option<TypeRef<'a>> {
        match self.ty() {
            Type::Map(map) => {
                let declared = map.field(name).map(|field| field.ty);
                declared.or(map.element).map(|id| self.resolve(id))
            }
            Type::Any | Type::Opaque => Some(self),
            Type::Scalar(_) | Type::List(_) => None,
        }
    }

    /// The type of the items of a list or of the undeclared members of a map.
    #[must_use]
    pub fn element(self) -> Option<TypeRef<'a>> {
        match self.ty() {
            Type::List(list) => Some(self.resolve(list.element)),
            Type::Map(map) => map.element.map(|id| self.resolve(id)),
            Type::Any | Type::Opaque => Some(self),
            Type::Scalar(_) => None,
        }
    }
}

impl MapType {
    /// The declared member `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let found = self
            .fields
            .binary_search_by(|field| field.name.as_str().cmp(name));
        found.ok().map(|index| &self.fields[index])
    }
}

#[cfg(test)]
mod tests;
