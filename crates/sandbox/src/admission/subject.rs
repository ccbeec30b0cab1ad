//! A write as the rules, selectors and expressions of admission see it.
//!
//! Read [`Subject`] first. Rules may name another version of the resource than the one written:
//! [`Subject::target`] says which one they mean, [`Subject::seen_as`] shows the write in it.

use std::borrow::Cow;
use std::sync::Arc;

use yaml::{Map, Str, Value};

use crate::core::Call;
use crate::registry::{Resource, Subresource};
use crate::status_error::ApiError;
use crate::{conversion, convert, render, typing};
use store::Collection;

use super::{Operation, Write, items, text};

/// A write, in one version of its resource.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) operation: Operation,
    /// In whose version the objects are.
    pub(super) resource: Arc<Resource>,
    /// The object to be; `null` in a deletion.
    pub(super) object: Value,
    /// The object that is; `null` in a creation.
    pub(super) old: Value,
    /// The object's namespace; `null` outside of all.
    pub(super) namespace: Value,
    /// The name that is written; empty where it will be generated.
    pub(super) name: String,
    pub(super) options: Value,
}

/// The part that the path names, when its kind is not the object's.
pub(super) fn own_kind<'c>(call: &'c Call<'_>) -> Option<&'c Subresource> {
    let part = call.resource.subresource(call.subresource()?)?;
    (part.kind != call.resource.kind).then_some(part)
}

impl<'a> Subject<'a> {
    /// A write in the version of its path.
    pub(super) fn new(call: &'a Call<'_>, write: &Write<'_>) -> Subject<'a> {
        let typed = |value: Option<&Value>| match value {
            None => Value::Null,
            Some(value) if own_kind(call).is_some() => value.clone(),
            Some(value) => typed(&call.resource, value.clone()),
        };
        let name = match (write.operation, write.new) {
            (Operation::Create, Some(new)) if call.name().is_empty() => crate::meta::name(new),
            _ => call.name(),
        };
        let object = typed(write.new);
        let namespace = match namespace_of(call, name) {
            "" => Value::Null,
            // The store has an older state of a namespace that is written now.
            _ if is_namespace(call) && !object.is_null() => object.clone(),
            namespace => {
                let namespaces = Collection::new("", "namespaces");
                let found = call.core.store.get(&namespaces, "", namespace);
                found.map_or(Value::Null, |stored| stored.value())
            }
        };
        Subject {
            operation: write.operation,
            resource: Arc::clone(&call.resource),
            object,
            old: typed(write.old),
            namespace,
            name: name.to_owned(),
            options: options(call, write),
            call,
        }
    }

    /// The resource that rules mean: the one written, or another version of it.
    pub(super) fn target(
        &self,
        rules: &[Value],
        also_equivalent: Equivalents,
    ) -> Option<Arc<Resource>> {
        let resource = &self.call.resource;
        let fits = |resource: &Resource| rules.iter().any(|rule| self.fits(rule, resource));
        if fits(resource) {
            return Some(Arc::clone(resource));
        }
        if also_equivalent == Equivalents::No {
            return None;
        }
        let registry = self.call.core.registry();
        let others: Vec<Arc<Resource>> = registry
            .versions_of(&resource.collection)
            .filter(|other| self.has_part(other))
            .cloned()
            .collect();
        // Rules that stand first are honoured first.
        rules.iter().find_map(|rule| {
            let other = others.iter().find(|other| self.fits(rule, other));
            other.map(Arc::clone)
        })
    }

    fn has_part(&self, resource: &Resource) -> bool {
        let part = self.call.subresource();
        part.is_none_or(|part| resource.subresource(part).is_some())
    }

    /// The same write in another version of its resource.
    ///
    /// # Errors
    /// 500 when the webhook that converts its objects does not.
    pub(super) fn seen_as(
        &self,
        resource: &Arc<Resource>,
    ) -> Result<Cow<'_, Subject<'a>>, ApiError> {
        if Arc::ptr_eq(resource, &self.resource) || own_kind(self.call).is_some() {
            return Ok(Cow::Borrowed(self));
        }
        let version = resource.api_version();
        let convert = |value: &Value| match value {
            Value::Null => Ok(Value::Null),
            value => {
                let value = stored(&self.resource, value.clone());
                let value = conversion::between(self.call.core, &self.resource, &version, value)?;
                Ok(typed(resource, value))
            }
        };
        Ok(Cow::Owned(Subject {
            resource: Arc::clone(resource),
            object: convert(&self.object)?,
            old: convert(&self.old)?,
            ..self.clone()
        }))
    }

    /// The object to be, as it is stored.
    pub(super) fn into_stored(self) -> Value {
        if own_kind(self.call).is_some() {
            return self.object;
        }
        stored(&self.resource, self.object)
    }

    /// An object as the types of this version read it: what they do not know is gone, defaults are
    /// there.
    ///
    /// # Errors
    /// What the real decoder says of a value of the wrong type.
    pub(super) fn decoded(&self, mut object: Value) -> Result<Value, String> {
        let resource = &self.resource;
        if own_kind(self.call).is_some() {
            return Ok(object);
        }
        let map = object.map_at_mut(&[]);
        map.remove("apiVersion");
        map.remove("kind");
        if resource.custom.is_some() {
            let call = Call {
                resource: Arc::clone(resource),
                ..*self.call
            };
            crate::custom::decode(&call, &mut object).map_err(|error| error.message)?;
        } else if let Some(schema) = typing::schema(self.call.core, resource) {
            kinds::decode(resource.handle(), &schema, &mut object)?;
        }
        let metadata = crate::meta::of(&mut object);
        metadata.retain(|_, value| value.as_list().is_none_or(|list| !list.is_empty()));
        render::type_meta(&mut object, resource);
        Ok(object)
    }

    /// Whether a rule means a write of `resource`.
    pub(super) fn fits(&self, rule: &Value, resource: &Resource) -> bool {
        let any = |key: &str, wanted: &str| {
            let mut known = items(rule, &[key]).iter().filter_map(Value::as_str);
            known.any(|known| known == "*" || known == wanted)
        };
        let part = self.call.subresource().unwrap_or_default();
        let of_resource = items(rule, &["resources"])
            .iter()
            .filter_map(Value::as_str)
            .map(|known| known.split_once('/').unwrap_or((known, "")))
            .any(|(of, wanted)| {
                (of == "*" || of == &*resource.plural) && (wanted == "*" || wanted == part)
            });
        let scope = match text(rule, &["scope"]) {
            "Cluster" => !resource.namespaced,
            "Namespaced" => resource.namespaced,
            _ => true,
        };
        let names = items(rule, &["resourceNames"]);
        let named = names.is_empty() || names.iter().any(|name| name.as_str() == Some(&self.name));
        any("apiGroups", &resource.group)
            && any("apiVersions", &resource.version)
            && any("operations", self.operation.name())
            && of_resource
            && scope
            && named
    }

    /// Whether the selectors for namespaces and objects, where given, select this write.
    pub(super) fn selected(&self, selectors: &Value) -> bool {
        let selector = |key: &str| selectors.get(key).unwrap_or(&Value::Null);
        let in_namespace = self.namespace.is_null()
            || admit::selects(selector("namespaceSelector"), &self.namespace);
        let of_object = selector("objectSelector");
        in_namespace
            && (admit::selects_all(of_object)
                || [&self.object, &self.old]
                    .into_iter()
                    .any(|object| !object.is_null() && admit::selects(of_object, object)))
    }

    /// The `request` of expressions: everything but the objects, absent texts empty.
    pub(super) fn request(&self) -> Map {
        let call = self.call;
        let part = call.subresource().unwrap_or_default();
        let user = &call.request.user;
        let mut info = user.info();
        info.insert("uid", user.uid.as_str());
        Map::from([
            ("kind", kind(call, &self.resource)),
            ("resource", place(&self.resource)),
            ("subResource", part.into()),
            ("requestKind", kind(call, &call.resource)),
            ("requestResource", place(&call.resource)),
            ("requestSubResource", part.into()),
            ("name", self.name.as_str().into()),
            ("namespace", namespace_of(call, &self.name).into()),
            ("operation", self.operation.name().into()),
            ("userInfo", info.into()),
            ("dryRun", self.is_dry_run().into()),
            ("options", self.options.clone()),
        ])
    }

    /// Whether nothing is to be written.
    pub(super) fn is_dry_run(&self) -> bool {
        !items(&self.options, &["dryRun"]).is_empty()
    }
}

/// Whether rules may mean other versions of a resource than the one written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equivalents {
    Yes,
    No,
}

