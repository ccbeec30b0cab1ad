//! Which Applications a moved reference concerns: those that would render differently come first.
//!
//! Read [`Controller::poll`] first: one question per repository, however many Applications ask.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use api::{Application, Source};
use source::{Freshness, Reference, Repository, Revision, Snapshot, Watcher};

use crate::AppKey;
use crate::charts::{self, is_remote};
use crate::controller::Controller;
use crate::queue::Urgency;
use crate::renders::RenderKey;
use crate::repositories::{Commits, Handle};
use crate::trigger::Trigger;

/// One source of an Application, as its place among the sources and itself.
struct User {
    key: AppKey,
    app: Arc<Application>,
    number: usize,
    source: Source,
}

impl User {
    /// The commit that it was compared with last.
    fn compared(&self) -> &str {
        let sync = &self.app.status.sync;
        if self.app.spec.has_multiple_sources() {
            sync.revisions.get(self.number).map_or("", String::as_str)
        } else {
            &sync.revision
        }
    }
}

impl Controller {
    /// Asks every remote repository in use once, and puts the Applications of moved references
    /// into the queue.
    pub(crate) async fn poll(&self, watcher: &mut Watcher) {
        let mut wanted: Vec<(Repository, Reference)> = Vec::new();
        let mut users: HashMap<(String, Reference), Vec<User>> = HashMap::new();
        for (handle, user) in self.users() {
            let Handle::Commits(commits) = handle else {
                continue;
            };
            let Ok(reference) = commits.reference(&user.source) else {
                continue;
            };
            let repository = commits.repository();
            let place = (place(repository, &user.app), reference.clone());
            if !users.contains_key(&place) {
                wanted.push((repository.clone(), reference));
            }
            users.entry(place).or_default().push(user);
        }
        for moved in watcher.poll(&wanted).await {
            let of_moved = users.iter_mut().filter(|((url, reference), _)| {
                *reference == moved.reference
                    && url.split(' ').next() == Some(moved.repository.url().normalized())
            });
            let concerned: Vec<User> = of_moved.flat_map(|(_, users)| users.drain(..)).collect();
            match moved.revision {
                Ok(revision) => {
                    let handle = Handle::Commits(Commits::of(moved.repository));
                    self.moved(&handle, revision, concerned).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a reference cannot be resolved");
                    for user in concerned {
                        self.enqueue(user.key, Trigger::Reference, Urgency::Now);
                    }
                }
            }
        }
    }

    /// Asks what the ranges and tags of charts and artifacts mean now, and puts the Applications of
    /// those that moved into the queue. One index or list of tags is asked for once.
    pub(crate) async fn poll_charts(&self) {
        let credentials = self.inputs.credentials();
        let mut last: Option<(String, String)> = None;
        let mut users: Vec<(AppKey, Arc<Application>, usize, Source)> = Vec::new();
        for (key, app) in self.inputs.apps() {
            for (number, source) in app.spec.all_sources().into_iter().enumerate() {
                if is_remote(&source) {
                    users.push((key.clone(), app.clone(), number, source));
                }
            }
        }
        users.sort_by(|one, other| {
            let place = |it: &Source| (it.repo_url.clone(), it.chart.clone());
            place(&one.3).cmp(&place(&other.3))
        });
        for (key, app, number, source) in users {
            let place = (source.repo_url.clone(), source.chart.clone());
            let is_asked = last.as_ref() == Some(&place);
            let fetcher = charts::Fetcher {
                store: self.repositories.store(),
                credentials: &credentials,
                project: &app.spec.project,
                pass: charts::pass_of(&source),
                freshness: if is_asked {
                    self.usual_freshness()
                } else {
                    Freshness::Now
                },
            };
            last = Some(place);
            let user = User {
                key,
                app: app.clone(),
                number,
                source,
            };
            match fetcher.resolve(&user.source).await {
                Ok(revision) if revision == user.compared() => {}
                Ok(_) => self.enqueue(user.key, Trigger::Reference, Urgency::Now),
                Err(error) => {
                    tracing::warn!(%error, application = %user.key, "a chart cannot be resolved");
                }
            }
        }
    }

