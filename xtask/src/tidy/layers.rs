//! Who may use whom, and what "pure" means: the rules on the borders between crates.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::lexer;
use crate::workspace::{Package, Workspace};

/// A crate of the house: its layer and the crates of ours that it may use.
struct Crate {
    name: &'static str,
    layer: u8,
    may_use: &'static [&'static str],
}

/// Layers of the pure crates: no file, clock, environment, randomness, process, thread or network.
const LAST_PURE_LAYER: u8 = 2;
/// The layer from which tests may use the sandbox.
const FIRST_EDGE_LAYER: u8 = 3;
/// Development only: may use everything, and nothing uses it.
const NO_LAYER: u8 = 9;

/// Compares with recordings: the tests of every crate may use it, and nothing else.
const RECORDINGS: &str = "recordings";

/// The crates, by layer. A new one needs a line here and in ARCHITECTURE.md.
const CRATES: &[Crate] = &[
    Crate {
        name: "yaml",
        layer: 0,
        may_use: &[],
    },
    Crate {
        name: "gotmpl",
        layer: 0,
        may_use: &["yaml"],
    },
    Crate {
        name: "sprig",
        layer: 0,
        may_use: &["yaml", "gotmpl"],
    },
    Crate {
        name: "manifest",
        layer: 0,
        may_use: &["yaml"],
    },
    Crate {
        name: "api",
        layer: 0,
        may_use: &["yaml"],
    },
    Crate {
        name: "helm",
        layer: 1,
        may_use: &["yaml", "gotmpl", "sprig", "manifest"],
    },
    Crate {
        name: "kustomize",
        layer: 1,
        may_use: &["yaml", "manifest"],
    },
    Crate {
        name: "kinds",
        layer: 1,
        may_use: &["yaml", "manifest"],
    },
    Crate {
        name: "cel",
        layer: 1,
        may_use: &["yaml", "manifest"],
    },
    Crate {
        name: "protobuf",
        layer: 1,
        may_use: &["yaml"],
    },
    Crate {
        name: "admit",
        layer: 2,
        may_use: &["yaml", "kinds", "cel"],
    },
    Crate {
        name: "columns",
        layer: 2,
        may_use: &["yaml", "kinds"],
    },
    Crate {
        name: "structural",
        layer: 2,
        may_use: &["yaml", "manifest", "kinds", "cel"],
    },
    Crate {
        name: "engine",
        layer: 2,
        may_use: &[
            "yaml",
            "gotmpl",
            "manifest",
            "api",
            "kinds",
            "helm",
            "kustomize",
        ],
    },
    Crate {
        name: "source",
        layer: 3,
        may_use: &["yaml", "sprig", "manifest", "api", "helm", "kustomize"],
    },
    Crate {
        name: "cluster",
        layer: 3,
        may_use: &["yaml", "manifest", "api", "engine"],
    },
    Crate {
        name: "life",
        layer: 3,
        may_use: &["yaml", "manifest"],
    },
    Crate {
        name: "store",
        layer: 3,
        may_use: &["yaml"],
    },
    Crate {
        name: "sandbox",
        layer: 3,
        may_use: &[
            "yaml",
            "store",
            "manifest",
            "kinds",
            "cel",
            "columns",
            "protobuf",
            "structural",
            "admit",
            "life",
        ],
    },
    Crate {
        name: "controller",
        layer: 4,
        may_use: &[
            "yaml",
            "gotmpl",
            "manifest",
            "api",
            "helm",
            "kustomize",
            "engine",
            "source",
            "cluster",
        ],
    },
    Crate {
        name: "server",
        layer: 4,
        may_use: &[
            "yaml",
            "gotmpl",
            "manifest",
            "api",
            "helm",
            "kustomize",
            "engine",
            "source",
            "cluster",
        ],
    },
    Crate {
        name: "tiphys",
        layer: 5,
        may_use: &[
            "yaml",
            "gotmpl",
            "manifest",
            "api",
            "helm",
            "kustomize",
            "engine",
            "source",
            "cluster",
            "sandbox",
            "controller",
            "server",
        ],
    },
    Crate {
        name: RECORDINGS,
        layer: NO_LAYER,
        may_use: &["yaml"],
    },
    Crate {
        name: "xtask",
        layer: NO_LAYER,
        may_use: &[
            "yaml",
            "gotmpl",
            "manifest",
            "api",
            "helm",
            "kustomize",
            "engine",
            "source",
            "cluster",
            "sandbox",
            "controller",
            "server",
        ],
    },
];

