//! Requests and responses on a stream: one message each way, each ended by the end of the stream.
//!
//! There is no length in front: a reader takes what arrives, up to the limit, so that nothing is allocated for what a
//! peer merely announces. No bytes at all instead of a response say that the request was refused.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

use crate::node::message::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Request, Response};

/// The protocol's name in libp2p's negotiation.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/verbale/1");

/// What came instead of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Nothing.
    Empty,
    /// More bytes than the limit.
    TooLong,
    /// Bytes that are not a message.
    Malformed,
}

/// Reads and writes the messages. Bytes that are no message are handed up as such instead of as a failure, because
/// the behaviour above does not report failures to read a request, and the peer would go unnoticed.
#[derive(Clone, Debug)]
pub(super) struct MessageCodec;

async fn read_limited(
    io: &mut (impl AsyncRead + Unpin + Send),
    limit: usize,
) -> io::Result<Result<Vec<u8>, Unreadable>> {
    let mut bytes = Vec::new();
    io.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(match bytes.len() {
        0 => Err(Unreadable::Empty),
        length if length > limit => Err(Unreadable::TooLong),
        _ => Ok(bytes),
    })
}

impl request_response::Codec for MessageCodec {
    type Protocol = StreamProtocol;
    type Request = Result<Request, Unreadable>;
    type Response = Result<Response, Unreadable>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = read_limited(io, MAX_REQUEST_BYTES).await?;
        Ok(bytes.and_then(|bytes| Request::parse(&bytes).map_err(|_| Unreadable::Malformed)))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = read_limited(io, MAX_RESPONSE_BYTES).await?;
        Ok(bytes.and_then(|bytes| Response::parse(&bytes).map_err(|_| Unreadable::Malformed)))
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match request {
            Ok(request) => io.write_all(&request.to_bytes()).await,
            Err(_) => Ok(()),
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Self::Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let Ok(response) = response else { return Ok(()) };
        let bytes = response.to_bytes();
        if bytes.len() > MAX_RESPONSE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the response is longer than its limit"));
        }
        io.write_all(&bytes).await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use libp2p::request_response::Codec;

    use super::*;
    use crate::tlog::Hash;

    fn read_request(mut bytes: &[u8]) -> Result<Request, Unreadable> {
        block_on(MessageCodec.read_request(&PROTOCOL, &mut bytes)).unwrap()
    }

    #[test]
    fn requests_are_limited_and_checked() {
        let request = Request::Heads { treaty: Hash::digest(b"") };
        let mut wire = Vec::new();
        block_on(MessageCodec.write_request(&PROTOCOL, &mut wire, Ok(request.clone()))).unwrap();
        assert_eq!(read_request(&wire), Ok(request));
        assert_eq!(read_request(&wire[1..]), Err(Unreadable::Malformed));
        assert_eq!(read_request(b""), Err(Unreadable::Empty));
        assert_eq!(read_request(&[0; MAX_REQUEST_BYTES]), Err(Unreadable::Malformed));
        assert_eq!(read_request(&[0; MAX_REQUEST_BYTES + 1]), Err(Unreadable::TooLong));
    }

    #[test]
    fn a_response_over_the_limit_is_not_read_to_its_end() {
        let endless = &mut futures::io::repeat(7);
        let response = block_on(MessageCodec.read_response(&PROTOCOL, endless)).unwrap();
        assert_eq!(response, Err(Unreadable::TooLong));
    }

    #[test]
    fn a_response_over_the_limit_is_not_sent() {
        let records = vec![vec![0; 65_000]; 80];
        let response = Response::Heads { time_ms: 0, heads: records };
        let mut wire = Vec::new();
        assert!(block_on(MessageCodec.write_response(&PROTOCOL, &mut wire, Ok(response))).is_err());
        assert!(wire.is_empty());
    }
}