    /// Looks at every place that stands in for a repository, and puts the Applications that were
    /// compared with an older state of it into the queue.
    pub(crate) async fn look_at_stand_ins(&self) {
        let began = Instant::now();
        let mut all: Vec<(Handle, User)> = self.users().collect();
        for handle in self.repositories.stand_ins() {
            let users: Vec<User> = all
                .extract_if(.., |(other, _)| handle.is_same(other))
                .map(|(_, user)| user)
                .collect();
            if let Handle::Folder(folder) = handle {
                if users.is_empty() {
                    folder.forget();
                } else {
                    folder.look().await;
                }
            }
            let n_users = users.len();
            let mut by_revision: HashMap<Revision, Vec<User>> = HashMap::new();
            let freshness = self.usual_freshness();
            let mut answers: HashMap<(String, String), Option<Revision>> = HashMap::new();
            for user in users {
                let source = &user.source;
                let asked = (source.target_revision.clone(), source.tag_prefix.clone());
                let answer = match answers.get(&asked) {
                    Some(known) => *known,
                    None => {
                        let answer = handle.resolve_changed(source, freshness).await.ok();
                        answers.insert(asked, answer);
                        answer
                    }
                };
                match answer {
                    Some(revision) => by_revision.entry(revision).or_default().push(user),
                    None => self.enqueue(user.key, Trigger::Reference, Urgency::Now),
                }
            }
            for (revision, users) in by_revision {
                self.moved(handle, revision, users).await;
            }
            tracing::debug!(n_users, elapsed = ?began.elapsed(), "looked at a local repository");
        }
    }

    /// Every source of every Application with its repository.
    fn users(&self) -> impl Iterator<Item = (Handle, User)> {
        let credentials = self.inputs.credentials();
        self.inputs.apps().into_iter().flat_map(move |(key, app)| {
            let sources = app.spec.all_sources().into_iter().enumerate();
            let users: Vec<(Handle, User)> = sources
                .filter(|(_, source)| !is_remote(source))
                .filter_map(|(number, source)| {
                    let project = &app.spec.project;
                    let handle = self
                        .repositories
                        .open(&source.repo_url, project, &credentials);
                    let user = User {
                        key: key.clone(),
                        app: app.clone(),
                        number,
                        source,
                    };
                    Some((handle.ok()?, user))
                })
                .collect();
            users
        })
    }

    /// A reference means `revision` now: who would render differently goes first.
    async fn moved(&self, handle: &Handle, revision: Revision, users: Vec<User>) {
        let text = revision.to_string();
        let users: Vec<User> = users
            .into_iter()
            .filter(|user| user.compared() != text)
            .collect();
        if users.is_empty() {
            return;
        }
        let Ok(snapshot) = self.repositories.snapshot(handle, revision).await else {
            for user in users {
                self.enqueue(user.key, Trigger::Reference, Urgency::Now);
            }
            return;
        };
        for (key, urgency) in self.judge(users, snapshot, text).await {
            self.enqueue(key, Trigger::Reference, urgency);
        }
    }

    async fn judge(
        &self,
        users: Vec<User>,
        snapshot: Snapshot,
        revision: String,
    ) -> Vec<(AppKey, Urgency)> {
        let renders = self.renders.clone();
        let keys: Vec<AppKey> = users.iter().map(|user| user.key.clone()).collect();
        let judged = self.on_render_thread("look at a new commit", move || {
            let judge = |user: User| {
                let key = RenderKey {
                    app: user.key.clone(),
                    number: user.number,
                    input: yaml::json::to_string(&user.source.to_value()),
                    revision: revision.clone(),
                };
                let urgency = if !gives_files_to_others(&user.app, user.number)
                    && renders.holds(&key, &snapshot.tree)
                {
                    Urgency::Background
                } else {
                    Urgency::Now
                };
                (key.app, urgency)
            };
            users.into_iter().map(judge).collect()
        });
        let all_now = || keys.into_iter().map(|key| (key, Urgency::Now)).collect();
        judged.await.unwrap_or_else(|_| all_now())
    }
}

/// Whether other sources of the Application may read this one's files: then its own render does not
/// say whether a new commit concerns it.
fn gives_files_to_others(app: &Application, number: usize) -> bool {
    let sources = app.spec.all_sources();
    let is_named = |source: &Source| !source.reference_name.is_empty();
    sources.len() > 1 && sources.get(number).is_some_and(is_named)
}

/// Where a repository is, for which project: projects may have credentials of their own.
fn place(repository: &Repository, app: &Application) -> String {
    format!("{} {}", repository.url().normalized(), app.spec.project)
}
