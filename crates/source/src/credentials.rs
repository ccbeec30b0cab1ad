//! Credentials of repositories, as Argo CD keeps them in Secrets.
//!
//! Read [`Credentials`] first. The keys are those of `reference/argocd/config.md` part 6. This
//! module must never show a value: secret texts are [`Masked`].

use std::collections::BTreeMap;

use api::names::SECRET_TYPE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use manifest::Object;
use sha2::{Digest, Sha256};
use yaml::Value;

use crate::{Masked, RepoUrl, UrlError};

/// The longest value taken: a chain of client certificates is a few kilobytes.
const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Whether the server's certificate or host key is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verification {
    /// Yes.
    #[default]
    Full,
    /// Not at all (`insecure`).
    None,
    /// The certificate is, the SSH host key is not (`insecureIgnoreHostKey`).
    IgnoreHostKey,
}

/// How to log in to a repository. Empty for a public one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user for basic authentication.
    pub username: Option<Masked>,
    /// The password or token for basic authentication.
    pub password: Option<Masked>,
    /// A token sent as `Authorization: Bearer`.
    pub bearer_token: Option<Masked>,
    /// A private key for SSH, in OpenSSH or PEM form.
    pub ssh_private_key: Option<Masked>,
    /// The client certificate chain in PEM form.
    pub tls_client_cert: Option<Masked>,
    /// The key of the client certificate in PEM form.
    pub tls_client_key: Option<Masked>,
    /// Whether the server is checked.
    pub verification: Verification,
    /// The proxy for HTTP. Masked, as it may hold a password.
    pub proxy: Option<Masked>,
    /// Hosts that are asked without the proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// Whether charts are in a registry (`enableOCI`), whatever the address looks like.
    pub enable_oci: bool,
    /// Whether a registry is spoken to without TLS (`insecureOCIForceHttp`).
    pub plain_http: bool,
    /// Whether a registry gets the password at once, and is not asked for a token
    /// (`forceHttpBasicAuth`).
    pub force_basic: bool,
    /// Something that is asked for and not built: reading with it is refused with this name.
    pub unsupported: Option<&'static str>,
}

/// What a Secret is for: the value of its label `argocd.argoproj.io/secret-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// `repository`: this URL only.
    Repository,
    /// `repo-creds`: every URL that starts with this one.
    Template,
}

/// A Secret that describes a repository or a template of credentials.
#[derive(Clone, Debug)]
pub struct RepositorySecret {
    /// Repository or template.
    pub kind: SecretKind,
    /// What it names, normalized; of a template a prefix.
    pub url: String,
    /// What it names as written, without user information.
    pub address: String,
    /// How dependencies of charts may name it (`@name`); empty when they may not.
    pub name: String,
    /// `git` (also when the key is absent), `helm` or `oci`.
    pub source_type: String,
    /// The project that owns it; empty for all.
    pub project: String,
    /// How to log in.
    pub credentials: Credentials,
}

