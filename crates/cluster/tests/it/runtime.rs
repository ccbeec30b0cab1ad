//! kube-rs's own runtime over the sandbox: watchers, reflectors, controllers, finalizers, events and
//! conditions, as other people's controllers use them. They, too, must not see a difference.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use http::{Request, Response};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event as Recorded;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{Event as Step, finalizer};
use kube::runtime::reflector::{Store, store};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::{self, Config, watcher};
use kube::runtime::{Controller, WatchStreamExt, reflector};
use kube::{Api, Client, Resource, ResourceExt};
use sandbox::{Options, ResponseBody, Server};
use serde_json::{Value as Json, json};
use tokio::sync::{Semaphore, mpsc};
use tower::{BoxError, Service as _, service_fn};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(PATIENCE, future).await;
    assert!(value.is_ok(), "{what}: not within {PATIENCE:?}");
    value.expect("it came in time")
}

async fn started(options: Options) -> (Server, Client) {
    let server = Server::start(options).await.expect("a sandbox");
    let client = Client::new(server.service(), "default");
    (server, client)
}

fn from_json<K: serde::de::DeserializeOwned>(value: Json) -> K {
    serde_json::from_value(value).expect("an object of this kind")
}

async fn create(api: &Api<ConfigMap>, name: &str, value: &str) -> ConfigMap {
    let metadata = json!({"name": name, "labels": {"seen": "yes"}});
    let object: ConfigMap = from_json(json!({"metadata": metadata, "data": {"k": value}}));
    let params = PostParams::default();
    api.create(&params, &object).await.expect("created")
}

async fn change(api: &Api<ConfigMap>, name: &str, value: &str) {
    let (params, patch) = (
        PatchParams::default(),
        Patch::Merge(json!({"data": {"k": value}})),
    );
    api.patch(name, &params, &patch).await.expect("patched");
}

async fn delete<K>(api: &Api<K>, name: &str)
where
    K: Clone + Debug + serde::de::DeserializeOwned,
{
    let params = DeleteParams::default();
    api.delete(name, &params).await.expect("deleted");
}

/// What the store knows, by name.
fn known(store: &Store<ConfigMap>) -> BTreeMap<String, String> {
    let value = |object: &ConfigMap| object.data.as_ref()?.get("k").cloned();
    let entry = |object: Arc<ConfigMap>| (object.name_any(), value(&object).unwrap_or_default());
    store.state().into_iter().map(entry).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Start,
    Change,
    Failure(String),
}

/// Follows the stream until the store knows exactly these; gives the events on the way.
async fn follow<S>(stream: &mut S, store: &Store<ConfigMap>, want: &[(&str, &str)]) -> Vec<Seen>
where
    S: Stream<Item = watcher::Result<watcher::Event<ConfigMap>>> + Unpin,
{
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let want: BTreeMap<String, String> = want.iter().map(owned).collect();
    let mut seen = Vec::new();
    in_time(&format!("{want:?}"), async {
        while known(store) != want || seen.is_empty() {
            match stream.next().await.expect("a watcher never ends") {
                Ok(watcher::Event::Init) => seen.push(Seen::Start),
                Ok(_) => seen.push(Seen::Change),
                Err(error) => seen.push(Seen::Failure(format!("{error:?}"))),
            }
        }
    })
    .await;
    seen
}

/// Short watches: a watcher must go on over their ends.
fn watch_config() -> Config {
    Config::default().labels("seen=yes").timeout(1)
}

