//! Fetching: what is brought, what is not, and what a broken transfer leaves.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use source::{
    Credentials, FileUrls, Freshness, Options, Problem, Repository, Retry, Store, Trust, Watcher,
};

use crate::fixture::{Fixture, contents, read, reference, url};
use crate::server::{Guard, Mood, Server};

async fn serve(fixture: &Fixture) -> Server {
    let root = fixture.folder.path().to_path_buf();
    Server::start(root, Guard::Nobody, Mood::Serves).await
}

fn open(server: &Server, store: &Store) -> Repository {
    let certificates = BTreeMap::from([("localhost".to_owned(), server.authority.pem.clone())]);
    store.set_trust(Trust::new(&certificates, "").0);
    let url = url(&server.url("/work/.git"));
    store.repository(&url, &Credentials::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_reference_gives_its_commit() {
    let fixture = Fixture::with_history();
    let server = serve(&fixture).await;
    let repository = open(&server, &fixture.store());
    let first = fixture.git(&["rev-parse", "v1.0.0"]);
    let inner = fixture.git(&["rev-parse", "v1.1.0"]);
    fixture.git(&["update-ref", "refs/pull/7/head", "v1.1.0"]);
    let check = async |text: &str, want: Result<&str, Problem>| {
        let got = read(&repository, text, "a.yaml").await;
        assert_eq!(
            got.as_deref().map_err(|it| it.problem.clone()),
            want,
            "{text}"
        );
    };
    let unknown = |text: &str| Err(Problem::UnknownReference(text.to_owned()));
    check("", Ok("v: annotated\n")).await;
    check("HEAD", Ok("v: annotated\n")).await;
    check("main", Ok("v: annotated\n")).await;
    check("dev", Ok("v: dev\n")).await;
    check("refs/heads/dev", Ok("v: dev\n")).await;
    check("pull/7/head", Ok("v: 1.1.0\n")).await;
    check("v1.0.0", Ok("v: 1.0.0\n")).await;
    check("v3.0.0", Ok("v: annotated\n")).await;
    check("*", Ok("v: annotated\n")).await;
    check(">=1.0.0 <2.0.0", Ok("v: 1.1.0\n")).await;
    check(">=2.0.0-0 <3.0.0", Ok("v: 2.0.0-rc1\n")).await;
    check(&first, Ok("v: 1.0.0\n")).await;
    check(&first[..7], Ok("v: 1.0.0\n")).await;
    check(&inner[..12], Ok("v: 1.1.0\n")).await;
    check("nope", unknown("nope")).await;
    check("origin/dev", unknown("origin/dev")).await;
    check(">=9.0.0", unknown(">=9.0.0")).await;
    let short = "abcdef1";
    check(short, Err(Problem::UnknownCommit(short.to_owned()))).await;
    let nobody = "1234567890123456789012345678901234567890";
    check(nobody, Err(Problem::UnknownCommit(nobody.to_owned()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_reference_names_is_found() {
    let fixture = Fixture::with_history();
    // Its digits are known, but neither a branch nor a tag points at it.
    let lost = fixture.commit("a.yaml", "v: lost\n");
    fixture.commit("a.yaml", "v: newest\n");
    let server = serve(&fixture).await;
    let repository = open(&server, &fixture.store());
    assert_eq!(
        read(&repository, &lost, "a.yaml").await.as_deref(),
        Ok("v: lost\n")
    );
    let store = Store::open(
        &fixture.folder.path().join("other"),
        Options::new(FileUrls::Allowed),
    );
    let repository = open(&server, &store.unwrap());
    assert_eq!(
        read(&repository, &lost[..8], "a.yaml").await.as_deref(),
        Ok("v: lost\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_fetch_brings_only_what_is_new() {
    let fixture = Fixture::with_history();
    // Random digits do not compress: the first fetch is large.
    let mut digits = String::new();
    let mut seed = 1_u64;
    while digits.len() < 300_000 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        digits.push_str(&seed.to_string());
    }
    fixture.write("large.txt", &digits);
    fixture.commit("b.yaml", "b: 1\n");
    let server = serve(&fixture).await;
    let store = fixture.store();
    let repository = open(&server, &store);
    read(&repository, "main", "a.yaml").await.unwrap();
    let first = repository.counters();
    assert!(first.n_bytes > 100_000, "{first:?}");
    fixture.commit("a.yaml", "v: newer\n");
    assert_eq!(
        read(&repository, "main", "a.yaml").await.as_deref(),
        Ok("v: newer\n")
    );
    let second = repository.counters();
    assert_eq!(second.n_fetches, 2);
    assert!(second.n_bytes - first.n_bytes < 10_000, "{second:?}");
    // A new process knows it too, and does not fetch again what is here.
    let repository = open(&server, &fixture.store());
    read(&repository, "main", "a.yaml").await.unwrap();
    assert_eq!(repository.counters().n_fetches, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_transfer_leaves_the_store_as_it_was() {
    let fixture = Fixture::with_history();
    for n in 0..200 {
        fixture.write(&format!("files/{n}.yaml"), &format!("n: {n}\n"));
    }
    fixture.commit("b.yaml", "b: 1\n");
    let server = serve(&fixture).await;
    let store = fixture.store();
    let repository = open(&server, &store);
    repository.ls_refs(Freshness::Now).await.unwrap();
    let folder = fixture.folder.path().join("store");
    let before = contents(&folder);
    let revision = repository
        .resolve(
            &reference("main"),
            Freshness::Within(Duration::from_secs(3600)),
        )
        .await
        .unwrap();
    for offset in [1, 20, 100, 2_000, 5_000] {
        server.cut_after.store(offset, Ordering::SeqCst);
        let error = repository.snapshot(&revision).await.err().unwrap();
        assert!(
            matches!(error.problem, Problem::Cut(_)),
            "{offset}: {error:?}"
        );
        assert_eq!(error.retry(), Retry::Later);
        assert_eq!(contents(&folder), before, "{offset}");
    }
    server.cut_after.store(0, Ordering::SeqCst);
    let snapshot = repository.snapshot(&revision).await.unwrap();
    assert_eq!(crate::fixture::content(&snapshot, "files/7.yaml"), "n: 7\n");
    // The store is a repository that real Git finds whole.
    let databases: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(databases.len(), 1);
    for database in databases {
        let database = database.unwrap().path();
        crate::fixture::git_in(&database, &["fsck", "--full", "--strict"], &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_bytes_and_time_hold() {
    let fixture = Fixture::with_history();
    let server = serve(&fixture).await;
    let mut options = Options::new(FileUrls::Refused);
    options.max_transfer_bytes = 600;
    let store = Store::open(&fixture.folder.path().join("small"), options.clone()).unwrap();
    let repository = open(&server, &store);
    let error = read(&repository, "main", "a.yaml").await.unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit: 600 });
    let hanging = Server::start(fixture.work(), Guard::Nobody, Mood::Hangs).await;
    options.list_timeout = Duration::from_millis(200);
    let store = Store::open(&fixture.folder.path().join("fast"), options).unwrap();
    let repository = open(&hanging, &store);
    let error = repository.ls_refs(Freshness::Now).await.unwrap_err();
    assert_eq!(error.problem, Problem::Timeout(Duration::from_millis(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_references_cost_one_list() {
    let fixture = Fixture::with_history();
    for n in 0..20 {
        fixture.git(&["branch", &format!("env-{n}"), "v1.0.0"]);
    }
    let server = serve(&fixture).await;
    let repository = open(&server, &fixture.store());
    let texts = ["main", "HEAD", "v1.0.0", "*", "1.x", "dev"];
    let wanted: Vec<_> = (0..1000)
        .map(|n| match texts.get(n % 26) {
            Some(text) => reference(text),
            None => reference(&format!("env-{}", n % 20)),
        })
        .map(|reference| (repository.clone(), reference))
        .collect();
    let mut watcher = Watcher::default();
    let moved = watcher.poll(&wanted).await;
    assert_eq!(moved.len(), 26);
    assert!(moved.iter().all(|it| it.revision.is_ok()));
    assert_eq!(
        (repository.counters().n_lists, server.n_seen("GET")),
        (1, 1)
    );
    // Nothing moved, then one branch does.
    assert_eq!(watcher.poll(&wanted).await.len(), 0);
    fixture.git(&["branch", "-f", "env-3", "v1.1.0"]);
    let moved = watcher.poll(&wanted).await;
    let names: Vec<_> = moved.iter().map(|it| it.reference.as_str()).collect();
    assert_eq!(names, ["env-3"]);
    assert_eq!(
        (repository.counters().n_lists, server.n_seen("GET")),
        (3, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_at_the_same_time_share_one_answer_and_one_failure() {
    let fixture = Fixture::with_history();
    let limit = Freshness::Within(Duration::from_secs(60));
    let server = serve(&fixture).await;
    let repository = open(&server, &fixture.store());
    let asked = (0..1000).map(|_| repository.ls_refs(limit));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.n_seen("GET"), 1);
    let failing = Server::start(fixture.work(), Guard::Nobody, Mood::Fails(500)).await;
    let repository = open(&failing, &fixture.store());
    let asked = (0..1000).map(|_| repository.ls_refs(limit));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(failing.n_seen("GET"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_login_are_not_given() {
    let fixture = Fixture::with_history();
    let guard = Guard::Header("Bearer right".to_owned());
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, guard, Mood::Serves).await;
    let store = fixture.store();
    open(&server, &store);
    let url = url(&server.url("/work/.git"));
    let login = |token: &str| {
        let keys = [("bearerToken", token)];
        store
            .repository(&url, &crate::fixture::credentials(&url, &keys))
            .unwrap()
    };
    let commit = fixture.git(&["rev-parse", "main"]);
    read(&login("right"), &commit, "a.yaml").await.unwrap();
    let error = read(&login("wrong"), &commit, "a.yaml").await.unwrap_err();
    assert!(
        matches!(error.problem, Problem::Authentication(_)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_too_many_packs_starts_over() {
    let fixture = Fixture::with_history();
    let server = serve(&fixture).await;
    let repository = open(&server, &fixture.store());
    read(&repository, "main", "a.yaml").await.unwrap();
    let folder = fixture.folder.path().join("store");
    let database = std::fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let packs = database.join("objects/pack");
    for n in 0..400 {
        std::fs::write(packs.join(format!("pack-{n}.pack")), "").unwrap();
    }
    fixture.commit("a.yaml", "v: newest\n");
    assert_eq!(
        read(&repository, "main", "a.yaml").await.as_deref(),
        Ok("v: newest\n")
    );
    let n_packs = |folder: &std::path::Path| {
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().path());
        files
            .filter(|it| it.extension().is_some_and(|it| it == "pack"))
            .count()
    };
    assert_eq!(n_packs(&packs), 1);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // What was here before is fetched again when it is asked for.
    assert_eq!(
        read(&repository, "dev", "a.yaml").await.as_deref(),
        Ok("v: dev\n")
    );
    assert_eq!(n_packs(&packs), 2);
}
