//! Addresses of charts: Helm repositories over HTTP, and registries.
//!
//! Read [`Place`]. Knows texts only.

use std::fmt;

use reqwest::Url;

use crate::chart::ChartProblem;
use crate::{Credentials, Masked};

/// The longest address taken: longer ones are not written by people, and go into messages and keys.
const MAX_LEN: usize = 2048;

/// Where charts are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder with an `index.yaml`.
    Repository {
        base: Url,
        user: Option<String>,
        password: Option<Masked>,
    },
    /// A registry: its address, and the path before a chart's name.
    Registry { base: Url, path: String },
}

impl Place {
    /// Reads `http(s)://host/path`, `oci://host/path` and, as Argo CD does for registries, an
    /// address without scheme. `enableOCI` makes a registry of any of them.
    pub(crate) fn parse(text: &str, credentials: &Credentials) -> Result<Place, ChartProblem> {
        let text = text.trim();
        if text.len() > MAX_LEN {
            return Err(ChartProblem::Address("is longer than 2048 bytes"));
        }
        if text.chars().any(|it| it.is_control() || it.is_whitespace()) {
            return Err(ChartProblem::Address(
                "holds a control character or a space",
            ));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("oci".to_owned(), text),
        };
        match scheme.as_str() {
            "http" | "https" if !credentials.enable_oci => repository(text),
            "oci" | "http" | "https" => {
                let is_plain = credentials.plain_http || scheme == "http";
                registry(rest, if is_plain { "http" } else { "https" })
            }
            _ => Err(ChartProblem::Address("is not of scheme http, https or oci")),
        }
    }

    /// The server and, of a repository, the folder.
    pub(crate) fn base(&self) -> &Url {
        match self {
            Place::Repository { base, .. } | Place::Registry { base, .. } => base,
        }
    }

    /// User information in the address.
    pub(crate) fn login(&self) -> (Option<&str>, Option<&Masked>) {
        match self {
            Place::Repository { user, password, .. } => (user.as_deref(), password.as_ref()),
            Place::Registry { .. } => (None, None),
        }
    }

    /// Of a registry, the name of a repository in it.
    pub(crate) fn repository(&self, chart: &str) -> String {
        match self {
            Place::Registry { path, .. } if path.is_empty() => chart.to_owned(),
            Place::Registry { path, .. } if chart.is_empty() => path.clone(),
            Place::Registry { path, .. } => format!("{path}/{chart}"),
            Place::Repository { .. } => chart.to_owned(),
        }
    }
}

fn repository(text: &str) -> Result<Place, ChartProblem> {
    let mut base = Url::parse(text).map_err(|_| ChartProblem::Address("is no URL"))?;
    let decoded = |text: &str| {
        let text = percent_encoding::percent_decode_str(text);
        text.decode_utf8_lossy().into_owned()
    };
    let user = Some(decoded(base.username())).filter(|it| !it.is_empty());
    let password = base.password().map(|it| Masked::new(decoded(it)));
    if base.set_username("").is_err() || base.set_password(None).is_err() {
        return Err(ChartProblem::Address("has no host"));
    }
    base.set_fragment(None);
    // What is in the repository is found from its folder, with or without the slash.
    if !base.path().ends_with('/') {
        let folder = format!("{}/", base.path());
        base.set_path(&folder);
    }
    Ok(Place::Repository {
        base,
        user,
        password,
    })
}

fn registry(rest: &str, scheme: &str) -> Result<Place, ChartProblem> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_host = |it: u8| it.is_ascii_alphanumeric() || b".-_:[]".contains(&it);
    if !host.bytes().all(is_host) || host.starts_with('-') {
        return Err(ChartProblem::Address("has no host that can be read"));
    }
    let path = path.trim_matches('/');
    // As the distribution specification names repositories.
    let is_name = |part: &str| {
        let is_inner = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        part.bytes().all(|it| is_inner(it) || b"._-".contains(&it))
            && part.bytes().next().is_some_and(is_inner)
    };
    if !path.is_empty() && !path.split('/').all(is_name) {
        return Err(ChartProblem::Address("has a path that no registry has"));
    }
    let base = Url::parse(&format!("{scheme}://{host}/"));
    let base = base.map_err(|_| ChartProblem::Address("has no host that can be read"))?;
    Ok(Place::Registry {
        base,
        path: path.to_owned(),
    })
}

impl fmt::Display for Place {
    /// Without user information.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Repository { base, .. } => f.write_str(base.as_str().trim_end_matches('/')),
            Place::Registry { base, path } => {
                write!(f, "oci://{}", base.host_str().unwrap_or_default())?;
                if let Some(port) = base.port() {
                    write!(f, ":{port}")?;
                }
                if !path.is_empty() {
                    write!(f, "/{path}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_repository_or_a_registry() {
        let plain = Credentials {
            enable_oci: true,
            plain_http: true,
            ..Credentials::default()
        };
        let check = |text: &str, credentials: &Credentials, want: &str, base: &str| {
            let place = Place::parse(text, credentials).unwrap();
            assert_eq!(place.to_string(), want);
            assert_eq!(place.base().as_str(), base);
        };
        let none = Credentials::default();
        let repository = "https://charts.example/stable/";
        check(
            "https://u:p@charts.example/stable",
            &none,
            "https://charts.example/stable",
            repository,
        );
        check(
            "oci://r.example:5000/a/b/",
            &none,
            "oci://r.example:5000/a/b",
            "https://r.example:5000/",
        );
        check(
            "r.example/charts",
            &none,
            "oci://r.example/charts",
            "https://r.example/",
        );
        check(
            "r.example/charts",
            &plain,
            "oci://r.example/charts",
            "http://r.example/",
        );
        check(
            "https://r.example/x",
            &plain,
            "oci://r.example/x",
            "http://r.example/",
        );
    }

    #[test]
    fn an_address_that_leads_elsewhere_is_refused() {
        let check = |text: &str| {
            let place = Place::parse(text, &Credentials::default());
            assert!(place.is_err(), "{text}");
        };
        check("file:///etc/passwd");
        check("oci://r.example/../x");
        check("oci://r.example/a//b");
        check("oci:///x");
        check("--config=/x");
        check("https://h/a b");
        check("git@h:x.git");
        check("");
    }
}
