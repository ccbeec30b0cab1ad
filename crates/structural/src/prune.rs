//! What a schema does to an object before it is stored: unknown members go, `null` where none is
//! allowed goes, defaults come.

use yaml::Value;

use crate::schema::{Additional, Schema};

/// Members of every object, which schemas need not declare.
pub(crate) const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Schema {
    /// Takes the members out of a whole object that this schema does not know. Gives their paths,
    /// sorted, such as `spec.items[0].x`.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut pruner = Pruner::default();
        // The root is a resource: its metadata is not looked into.
        pruner.node(object, Some(self), true);
        pruner.unknown.sort();
        pruner.unknown
    }

    /// As [`Schema::prune`], for a value inside an object.
    pub(crate) fn prune_part(&self, value: &mut Value) {
        Pruner::default().node(value, Some(self), self.embedded);
    }

    /// Takes `null` out where it is neither allowed nor defaulted, and fills in defaults.
    pub fn fill_defaults(&self, object: &mut Value) {
        drop_nulls(object, Some(self));
        fill(object, self);
    }
}

#[derive(Default)]
struct Pruner {
    path: String,
    unknown: Vec<String>,
}

impl Pruner {
    fn within(&mut self, step: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        work(self);
        self.path.truncate(length);
    }

    fn node(&mut self, value: &mut Value, schema: Option<&Schema>, is_resource: bool) {
        let keeps = schema.is_some_and(|schema| schema.preserves);
        match value {
            Value::Map(members) => members.retain(|name, member| {
                if is_resource && META.contains(&name) {
                    return true;
                }
                let declared = schema.and_then(|schema| schema.properties.get(name));
                let additional = schema.map(|schema| &schema.additional);
                let below = match (declared, additional) {
                    (Some(declared), _) => Some(&**declared),
                    (None, Some(Additional::Schema(schema))) => Some(schema.as_ref()),
                    // Of what may be anything, nothing inside is known.
                    (None, Some(Additional::Any(_))) => None,
                    _ if keeps => return true,
                    _ => {
                        if !META.contains(&name) || !self.path.is_empty() {
                            self.within(name, |pruner| pruner.unknown.push(pruner.path.clone()));
                        }
                        return false;
                    }
                };
                let is_resource = below.is_some_and(|schema| schema.embedded);
                self.within(name, |pruner| pruner.node(member, below, is_resource));
                true
            }),
            Value::List(items) => {
                let below = schema.and_then(|schema| schema.items.as_deref());
                if keeps && below.is_none() {
                    return;
                }
                let is_resource = below.is_some_and(|schema| schema.embedded);
                for (index, item) in items.iter_mut().enumerate() {
                    self.within(&format!("[{index}]"), |pruner| {
                        pruner.node(item, below, is_resource);
                    });
                }
            }
            _ => {}
        }
    }
}

/// A `null` that the schema has no place for.
fn is_unwanted_null(value: &Value, schema: Option<&Schema>) -> bool {
    value.is_null() && schema.is_some_and(|schema| !schema.nullable)
}

fn drop_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Map(members) => members.retain(|name, member| {
            let below = schema.and_then(|schema| schema.member(name));
            if is_unwanted_null(member, below)
                && below.is_some_and(|schema| schema.default.is_none())
            {
                return false;
            }
            drop_nulls(member, below);
            true
        }),
        Value::List(items) => {
            let below = schema.and_then(|schema| schema.items.as_deref());
            for item in items {
                drop_nulls(item, below);
            }
        }
        _ => {}
    }
}

fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Map(members) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                let present = members.get(name);
                if present.is_none_or(|value| is_unwanted_null(value, Some(property))) {
                    members.insert(name.clone(), default.clone());
                }
            }
            for (name, member) in members.iter_mut() {
                if let Some(below) = schema.member(name) {
                    fill_null(member, below);
                    fill(member, below);
                }
            }
        }
        Value::List(items) => {
            let Some(below) = &schema.items else { return };
            for item in items {
                fill_null(item, below);
                fill(item, below);
            }
        }
        _ => {}
    }
}

fn fill_null(value: &mut Value, schema: &Schema) {
    if let Some(default) = &schema.default
        && is_unwanted_null(value, Some(schema))
    {
        *value = default.clone();
    }
}
