//! Which servers are believed: certificates and host keys that the operator configured.
//!
//! Read [`Trust`] first. It holds what the ConfigMaps `argocd-tls-certs-cm` and
//! `argocd-ssh-known-hosts-cm` say; it must never hold a credential.

use std::collections::BTreeMap;

use manifest::Object;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::known_hosts::KnownHosts;

/// Certificates and host keys by host.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    certificates: BTreeMap<String, Vec<CertificateDer<'static>>>,
    known_hosts: KnownHosts,
}

/// What in the ConfigMaps cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No PEM certificate.
    #[error("certificates of host {host:?} cannot be read: {problem}")]
    Certificate {
        /// The key of the ConfigMap.
        host: String,
        /// What the PEM reader said.
        problem: String,
    },
    /// A line of known_hosts.
    #[error("ssh_known_hosts line {line}: {problem}")]
    KnownHosts {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Trust {
    /// From the data of both ConfigMaps: host -> PEM text, and the text of `ssh_known_hosts`.
    /// What can be read is used; the rest is told beside it.
    #[must_use]
    pub fn new(
        tls_certs: &BTreeMap<String, String>,
        ssh_known_hosts: &str,
    ) -> (Trust, Vec<TrustError>) {
        let (known_hosts, mut problems) = KnownHosts::parse(ssh_known_hosts);
        let mut certificates = BTreeMap::new();
        for (host, pem) in tls_certs {
            match read_certificates(pem) {
                Ok(found) => {
                    certificates.insert(host.to_ascii_lowercase(), found);
                }
                Err(problem) => problems.push(TrustError::Certificate {
                    host: host.clone(),
                    problem,
                }),
            }
        }
        let trust = Trust {
            certificates,
            known_hosts,
        };
        (trust, problems)
    }

    /// From both ConfigMaps as they are in a cluster; what is absent says nothing.
    #[must_use]
    pub fn from_objects(
        tls_certs: Option<&Object>,
        ssh_known_hosts: Option<&Object>,
    ) -> (Trust, Vec<TrustError>) {
        let data = |object: Option<&Object>| {
            let data = object.and_then(|it| it.value().get("data")?.as_map());
            data.into_iter()
                .flat_map(yaml::Map::iter)
                .filter_map(|(key, text)| Some((key.to_string(), text.as_str()?.to_owned())))
                .collect::<BTreeMap<_, _>>()
        };
        let known_hosts = data(ssh_known_hosts).remove("ssh_known_hosts");
        Trust::new(&data(tls_certs), &known_hosts.unwrap_or_default())
    }

    /// The certificates that are believed for a host instead of the system's.
    pub(crate) fn certificates(&self, host: &str) -> Option<&[CertificateDer<'static>]> {
        self.certificates
            .get(&host.to_ascii_lowercase())
            .map(Vec::as_slice)
    }

    pub(crate) fn known_hosts(&self) -> &KnownHosts {
        &self.known_hosts
    }
}

fn read_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}