/// Why a Secret is no repository. Names keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A key that must be there is not.
    #[error("key {0:?} is missing")]
    Missing(&'static str),
    /// A value of a Secret's `data` is not encoded.
    #[error("value of key {0:?} is not base64")]
    NotBase64(String),
    /// A value is no text.
    #[error("value of key {0:?} is not UTF-8 text")]
    NotText(String),
    /// A value is over the limit.
    #[error("value of key {0:?} is over {MAX_VALUE_BYTES} bytes")]
    TooLong(String),
    /// Neither true nor false.
    #[error("value of key {0:?} is no boolean")]
    NotBoolean(String),
    /// The URL is refused.
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl SecretKind {
    /// From the value of the label; `None` for Secrets that are for something else.
    #[must_use]
    pub fn from_label(value: &str) -> Option<SecretKind> {
        match value {
            "repository" => Some(SecretKind::Repository),
            "repo-creds" => Some(SecretKind::Template),
            _ => None,
        }
    }
}

impl RepositorySecret {
    /// Reads the decoded data of a Secret.
    ///
    /// # Errors
    /// `CredentialError`, which names the key.
    pub fn parse(
        kind: SecretKind,
        data: &BTreeMap<String, Vec<u8>>,
    ) -> Result<RepositorySecret, CredentialError> {
        let reader = Reader { data };
        let url = reader.text("url")?.ok_or(CredentialError::Missing("url"))?;
        let source_type = reader.text("type")?.unwrap_or_else(|| "git".to_owned());
        let normalized = match kind {
            SecretKind::Repository if source_type == "git" => {
                RepoUrl::parse(&url)?.normalized().to_owned()
            }
            SecretKind::Repository => normalized_address(&url),
            // A prefix need not be a whole URL, and registries have no scheme.
            SecretKind::Template => normalized_prefix(&url),
        };
        Ok(RepositorySecret {
            kind,
            url: normalized,
            address: without_user(url.trim()),
            name: reader.text("name")?.unwrap_or_default(),
            source_type,
            project: reader.text("project")?.unwrap_or_default(),
            credentials: reader.credentials()?,
        })
    }

    /// Reads a Secret as it is in a cluster; `None` when its label says that it is for something
    /// else.
    ///
    /// # Errors
    /// As [`RepositorySecret::parse`].
    #[must_use]
    pub fn from_object(secret: &Object) -> Option<Result<RepositorySecret, CredentialError>> {
        let kind = SecretKind::from_label(secret.label(SECRET_TYPE)?)?;
        let data = secret.value().get("data").and_then(Value::as_map);
        let decoded = |(key, value): (&yaml::Str, &Value)| {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
            match bytes {
                Ok(bytes) => Ok((key.as_str().to_owned(), bytes)),
                Err(_) => Err(CredentialError::NotBase64(key.as_str().to_owned())),
            }
        };
        let data: Result<BTreeMap<_, _>, _> = data
            .into_iter()
            .flat_map(yaml::Map::iter)
            .map(decoded)
            .collect();
        Some(data.and_then(|data| Self::parse(kind, &data)))
    }
}

struct Reader<'d> {
    data: &'d BTreeMap<String, Vec<u8>>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Result<Option<String>, CredentialError> {
        let Some(bytes) = self.data.get(key).filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        if bytes.len() > MAX_VALUE_BYTES {
            return Err(CredentialError::TooLong(key.to_owned()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(CredentialError::NotText(key.to_owned())),
        }
    }

    fn secret(&self, key: &str) -> Result<Option<Masked>, CredentialError> {
        Ok(self.text(key)?.map(Masked::new))
    }

    /// As Go's `strconv.ParseBool`.
    fn flag(&self, key: &str) -> Result<bool, CredentialError> {
        match self.text(key)?.as_deref() {
            None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
            Some(_) => Err(CredentialError::NotBoolean(key.to_owned())),
        }
    }

    fn credentials(&self) -> Result<Credentials, CredentialError> {
        let verification = if self.flag("insecure")? {
            Verification::None
        } else if self.flag("insecureIgnoreHostKey")? {
            Verification::IgnoreHostKey
        } else {
            Verification::Full
        };
        Ok(Credentials {
            username: self.secret("username")?,
            password: self.secret("password")?,
            bearer_token: self.secret("bearerToken")?,
            ssh_private_key: self.secret("sshPrivateKey")?,
            tls_client_cert: self.secret("tlsClientCertData")?,
            tls_client_key: self.secret("tlsClientCertKey")?,
            verification,
            proxy: self.secret("proxy")?,
            no_proxy: self.text("noProxy")?,
            enable_oci: self.flag("enableOCI")?,
            plain_http: self.flag("insecureOCIForceHttp")?,
            force_basic: self.flag("forceHttpBasicAuth")?,
            unsupported: self.unsupported()?,
        })
    }

    fn unsupported(&self) -> Result<Option<&'static str>, CredentialError> {
        let by_key = [
            ("githubAppPrivateKey", "GitHub App credentials"),
            ("gcpServiceAccountKey", "Google service account credentials"),
            (
                "azureServicePrincipalClientSecret",
                "Azure service principal credentials",
            ),
        ];
        for (key, name) in by_key {
            if self.text(key)?.is_some() {
                return Ok(Some(name));
            }
        }
        for (key, name) in [
            ("enableLfs", "Git LFS files"),
            (
                "useAzureWorkloadIdentity",
                "Azure workload identity credentials",
            ),
        ] {
            if self.flag(key)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Of a Helm repository or a registry.
fn normalized_address(url: &str) -> String {
    normalized_prefix(url.trim().trim_end_matches('/'))
}

fn without_user(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

fn normalized_prefix(url: &str) -> String {
    match RepoUrl::parse(url) {
        Ok(url) => url.normalized().to_owned(),
        Err(_) => {
            let url = url.trim().to_lowercase();
            let url = match url.split_once("://") {
                Some((scheme, rest)) => match rest.split_once('@') {
                    Some((_, rest)) if scheme != "ssh" => format!("{scheme}://{rest}"),
                    _ => url,
                },
                None => url.replacen(':', "/", usize::from(url.contains('@'))),
            };
            url.strip_prefix("ssh://").unwrap_or(&url).to_owned()
        }
    }
}

impl Credentials {
    /// Whether there is nothing to log in with.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        [
            &self.username,
            &self.password,
            &self.bearer_token,
            &self.ssh_private_key,
            &self.tls_client_cert,
            &self.tls_client_key,
        ]
        .iter()
        .all(|secret| secret.is_none())
    }

    /// Takes what is missing here from a template, as Argo CD does: each group of keys that belong
    /// together only when this has none of the group.
    #[must_use]
    pub fn or(mut self, template: &Credentials) -> Credentials {
        let fill = |own: &mut Option<Masked>, other: &Option<Masked>| {
            if own.is_none() {
                own.clone_from(other);
            }
        };
        fill(&mut self.username, &template.username);
        fill(&mut self.password, &template.password);
        fill(&mut self.bearer_token, &template.bearer_token);
        fill(&mut self.ssh_private_key, &template.ssh_private_key);
        if self.tls_client_cert.is_none() && self.tls_client_key.is_none() {
            fill(&mut self.tls_client_cert, &template.tls_client_cert);
            fill(&mut self.tls_client_key, &template.tls_client_key);
        }
        if self.proxy.is_none() {
            self.proxy.clone_from(&template.proxy);
            self.no_proxy = self.no_proxy.take().or_else(|| template.no_proxy.clone());
        }
        self.enable_oci |= template.enable_oci;
        self.plain_http |= template.plain_http;
        self.force_basic |= template.force_basic;
        self.unsupported = self.unsupported.or(template.unsupported);
        self
    }

    /// A hash that tells two credentials apart without holding them.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for secret in [
            &self.username,
            &self.password,
            &self.bearer_token,
            &self.ssh_private_key,
            &self.tls_client_cert,
            &self.tls_client_key,
            &self.proxy,
        ] {
            let text = secret.as_ref().map_or("", Masked::reveal);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update([u8::from(secret.is_some())]);
            hash.update(text);
        }
        hash.update(self.no_proxy.as_deref().unwrap_or_default());
        let flags = [self.enable_oci, self.plain_http, self.force_basic];
        hash.update([0, self.verification as u8]);
        hash.update(flags.map(u8::from));
        hash.finalize().into()
    }
}

