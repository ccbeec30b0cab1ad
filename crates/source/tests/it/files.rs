//! Repositories on this machine's disk.

use source::{Credentials, FileUrls, Freshness, Options, Problem};

use crate::fixture::{Fixture, contents, read, reference, url};

#[tokio::test]
async fn a_file_repository_is_read_where_it_is() {
    let fixture = Fixture::with_history();
    let before = contents(&fixture.work());
    let repository = fixture.over_file();
    let check = async |text: &str, want: &str| {
        assert_eq!(
            read(&repository, text, "a.yaml").await.as_deref(),
            Ok(want),
            "{text}"
        );
    };
    check("HEAD", "v: annotated\n").await;
    check("dev", "v: dev\n").await;
    check("v3.0.0", "v: annotated\n").await;
    check(">=2.0.0-0 <3.0.0", "v: 2.0.0-rc1\n").await;
    let commit = fixture.git(&["rev-parse", "v1.0.0"]);
    check(&commit, "v: 1.0.0\n").await;
    check(&commit[..7], "v: 1.0.0\n").await;
    assert_eq!(contents(&fixture.work()), before);
    // A later commit is seen, also after everything was packed.
    fixture.commit("a.yaml", "v: later\n");
    fixture.git(&["gc", "-q"]);
    check("main", "v: later\n").await;
}

#[tokio::test]
async fn a_snapshot_says_who_wrote_it_and_when() {
    let fixture = Fixture::new();
    fixture.write("a", "a");
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "-m", "subject\n\nbody"]);
    let repository = fixture.over_file();
    let revision = repository
        .resolve(&reference("main"), Freshness::Now)
        .await
        .unwrap();
    let snapshot = repository.snapshot(&revision).await.unwrap();
    assert_eq!(snapshot.author, "A U Thor <author@example.com>");
    assert_eq!(snapshot.message, "subject\n\nbody\n");
    let seconds = fixture.git(&["log", "-1", "--format=%ct"]);
    assert_eq!(snapshot.committed_seconds.to_string(), seconds);
}

#[tokio::test]
async fn files_are_refused_unless_allowed_and_a_missing_one_is_told() {
    let fixture = Fixture::new();
    let nowhere = url("file:///nowhere/x.git");
    let none = Credentials::default();
    let store = fixture.store_with(Options::new(FileUrls::Refused));
    let error = store.repository(&nowhere, &none).err().unwrap();
    assert_eq!(error.problem, Problem::FileRefused);
    let error = fixture.store().repository(&nowhere, &none).err().unwrap();
    assert_eq!(
        error.problem.to_string(),
        "failed to list refs: repository not found"
    );
    let empty = fixture.over_file();
    let error = read(&empty, "main", "a").await.unwrap_err();
    let text = "unable to resolve 'main' to a commit SHA: revision not found";
    assert_eq!(error.problem.to_string(), text);
}
