//! Where desired state comes from: one source of an Application and the options of each tool.

mod int_or_string;

pub use int_or_string::IntOrString;

use std::collections::BTreeMap;

use crate::wire::record;

record! {
    /// One source: a path in a Git repository, a Helm chart, or an OCI artifact.
    pub struct Source {
        /// URL of the Git, Helm or OCI repository.
        required "repoURL" repo_url: String,
        /// Path in the repository; Git only.
        optional "path" path: String,
        /// What is asked for: branch, tag, commit or semver range; empty means HEAD or the newest chart.
        optional "targetRevision" target_revision: String,
        /// Options of Helm.
        optional "helm" helm: Option<Box<Helm>>,
        /// Options of Kustomize.
        optional "kustomize" kustomize: Option<Box<Kustomize>>,
        /// Options of plain directories.
        optional "directory" directory: Option<Box<Directory>>,
        /// Options of a config management plugin.
        optional "plugin" plugin: Option<Box<Plugin>>,
        /// Name of a Helm chart.
        optional "chart" chart: String,
        /// Name by which other sources of the Application refer to this one's files.
        optional "ref" reference_name: String,
        /// Name of the source, for people and the CLI.
        optional "name" name: String,
        /// Only tags with this prefix count for a semver range.
        optional "tagPrefix" tag_prefix: String,
    }
}

record! {
    /// Options of a directory of manifests.
    pub struct Directory {
        /// Whether folders below are read.
        optional "recurse" recurse: bool,
        /// Options of Jsonnet files.
        optional "jsonnet" jsonnet: Jsonnet,
        /// Glob of paths that are left out.
        optional "exclude" exclude: String,
        /// Glob of paths that are read.
        optional "include" include: String,
        /// Whether files count whatever their extension is.
        optional "disableExtensionFilter" disable_extension_filter: bool,
    }
}

record! {
    /// Options of Jsonnet.
    pub struct Jsonnet {
        /// External variables.
        optional "extVars" ext_vars: Vec<JsonnetVar>,
        /// Top-level arguments.
        optional "tlas" tlas: Vec<JsonnetVar>,
        /// Library folders.
        optional "libs" libs: Vec<String>,
    }
}

record! {
    /// A variable of Jsonnet.
    pub struct JsonnetVar {
        /// The name.
        required "name" name: String,
        /// The value, text or code.
        required "value" value: String,
        /// Whether the value is code.
        optional "code" code: bool,
    }
}

record! {
    /// Options of Helm.
    pub struct Helm {
        /// Values files, later ones win.
        optional "valueFiles" value_files: Vec<String>,
        /// Single values, as `helm --set`.
        optional "parameters" parameters: Vec<HelmParameter>,
        /// The release's name; empty means the Application's.
        optional "releaseName" release_name: String,
        /// Values as a text of YAML.
        optional "values" values: String,
        /// Values from files, as `helm --set-file`.
        optional "fileParameters" file_parameters: Vec<HelmFileParameter>,
        /// Version of Helm; only v3 exists.
        optional "version" version: String,
        /// Whether credentials go to every host.
        optional "passCredentials" pass_credentials: bool,
        /// Whether a missing values file is no error.
        optional "ignoreMissingValueFiles" ignore_missing_value_files: bool,
        /// Whether the chart's CRDs are left out.
        optional "skipCrds" skip_crds: bool,
        /// Values as an object; wins over the text.
        optional "valuesObject" values_object: Option<yaml::Map>,
        /// The namespace that templates see.
        optional "namespace" namespace: String,
        /// The Kubernetes version that templates see.
        optional "kubeVersion" kube_version: String,
        /// The API versions that templates see.
        optional "apiVersions" api_versions: Vec<String>,
        /// Whether test hooks are left out.
        optional "skipTests" skip_tests: bool,
        /// Whether the values' JSON schema is not checked.
        optional "skipSchemaValidation" skip_schema_validation: bool,
    }
}

record! {
    /// One value given to Helm.
    pub struct HelmParameter {
        /// The path of the value, in Helm's syntax.
        optional "name" name: String,
        /// The value.
        optional "value" value: String,
        /// Whether the value stays text, as `helm --set-string`.
        optional "forceString" force_string: bool,
    }
}

