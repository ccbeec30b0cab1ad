//! The command line: every verb and flag, defined once for parser, help and completion.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::origin::Location;

/// GitOps continuous delivery for Kubernetes, with the sandbox built in.
#[derive(Parser)]
#[command(name = "tiphys", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Say more on standard error (-v: what happens, -vv: how)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a repository: start a sandbox and deploy the Applications found there
    Up(UpArguments),
    /// Print the objects that an Application, or a folder of manifests, stands for
    Render(RenderArguments),
    /// Look at Applications and act on them, as `argocd app` does
    #[command(subcommand)]
    App(AppCommand),
    /// Print what a cluster needs for Tiphys
    Install(InstallArguments),
    /// Run only the sandbox: a Kubernetes API without a cluster
    Sandbox(SandboxArguments),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What `up` runs, and how.
#[derive(Args)]
pub(crate) struct UpArguments {
    /// A folder in a Git repository, a folder of manifests, or the URL of a repository
    #[arg(value_name = "PATH-OR-URL", default_value = ".", value_parser = Location::parse)]
    pub(crate) location: Location,
    /// Apply the Applications of this file instead of those found
    #[arg(long, value_name = "FILE")]
    pub(crate) app: Option<PathBuf>,
    /// Deploy this folder of manifests as one Application (an app-of-apps root)
    #[arg(long = "path", value_name = "DIR", conflicts_with = "app")]
    pub(crate) root: Option<String>,
    /// Read a repository URL from a local folder (may be repeated)
    #[arg(long, value_name = "URL=PATH", value_parser = url_and_path)]
    pub(crate) map: Vec<(String, PathBuf)>,
    /// Deploy what is committed at this branch, tag or commit; edits in the folder do not count
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// End when everything is Synced and Healthy (exit 0), or at the timeout (exit 1, with reasons)
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long --wait waits, such as 90s or 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Use this cluster instead of the sandbox
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Deploy even where an Argo CD controller runs; both would then act on the same Applications
    #[arg(long, requires = "kubeconfig")]
    pub(crate) take_over: bool,
    /// Install or update the CRDs of Application, AppProject and ApplicationSet first
    #[arg(long, requires = "kubeconfig")]
    pub(crate) crds: bool,
    /// Where state is kept between runs [default: in the user's state folder, by repository]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where to write the sandbox's kubeconfig [default: in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// The sandbox's port on loopback; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Plain lines even on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}

/// What `render` prints.
#[derive(Args)]
pub(crate) struct RenderArguments {
    /// A file with an Application, a folder of manifests or with a kustomization, or a chart (a
    /// folder or a .tgz)
    pub(crate) path: PathBuf,
    /// The name of the Application, when the file holds several; of a chart, the release
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) chart: ChartArguments,
    #[command(flatten)]
    pub(crate) overlay: OverlayArguments,
}

/// How a kustomization is built: flags of `kubectl kustomize`.
#[derive(Args)]
#[command(next_help_heading = "Kustomizations, as kubectl kustomize")]
pub(crate) struct OverlayArguments {
    /// Inflate charts
    #[arg(long)]
    pub(crate) enable_helm: bool,
    /// LoadRestrictionsNone lets a kustomization read files outside of its folder
    #[arg(
        long,
        value_name = "RESTRICTOR",
        default_value = "LoadRestrictionsRootOnly"
    )]
    pub(crate) load_restrictor: String,
}

/// What a chart is rendered with: the flags of `helm template`.
#[derive(Args)]
#[command(next_help_heading = "Charts, as helm template")]
pub(crate) struct ChartArguments {
    /// A file of values (may be repeated; the last wins)
    #[arg(long, short = 'f', value_name = "FILE", value_delimiter = ',')]
    pub(crate) values: Vec<String>,
    /// A value: KEY=VALUE,...
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// A value that stays text: KEY=VALUE,...
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// A value of JSON: KEY=JSON, or an object
    #[arg(long, value_name = "KEY=JSON")]
    pub(crate) set_json: Vec<String>,
    /// A value that is the content of a file: KEY=FILE,...
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
    /// A value that is taken as it is: KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_literal: Vec<String>,
    /// Print the files of the chart's crds folder
    #[arg(long)]
    pub(crate) include_crds: bool,
    /// Do not print them, whatever else is said
    #[arg(long)]
    pub(crate) skip_crds: bool,
    /// Leave out tests
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Leave out hooks
    #[arg(long)]
    pub(crate) no_hooks: bool,
    /// Render as for an upgrade, not for an installation
    #[arg(long)]
    pub(crate) is_upgrade: bool,
    /// The Kubernetes version that templates see
    #[arg(long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
    /// APIs that templates see beside the usual ones
    #[arg(long, short = 'a', value_name = "GROUP/VERSION", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// The release's namespace
    #[arg(long, short = 'n', value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
    /// Accepted: nothing is installed
    #[arg(long)]
    pub(crate) create_namespace: bool,
    /// Print these templates only
    #[arg(long, short = 's', value_name = "TEMPLATE", value_delimiter = ',')]
    pub(crate) show_only: Vec<String>,
    /// A template that gives the release's name
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) name_template: Option<String>,
    /// Do not check values against the chart's JSON schema
    #[arg(long)]
    pub(crate) skip_schema_validation: bool,
    /// Fetch what the chart depends on and does not bring
    #[arg(long)]
    pub(crate) dependency_update: bool,
}