/// All Secrets of repositories: answers which credentials a URL gets.
#[derive(Clone, Debug, Default)]
pub struct CredentialStore {
    secrets: Vec<RepositorySecret>,
}

impl CredentialStore {
    /// Of these Secrets; the first of equals wins, so sort them by name.
    #[must_use]
    pub fn new(secrets: Vec<RepositorySecret>) -> Self {
        CredentialStore { secrets }
    }

    /// The credentials for a URL asked by an application of `project`: the repository Secret of
    /// the project, else the one without project, filled up from the longest matching template.
    #[must_use]
    pub fn find(&self, url: &RepoUrl, project: &str) -> Credentials {
        self.find_normalized(url.normalized(), project)
    }

    /// As [`CredentialStore::find`], for the address of a Helm repository or a registry, which may
    /// have no scheme.
    #[must_use]
    pub fn find_charts(&self, address: &str, project: &str) -> Credentials {
        self.find_normalized(&normalized_address(address), project)
    }

    /// The address of the repository that Secrets call `name`, for an application of `project`:
    /// dependencies of charts may say `@name` (or `alias:name`).
    #[must_use]
    pub fn address_of(&self, name: &str, project: &str) -> Option<&str> {
        let is_it = |secret: &&RepositorySecret| {
            secret.kind == SecretKind::Repository
                && secret.name == name
                && (secret.project.is_empty() || secret.project == project)
        };
        let found = self.secrets.iter().filter(is_it);
        let own_first = found.max_by_key(|secret| !secret.project.is_empty());
        own_first.map(|secret| secret.address.as_str())
    }

    fn find_normalized(&self, url: &str, project: &str) -> Credentials {
        let of = |project: &str| {
            self.secrets.iter().find(|secret| {
                secret.kind == SecretKind::Repository
                    && secret.url == url
                    && secret.project == project
            })
        };
        let own = of(project)
            .or_else(|| of(""))
            .map(|secret| secret.credentials.clone())
            .unwrap_or_default();
        match self.template(url) {
            Some(template) => own.or(&template.credentials),
            None => own,
        }
    }

