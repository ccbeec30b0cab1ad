//! The one door through which Tiphys changes a cluster.
//!
//! Its input is an [`Authorized`] action, which only the project gate of `engine` can make.

use engine::action::{Outcome, Verb};
use engine::{Action, ActionResult, Authorized};
use manifest::Object;
use yaml::Value;

use crate::apply::Write;
use crate::client::WriteOptions;
use crate::{Class, Cluster, Error, Resource};

/// How often a finalizer is taken off again when somebody else writes in between.
const CONFLICT_RETRIES: u32 = 5;

impl Cluster {
    /// Carries out one action. The cache knows the result when this returns, so that the next look
    /// at the live objects includes it.
    ///
    /// Never fails: a refusal of the server is a result, in the server's words.
    pub async fn execute(&self, action: &Authorized<Action>) -> ActionResult {
        match self.try_execute(action.get()).await {
            Ok(result) => result,
            Err(error) => ActionResult::failed(error.to_string()),
        }
    }

    async fn try_execute(&self, action: &Action) -> Result<ActionResult, Error> {
        let resource = self.resource(&action.gvk).await?;
        let shared = self.shared();
        match &action.verb {
            Verb::Apply(apply) => {
                let applied = Write {
                    shared,
                    resource: &resource,
                    apply,
                }
                .run()
                .await?;
                if apply.run == engine::action::Run::Wet {
                    shared.object_answered(applied.object.clone());
                }
                Ok(ActionResult {
                    reconciled: applied.reconciled,
                    warnings: applied.warnings,
                    object: Some(applied.object),
                    ..ActionResult::done(applied.outcome)
                })
            }
            Verb::Delete { propagation, uid } => {
                let target = (&*resource, &*action.key.namespace, &*action.key.name);
                let left = match shared.client.delete(target, *propagation, uid).await {
                    // The uid is another one: what was to go is gone, and what is there is new.
                    Err(error) if error.class() == Class::Conflict => None,
                    other => other?,
                };
                match &left {
                    Some(object) => shared.object_answered(object.clone()),
                    None => {
                        self.fetch(&action.key).await?;
                    }
                }
                Ok(ActionResult {
                    object: left,
                    ..ActionResult::done(Outcome::Deleted)
                })
            }
            Verb::RemoveFinalizer(finalizer) => {
                self.remove_finalizer(&resource, action, finalizer).await
            }
        }
    }

    async fn remove_finalizer(
        &self,
        resource: &Resource,
        action: &Action,
        finalizer: &str,
    ) -> Result<ActionResult, Error> {
        let client = self.client();
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let found = client
                .get(resource, &action.key.namespace, &action.key.name)
                .await?;
            let Some(mut object) = found.filter(|object| has_finalizer(object, finalizer)) else {
                return Ok(ActionResult::done(Outcome::Patched));
            };
            if let Some(Value::List(list)) = object.metadata_mut().get_mut("finalizers") {
                list.retain(|item| item.as_str() != Some(finalizer));
            }
            // Without a field manager, as recorded.
            match client
                .update(resource, &object, WriteOptions::default())
                .await
            {
                Err(error) if error.class() == Class::NotFound => break,
                Err(error) if error.class() == Class::Conflict && retries_left > 0 => {}
                Err(error) => return Err(error),
                Ok(written) => {
                    // An object that waited for this finalizer alone is gone now.
                    self.fetch(&action.key).await?;
                    return Ok(ActionResult {
                        object: Some(written.object),
                        ..ActionResult::done(Outcome::Patched)
                    });
                }
            }
        }
        Ok(ActionResult::done(Outcome::Patched))
    }
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    let list = object
        .value()
        .at(&["metadata", "finalizers"])
        .and_then(Value::as_list);
    list.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(finalizer)))
}
