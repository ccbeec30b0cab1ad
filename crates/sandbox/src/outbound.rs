//! Requests that the server itself sends: reviews to the webhooks of its users, over HTTPS.
//!
//! Read [`Endpoint`] first: where a webhook is and whom it must be. It must never know what a
//! review means. What goes wrong is told in the words of Go's client, as a real server tells it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use yaml::Value;

use crate::codec;
use store::{Collection, Store};

/// The largest answer that is read: a list of converted objects is the largest one that makes sense.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// The port of HTTPS, and of a service that names none.
const HTTPS: u16 = 443;

/// Where a webhook is, and the certificates that it may show.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// As it is told, without a query.
    url: String,
    host: String,
    port: u16,
    path: String,
    /// The namespace and name of the service that the host stands for.
    service: Option<(String, String)>,
    tls: Arc<ClientConfig>,
}

/// The kind of a review: its group, name, and the versions that are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Review {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
}

impl Review {
    /// What `version` of it is called in `apiVersion`.
    pub(crate) fn api_version(&self, version: &str) -> String {
        format!("{}/{version}", self.group)
    }
}

/// The versions in which reviews are sent and understood.
pub(crate) const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

impl Endpoint {
    /// The endpoint of a `clientConfig`.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(crate) fn of(config: &Value) -> Result<Endpoint, String> {
        let text = |path: &[&str]| config.at(path).and_then(Value::as_str);
        let bundle = text(&["caBundle"]).unwrap_or_default();
        let bundle = STANDARD.decode(bundle).map_err(|error| error.to_string())?;
        let tls = tls(&bundle)?;
        if config
            .get("service")
            .is_some_and(|service| !service.is_null())
        {
            let part = |key| text(&["service", key]).unwrap_or_default().to_owned();
            let (namespace, name) = (part("namespace"), part("name"));
            let port = config.at(&["service", "port"]).and_then(Value::as_i64);
            let port = port
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or(HTTPS);
            let host = format!("{name}.{namespace}.svc");
            let path = format!("/{}", part("path").trim_start_matches('/'));
            return Ok(Endpoint {
                url: format!("https://{host}:{port}{path}"),
                service: Some((namespace, name)),
                host,
                port,
                path,
                tls,
            });
        }
        let url = text(&["url"]).unwrap_or_default();
        let uri: Uri = url.parse().map_err(|_| format!("Unparsable URL: {url}"))?;
        let host = uri.host().unwrap_or_default();
        Ok(Endpoint {
            url: url.split(['?', '#']).next().unwrap_or_default().to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(HTTPS),
            path: uri.path().to_owned(),
            service: None,
            tls,
        })
    }

    /// Sends a review and gives the one that comes back, of the kind and version that was sent or
    /// without any.
    ///
    /// # Errors
    /// Why there is no such answer, in the words of Go's client.
    pub(crate) async fn ask(
        &self,
        store: &Store,
        review: Review,
        body: &Value,
        timeout: Duration,
    ) -> Result<Value, String> {
        let url = format!("{}?timeout={}s", self.url, timeout.as_secs());
        let exchange = tokio::time::timeout(timeout, self.exchange(store, body, timeout)).await;
        let (head, answer) = exchange
            .unwrap_or_else(|_elapsed| Err("context deadline exceeded".to_owned()))
            .map_err(|why| format!("Post {}: {why}", kinds::quoted(&url)))?;
        let media = head.headers().get(header::CONTENT_TYPE);
        let media = media
            .and_then(|media| media.to_str().ok())
            .unwrap_or_default();
        if !head.status().is_success() {
            return Err(admit::refusal(head.status().as_u16(), media, &answer));
        }
        if answer.is_empty() {
            let status = head.status().as_u16();
            return Err(format!(
                "0-length response with status code: {status} and content type: {media}"
            ));
        }
        let sent = body.get("apiVersion").and_then(Value::as_str);
        decode(&answer, review, sent.unwrap_or_default())
    }

    async fn exchange(
        &self,
        store: &Store,
        body: &Value,
        timeout: Duration,
    ) -> Result<(Response<()>, Bytes), String> {
        let (host, port) = self.address(store)?;
        let stream = dial(&host, port).await?;
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| distrust(&error, &self.host))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = Request::post(format!("{}?timeout={}s", self.path, timeout.as_secs()))
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, */*")
            .body(Full::new(codec::to_bytes(body)))
            .map_err(|error| error.to_string())?;
        let answer = async move {
            let response = sender.send_request(request).await;
            read(response.map_err(|error| error.to_string())?).await
        };
        // The connection ends when the exchange drops its sender.
        let (answer, ended) = futures::future::join(answer, connection).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to a webhook ended badly");
        }
        answer
    }

    /// Host and port to connect to: those of the URL, or where the service leads.
    fn address(&self, store: &Store) -> Result<(String, u16), String> {
        let Some((namespace, name)) = &self.service else {
            return Ok((self.host.clone(), self.port));
        };
        let services = Collection::new("", "services");
        let service = store
            .get(&services, namespace, name)
            .ok_or_else(|| format!("service {} not found", kinds::quoted(name)))?
            .value();
        let spec = |key: &str| service.at(&["spec", key]);
        let text = |key| spec(key).and_then(Value::as_str).unwrap_or_default();
        if text("type") == "ExternalName" {
            return Ok((text("externalName").to_owned(), self.port));
        }
        if text("clusterIP") == "None" {
            return Err("cannot route to service with ClusterIP \"None\"".to_owned());
        }
        let ports = spec("ports").and_then(Value::as_list).unwrap_or_default();
        let wanted = i64::from(self.port);
        let mut ports = ports.iter().filter_map(|port| port.get("port")?.as_i64());
        if ports.any(|port| port == wanted) {
            return Ok((text("clusterIP").to_owned(), self.port));
        }
        let name = kinds::quoted(name);
        Err(format!("no service port {wanted} found for service {name}"))
    }
}

/// Waits, on a thread that may, for what runs outside of it.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = match addresses {
        Ok(addresses) => addresses.collect(),
        Err(_unknown) => return Err(format!("dial tcp: lookup {host}: no such host")),
    };
    let mut why = format!("dial tcp: lookup {host}: no such host");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("dial tcp {address}: connect: {}", go_words(&error)),
        }
    }
    Err(why)
}

/// What Go says about an error of the system.
fn go_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        std::io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        _ => error.to_string(),
    }
}

async fn read(response: Response<Incoming>) -> Result<(Response<()>, Bytes), String> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    Ok((Response::from_parts(parts, ()), body.to_bytes()))
}

/// An answer as the review that was asked for; its kind and version may be missing.
fn decode(body: &[u8], review: Review, sent: &str) -> Result<Value, String> {
    let value = match codec::parse(body) {
        Ok(value) => value,
        Err(_) => codec::parse_yaml(body)?.0,
    };
    if !matches!(value, Value::Map(_)) {
        return Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value \
             of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
             string \"json:\\\"kind,omitempty\\\"\" }}",
            value.kind()
        ));
    }
    let said = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (said("apiVersion"), said("kind"));
    if (api_version.is_empty() && kind.is_empty()) || (api_version == sent && kind == review.kind) {
        return Ok(value);
    }
    let known = VERSIONS
        .iter()
        .find(|version| review.api_version(version) == api_version);
    match known {
        Some(version) if kind == review.kind => {
            let sent = sent.rsplit('/').next().unwrap_or_default();
            Err(format!(
                "converting ({version}.{kind}) to ({sent}.{kind}): unknown conversion"
            ))
        }
        _ => Err(format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
            kinds::quoted(kind),
            kinds::quoted(api_version)
        )),
    }
}

/// What Go says about a handshake that failed.
fn distrust(error: &std::io::Error, host: &str) -> String {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
            _ => error.to_string(),
        };
    };
    let why = match why {
        CertificateError::NotValidForNameContext { presented, .. } => other_name(host, presented),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired or is not yet valid".to_owned()
        }
        _ => "certificate signed by unknown authority".to_owned(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}

fn other_name(host: &str, presented: &[String]) -> String {
    let is_address = host.parse::<IpAddr>().is_ok();
    // They come as `DnsName("a.b")` and `IpAddress(127.0.0.1)`.
    let wanted = if is_address { "IpAddress(" } else { "DnsName(" };
    let names: Vec<&str> = presented
        .iter()
        .filter_map(|name| name.strip_prefix(wanted)?.strip_suffix(')'))
        .map(|name| name.trim_matches('"'))
        .collect();
    match (names.is_empty(), is_address) {
        (true, true) => {
            format!("cannot validate certificate for {host} because it doesn't contain any IP SANs")
        }
        (true, false) => {
            format!("certificate is not valid for any names, but wanted to match {host}")
        }
        (false, _) => format!("certificate is valid for {}, not {host}", names.join(", ")),
    }
}

/// The set-up of a client that trusts the certificates of a bundle, and no others.
fn tls(bundle: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(bundle)
        .collect::<Result<_, _>>()
        .map_err(
            |_damaged| "unable to load root certificates: unable to parse bytes as PEM block",
        )?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    let chains =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .ok();
    let trust = Trust {
        certificates,
        chains,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    // As the real server does: HTTP/2 would send all reviews to one backend.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whom a client believes: who shows a certificate of the bundle, or one that they signed. Go
/// believes the former too, webpki alone would not: people make one certificate for both.
#[derive(Debug)]
struct Trust {
    certificates: Vec<CertificateDer<'static>>,
    /// `None` when the bundle is empty.
    chains: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Go tells of a wrong name before it looks at who signed.
        let parsed = ParsedCertificate::try_from(shown)?;
        rustls::client::verify_server_name(&parsed, name)?;
        if self.certificates.contains(shown) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.chains {
            Some(chains) => chains.verify_server_cert(shown, between, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
