//! The pull request generator: open pull requests of a repository.

use std::collections::BTreeMap;

use crate::application_set::ApplicationSetTemplate;
use crate::application_set::generators::{BasicAuth, BearerToken, ConfigMapKeyRef, SecretRef};
use crate::wire::record;

record! {
    /// Open pull requests, at exactly one provider.
    pub struct PullRequestGenerator {
        /// GitHub.
        optional "github" github: Option<PullRequestsGithub>,
        /// GitLab.
        optional "gitlab" gitlab: Option<PullRequestsGitlab>,
        /// Gitea.
        optional "gitea" gitea: Option<PullRequestsGitea>,
        /// Bitbucket Server.
        optional "bitbucketServer" bitbucket_server: Option<PullRequestsBitbucketServer>,
        /// Which pull requests count.
        optional "filters" filters: Vec<PullRequestFilter>,
        /// How often to look.
        optional "requeueAfterSeconds" requeue_after_seconds: Option<i64>,
        /// Overrides of the template.
        optional "template" template: ApplicationSetTemplate,
        /// Bitbucket Cloud.
        optional "bitbucket" bitbucket: Option<PullRequestsBitbucket>,
        /// Azure DevOps.
        optional "azuredevops" azure_devops: Option<PullRequestsAzureDevOps>,
        /// More parameters.
        optional "values" values: BTreeMap<String, String>,
        /// Whether a missing repository counts as one without pull requests.
        optional "continueOnRepoNotFoundError" continue_on_repo_not_found_error: bool,
    }
}

record! {
    /// Pull requests at GitHub.
    pub struct PullRequestsGithub {
        /// The owner.
        required "owner" owner: String,
        /// The repository.
        required "repo" repo: String,
        /// URL of the API.
        optional "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// A Secret with a GitHub App.
        optional "appSecretName" app_secret_name: String,
        /// Labels that they must have.
        optional "labels" labels: Vec<String>,
    }
}

record! {
    /// Merge requests at GitLab.
    pub struct PullRequestsGitlab {
        /// The project.
        required "project" project: String,
        /// URL of the API.
        optional "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// Labels that they must have.
        optional "labels" labels: Vec<String>,
        /// The state that they must have.
        optional "pullRequestState" pull_request_state: String,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Certificates to trust.
        optional "caRef" ca_ref: Option<ConfigMapKeyRef>,
    }
}

record! {
    /// Pull requests at Gitea.
    pub struct PullRequestsGitea {
        /// The owner.
        required "owner" owner: String,
        /// The repository.
        required "repo" repo: String,
        /// URL of the server.
        required "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Labels that they must have.
        optional "labels" labels: Vec<String>,
    }
}

record! {
    /// Pull requests at Bitbucket Server.
    pub struct PullRequestsBitbucketServer {
        /// The project.
        required "project" project: String,
        /// The repository.
        required "repo" repo: String,
        /// URL of the API.
        required "api" api: String,
        /// User and password.
        optional "basicAuth" basic_auth: Option<BasicAuth>,
        /// The token.
        optional "bearerToken" bearer_token: Option<BearerToken>,
        /// Whether the server's certificate is not checked.
        optional "insecure" insecure: bool,
        /// Certificates to trust.
        optional "caRef" ca_ref: Option<ConfigMapKeyRef>,
    }
}

record! {
    /// Pull requests at Bitbucket Cloud.
    pub struct PullRequestsBitbucket {
        /// The workspace.
        required "owner" owner: String,
        /// The repository.
        required "repo" repo: String,
        /// URL of the API.
        optional "api" api: String,
        /// User and password.
        optional "basicAuth" basic_auth: Option<BasicAuth>,
        /// The token.
        optional "bearerToken" bearer_token: Option<BearerToken>,
    }
}

record! {
    /// Pull requests at Azure DevOps.
    pub struct PullRequestsAzureDevOps {
        /// The organization.
        required "organization" organization: String,
        /// The project.
        required "project" project: String,
        /// The repository.
        required "repo" repo: String,
        /// URL of the server.
        optional "api" api: String,
        /// The token.
        optional "tokenRef" token_ref: Option<SecretRef>,
        /// Labels that they must have.
        optional "labels" labels: Vec<String>,
    }
}

record! {
    /// Which pull requests count; all that is set must hold.
    pub struct PullRequestFilter {
        /// Their branch, a regular expression.
        optional "branchMatch" branch_match: Option<String>,
        /// The branch they go to, a regular expression.
        optional "targetBranchMatch" target_branch_match: Option<String>,
        /// Their title, a regular expression.
        optional "titleMatch" title_match: Option<String>,
    }
}
