//! SSH for Git: `git-upload-pack` over a channel of russh, bridged to gix's blocking transport.
//!
//! Read [`Login`], then [`connect`]. The host key is checked against `ssh_known_hosts` before any
//! credential is shown. No `ssh` program, no agent and no file of the host's user is used.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use russh::client::{Config, Handle, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use crate::known_hosts::Verdict;
use crate::store::lock;
use crate::transfer::{Budget, shown};
use crate::{Credentials, Masked, Problem, RepoUrl, Trust, Verification};

/// The user when the URL names none, as Git hosts have it.
const DEFAULT_USER: &str = "git";

/// SSH's own port.
const DEFAULT_PORT: u16 = 22;

/// How long connecting may take, as Argo CD's `git.request.timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What is kept of a server's error output.
const MAX_ERROR_BYTES: usize = 4096;

/// How to log in to one repository.
pub(crate) struct Login {
    host: String,
    port: u16,
    path: String,
    user: String,
    key: Option<Arc<PrivateKey>>,
    password: Option<Masked>,
    verification: Verification,
    trust: Arc<Trust>,
}

impl Login {
    /// Reads the key; asks no server.
    pub(crate) fn new(
        url: &RepoUrl,
        credentials: &Credentials,
        trust: Arc<Trust>,
    ) -> Result<Login, Problem> {
        let key = match &credentials.ssh_private_key {
            None => None,
            Some(text) => Some(read_key(text)?),
        };
        let password = credentials.password.as_ref().or(url.password()).cloned();
        Ok(Login {
            host: url.host().to_owned(),
            port: url.port().unwrap_or(DEFAULT_PORT),
            path: url.path().to_owned(),
            user: url.user().unwrap_or(DEFAULT_USER).to_owned(),
            key: key.map(Arc::new),
            password,
            verification: credentials.verification,
            trust,
        })
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn read_key(text: &Masked) -> Result<PrivateKey, Problem> {
    // A key pasted into a Secret often lost its last line break, or got a carriage return.
    let text = format!("{}\n", text.reveal().replace('\r', "").trim());
    russh::keys::decode_secret_key(&text, None)
        .map_err(|_| Problem::Credentials("the SSH private key cannot be read"))
}

/// Checks the host key, and remembers why it was refused.
struct HostCheck {
    host: String,
    port: u16,
    trust: Arc<Trust>,
    is_checked: bool,
    refused: Arc<Mutex<Option<&'static str>>>,
}

impl russh::client::Handler for HostCheck {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        if !self.is_checked {
            return Ok(true);
        }
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.trust.known_hosts().judge(&self.host, self.port, key)
            }
            PublicKeyOrCertificate::Certificate(_) => Verdict::UnknownHost,
        };
        let why = match verdict {
            Verdict::Known => return Ok(true),
            Verdict::UnknownHost => "host is not in ssh_known_hosts",
            Verdict::OtherKey => "differs from that in ssh_known_hosts",
            Verdict::Revoked => "is revoked in ssh_known_hosts",
        };
        *lock(&self.refused) = Some(why);
        Ok(false)
    }
}

/// Logs in and starts the server's side of Git's protocol.
pub(crate) fn connect(
    login: &Login,
    budget: &Arc<Budget>,
) -> Result<Connection<Reader, Writer>, Problem> {
    let opened = budget.wait(open(login));
    let (session, channel) = match opened {
        Ok(opened) => opened?,
        Err(_) => return Err(budget.take_failure().unwrap_or(Problem::Cancelled)),
    };
    let (read, write) = channel.split();
    let reader = Reader {
        half: read,
        _session: session,
        budget: budget.clone(),
        chunk: Bytes::new(),
        errors: Vec::new(),
        is_at_end: false,
    };
    let writer = Writer {
        half: write,
        budget: budget.clone(),
    };
    Ok(Connection::new(
        reader,
        writer,
        gix::protocol::transport::Protocol::V2,
        login.path.as_str(),
        None::<(String, _)>,
        ConnectMode::Process,
        false,
    ))
}

type Opened = (Handle<HostCheck>, russh::Channel<Msg>);

async fn open(login: &Login) -> Result<Opened, Problem> {
    let refused = Arc::new(Mutex::new(None));
    let check = HostCheck {
        host: login.host.clone(),
        port: login.port,
        trust: login.trust.clone(),
        is_checked: login.verification == Verification::Full,
        refused: refused.clone(),
    };
    let connecting = async {
        let socket = dial(login).await?;
        russh::client::connect_stream(Arc::new(config(login)), socket, check)
            .await
            .map_err(|error| match lock(&refused).take() {
                Some(verdict) => Problem::HostKey {
                    host: login.place(),
                    verdict,
                },
                None => lost(&error),
            })
    };
    let mut session = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| Problem::Timeout(CONNECT_TIMEOUT))??;
    authenticate(&mut session, login).await?;
    let channel = session
        .channel_open_session()
        .await
        .map_err(|error| lost(&error))?;
    // Servers that do not take the variable answer in the older protocol.
    channel
        .set_env(false, "GIT_PROTOCOL", "version=2")
        .await
        .map_err(|error| lost(&error))?;
    let command = format!("git-upload-pack {}", quoted(&login.path));
    channel
        .exec(true, command)
        .await
        .map_err(|error| lost(&error))?;
    Ok((session, channel))
}