/// Crates that a pure crate must not reach, however far away.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "hyper",
    "h2",
    "reqwest",
    "kube-client",
    "gix",
    "russh",
    "axum",
    "tonic",
    "notify",
    "redb",
    "getrandom",
    "socket2",
    "tempfile",
];

/// What a pure crate does not say; clippy's list knows functions, this one whole modules.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "thread_local!",
    "static mut",
];

/// At most this many direct outside dependencies: pure crates, Sprig's crate, edges and programs.
const MAX_DEPENDENCIES_PURE: usize = 12;
const MAX_DEPENDENCIES_SPRIG: usize = 25;
const MAX_DEPENDENCIES_EDGE: usize = 30;

/// `anyhow` is for programs: a library says which errors it has.
const PROGRAMS: &[&str] = &["tiphys", "xtask"];

fn known(name: &str) -> Option<&'static Crate> {
    CRATES.iter().find(|one| one.name == name)
}

fn is_pure(name: &str) -> bool {
    known(name).is_some_and(|one| one.layer <= LAST_PURE_LAYER)
}

fn manifest_of(package: &Package) -> String {
    let folder = if package.name == "xtask" {
        ""
    } else {
        "crates/"
    };
    format!("{folder}{}/Cargo.toml", package.name)
}

/// A crate uses lower layers only, as the table says; tests of the edges may use the sandbox.
pub(super) fn layers(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in workspace.members() {
        let place = manifest_of(package);
        let Some(owner) = known(&package.name) else {
            findings.push(Finding::new(
                &place,
                0,
                "a crate that xtask/src/tidy/layers.rs lacks",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let is_dev = dependency.kind.as_deref() == Some("dev");
            let in_tests = is_dev
                && (dependency.name == RECORDINGS
                    || dependency.name == "sandbox" && owner.layer >= FIRST_EDGE_LAYER);
            let is_ours = known(&dependency.name).is_some();
            if is_ours && !in_tests && !owner.may_use.contains(&dependency.name.as_str()) {
                let problem = format!("{} must not use {}", owner.name, dependency.name);
                findings.push(Finding::new(&place, 0, problem));
            }
            if dependency.name == "anyhow" && !PROGRAMS.contains(&owner.name) {
                let problem = "a library has its own error type, not anyhow";
                findings.push(Finding::new(&place, 0, problem));
            }
        }
    }
    findings
}

/// No pure crate reaches a runtime, a network, a file system or randomness, at any distance.
pub(super) fn pure_dependencies(workspace: &Workspace) -> Vec<Finding> {
    let names: BTreeMap<&str, &str> = workspace
        .metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let mut findings = Vec::new();
    for package in workspace.members().filter(|package| is_pure(&package.name)) {
        for id in reached(workspace, &package.id) {
            let name = names.get(id).copied().unwrap_or_default();
            if IMPURE.contains(&name) && (workspace.needs_alone)(&package.name, name) {
                let problem = format!("{} is pure and must not reach {name}", package.name);
                findings.push(Finding::new(&manifest_of(package), 0, problem));
            }
        }
    }
    findings
}

/// All packages that `id` needs at run time.
fn reached<'a>(workspace: &'a Workspace, id: &'a str) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, _> = workspace
        .metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        let edges = nodes.get(next).map_or(&[][..], |node| node.deps.as_slice());
        for edge in edges {
            let normal = edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
            if normal && seen.insert(edge.pkg.as_str()) {
                open.push(&edge.pkg);
            }
        }
    }
    seen
}