record! {
    /// One value given to Helm from a file.
    pub struct HelmFileParameter {
        /// The path of the value, in Helm's syntax.
        optional "name" name: String,
        /// The file.
        optional "path" path: String,
    }
}

record! {
    /// Options of Kustomize.
    pub struct Kustomize {
        /// Prefix of all names.
        optional "namePrefix" name_prefix: String,
        /// Suffix of all names.
        optional "nameSuffix" name_suffix: String,
        /// Images to replace, as `[old=]new[:tag|@digest]`.
        optional "images" images: Vec<String>,
        /// Labels for all objects.
        optional "commonLabels" common_labels: BTreeMap<String, String>,
        /// Version of Kustomize.
        optional "version" version: String,
        /// Annotations for all objects.
        optional "commonAnnotations" common_annotations: BTreeMap<String, String>,
        /// Whether labels replace those that exist.
        optional "forceCommonLabels" force_common_labels: bool,
        /// Whether annotations replace those that exist.
        optional "forceCommonAnnotations" force_common_annotations: bool,
        /// Namespace of all objects.
        optional "namespace" namespace: String,
        /// Whether variables in annotation values are replaced.
        optional "commonAnnotationsEnvsubst" common_annotations_envsubst: bool,
        /// Replica counts to set.
        optional "replicas" replicas: Vec<KustomizeReplica>,
        /// Patches to apply.
        optional "patches" patches: Vec<KustomizePatch>,
        /// Components to add.
        optional "components" components: Vec<String>,
        /// Whether a missing component is no error.
        optional "ignoreMissingComponents" ignore_missing_components: bool,
        /// Whether common labels stay out of selectors.
        optional "labelWithoutSelector" label_without_selector: bool,
        /// The Kubernetes version that charts see.
        optional "kubeVersion" kube_version: String,
        /// The API versions that charts see.
        optional "apiVersions" api_versions: Vec<String>,
        /// Whether labels go into templates too.
        optional "labelIncludeTemplates" label_include_templates: bool,
    }
}

record! {
    /// A replica count for workloads of one name.
    pub struct KustomizeReplica {
        /// The workload's name.
        required "name" name: String,
        /// The count.
        required "count" count: IntOrString,
    }
}

record! {
    /// A patch of Kustomize.
    pub struct KustomizePatch {
        /// A file with the patch.
        optional "path" path: String,
        /// The patch itself.
        optional "patch" patch: String,
        /// Which objects it is for.
        optional "target" target: Option<KustomizeTarget>,
        /// Switches of the patch.
        optional "options" options: BTreeMap<String, bool>,
    }
}

record! {
    /// Which objects a patch is for.
    pub struct KustomizeTarget {
        /// API group.
        optional "group" group: String,
        /// API version.
        optional "version" version: String,
        /// Kind.
        optional "kind" kind: String,
        /// Name, a regular expression.
        optional "name" name: String,
        /// Namespace, a regular expression.
        optional "namespace" namespace: String,
        /// Annotation selector.
        optional "annotationSelector" annotation_selector: String,
        /// Label selector.
        optional "labelSelector" label_selector: String,
    }
}

record! {
    /// Options of a config management plugin.
    pub struct Plugin {
        /// The plugin's name; empty means that it is found by its files.
        optional "name" name: String,
        /// Environment variables.
        optional "env" env: Vec<NameValue>,
        /// Parameters.
        optional "parameters" parameters: Vec<PluginParameter>,
    }
}

record! {
    /// A parameter of a plugin: one of text, list or map.
    pub struct PluginParameter {
        /// The name.
        optional "name" name: String,
        /// The value when it is text.
        optional "string" string: Option<String>,
        /// The value when it is a map.
        optional "map" map: Option<BTreeMap<String, String>>,
        /// The value when it is a list.
        optional "array" array: Option<Vec<String>>,
    }
}

record! {
    /// A name and its value.
    pub struct NameValue {
        /// The name.
        required "name" name: String,
        /// The value.
        required "value" value: String,
    }
}
