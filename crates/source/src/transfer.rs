//! Git's protocol over any transport: listing references and fetching packs.
//!
//! Read [`Remote`], then [`Budget`]. The protocol itself is gix's; what is ours is what may be
//! spent on it (time, bytes), what is asked, and what an error means. Nothing in here is async: it
//! runs on the blocking pool, and waits through [`Budget::wait`].

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::progress::Discard;
use gix::protocol::fetch::negotiate::{Action, Round, one_round};
use gix::protocol::fetch::{Arguments, Context, Negotiate, Response, Shallow, Tags};
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::{Handshake, LsRefsCommand};
use tokio::time::Instant;

use crate::database::{Database, keep_for_good, open_isolated};
use crate::http::{self, HttpClients};
use crate::objects::{MAX_OBJECT_BYTES, Objects};
use crate::reference::{RefList, RemoteRef};
use crate::store::lock;
use crate::url::Scheme;
use crate::{Credentials, Problem, RepoUrl, Revision, Trust, ssh};

/// The most references read of one repository.
const MAX_REFS: usize = 1_000_000;

/// The longest text of a server that is shown.
const MAX_SHOWN: usize = 300;

/// Complete commits told to the server at a fetch: the newest ones are enough to find common
/// history.
const MAX_HAVES: usize = 64;

/// Threads that unpack one fetch: other work goes on beside it.
const UNPACK_THREADS: usize = 2;

/// How this program names itself in Git's protocol.
const AGENT: &str = concat!("tiphys/", env!("CARGO_PKG_VERSION"));

/// What one piece of work may spend, and what went wrong in it. Shared by all its parts.
pub(crate) struct Budget {
    runtime: tokio::runtime::Handle,
    timeout: Duration,
    deadline: Instant,
    max_bytes: u64,
    n_bytes: AtomicU64,
    n_bytes_total: Arc<AtomicU64>,
    interrupted: AtomicBool,
    stop: tokio::sync::Notify,
    is_stopped: AtomicBool,
    failure: Mutex<Option<Problem>>,
}

/// Stops the work when it is dropped.
pub(crate) struct StopOnDrop(Arc<Budget>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
        self.0.interrupt();
        self.0.stop.notify_one();
    }
}

impl Budget {
    /// Starts the clock. Must be called on a runtime.
    pub(crate) fn new(timeout: Duration, max_bytes: u64, n_bytes_total: Arc<AtomicU64>) -> Self {
        Budget {
            runtime: tokio::runtime::Handle::current(),
            timeout,
            deadline: Instant::now() + timeout,
            max_bytes,
            n_bytes: AtomicU64::new(0),
            n_bytes_total,
            interrupted: AtomicBool::new(false),
            stop: tokio::sync::Notify::new(),
            is_stopped: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    pub(crate) fn stop_on_drop(self: &Arc<Self>) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Ends work that only computes.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Waits for `work` until the deadline or the stop.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> io::Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => Ok(done),
                () = tokio::time::sleep_until(self.deadline) => {
                    Err(self.fail(Problem::Timeout(self.timeout)))
                }
                () = self.stop.notified() => Err(self.fail(Problem::Cancelled)),
            }
        })
    }

    /// Counts bytes that a server sent.
    pub(crate) fn spend(&self, n_bytes: usize) -> io::Result<()> {
        let n_bytes = n_bytes as u64;
        self.n_bytes_total.fetch_add(n_bytes, Ordering::Relaxed);
        let before = self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        if before.saturating_add(n_bytes) > self.max_bytes {
            return Err(self.fail(Problem::TooLarge {
                limit: self.max_bytes,
            }));
        }
        Ok(())
    }

    /// Notes what went wrong, which the layers above lose: the first problem is the cause.
    pub(crate) fn fail(&self, problem: Problem) -> io::Error {
        let error = io::Error::other(problem.to_string());
        lock(&self.failure).get_or_insert(problem);
        error
    }

    /// What was noted by [`Budget::fail`].
    pub(crate) fn take_failure(&self) -> Option<Problem> {
        lock(&self.failure).take()
    }

    /// What an error of gix means.
    fn explain(&self, error: &gix::Error) -> Problem {
        if let Some(problem) = self.take_failure() {
            return problem;
        }
        if self.is_stopped.load(Ordering::Relaxed) {
            return Problem::Cancelled;
        }
        if Instant::now() >= self.deadline {
            return Problem::Timeout(self.timeout);
        }
        let cause = error.downcast_any_ref::<io::Error>().map(io::Error::kind);
        let text = shown(&texts(error));
        match cause {
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                Problem::Cut(text)
            }
            _ => Problem::Protocol(text),
        }
    }
}

