//! One connection: everything that it carries runs in one task.
//!
//! Owns the turns between a connection and its requests. Tasks of their own would each wake the
//! connection for its answer, and it would write them one by one; so what is ready together (twenty
//! watches that tell of one event) leaves together. It must never know what a request is.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

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

/// The requests of one connection, which run whenever the connection does.
pub(crate) struct Running {
    incoming: UnboundedReceiver<Request>,
    running: FuturesUnordered<Request>,
}

/// A new place for requests, and who runs them.
pub(crate) fn requests() -> (Requests, Running) {
    let (sender, incoming) = mpsc::unbounded_channel();
    let running = FuturesUnordered::new();
    (Requests(sender), Running { incoming, running })
}

impl Running {
    /// Runs `connection` and its requests until the connection ends; gives its outcome.
    pub(crate) async fn with<T>(&mut self, mut connection: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            loop {
                self.poll(context);
                let ended = connection.as_mut().poll(context);
                // A request that has just come is answered before anybody waits.
                if ended.is_ready() || self.incoming.is_empty() {
                    return ended;
                }
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