async fn dial(login: &Login) -> Result<tokio::net::TcpStream, Problem> {
    let addresses = tokio::net::lookup_host((login.host.as_str(), login.port)).await;
    let addresses: Vec<_> = addresses.map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        return Err(Problem::Dns(login.host.clone()));
    }
    tokio::net::TcpStream::connect(addresses.as_slice())
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Problem::Refused,
            io::ErrorKind::TimedOut => Problem::Timeout(CONNECT_TIMEOUT),
            _ => Problem::Cut(shown(&error.to_string())),
        })
}

/// Asks for the kinds of host keys that are known, as OpenSSH does: else a server with several
/// keys may show another one than the known.
fn config(login: &Login) -> Config {
    let mut config = Config::default();
    let known = login
        .trust
        .known_hosts()
        .algorithms(&login.host, login.port);
    if login.verification == Verification::Full && !known.is_empty() {
        let is_known = |kind: &russh::keys::Algorithm| {
            let is_rsa = kind.clone().is_rsa();
            known
                .iter()
                .any(|known| known == kind || (is_rsa && known.clone().is_rsa()))
        };
        let (mut first, rest): (Vec<_>, Vec<_>) =
            config.preferred.key.iter().cloned().partition(is_known);
        first.extend(rest);
        config.preferred.key = first.into();
    }
    config
}

async fn authenticate(session: &mut Handle<HostCheck>, login: &Login) -> Result<(), Problem> {
    let user = login.user.as_str();
    let result = match (&login.key, &login.password) {
        (Some(key), _) => {
            let hash = if key.algorithm().is_rsa() {
                let best = session
                    .best_supported_rsa_hash()
                    .await
                    .map_err(|error| lost(&error))?;
                best.unwrap_or(Some(russh::keys::HashAlg::Sha256))
            } else {
                None
            };
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            session.authenticate_publickey(user, key).await
        }
        (None, Some(password)) => session.authenticate_password(user, password.reveal()).await,
        (None, None) => session.authenticate_none(user).await,
    };
    if result.map_err(|error| lost(&error))?.success() {
        return Ok(());
    }
    Err(Problem::Authentication(
        match (&login.key, &login.password) {
            (Some(_), _) => "the SSH key is refused",
            (None, Some(_)) => "the password is refused",
            (None, None) => "there is no SSH key",
        },
    ))
}

fn lost(error: &russh::Error) -> Problem {
    Problem::Cut(shown(&error.to_string()))
}

/// A path as one word of a shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// What the server sends.
pub(crate) struct Reader {
    half: ChannelReadHalf,
    /// The connection ends when this is dropped.
    _session: Handle<HostCheck>,
    budget: Arc<Budget>,
    chunk: Bytes,
    errors: Vec<u8>,
    is_at_end: bool,
}

impl Reader {
    fn next_chunk(&mut self) -> io::Result<()> {
        match self.budget.wait(self.half.wait())? {
            Some(ChannelMsg::Data { data }) => {
                self.budget.spend(data.len())?;
                self.chunk = data;
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                self.budget.spend(data.len())?;
                let room = MAX_ERROR_BYTES.saturating_sub(self.errors.len());
                self.errors.extend_from_slice(&data[..data.len().min(room)]);
            }
            Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                let text = shown(&String::from_utf8_lossy(&self.errors));
                return Err(self
                    .budget
                    .fail(Problem::Protocol(format!("server said: {text}"))));
            }
            Some(ChannelMsg::Failure) => {
                let text = "server does not run git-upload-pack".to_owned();
                return Err(self.budget.fail(Problem::Protocol(text)));
            }
            Some(ChannelMsg::Close) | None => self.is_at_end = true,
            Some(_) => {}
        }
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_at_end {
            self.next_chunk()?;
        }
        let n_bytes = self.chunk.len().min(into.len());
        self.chunk.copy_to_slice(&mut into[..n_bytes]);
        Ok(n_bytes)
    }
}

/// What is sent to the server.
pub(crate) struct Writer {
    half: ChannelWriteHalf<Msg>,
    budget: Arc<Budget>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.budget.wait(self.half.data_bytes(bytes.to_vec()))?;
        sent.map_err(|error| self.budget.fail(lost(&error)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
