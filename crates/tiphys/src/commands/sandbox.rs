//! `tiphys sandbox`: the Kubernetes API alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use sandbox::{Controllers, Options, Rbac, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{SandboxArguments, Simulation, Switch};
use crate::data_dir::write_private;
use crate::terminal;

/// Serves until it is stopped.
pub(super) async fn run(arguments: SandboxArguments) -> Result<u8> {
    // Signals that come while it starts count too.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(options(&arguments))
        .await
        .context("the sandbox cannot start")?;
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = reachable(listener.local_addr()?);
    let (scheme, kubeconfig) = if arguments.plaintext {
        server.serve_plaintext(listener)?;
        ("http", server.plaintext_kubeconfig(address))
    } else {
        server.serve(listener)?;
        ("https", server.kubeconfig(address))
    };
    write_private(&arguments.kubeconfig_out, &kubeconfig)?;
    terminal::line(&format!(
        "Kubernetes API: {scheme}://{address} (a sandbox, not for production)"
    ));
    terminal::line(&format!(
        "  kubectl --kubeconfig {} get nodes",
        arguments.kubeconfig_out.display()
    ));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.stop().await;
    terminal::line("stopped");
    Ok(0)
}

fn options(arguments: &SandboxArguments) -> Options {
    let mut options = match &arguments.data_dir {
        Some(folder) => Options::in_dir(folder),
        None => Options::in_memory(),
    };
    options.token.clone_from(&arguments.token);
    options.audit_log.clone_from(&arguments.audit_log);
    let nodes = arguments.nodes;
    options.controllers = match arguments.controllers {
        Simulation::On => Controllers::On { nodes },
        Simulation::Off => Controllers::Off,
        Simulation::Equipped => Controllers::Equipped { nodes },
    };
    if arguments.rbac == Switch::On {
        options.rbac = Rbac::On;
    }
    options
}

/// The address that clients on this machine use: that of all interfaces leads nowhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