/// No pure crate names what clippy's list of functions would miss.
pub(super) fn pure_code(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in CRATES.iter().filter(|one| one.layer <= LAST_PURE_LAYER) {
        let folder = format!("crates/{}/src/", one.name);
        for (path, text) in workspace.files_in(&folder, ".rs") {
            if path.ends_with("tests.rs") || path.contains("/tests/") {
                continue;
            }
            for (number, line) in lexer::production_code(text).lines().enumerate() {
                for word in IMPURE_WORDS.iter().filter(|word| line.contains(**word)) {
                    let problem = format!("{} is pure: `{word}` belongs to an edge", one.name);
                    findings.push(Finding::new(path, number + 1, problem));
                }
            }
        }
    }
    findings
}

/// A member's `clippy.toml` replaces the root's, so pure crates carry equal copies that start with it.
pub(super) fn clippy_files(workspace: &Workspace) -> Vec<Finding> {
    let text_of = |path: &str| workspace.files.get(path).map(String::as_str);
    let Some(root) = text_of("clippy.toml") else {
        return vec![Finding::new("clippy.toml", 0, "is missing")];
    };
    let mut findings = Vec::new();
    let mut first: Option<(String, &str)> = None;
    for package in workspace.members() {
        let path = manifest_of(package).replace("Cargo.toml", "clippy.toml");
        match (is_pure(&package.name), text_of(&path)) {
            (false, None) => {}
            (false, Some(_)) => {
                findings.push(Finding::new(
                    &path,
                    0,
                    "only pure crates have their own clippy.toml",
                ));
            }
            (true, None) => findings.push(Finding::new(&path, 0, "a pure crate needs its copy")),
            (true, Some(text)) => {
                if !text.starts_with(root) || !text.contains("disallowed-methods") {
                    let problem = "must be the root's text, then the list of a pure crate";
                    findings.push(Finding::new(&path, 0, problem));
                }
                let (other, want) = first.get_or_insert_with(|| (path.clone(), text));
                if text != *want {
                    findings.push(Finding::new(&path, 0, format!("differs from {other}")));
                }
            }
        }
    }
    findings
}