/// What `install` prints.
#[derive(Args)]
pub(crate) struct InstallArguments {
    /// The CustomResourceDefinitions: `tiphys install --crds | kubectl apply -f -`
    #[arg(long, required = true)]
    pub(crate) crds: bool,
}

/// How the sandbox runs.
#[derive(Args)]
pub(crate) struct SandboxArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Keep objects in this folder [default: in memory only]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where to write the kubeconfig when the API is ready
    #[arg(long, value_name = "FILE", default_value = "sandbox.kubeconfig")]
    pub(crate) kubeconfig_out: PathBuf,
    /// The administrator's bearer token [default: a random one]
    #[arg(
        long,
        value_name = "T",
        env = "TIPHYS_SANDBOX_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// Whether simulated controllers give objects a life
    #[arg(long, value_name = "WHICH", default_value = "on")]
    pub(crate) controllers: Simulation,
    /// Nodes that take pods
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) nodes: u32,
    /// Whether roles decide what users may do
    #[arg(long, value_name = "SWITCH", default_value = "off")]
    pub(crate) rbac: Switch,
    /// Serve without TLS; kubectl then sends no token, other clients can
    #[arg(long)]
    pub(crate) plaintext: bool,
    /// Append a line of JSON for each request to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
}

/// What is simulated beside the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Simulation {
    /// What Kubernetes has
    On,
    /// Nothing: a bare API server
    Off,
    /// Also what clusters have besides: addresses, metrics, nodes that fit, as under `tiphys up`
    Equipped,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// The verbs of `app`.
#[derive(Subcommand)]
pub(crate) enum AppCommand {
    /// List Applications
    List(ListArguments),
    /// Show one Application and its objects
    Get(GetArguments),
    /// Sync Applications now, and wait for the end
    Sync(SyncArguments),
    /// Wait until Applications are as wanted
    Wait(WaitArguments),
    /// Show which objects differ from Git
    Diff(DiffArguments),
    /// List what was deployed when
    History(HistoryArguments),
    /// Deploy an entry of the history again
    Rollback(RollbackArguments),
    /// Delete an Application
    Delete(DeleteArguments),
}

/// Where the Applications are.
#[derive(Args)]
pub(crate) struct Target {
    /// The cluster [default: a running `tiphys up`, else the usual kubeconfig]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace of the Applications
    #[arg(
        short = 'N',
        long = "app-namespace",
        value_name = "NAMESPACE",
        default_value = "argocd"
    )]
    pub(crate) namespace: String,
}

/// The forms of an answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Wide,
    /// Names only
    Name,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Which Applications `app list` shows.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "wide")]
    pub(crate) output: Format,
    /// Only those of a project (may be repeated)
    #[arg(short, long)]
    pub(crate) project: Vec<String>,
    /// Only those with these labels, as a=b,c!=d
    #[arg(short = 'l', long)]
    pub(crate) selector: Option<String>,
    /// Only those that read this repository
    #[arg(short, long)]
    pub(crate) repo: Option<String>,
}

/// What `app get` shows.
#[derive(Args)]
pub(crate) struct GetArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME
    pub(crate) name: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "wide")]
    pub(crate) output: Format,
    /// Look at Git first
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Look at Git first and forget every cache
    #[arg(long)]
    pub(crate) hard_refresh: bool,
    /// Show the operation too
    #[arg(long)]
    pub(crate) show_operation: bool,
}

