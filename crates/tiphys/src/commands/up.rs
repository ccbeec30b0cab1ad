//! `tiphys up`: a repository becomes a running system.
//!
//! Owns the order of things: open the folder, start the cluster, apply the roots, follow edits,
//! show progress, stop. What each step does is in a module of its own.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::Application;
use cluster::Cluster;
use controller::{Controller, Repositories};
use source::{FileUrls, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::DIFFERS;
use crate::apps::{Apps, States};
use crate::checkout::{Checkout, Intent};
use crate::cli::UpArguments;
use crate::data_dir::{self, DataDir};
use crate::discover::Found;
use crate::edits::Edits;
use crate::home::{self, Home};
use crate::progress::{self, Revisions};
use crate::screen::Screen;
use crate::terminal;

/// How often the files are read without a notice that they changed: as often as the controller asks
/// repositories by default.
const ASK_AGAIN: Duration = Duration::from_secs(120);

/// How long a picture on a terminal stays at least.
const FRAME: Duration = Duration::from_millis(100);

/// Runs until it is stopped, or with `--wait` until everything is reached.
pub(super) async fn run(arguments: UpArguments) -> Result<u8> {
    let data = take_data_dir(&arguments)?;
    let store = Store::open(&data.join("git"), source::Options::new(FileUrls::Allowed))?;
    let checkout = Checkout::open(&arguments, &store)?;
    let intent = checkout.read().await?;
    terminal::line(&format!("tiphys up: {}", checkout.title()));
    for note in &intent.notes {
        terminal::line(&format!("  {note}"));
    }
    let home = Home::start(&arguments, &data).await?;
    home.prepare(arguments.crds).await?;
    greet(&home);
    let outcome = deploy(&arguments, &home, store, checkout, intent).await;
    home.stop().await;
    if outcome.as_ref().is_ok_and(|end| *end == End::Stopped) {
        terminal::line("stopped; the next start goes on from here");
    }
    outcome.map(|end| if end == End::Missed { DIFFERS } else { 0 })
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Somebody stopped it.
    Stopped,
    /// `--wait`: everything was reached.
    Reached,
    /// `--wait`: the time was over.
    Missed,
}

fn take_data_dir(arguments: &UpArguments) -> Result<DataDir> {
    let path = match &arguments.data_dir {
        Some(path) => path.clone(),
        None => data_dir::default_path(&arguments.location.identity()?)?,
    };
    DataDir::take(&path)
}

fn greet(home: &Home) {
    let what = if home.is_sandbox() {
        "sandbox, no cluster needed"
    } else {
        "your cluster"
    };
    terminal::line(&format!("Kubernetes API: {} ({what})", home.address));
    let kubeconfig = home.kubeconfig.display();
    terminal::line(&format!("  kubectl --kubeconfig {kubeconfig} get pods -A"));
}

/// Starts the controller beside the work of `up`, and stops it after that.
async fn deploy(
    arguments: &UpArguments,
    home: &Home,
    store: Store,
    checkout: Checkout,
    intent: Intent,
) -> Result<End> {
    let cluster = Cluster::start(home.client.clone(), cluster::Options::default()).await?;
    let repositories = Repositories::new(store, intent.stand_ins.clone());
    let options = controller::Options::new(home::NAMESPACE);
    let controller = Controller::new(cluster.clone(), repositories, options);
    let shutdown = CancellationToken::new();
    let running = Arc::clone(&controller).run(shutdown.clone());
    let session = Session {
        arguments,
        home,
        checkout,
        controller,
        applied: RefCell::default(),
        revisions: RefCell::new(intent.revisions.clone()),
        names: RefCell::new(intent.names()),
    };
    let work = async {
        let end = session.run(intent).await;
        shutdown.cancel();
        end
    };
    let (end, running) = tokio::join!(work, running);
    cluster.stop();
    running?;
    end
}

/// One run of `up`, once everything has started. All of it happens in one task.
struct Session<'a> {
    arguments: &'a UpArguments,
    home: &'a Home,
    checkout: Checkout,
    controller: Arc<Controller>,
    /// The roots as they were applied last.
    applied: RefCell<Vec<Found>>,
    revisions: RefCell<Revisions>,
    names: RefCell<Vec<String>>,
}

