//! What a chart may ask of the cluster: its version and the APIs that it serves.

use crate::Error;

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As it was given, with a `v` before it: `v1.33.4-gke.100`.
    pub version: String,
    /// Without suffixes: `v1.33.4`; constraints of charts are about this one.
    pub plain: String,
    /// The major version.
    pub major: String,
    /// The minor version.
    pub minor: String,
}

impl KubeVersion {
    /// Reads a version as Kubernetes does: two or three numbers, a `v` before and anything behind.
    ///
    /// # Errors
    /// Kubernetes' words for a text that is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let quoted = gotmpl::quote(text);
        let unreadable = || Error::text(format!("could not parse {quoted} as version"));
        let digits = text.strip_prefix('v').unwrap_or(text);
        let is_part = |it: char| it.is_ascii_digit() || it == '.';
        let end = digits.find(|it| !is_part(it)).unwrap_or(digits.len());
        let numbers = digits[..end].trim_end_matches('.');
        if numbers.is_empty() {
            return Err(unreadable());
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() < 2 {
            return Err(Error::text(format!("illegal version string {quoted}")));
        }
        let mut values = Vec::new();
        for part in &parts {
            values.push(part.parse::<u64>().map_err(|_| unreadable())?);
        }
        let plain: Vec<String> = values.iter().map(u64::to_string).collect();
        Ok(KubeVersion {
            version: format!("v{digits}"),
            plain: format!("v{}", plain.join(".")),
            major: plain[0].clone(),
            minor: plain[1].clone(),
        })
    }
}

/// What a render is told of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its version.
    pub kube_version: KubeVersion,
    /// `v1`, `apps/v1`, and where they are known `apps/v1/Deployment`.
    pub api_versions: Vec<String>,
}

impl Default for Capabilities {
    /// What Helm 4.1.4 takes for true without a cluster.
    fn default() -> Self {
        Capabilities {
            kube_version: KubeVersion {
                version: "v1.35.0".to_owned(),
                plain: "v1.35.0".to_owned(),
                major: "1".to_owned(),
                minor: "35".to_owned(),
            },
            api_versions: API_VERSIONS.lines().map(str::to_owned).collect(),
        }
    }
}

/// The APIs that client-go 1.35 knows, in its order.
const API_VERSIONS: &str = include_str!("capabilities/api_versions.txt");

/// The Helm whose behaviour this is: `.Capabilities.HelmVersion`.
pub(crate) const HELM_VERSION: [(&str, &str, &str); 5] = [
    ("Version", "version", "v4.1.4"),
    (
        "GitCommit",
        "git_commit",
        "05fa37973dc9e42b76e1d2883494c87174b6074f",
    ),
    ("GitTreeState", "git_tree_state", "clean"),
    ("GoVersion", "go_version", "go1.25.9"),
    ("KubeClientVersion", "kube_client_version", "v1.35"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kubernetes_does() {
        let check = |text: &str, want: Result<(&str, &str), &str>| {
            let got = KubeVersion::parse(text).map_err(|error| error.to_string());
            let got = got.as_ref().map(|it| (&*it.version, &*it.plain));
            assert_eq!(got.map_err(|error| &**error), want, "{text}");
        };
        check("1.29", Ok(("v1.29", "v1.29")));
        check("v1.29.3-gke.5", Ok(("v1.29.3-gke.5", "v1.29.3")));
        check("1", Err("illegal version string \"1\""));
        check("bad", Err("could not parse \"bad\" as version"));
        check("1.029.0", Ok(("v1.029.0", "v1.29.0")));
    }
}
