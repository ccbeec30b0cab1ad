//! What a cluster handle knows, and when.

use cluster::Class;
use engine::live::Scope;

use crate::{cluster, config_map, create, delete, gvk, live, object, text};

#[tokio::test]
async fn discovery_tells_scope_and_refuses_unknown_kinds() {
    let (_server, cluster) = cluster().await;
    assert_eq!(
        cluster.scope_of(&gvk("apps/v1", "Deployment")),
        Some(Scope::Namespaced)
    );
    assert_eq!(
        cluster.scope_of(&gvk("v1", "Namespace")),
        Some(Scope::Cluster)
    );
    assert_eq!(cluster.scope_of(&gvk("apps/v1beta1", "Deployment")), None);
    let error = cluster
        .resource(&gvk("nowhere.example/v1", "Thing"))
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    assert_eq!(
        error.to_string(),
        "no matches for kind \"Thing\" in version \"nowhere.example/v1\""
    );
}

#[tokio::test]
async fn a_tracked_object_is_live_and_its_changes_touch_its_application() {
    let (_server, cluster) = cluster().await;
    let changes = cluster.changes();
    create(&cluster, &config_map("ours", Some("shop"), "1")).await;
    create(&cluster, &config_map("foreign", None, "1")).await;
    assert!(changes.next().await.contains("shop"));
    assert_eq!(live(&cluster, "shop"), ["ours"]);
    delete(&cluster, &config_map("ours", None, "1")).await;
    assert!(changes.next().await.contains("shop"));
    assert!(live(&cluster, "shop").is_empty());
}

#[tokio::test]
async fn what_was_there_before_the_start_is_known_when_it_is_ready() {
    let (server, first) = cluster().await;
    create(&first, &config_map("old", Some("shop"), "1")).await;
    let client = cluster::Client::in_process(server.service());
    let second = cluster::Cluster::start(client, cluster::Options::default())
        .await
        .unwrap();
    second.ready().await;
    assert_eq!(live(&second, "shop"), ["old"]);
}

#[tokio::test]
async fn a_wanted_object_is_live_though_nobody_tracks_it() {
    let (_server, cluster) = cluster().await;
    let made = create(&cluster, &config_map("adopted", None, "1")).await;
    let shop = "shop".into();
    let changes = cluster.changes();
    cluster.want(&shop, [made.key()].into()).await.unwrap();
    assert!(changes.next().await.contains("shop"));
    assert_eq!(live(&cluster, "shop"), ["adopted"]);
    cluster.want(&shop, [].into()).await.unwrap();
    assert!(live(&cluster, "shop").is_empty());
}

#[tokio::test]
async fn a_new_kind_is_served_and_watched_as_soon_as_it_is_asked_for() {
    let (_server, cluster) = cluster().await;
    let definition = object(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {name: boats.harbour.example}\n\
         spec:\n  group: harbour.example\n  scope: Namespaced\n  \
           names: {plural: boats, singular: boat, kind: Boat, listKind: BoatList}\n  \
           versions:\n  - name: v1\n    served: true\n    storage: true\n    \
             schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {sails: {type: integer}}}}}}\n",
    );
    create(&cluster, &definition).await;
    let boat = object(
        "apiVersion: harbour.example/v1\nkind: Boat\nmetadata: {name: argo, namespace: default, \
         annotations: {argocd.argoproj.io/tracking-id: 'fleet:harbour.example/Boat:default/argo'}}\n\
         spec: {sails: 1, oars: 50}\n",
    );
    let changes = cluster.changes();
    let made = create(&cluster, &boat).await;
    assert_eq!(text(&made, &["metadata", "name"]), "argo");
    assert!(changes.next().await.contains("fleet"));
    assert_eq!(live(&cluster, "fleet"), ["argo"]);
    let schema = cluster
        .schema(&boat.gvk())
        .await
        .unwrap()
        .expect("the kind has a schema");
    assert!(schema.at(&["spec", "sails"]).is_some());
    assert!(schema.at(&["spec", "oars"]).is_none());
}
