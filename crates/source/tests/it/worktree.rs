//! Uncommitted edits as a commit; real Git is the judge of which files count.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use manifest::TreePath;
use source::{Snapshot, WorkTree};

use crate::fixture::{Fixture, content, contents, git_in};

/// The tree that real Git makes of the folder, without touching its `.git`.
fn tree_of_git(fixture: &Fixture) -> Vec<u8> {
    let scratch = tempfile::tempdir().unwrap();
    let place = |name: &str| scratch.path().join(name).display().to_string();
    let own = fixture.work().join(".git/objects").display().to_string();
    std::fs::create_dir(place("objects")).unwrap();
    let env = [
        ("GIT_INDEX_FILE", place("index")),
        ("GIT_OBJECT_DIRECTORY", place("objects")),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", own),
    ];
    let env: Vec<_> = env
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let index = fixture.work().join(".git/index");
    if index.exists() {
        std::fs::copy(&index, place("index")).unwrap();
        // A file that changed in the second in which the index was written is told by the index's
        // time alone: a copy with a later one would make Git take it for unchanged.
        let written = std::fs::metadata(index).unwrap().modified().unwrap();
        let copy = std::fs::File::options().write(true).open(place("index"));
        copy.unwrap().set_modified(written).unwrap();
    }
    git_in(&fixture.work(), &["add", "-A"], &env);
    let tree = git_in(&fixture.work(), &["write-tree"], &env);
    let digit = |at: usize| u8::from_str_radix(&tree[at..at + 2], 16).unwrap();
    (0..40).step_by(2).map(digit).collect()
}

async fn take(fixture: &Fixture, folder: &WorkTree) -> Snapshot {
    let before = contents(&fixture.work().join(".git"));
    let snapshot = folder.snapshot().await.unwrap();
    assert_eq!(contents(&fixture.work().join(".git")), before);
    assert_eq!(snapshot.tree_id.as_bytes(), tree_of_git(fixture));
    snapshot
}

#[tokio::test]
async fn edits_are_seen_as_git_sees_them() {
    let fixture = Fixture::with_history();
    fixture.write(".gitignore", "*.log\n/build/\n!keep.log\n");
    fixture.write("sub/.gitignore", "local.yaml\n");
    fixture.write("build/tracked.yaml", "t: 1\n");
    fixture.git(&["add", "-f", "build/tracked.yaml"]);
    fixture.commit("sub/b.yaml", "b: 1\n");
    let head = fixture.git(&["rev-parse", "HEAD"]);
    let folder = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    let snapshot = take(&fixture, &folder).await;
    assert_eq!(snapshot.revision.to_string(), head);

    // Ignored files change nothing, also below an ignored folder.
    fixture.write("noise.log", "x");
    fixture.write("build/output.yaml", "x");
    fixture.write("sub/local.yaml", "x");
    assert_eq!(take(&fixture, &folder).await.revision.to_string(), head);

    fixture.write("a.yaml", "v: edited\n");
    let first = take(&fixture, &folder).await;
    assert_ne!(first.revision.to_string(), head);
    assert_eq!(content(&first, "a.yaml"), "v: edited\n");
    assert_eq!(content(&first, "build/tracked.yaml"), "t: 1\n");
    // Each kind of change.
    fixture.write("new/deep/untracked.yaml", "u: 1\n");
    take(&fixture, &folder).await;
    fixture.write("keep.log", "k\n");
    take(&fixture, &folder).await;
    fixture.write("build/tracked.yaml", "t: 2\n");
    assert_eq!(
        content(&take(&fixture, &folder).await, "build/tracked.yaml"),
        "t: 2\n"
    );
    std::fs::remove_file(fixture.work().join("sub/b.yaml")).unwrap();
    take(&fixture, &folder).await;
    std::os::unix::fs::symlink("a.yaml", fixture.work().join("link.yaml")).unwrap();
    assert_eq!(
        content(&take(&fixture, &folder).await, "link.yaml"),
        "v: edited\n"
    );
    let script = fixture.work().join("a.yaml");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    take(&fixture, &folder).await;
    fixture.git(&["add", "-A"]);
    take(&fixture, &folder).await;
    fixture.write("a.yaml", "v: edited again\n");
    take(&fixture, &folder).await;
}

#[tokio::test]
async fn equal_content_has_an_equal_revision() {
    let fixture = Fixture::with_history();
    let store = fixture.store();
    let folder = WorkTree::open(&store, &fixture.work()).unwrap();
    let head = folder.snapshot().await.unwrap().revision;
    let mut last = head;
    // Quick edits of one size: no time stamp need tell them apart.
    for n in 0..20 {
        fixture.write("a.yaml", &format!("v: {:02}\n", n % 5));
        let now = folder.snapshot().await.unwrap();
        assert_eq!(content(&now, "a.yaml"), format!("v: {:02}\n", n % 5));
        assert_ne!(now.revision, last);
        last = now.revision;
    }
    let again = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    assert_eq!(again.snapshot().await.unwrap().revision, last);
    fixture.write("a.yaml", "v: annotated\n");
    assert_eq!(folder.snapshot().await.unwrap().revision, head);
}

