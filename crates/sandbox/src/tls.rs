//! The certificate authority of a sandbox, and the certificate that it serves with.
//!
//! kubectl sends no token without TLS. The authority is made once and kept in the data directory, so
//! that a kubeconfig stays valid; the server's certificate is made at each start.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Error;

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";

/// A certificate authority.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, kept nowhere.
    pub(crate) fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = params().self_signed(&key).map_err(Error::Certificate)?;
        Ok(Authority {
            pem: certificate.pem(),
            issuer: Issuer::new(params(), key),
        })
    }

    /// The one in `dir`, made when absent. The key's file is private.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
        if !key.exists() || !certificate.exists() {
            let authority = Self::generate()?;
            write_private(&key, &authority.issuer.key().serialize_pem())?;
            write_private(&certificate, &authority.pem)?;
            return Ok(authority);
        }
        let pem = read(&certificate)?;
        let key_pair = KeyPair::from_pem(&read(&key)?)
            .map_err(|_damaged| Error::Authority { path: key.clone() })?;
        Ok(Authority {
            pem,
            issuer: Issuer::new(params(), key_pair),
        })
    }

    /// The certificate that clients trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The set-up of a server on loopback and `address`.
    pub(crate) fn server(&self, address: IpAddr) -> Result<Arc<rustls::ServerConfig>, Error> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())
            .map_err(Error::Certificate)?;
        for ip in [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]),
            IpAddr::from([10, 96, 0, 1]),
            address,
        ] {
            params.subject_alt_names.push(SanType::IpAddress(ip));
        }
        params
            .distinguished_name
            .push(DnType::CommonName, "tiphys sandbox");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(Error::Certificate)?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(Error::Tls)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "tiphys sandbox authority");
    params
}

/// The text of a file of the data directory.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })
}