/// Manifests take versions and lints from the workspace, and stay within their number of lines.
pub(super) fn manifests(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in workspace.members() {
        let path = manifest_of(package);
        let text = workspace.files.get(&path).map_or("", String::as_str);
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(Finding::new(
                &path,
                0,
                "must have `[lints] workspace = true`",
            ));
        }
        let mut in_dependencies = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
                let problem = "versions stand in the root manifest: use `workspace = true`";
                findings.push(Finding::new(&path, number + 1, problem));
            }
        }
        let limit = match package.name.as_str() {
            "sprig" => MAX_DEPENDENCIES_SPRIG,
            name if is_pure(name) => MAX_DEPENDENCIES_PURE,
            _ => MAX_DEPENDENCIES_EDGE,
        };
        let outside = package
            .dependencies
            .iter()
            .filter(|one| one.kind.is_none() && known(&one.name).is_none())
            .count();
        if outside > limit {
            let problem = format!("{outside} outside dependencies, more than {limit}");
            findings.push(Finding::new(&path, 0, problem));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, checkout, package};
    use super::*;

    #[test]
    fn a_crate_uses_lower_layers_only() {
        let mut good = checkout(&[]);
        package(&mut good, "yaml", "0.1.0", &["serde"]);
        package(&mut good, "engine", "0.1.0", &["yaml"]);
        check(layers, &good, &[]);
        let mut bad = checkout(&[]);
        package(&mut bad, "yaml", "0.1.0", &["engine", "anyhow"]);
        package(&mut bad, "controller", "0.1.0", &["sandbox"]);
        package(&mut bad, "extras", "0.1.0", &[]);
        let want = [
            "yaml must not use engine",
            "own error type",
            "controller must not use sandbox",
            "tidy/layers.rs lacks",
        ];
        check(layers, &bad, &want);
    }

    #[test]
    fn a_test_of_an_edge_may_use_the_sandbox() {
        for (name, want) in [
            ("controller", &[][..]),
            ("engine", &["must not use sandbox"][..]),
        ] {
            let mut workspace = checkout(&[]);
            package(&mut workspace, name, "0.1.0", &["sandbox"]);
            workspace.metadata.packages[0].dependencies[0].kind = Some("dev".to_owned());
            check(layers, &workspace, want);
        }
    }

    #[test]
    fn a_pure_crate_cannot_reach_a_runtime_through_others() {
        let mut workspace = checkout(&[]);
        package(&mut workspace, "tokio", "1.0.0", &[]);
        package(&mut workspace, "innocent", "1.0.0", &["tokio"]);
        package(&mut workspace, "yaml", "0.1.0", &["innocent"]);
        package(&mut workspace, "source", "0.1.0", &["innocent"]);
        check(
            pure_dependencies,
            &workspace,
            &["yaml is pure and must not reach tokio"],
        );
    }

    #[test]
    fn a_pure_crate_names_no_file_and_no_clock() {
        let workspace = checkout(&[
            (
                "crates/yaml/src/a.rs",
                "//! std::fs in words is fine\n#[cfg(test)]\nuse std::fs;\n",
            ),
            ("crates/engine/src/b.rs", "fn f() {}\nuse std::env;\n"),
            ("crates/source/src/c.rs", "use std::fs;\n"),
        ]);
        check(
            pure_code,
            &workspace,
            &["crates/engine/src/b.rs:2: engine is pure: `std::env`"],
        );
    }

    #[test]
    fn copies_of_clippy_toml_are_equal() {
        let mut workspace = checkout(&[
            ("clippy.toml", "a = 1\n"),
            (
                "crates/yaml/clippy.toml",
                "a = 1\ndisallowed-methods = []\n",
            ),
            (
                "crates/manifest/clippy.toml",
                "a = 1\ndisallowed-methods = [1]\n",
            ),
            ("crates/engine/clippy.toml", "disallowed-methods = []\n"),
            ("crates/source/clippy.toml", ""),
        ]);
        for name in ["yaml", "manifest", "engine", "source", "api"] {
            package(&mut workspace, name, "0.1.0", &[]);
        }
        let want = [
            "manifest/clippy.toml: differs from crates/yaml",
            "engine/clippy.toml: must be the root's text",
            "engine/clippy.toml: differs",
            "source/clippy.toml: only pure",
            "api/clippy.toml: a pure crate needs its copy",
        ];
        check(clippy_files, &workspace, &want);
    }

    #[test]
    fn manifests_take_everything_from_the_workspace() {
        let text = "[dependencies]\nserde.workspace = true\nregex = \"1\"\n";
        let mut workspace = checkout(&[("crates/yaml/Cargo.toml", text)]);
        let many: Vec<String> = (0..13).map(|number| format!("outside-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        package(&mut workspace, "yaml", "0.1.0", &many);
        let want = [
            "[lints]",
            "Cargo.toml:3: versions",
            "13 outside dependencies, more than 12",
        ];
        check(manifests, &workspace, &want);
    }

    #[test]
    fn the_table_goes_down_only() {
        for one in CRATES {
            for used in one.may_use {
                let used = known(used).expect("the table names crates of the table");
                let within = matches!(
                    (one.layer, used.name),
                    (0, "yaml" | "gotmpl") | (3, "life" | "store")
                );
                assert!(
                    used.layer < one.layer || within,
                    "{} uses {}",
                    one.name,
                    used.name
                );
            }
        }
        assert!(is_pure("engine") && !is_pure("source") && !is_pure("unknown"));
    }
}
