//! Many Applications on one repository cost one question and only the renders that are needed.

use std::time::{Duration, Instant};

use crate::world::{config_map, git};
use crate::{World, application};

const N_APPLICATIONS: usize = 1_000;

async fn until(what: &str, test: impl Fn() -> bool) {
    let started = Instant::now();
    while !test() {
        assert!(started.elapsed() < Duration::from_secs(300), "never {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_applications_ask_once_and_a_commit_renders_one() {
    let repository = tempfile::tempdir().expect("a folder");
    let folder = repository.path();
    git(folder, &["init", "-q", "-b", "main"]);
    for number in 0..N_APPLICATIONS {
        let path = folder.join(format!("app-{number}"));
        std::fs::create_dir(&path).expect("a folder");
        std::fs::write(path.join("a.yaml"), config_map(&format!("a-{number}"), "1"))
            .expect("a file");
    }
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "one"]);
    let url = format!("file://{}", folder.display());

    let world = World::start().await;
    for number in 0..N_APPLICATIONS {
        let name = format!("app-{number}");
        let text = application(&name, &name, "{}");
        world.create(&text.replace(crate::world::URL, &url)).await;
    }
    let counts = || world.controller.counts();
    let all = u64::try_from(N_APPLICATIONS).expect("a number");
    until("rendered", || {
        counts().n_renders == all && world.controller.n_busy() == 0
    })
    .await;
    let url = source::RepoUrl::parse(&url).expect("a URL");
    let repository = world
        .store
        .repository(&url, &source::Credentials::default())
        .expect("open");
    assert_eq!(
        repository.counters().n_lists,
        1,
        "one question for all of them"
    );

    std::fs::write(folder.join("app-7/a.yaml"), config_map("a-7", "2")).expect("a file");
    git(folder, &["commit", "-qam", "two"]);
    world.controller.poll_now();
    until("polled", || {
        counts().n_polls == 1 && world.controller.n_busy() == 0
    })
    .await;
    assert_eq!(counts().n_renders, all + 1, "exactly one render");
    assert_eq!(repository.counters().n_lists, 2, "one question per poll");
    let touched = world.app("app-7").await.expect("it is there");
    let untouched = world.app("app-8").await.expect("it is there");
    assert_eq!(touched.status.sync.revision, untouched.status.sync.revision);
}
