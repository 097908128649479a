//! Request targets as people type them: `select=data->>name`, `name=in.("a","b")`.
//!
//! RFC 3986 wants `"`, `<` and `>` percent-encoded, which curl and some proxies do not do, and the HTTP library refuses. So they
//! are encoded on the way in, in request lines and nowhere else: to know where one begins, bodies are followed by their
//! `Content-Length` or chunks. No byte is taken away or moved from one request to another.

#[cfg(test)]
mod tests;

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose request targets come in encoded.
#[derive(Debug)]
pub struct Typed<S> {
    stream: S,
    follower: Follower,
    /// What did not fit into the reader's buffer.
    left: Vec<u8>,
}

impl<S> Typed<S> {
    /// Wraps a connection from its first byte on.
    pub fn new(stream: S) -> Self {
        Self { stream, follower: Follower::default(), left: Vec::new() }
    }
}

/// Where in a connection the next byte stands.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    RequestLine,
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailer,
    /// HTTP/2, or what nobody can follow.
    Anything,
}

#[derive(Debug, Default)]
struct Follower {
    place: Place,
    /// The current line as far as it can matter.
    line: Vec<u8>,
    length: u64,
    chunked: bool,
}

/// The longest line that has to be understood: a header that says how long a body is.
const LONGEST: usize = 256;
/// How HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

impl Follower {
    /// The bytes with targets encoded, if any had to be.
    fn encoded(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut encoded: Option<Vec<u8>> = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            let seen = bytes.len() - rest.len();
            let skipped = self.skip(rest.len());
            let line =
                || rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (piece, after) =
                rest.split_at_checked(if skipped > 0 { skipped } else { line() })?;
            rest = after;
            if skipped == 0 && self.has_to_be_encoded(piece) {
                encoded.get_or_insert_with(|| bytes.get(..seen).unwrap_or_default().to_vec());
            }
            match &mut encoded {
                Some(encoded) if skipped == 0 => self.encode(piece, encoded),
                Some(encoded) => encoded.extend_from_slice(piece),
                None => {}
            }
            if skipped == 0 {
                self.follow(piece);
            }
        }
        encoded
    }

    fn has_to_be_encoded(&self, piece: &[u8]) -> bool {
        matches!(self.place, Place::RequestLine) && piece.iter().any(|byte| escape(*byte).is_some())
    }

    /// Adds a line, or a part of one, with what follows the first blank of a request line encoded.
    fn encode(&self, piece: &[u8], encoded: &mut Vec<u8>) {
        let mut in_target = self.line.contains(&b' ');
        let mut room = LONGEST.saturating_sub(self.line.len());
        for &byte in piece {
            match escape(byte).filter(|_| in_target && matches!(self.place, Place::RequestLine)) {
                Some(escape) => encoded.extend_from_slice(escape.as_bytes()),
                None => encoded.push(byte),
            }
            in_target |= byte == b' ' && room > 0;
            room = room.saturating_sub(usize::from(byte != b'\r'));
        }
    }

    /// How many of `most` bytes need not be looked at.
    fn skip(&mut self, most: usize) -> usize {
        let (left, next) = match &mut self.place {
            Place::Anything => return most,
            Place::Body(left) => (left, Place::RequestLine),
            Place::Chunk(left) => (left, Place::ChunkSize),
            _ => return 0,
        };
        let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(most);
        *left -= skipped as u64;
        if *left == 0 {
            self.place = next;
        }
        skipped
    }

    /// Takes note of a line, or of a part of one.
    fn follow(&mut self, piece: &[u8]) {
        let whole = piece.strip_suffix(b"\n");
        let room = LONGEST.saturating_sub(self.line.len());
        let text = whole.unwrap_or(piece).iter().filter(|byte| **byte != b'\r');
        self.line.extend(text.take(room));
        if whole.is_some() {
            let mut line = std::mem::take(&mut self.line);
            self.end_line(&line);
            line.clear();
            self.line = line;
        }
    }

    fn end_line(&mut self, line: &[u8]) {
        self.place = match self.place {
            // Empty lines before a request are passed over (RFC 9112 section 2.2).
            Place::RequestLine if line.is_empty() => Place::RequestLine,
            Place::RequestLine if line == PREFACE => Place::Anything,
            Place::RequestLine => {
                (self.length, self.chunked) = (0, false);
                Place::Head
            }
            Place::Head if line.is_empty() && self.chunked => Place::ChunkSize,
            Place::Head if line.is_empty() && self.length > 0 => Place::Body(self.length),
            Place::Head if line.is_empty() => Place::RequestLine,
            Place::Head => self.header(line),
            // After the bytes of a chunk there is an empty line.
            Place::ChunkSize if line.is_empty() => Place::ChunkSize,
            Place::ChunkSize => chunk(line),
            Place::Trailer if line.is_empty() => Place::RequestLine,
            other => other,
        };
    }

    fn header(&mut self, line: &[u8]) -> Place {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or_default();
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value =
            || String::from_utf8_lossy(value.get(1..).unwrap_or_default()).to_ascii_lowercase();
        if name.eq_ignore_ascii_case(b"content-length") {
            match value().trim().parse() {
                Ok(length) => self.length = length,
                Err(_) => return Place::Anything,
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value().trim().ends_with("chunked");
        }
        Place::Head
    }
}

fn escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'"' => Some("%22"),
        b'<' => Some("%3C"),
        b'>' => Some("%3E"),
        _ => None,
    }
}

fn chunk(line: &[u8]) -> Place {
    let line = String::from_utf8_lossy(line);
    let size = line.split(';').next().unwrap_or_default().trim();
    match u64::from_str_radix(size, 16) {
        Ok(0) => Place::Trailer,
        Ok(size) => Place::Chunk(size),
        Err(_) => Place::Anything,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Typed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.left.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            let read = buffer.filled().get(before..).unwrap_or_default();
            match self.follower.encoded(read) {
                None => return Poll::Ready(Ok(())),
                Some(encoded) => self.left = encoded,
            }
            buffer.set_filled(before);
        }
        let fits = buffer.remaining().min(self.left.len());
        let rest = self.left.split_off(fits);
        buffer.put_slice(&self.left);
        self.left = rest;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Typed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
