//! The results of tasks, as they stand in an operation's state.
//!
//! Read [`Results`] first. It is the only memory of a sync: what is not in it has not happened.

use api::operation::OperationPhase;
use api::operation::{HookType, OperationState, ResourceResult, ResultCode, SyncPhase, SyncResult};
use manifest::Object;
use yaml::Value;

use crate::hook::Phase;
use crate::plan::Task;

/// The results of one operation, in the order of completion.
#[derive(Clone, Debug)]
pub(crate) struct Results<'a> {
    state: OperationState,
    destination: &'a str,
}

/// What happened to a task.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// `Unset` keeps the code that is there.
    pub(crate) code: ResultCode,
    pub(crate) phase: OperationPhase,
    /// Empty keeps the message that is there.
    pub(crate) message: String,
}

impl Report {
    /// A result of an action: the phase follows from the code.
    pub(crate) fn of(code: ResultCode, message: impl Into<String>) -> Self {
        let phase = match code {
            ResultCode::Synced => OperationPhase::Running,
            ResultCode::SyncFailed => OperationPhase::Failed,
            ResultCode::Pruned | ResultCode::PruneSkipped => OperationPhase::Succeeded,
            ResultCode::Unset | ResultCode::Other(_) => OperationPhase::Unset,
        };
        Report {
            code,
            phase,
            message: message.into(),
        }
    }

    /// A new phase for a task whose code stays.
    pub(crate) fn phase(phase: OperationPhase, message: impl Into<String>) -> Self {
        Report {
            code: ResultCode::Unset,
            phase,
            message: message.into(),
        }
    }
}

impl<'a> Results<'a> {
    pub(crate) fn new(state: &OperationState, destination: &'a str) -> Self {
        Results {
            state: state.clone(),
            destination,
        }
    }

    pub(crate) fn into_state(self) -> OperationState {
        self.state
    }

    /// Sets the phase and message of the whole operation.
    pub(crate) fn conclude(&mut self, phase: OperationPhase, message: impl Into<String>) {
        self.state.phase = phase;
        self.state.message = message.into();
    }

    /// Whether anything was done, or tried, already.
    pub(crate) fn is_started(&self) -> bool {
        self.all().next().is_some()
    }

    fn all(&self) -> impl Iterator<Item = &ResourceResult> {
        self.state
            .sync_result
            .iter()
            .flat_map(|result| &result.resources)
    }

    /// The result of a task.
    pub(crate) fn get(&self, task: &Task) -> Option<&ResourceResult> {
        self.all()
            .find(|result| is_of(result, task, self.destination))
    }

    pub(crate) fn phase_of(&self, task: &Task) -> OperationPhase {
        self.get(task)
            .map(|result| result.hook_phase.clone())
            .unwrap_or_default()
    }

    pub(crate) fn is_pending(&self, task: &Task) -> bool {
        self.phase_of(task).is_unset()
    }

    pub(crate) fn is_running(&self, task: &Task) -> bool {
        self.phase_of(task) == OperationPhase::Running
    }

    pub(crate) fn is_completed(&self, task: &Task) -> bool {
        self.phase_of(task).is_completed()
    }

    pub(crate) fn has_failed(&self, task: &Task) -> bool {
        let phase = self.phase_of(task);
        phase.is_completed() && !phase.is_successful()
    }

    pub(crate) fn is_pruned(&self, task: &Task) -> bool {
        self.get(task)
            .is_some_and(|result| result.status == ResultCode::Pruned)
    }

    pub(crate) fn is_sync_failed(&self, task: &Task) -> bool {
        self.get(task)
            .is_some_and(|result| result.status == ResultCode::SyncFailed)
    }

    /// Writes down what happened to a task.
    pub(crate) fn record(&mut self, task: &Task, report: Report) {
        let destination = self.destination;
        let resources = &mut self
            .state
            .sync_result
            .get_or_insert_with(SyncResult::default)
            .resources;
        match resources
            .iter_mut()
            .find(|result| is_of(result, task, destination))
        {
            Some(result) => {
                if !report.code.is_unset() {
                    result.status = report.code;
                }
                result.hook_phase = report.phase;
                if !report.message.is_empty() {
                    result.message = report.message;
                }
            }
            None => resources.push(new_result(task, report, destination)),
        }
    }
}

fn is_of(result: &ResourceResult, task: &Task, destination: &str) -> bool {
    let key = &task.key.object;
    key.name == result.name.as_str()
        && key.kind == result.kind.as_str()
        && key.group == result.group.as_str()
        && task.result_namespace(destination) == result.namespace
        && result.sync_phase == sync_phase(task.key.phase)
}

fn new_result(task: &Task, report: Report, destination: &str) -> ResourceResult {
    let key = &task.key.object;
    // An object without a name is shown without one (recording generatename-plain).
    let name = task.object().map_or(key.name.as_str(), Object::name);
    ResourceResult {
        group: key.group.to_string(),
        version: task.gvk.version.to_string(),
        kind: key.kind.to_string(),
        namespace: task.result_namespace(destination).to_owned(),
        name: name.to_owned(),
        status: report.code,
        message: report.message,
        hook_type: if task.is_hook {
            hook_type(task.key.phase)
        } else {
            HookType::Unset
        },
        hook_phase: report.phase,
        sync_phase: sync_phase(task.key.phase),
        images: task.object().map(images).unwrap_or_default(),
        ..ResourceResult::default()
    }
}

fn sync_phase(phase: Phase) -> SyncPhase {
    phase.as_str().into()
}

fn hook_type(phase: Phase) -> HookType {
    phase.as_str().into()
}

/// The images of a workload's containers, sorted, each once.
pub(crate) fn images(object: &Object) -> Vec<String> {
    let specs: [&[&str]; 3] = [
        &["spec"],
        &["spec", "template", "spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ];
    let mut images: Vec<String> = specs
        .iter()
        .filter_map(|path| object.value().at(path))
        .flat_map(|spec| ["initContainers", "containers"].map(|list| spec.get(list)))
        .flatten()
        .filter_map(Value::as_list)
        .flatten()
        .filter_map(|container| container.get("image")?.as_str().map(str::to_owned))
        .collect();
    images.sort();
    images.dedup();
    images
}
