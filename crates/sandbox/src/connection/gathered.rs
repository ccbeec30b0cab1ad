//! A stream that gathers what is written in one turn of a connection.
//!
//! HTTP/2 writes and flushes frame by frame, and TLS makes a record and a system call of each. Here
//! a flush only means that what was written may leave at the end of the turn, when the connection
//! calls [`Gathered::send`]. It must never hold anything back beyond that, nor more than
//! [`LIMIT`] bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered at most: four full records of TLS.
const LIMIT: usize = 64 * 1024;
/// Bytes that a quiet connection keeps room for.
const KEPT: usize = 4 * 1024;

/// A handle to the stream: the connection writes to one, its driver sends by another. Both run in
/// one task, so nobody ever waits for the lock.
pub(crate) struct Gathered<S>(Arc<Mutex<State<S>>>);

struct State<S> {
    stream: S,
    gathered: Vec<u8>,
    /// How much of it the stream has taken.
    n_taken: usize,
    /// Why sending failed: the connection learns of it when it next reads or writes.
    broken: Option<io::ErrorKind>,
}

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// All is with the peer, or leaves when the stream has room, which wakes the task.
    OnItsWay,
    /// It has just failed; whoever reads or writes is told.
    Broken,
}

impl<S> Clone for Gathered<S> {
    fn clone(&self) -> Self {
        Gathered(Arc::clone(&self.0))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    pub(super) fn new(stream: S) -> Self {
        Gathered(Arc::new(Mutex::new(State {
            stream,
            gathered: Vec::new(),
            n_taken: 0,
            broken: None,
        })))
    }

    /// Sends what was gathered.
    pub(super) fn send(&self, context: &mut Context<'_>) -> Sent {
        let mut state = self.state();
        if state.broken.is_some() {
            return Sent::OnItsWay;
        }
        match state.drain(context) {
            Poll::Pending => Sent::OnItsWay,
            Poll::Ready(Ok(())) => {
                if state.gathered.capacity() > KEPT {
                    state.gathered = Vec::new();
                }
                Sent::OnItsWay
            }
            Poll::Ready(Err(error)) => {
                state.broken = Some(error.kind());
                Sent::Broken
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    fn unbroken(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Hands everything to the stream.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.n_taken..)
            && !rest.is_empty()
        {
            let n_taken = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if n_taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.n_taken += n_taken;
        }
        self.gathered.clear();
        self.n_taken = 0;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Takes as much of `parts` as there is room for, which is made when there is none.
    fn gather<'p>(
        &mut self,
        context: &mut Context<'_>,
        parts: impl Iterator<Item = &'p [u8]>,
    ) -> Poll<io::Result<usize>> {
        self.unbroken()?;
        if self.gathered.len() >= LIMIT {
            ready!(self.drain(context))?;
        }
        let before = self.gathered.len();
        for part in parts {
            let room = LIMIT - self.gathered.len();
            let fitting = part.get(..room).unwrap_or(part);
            self.gathered.extend_from_slice(fitting);
        }
        Poll::Ready(Ok(self.gathered.len() - before))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        state.unbroken()?;
        Pin::new(&mut state.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.state().gather(context, std::iter::once(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.state()
            .gather(context, parts.iter().map(|part| &**part))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing: the turn's end sends.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.state().unbroken())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        ready!(state.drain(context))?;
        Pin::new(&mut state.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
