//! Repository URLs as types: what may be asked at all, and when two of them mean the same.
//!
//! Read [`RepoUrl`] first. This module knows texts only; it must never show a password.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Masked;

/// The longest URL taken: longer ones are not written by people, and go into messages and keys.
const MAX_LEN: usize = 2048;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scheme {
    /// Smart HTTP in clear text.
    Http,
    /// Smart HTTP over TLS.
    Https,
    /// `git-upload-pack` over SSH.
    Ssh,
    /// A folder of this machine, read directly. Only where the store allows it.
    File,
}

/// The address of a repository. Shown without user information that may be a credential.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUrl {
    scheme: Scheme,
    user: Option<String>,
    password: Option<Masked>,
    host: String,
    port: Option<u16>,
    path: String,
    /// `git@host:path`, where the path is relative to the user's home.
    is_scp: bool,
    normalized: String,
}

/// Why a text is no repository URL. Never holds user information.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing was given.
    #[error("repository URL is empty")]
    Empty,
    /// Over 2048 bytes.
    #[error("repository URL is longer than {MAX_LEN} bytes")]
    TooLong,
    /// It could be read as an option, or makes other programs start something.
    #[error("repository URL {url:?} {problem}")]
    Dangerous {
        /// Without user information.
        url: String,
        /// Such as "starts with a dash".
        problem: &'static str,
    },
    /// Not http, https, ssh or file.
    #[error("repository URL {0:?} is not of scheme http, https, ssh or file")]
    Scheme(String),
    /// No host, no path, or a port that is no number.
    #[error("repository URL {url:?} {problem}")]
    Malformed {
        /// Without user information.
        url: String,
        /// Such as "has no host".
        problem: &'static str,
    },
}

impl RepoUrl {
    /// Reads `http(s)://`, `ssh://`, `user@host:path`, `file://` and absolute paths.
    ///
    /// # Errors
    /// [`UrlError`]; among others for a leading dash (also of the host and the path), `ext::` and
    /// its like, and control characters.
    pub fn parse(text: &str) -> Result<RepoUrl, UrlError> {
        let text = text.trim();
        check_text(text)?;
        let mut url = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => parse_network(text, Scheme::Http, rest)?,
                "https" => parse_network(text, Scheme::Https, rest)?,
                "ssh" | "git+ssh" | "ssh+git" => parse_network(text, Scheme::Ssh, rest)?,
                "file" => parse_file(text, rest)?,
                _ => return Err(UrlError::Scheme(shown(text))),
            },
            None if text.starts_with('/') => parse_file(text, text)?,
            None => parse_scp(text)?,
        };
        check_parts(text, &url)?;
        url.normalized = normalize(text, url.password.as_ref());
        Ok(url)
    }

    /// How it is reached.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, in lower case; empty for files.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port as written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The user as written.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password as written.
    #[must_use]
    pub fn password(&self) -> Option<&Masked> {
        self.password.as_ref()
    }

    /// The path: with a leading `/` except in the form `user@host:path`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The folder, for a file URL.
    #[must_use]
    pub fn file_path(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::File).then(|| Path::new(&self.path).to_path_buf())
    }

    /// The text that Argo CD compares: lower case, without `.git` and `ssh://`, and
    /// `git@host:path` as `git@host/path`. Without password, so it may be shown and stored.
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// What tells two repositories apart on disk: paths of files differ in letter case.
    pub(crate) fn identity(&self) -> String {
        match self.scheme {
            Scheme::File => format!("file://{}", self.path),
            Scheme::Http | Scheme::Https | Scheme::Ssh => self.normalized.clone(),
        }
    }

    /// The address without user information, for requests and messages.
    #[must_use]
    pub(crate) fn without_user(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.scheme {
            Scheme::Http => format!("http://{host}{port}{}", self.path),
            Scheme::Https => format!("https://{host}{port}{}", self.path),
            Scheme::Ssh if self.is_scp => format!("{host}:{}", self.path),
            Scheme::Ssh => format!("ssh://{host}{port}{}", self.path),
            Scheme::File => format!("file://{}", self.path),
        }
    }
}

