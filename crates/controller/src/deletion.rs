//! Deletes what an Application has made, when it is deleted itself (semantics M). Which objects,
//! and in which order, is `engine::teardown`'s.
//!
//! Read [`Controller::delete`] first. The finalizer goes when nothing is left that should go.

use std::time::Duration;

use api::application::Cascade;
use api::{Application, Condition, names, reason};
use engine::summarize::merge_conditions;
use engine::teardown::Teardown;

use crate::controller::Controller;
use crate::counters::Count;
use crate::observe::Context;
use crate::{AppKey, Error, destination};

/// What is being deleted is looked at again after this time, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What had no finalizers of its own is gone at once: the next wave is due.
const NEXT_WAVE: Duration = Duration::from_millis(100);

/// Finalizers that stand for a cascade.
const CASCADE: [&str; 3] = [
    names::RESOURCES_FINALIZER,
    names::RESOURCES_FINALIZER_FOREGROUND,
    names::RESOURCES_FINALIZER_BACKGROUND,
];

/// How far the deletion of an Application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// Nothing keeps it any more.
    Over,
    /// It is there as long as this takes, and its status goes on.
    UnderWay,
}

/// What is left of a deletion.
enum Left {
    /// Nothing.
    Nothing,
    /// Something, for this long at least.
    Something(Duration),
    /// It cannot go on; the text says why.
    Stuck(String),
}

impl Controller {
    /// Brings the deletion of an Application forward; its operation ends first.
    pub(crate) async fn delete(
        &self,
        key: &AppKey,
        app: &mut Application,
        stored: &mut Application,
    ) -> Result<Deletion, Error> {
        let cascade = app.cascade();
        if cascade == Cascade::Orphan {
            return Ok(Deletion::Over);
        }
        if is_operating(app) {
            return Ok(Deletion::UnderWay);
        }
        if destination::resolve(&app.spec.destination).is_err() {
            // Where there is no cluster there is nothing to delete (semantics 200).
            app.metadata
                .finalizers
                .retain(|it| !it.contains("argocd.argoproj.io"));
            self.write(stored, app).await?;
            return Ok(Deletion::Over);
        }
        let left = match self.deletion_context(key, app) {
            Ok(context) => self.delete_wave(&context, cascade).await,
            Err(problem) => Left::Stuck(problem),
        };
        let mut conditions = app.status.conditions.clone();
        conditions.retain(|it| it.condition_type != reason::DELETION_ERROR);
        let deletion = match left {
            Left::Nothing => {
                app.metadata
                    .finalizers
                    .retain(|it| !CASCADE.contains(&it.as_str()));
                Deletion::Over
            }
            Left::Something(delay) => {
                self.queue.add_after(key.clone(), delay);
                Deletion::UnderWay
            }
            Left::Stuck(problem) => {
                conditions.push(Condition::new(reason::DELETION_ERROR, problem));
                self.queue.add_after(key.clone(), LOOK_AGAIN);
                Deletion::UnderWay
            }
        };
        app.status.conditions =
            merge_conditions(&app.status.conditions, conditions, self.now().into());
        self.write(stored, app).await?;
        Ok(deletion)
    }

    /// As for a comparison, but for a spec that need not be valid any more.
    fn deletion_context(&self, key: &AppKey, app: &Application) -> Result<Context, String> {
        let name = match app.spec.project.as_str() {
            "" => names::DEFAULT_PROJECT,
            name => name,
        };
        let Some(project) = self.inputs.project(name) else {
            return Err(format!(
                "error getting app project {name:?}: appproject.argoproj.io {name:?} not found"
            ));
        };
        let settings = self.inputs.settings();
        Ok(Context {
            key: key.clone(),
            app: app.clone().into(),
            project,
            cluster: destination::resolve(&app.spec.destination)?,
            instance: app.instance_name(&settings.engine.control_namespace).into(),
            settings,
        })
    }

    /// Deletes the objects of the highest wave that is left.
    async fn delete_wave(&self, context: &Context, cascade: Cascade) -> Left {
        let live = self.cluster.live(&context.instance);
        let actions = match engine::teardown(&live, &context.subject(), cascade) {
            Teardown::Gone => return Left::Nothing,
            Teardown::Wait(why) => {
                tracing::debug!(application = %context.key, why, "deletion waits");
                return Left::Something(LOOK_AGAIN);
            }
            Teardown::Delete(actions) => actions,
        };
        let mut problem = None;
        for action in actions {
            self.counters.add(Count::Action);
            let result = self.cluster.execute(&action).await;
            problem = problem.or(result.outcome.err());
        }
        problem.map_or(Left::Something(NEXT_WAVE), Left::Stuck)
    }
}

fn is_operating(app: &Application) -> bool {
    let state = app.status.operation_state.as_ref();
    app.operation.is_some() && state.is_some_and(|state| !state.phase.is_completed())
}
