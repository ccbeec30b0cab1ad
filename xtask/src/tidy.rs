//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy checks.
//!
//! Owns the table of rules ([`RULES`]); each rule is one function from the checkout to findings, in
//! a module by what it reads. Exceptions stand in `xtask/exceptions.txt`, one line with its reason
//! each; a line that nothing needs any more is a finding too.

mod dependencies;
mod documents;
mod layers;
mod sources;

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// Something that breaks a rule, and where.
#[derive(Debug)]
struct Finding {
    /// Path from the root of the checkout.
    path: String,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    /// What is wrong, and what to do about it.
    problem: String,
}

impl Finding {
    fn new(path: &str, line: usize, problem: impl Into<String>) -> Self {
        Finding {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A rule: its name, and the function that looks for what breaks it.
struct Rule {
    name: &'static str,
    check: fn(&Workspace) -> Vec<Finding>,
}

/// All rules. A new one is a line here and a test that shows how it fails.
const RULES: &[Rule] = &[
    Rule {
        name: "layers",
        check: layers::layers,
    },
    Rule {
        name: "purity of dependencies",
        check: layers::pure_dependencies,
    },
    Rule {
        name: "purity of code",
        check: layers::pure_code,
    },
    Rule {
        name: "clippy files",
        check: layers::clippy_files,
    },
    Rule {
        name: "manifests",
        check: layers::manifests,
    },
    Rule {
        name: "file size",
        check: sources::file_size,
    },
    Rule {
        name: "crate size",
        check: sources::crate_size,
    },
    Rule {
        name: "names at the root",
        check: sources::root_names,
    },
    Rule {
        name: "module documentation",
        check: sources::module_documentation,
    },
    Rule {
        name: "crate roots",
        check: sources::crate_roots,
    },
    Rule {
        name: "module names",
        check: sources::module_names,
    },
    Rule {
        name: "forbidden words",
        check: sources::forbidden_words,
    },
    Rule {
        name: "processes and tasks",
        check: sources::processes_and_tasks,
    },
    Rule {
        name: "machine paths",
        check: sources::machine_paths,
    },
    Rule {
        name: "lock file",
        check: dependencies::lock_file,
    },
    Rule {
        name: "banned crates",
        check: dependencies::banned,
    },
    Rule {
        name: "licences",
        check: dependencies::licences,
    },
    Rule {
        name: "duplicate versions",
        check: dependencies::duplicates,
    },
    Rule {
        name: "toolchain",
        check: dependencies::toolchain,
    },
    Rule {
        name: "architecture",
        check: documents::architecture,
    },
    Rule {
        name: "links",
        check: documents::links,
    },
    Rule {
        name: "changelog",
        check: documents::changelog,
    },
    Rule {
        name: "shortcomings",
        check: documents::shortcomings,
    },
    Rule {
        name: "differences",
        check: documents::differences,
    },
    Rule {
        name: "one gate",
        check: documents::one_gate,
    },
];

/// Checks every rule on this checkout.
///
/// # Errors
/// When a rule is broken; every finding has been printed by then.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let mut count = 0;
    for rule in RULES {
        for finding in (rule.check)(&workspace) {
            count += 1;
            println!("{finding} [{}]", rule.name);
        }
    }
    if count > 0 {
        bail!("{count} findings against the rules of the house");
    }
    println!(
        "    {} rules hold for {} files",
        RULES.len(),
        workspace.files.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Metadata, Node, Package, Resolve};

    /// A checkout of a few files, for tests of single rules.
    pub(super) fn checkout(files: &[(&str, &str)]) -> Workspace {
        Workspace {
            files: files
                .iter()
                .map(|(path, text)| ((*path).into(), (*text).into()))
                .collect(),
            metadata: Metadata {
                packages: Vec::new(),
                workspace_members: Vec::new(),
                resolve: Resolve { nodes: Vec::new() },
            },
            needs_alone: |_, _| true,
        }
    }

    /// Adds a package, ours when its version is 0.1.0, with normal dependencies by name.
    pub(super) fn package(workspace: &mut Workspace, name: &str, version: &str, uses: &[&str]) {
        let id = format!("{name}@{version}");
        if version == "0.1.0" {
            workspace.metadata.workspace_members.push(id.clone());
        }
        let dependency = |name: &&str| crate::workspace::Dependency {
            name: (*name).to_owned(),
            kind: None,
        };
        workspace.metadata.packages.push(Package {
            id: id.clone(),
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some("MIT".to_owned()),
            dependencies: uses.iter().map(dependency).collect(),
        });
        let find = |name: &&str| {
            let found = workspace
                .metadata
                .packages
                .iter()
                .find(|package| package.name == *name);
            found.map(|package| crate::workspace::Edge {
                pkg: package.id.clone(),
                dep_kinds: vec![crate::workspace::EdgeKind { kind: None }],
            })
        };
        let deps = uses.iter().filter_map(find).collect();
        workspace.metadata.resolve.nodes.push(Node {
            id,
            features: Vec::new(),
            deps,
        });
    }

    /// Asserts what a rule says of a checkout: one part of each finding, in order.
    pub(super) fn check(
        rule: fn(&Workspace) -> Vec<Finding>,
        workspace: &Workspace,
        want: &[&str],
    ) {
        let got: Vec<String> = rule(workspace).iter().map(ToString::to_string).collect();
        assert_eq!(got.len(), want.len(), "{got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.contains(want), "{got:?} lacks {want:?}");
        }
    }

    #[test]
    fn this_checkout_is_tidy() {
        run().expect("the findings are printed above");
    }
}