impl fmt::Display for RepoUrl {
    /// Without user information: over HTTP a user may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_user())
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({})", self.without_user())
    }
}

/// The text of a URL that could not be read, without what may be user information.
fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

fn check_text(text: &str) -> Result<(), UrlError> {
    let dangerous = |problem| {
        Err(UrlError::Dangerous {
            url: shown(text),
            problem,
        })
    };
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > MAX_LEN {
        return Err(UrlError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return dangerous("holds a control character or a space");
    }
    if text.starts_with('-') {
        return dangerous("starts with a dash");
    }
    if let Some((helper, _)) = text.split_once("::")
        && helper
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    {
        return dangerous("names a transport helper");
    }
    Ok(())
}

fn check_parts(text: &str, url: &RepoUrl) -> Result<(), UrlError> {
    let first_of_path = url.path.trim_start_matches('/');
    if url.host.starts_with('-') || (url.scheme == Scheme::Ssh && first_of_path.starts_with('-')) {
        return Err(UrlError::Dangerous {
            url: shown(text),
            problem: "has a host or a path that starts with a dash",
        });
    }
    if url.scheme != Scheme::File && url.host.is_empty() {
        return Err(malformed(text, "has no host"));
    }
    if first_of_path.is_empty() {
        return Err(malformed(text, "has no path"));
    }
    Ok(())
}

fn malformed(text: &str, problem: &'static str) -> UrlError {
    UrlError::Malformed {
        url: shown(text),
        problem,
    }
}

fn parse_network(text: &str, scheme: Scheme, rest: &str) -> Result<RepoUrl, UrlError> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user_info, host) = match authority.rsplit_once('@') {
        Some((user_info, host)) => (Some(user_info), host),
        None => (None, authority),
    };
    let (host, port) = split_port(text, host)?;
    let (user, password) = match user_info.and_then(|info| info.split_once(':')) {
        Some((user, password)) => (Some(user), Some(Masked::new(decoded(password)))),
        None => (user_info, None),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Ok(RepoUrl {
        scheme,
        user: user.filter(|user| !user.is_empty()).map(decoded),
        password,
        host,
        port,
        path: path.trim_end_matches('/').to_owned(),
        is_scp: false,
        normalized: String::new(),
    })
}