#[tokio::test]
async fn the_repository_around_a_folder_is_found() {
    let fixture = Fixture::with_history();
    fixture.write("apps/one/a.yaml", "a\n");
    fixture.git(&["remote", "add", "origin", "git@git.example:org/repo.git"]);
    fixture.git(&[
        "remote",
        "add",
        "mirror",
        "https://user:pw@git.example/org/repo",
    ]);
    let folder = WorkTree::open(&fixture.store(), &fixture.work().join("apps/one")).unwrap();
    assert_eq!(folder.root(), fixture.work().canonicalize().unwrap());
    assert_eq!(folder.branch().as_deref(), Some("main"));
    fixture.git(&["checkout", "--quiet", "-b", "other"]);
    take(&fixture, &folder).await;
    assert_eq!(folder.branch().as_deref(), Some("other"));
    let mut remotes: Vec<_> = folder
        .remotes()
        .iter()
        .map(source::RepoUrl::normalized)
        .collect();
    remotes.sort_unstable();
    assert_eq!(
        remotes,
        [
            "git@git.example/org/repo",
            "https://user@git.example/org/repo"
        ]
    );
    let committed = folder.committed().unwrap();
    let text = crate::fixture::read(committed, "dev", "a.yaml").await;
    assert_eq!(text.as_deref(), Ok("v: dev\n"));
}

#[tokio::test]
async fn a_folder_without_git_is_its_own_repository() {
    let folder = tempfile::tempdir().unwrap();
    let store = tempfile::tempdir().unwrap();
    let options = source::Options::new(source::FileUrls::Refused);
    let store = source::Store::open(store.path(), options).unwrap();
    std::fs::write(folder.path().join("a.yaml"), "a: 1\n").unwrap();
    std::fs::write(folder.path().join(".gitignore"), "*.tmp\n").unwrap();
    std::fs::write(folder.path().join("x.tmp"), "x").unwrap();
    let tree = WorkTree::open(&store, folder.path()).unwrap();
    assert!(tree.committed().is_none() && tree.remotes().is_empty());
    let snapshot = tree.snapshot().await.unwrap();
    assert_eq!(content(&snapshot, "a.yaml"), "a: 1\n");
    assert_eq!(snapshot.author, "Tiphys <tiphys@localhost>");
    let listed = snapshot.tree.list(&manifest::TreePath::root()).unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, [".gitignore", "a.yaml"]);
    assert_eq!(tree.snapshot().await.unwrap().revision, snapshot.revision);
}

#[tokio::test]
async fn a_snapshot_of_many_files_is_quick() {
    let fixture = Fixture::new();
    for n in 0..5_000 {
        fixture.write(&format!("apps/{}/{n}.yaml", n % 100), &format!("n: {n}\n"));
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "-m", "all"]);
    let folder = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    let mut times = Vec::new();
    for n in 0..4 {
        fixture.write("apps/7/7.yaml", &format!("edit: {n}\n"));
        let start = Instant::now();
        folder.snapshot().await.unwrap();
        times.push(start.elapsed());
    }
    println!(
        "5,000 files: first snapshot {:?}, later ones {:?}",
        times[0],
        &times[1..]
    );
}

#[tokio::test]
async fn a_repository_cannot_make_us_start_programs() {
    let fixture = Fixture::with_history();
    let bait = fixture.folder.path().join("bait");
    let program = format!("touch '{}'; cat", bait.display());
    fixture.write(".gitattributes", "* filter=trap diff=trap\n");
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.askPass",
        "credential.helper",
        "filter.trap.clean",
        "filter.trap.smudge",
        "filter.trap.process",
        "uploadpack.packObjectsHook",
    ] {
        fixture.git(&["config", key, &program]);
    }
    fixture.git(&["config", "include.path", "/dev/stdin"]);
    fixture.write("a.yaml", "v: edited\n");
    let folder = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    let snapshot = folder.snapshot().await.unwrap();
    assert_eq!(content(&snapshot, "a.yaml"), "v: edited\n");
    let committed = crate::fixture::read(folder.committed().unwrap(), "dev", "a.yaml").await;
    assert_eq!(committed.as_deref(), Ok("v: dev\n"));
    assert!(!bait.exists());
}

/// The part of a folder, file by file, is what the snapshot of all has there.
async fn check_part(fixture: &Fixture, folder: &str, want: &[&str]) {
    let tree = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    let folder = TreePath::parse(folder).unwrap();
    let (part, whole) = (tree.part(&folder).await.unwrap(), tree.snapshot().await);
    let (part, whole) = (part.unwrap(), whole.unwrap().tree);
    let list = part.list(&folder).unwrap();
    let names: Vec<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, want);
    assert_eq!(list, whole.list(&folder).unwrap());
    for name in want {
        let file = folder.join(name).unwrap();
        assert_eq!(part.read(&file).unwrap(), whole.read(&file).unwrap());
    }
}

#[tokio::test]
async fn a_part_holds_what_counts_below_its_folder_and_nothing_else() {
    let fixture = Fixture::with_history();
    fixture.write(".gitignore", "*.log\n/build/\n");
    fixture.write("build/tracked.yaml", "t: 1\n");
    fixture.git(&["add", "-f", "build/tracked.yaml"]);
    fixture.commit("apps/sub/b.yaml", "b: 1\n");
    fixture.write("apps/sub/.gitignore", "local.yaml\n");
    for name in ["new.yaml", "local.yaml", "noise.log"] {
        fixture.write(&format!("apps/sub/{name}"), "n: 1\n");
    }
    fixture.write("build/untracked.yaml", "u: 1\n");
    check_part(&fixture, "apps/sub", &[".gitignore", "b.yaml", "new.yaml"]).await;
    check_part(&fixture, "build", &["tracked.yaml"]).await;
    let tree = WorkTree::open(&fixture.store(), &fixture.work()).unwrap();
    let sub = TreePath::parse("apps/sub").unwrap();
    let part = tree.part(&sub).await.unwrap().unwrap();
    assert_eq!(part.list(&TreePath::root()).unwrap().len(), 1);
    // A link may lead to what is not there.
    std::os::unix::fs::symlink("../../build", fixture.work().join("apps/sub/link")).unwrap();
    assert!(tree.part(&sub).await.unwrap().is_none());
}