impl Session<'_> {
    async fn run(&self, intent: Intent) -> Result<End> {
        let mut edits = Edits::new()?;
        edits.watch(&intent.folders);
        self.apply(&intent).await?;
        let apps = Apps::open(self.home.client.clone(), home::NAMESPACE).await?;
        let screen = RefCell::new(Screen::new(
            terminal::is_interactive() && !self.arguments.plain,
        ));
        let states = RefCell::default();
        let mut pending = progress::Pending::default();
        let watching = apps.watch(&states, |apps, changed| {
            let revisions = self.revisions.borrow();
            screen.borrow_mut().show(apps, changed, &revisions);
            self.arguments.wait
                && pending.is_over((apps, changed), &self.names.borrow(), &revisions)
        });
        let mut terminate = signal(SignalKind::terminate())?;
        let timeout = async {
            if self.arguments.wait {
                tokio::time::sleep(self.arguments.timeout).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            outcome = watching => {
                outcome?;
                screen.borrow_mut().draw(&states.borrow(), &self.revisions.borrow());
                self.tell_reached(&states.borrow());
                Ok(End::Reached)
            }
            () = self.draw(&screen, &states) => Ok(End::Stopped),
            outcome = self.follow(&mut edits) => outcome.map(|()| End::Stopped),
            () = timeout => {
                self.tell_missed(&states.borrow());
                Ok(End::Missed)
            }
            outcome = tokio::signal::ctrl_c() => outcome.context("cannot wait for Ctrl-C").map(|()| End::Stopped),
            _ = terminate.recv() => Ok(End::Stopped),
        }
    }

    /// Draws what changed, for ever, as often as an eye can follow.
    async fn draw(&self, screen: &RefCell<Screen>, states: &RefCell<States>) {
        loop {
            tokio::time::sleep(FRAME).await;
            screen
                .borrow_mut()
                .draw(&states.borrow(), &self.revisions.borrow());
        }
    }

    /// Applies the roots that are new or changed.
    async fn apply(&self, intent: &Intent) -> Result<()> {
        for root in &intent.roots {
            if self
                .applied
                .borrow()
                .iter()
                .any(|known| known.object == root.object)
            {
                continue;
            }
            let (kind, name) = (root.object.kind(), root.object.name());
            terminal::line(&format!("applying {kind} {name} ({})", root.place));
            let applied = self.home.apply(&root.object).await;
            let left_out =
                applied.with_context(|| format!("{}: {kind} {name} is refused", root.place))?;
            for field in left_out {
                terminal::complain(&format!(
                    "warning: {}: the cluster's definition of {kind} does not know {field}, so it is left out",
                    root.place
                ));
            }
        }
        self.applied.replace(intent.roots.clone());
        Ok(())
    }

    /// Follows saved files, for ever. A state that cannot be read (an edit half done) is told, and
    /// what runs keeps running.
    async fn follow(&self, edits: &mut Edits) -> Result<()> {
        loop {
            // What gives no notice, a repository elsewhere, is asked from time to time.
            drop(tokio::time::timeout(ASK_AGAIN, edits.next()).await);
            // What is live comes first; that there are other roots is rare.
            self.controller.look_at_local().await;
            let outcome = match self.checkout.read().await {
                Ok(intent) => {
                    edits.watch(&intent.folders);
                    self.revisions.replace(intent.revisions.clone());
                    self.names.replace(intent.names());
                    self.apply(&intent).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                terminal::complain(&format!("warning: {error:#}"));
            }
        }
    }

    fn tell_reached(&self, apps: &States) {
        let revisions = self.revisions.borrow();
        let waits = |app: &&Arc<Application>| {
            progress::outlook(app, revisions.of(app)) == progress::Outlook::WaitsForSync
        };
        let n_waiting = apps.values().filter(waits).count();
        let mut text = format!(
            "{} of {} Applications are Synced and Healthy",
            apps.len() - n_waiting,
            apps.len()
        );
        if n_waiting > 0 {
            let verb = if n_waiting == 1 { "waits" } else { "wait" };
            text.push_str(&format!(", {n_waiting} {verb} for a sync by hand"));
        }
        terminal::line(&text);
    }

    fn tell_missed(&self, apps: &States) {
        let seconds = self.arguments.timeout.as_secs();
        terminal::complain(&format!("not Synced and Healthy within {seconds} s:"));
        for reason in progress::missing(apps, &self.names.borrow(), &self.revisions.borrow()) {
            terminal::complain(&format!("  {reason}"));
        }
    }
}
