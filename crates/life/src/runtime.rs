//! The loop that everything runs in: news into the world, keys to controllers, writes to the
//! server.
//!
//! One task owns the [`World`] and decides; it sleeps until there is news, a timer or the order to
//! stop. Nothing here knows what a controller does.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yaml::Value;

use super::client::{Api, ApiError};
use super::control::{CONTROLLERS, Context, Settings};
use super::definition;
use super::execute::{Effect, Executor};
use super::fields::text;
use super::kind::{Kind, Resource};
use super::logs::Logs;
use super::notes::Notes;
use super::volume::CLASS;
use super::watchers::{News, Watchers};
use super::world::{Change, Ref, World};
use super::write::Outcome;
use crate::clock::Clock;

/// News that may wait; a full channel holds the watchers back, and they the server.
const NEWS: usize = 4096;
/// Outcomes that are decided before their writes are done. Small enough that decisions rest on a
/// fresh world, large enough that a server with a disk can share its flushes.
const BATCH: usize = 64;
/// Requests under way at once.
const CONCURRENCY: usize = 32;
/// How long news are gathered before something is decided, and how often at most: a stream without
/// end must not keep the controllers from their work.
const GATHERING: Duration = Duration::from_millis(2);
const GATHERINGS: usize = 5;
/// The wait after a failure doubles from the first up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// Pod addresses: 10.244.0.0/16 without its first and last.
const ADDRESSES: u32 = 65_534;
const FIRST_ADDRESS: u32 = 0x0af4_0001;

struct Failure {
    count: u32,
    message: String,
}

/// The state of the loop.
pub(crate) struct Runtime {
    api: Api,
    clock: Clock,
    settings: Settings,
    logs: Logs,
    world: World,
    news: Receiver<News>,
    watchers: Watchers,
    followed: HashMap<Kind, AbortHandle>,
    waiting: BTreeSet<Kind>,
    queues: Vec<BTreeSet<Ref>>,
    timers: BinaryHeap<Reverse<(Timestamp, usize, Ref)>>,
    alarms: HashMap<(usize, Ref), Timestamp>,
    retries: BinaryHeap<Reverse<(Instant, usize, Ref)>>,
    failures: HashMap<(usize, Ref), Failure>,
    next_address: u32,
    notes: Notes,
}

impl Runtime {
    /// Nothing known yet.
    pub(crate) fn new(api: Api, clock: Clock, settings: Settings, logs: Logs) -> Self {
        let (sender, news) = channel(NEWS);
        let start = u64::try_from(clock.now().as_nanosecond()).unwrap_or_default();
        Runtime {
            watchers: Watchers::new(api.clone(), sender),
            api,
            clock,
            settings,
            logs,
            world: World::new(),
            news,
            followed: HashMap::new(),
            waiting: BTreeSet::new(),
            queues: CONTROLLERS.iter().map(|_| BTreeSet::new()).collect(),
            timers: BinaryHeap::new(),
            alarms: HashMap::new(),
            retries: BinaryHeap::new(),
            failures: HashMap::new(),
            next_address: 0,
            notes: Notes::new(start),
        }
    }

