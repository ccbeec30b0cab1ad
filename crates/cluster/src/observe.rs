//! One task per watched resource feeds the cache; one task keeps the set of resources true.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use yaml::Str;

use crate::handle::Shared;
use crate::{Class, Discovery, Listing, Resource, WatchEvent, Watcher};

type Kind = (Str, Str);

/// Runs until the cluster handle is stopped: starts a watch for every kind that appears and ends
/// those of kinds that are gone. The tasks are children of this one and end with it.
pub(crate) async fn observe(shared: Arc<Shared>, mut discovery: watch::Receiver<Arc<Discovery>>) {
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Kind, (Arc<Resource>, AbortHandle)> = HashMap::new();
    loop {
        let wanted = watched_kinds(&discovery.borrow_and_update(), &shared);
        running.retain(|kind, (resource, task)| {
            let keep = wanted.get(kind).is_some_and(|wanted| wanted == resource);
            if !keep {
                task.abort();
                shared.kind_dropped(kind);
            }
            keep
        });
        shared.expect_listed(wanted.keys().cloned().collect());
        for (kind, resource) in wanted {
            running.entry(kind.clone()).or_insert_with(|| {
                let task = tasks.spawn(observe_kind(shared.clone(), kind, resource.clone()));
                (resource, task)
            });
        }
        tokio::select! {
            changed = discovery.changed() => if changed.is_err() { return },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

fn watched_kinds(discovery: &Discovery, shared: &Shared) -> HashMap<Kind, Arc<Resource>> {
    discovery
        .kinds()
        .filter(|resource| resource.watchable && resource.deletable)
        .map(|resource| {
            (
                (resource.gvk.group.clone(), resource.gvk.kind.clone()),
                resource.clone(),
            )
        })
        .filter(|(kind, _)| !shared.options.is_excluded(&kind.0, &kind.1))
        .collect()
}

async fn observe_kind(shared: Arc<Shared>, kind: Kind, resource: Arc<Resource>) {
    let mut watcher = Watcher::new(shared.client.clone(), resource, "");
    let is_crd = &*kind.1 == "CustomResourceDefinition";
    loop {
        match watcher.next().await {
            WatchEvent::Listed(listing) => shared.kind_listed(&kind, listing),
            WatchEvent::Applied(object) => shared.object_applied(object),
            WatchEvent::Deleted(object) => shared.object_deleted(&object),
            WatchEvent::Failed(error) => {
                // A kind that we may not list, or that has just gone, is one without objects.
                if matches!(error.class(), Class::Final | Class::NotFound) {
                    shared.kind_listed(&kind, Listing::default());
                }
                tracing::debug!(kind = %kind.1, group = %kind.0, %error, "watch interrupted");
                continue;
            }
        }
        if is_crd {
            shared.definition_changed();
        }
    }
}
