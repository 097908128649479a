//! Request lines are encoded wherever they stand in a connection, and nothing else is.

use std::io::Cursor;

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use super::Typed;

/// Gives at most so many bytes at a time.
struct Slow(Cursor<Vec<u8>>, usize);

impl AsyncRead for Slow {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let most = self.1;
        let mut few = vec![0; most.min(buffer.remaining())];
        let mut few = ReadBuf::new(&mut few);
        let polled = std::pin::Pin::new(&mut self.0).poll_read(context, &mut few);
        buffer.put_slice(few.filled());
        polled
    }
}

async fn passed(text: &str) -> String {
    let mut answers = Vec::new();
    for most in [1, 7, 4096] {
        let mut typed = Typed::new(Slow(Cursor::new(text.as_bytes().to_vec()), most));
        let mut answer = String::new();
        typed.read_to_string(&mut answer).await.unwrap();
        answers.push(answer);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "it depends on how the bytes come: {answers:?}");
    answers.remove(0)
}

#[tokio::test]
async fn targets_are_encoded_and_bodies_and_headers_are_not() {
    let sent = "GET /a?select=b->>c&d=in.(\"<\") HTTP/1.1\r\nX: \"a>b\"\r\n\r\n\
                POST /b?x=> HTTP/1.1\r\nContent-Length: 9\r\n\r\n{\"a>b\":1}\
                \r\nPOST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\">\"\r\n\">\"\r\nB\r\nGET /> HTTP\r\n0\r\nT: >\r\n\r\n\
                GET /d?\"> HTTP/1.1\r\n\r\n";
    let expected = "GET /a?select=b-%3E%3Ec&d=in.(%22%3C%22) HTTP/1.1\r\nX: \"a>b\"\r\n\r\n\
                POST /b?x=%3E HTTP/1.1\r\nContent-Length: 9\r\n\r\n{\"a>b\":1}\
                \r\nPOST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\">\"\r\n\">\"\r\nB\r\nGET /> HTTP\r\n0\r\nT: >\r\n\r\n\
                GET /d?%22%3E HTTP/1.1\r\n\r\n";
    assert_eq!(passed(sent).await, expected);
}

#[tokio::test]
async fn what_cannot_be_followed_passes_as_it_is() {
    for sent in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /> x\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nGET />\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nGET />\r\n",
        "G>T",
    ] {
        assert_eq!(passed(sent).await, sent);
    }
}
