//! Which certificates are believed and shown. Read [`config`]; it must never show a key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::{Credentials, Masked, Problem, Trust, Verification};

/// The TLS side of a login, and what its servers asked for; without credentials for servers that
/// get none.
pub(crate) fn config(
    credentials: Option<&Credentials>,
    trust: &Arc<Trust>,
) -> Result<(ClientConfig, Arc<Asked>), Problem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let is_unchecked = credentials.is_some_and(|it| it.verification == Verification::None);
    let verifier = Verifier {
        trust: (!is_unchecked).then(|| trust.clone()),
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::Certificate(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match credentials.and_then(client_certificate) {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let (chain, key) = pair?;
            builder.with_client_auth_cert(chain, key).map_err(|_| {
                Problem::Credentials("the client certificate and its key do not fit")
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let asked = Arc::new(Asked {
        certificate: config.client_auth_cert_resolver,
        has_asked: AtomicBool::new(false),
    });
    config.client_auth_cert_resolver = asked.clone();
    Ok((config, asked))
}

/// Answers servers that ask for a client certificate, and remembers that one did: in TLS 1.3 such
/// a server refuses the certificate, or its lack, only when the client is already asking, and what
/// is seen of that may be its alert or just a closed connection.
#[derive(Debug)]
pub(crate) struct Asked {
    certificate: Arc<dyn ResolvesClientCert>,
    has_asked: AtomicBool,
}

impl Asked {
    /// What a connection means that ended before an answer, where it ended for a certificate.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let text = if self.certificate.has_certs() {
            "the server asks for a client certificate and hung up on the configured one"
        } else {
            "the server asks for a client certificate, and none is configured"
        };
        let has_asked = self.has_asked.load(Ordering::Relaxed);
        has_asked.then(|| Problem::Certificate(text.to_owned()))
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.has_asked.store(true, Ordering::Relaxed);
        self.certificate.resolve(root_hint_subjects, sigschemes)
    }

    fn has_certs(&self) -> bool {
        self.certificate.has_certs()
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(credentials: &Credentials) -> Option<Result<Pair, Problem>> {
    let pem = |secret: &Option<Masked>| secret.as_ref().map(|it| it.reveal().as_bytes().to_vec());
    let (chain, key) = (
        pem(&credentials.tls_client_cert),
        pem(&credentials.tls_client_key),
    );
    let (chain, key) = match (chain, key) {
        (None, None) => return None,
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => {
            return Some(Err(Problem::Credentials(
                "the client certificate has no key",
            )));
        }
        (None, Some(_)) => {
            return Some(Err(Problem::Credentials(
                "the client key has no certificate",
            )));
        }
    };
    let unreadable = Problem::Credentials("the client certificate or its key cannot be read");
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    match (chain, PrivateKeyDer::from_pem_slice(&key)) {
        (Ok(chain), Ok(key)) if !chain.is_empty() => Some(Ok((chain, key))),
        _ => Some(Err(unreadable)),
    }
}

/// What the host's system believes, read once: it takes milliseconds.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        Arc::new(roots)
    });
    roots.clone()
}

/// Believes the certificates configured for a host instead of the system's: as authorities, and,
/// as Go does, also as the server's own certificate when that is marked as an authority.
#[derive(Debug)]
struct Verifier {
    /// `None` for `insecure: "true"`: any certificate will do, but the server must hold its key.
    trust: Option<Arc<Trust>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn roots(configured: Option<&[CertificateDer<'static>]>) -> Arc<RootCertStore> {
        let Some(certificates) = configured else {
            return system_roots();
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Arc::new(roots)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trust) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let configured = trust.certificates(&server_name.to_str());
        let is_end_entity = |it: &CertificateDer<'_>| it.as_ref() == end_entity.as_ref();
        if configured.is_some_and(|certificates| certificates.iter().any(is_end_entity)) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let roots = Self::roots(configured);
        WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