    fn template(&self, url: &str) -> Option<&RepositorySecret> {
        let mut longest: Option<&RepositorySecret> = None;
        for secret in &self.secrets {
            if secret.kind == SecretKind::Template
                && url.starts_with(&secret.url)
                && longest.is_none_or(|longest| secret.url.len() > longest.url.len())
            {
                longest = Some(secret);
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: SecretKind, entries: &[(&str, &str)]) -> RepositorySecret {
        let data = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect();
        RepositorySecret::parse(kind, &data).unwrap()
    }

    #[test]
    fn the_repository_wins_and_the_longest_template_fills_up() {
        let store = CredentialStore::new(vec![
            secret(
                SecretKind::Template,
                &[
                    ("url", "https://git.example"),
                    ("username", "short"),
                    ("password", "s"),
                ],
            ),
            secret(
                SecretKind::Template,
                &[
                    ("url", "https://git.example/org/"),
                    ("username", "long"),
                    ("password", "l"),
                ],
            ),
            secret(
                SecretKind::Repository,
                &[
                    ("url", "https://GIT.example/org/a.git"),
                    ("username", "own"),
                ],
            ),
            secret(
                SecretKind::Repository,
                &[
                    ("url", "https://git.example/org/a"),
                    ("username", "team"),
                    ("project", "team"),
                ],
            ),
            secret(
                SecretKind::Template,
                &[("url", "git@git.example:org"), ("sshPrivateKey", "k")],
            ),
        ]);
        let check = |url: &str, project: &str, want: (Option<&str>, Option<&str>)| {
            let found = store.find(&RepoUrl::parse(url).unwrap(), project);
            let text = |secret: &Option<Masked>| secret.as_ref().map(|it| it.reveal().to_owned());
            let key = text(&found.password).or(text(&found.ssh_private_key));
            assert_eq!(
                (text(&found.username).as_deref(), key.as_deref()),
                want,
                "{url} {project}"
            );
        };
        check("https://git.example/org/a", "", (Some("own"), Some("l")));
        check(
            "https://git.example/org/a.git",
            "other",
            (Some("own"), Some("l")),
        );
        check(
            "https://git.example/org/a",
            "team",
            (Some("team"), Some("l")),
        );
        check("https://git.example/org/b", "", (Some("long"), Some("l")));
        check("https://git.example/x", "", (Some("short"), Some("s")));
        check("git@git.example:org/a.git", "", (None, Some("k")));
        check("https://else.example/x", "", (None, None));
    }

    #[test]
    fn no_text_of_a_secret_shows_a_value() {
        let all = secret(
            SecretKind::Repository,
            &[
                ("url", "https://user:canary@git.example/a"),
                ("username", "canary"),
                ("password", "canary"),
                ("bearerToken", "canary"),
                ("sshPrivateKey", "canary"),
                ("tlsClientCertData", "canary"),
                ("tlsClientCertKey", "canary"),
                ("proxy", "http://user:canary@proxy"),
            ],
        );
        let shown = format!("{all:?} {:#?}", CredentialStore::new(vec![all.clone()]));
        assert!(!shown.contains("canary"), "{shown}");
        let template = secret(
            SecretKind::Template,
            &[("url", "https://user:canary@git.example")],
        );
        assert!(!format!("{template:?}").contains("canary"));
    }

    #[test]
    fn secrets_are_known_by_their_label() {
        let check = |label: &str, password: &str, want: Option<Result<&str, CredentialError>>| {
            let map = |entries: &[(&str, Value)]| {
                let mut map = yaml::Map::new();
                for (key, value) in entries {
                    map.insert(*key, value.clone());
                }
                Value::from(map)
            };
            let text = |text: &str| Value::from(text);
            let labels = map(&[(SECRET_TYPE, text(label))]);
            let secret = map(&[
                ("apiVersion", text("v1")),
                ("kind", text("Secret")),
                ("metadata", map(&[("name", text("x")), ("labels", labels)])),
                (
                    "data",
                    map(&[
                        ("url", text("aHR0cHM6Ly9oL3g=")),
                        ("password", text(password)),
                    ]),
                ),
            ]);
            let got = RepositorySecret::from_object(&Object::new(secret).unwrap());
            let got =
                got.map(|it| it.map(|it| it.credentials.password.unwrap().reveal().to_owned()));
            let got = got.as_ref().map(|it| it.as_deref().map_err(Clone::clone));
            assert_eq!(got, want);
        };
        check("repository", "cHc=", Some(Ok("pw")));
        check("repo-creds", "cHc=", Some(Ok("pw")));
        let not_base64 = CredentialError::NotBase64("password".to_owned());
        check("repository", "canary!", Some(Err(not_base64)));
        check("cluster", "cHc=", None);
    }

    #[test]
    fn a_secret_that_cannot_be_read_names_its_key() {
        let check = |key: &str, value: &[u8], want: &CredentialError| {
            let mut data = BTreeMap::from([("url".to_owned(), b"https://h/x".to_vec())]);
            data.insert(key.to_owned(), value.to_vec());
            let got = RepositorySecret::parse(SecretKind::Repository, &data);
            assert_eq!(&got.unwrap_err(), want);
        };
        check("url", b"", &CredentialError::Missing("url"));
        check(
            "password",
            b"\xff",
            &CredentialError::NotText("password".to_owned()),
        );
        check(
            "insecure",
            b"canary",
            &CredentialError::NotBoolean("insecure".to_owned()),
        );
        let long = vec![b'a'; MAX_VALUE_BYTES + 1];
        check(
            "password",
            &long,
            &CredentialError::TooLong("password".to_owned()),
        );
    }
}
