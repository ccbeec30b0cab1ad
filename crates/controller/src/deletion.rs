//! Deletes what an Application has made, when it is deleted itself (semantics M). Which steps,
//! objects and hooks, and in which order, is `engine::teardown`'s.
//!
//! Read [`Controller::delete`] first. The finalizer of a step goes when nothing is left of it.

use std::time::Duration;

use api::{Application, Condition, names, reason};
use engine::normalize::Desired;
use engine::summarize::merge_conditions;
use engine::teardown::{self, Step, Teardown};

use crate::controller::Controller;
use crate::counters::Count;
use crate::observe::{Context, Failure, Wanted};
use crate::{AppKey, Error};

/// What is being deleted is looked at again after this time, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What had no finalizers of its own is gone at once: the next wave is due.
const NEXT_WAVE: Duration = Duration::from_millis(100);

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
        let Some(mut step) = Step::next(&app.metadata.finalizers) else {
            return Ok(Deletion::Over);
        };
        if is_operating(app) {
            return Ok(Deletion::UnderWay);
        }
        if self.clusters.resolve(&app.spec.destination).is_err() {
            // Where there is no cluster there is nothing to delete (semantics 200).
            app.metadata
                .finalizers
                .retain(|it| !it.contains("argocd.argoproj.io"));
            self.write(stored, app).await?;
            return Ok(Deletion::Over);
        }
        loop {
            let left = match self.deletion_context(key, app) {
                Ok(Some(context)) => self.bring_forward(&context, step).await?,
                Ok(None) => Left::Something(LOOK_AGAIN),
                Err(problem) => Left::Stuck(problem),
            };
            let is_done = matches!(left, Left::Nothing);
            self.note(key, app, step, left);
            self.write(stored, app).await?;
            match Step::next(&app.metadata.finalizers) {
                None => return Ok(Deletion::Over),
                Some(next) if is_done => step = next,
                Some(_) => return Ok(Deletion::UnderWay),
            }
        }
    }

    /// Puts what became of a step into `app`, and says when it is looked at again.
    fn note(&self, key: &AppKey, app: &mut Application, step: Step, left: Left) {
        let mut conditions = app.status.conditions.clone();
        let is_other = |it: &Condition| it.condition_type != reason::DELETION_ERROR;
        match left {
            Left::Nothing => {
                conditions.retain(is_other);
                app.metadata.finalizers.retain(|it| !step.asks(it));
            }
            Left::Something(delay) => self.queue.add_after(key.clone(), delay),
            Left::Stuck(problem) => {
                conditions.retain(is_other);
                conditions.push(Condition::new(reason::DELETION_ERROR, problem));
                self.queue.add_after(key.clone(), LOOK_AGAIN);
            }
        }
        app.status.conditions =
            merge_conditions(&app.status.conditions, conditions, self.now().into());
    }

    /// As for a comparison, but for a spec that need not be valid any more; `None` while its cluster
    /// is connected to.
    fn deletion_context(&self, key: &AppKey, app: &Application) -> Result<Option<Context>, String> {
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
        let cluster = self.clusters.resolve(&app.spec.destination)?;
        let Some(handle) = self.reach(&cluster)? else {
            return Ok(None);
        };
        Ok(Some(Context {
            key: key.clone(),
            app: app.clone().into(),
            project,
            cluster,
            handle,
            instance: app.instance_name(&settings.engine.control_namespace).into(),
            settings,
        }))
    }

    /// Does what comes next in one step.
    async fn bring_forward(&self, context: &Context, step: Step) -> Result<Left, Error> {
        let subject = context.subject();
        let next = match step {
            Step::Cascade => {
                let live = context.handle.live(&context.instance);
                engine::teardown(&live, &subject, context.app.cascade())
            }
            Step::CleanUp(when) => {
                let live = context.handle.live(&context.instance);
                teardown::clean_up(when, &live, &subject)
            }
            Step::Hooks(when) => {
                let next = match self.desired(context).await? {
                    Ok(desired) => {
                        let live = context.handle.live(&context.instance);
                        teardown::run_hooks(when, &desired, &live, &subject)
                    }
                    Err(failure) => Teardown::Failed(failure.condition.message, Vec::new()),
                };
                match next {
                    Teardown::Failed(problem, actions) => {
                        let problem = format!("error executing {when} hooks: {problem}");
                        Teardown::Failed(problem, actions)
                    }
                    next => next,
                }
            }
        };
        let (mut problem, actions) = match next {
            Teardown::Gone => return Ok(Left::Nothing),
            Teardown::Wait(why) => {
                tracing::debug!(application = %context.key, why, "deletion waits");
                return Ok(Left::Something(LOOK_AGAIN));
            }
            Teardown::Failed(problem, actions) => (Some(problem), actions),
            Teardown::Do(actions) => (None, actions),
        };
        for action in actions {
            self.counters.add(Count::Action);
            let result = context.handle.execute(&action).await;
            problem = problem.or(result.outcome.err());
        }
        Ok(problem.map_or(Left::Something(NEXT_WAVE), Left::Stuck))
    }

    /// What Git says of an Application that is being deleted.
    async fn desired(&self, context: &Context) -> Result<Result<Desired, Failure>, Error> {
        let wanted = Wanted {
            sources: context.app.spec.all_sources(),
            pinned: Vec::new(),
            freshness: self.usual_freshness(),
        };
        let loaded = self.load(context, &wanted).await;
        match loaded.failure {
            Some(failure) => Ok(Err(failure)),
            None => self.normalize(context, loaded.rendered).await.map(Ok),
        }
    }
}

fn is_operating(app: &Application) -> bool {
    let state = app.status.operation_state.as_ref();
    app.operation.is_some() && state.is_some_and(|state| !state.phase.is_completed())
}
