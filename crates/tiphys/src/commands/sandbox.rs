//! `tiphys sandbox`: the Kubernetes API alone.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use sandbox::{Controllers, Options, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::SandboxArguments;
use crate::data_dir::write_private;
use crate::terminal;

/// Serves until it is stopped.
pub(super) async fn run(arguments: SandboxArguments) -> Result<u8> {
    let mut options = match &arguments.data_dir {
        Some(folder) => Options::in_dir(folder),
        None => Options::in_memory(),
    };
    if arguments.nodes > 0 {
        options.controllers = Controllers::On {
            nodes: arguments.nodes,
        };
    }
    let server = Server::start(options)
        .await
        .context("the sandbox cannot start")?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = TcpListener::bind(wanted).await;
    let listener = listener.with_context(|| format!("cannot listen on {wanted}"))?;
    let address = listener.local_addr()?;
    server.serve(listener)?;
    write_private(&arguments.kubeconfig_out, &server.kubeconfig(address))?;
    terminal::line(&format!(
        "Kubernetes API: https://{address} (a sandbox, not for production)"
    ));
    terminal::line(&format!(
        "  kubectl --kubeconfig {} get nodes",
        arguments.kubeconfig_out.display()
    ));
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.context("cannot wait for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(0)
}
