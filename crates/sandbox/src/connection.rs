//! One connection: everything that it carries runs in one task, and leaves in few writes.
//!
//! Owns the turns between a connection and its requests. Tasks of their own would each wake the
//! connection for its answer, and it would write them one by one; so what is ready together (twenty
//! watches that tell of one event) leaves together. It must never know what a request is.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

mod gathered;

pub(crate) use gathered::Gathered;
use gathered::Sent;

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the requests of a connection; its limit of streams bounds how many wait.
#[derive(Clone)]
pub(crate) struct Requests(UnboundedSender<Request>);

impl<F> hyper::rt::Executor<F> for Requests
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        // Nobody takes it when the connection has ended: then nobody waits for an answer either.
        let _ended = self.0.send(Box::pin(request));
    }
}

/// The requests of one connection over a stream `S`, which run whenever the connection does.
pub(crate) struct Running<S> {
    incoming: UnboundedReceiver<Request>,
    running: FuturesUnordered<Request>,
    stream: Gathered<S>,
}

/// For a connection over `stream`: where its requests go, the stream that it writes to, and who
/// runs them.
pub(crate) fn over<S>(stream: S) -> (Requests, Gathered<S>, Running<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, incoming) = mpsc::unbounded_channel();
    let stream = Gathered::new(stream);
    let running = Running {
        incoming,
        running: FuturesUnordered::new(),
        stream: stream.clone(),
    };
    (Requests(sender), stream, running)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Running<S> {
    /// Runs `connection` and its requests until the connection ends; gives its outcome.
    pub(crate) async fn with<T>(&mut self, mut connection: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            loop {
                self.poll(context);
                let ended = connection.as_mut().poll(context);
                // A request that has just come is answered before anybody waits.
                if ended.is_pending() && !self.incoming.is_empty() {
                    continue;
                }
                if ended.is_pending() && self.stream.send(context) == Sent::Broken {
                    continue;
                }
                return ended;
            }
        })
        .await
    }

    /// Lets all requests get on.
    fn poll(&mut self, context: &mut Context<'_>) {
        // Only the connection sends, which runs here: nobody else has to wake this task.
        while let Ok(request) = self.incoming.try_recv() {
            self.running.push(request);
        }
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
    }
}
