//! Generators of ApplicationSets: where sets of parameters come from.

use std::collections::BTreeMap;

use yaml::Value;

use crate::application_set::ApplicationSetTemplate;
use crate::application_set::pull_requests::PullRequestGenerator;
use crate::application_set::scm::ScmProviderGenerator;
use crate::wire::record;

record! {
    /// One generator: exactly one of its kinds is set.
    pub struct Generator {
        /// A list in the set itself.
        optional "list" list: Option<ListGenerator>,
        /// Clusters that are known.
        optional "clusters" clusters: Option<ClusterGenerator>,
        /// Files or folders of a repository.
        optional "git" git: Option<GitGenerator>,
        /// Repositories of an organization.
        optional "scmProvider" scm_provider: Option<ScmProviderGenerator>,
        /// Clusters that a custom resource names.
        optional "clusterDecisionResource" cluster_decision_resource: Option<DuckTypeGenerator>,
        /// Open pull requests.
        optional "pullRequest" pull_request: Option<PullRequestGenerator>,
        /// Each of one with each of another.
        optional "matrix" matrix: Option<MatrixGenerator>,
        /// Several, joined by keys.
        optional "merge" merge: Option<MergeGenerator>,
        /// Which sets of parameters count.
        optional "selector" selector: Option<LabelSelector>,
        /// A program that answers over HTTP.
        optional "plugin" plugin: Option<PluginGenerator>,
    }
}

record! {
    /// A generator inside of a matrix or merge.
    pub struct NestedGenerator {
        /// A list in the set itself.
        optional "list" list: Option<ListGenerator>,
        /// Clusters that are known.
        optional "clusters" clusters: Option<ClusterGenerator>,
        /// Files or folders of a repository.
        optional "git" git: Option<GitGenerator>,
        /// Repositories of an organization.
        optional "scmProvider" scm_provider: Option<ScmProviderGenerator>,
        /// Clusters that a custom resource names.
        optional "clusterDecisionResource" cluster_decision_resource: Option<DuckTypeGenerator>,
        /// Open pull requests.
        optional "pullRequest" pull_request: Option<PullRequestGenerator>,
        /// A matrix one level further down.
        optional "matrix" matrix: Option<Value>,
        /// A merge one level further down.
        optional "merge" merge: Option<Value>,
        /// Which sets of parameters count.
        optional "selector" selector: Option<LabelSelector>,
        /// A program that answers over HTTP.
        optional "plugin" plugin: Option<PluginGenerator>,
    }
}

record! {
    /// A list in the set itself.
    pub struct ListGenerator {
        /// Sets of parameters.
        optional "elements" elements: Vec<Value>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// More sets of parameters, as a text of YAML.
        optional "elementsYaml" elements_yaml: String,
    }
}

record! {
    /// Clusters that are known.
    pub struct ClusterGenerator {
        /// Which ones, by the labels of their Secrets.
        optional "selector" selector: LabelSelector,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
        /// Whether all clusters become one set of parameters.
        optional "flatList" flat_list: bool,
    }
}

record! {
    /// Which objects count, by their labels.
    pub struct LabelSelector {
        /// Labels with their values.
        optional "matchLabels" match_labels: BTreeMap<String, String>,
        /// Rules about labels.
        optional "matchExpressions" match_expressions: Vec<LabelExpression>,
    }
}

record! {
    /// A rule about a label.
    pub struct LabelExpression {
        /// The label.
        required "key" key: String,
        /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
        required "operator" operator: String,
        /// The values.
        optional "values" values: Vec<String>,
    }
}

record! {
    /// Files or folders of a repository.
    pub struct GitGenerator {
        /// URL of the repository.
        required "repoURL" repo_url: String,
        /// Folders.
        optional "directories" directories: Vec<GitPath>,
        /// Files.
        optional "files" files: Vec<GitPath>,
        /// Branch, tag or commit.
        required "revision" revision: String,
        /// How often to look.
        optional "requeueAfterSeconds" requeue_after_seconds: Option<i64>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// Prefix of the parameters about the path.
        optional "pathParamPrefix" path_param_prefix: String,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
    }
}

record! {
    /// Files or folders by glob.
    pub struct GitPath {
        /// The glob.
        required "path" path: String,
        /// Whether they are left out.
        optional "exclude" exclude: bool,
    }
}

record! {
    /// Clusters that a custom resource names.
    pub struct DuckTypeGenerator {
        /// A ConfigMap that describes the custom resource.
        required "configMapRef" config_map_ref: String,
        /// Name of one resource.
        optional "name" name: String,
        /// How often to look.
        optional "requeueAfterSeconds" requeue_after_seconds: Option<i64>,
        /// Which resources count.
        optional "labelSelector" label_selector: LabelSelector,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
    }
}

record! {
    /// Each of one generator with each of another.
    pub struct MatrixGenerator {
        /// The two generators.
        required "generators" generators: Vec<NestedGenerator>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
    }
}

record! {
    /// Several generators, joined by keys.
    pub struct MergeGenerator {
        /// The generators; the first is the base.
        required "generators" generators: Vec<NestedGenerator>,
        /// The parameters to join by.
        required "mergeKeys" merge_keys: Vec<String>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
    }
}

record! {
    /// A program that answers over HTTP.
    pub struct PluginGenerator {
        /// A ConfigMap with its address.
        required "configMapRef" config_map_ref: PluginConfigMapRef,
        /// What it is asked.
        optional "input" input: PluginInput,
        /// How often to ask.
        optional "requeueAfterSeconds" requeue_after_seconds: Option<i64>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
    }
}

record! {
    /// A ConfigMap by name.
    pub struct PluginConfigMapRef {
        /// The name.
        required "name" name: String,
    }
}

record! {
    /// What a generator plugin is asked.
    pub struct PluginInput {
        /// Any parameters.
        optional "parameters" parameters: BTreeMap<String, Value>,
    }
}

record! {
    /// A key of a Secret.
    pub struct SecretRef {
        /// The Secret.
        required "secretName" secret_name: String,
        /// The key.
        required "key" key: String,
    }
}

record! {
    /// A key of a ConfigMap.
    pub struct ConfigMapKeyRef {
        /// The ConfigMap.
        required "configMapName" config_map_name: String,
        /// The key.
        required "key" key: String,
    }
}

record! {
    /// User and password.
    pub struct BasicAuth {
        /// The user.
        required "username" username: String,
        /// The password.
        required "passwordRef" password_ref: Option<SecretRef>,
    }
}

record! {
    /// A token.
    pub struct BearerToken {
        /// The token.
        required "tokenRef" token_ref: Option<SecretRef>,
    }
}
