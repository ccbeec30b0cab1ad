//! Which cluster a verb talks to: the one that was named, else a running `up`, else the usual one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cluster::{Client, Connection};

use crate::apps::Apps;
use crate::cli::Target;
use crate::data_dir;

/// The Applications that a verb was pointed at.
///
/// # Errors
/// When no cluster can be found, or it does not answer.
pub(crate) async fn apps(target: &Target) -> Result<Apps> {
    let connection = choose(target.kubeconfig.clone())?;
    let client = client(&connection).await?;
    Apps::open(client, &target.namespace).await
}

/// A client of a cluster.
///
/// # Errors
/// When the configuration cannot be read.
pub(crate) async fn client(connection: &Connection) -> Result<Client> {
    cluster::connect(connection)
        .await
        .context("cannot connect to the cluster")
}

fn choose(kubeconfig: Option<PathBuf>) -> Result<Connection> {
    if let Some(path) = kubeconfig {
        return Ok(Connection::Kubeconfig {
            path,
            context: None,
        });
    }
    let mut running = data_dir::running().unwrap_or_default();
    if running.len() > 1 {
        // The one whose repository we are in.
        let here = std::env::current_dir()?;
        let ours: Vec<PathBuf> = here
            .ancestors()
            .filter_map(|folder| data_dir::default_path(folder).ok())
            .collect();
        running.retain(|path| ours.iter().any(|folder| path.starts_with(folder)));
        if running.len() != 1 {
            bail!("several `tiphys up` run: choose one with --kubeconfig FILE");
        }
    }
    Ok(match running.pop() {
        Some(path) => Connection::Kubeconfig {
            path,
            context: None,
        },
        None => Connection::Inferred,
    })
}
