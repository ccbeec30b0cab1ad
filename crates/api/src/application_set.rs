//! ApplicationSet: Applications made from a template and generators. Types only.

pub mod generators;
pub mod pull_requests;
pub mod scm;

use std::collections::BTreeMap;

use crate::application::ApplicationSpec;
use crate::application_set::generators::Generator;
use crate::source::IntOrString;
use crate::status::{Health, ResourceStatus};
use crate::text_enum::text_enum;
use crate::wire::record;
use crate::{Metadata, Time};

record! {
    /// Applications made from a template.
    pub struct ApplicationSet {
        /// Version of the API; `argoproj.io/v1alpha1`.
        optional "apiVersion" api_version: String,
        /// `ApplicationSet`.
        optional "kind" kind: String,
        /// Name, labels and the like.
        required "metadata" metadata: Metadata,
        /// What is asked for.
        required "spec" spec: ApplicationSetSpec,
        /// What was found.
        optional "status" status: ApplicationSetStatus,
    }
}

record! {
    /// What an ApplicationSet asks for.
    pub struct ApplicationSetSpec {
        /// Whether the template is a Go template.
        optional "goTemplate" go_template: bool,
        /// Where the parameters come from.
        required "generators" generators: Vec<Generator>,
        /// What each set of parameters is put into.
        required "template" template: ApplicationSetTemplate,
        /// What may be done to the Applications.
        optional "syncPolicy" sync_policy: Option<ApplicationSetSyncPolicy>,
        /// In which order Applications change.
        optional "strategy" strategy: Option<Strategy>,
        /// Labels and annotations that are left alone.
        optional "preservedFields" preserved_fields: Option<PreservedFields>,
        /// Options of Go templates.
        optional "goTemplateOptions" go_template_options: Vec<String>,
        /// Whether selectors in nested generators count.
        optional "applyNestedSelectors" apply_nested_selectors: bool,
        /// Fields of the Applications that are left alone.
        optional "ignoreApplicationDifferences" ignore_application_differences: Vec<IgnoreApplicationDifferences>,
        /// A patch of the template, a template itself.
        optional "templatePatch" template_patch: Option<String>,
    }
}

record! {
    /// An Application to be made.
    pub struct ApplicationSetTemplate {
        /// Its metadata.
        required "metadata" metadata: TemplateMetadata,
        /// Its spec.
        required "spec" spec: ApplicationSpec,
    }
}

record! {
    /// Metadata of an Application to be made.
    pub struct TemplateMetadata {
        /// The name.
        optional "name" name: String,
        /// The namespace.
        optional "namespace" namespace: String,
        /// Labels.
        optional "labels" labels: BTreeMap<String, String>,
        /// Annotations.
        optional "annotations" annotations: BTreeMap<String, String>,
        /// Finalizers.
        optional "finalizers" finalizers: Vec<String>,
    }
}

record! {
    /// What may be done to the Applications.
    pub struct ApplicationSetSyncPolicy {
        /// Whether the Applications' objects stay when the set is deleted.
        optional "preserveResourcesOnDeletion" preserve_resources_on_deletion: bool,
        /// Which of create, update and delete are allowed.
        optional "applicationsSync" applications_sync: Option<ApplicationsSync>,
    }
}

text_enum! {
    /// Which changes of Applications are allowed.
    pub enum ApplicationsSync {
        /// Create.
        CreateOnly = "create-only",
        /// Create and update.
        CreateUpdate = "create-update",
        /// Create and delete.
        CreateDelete = "create-delete",
        /// All.
        Sync = "sync",
    }
}

record! {
    /// In which order Applications change.
    pub struct Strategy {
        /// `AllAtOnce` or `RollingSync`.
        optional "type" strategy_type: String,
        /// The steps of a rolling sync.
        optional "rollingSync" rolling_sync: Option<RollingSync>,
        /// `AllAtOnce` or `Reverse`.
        optional "deletionOrder" deletion_order: String,
    }
}

record! {
    /// The steps of a rolling sync.
    pub struct RollingSync {
        /// One after the other.
        optional "steps" steps: Vec<RollingStep>,
    }
}

record! {
    /// Applications that sync together.
    pub struct RollingStep {
        /// Which ones, by their labels.
        optional "matchExpressions" match_expressions: Vec<StepExpression>,
        /// How many at a time.
        optional "maxUpdate" max_update: Option<IntOrString>,
    }
}

record! {
    /// A rule about a label.
    pub struct StepExpression {
        /// The label.
        optional "key" key: String,
        /// `In` or `NotIn`.
        optional "operator" operator: String,
        /// The values.
        optional "values" values: Vec<String>,
    }
}

record! {
    /// Labels and annotations that are left alone.
    pub struct PreservedFields {
        /// Annotations.
        optional "annotations" annotations: Vec<String>,
        /// Labels.
        optional "labels" labels: Vec<String>,
    }
}

record! {
    /// Fields of some Applications that are left alone.
    pub struct IgnoreApplicationDifferences {
        /// One Application; empty for all.
        optional "name" name: String,
        /// Fields by JSON pointer.
        optional "jsonPointers" json_pointers: Vec<String>,
        /// Fields by jq path.
        optional "jqPathExpressions" jq_path_expressions: Vec<String>,
    }
}

record! {
    /// What was found about an ApplicationSet.
    pub struct ApplicationSetStatus {
        /// What is wrong, or worth knowing.
        optional "conditions" conditions: Vec<ApplicationSetCondition>,
        /// The Applications in a rolling sync.
        optional "applicationStatus" application_status: Vec<ApplicationSetMember>,
        /// The Applications.
        optional "resources" resources: Vec<ResourceStatus>,
        /// How many Applications there are.
        optional "resourcesCount" resources_count: i64,
        /// How they fare.
        optional "health" health: Health,
    }
}

record! {
    /// Something wrong, or worth knowing.
    pub struct ApplicationSetCondition {
        /// What it is about.
        required "type" condition_type: String,
        /// In words.
        required "message" message: String,
        /// When the status changed.
        optional "lastTransitionTime" last_transition_time: Option<Time>,
        /// `True`, `False` or `Unknown`.
        required "status" status: String,
        /// Why, in one word.
        required "reason" reason: String,
    }
}

record! {
    /// An Application in a rolling sync.
    pub struct ApplicationSetMember {
        /// Its name.
        required "application" application: String,
        /// When the status changed.
        optional "lastTransitionTime" last_transition_time: Option<Time>,
        /// In words.
        required "message" message: String,
        /// How far it is.
        required "status" status: String,
        /// The step it belongs to.
        required "step" step: String,
        /// The revisions it goes to.
        required "targetRevisions" target_revisions: Vec<String>,
    }
}
