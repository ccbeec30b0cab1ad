//! The files of a commit: links, submodules, LFS.

use manifest::{EntryKind, Tree, TreePath};
use source::Freshness;

use crate::fixture::{Fixture, reference};

fn link(fixture: &Fixture, target: &str, name: &str) {
    std::os::unix::fs::symlink(target, fixture.work().join(name)).unwrap();
}

async fn tree(fixture: &Fixture) -> std::sync::Arc<dyn Tree> {
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "-m", "x"]);
    let repository = fixture.over_file();
    let revision = repository
        .resolve(&reference("main"), Freshness::Now)
        .await
        .unwrap();
    repository.snapshot(&revision).await.unwrap().tree
}

#[tokio::test]
async fn links_are_followed_inside_only() {
    let fixture = Fixture::new();
    fixture.write("base/values.yaml", "a: 1\n");
    fixture.write("apps/one/x.yaml", "x\n");
    fixture.write("secret.yaml", "top\n");
    link(&fixture, "../../base/values.yaml", "apps/one/values.yaml");
    link(&fixture, "base", "folder");
    link(&fixture, "folder/values.yaml", "twice");
    link(&fixture, "folder/../secret.yaml", "dots");
    link(&fixture, "/etc/passwd", "absolute");
    link(&fixture, "../../../etc/passwd", "outside");
    link(&fixture, "round", "round");
    link(&fixture, "nowhere", "dangling");
    let tree = tree(&fixture).await;
    let read = |path: &str| match tree.read(&TreePath::parse(path).unwrap()) {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Err(error) => error.to_string(),
    };
    assert_eq!(read("apps/one/values.yaml"), "a: 1\n");
    assert_eq!(read("folder/values.yaml"), "a: 1\n");
    assert_eq!(read("twice"), "a: 1\n");
    assert_eq!(read("dots"), "top\n");
    let outside = "symbolic link leads outside of the repository";
    assert_eq!(read("absolute"), format!("absolute: {outside}"));
    assert_eq!(read("outside"), format!("outside: {outside}"));
    assert_eq!(read("round"), "round: symbolic link goes in circles");
    assert_eq!(read("dangling"), "dangling: no such file or directory");
    assert_eq!(read("base"), "base: is a directory");
    assert_eq!(
        read("secret.yaml/x"),
        "secret.yaml/x: no such file or directory"
    );
    let id = |path: &str| tree.content_id(&TreePath::parse(path).unwrap()).unwrap();
    assert_eq!(id("twice"), id("base/values.yaml"));
    assert_ne!(id("twice"), id("secret.yaml"));
    assert_eq!(
        tree.kind(&TreePath::parse("folder").unwrap()),
        Ok(EntryKind::Directory)
    );
    assert_eq!(tree.size(&TreePath::parse("twice").unwrap()), Ok(5));
    let listed = tree.list(&TreePath::parse("apps/one").unwrap()).unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|it| (it.name.as_str(), it.kind))
        .collect();
    let want = [
        ("values.yaml", EntryKind::Symlink),
        ("x.yaml", EntryKind::File),
    ];
    assert_eq!(listed, want);
    let error = tree
        .list(&TreePath::parse("secret.yaml").unwrap())
        .unwrap_err();
    assert_eq!(error.to_string(), "secret.yaml: is not a directory");
}

#[tokio::test]
async fn names_are_sorted_as_texts_not_as_in_git() {
    let fixture = Fixture::new();
    for path in ["a/x", "a-b", "a.b", "a0"] {
        fixture.write(path, "x");
    }
    let tree = tree(&fixture).await;
    let listed = tree.list(&TreePath::root()).unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "a-b", "a.b", "a0"]);
    assert_eq!(&*tree.read(&TreePath::parse("a/x").unwrap()).unwrap(), b"x");
}

#[tokio::test]
async fn submodules_and_lfs_files_are_refused() {
    let fixture = Fixture::new();
    let other = Fixture::with_history();
    let place = other.work().display().to_string();
    fixture.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &place,
        "sub",
    ]);
    fixture.write(
        "big.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    );
    let tree = tree(&fixture).await;
    let check = |path: &str, want: &str| {
        let error = tree.read(&TreePath::parse(path).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), want);
    };
    check("sub", "sub: submodules are not supported");
    check("sub/a.yaml", "sub/a.yaml: submodules are not supported");
    check("big.bin", "big.bin: Git LFS files are not supported");
    assert_eq!(
        tree.kind(&TreePath::parse("sub").unwrap()),
        Ok(EntryKind::Submodule)
    );
}