impl Equivalents {
    /// What the `matchPolicy` of a webhook or of constraints says.
    pub(super) fn of(policy: &Value) -> Self {
        match text(policy, &["matchPolicy"]) {
            "Exact" => Equivalents::No,
            _ => Equivalents::Yes,
        }
    }
}

fn typed(resource: &Resource, value: Value) -> Value {
    let mut value = convert::from_storage(resource, value);
    render::type_meta(&mut value, resource);
    value
}

fn stored(resource: &Resource, mut value: Value) -> Value {
    let map = value.map_at_mut(&[]);
    map.remove("apiVersion");
    map.remove("kind");
    convert::to_storage(resource, value)
}

fn is_namespace(call: &Call<'_>) -> bool {
    crate::strategy::is_namespace(&call.resource) && call.subresource().is_none()
}

/// The namespace of a write; that of a Namespace is itself.
fn namespace_of<'n>(call: &'n Call<'_>, name: &'n str) -> &'n str {
    if crate::strategy::is_namespace(&call.resource) {
        name
    } else {
        call.namespace()
    }
}

/// The options of a write as an object of their own.
fn options(call: &Call<'_>, write: &Write<'_>) -> Value {
    let Some(kind) = write.operation.options_kind() else {
        return Value::Null;
    };
    let mut options = match write.options {
        Some(Value::Map(given)) => given.clone(),
        _ => Map::new(),
    };
    if write.operation != Operation::Delete {
        let query = &call.request.query;
        for key in ["fieldManager", "fieldValidation"] {
            if !query.get(key).is_empty() {
                options.insert(key, query.get(key));
            }
        }
        let dry: Vec<Value> = query.all("dryRun").map(Value::from).collect();
        if !dry.is_empty() {
            options.insert("dryRun", dry);
        }
    }
    options.insert("apiVersion", "meta.k8s.io/v1");
    options.insert("kind", kind);
    options.into()
}

fn texts(pairs: [(&str, &Str); 3]) -> Value {
    let pairs = pairs
        .into_iter()
        .map(|(key, text)| (Str::from(key), Value::String(text.clone())));
    Value::Map(pairs.collect::<Map>())
}

/// Group, version and kind of what is written, seen as an object of `resource`.
fn kind(call: &Call<'_>, resource: &Resource) -> Value {
    let (group, version, kind) = match own_kind(call) {
        Some(part) if part.version.is_empty() => (&resource.group, &resource.version, &part.kind),
        Some(part) => (&part.group, &part.version, &part.kind),
        None => (&resource.group, &resource.version, &resource.kind),
    };
    texts([("group", group), ("version", version), ("kind", kind)])
}

fn place(resource: &Resource) -> Value {
    texts([
        ("group", &resource.group),
        ("version", &resource.version),
        ("resource", &resource.plural),
    ])
}
