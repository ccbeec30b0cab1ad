//! Actions, and the state of the world after them.

use api::AppProject;
use cluster::Cluster;
use engine::action::{Apply, Method, OnConflict, Outcome, Propagation, Run, Validation, Verb};
use engine::gate::Gate;
use engine::gate::authorize;
use engine::live::ClusterName;
use engine::{Action, ActionResult};
use manifest::{Object, ObjectKey};
use yaml::Value;

use crate::{cluster, config_map, create, live, object, text};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A project that allows everything.
fn project() -> AppProject {
    let text = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default}\n\
                spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}], \
                clusterResourceWhitelist: [{group: '*', kind: '*'}]}\n";
    AppProject::from_value(object(text).into_value()).expect("a project")
}

async fn run(cluster: &Cluster, object: &Object, verb: Verb) -> ActionResult {
    let action = Action {
        gvk: object.gvk(),
        key: object.key(),
        verb,
        task: None,
    };
    let name = ClusterName {
        server: "https://kubernetes.default.svc".into(),
        ..ClusterName::default()
    };
    let project = project();
    let action = authorize(&Gate::new(&project, &name), action).expect("all is allowed");
    cluster.execute(&action).await
}

async fn apply(cluster: &Cluster, object: &Object, method: Method) -> ActionResult {
    let verb = Verb::Apply(Apply {
        object: object.clone(),
        method,
        on_conflict: OnConflict::Fail,
        validation: Validation::On,
        run: Run::Wet,
    });
    run(cluster, object, verb).await
}

async fn stored(cluster: &Cluster, key: &ObjectKey) -> Option<Object> {
    cluster.fetch(key).await.expect("the sandbox answers")
}

#[tokio::test]
async fn a_client_side_apply_creates_then_changes_then_leaves_alone() {
    let (_server, cluster) = cluster().await;
    let first = config_map("a", Some("shop"), "1");
    assert_eq!(
        apply(&cluster, &first, Method::ClientSide).await.outcome,
        Ok(Outcome::Created)
    );
    assert_eq!(live(&cluster, "shop"), ["a"], "the cache knows at once");
    assert_eq!(
        apply(&cluster, &first, Method::ClientSide).await.outcome,
        Ok(Outcome::Unchanged)
    );

    let mut second = config_map("a", Some("shop"), "2");
    second.value_mut().map_at_mut(&["data"]).insert("more", "x");
    assert_eq!(
        apply(&cluster, &second, Method::ClientSide).await.outcome,
        Ok(Outcome::Configured)
    );
    assert_eq!(
        apply(&cluster, &first, Method::ClientSide).await.outcome,
        Ok(Outcome::Configured)
    );
    let now = stored(&cluster, &first.key()).await.expect("it is there");
    assert_eq!(text(&now, &["data", "k"]), "1");
    assert_eq!(
        now.value().at(&["data", "more"]),
        None,
        "what left Git is taken off"
    );
    let last = now.annotation(LAST_APPLIED).expect("it remembers");
    assert!(
        last.ends_with("}\n") && !last.contains("last-applied"),
        "{last}"
    );
}

#[tokio::test]
async fn what_others_wrote_stays() {
    let (_server, cluster) = cluster().await;
    let ours = config_map("a", Some("shop"), "1");
    apply(&cluster, &ours, Method::ClientSide).await;
    let mut edited = stored(&cluster, &ours.key()).await.unwrap();
    edited
        .value_mut()
        .map_at_mut(&["data"])
        .insert("theirs", "x");
    let resource = cluster.resource(&edited.gvk()).await.unwrap();
    cluster
        .client()
        .update(&resource, &edited, cluster::WriteOptions::default())
        .await
        .unwrap();
    apply(
        &cluster,
        &config_map("a", Some("shop"), "2"),
        Method::ClientSide,
    )
    .await;
    let now = stored(&cluster, &ours.key()).await.unwrap();
    assert_eq!(
        (text(&now, &["data", "theirs"]), text(&now, &["data", "k"])),
        ("x", "2")
    );
}

#[tokio::test]
async fn an_object_that_no_watch_has_told_of_yet_is_still_patched() {
    let (server, cluster) = cluster().await;
    // Another client creates it; the cache may not know when the apply starts.
    let other = cluster::Client::in_process(server.service());
    let resource = cluster
        .resource(&config_map("a", None, "0").gvk())
        .await
        .unwrap();
    let made = config_map("a", None, "0");
    other
        .create(&resource, &made, cluster::WriteOptions::default())
        .await
        .unwrap();
    let result = apply(
        &cluster,
        &config_map("a", Some("shop"), "1"),
        Method::ClientSide,
    )
    .await;
    assert_eq!(result.outcome, Ok(Outcome::Configured));
}

