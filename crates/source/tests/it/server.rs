//! A web server in front of `git http-backend`: TLS, logins, redirects, broken transfers.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// What the server wants to see.
#[derive(Clone)]
pub(crate) enum Guard {
    Nobody,
    /// This value of the header `Authorization`.
    Header(String),
    /// A certificate of [`Authority`].
    Certificate,
    /// Nothing, but its own certificate is that of the authority, as `openssl req -x509` makes it.
    Itself,
}

/// Which HTTP the server speaks.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What the server does besides serving.
#[derive(Clone)]
pub(crate) enum Mood {
    Serves,
    /// Sends everybody to this base URL.
    Redirects(String),
    /// Answers with this status.
    Fails(u16),
    /// Answers with a web page.
    Chats,
    /// Takes the connection and says nothing.
    Hangs,
}

/// A private certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key, in PEM form.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "test authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The authority's own certificate, now also for a host.
    fn sign_itself(&mut self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        self.pem = params.self_signed(&key).unwrap().pem();
        Identity {
            certificate: self.pem.clone(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn sign(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.pem));
        roots
    }
}

fn certificates(pem: &str) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) authorization: Option<String>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// Bytes of an answer to POST after which the connection is cut; 0 = never.
    pub(crate) cut_after: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Shop {
    root: PathBuf,
    guard: Guard,
    mood: Mood,
    seen: Arc<Mutex<Vec<Seen>>>,
    cut_after: Arc<AtomicUsize>,
}

impl Server {
    /// Serves the repositories below `root` over TLS on a free port of this host.
    pub(crate) async fn start(root: PathBuf, guard: Guard, mood: Mood) -> Server {
        Self::start_with(root, guard, mood, Protocol::Http1).await
    }

    pub(crate) async fn start_with(
        root: PathBuf,
        guard: Guard,
        mood: Mood,
        protocol: Protocol,
    ) -> Server {
        let mut authority = Authority::new();
        let identity = match guard {
            Guard::Itself => authority.sign_itself("localhost"),
            Guard::Nobody | Guard::Header(_) | Guard::Certificate => authority.sign("localhost"),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match guard {
            Guard::Certificate => {
                let roots = Arc::new(authority.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            Guard::Nobody | Guard::Header(_) | Guard::Itself => builder.with_no_client_auth(),
        };
        let key = KeyPair::from_pem(&identity.key).unwrap().serialize_der();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        let config = builder
            .with_single_cert(certificates(&identity.certificate), key)
            .unwrap();
        let mut config = config;
        config.alpn_protocols = match protocol {
            Protocol::Http1 => Vec::new(),
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Shop {
            root,
            guard,
            mood,
            seen: Arc::default(),
            cut_after: Arc::default(),
        };
        let (seen, cut_after) = (shop.seen.clone(), shop.cut_after.clone());
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(attend(acceptor.clone(), socket, shop.clone()));
            }
        });
        Server {
            address,
            authority,
            seen,
            cut_after,
            serving,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn n_seen(&self, method: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|it| it.method == method).count()
    }
}

async fn attend(acceptor: tokio_rustls::TlsAcceptor, socket: tokio::net::TcpStream, shop: Shop) {
    if matches!(shop.mood, Mood::Hangs) {
        return std::future::pending().await;
    }
    let stream = match acceptor.accept(socket).into_fallible().await {
        Ok(stream) => stream,
        Err((_, socket)) => return see_off(socket).await,
    };
    let service = hyper::service::service_fn(move |request| {
        let shop = shop.clone();
        async move { Ok::<_, Infallible>(answer(shop, request).await) }
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    // A cut answer ends the connection with an error: that is what the test wants.
    let runtime = hyper_util::rt::TokioExecutor::new();
    let _ = hyper_util::server::conn::auto::Builder::new(runtime)
        .serve_connection(io, service)
        .await;
}

/// Waits for a refused client to leave. A socket closed over bytes that nobody read is reset, and
/// the reset may overtake the alert that tells the client why.
async fn see_off(mut socket: tokio::net::TcpStream) {
    use tokio::io::AsyncWriteExt;
    let _ = socket.shutdown().await;
    let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
}

fn plain(status: u16, kind: &str, text: &str) -> Response<Body> {
    let body = http_body_util::Full::new(Bytes::from(text.to_owned()));
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body.map_err(|never| match never {}).boxed_unsync())
        .unwrap()
}

async fn answer(shop: Shop, request: Request<Incoming>) -> Response<Body> {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let authorization = header("authorization");
    shop.seen.lock().unwrap().push(Seen {
        method: request.method().to_string(),
        authorization: authorization.clone(),
    });
    match &shop.mood {
        Mood::Serves | Mood::Hangs => {}
        Mood::Redirects(base) => {
            let place = request.uri().path_and_query().unwrap();
            let mut response = plain(302, "text/plain", "elsewhere");
            let location = format!("{base}{place}").parse().unwrap();
            response.headers_mut().insert("location", location);
            return response;
        }
        Mood::Fails(status) => return plain(*status, "text/plain", "no"),
        Mood::Chats => return plain(200, "text/html", "<html>hello</html>"),
    }
    if let Guard::Header(wanted) = &shop.guard
        && authorization.as_ref() != Some(wanted)
    {
        let mut response = plain(401, "text/plain", "who are you?");
        let challenge = "Basic realm=\"git\"".parse().unwrap();
        response.headers_mut().insert("www-authenticate", challenge);
        return response;
    }
    let env = [
        ("GIT_PROJECT_ROOT", shop.root.display().to_string()),
        ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
        ("PATH_INFO", request.uri().path().to_owned()),
        (
            "QUERY_STRING",
            request.uri().query().unwrap_or_default().to_owned(),
        ),
        ("REQUEST_METHOD", request.method().to_string()),
        ("CONTENT_TYPE", header("content-type").unwrap_or_default()),
        ("GIT_PROTOCOL", header("git-protocol").unwrap_or_default()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_0", "*".to_owned()),
    ];
    let is_post = request.method() == http::Method::POST;
    let input = request.into_body().collect().await.unwrap().to_bytes();
    let output = tokio::task::spawn_blocking(move || backend(&env, &input))
        .await
        .unwrap();
    let cut_after = shop.cut_after.load(Ordering::SeqCst);
    cgi(&output, if is_post { cut_after } else { 0 })
}

fn backend(env: &[(&str, String)], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .envs(env.iter().map(|(key, value)| (*key, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// The answer that a CGI program printed; cut off after so many bytes unless 0.
fn cgi(output: &[u8], cut_after: usize) -> Response<Body> {
    let end = output.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let (head, body) = (&output[..end], &output[end + 4..]);
    let mut response = Response::builder();
    for line in std::str::from_utf8(head).unwrap().split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<StatusCode>().unwrap()),
            _ => response.header(name, value),
        };
    }
    let mut frames = vec![Ok(Frame::data(Bytes::copy_from_slice(body)))];
    if cut_after != 0 && cut_after < body.len() {
        let part = Bytes::copy_from_slice(&body[..cut_after]);
        frames = vec![Ok(Frame::data(part)), Err(std::io::Error::other("cut"))];
    }
    let body = StreamBody::new(futures::stream::iter(frames).boxed());
    response.body(BodyExt::boxed_unsync(body)).unwrap()
}
