//! The command line's side of the local API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::api::view::{ErrorView, EventView};
use crate::cli::{Code, Failure};

/// Longest answer, in bytes: a thousand notes with their marks fit well.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Longest single event, in bytes.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Speaks to this party's node.
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

impl Client {
    /// For a node's socket. Nothing is asked yet.
    pub fn new(socket: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Code::Other, format!("no runtime could be started: {error}")))?;
        Ok(Self { socket: socket.to_owned(), runtime })
    }

    /// Asks for a JSON value.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read_json(&self.bytes(Method::GET, path, Vec::new())?)
    }

    /// Hands something in, and reads the JSON answer.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, Failure> {
        read_json(&self.bytes(Method::POST, path, body)?)
    }

    /// Asks for bytes as they are.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(Method::GET, path, Vec::new())
    }

    fn bytes(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.runtime.block_on(async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let bytes = body.map_err(|error| self.broken(&error.to_string()))?.to_bytes();
            if status.is_success() { Ok(bytes.to_vec()) } else { Err(refused(status, &bytes)) }
        })
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| {
            let text = format!("no node answers on {}: {error}", self.socket.display());
            Failure::new(Code::NoNode, text).hint("start it with `verbale node`, or name its home folder with --home")
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(&error.to_string()))?;
        tokio::spawn(connection);
        let request =
            Request::builder().method(method).uri(path).header("host", "node").body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| Failure::new(Code::Other, format!("{path}: {error}")))?;
        sender.send_request(request).await.map_err(|error| self.broken(&error.to_string()))
    }

    fn broken(&self, why: &str) -> Failure {
        let text = format!("the node on {} did not answer to the end: {why}", self.socket.display());
        Failure::new(Code::NoNode, text)
            .hint("see its log; a note that was handed in may be handed in again without harm")
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> Result<Events<'_>, Failure> {
        let response = self.runtime.block_on(self.send(Method::GET, "/v1/events", Vec::new()))?;
        Ok(Events { client: self, body: response.into_body(), pending: Vec::new() })
    }
}

/// What happens at the node, one thing after the other.
pub struct Events<'a> {
    client: &'a Client,
    body: Incoming,
    pending: Vec<u8>,
}

impl Events<'_> {
    /// The next event; `None` if none comes within the time. Without a limit it waits for ever.
    pub fn next(&mut self, within: Option<Duration>) -> Result<Option<EventView>, Failure> {
        let deadline = within.map(|within| std::time::Instant::now() + within);
        loop {
            if let Some(event) = self.take_pending()? {
                return Ok(Some(event));
            }
            let left = deadline.map(|at| at.saturating_duration_since(std::time::Instant::now()));
            let body = &mut self.body;
            let frame = self.client.runtime.block_on(async {
                match left {
                    Some(left) => tokio::time::timeout(left, body.frame()).await.ok(),
                    None => Some(body.frame().await),
                }
            });
            match frame {
                None => return Ok(None),
                Some(Some(Ok(frame))) => self.pending.extend(frame.into_data().unwrap_or_default()),
                Some(Some(Err(error))) => return Err(self.client.broken(&error.to_string())),
                Some(None) => return Err(self.client.broken("it ended")),
            }
            if self.pending.len() > MAX_EVENT_BYTES {
                return Err(self.client.broken("an event is too long"));
            }
        }
    }

    /// The first whole event of what has arrived. Each is one `data:` line; keep-alive comments are passed over.
    fn take_pending(&mut self) -> Result<Option<EventView>, Failure> {
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data:") {
                return read_json(data).map(Some);
            }
        }
        Ok(None)
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = format!("the node's answer cannot be read: {error}");
        Failure::new(Code::Other, text).hint("the node and this program may be of different versions")
    })
}

fn refused(status: StatusCode, bytes: &[u8]) -> Failure {
    let Ok(view) = serde_json::from_slice::<ErrorView>(bytes) else {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
        return Failure::new(Code::Other, format!("the node refused ({status}): {text}"));
    };
    let code = match view.code.as_str() {
        "not-signing" => Code::NotSigning,
        "refused" | "too-long" | "id-taken" | "not-evidence" | "not-a-notification" => Code::Refused,
        "unknown" => Code::Input,
        "stopping" => Code::NoNode,
        "reading" => Code::Damaged,
        _ => Code::Other,
    };
    let failure = Failure::new(code, view.error);
    match code {
        Code::NotSigning => failure.hint("nothing was logged; `verbale status` tells when it signs again"),
        Code::Damaged => failure.hint("stop the node and run `verbale fsck`"),
        _ => failure,
    }
}