    /// Runs until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.begin()).await.is_some() {
            while !stop.is_cancelled() {
                self.step(&stop).await;
            }
        }
        self.watchers.shutdown().await;
    }

    /// Finds out what is served and reads all of it: a decision on half a world would be wrong.
    async fn begin(&mut self) {
        let mut wait = FIRST_RETRY;
        let found = loop {
            match self.api.discover().await {
                Ok(found) => break found,
                Err(error) => {
                    tracing::debug!(%error, "discovery failed");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LAST_RETRY);
                }
            }
        };
        for resource in found {
            self.follow(resource);
        }
        while !self.waiting.is_empty() {
            match self.news.recv().await {
                Some(news) => self.take_in(news),
                None => return,
            }
        }
        let nodes = self.settings.nodes.clone().into_iter();
        let wanted = nodes
            .map(|name| (Kind::NODE, name))
            .chain([(Kind::STORAGE_CLASS, CLASS.into())]);
        for (kind, name) in wanted {
            let namespace = "".into();
            self.enqueue_matching(&Ref {
                kind,
                namespace,
                name,
            });
        }
    }

    /// Lets every controller look at a key that has no object yet.
    fn enqueue_matching(&mut self, target: &Ref) {
        let change = Change {
            target: target.clone(),
            old: None,
            new: None,
        };
        self.route(&change);
    }

    fn follow(&mut self, resource: Resource) {
        // Events are many and nothing is decided on them.
        if resource.plural == *"events" {
            return;
        }
        let Some(kind) = self.world.registry.add(resource) else {
            return;
        };
        if self
            .followed
            .get(&kind)
            .is_none_or(AbortHandle::is_finished)
        {
            self.waiting.insert(kind);
            let resource = self.world.registry.resource(kind).clone();
            self.followed
                .insert(kind, self.watchers.follow(kind, resource));
        }
    }

    async fn step(&mut self, stop: &CancellationToken) {
        self.gather().await;
        self.ring();
        if let Some(index) = self.queues.iter().position(|queue| !queue.is_empty()) {
            self.work(index).await;
            return;
        }
        let next = self.timers.peek().map(|Reverse((time, ..))| *time);
        let alarm = async {
            match next {
                Some(time) => self.clock.sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        let retry = self.retries.peek().map(|Reverse((time, ..))| *time);
        let retry = async {
            match retry {
                Some(time) => tokio::time::sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = alarm => {}
            () = retry => {}
            news = self.news.recv() => {
                if let Some(news) = news {
                    self.take_in(news);
                    tokio::time::sleep(GATHERING).await;
                }
            }
        }
    }

    /// Takes in all news, and those that follow closely. Every kind is watched apart, so what was
    /// written first may be told last: a ReplicaSet before the pod that it is to adopt. Deciding
    /// between the two would be right, and corrected later, but more work for all.
    async fn gather(&mut self) {
        for _ in 0..GATHERINGS {
            let mut any = false;
            while let Ok(news) = self.news.try_recv() {
                self.take_in(news);
                any = true;
            }
            if !any {
                return;
            }
            tokio::time::sleep(GATHERING).await;
        }
    }

    /// Queues the keys whose time has come.
    fn ring(&mut self) {
        let now = self.clock.now();
        while self
            .timers
            .peek()
            .is_some_and(|Reverse((time, ..))| *time <= now)
        {
            if let Some(Reverse((time, index, target))) = self.timers.pop() {
                let key = (index, target);
                // One that was overtaken by an earlier alarm of the same key is stale.
                if self.alarms.get(&key) == Some(&time) {
                    self.alarms.remove(&key);
                    self.queues[index].insert(key.1);
                }
            }
        }
        let now = Instant::now();
        while self
            .retries
            .peek()
            .is_some_and(|Reverse((time, ..))| *time <= now)
        {
            if let Some(Reverse((_, index, target))) = self.retries.pop() {
                self.queues[index].insert(target);
            }
        }
    }

    fn set_alarm(&mut self, index: usize, target: &Ref, time: Timestamp) {
        let key = (index, target.clone());
        if self.alarms.get(&key).is_none_or(|set| *set > time) {
            self.timers.push(Reverse((time, index, target.clone())));
            self.alarms.insert(key, time);
        }
    }

    fn take_in(&mut self, news: News) {
        let now = self.clock.now();
        match news {
            News::Listed(kind, objects) => {
                self.waiting.remove(&kind);
                for change in self.world.replace(kind, objects, now) {
                    self.route(&change);
                }
            }
            News::Present(kind, object) => self.present(kind, object),
            News::Gone(kind, object) => {
                let namespace = text(&object, &["metadata", "namespace"]);
                let target = Ref::new(kind, namespace, text(&object, &["metadata", "name"]));
                self.gone(&target, text(&object, &["metadata", "uid"]));
            }
        }
    }

    fn present(&mut self, kind: Kind, object: Value) {
        if let Some(change) = self.world.apply(kind, object, self.clock.now()) {
            self.route(&change);
        }
    }

    fn gone(&mut self, target: &Ref, uid: &str) {
        if let Some(change) = self.world.remove(target, uid, self.clock.now()) {
            self.route(&change);
        }
        if target.kind == Kind::POD {
            self.logs.forget(uid);
        }
    }

    /// Hands a change to all that it concerns.
    fn route(&mut self, change: &Change) {
        let mut keys = Vec::new();
        for (controller, queue) in CONTROLLERS.iter().zip(&mut self.queues) {
            (controller.affected)(&self.world, change, &mut keys);
            queue.extend(keys.drain(..));
        }
        if change.target.kind == Kind::DEFINITION
            && let Some(object) = change.latest()
        {
            match definition::served(object) {
                Some(resource) if change.new.is_some() => self.follow(resource),
                Some(resource) => self.unfollow(&resource),
                None => {}
            }
        }
    }

    fn unfollow(&mut self, resource: &Resource) {
        let Some(kind) = self.world.registry.find(&resource.group, &resource.kind) else {
            return;
        };
        if let Some(handle) = self.followed.remove(&kind) {
            handle.abort();
        }
        self.waiting.remove(&kind);
        for change in self.world.replace(kind, Vec::new(), self.clock.now()) {
            self.route(&change);
        }
    }

    /// Decides about the queued keys of one controller, and does what was decided.
    async fn work(&mut self, index: usize) {
        let mut keys = std::mem::take(&mut self.queues[index]);
        let rest = keys
            .iter()
            .nth(BATCH)
            .cloned()
            .map(|first| keys.split_off(&first));
        self.queues[index].extend(rest.into_iter().flatten());
        let now = self.clock.now();
        let mut jobs = Vec::new();
        for target in keys {
            let outcome = self.decide(index, &target, now);
            if let Some(time) = outcome.again {
                self.set_alarm(index, &target, time);
            }
            if outcome.writes.is_empty() {
                self.failures.remove(&(index, target));
            } else {
                jobs.push((target, outcome.writes));
            }
        }
        if jobs.is_empty() {
            return;
        }
        let executor = Executor {
            api: &self.api,
            registry: &self.world.registry,
            agent: CONTROLLERS[index].agent,
            now,
            logs: &self.logs,
            notes: &self.notes,
        };
        let done: Vec<_> = futures::stream::iter(executor.all(jobs))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        for (target, (effects, result)) in done {
            for effect in effects {
                match effect {
                    Effect::Present(kind, object) => self.present(kind, object),
                    Effect::Gone(target, uid) => self.gone(&target, &uid),
                }
            }
            match result {
                Ok(()) => {
                    self.failures.remove(&(index, target));
                }
                Err(error) => self.retry(index, target, &error),
            }
        }
    }

    fn decide(&mut self, index: usize, target: &Ref, now: Timestamp) -> Outcome {
        let address = self.free_address();
        let failure = self.failures.get(&(index, target.clone()));
        let context = Context {
            world: &self.world,
            now,
            settings: &self.settings,
            address,
            failure: failure.map(|failure| failure.message.as_str()),
        };
        (CONTROLLERS[index].reconcile)(&context, target)
    }

    /// The next address that no pod has. It moves on with each decision, so that two pods of one
    /// batch do not get the same.
    fn free_address(&mut self) -> Ipv4Addr {
        for _ in 0..ADDRESSES {
            let address = Ipv4Addr::from(FIRST_ADDRESS + self.next_address);
            self.next_address = (self.next_address + 1) % ADDRESSES;
            if !self.world.address_in_use(&address.to_string()) {
                return address;
            }
        }
        Ipv4Addr::from(FIRST_ADDRESS)
    }

    fn retry(&mut self, index: usize, target: Ref, error: &ApiError) {
        tracing::debug!(%error, "a write failed");
        let failure = self
            .failures
            .entry((index, target.clone()))
            .or_insert(Failure {
                count: 0,
                message: String::new(),
            });
        let wait = FIRST_RETRY * 2u32.saturating_pow(failure.count.min(12));
        failure.count += 1;
        failure.message = error.message();
        // On the machine's clock: a server that refuses does not wait for a test to move time.
        self.retries.push(Reverse((
            Instant::now() + wait.min(LAST_RETRY),
            index,
            target,
        )));
    }
}
