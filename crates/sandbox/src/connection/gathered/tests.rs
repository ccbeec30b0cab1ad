use std::collections::VecDeque;
use std::task::Waker;

use futures::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A peer that takes what its `room` allows, and remembers each write.
#[derive(Default)]
struct Peer {
    /// How many bytes each write takes; none left: it has to wait.
    room: VecDeque<usize>,
    writes: Vec<Vec<u8>>,
    fails: bool,
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.fails {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let Some(room) = self.room.pop_front() else {
            return Poll::Pending;
        };
        let n_taken = room.min(bytes.len());
        self.writes.push(bytes[..n_taken].to_vec());
        Poll::Ready(Ok(n_taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn send(stream: &Gathered<Peer>) -> Sent {
    stream.send(&mut Context::from_waker(Waker::noop()))
}

/// Writes as HTTP/2 does: each frame is flushed; gives how many bytes were taken.
fn write(stream: &mut Gathered<Peer>, frame: &[u8]) -> Option<usize> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(&mut *stream).poll_write(&mut context, frame) {
        Poll::Ready(Ok(n_taken)) => {
            assert!(Pin::new(stream).poll_flush(&mut context).is_ready());
            Some(n_taken)
        }
        Poll::Ready(Err(error)) => panic!("{error}"),
        Poll::Pending => None,
    }
}

#[test]
fn frames_of_one_turn_leave_in_one_write() {
    let mut stream = Gathered::new(Peer {
        room: VecDeque::from([usize::MAX]),
        ..Peer::default()
    });
    for frame in 0..20_u8 {
        assert_eq!(write(&mut stream, &[frame; 2_000]), Some(2_000));
    }
    assert_eq!(stream.state().stream.writes.len(), 0);
    assert_eq!(send(&stream), Sent::OnItsWay);
    let sizes: Vec<usize> = stream.state().stream.writes.iter().map(Vec::len).collect();
    assert_eq!(sizes, [40_000]);
}

#[test]
fn a_slow_peer_gets_everything_in_order_and_holds_little() {
    let sent: Vec<u8> = (0..300_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let mut stream = Gathered::new(Peer::default());
    let mut rest = &sent[..];
    let mut room = [1, 7_000, 65_536, 13, 40_000].into_iter().cycle();
    while !rest.is_empty() {
        if let Some(n_taken) = write(&mut stream, rest) {
            rest = &rest[n_taken..];
        } else {
            let room = room.next();
            stream.state().stream.room.extend(room);
        }
        assert!(stream.state().gathered.len() <= LIMIT);
    }
    stream.state().stream.room.extend([usize::MAX]);
    assert_eq!(send(&stream), Sent::OnItsWay);
    assert!(stream.state().stream.writes.concat() == sent);
    assert!(stream.state().gathered.capacity() <= KEPT);
}

#[test]
fn who_reads_or_writes_learns_that_sending_failed() {
    let mut stream = Gathered::new(Peer {
        fails: true,
        ..Peer::default()
    });
    assert_eq!(write(&mut stream, b"answer"), Some(6));
    assert_eq!(send(&stream), Sent::Broken);
    assert_eq!(send(&stream), Sent::OnItsWay);
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = [0; 8];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = Pin::new(&mut stream).poll_read(&mut context, &mut buffer);
    let kind = io::ErrorKind::ConnectionReset;
    assert!(matches!(read, Poll::Ready(Err(error)) if error.kind() == kind));
    let written = Pin::new(&mut stream).poll_write(&mut context, b"more");
    assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == kind));
}

#[tokio::test]
async fn a_shutdown_sends_the_rest_first() -> io::Result<()> {
    let (near, mut far) = tokio::io::duplex(16);
    let stream = Gathered::new(near);
    let mut writer = stream.clone();
    let ended = tokio::spawn(async move {
        writer.write_all(&[7; 1_000]).await?;
        poll_fn(|context| Pin::new(&mut writer).poll_shutdown(context)).await
    });
    let mut received = Vec::new();
    far.read_to_end(&mut received).await?;
    ended.await??;
    assert_eq!(received, [7; 1_000]);
    drop(stream);
    Ok(())
}
