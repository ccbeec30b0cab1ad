//! `tiphys app diff`.

use anyhow::Result;
use api::SyncCode;

use super::{named, refreshed};
use crate::cli::DiffArguments;
use crate::{connect, terminal};

/// Prints the objects that differ from Git.
pub(super) async fn run(arguments: &DiffArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    let (apps, name) = named(&apps, &arguments.name);
    let app = refreshed(&apps, name, arguments.refresh, arguments.hard_refresh).await?;
    let resources = app.status.resources.iter();
    let mut n_differing = 0;
    for one in resources.filter(|one| one.status == SyncCode::OutOfSync) {
        n_differing += 1;
        let (group, kind, namespace, name) = (&one.group, &one.kind, &one.namespace, &one.name);
        terminal::line(&format!("===== {group}/{kind} {namespace}/{name} ======"));
        let is_left = one.requires_pruning;
        terminal::line(if is_left {
            "in the cluster, no longer in Git"
        } else {
            "not as Git says"
        });
    }
    Ok(if n_differing == 0 {
        0
    } else {
        arguments.diff_exit_code
    })
}
