//! The options of `kustomize build` that an installation sets (`kustomize.buildOptions`).
//!
//! Read [`KustomizeSettings`], then [`BuildOptions`].

use std::collections::BTreeMap;

use kustomize::LoadRestriction;

/// How kustomizations are built: an installation's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizeSettings {
    build_options: String,
    versions: BTreeMap<String, String>,
    id: String,
}

impl KustomizeSettings {
    /// Of the flags of `kustomize build`, and of those for each version that a source may ask for.
    #[must_use]
    pub fn new(build_options: &str, versions: BTreeMap<String, String>) -> Self {
        KustomizeSettings {
            id: format!("{build_options:?} {versions:?}"),
            build_options: build_options.to_owned(),
            versions,
        }
    }

    /// The flags for a version; `None` when there is no such version. Without one, the usual flags.
    pub(super) fn build_options(&self, version: &str) -> Option<&str> {
        match version {
            "" => Some(&self.build_options),
            version => self.versions.get(version).map(String::as_str),
        }
    }

    /// Different for settings that differ.
    pub(in crate::render) fn id(&self) -> &str {
        &self.id
    }
}

/// The flags of a build that change what it gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BuildOptions {
    pub(super) load_restriction: LoadRestriction,
    pub(super) enable_helm: bool,
    /// `--enable-managedby-label`.
    pub(super) labels_manager: bool,
    /// `--helm-kube-version`.
    pub(super) kube_version: String,
    /// `--helm-api-versions`.
    pub(super) api_versions: Vec<String>,
}

/// Flags without a value that change nothing: programs are never run.
const IGNORED: [&str; 7] = [
    "--enable-alpha-plugins",
    "--enable-exec",
    "--enable-star",
    "--network",
    "--as-current-user",
    "--helm-debug",
    "--stack-trace",
];

/// Flags with a value that change nothing: they are about programs, or the order of the output.
const IGNORED_WITH_VALUE: [&str; 8] = [
    "--network-name",
    "--mount",
    "--env",
    "-e",
    "--helm-command",
    "--output",
    "-o",
    "--reorder",
];

impl BuildOptions {
    /// Reads flags as `kustomize build` does.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut options = BuildOptions::default();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let (flag, given) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word, None),
            };
            if options.set(flag, given)? {
                continue;
            }
            let is_known = IGNORED_WITH_VALUE.contains(&flag)
                || [
                    "--load-restrictor",
                    "--helm-kube-version",
                    "--helm-api-versions",
                ]
                .contains(&flag);
            if !is_known {
                return Err(match flag.starts_with('-') {
                    true => format!("unknown flag: {flag}"),
                    false => "specify one path to kustomization.yaml".to_owned(),
                });
            }
            let value = given.or_else(|| words.next());
            let value = value.ok_or_else(|| format!("flag needs an argument: {flag}"))?;
            options.set_value(flag, value)?;
        }
        Ok(options)
    }

    /// Sets a flag that is on or off; `false` for others.
    fn set(&mut self, flag: &str, given: Option<&str>) -> Result<bool, String> {
        let mut unused = false;
        let target = match flag {
            "--enable-helm" => &mut self.enable_helm,
            "--enable-managedby-label" => &mut self.labels_manager,
            flag if IGNORED.contains(&flag) => &mut unused,
            _ => return Ok(false),
        };
        *target = match given {
            None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => true,
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => false,
            Some(other) => {
                return Err(format!(
                    "invalid argument {other:?} for \"{flag}\" flag: strconv.ParseBool: parsing {other:?}: invalid syntax"
                ));
            }
        };
        Ok(true)
    }

    fn set_value(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--load-restrictor" => {
                self.load_restriction = match value {
                    "LoadRestrictionsRootOnly" => LoadRestriction::RootOnly,
                    "LoadRestrictionsNone" => LoadRestriction::None,
                    other => {
                        return Err(format!(
                            "illegal flag value --load-restrictor {other}; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]"
                        ));
                    }
                }
            }
            "--helm-kube-version" => value.clone_into(&mut self.kube_version),
            "--helm-api-versions" => self.api_versions.push(value.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<BuildOptions, &str>) {
        assert_eq!(
            BuildOptions::parse(text),
            want.map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn flags_are_read_as_kustomize_build_reads_them() {
        let default = BuildOptions::default;
        check("", Ok(default()));
        let both = "--load-restrictor LoadRestrictionsNone --enable-helm";
        let free = BuildOptions {
            load_restriction: LoadRestriction::None,
            enable_helm: true,
            ..default()
        };
        check(both, Ok(free));
        check("--enable-helm=false --reorder none -e A=b", Ok(default()));
        check(
            "--load-restrictor=x",
            Err(
                "illegal flag value --load-restrictor x; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]",
            ),
        );
        check("--enable-all", Err("unknown flag: --enable-all"));
        check(
            "--load-restrictor",
            Err("flag needs an argument: --load-restrictor"),
        );
        check("other", Err("specify one path to kustomization.yaml"));
    }
}