async fn check_reflector(config: Config) {
    let (server, client) = started(Options::in_memory()).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    for name in ["a", "b", "c"] {
        create(&api, name, "1").await;
    }
    let (reader, writer) = store();
    let mut stream = pin!(reflector(writer, watcher(api.clone(), config)));
    follow(&mut stream, &reader, &[("a", "1"), ("b", "1"), ("c", "1")]).await;
    change(&api, "b", "2").await;
    delete(&api, "a").await;
    let seen = follow(&mut stream, &reader, &[("b", "2"), ("c", "1")]).await;
    assert!(!seen.contains(&Seen::Start), "no second list: {seen:?}");
    // An object that leaves the selector is gone, one that enters it is new.
    let (params, other) = (
        PatchParams::default(),
        json!({"metadata": {"labels": {"seen": "no"}}}),
    );
    let left = api.patch("c", &params, &Patch::Merge(other)).await;
    left.expect("patched");
    create(&api, "d", "1").await;
    follow(&mut stream, &reader, &[("b", "2"), ("d", "1")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reflector_that_lists_in_pages_knows_everything() {
    check_reflector(watch_config().page_size(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reflector_over_a_streaming_list_knows_everything() {
    check_reflector(watch_config().streaming_lists()).await;
}

/// A client whose watches wait at a gate, so that a test decides what a watcher misses.
struct Gate {
    passes: Arc<Semaphore>,
    arrivals: mpsc::UnboundedReceiver<()>,
    server: Arc<Mutex<Server>>,
}

impl Gate {
    fn over(server: Server) -> (Self, Client) {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let passes = Arc::new(Semaphore::new(0));
        let server = Arc::new(Mutex::new(server));
        let (waiting, target) = (Arc::clone(&passes), Arc::clone(&server));
        let service = service_fn(move |request: Request<Body>| {
            let (waiting, target) = (Arc::clone(&waiting), Arc::clone(&target));
            let sender = sender.clone();
            async move {
                let query = request.uri().query().unwrap_or_default();
                if query.contains("watch=true") {
                    // Nobody listens any more when the test is over.
                    let _ = sender.send(());
                    waiting.acquire().await.expect("never closed").forget();
                }
                let mut service = target.lock().expect("not poisoned").service();
                let response: Response<ResponseBody> = service.call(request).await?;
                Ok::<_, BoxError>(response)
            }
        });
        let client = Client::new(service, "default");
        let gate = Gate {
            passes,
            arrivals,
            server,
        };
        (gate, client)
    }

    fn swap(&self, server: Server) -> Server {
        std::mem::replace(&mut *self.server.lock().expect("not poisoned"), server)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_missed_too_much_is_told_and_lists_again() {
    let mut options = Options::in_memory();
    options.history = 4;
    let server = Server::start(options).await.expect("a sandbox");
    let direct: Api<ConfigMap> = Api::default_namespaced(Client::new(server.service(), "default"));
    create(&direct, "a", "1").await;
    let (mut gate, client) = Gate::over(server);
    let (reader, writer) = store();
    let watched = watcher(Api::default_namespaced(client), watch_config());
    let mut stream = pin!(reflector(writer, watched.default_backoff()));

    gate.passes.add_permits(1);
    follow(&mut stream, &reader, &[("a", "1")]).await;
    change(&direct, "a", "2").await;
    follow(&mut stream, &reader, &[("a", "2")]).await;
    // The first watch ends by its timeout; the next one waits while the world goes on.
    in_time("the first watch", gate.arrivals.recv()).await;
    tokio::select! {
        event = stream.next() => panic!("nothing happens: {event:?}"),
        _ = in_time("the second watch", gate.arrivals.recv()) => {}
    }
    for number in 3..20 {
        change(&direct, "a", &number.to_string()).await;
    }
    gate.passes.add_permits(99);
    let seen = follow(&mut stream, &reader, &[("a", "19")]).await;
    assert!(seen.contains(&Seen::Start), "lists again: {seen:?}");
    let is_expired = |one: &Seen| matches!(one, Seen::Failure(text) if text.contains("410"));
    assert!(seen.iter().any(is_expired), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_goes_on_where_it_was_when_the_server_was_restarted() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(Options::in_dir(folder.path())).await;
    let (gate, client) = Gate::over(server.expect("a sandbox"));
    gate.passes.add_permits(99);
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    create(&api, "a", "1").await;
    let (reader, writer) = store();
    let watched = watcher(api.clone(), watch_config()).default_backoff();
    let mut stream = pin!(reflector(writer, watched));
    follow(&mut stream, &reader, &[("a", "1")]).await;

    // Something has to stand there while the store changes hands.
    let meanwhile = Server::start(Options::in_memory())
        .await
        .expect("a sandbox");
    gate.swap(meanwhile).stop().await;
    let again = Server::start(Options::in_dir(folder.path())).await;
    gate.swap(again.expect("the same store")).stop().await;
    create(&api, "b", "1").await;
    let seen = follow(&mut stream, &reader, &[("a", "1"), ("b", "1")]).await;
    assert!(!seen.contains(&Seen::Start), "no second list: {seen:?}");
}

#[derive(Debug)]
struct Failed(String);

impl std::fmt::Display for Failed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

fn failed(error: impl Debug) -> Failed {
    Failed(format!("{error:?}"))
}

/// Gives every ConfigMap of the label a Secret of the same name, and takes it away again.
async fn reconcile(owner: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, Failed> {
    let api: Api<ConfigMap> = Api::default_namespaced(Client::clone(&client));
    let secrets: Api<Secret> = Api::default_namespaced(Client::clone(&client));
    let step = |step: Step<ConfigMap>| async move {
        match step {
            Step::Apply(owner) => {
                let name = owner.name_any();
                let owners = [owner.controller_owner_ref(&())];
                let wanted = Patch::Apply(json!({
                    "apiVersion": "v1", "kind": "Secret", "stringData": owner.data,
                    "metadata": {"name": name, "ownerReferences": owners},
                }));
                let apply = PatchParams::apply("keeper").force();
                secrets
                    .patch(&name, &apply, &wanted)
                    .await
                    .map_err(failed)?;
            }
            Step::Cleanup(owner) => {
                let (name, params) = (owner.name_any(), DeleteParams::default());
                secrets.delete(&name, &params).await.map_err(failed)?;
            }
        }
        Ok::<_, Failed>(Action::await_change())
    };
    let done = finalizer(&api, "example.com/keeper", owner, step).await;
    done.map_err(failed)
}

async fn holds<K>(api: &Api<K>, name: &str, what: &str, is_met: impl Fn(&K) -> bool)
where
    K: Clone + Debug + Send + serde::de::DeserializeOwned + Resource + 'static,
{
    let condition = |object: Option<&K>| object.is_some_and(&is_met);
    let met = await_condition(api.clone(), name, condition);
    in_time(what, met).await.expect("can be watched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_keeps_what_it_owns_and_cleans_up_before_the_end() {
    let (server, client) = started(Options::in_memory()).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let again =
        |_: Arc<ConfigMap>, _: &Failed, _: Arc<Client>| Action::requeue(Duration::from_millis(50));
    let controller = Controller::new(api.clone(), watch_config())
        .owns(secrets.clone(), Config::default())
        .run(reconcile, again, Arc::new(client))
        .for_each(|_| ready(()));
    let running = tokio::spawn(controller);

    let made = create(&api, "a", "1").await;
    let value = |wanted: &'static str| {
        move |secret: &Secret| {
            let data = secret.data.as_ref().and_then(|data| data.get("k"));
            data.is_some_and(|data| data.0 == wanted.as_bytes())
        }
    };
    holds(&secrets, "a", "the owned object", value("1")).await;
    change(&api, "a", "2").await;
    holds(&secrets, "a", "the owned object, changed", value("2")).await;
    delete(&secrets, "a").await;
    holds(&secrets, "a", "the owned object, made again", value("2")).await;

    let uid = made.uid().expect("has one");
    delete(&api, "a").await;
    let gone = await_condition(api.clone(), "a", conditions::is_deleted(&uid));
    in_time("the end", gone).await.expect("can be watched");
    assert!(secrets.get_opt("a").await.expect("can be read").is_none());
    running.abort();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorder_makes_one_event_and_counts_its_repetitions() {
    let (server, client) = started(Options::in_memory()).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let about = create(&api, "a", "1").await.object_ref(&());
    let reporter = Reporter {
        controller: "keeper".to_owned(),
        instance: Some("keeper-1".to_owned()),
    };
    let recorder = Recorder::new(client.clone(), reporter);
    let event = Event {
        type_: EventType::Warning,
        reason: "Tired".to_owned(),
        note: Some("needs a break".to_owned()),
        action: "Rest".to_owned(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&event, &about).await.expect("recorded");
    }
    let events: Api<Recorded> = Api::default_namespaced(client.clone());
    let all = events.list(&ListParams::default()).await;
    let found = all.expect("listed").items;
    let [only] = found.as_slice() else {
        panic!("one event: {found:?}");
    };
    assert_eq!(only.series.as_ref().map(|series| series.count), Some(3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_comes_to_be_established() {
    let (server, client) = started(Options::in_memory()).await;
    let params = PostParams::default();
    let names = json!({"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"});
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    let definition: CustomResourceDefinition = from_json(json!({
        "metadata": {"name": "toys.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }));
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    let made = definitions.create(&params, &definition).await;
    made.expect("created");
    let established = conditions::is_crd_established();
    let done = await_condition(definitions, "toys.example.com", established);
    in_time("the definition", done)
        .await
        .expect("can be watched");
    server.stop().await;
}

/// What everybody's leader election does with a Lease.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_want_a_lease_one_gets_it() {
    let (server, client) = started(Options::in_memory()).await;
    let leases: Api<Lease> = Api::default_namespaced(client);
    let lease = |holder: &str, version: Option<String>| -> Lease {
        let (acquired, renewed) = ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.000001Z");
        from_json(json!({
            "metadata": {"name": "leader", "resourceVersion": version},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 0,
                "acquireTime": acquired, "renewTime": renewed},
        }))
    };
    let params = PostParams::default();
    let (first, second) = (lease("one", None), lease("two", None));
    let (first, second) = tokio::join!(
        leases.create(&params, &first),
        leases.create(&params, &second)
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let held = first.or(second).expect("one has it");
    let spec = held.spec.clone().expect("as sent");
    let acquired = spec.acquire_time.expect("as sent").0;
    assert_eq!(acquired.subsec_nanosecond(), 123_456_000);
    assert_eq!(
        spec.renew_time.expect("as sent").0.subsec_nanosecond(),
        1000
    );

    // It expired: both take it over from the version that they read.
    let version = held.resource_version();
    let (first, second) = (lease("three", version.clone()), lease("four", version));
    let (first, second) = tokio::join!(
        leases.replace("leader", &params, &first),
        leases.replace("leader", &params, &second)
    );
    let code = |one: &Result<Lease, kube::Error>| match one {
        Err(kube::Error::Api(status)) => status.code,
        _ => 200,
    };
    let mut codes = [code(&first), code(&second)];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409], "{first:?} {second:?}");
    let holder = |lease: Lease| lease.spec.and_then(|spec| spec.holder_identity);
    let seen = leases.get("leader").await.expect("is there");
    assert_eq!(holder(seen), holder(first.or(second).expect("one has it")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_of_metadata_sees_every_change() {
    let (server, client) = started(Options::in_memory()).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let partial: Api<PartialObjectMeta<ConfigMap>> = Api::default_namespaced(client);
    let before = create(&api, "a", "1").await.resource_version();
    let mut objects = pin!(watcher(partial, watch_config()).applied_objects());
    let first = in_time("the object", objects.try_next()).await;
    let first = first.expect("can be watched").expect("there is one");
    assert_eq!(first.resource_version(), before);
    change(&api, "a", "2").await;
    let second = in_time("its change", objects.try_next()).await;
    let second = second.expect("can be watched").expect("it changed");
    assert_ne!(second.resource_version(), before);
    server.stop().await;
}
