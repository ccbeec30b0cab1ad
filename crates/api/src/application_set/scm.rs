//! The SCM provider generator: repositories of an organization.

use std::collections::BTreeMap;

use crate::application_set::ApplicationSetTemplate;
use crate::application_set::generators::{BasicAuth, BearerToken, ConfigMapKeyRef, SecretRef};
use crate::wire::record;

record! {
    /// Repositories of an organization, at exactly one provider.
    pub struct ScmProviderGenerator {
        /// GitHub.
        optional "github" github: Option<ScmGithub>,
        /// GitLab.
        optional "gitlab" gitlab: Option<ScmGitlab>,
        /// Bitbucket Cloud.
        optional "bitbucket" bitbucket: Option<ScmBitbucket>,
        /// Bitbucket Server.
        optional "bitbucketServer" bitbucket_server: Option<ScmBitbucketServer>,
        /// Gitea.
        optional "gitea" gitea: Option<ScmGitea>,
        /// Azure DevOps.
        optional "azureDevOps" azure_dev_ops: Option<ScmAzureDevOps>,
        /// Which repositories count.
        optional "filters" filters: Vec<ScmFilter>,
        /// `https` or `ssh`.
        optional "cloneProtocol" clone_protocol: String,
        /// How often to look.
        optional "requeueAfterSeconds" requeue_after_seconds: Option<i64>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
        /// AWS CodeCommit.
        optional "awsCodeCommit" aws_code_commit: Option<ScmCodeCommit>,
    }
}

record! {
    /// Repositories at GitHub.
    pub struct ScmGithub {
        /// The organization.
        required "organization" organization: String,
        /// URL of the API.
        optional "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// A Secret with a GitHub App.
        optional "appSecretName" app_secret_name: String,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
        /// Whether archived repositories are left out.
        optional "excludeArchivedRepos" exclude_archived_repos: bool,
    }
}

record! {
    /// Repositories at GitLab.
    pub struct ScmGitlab {
        /// The group.
        required "group" group: String,
        /// Whether groups below count.
        optional "includeSubgroups" include_subgroups: bool,
        /// URL of the API.
        optional "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Whether projects shared with the group count.
        optional "includeSharedProjects" include_shared_projects: Option<bool>,
        /// Only projects with this topic.
        optional "topic" topic: String,
        /// Certificates to trust.
        optional "caRef" ca_ref: Option<ConfigMapKeyRef>,
        /// Whether archived projects count.
        optional "includeArchivedRepos" include_archived_repos: bool,
    }
}

record! {
    /// Repositories at Bitbucket Cloud.
    pub struct ScmBitbucket {
        /// The workspace.
        required "owner" owner: String,
        /// The user.
        required "user" user: String,
        /// The app password.
        required "appPasswordRef" app_password_ref: Option<SecretRef>,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
    }
}

record! {
    /// Repositories at Bitbucket Server.
    pub struct ScmBitbucketServer {
        /// The project.
        required "project" project: String,
        /// URL of the API.
        required "api" api: String,
        /// User and password.
        optional "basicAuth" basic_auth: Option<BasicAuth>,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
        /// The token.
        optional "bearerToken" bearer_token: Option<BearerToken>,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Certificates to trust.
        optional "caRef" ca_ref: Option<ConfigMapKeyRef>,
    }
}

record! {
    /// Repositories at Gitea.
    pub struct ScmGitea {
        /// The organization or user.
        required "owner" owner: String,
        /// URL of the server.
        required "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Whether archived repositories are left out.
        optional "excludeArchivedRepos" exclude_archived_repos: bool,
    }
}

record! {
    /// Repositories at Azure DevOps.
    pub struct ScmAzureDevOps {
        /// The organization.
        required "organization" organization: String,
        /// URL of the server.
        optional "api" api: String,
        /// The team project.
        required "teamProject" team_project: String,
        /// The token.
        required "accessTokenRef" access_token_ref: Option<SecretRef>,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
    }
}

record! {
    /// Repositories at AWS CodeCommit.
    pub struct ScmCodeCommit {
        /// Which repositories count, by their tags.
        optional "tagFilters" tag_filters: Vec<TagFilter>,
        /// The role to act as.
        optional "role" role: String,
        /// The region.
        optional "region" region: String,
        /// Whether all branches count.
        optional "allBranches" all_branches: bool,
    }
}

record! {
    /// A tag of AWS.
    pub struct TagFilter {
        /// The tag.
        required "key" key: String,
        /// Its value.
        optional "value" value: String,
    }
}

record! {
    /// Which repositories count; all that is set must hold.
    pub struct ScmFilter {
        /// The name, a regular expression.
        optional "repositoryMatch" repository_match: Option<String>,
        /// Paths that must exist.
        optional "pathsExist" paths_exist: Vec<String>,
        /// Paths that must not exist.
        optional "pathsDoNotExist" paths_do_not_exist: Vec<String>,
        /// A label, a regular expression.
        optional "labelMatch" label_match: Option<String>,
        /// The branch, a regular expression.
        optional "branchMatch" branch_match: Option<String>,
    }
}