/// All texts of an error, outermost first.
fn texts(error: &gix::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = error.source();
    }
    texts.join(": ")
}

/// A text from outside in one line of bounded length.
pub(crate) fn shown(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SHOWN)
        .collect();
    line.trim().to_owned()
}

/// The server side of a repository, under one login.
pub(crate) struct Remote {
    url: RepoUrl,
    login: Login,
}

enum Login {
    Http(Arc<HttpClients>),
    Ssh(Box<ssh::Login>),
    File,
}

impl Remote {
    /// Prepares the login; asks no server.
    pub(crate) fn new(
        url: &RepoUrl,
        credentials: &Credentials,
        trust: Arc<Trust>,
    ) -> Result<Remote, Problem> {
        if let Some(name) = credentials.unsupported {
            return Err(Problem::Unsupported(name));
        }
        let login = match url.scheme() {
            Scheme::Http | Scheme::Https => {
                Login::Http(Arc::new(HttpClients::new(url, credentials, &trust)?))
            }
            Scheme::Ssh => Login::Ssh(Box::new(ssh::Login::new(url, credentials, trust)?)),
            Scheme::File => Login::File,
        };
        Ok(Remote {
            url: url.clone(),
            login,
        })
    }

    /// `HEAD`, branches, tags, and the names of `extra`.
    pub(crate) fn list(&self, budget: &Arc<Budget>, extra: &[String]) -> Result<RefList, Problem> {
        match &self.login {
            Login::Http(clients) => list_over(http::connect(clients, budget), budget, extra),
            Login::Ssh(login) => list_over(ssh::connect(login, budget)?, budget, extra),
            Login::File => list_files(&self.url, extra),
        }
    }

    /// Brings commits with everything below them into the database. When it fails, the database
    /// is as it was.
    pub(crate) fn fetch(
        &self,
        budget: &Arc<Budget>,
        database: &Database,
        wanted: &[ObjectId],
    ) -> Result<(), Problem> {
        match &self.login {
            Login::Http(clients) => {
                fetch_over(http::connect(clients, budget), budget, database, wanted)
            }
            Login::Ssh(login) => fetch_over(ssh::connect(login, budget)?, budget, database, wanted),
            Login::File => Ok(()),
        }
    }
}

fn shake_hands(transport: &mut impl Transport, budget: &Budget) -> Result<Handshake, Problem> {
    gix::protocol::handshake(
        transport,
        Service::UploadPack,
        // Logins are in the transport already; asking for others would mean to start programs.
        |_| Ok(None),
        Vec::new(),
        &mut Discard,
    )
    .map_err(|error| budget.explain(&error))
}

fn list_over(
    mut transport: impl Transport,
    budget: &Budget,
    extra: &[String],
) -> Result<RefList, Problem> {
    let handshake = shake_hands(&mut transport, budget)?;
    let refs = match handshake.refs {
        Some(refs) => refs,
        None => {
            let mut prefixes = RefPrefixes::new();
            let usual = ["HEAD", "refs/heads/", "refs/tags/"];
            prefixes.extend(usual.into_iter().map(Into::into));
            prefixes.extend(extra.iter().map(|name| name.as_str().into()));
            let agent = ("agent", Some(AGENT.to_owned()));
            LsRefsCommand::new(Some(prefixes), &handshake.capabilities, agent)
                .invoke_blocking(&mut transport, &mut Discard, false)
                .map_err(|error| budget.explain(&error))?
        }
    };
    if refs.len() > MAX_REFS {
        return Err(Problem::Unsupported(
            "repositories with over a million references",
        ));
    }
    Ok(RefList::new(refs.iter().filter_map(remote_ref).collect()))
}

fn remote_ref(listed: &Ref) -> Option<RemoteRef> {
    let (name, commit, target) = match listed {
        Ref::Peeled {
            full_ref_name: name,
            object,
            ..
        }
        | Ref::Direct {
            full_ref_name: name,
            object,
        } => (name, object, None),
        Ref::Symbolic {
            full_ref_name,
            object,
            target,
            ..
        } => (
            full_ref_name,
            object,
            Some(target.to_str_lossy().into_owned()),
        ),
        Ref::Unborn { .. } => return None,
    };
    Some(RemoteRef {
        name: name.to_str_lossy().into_owned(),
        commit: Revision::new(*commit),
        target,
    })
}