/// What `app sync` does.
#[derive(Args)]
pub(crate) struct SyncArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME, several of them
    #[arg(required_unless_present = "selector")]
    pub(crate) names: Vec<String>,
    /// Those with these labels, as a=b,c!=d
    #[arg(short = 'l', long)]
    pub(crate) selector: Option<String>,
    /// The revision [default: that of the Application]
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Delete objects that left Git
    #[arg(long)]
    pub(crate) prune: bool,
    /// Change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete and make again what cannot be changed
    #[arg(long)]
    pub(crate) force: bool,
    /// Only this object, as GROUP:KIND:NAME or GROUP:KIND:NAMESPACE/NAME (may be repeated)
    #[arg(long)]
    pub(crate) resource: Vec<String>,
    /// Do not wait for the end
    #[arg(long = "async")]
    pub(crate) no_wait: bool,
    /// How long to wait, in seconds; 0 waits for ever
    #[arg(long, default_value_t = 0)]
    pub(crate) timeout: u64,
}

/// What `app wait` waits for.
#[derive(Args)]
pub(crate) struct WaitArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME, several of them
    #[arg(required_unless_present = "selector")]
    pub(crate) names: Vec<String>,
    /// Those with these labels, as a=b,c!=d
    #[arg(short = 'l', long)]
    pub(crate) selector: Option<String>,
    /// Until Synced
    #[arg(long)]
    pub(crate) sync: bool,
    /// Until Healthy
    #[arg(long)]
    pub(crate) health: bool,
    /// Until no operation runs
    #[arg(long)]
    pub(crate) operation: bool,
    /// Until gone
    #[arg(long)]
    pub(crate) delete: bool,
    /// How long to wait, in seconds; 0 waits for ever
    #[arg(long, default_value_t = 0)]
    pub(crate) timeout: u64,
}

/// What `app diff` compares.
#[derive(Args)]
pub(crate) struct DiffArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME
    pub(crate) name: String,
    /// Look at Git first
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Look at Git first and forget every cache
    #[arg(long)]
    pub(crate) hard_refresh: bool,
    /// The exit code when there are differences
    #[arg(long, default_value_t = 1)]
    pub(crate) diff_exit_code: u8,
}

/// How `app history` lists.
#[derive(Args)]
pub(crate) struct HistoryArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME
    pub(crate) name: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "wide")]
    pub(crate) output: HistoryFormat,
}

/// The forms of a history.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// A table
    Wide,
    /// Ids only
    Id,
}

/// What `app rollback` deploys.
#[derive(Args)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME
    pub(crate) name: String,
    /// An id of `app history` [default: the one before the last]
    pub(crate) id: Option<i64>,
    /// Delete objects that are not in that revision
    #[arg(long)]
    pub(crate) prune: bool,
    /// How long to wait, in seconds; 0 waits for ever
    #[arg(long, default_value_t = 0)]
    pub(crate) timeout: u64,
}

/// How `app delete` deletes.
#[derive(Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// NAME or NAMESPACE/NAME, several of them
    #[arg(required = true)]
    pub(crate) names: Vec<String>,
    /// Delete the objects of the Application as well
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    pub(crate) cascade: bool,
    /// How objects are deleted: foreground or background
    #[arg(short, long, default_value = "foreground")]
    pub(crate) propagation_policy: String,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Wait until it is gone
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `URL=PATH`; a URL may hold `=` itself, so the last one counts.
fn url_and_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.rsplit_once('=') {
        Some((url, path)) if !url.is_empty() && !path.is_empty() => {
            Ok((url.to_owned(), path.into()))
        }
        _ => Err("expected URL=PATH".to_owned()),
    }
}

/// Times as people write them: 90s, 5m, 1h30m.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = api::duration::GoDuration::parse(text).map_err(|error| error.to_string())?;
    let nanoseconds = u64::try_from(parsed.as_nanoseconds());
    nanoseconds
        .map(Duration::from_nanos)
        .map_err(|_| "a time cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_map_is_split_at_the_last_sign() {
        let check = |text: &str, want: Option<(&str, &str)>| {
            let want = want.map(|(url, path)| (url.to_owned(), PathBuf::from(path)));
            assert_eq!(url_and_path(text).ok(), want, "{text}");
        };
        check(
            "https://host/a.git=../a",
            Some(("https://host/a.git", "../a")),
        );
        check("https://host/a?b=c=d", Some(("https://host/a?b=c", "d")));
        check("https://host/a.git", None);
        check("=x", None);
    }
}
