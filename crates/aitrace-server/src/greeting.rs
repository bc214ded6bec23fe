//! Which protocol a connection speaks: HTTP/2 begins with a preface that is no request of HTTP/1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// The start of HTTP/2's preface; no method of HTTP/1 begins so.
const PREFACE: &[u8; 4] = b"PRI ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Reads as many bytes as tell the protocol; an error where they do not come within `patience`.
pub(crate) async fn greet<S: AsyncRead + Unpin>(
    mut socket: S,
    patience: Duration,
) -> io::Result<(Protocol, Greeted<S>)> {
    let mut seen = [0; PREFACE.len()];
    let mut length = 0;
    let tell = async {
        while length < seen.len() && seen[..length] == PREFACE[..length] {
            let read = socket.read(&mut seen[length..]).await?;
            if read == 0 {
                break;
            }
            length += read;
        }
        io::Result::Ok(())
    };
    timeout(patience, tell)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the peer is silent"))??;
    let protocol = if &seen == PREFACE { Protocol::Http2 } else { Protocol::Http1 };
    Ok((protocol, Greeted { seen, next: 0, length, socket }))
}

/// A socket whose first bytes were looked at already; they are read again.
#[derive(Debug)]
pub(crate) struct Greeted<S> {
    seen: [u8; PREFACE.len()],
    next: usize,
    length: usize,
    socket: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.next == self.length {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let end = self.length.min(self.next + buffer.remaining());
        buffer.put_slice(&self.seen[self.next..end]);
        self.next = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(first: &[u8]) -> (Protocol, Vec<u8>) {
        let (protocol, mut socket) = greet(first, Duration::from_secs(1)).await.unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        (protocol, all)
    }

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_read_again() {
        for first in [&b"GET / HTTP/1.1\r\n"[..], b"POST", b"PRO", b"P", b"", b"PRI"] {
            assert_eq!(told(first).await, (Protocol::Http1, first.to_vec()));
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(told(preface).await, (Protocol::Http2, preface.to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_left() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b"PR").await.unwrap();
        let error = greet(ours, Duration::from_secs(10)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