fn split_port(text: &str, host: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match host.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, None),
        },
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map(|port| {
            port.parse::<u16>()
                .map_err(|_| malformed(text, "has a port that is no number"))
        })
        .transpose()?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b) || !b.is_ascii();
    if !host.bytes().all(is_name) {
        return Err(malformed(text, "has a host with unexpected characters"));
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn parse_scp(text: &str) -> Result<RepoUrl, UrlError> {
    let Some((authority, path)) = text.split_once(':') else {
        return Err(UrlError::Scheme(shown(text)));
    };
    // Argo CD takes this form only with a user.
    let Some((user, host)) = authority
        .rsplit_once('@')
        .filter(|_| !authority.contains('/'))
    else {
        return Err(UrlError::Scheme(shown(text)));
    };
    let (host, _) = split_port(text, host)?;
    Ok(RepoUrl {
        scheme: Scheme::Ssh,
        user: Some(user.to_owned()),
        password: None,
        host,
        port: None,
        path: path.trim_end_matches('/').to_owned(),
        is_scp: true,
        normalized: String::new(),
    })
}

fn parse_file(text: &str, path: &str) -> Result<RepoUrl, UrlError> {
    let path = path.strip_prefix("localhost").unwrap_or(path);
    if !path.starts_with('/') {
        return Err(malformed(text, "has no absolute path"));
    }
    Ok(RepoUrl {
        scheme: Scheme::File,
        user: None,
        password: None,
        host: String::new(),
        port: None,
        path: decoded(path.trim_end_matches('/')),
        is_scp: false,
        normalized: String::new(),
    })
}

/// As Argo CD's `NormalizeGitURL`, without the password.
fn normalize(text: &str, password: Option<&Masked>) -> String {
    let mut text = text.to_lowercase();
    if password.is_some()
        && let Some((scheme, rest)) = text.split_once("://")
        && let Some((user_info, rest)) = rest.split_once('@')
    {
        let user = user_info.split(':').next().unwrap_or_default();
        text = format!("{scheme}://{user}@{rest}");
    }
    if !text.contains("://") && text.contains('@') {
        text = text.replacen(':', "/", 1);
    }
    let text = text.strip_suffix(".git").unwrap_or(&text);
    text.strip_prefix("ssh://").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_as_argo_cd_does() {
        let check = |text: &str, want: &str| {
            assert_eq!(RepoUrl::parse(text).unwrap().normalized(), want, "{text}");
        };
        check(
            "https://Git.Example/Org/Repo.git",
            "https://git.example/org/repo",
        );
        check(
            " https://git.example/org/repo ",
            "https://git.example/org/repo",
        );
        check("git@git.example:Org/Repo.git", "git@git.example/org/repo");
        check("ssh://git@git.example/org/repo", "git@git.example/org/repo");
        check(
            "ssh://git@git.example:22/org/repo",
            "git@git.example:22/org/repo",
        );
        check(
            "https://u:p@git.example/org/repo",
            "https://u@git.example/org/repo",
        );
        check("file:///srv/Repo.git", "file:///srv/repo");
        check("/srv/Repo.git", "/srv/repo");
    }

    #[test]
    fn dangerous_and_strange_texts_are_refused() {
        for text in [
            "",
            "-oProxyCommand=x",
            "--upload-pack=x",
            "ext::sh -c x",
            "ext::sh",
            "fd::17",
            "ssh://-oProxyCommand=x/path",
            "git@host:-x",
            "git@-host:x",
            "https://host/a\nb",
            "https://host/a b",
            "https:///path",
            "https://host",
            "https://host:port/x",
            "ftp://host/x",
            "git://host/x",
            "host:path",
            "relative/path",
            "file://host/path",
            "file://",
        ] {
            assert!(RepoUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_text_of_a_url_shows_user_information() {
        let check = |text: &str| {
            let shown = match RepoUrl::parse(text) {
                Ok(url) => format!("{url} {url:?} {}", url.normalized()),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("canary"), "{shown}");
        };
        check("https://user:canary@host/x");
        check("https://user:canary@host:port/x");
        check("https://user:canary@/x");
        check("ftp://user:canary@host/x");
        check("-https://user:canary@host/x");
        check("https://user:canary@host/x y");
        check("ssh://user:canary@host/x");
    }

    #[test]
    fn parts_are_read() {
        let url = RepoUrl::parse("https://us%40er:p%3Aw@Host:8443/a/b.git/").unwrap();
        assert_eq!(url.user(), Some("us@er"));
        assert_eq!(url.password().map(Masked::reveal), Some("p:w"));
        assert_eq!(
            (url.host(), url.port(), url.path()),
            ("host", Some(8443), "/a/b.git")
        );
        let url = RepoUrl::parse("git@host:a/b.git").unwrap();
        assert_eq!((url.scheme(), url.path()), (Scheme::Ssh, "a/b.git"));
        let url = RepoUrl::parse("ssh://git@[::1]:2222/a").unwrap();
        assert_eq!((url.host(), url.port()), ("::1", Some(2222)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_the_same_again(text in "[ -~\\PC]{0,40}") {
            if let Ok(url) = RepoUrl::parse(&text) {
                let again = RepoUrl::parse(&url.without_user());
                // Without a user the form `user@host:path` is none.
                proptest::prop_assert!(again.is_ok() || url.is_scp);
            }
        }
    }
}
