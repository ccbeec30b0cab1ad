//! A web server of the test's own: it answers what it was told, and remembers who asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// What a path gives.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Content, with its hash as `ETag`.
    Content(Vec<u8>),
    /// A place elsewhere.
    Redirect(String),
    /// The first half of a content; then the connection ends.
    Cut(Vec<u8>),
    /// Content with a header more.
    With(&'static str, String, Vec<u8>),
}

/// One request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) place: String,
    pub(crate) authorization: Option<String>,
    pub(crate) status: u16,
}

#[derive(Clone, Default)]
struct Shop {
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// The value of `Authorization` that is wanted, and the challenge of who has another one.
    guard: Option<(String, String)>,
}

pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    shop: Shop,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Web {
    /// Serves everybody in clear text.
    pub(crate) async fn open() -> Web {
        Web::start(None, None).await
    }

    /// Serves who has this `Authorization`; others get the challenge.
    pub(crate) async fn guarded(authorization: &str, challenge: &str) -> Web {
        let guard = (authorization.to_owned(), challenge.to_owned());
        Web::start(Some(guard), None).await
    }

    /// Serves over TLS.
    pub(crate) async fn over_tls(config: rustls::ServerConfig) -> Web {
        Web::start(None, Some(config)).await
    }

    async fn start(guard: Option<(String, String)>, tls: Option<rustls::ServerConfig>) -> Web {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Shop {
            guard,
            ..Shop::default()
        };
        let own = shop.clone();
        let acceptor = tls.map(|config| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (shop, acceptor) = (own.clone(), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(hyper_util::rt::TokioIo::new(socket), shop).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(socket).await {
                                serve(hyper_util::rt::TokioIo::new(stream), shop).await;
                            }
                        }
                    }
                });
            }
        });
        Web {
            address,
            shop,
            serving,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, answer: Answer) {
        let mut answers = self.shop.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shop.asked.lock().unwrap())
    }
}

async fn serve<I>(io: I, shop: Shop)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| {
        let shop = shop.clone();
        async move { Ok::<_, Infallible>(answer(&shop, &request)) }
    });
    let runtime = hyper_util::rt::TokioExecutor::new();
    // A cut answer ends the connection with an error: that is what the test wants.
    let _ = hyper_util::server::conn::auto::Builder::new(runtime)
        .serve_connection(io, service)
        .await;
}

fn answer(shop: &Shop, request: &Request<Incoming>) -> Response<Body> {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let place = request.uri().path_and_query().unwrap().to_string();
    let authorization = header("authorization");
    let known = {
        let answers = shop.answers.lock().unwrap();
        let by_path = answers.get(request.uri().path());
        answers.get(&place).or(by_path).cloned()
    };
    let response = match (&shop.guard, known) {
        (Some((wanted, challenge)), _) if authorization.as_ref() != Some(wanted) => {
            whole(401, &[("www-authenticate", challenge)], b"who are you?")
        }
        (_, None) => whole(404, &[], b"no"),
        (_, Some(Answer::Redirect(to))) => whole(302, &[("location", &to)], b""),
        (_, Some(Answer::With(name, value, content))) => whole(200, &[(name, &value)], &content),
        (_, Some(Answer::Content(content))) => {
            let mark = format!("\"{}\"", source::chart::Digest::of(&content).hex());
            if header("if-none-match").as_ref() == Some(&mark) {
                whole(304, &[], b"")
            } else {
                whole(200, &[("etag", &mark)], &content)
            }
        }
        (_, Some(Answer::Cut(content))) => cut(&content),
    };
    shop.asked.lock().unwrap().push(Asked {
        place,
        authorization,
        status: response.status().as_u16(),
    });
    response
}

fn whole(status: u16, headers: &[(&str, &str)], content: &[u8]) -> Response<Body> {
    let body = http_body_util::Full::new(Bytes::copy_from_slice(content));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = body.map_err(|never| match never {}).boxed_unsync();
    response.body(body).unwrap()
}

fn cut(content: &[u8]) -> Response<Body> {
    let half = Bytes::copy_from_slice(&content[..content.len() / 2]);
    let frames = vec![Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
    let body = StreamBody::new(futures::stream::iter(frames).boxed());
    Response::builder()
        .header("content-length", content.len())
        .body(BodyExt::boxed_unsync(body))
        .unwrap()
}
