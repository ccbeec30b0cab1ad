//! Serves a sandbox until it is interrupted: `serve [ADDRESS [TOKEN [DIR]]]`.
//!
//! Prints the address and the token, and writes a kubeconfig to the path in `KUBECONFIG_OUT`.

use std::io::Write;

use sandbox::{Options, Server};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let token = arguments.next();
    let mut options = match arguments.next() {
        Some(dir) => Options::in_dir(dir),
        None => Options::in_memory(),
    };
    options.token = token;
    let server = Server::start(options).await?;
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    server.serve(listener)?;
    if let Ok(path) = std::env::var("KUBECONFIG_OUT") {
        std::fs::write(path, server.kubeconfig(address))?;
    }
    writeln!(std::io::stdout(), "https://{address} {}", server.token())?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