/// The references of a repository on this disk, in the order of a server.
fn list_files(url: &RepoUrl, extra: &[String]) -> Result<RefList, Problem> {
    let store = |error: &dyn std::fmt::Display| Problem::Store(shown(&error.to_string()));
    let path = url.file_path().unwrap_or_default();
    let repository = open_isolated(&path).ok_or(Problem::NotFound)?;
    let mut refs = Vec::new();
    if let Ok(mut head) = repository.head()
        && let Ok(commit) = head.peel_to_commit()
    {
        refs.push(RemoteRef {
            name: "HEAD".to_owned(),
            commit: Revision::new(commit.id),
            target: head.referent_name().map(|name| name.as_bstr().to_string()),
        });
    }
    let platform = repository.references().map_err(|error| store(&error))?;
    for reference in platform.all().map_err(|error| store(&error))? {
        let mut reference = reference.map_err(|error| store(&error))?;
        let name = reference.name().as_bstr().to_string();
        let is_usual = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        if !is_usual && !extra.contains(&name) {
            continue;
        }
        // A reference that points nowhere is not listed, as a server does it.
        if let Ok(id) = reference.peel_to_id() {
            refs.push(RemoteRef {
                name,
                commit: Revision::new(id.detach()),
                target: None,
            });
        }
        if refs.len() > MAX_REFS {
            return Err(Problem::Unsupported(
                "repositories with over a million references",
            ));
        }
    }
    Ok(RefList::new(refs))
}

fn fetch_over(
    mut transport: impl Transport,
    budget: &Budget,
    database: &Database,
    wanted: &[ObjectId],
) -> Result<(), Problem> {
    let mut handshake = shake_hands(&mut transport, budget)?;
    let mut question = Question {
        wanted,
        haves: database.tips().into_iter().take(MAX_HAVES).collect(),
    };
    let options = gix::protocol::fetch::Options {
        shallow_file: database.shallow_file(),
        shallow: &Shallow::NoChange,
        tags: Tags::None,
        reject_shallow_remote: false,
    };
    let context = Context {
        handshake: &mut handshake,
        transport: &mut transport,
        user_agent: ("agent", Some(AGENT.to_owned())),
        trace_packetlines: false,
    };
    let mut pack = None;
    let done = gix::protocol::fetch(
        &mut question,
        |received, progress, interrupted| {
            pack = Some(unpack(
                received,
                progress,
                interrupted,
                &database.objects(),
            )?);
            Ok(true)
        },
        Discard,
        &budget.interrupted,
        context,
        options,
    );
    if let Err(error) = done {
        return Err(budget.explain(&error));
    }
    let stored = match &pack {
        Some(pack) => keep_for_good(pack),
        None => Ok(()),
    };
    stored
        .and_then(|()| database.add_tips(wanted))
        .map_err(|error| Problem::Store(error.to_string()))
}

fn unpack(
    pack: &mut dyn io::BufRead,
    progress: &mut dyn gix::DynNestedProgress,
    interrupted: &AtomicBool,
    objects: &Objects,
) -> gix::Result<gix::odb::pack::bundle::write::Outcome> {
    let options = gix::odb::pack::bundle::write::Options {
        thread_limit: Some(UNPACK_THREADS),
        alloc_limit_bytes: Some(MAX_OBJECT_BYTES),
        ..gix::odb::pack::bundle::write::Options::default()
    };
    gix::odb::pack::Bundle::write_to_directory(
        pack,
        Some(&objects.pack_directory()),
        progress,
        interrupted,
        Some(objects.handle()),
        gix::hash::Kind::Sha1,
        options,
    )
}

/// What a fetch asks: everything in one round. What is here came from the same server, so the
/// commits told are known there, and more rounds would find nothing new.
struct Question<'w> {
    wanted: &'w [ObjectId],
    haves: Vec<ObjectId>,
}

impl Negotiate for Question<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        Ok(Action::MustNegotiate {
            remote_ref_target_known: Vec::new(),
        })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _: &[bool]) -> bool {
        self.wanted.iter().for_each(|id| arguments.want(id));
        !self.wanted.is_empty()
    }

    fn one_round(
        &mut self,
        _: &mut one_round::State,
        arguments: &mut Arguments,
        _: Option<&Response>,
    ) -> gix::Result<(Round, bool)> {
        self.haves.iter().for_each(|id| arguments.have(id));
        let round = Round {
            haves_sent: self.haves.len(),
            in_vain: 0,
            haves_to_send: self.haves.len(),
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}