#[tokio::test]
async fn a_server_side_apply_owns_its_fields() {
    let (_server, cluster) = cluster().await;
    let ours = config_map("a", Some("shop"), "1");
    let method = || Method::ServerSide {
        migrate_from: Some("kubectl-client-side-apply".into()),
    };
    let result = apply(&cluster, &ours, method()).await;
    assert_eq!(result.outcome, Ok(Outcome::ServerSideApplied));
    let mut less = config_map("a", Some("shop"), "1");
    less.value_mut().map_at_mut(&[]).remove("data");
    apply(&cluster, &less, method()).await;
    let now = stored(&cluster, &ours.key()).await.unwrap();
    assert_eq!(
        now.value().at(&["data", "k"]),
        None,
        "a field that left Git is taken off"
    );
    assert_eq!(now.annotation(LAST_APPLIED), None);
}

#[tokio::test]
async fn replacing_takes_off_what_git_does_not_say() {
    let (_server, cluster) = cluster().await;
    let mut rich = config_map("a", Some("shop"), "1");
    rich.value_mut().map_at_mut(&["data"]).insert("extra", "x");
    create(&cluster, &rich).await;
    let result = apply(
        &cluster,
        &config_map("a", Some("shop"), "2"),
        Method::Replace,
    )
    .await;
    assert_eq!(result.outcome, Ok(Outcome::Replaced));
    let now = stored(&cluster, &rich.key()).await.unwrap();
    assert_eq!(now.value().at(&["data"]), Some(&object_data("2")));
}

fn object_data(value: &str) -> Value {
    yaml::Map::from([("k", Value::from(value))]).into()
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (_server, cluster) = cluster().await;
    let ours = config_map("a", Some("shop"), "1");
    let verb = Verb::Apply(Apply {
        object: ours.clone(),
        method: Method::ClientSide,
        on_conflict: OnConflict::Fail,
        validation: Validation::On,
        run: Run::Dry,
    });
    assert_eq!(
        run(&cluster, &ours, verb).await.outcome,
        Ok(Outcome::Created)
    );
    assert_eq!(stored(&cluster, &ours.key()).await, None);
    assert!(live(&cluster, "shop").is_empty());
}

#[tokio::test]
async fn only_the_object_that_was_judged_is_deleted() {
    let (_server, cluster) = cluster().await;
    let first = create(&cluster, &config_map("a", Some("shop"), "1")).await;
    let delete = |uid: &str| Verb::Delete {
        propagation: Propagation::Background,
        uid: uid.into(),
    };
    let result = run(&cluster, &first, delete("another")).await;
    assert_eq!(result.outcome, Ok(Outcome::Deleted));
    assert!(
        stored(&cluster, &first.key()).await.is_some(),
        "this one was not meant"
    );
    assert_eq!(
        run(&cluster, &first, delete(first.uid())).await.outcome,
        Ok(Outcome::Deleted)
    );
    assert_eq!(
        run(&cluster, &first, delete(first.uid())).await.outcome,
        Ok(Outcome::Deleted)
    );
    let changes = cluster.changes();
    while !live(&cluster, "shop").is_empty() {
        changes.next().await; // the watch may still have the creation to tell, then the deletion
    }
}

#[tokio::test]
async fn a_finalizer_is_taken_off_and_the_object_goes() {
    let (_server, cluster) = cluster().await;
    let mut held = config_map("a", Some("shop"), "1");
    held.metadata_mut()
        .insert("finalizers", vec!["example.com/one", "example.com/two"]);
    let held = create(&cluster, &held).await;
    let propagation = Propagation::Background;
    run(
        &cluster,
        &held,
        Verb::Delete {
            propagation,
            uid: held.uid().into(),
        },
    )
    .await;
    let waiting = stored(&cluster, &held.key())
        .await
        .expect("its finalizers hold it");
    assert!(waiting.is_terminating());
    for finalizer in ["example.com/one", "example.com/two"] {
        let result = run(&cluster, &held, Verb::RemoveFinalizer(finalizer)).await;
        assert_eq!(result.outcome, Ok(Outcome::Patched));
    }
    assert_eq!(stored(&cluster, &held.key()).await, None);
    let again = run(&cluster, &held, Verb::RemoveFinalizer("example.com/one")).await;
    assert_eq!(
        again.outcome,
        Ok(Outcome::Patched),
        "gone already is a success"
    );
}

#[tokio::test]
async fn an_unknown_kind_and_a_refusal_are_results() {
    let (_server, cluster) = cluster().await;
    let ghost = object(
        "apiVersion: nowhere.example/v1\nkind: Ghost\nmetadata: {name: a, namespace: default}\n",
    );
    let result = apply(&cluster, &ghost, Method::ClientSide).await;
    let want = "no matches for kind \"Ghost\" in version \"nowhere.example/v1\"";
    assert_eq!(result.outcome, Err(want.to_owned()));
    let mut lost = config_map("a", None, "1");
    lost.metadata_mut().insert("namespace", "missing");
    let result = apply(&cluster, &lost, Method::ClientSide).await;
    assert_eq!(
        result.outcome,
        Err("namespaces \"missing\" not found".to_owned())
    );
}
