//! A webhook of a user: an HTTPS server in this process, with a certificate of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What a webhook makes of the path and the review: the status and the body of its answer; `None`
/// to say nothing at all.
type Answers = dyn Fn(&str, &Value) -> Option<(u16, String)> + Send + Sync;

pub(crate) struct Hook {
    address: SocketAddr,
    pub bundle: String,
    reviews: Arc<Mutex<Vec<Value>>>,
    /// Ends the server when it is dropped.
    _server: JoinSet<()>,
}

impl Hook {
    pub(crate) async fn start(
        answers: impl Fn(&str, &Value) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Hook {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reviews = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            Arc::new(answers),
            Arc::clone(&reviews),
        ));
        Hook {
            address,
            bundle: STANDARD.encode(made.cert.pem()),
            reviews,
            _server: server,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The reviews since this was asked last.
    pub(crate) fn reviews(&self) -> Vec<Value> {
        std::mem::take(&mut self.reviews.lock().unwrap())
    }

    /// A `clientConfig`.
    pub(crate) fn client_config(&self, path: &str) -> Value {
        json!({"url": self.url(path), "caBundle": self.bundle})
    }
}

async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    answers: Arc<Answers>,
    reviews: Arc<Mutex<Vec<Value>>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (tls, answers, reviews) = (tls.clone(), Arc::clone(&answers), Arc::clone(&reviews));
        connections.spawn(async move {
            let Ok(stream) = tls.accept(socket).await else {
                return;
            };
            let service = service_fn(move |request| {
                answer(request, Arc::clone(&answers), Arc::clone(&reviews))
            });
            let http = hyper::server::conn::http1::Builder::new();
            let _gone = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
    reviews: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let answer = answers(&path, &review);
    reviews.lock().unwrap().push(review);
    let Some((status, body)) = answer else {
        return std::future::pending().await;
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).unwrap())
}
