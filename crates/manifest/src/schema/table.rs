//! The text table of the built-in kinds.
//!
//! One line a type, field or kind; `cargo xtask codegen` writes it:
//!
//! ```text
//! type core.v1.Container                    a struct; `type X!` is one value when merged
//!  name* string =""                         a field: * required, a type, a default as JSON
//!  ports [=containerPort,protocol]@core.v1.ContainerPort +merge:containerPort
//! type core.v1.Thing = string               another name of a type
//! kind apps/v1 Deployment deployments namespaced @apps.v1.Deployment
//! presence core.v1.Container tty vanishes   how Go writes a member, where the field tells it wrong
//! ```
//!
//! Types: a scalar's word, `any`, `opaque`, `@name` (`@name!` one value, `@name~` granular), `{}T` map
//! (`{!}T` one value), `[]T` list that is one value, `[*]T` set, `[=a,b]T` list with keys.

use std::collections::HashMap;

use yaml::{Map, Str, Value};

use super::{
    Field, Kind, ListRelation, ListType, MapType, PatchRule, PatchStrategy, Presence, Scalar,
    SchemaError, SchemaSet, Scope, Type, TypeId,
};
use crate::Gvk;

/// Reads a whole table.
pub(super) fn parse(text: &str) -> Result<SchemaSet, SchemaError> {
    let mut reader = Reader::default();
    reader.declare(text);
    for (index, line) in text.lines().enumerate() {
        reader.line(line).map_err(|reason| SchemaError::Table {
            line: index + 1,
            reason,
        })?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader<'a> {
    set: SchemaSet,
    /// Types without a name, by their text.
    inline: HashMap<&'a str, TypeId>,
    /// `@name!` and `@name~`, made when all types are known.
    overrides: Vec<(TypeId, &'a str, bool)>,
    current: Option<TypeId>,
}

impl<'a> Reader<'a> {
    /// Gives every named type its place, so that types may refer to later ones.
    fn declare(&mut self, text: &'a str) {
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("type ") else {
                continue;
            };
            let name = rest.split(' ').next().unwrap_or_default();
            let id = self.set.push(Type::Any);
            self.set.names.insert(name.trim_end_matches('!').into(), id);
        }
    }

    fn line(&mut self, line: &'a str) -> Result<(), String> {
        if let Some(field) = line.strip_prefix(' ') {
            self.field(field)
        } else if let Some(rest) = line.strip_prefix("type ") {
            self.type_line(rest)
        } else if let Some(rest) = line.strip_prefix("kind ") {
            self.kind(rest)
        } else if let Some(rest) = line.strip_prefix("presence ") {
            self.presence(rest)
        } else if line.is_empty() || line.starts_with('#') {
            Ok(())
        } else {
            Err("is neither a type, a field, a kind, a presence nor a comment".to_owned())
        }
    }

    fn type_line(&mut self, rest: &'a str) -> Result<(), String> {
        let (name, alias) = match rest.split_once(" = ") {
            Some((name, alias)) => (name, Some(alias)),
            None => (rest, None),
        };
        let atomic = name.ends_with('!');
        let name = name.trim_end_matches('!');
        let id = self.named(name)?;
        let ty = match alias {
            Some(alias) => {
                let target = self.type_of(alias)?;
                self.set.get(target).clone()
            }
            None => Type::Map(MapType {
                name: name.rsplit('.').next().unwrap_or_default().into(),
                fields: Vec::new(),
                element: None,
                atomic,
            }),
        };
        self.set.types[id.0 as usize] = ty;
        self.current = Some(id);
        Ok(())
    }

    fn named(&self, name: &str) -> Result<TypeId, String> {
        let found = self.set.names.get(name);
        found.copied().ok_or_else(|| format!("unknown type {name}"))
    }

    fn field(&mut self, line: &'a str) -> Result<(), String> {
        let (head, default) = match line.split_once(" =") {
            Some((head, default)) => (head, Some(default_value(default)?)),
            None => (line, None),
        };
        let mut words = head.split(' ');
        let name = words.next().unwrap_or_default();
        let ty = words.next().ok_or("a field needs a type")?;
        let required = name.ends_with('*');
        let field = Field {
            name: name.trim_end_matches('*').into(),
            presence: usual_presence(ty, required || default == Some(Map::new().into())),
            ty: self.type_of(ty)?,
            required,
            default,
            patch: words.next().map_or(Ok(PatchRule::default()), patch_rule)?,
        };
        let owner = self.current.ok_or("a field needs a type line above it")?;
        match self.set.types.get_mut(owner.0 as usize) {
            Some(Type::Map(map)) => map.fields.push(field),
            _ => return Err("a field needs a struct".to_owned()),
        }
        Ok(())
    }

    fn presence(&mut self, rest: &'a str) -> Result<(), String> {
        let words: Vec<&str> = rest.split(' ').collect();
        let [owner, name, presence] = words[..] else {
            return Err("a presence has three words".to_owned());
        };
        let presence = match presence {
            "pointer" => Presence::Pointer,
            "null" => Presence::Null,
            "always" => Presence::Always,
            "vanishes" => Presence::Vanishes,
            other => return Err(format!("unknown presence {other}")),
        };
        let owner_id = self.named(owner)?;
        let field = match self.set.types.get_mut(owner_id.0 as usize) {
            Some(Type::Map(map)) => map.fields.iter_mut().find(|field| field.name == name),
            _ => None,
        };
        let field = field.ok_or_else(|| format!("{owner} has no {name}"))?;
        field.presence = presence;
        Ok(())
    }

    fn kind(&mut self, rest: &'a str) -> Result<(), String> {
        let words: Vec<&str> = rest.split(' ').collect();
        let [api_version, kind, resource, scope, ty] = words[..] else {
            return Err("a kind has five words".to_owned());
        };
        let scope = match scope {
            "namespaced" => Scope::Namespaced,
            "cluster" => Scope::Cluster,
            other => return Err(format!("unknown scope {other}")),
        };
        let gvk = Gvk::new(api_version, kind);
        let kind = Kind {
            gvk: gvk.clone(),
            resource: resource.into(),
            scope,
            ty: self.type_of(ty)?,
        };
        self.set.kinds.insert(gvk, kind);
        Ok(())
    }

    fn type_of(&mut self, text: &'a str) -> Result<TypeId, String> {
        if let Some(id) = self.inline.get(text) {
            return Ok(*id);
        }
        if let Some(name) = text.strip_prefix('@') {
            return self.reference(text, name);
        }
        let ty = match text.as_bytes().first() {
            Some(b'[') => self.list(text)?,
            Some(b'{') => self.map(text)?,
            _ => plain(text)?,
        };
        let id = self.set.push(ty);
        self.inline.insert(text, id);
        Ok(id)
    }

    fn reference(&mut self, text: &'a str, name: &'a str) -> Result<TypeId, String> {
        let bare = name.trim_end_matches(['!', '~']);
        let id = self.named(bare)?;
        if bare == name {
            return Ok(id);
        }
        let copy = self.set.push(Type::Any);
        self.overrides.push((copy, bare, name.ends_with('!')));
        self.inline.insert(text, copy);
        Ok(copy)
    }

    fn list(&mut self, text: &'a str) -> Result<Type, String> {
        let (relation, element) = text[1..].split_once(']').ok_or("a list lacks its ]")?;
        let relation = match relation {
            "" => ListRelation::Atomic,
            "*" => ListRelation::Set,
            keys => {
                let keys = keys.strip_prefix('=').ok_or("unknown kind of list")?;
                ListRelation::Map(keys.split(',').map(Str::from).collect())
            }
        };
        Ok(Type::List(ListType {
            element: self.type_of(element)?,
            relation,
        }))
    }

    fn map(&mut self, text: &'a str) -> Result<Type, String> {
        let (relation, element) = text[1..].split_once('}').ok_or("a map lacks its }")?;
        Ok(Type::Map(MapType {
            name: Str::default(),
            fields: Vec::new(),
            element: Some(self.type_of(element)?),
            atomic: relation == "!",
        }))
    }

    /// Makes the overridden copies and sorts the fields, now that all of them are read.
    fn finish(mut self) -> Result<SchemaSet, SchemaError> {
        for ty in &mut self.set.types {
            if let Type::Map(map) = ty {
                map.fields.sort_by(|a, b| a.name.cmp(&b.name));
            }
        }
        for (copy, name, atomic) in std::mem::take(&mut self.overrides) {
            let target = self
                .named(name)
                .map_err(|reason| SchemaError::Table { line: 0, reason })?;
            let mut ty = self.set.get(target).clone();
            if let Type::Map(map) = &mut ty {
                map.atomic = atomic;
            }
            self.set.types[copy.0 as usize] = ty;
        }
        Ok(self.set)
    }
}

/// How most members of a type are written, by whether the schema says that they are always there.
fn usual_presence(ty: &str, always: bool) -> Presence {
    match ty.as_bytes().first() {
        _ if always => Presence::Always,
        Some(b'[' | b'{') => Presence::Vanishes,
        _ if matches!(ty, "string" | "bytes" | "untyped") => Presence::Vanishes,
        _ => Presence::Pointer,
    }
}

fn plain(word: &str) -> Result<Type, String> {
    Ok(match word {
        "any" => Type::Any,
        "opaque" => Type::Opaque,
        "string" => Type::Scalar(Scalar::String),
        "boolean" => Type::Scalar(Scalar::Boolean),
        "int32" => Type::Scalar(Scalar::Int32),
        "int64" => Type::Scalar(Scalar::Int64),
        "integer" => Type::Scalar(Scalar::Integer),
        "number" => Type::Scalar(Scalar::Number),
        "bytes" => Type::Scalar(Scalar::Bytes),
        "time" => Type::Scalar(Scalar::Time),
        "microtime" => Type::Scalar(Scalar::MicroTime),
        "quantity" => Type::Scalar(Scalar::Quantity),
        "int-or-string" => Type::Scalar(Scalar::IntOrString),
        "untyped" => Type::Scalar(Scalar::Untyped),
        other => return Err(format!("unknown type {other}")),
    })
}

/// `+merge`, `+merge:name`, `+retain`, `+replace`, joined without blanks.
fn patch_rule(text: &str) -> Result<PatchRule, String> {
    let mut rule = PatchRule::default();
    for part in text.split('+').filter(|part| !part.is_empty()) {
        match part.split_once(':') {
            Some(("merge", key)) => {
                rule.strategy = PatchStrategy::Merge;
                rule.merge_key = Some(key.into());
            }
            None if part == "merge" => rule.strategy = PatchStrategy::Merge,
            None if part == "replace" => rule.strategy = PatchStrategy::Replace,
            None if part == "retain" => rule.retain_keys = true,
            _ => return Err(format!("unknown patch rule {part}")),
        }
    }
    Ok(rule)
}

/// The defaults that occur: empty, text, a number, a boolean.
fn default_value(text: &str) -> Result<Value, String> {
    let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    Ok(match text {
        "{}" => Value::Map(Map::new()),
        "[]" => Value::List(Vec::new()),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match quoted {
            Some(string) if !string.contains(['"', '\\']) => Value::from(string),
            Some(_) => return Err(format!("default {text} has an escape")),
            None => Value::Int(
                text.parse()
                    .map_err(|_| format!("unknown default {text}"))?,
            ),
        },
    })
}
