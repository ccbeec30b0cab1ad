//! Kustomizations whose bases are in other repositories: real Git serves them.

use std::path::Path;

use api::reason;

use crate::world::{config_map, git};
use crate::{World, application};

const AUTOMATED: &str = "{automated: {prune: true, selfHeal: true}}";

/// A repository whose folder `base` holds a ConfigMap, at the tag `v1` with the value 1 and on its
/// branch with the value 2.
fn base() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    git(path, &["init", "-q", "-b", "main"]);
    std::fs::create_dir(path.join("base")).expect("a folder");
    let kustomization = "resources: [a.yaml]\n";
    std::fs::write(path.join("base/kustomization.yaml"), kustomization).expect("a file");
    for value in ["1", "2"] {
        std::fs::write(path.join("base/a.yaml"), config_map("a", value)).expect("a file");
        git(path, &["add", "."]);
        git(path, &["commit", "-qm", value]);
        if value == "1" {
            git(path, &["tag", "v1"]);
        }
    }
    folder
}

fn overlay(base: &Path, reference: &str) -> String {
    let base = base.display();
    format!("namePrefix: my-\nresources: ['file://{base}//base?ref={reference}']\n")
}

#[tokio::test]
async fn a_base_in_another_repository_is_built_at_its_reference() {
    let base = base();
    let world = World::start().await;
    let file = "app/kustomization.yaml";
    world.put(file, Some(&overlay(base.path(), "v1")));
    world.create(&application("demo", "app", AUTOMATED)).await;
    world.until_synced("demo").await;
    world.until_value("my-a", Some("1")).await;
    world.commit(file, Some(&overlay(base.path(), "main")));
    world.until_value("my-a", Some("2")).await;
}

#[tokio::test]
async fn a_base_that_the_project_does_not_permit_is_refused() {
    let base = base();
    let world = World::start().await;
    let project = "
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: narrow, namespace: argocd}
spec:
  sourceRepos: ['https://git.example.com/*/*']
  destinations: [{namespace: '*', server: '*'}]
";
    world.create(project).await;
    world.put("app/kustomization.yaml", Some(&overlay(base.path(), "v1")));
    let app = application("demo", "app", AUTOMATED);
    world
        .create(&app.replace("project: default", "project: narrow"))
        .await;
    let app = world
        .until("demo", "refused", |app| !app.status.conditions.is_empty())
        .await;
    let condition = &app.status.conditions[0];
    assert_eq!(condition.condition_type, reason::COMPARISON_ERROR);
    let want = format!(
        "PermissionDenied desc = remote bases of file://{} are not permitted in project 'narrow'",
        base.path().display()
    );
    assert!(condition.message.ends_with(&want), "{}", condition.message);
    assert_eq!(world.value("my-a").await, None);
}
