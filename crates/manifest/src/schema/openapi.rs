//! The schema of a custom resource from its definition.

use std::sync::Arc;

use yaml::{Str, Value};

use super::{
    Field, ListRelation, ListType, MapType, PatchRule, Presence, Scalar, Schema, SchemaError,
    SchemaSet, Type, TypeId,
};

/// Schemas nest no deeper than this; deeper ones are refused, as recursion costs stack.
const MAX_DEPTH: usize = 128;

/// Builds the type of the objects that `openapi` describes, standing on `base`.
pub(super) fn build(base: &Arc<SchemaSet>, openapi: &Value) -> Result<Schema, SchemaError> {
    let mut builder = Builder {
        set: SchemaSet {
            base: Some(Arc::clone(base)),
            ..SchemaSet::default()
        },
        meta: base.names.get("meta.v1.ObjectMeta").copied(),
        path: String::new(),
    };
    let at = Place {
        depth: 0,
        keeps_unknown: false,
        is_object: true,
    };
    let root = builder.convert(openapi, at)?;
    Ok(Schema {
        set: Arc::new(builder.set),
        root,
    })
}

struct Builder {
    set: SchemaSet,
    meta: Option<TypeId>,
    path: String,
}

/// Where in the schema the conversion is.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// A parent says `x-kubernetes-preserve-unknown-fields`.
    keeps_unknown: bool,
    /// The root and embedded resources have `apiVersion`, `kind` and `metadata` undeclared.
    is_object: bool,
}

fn flag(schema: &Value, name: &str) -> bool {
    schema
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

fn text<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema.get(name).and_then(Value::as_str)
}

impl Builder {
    fn error(&self, reason: &'static str) -> SchemaError {
        SchemaError::OpenApi {
            path: self.path.clone(),
            reason,
        }
    }

    fn child(&mut self, step: &str, schema: &Value, at: Place) -> Result<TypeId, SchemaError> {
        if at.depth >= MAX_DEPTH {
            return Err(self.error("nests too deeply"));
        }
        let len = self.path.len();
        self.path.push_str(step);
        let child = Place {
            depth: at.depth + 1,
            is_object: flag(schema, "x-kubernetes-embedded-resource"),
            ..at
        };
        let id = self.convert(schema, child)?;
        self.path.truncate(len);
        Ok(id)
    }

    fn convert(&mut self, schema: &Value, at: Place) -> Result<TypeId, SchemaError> {
        if schema.as_map().is_none() {
            return Err(self.error("is not a schema"));
        }
        let keeps = flag(schema, "x-kubernetes-preserve-unknown-fields");
        let at = Place {
            keeps_unknown: at.keeps_unknown || keeps,
            ..at
        };
        let ty = if flag(schema, "x-kubernetes-int-or-string") {
            Type::Scalar(Scalar::IntOrString)
        } else {
            match text(schema, "type") {
                Some("object") => self.object(schema, at)?,
                Some("array") => self.array(schema, at)?,
                Some("string") => Type::Scalar(string_type(text(schema, "format"))),
                Some("boolean") => Type::Scalar(Scalar::Boolean),
                Some("integer") => Type::Scalar(integer_type(text(schema, "format"))),
                Some("number") => Type::Scalar(Scalar::Number),
                Some(_) => return Err(self.error("unrecognized type")),
                None if schema.get("properties").is_some() => self.object(schema, at)?,
                None => Type::Any,
            }
        };
        Ok(self.set.push(ty))
    }

    fn object(&mut self, schema: &Value, at: Place) -> Result<Type, SchemaError> {
        let mut fields = Vec::new();
        let properties = schema.get("properties").and_then(Value::as_map);
        for (name, property) in properties.into_iter().flat_map(yaml::Map::iter) {
            if at.is_object && name == "metadata" && self.meta.is_some() {
                continue;
            }
            let ty = self.child(&format!(".{name}"), property, at)?;
            fields.push(Field {
                name: name.clone(),
                ty,
                required: is_required(schema, name),
                default: property.get("default").cloned(),
                presence: Presence::default(),
                patch: PatchRule::default(),
            });
        }
        let element = self.additional(schema, at, properties.is_none_or(yaml::Map::is_empty))?;
        if at.is_object {
            self.add_type_meta(&mut fields);
        }
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Type::Map(MapType {
            name: Str::default(),
            fields,
            element,
            atomic: text(schema, "x-kubernetes-map-type") == Some("atomic"),
        }))
    }

    /// The type of members that are not declared. An object that declares none takes anything.
    fn additional(
        &mut self,
        schema: &Value,
        at: Place,
        is_free: bool,
    ) -> Result<Option<TypeId>, SchemaError> {
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => Ok(None),
            Some(Value::Bool(true)) => Ok(Some(self.set.push(Type::Any))),
            Some(element) => self.child(".additionalProperties", element, at).map(Some),
            None if at.keeps_unknown || is_free => Ok(Some(self.set.push(Type::Any))),
            None => Ok(None),
        }
    }

    fn add_type_meta(&mut self, fields: &mut Vec<Field>) {
        let string = self.set.push(Type::Scalar(Scalar::String));
        let members = [
            ("apiVersion", Some(string)),
            ("kind", Some(string)),
            ("metadata", self.meta),
        ];
        for (name, ty) in members {
            let Some(ty) = ty else { continue };
            if !fields.iter().any(|field| field.name == name) {
                fields.push(Field {
                    name: name.into(),
                    ty,
                    required: false,
                    default: None,
                    presence: Presence::default(),
                    patch: PatchRule::default(),
                });
            }
        }
    }

    fn array(&mut self, schema: &Value, at: Place) -> Result<Type, SchemaError> {
        let element = match schema.get("items") {
            Some(items) => self.child("[]", items, at)?,
            None => self.set.push(Type::Opaque),
        };
        let relation = match text(schema, "x-kubernetes-list-type") {
            None | Some("atomic") => ListRelation::Atomic,
            Some("set") => ListRelation::Set,
            Some("map") => {
                let keys = schema
                    .get("x-kubernetes-list-map-keys")
                    .and_then(Value::as_list);
                let keys: Vec<Str> = keys
                    .into_iter()
                    .flatten()
                    .filter_map(|key| key.as_str().map(Str::from))
                    .collect();
                if keys.is_empty() {
                    return Err(self.error("is a list map without x-kubernetes-list-map-keys"));
                }
                ListRelation::Map(keys)
            }
            Some(_) => return Err(self.error("unknown x-kubernetes-list-type")),
        };
        Ok(Type::List(ListType { element, relation }))
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_list);
    required.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(name)))
}

fn string_type(format: Option<&str>) -> Scalar {
    match format {
        None | Some("") => Scalar::String,
        Some("byte") => Scalar::Bytes,
        Some("date-time") => Scalar::Time,
        Some("int-or-string") => Scalar::IntOrString,
        // Any other format leaves the merge rules without a type, as in kube-apiserver.
        Some(_) => Scalar::Untyped,
    }
}

fn integer_type(format: Option<&str>) -> Scalar {
    match format {
        Some("int32") => Scalar::Int32,
        Some("int64") => Scalar::Int64,
        _ => Scalar::Integer,
    }
}
