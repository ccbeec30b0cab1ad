//! Our CustomResourceDefinitions, made from the types.

use yaml::{Map, Value};

use crate::wire::{Wire, of_type};
use crate::{AppProject, Application, ApplicationSet, names};

/// The CustomResourceDefinitions of Application, AppProject and ApplicationSet with the names,
/// columns and subresources of Argo CD's; Application has no status subresource, as there.
#[must_use]
pub fn crds() -> Vec<Value> {
    let application = Definition {
        kind: names::APPLICATION,
        plural: "applications",
        short_names: ["app", "apps"],
        subresources: Some(Map::new()),
    };
    let project = Definition {
        kind: names::APP_PROJECT,
        plural: "appprojects",
        short_names: ["appproj", "appprojs"],
        subresources: None,
    };
    let set = Definition {
        kind: names::APPLICATION_SET,
        plural: "applicationsets",
        short_names: ["appset", "appsets"],
        subresources: Some(Map::from([("status", Map::new().into())])),
    };
    let mut set_schema = ApplicationSet::schema();
    // Each generator repeats the whole template: its descriptions alone would be megabytes.
    if let Some(spec) = member(&mut set_schema, "spec") {
        spec.map_at_mut(&[]).retain(|key, value| {
            if key == "properties" {
                drop_descriptions(value);
            }
            true
        });
    }
    vec![
        application.with(Application::schema(), columns()),
        project.with(AppProject::schema(), Vec::new()),
        set.with(set_schema, Vec::new()),
    ]
}

struct Definition {
    kind: &'static str,
    plural: &'static str,
    short_names: [&'static str; 2],
    subresources: Option<Map>,
}

impl Definition {
    fn with(&self, mut schema: Map, columns: Vec<Value>) -> Value {
        if let Some(metadata) = member(&mut schema, "metadata") {
            *metadata = of_type("object").into();
        }
        constrain(&mut schema);
        let mut version = Map::from([
            ("name", names::VERSION.into()),
            ("served", true.into()),
            ("storage", true.into()),
            (
                "schema",
                Map::from([("openAPIV3Schema", schema.into())]).into(),
            ),
        ]);
        if !columns.is_empty() {
            version.insert("additionalPrinterColumns", columns);
        }
        if let Some(subresources) = &self.subresources {
            version.insert("subresources", subresources.clone());
        }
        let full_name = format!("{}.{}", self.plural, names::GROUP);
        let labels = Map::from([
            ("app.kubernetes.io/name", full_name.as_str().into()),
            (names::PART_OF_LABEL, names::PART_OF.into()),
        ]);
        let spec = Map::from([
            ("group", names::GROUP.into()),
            ("scope", "Namespaced".into()),
            ("names", self.names().into()),
            ("versions", Value::List(vec![version.into()])),
        ]);
        Value::Map(Map::from([
            ("apiVersion", "apiextensions.k8s.io/v1".into()),
            ("kind", "CustomResourceDefinition".into()),
            (
                "metadata",
                Map::from([("name", full_name.into()), ("labels", labels.into())]).into(),
            ),
            ("spec", spec.into()),
        ]))
    }

    fn names(&self) -> Map {
        let short_names: Vec<Value> = self.short_names.iter().map(|&it| it.into()).collect();
        Map::from([
            ("kind", self.kind.into()),
            ("listKind", format!("{}List", self.kind).into()),
            ("plural", self.plural.into()),
            ("singular", self.kind.to_lowercase().into()),
            ("shortNames", Value::List(short_names)),
        ])
    }
}

/// The columns of `kubectl get applications`; those with a priority appear with `-o wide`.
fn columns() -> Vec<Value> {
    let column = |name: &str, path: &str, priority: i64| {
        let mut column = Map::from([
            ("name", name.into()),
            ("jsonPath", path.into()),
            ("type", "string".into()),
        ]);
        if priority > 0 {
            column.insert("priority", priority);
        }
        Value::Map(column)
    };
    vec![
        column("Sync Status", ".status.sync.status", 0),
        column("Health Status", ".status.health.status", 0),
        column("Revision", ".status.sync.revision", 10),
        column("Project", ".spec.project", 10),
    ]
}

fn member<'a>(schema: &'a mut Map, name: &str) -> Option<&'a mut Value> {
    schema.get_mut("properties")?.get_mut(name)
}

/// Constraints that the types do not carry: by the name of a member and by what its schema has.
fn constrain(schema: &mut Map) {
    let Some(Value::Map(properties)) = schema.get_mut("properties") else {
        for nested in ["items", "additionalProperties"] {
            if let Some(Value::Map(nested)) = schema.get_mut(nested) {
                constrain(nested);
            }
        }
        return;
    };
    let is_hydration = properties.contains_key("hydratedSHA");
    let is_project = properties.contains_key("sourceRepos");
    for (name, property) in properties.iter_mut() {
        let Value::Map(property) = property else {
            continue;
        };
        constrain(property);
        match name.as_str() {
            "selector" | "labelSelector" if property.contains_key("properties") => {
                property.insert("x-kubernetes-map-type", "atomic");
                make_lists_atomic(property);
            }
            "description" if is_project => {
                property.insert("maxLength", 255);
            }
            "phase" if is_hydration => {
                property.insert("enum", vec!["Hydrating", "Failed", "Hydrated"]);
            }
            "applicationsSync" => {
                let values = vec!["create-only", "create-update", "create-delete", "sync"];
                property.insert("enum", values);
            }
            "syncSource" => {
                if let Some(Value::Map(path)) = member(property, "path") {
                    path.insert("minLength", 1);
                    path.insert("pattern", "^.{2,}|[^./]$");
                }
            }
            _ => {}
        }
    }
}

/// The lists of a label selector are replaced as a whole.
fn make_lists_atomic(selector: &mut Map) {
    let Some(Value::Map(expressions)) = member(selector, "matchExpressions") else {
        return;
    };
    expressions.insert("x-kubernetes-list-type", "atomic");
    if let Some(Value::Map(expression)) = expressions.get_mut("items")
        && let Some(Value::Map(values)) = member(expression, "values")
    {
        values.insert("x-kubernetes-list-type", "atomic");
    }
}

fn drop_descriptions(properties: &mut Value) {
    let Value::Map(properties) = properties else {
        return;
    };
    for (_, property) in properties.iter_mut() {
        if let Value::Map(schema) = property {
            undescribe(schema);
        }
    }
}

/// Takes the descriptions of a schema away, down through properties, lists and maps.
fn undescribe(schema: &mut Map) {
    schema.remove("description");
    if let Some(properties) = schema.get_mut("properties") {
        drop_descriptions(properties);
    }
    for nested in ["items", "additionalProperties"] {
        if let Some(Value::Map(nested)) = schema.get_mut(nested) {
            undescribe(nested);
        }
    }
}
