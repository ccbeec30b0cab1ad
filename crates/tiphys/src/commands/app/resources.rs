//! The objects of an Application, as `get`, `sync` and `wait` show them.

use std::collections::BTreeMap;

use api::Application;

use crate::table::Table;

/// The columns that come after a time, or alone.
pub(super) const COLUMNS: [&str; 8] = [
    "GROUP",
    "KIND",
    "NAMESPACE",
    "NAME",
    "STATUS",
    "HEALTH",
    "HOOK",
    "MESSAGE",
];

/// What is shown of one object, in the order of the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) health: String,
    pub(super) hook: String,
    pub(super) message: String,
}

impl Row {
    /// Group, kind, namespace and name.
    pub(super) fn key(&self) -> (String, String, String, String) {
        (
            self.group.clone(),
            self.kind.clone(),
            self.namespace.clone(),
            self.name.clone(),
        )
    }

    /// The cells, in the order of [`COLUMNS`].
    pub(super) fn cells(&self) -> Vec<String> {
        [
            &self.group,
            &self.kind,
            &self.namespace,
            &self.name,
            &self.status,
            &self.health,
            &self.hook,
            &self.message,
        ]
        .into_iter()
        .cloned()
        .collect()
    }
}

/// The rows: first what the last sync did, in its order, then the other objects. What is both has
/// the sync's message and its present status and health.
pub(super) fn rows(app: &Application) -> Vec<Row> {
    let results = app
        .status
        .operation_state
        .as_ref()
        .and_then(|state| state.sync_result.as_ref());
    let mut rows: Vec<Row> = Vec::new();
    let mut places = BTreeMap::new();
    for result in results.into_iter().flat_map(|results| &results.resources) {
        let row = Row {
            group: result.group.clone(),
            kind: result.kind.clone(),
            namespace: result.namespace.clone(),
            name: result.name.clone(),
            status: result.hook_phase.as_str().to_owned(),
            health: result.status.as_str().to_owned(),
            hook: result.hook_type.as_str().to_owned(),
            message: result.message.clone(),
        };
        places.insert(row.key(), rows.len());
        rows.push(row);
    }
    for resource in &app.status.resources {
        let health = resource
            .health
            .as_ref()
            .map_or("", |health| health.status.as_str());
        let mut row = Row {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            namespace: resource.namespace.clone(),
            name: resource.name.clone(),
            status: resource.status.as_str().to_owned(),
            health: health.to_owned(),
            ..Row::default()
        };
        match places.get(&row.key()) {
            Some(place) => {
                row.message = std::mem::take(&mut rows[*place].message);
                row.hook = std::mem::take(&mut rows[*place].hook);
                rows[*place] = row;
            }
            None => rows.push(row),
        }
    }
    rows
}

/// The table, empty when there are no objects.
pub(super) fn table(app: &Application) -> String {
    let rows = rows(app);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&COLUMNS);
    for row in rows {
        table.row(row.cells());
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sync_did_comes_first_with_its_message() {
        let text = "metadata: {name: a}\nspec: {}\nstatus:\n  resources:\n  \
            - {kind: Secret, name: s, status: Synced}\n  \
            - {kind: Service, name: w, status: Synced, health: {status: Healthy}}\n  \
            operationState:\n    phase: Succeeded\n    syncResult:\n      resources:\n      \
            - {kind: Namespace, name: ns, hookPhase: Running, status: Synced, message: made}\n      \
            - {kind: Service, name: w, status: Synced, message: unchanged}\n";
        let app = Application::from_value(yaml::parse_str(text).expect("YAML")).expect("one");
        let cells: Vec<String> = rows(&app)
            .iter()
            .map(|row| format!("{} {} {} {}", row.kind, row.status, row.health, row.message))
            .collect();
        let want = [
            "Namespace Running Synced made",
            "Service Synced Healthy unchanged",
            "Secret Synced  ",
        ];
        assert_eq!(cells, want);
    }
}
