//! The ledger over HTTP/1.1, to be read by anybody, and `add-checkpoint`, by which other logs ask this node to witness
//! them: on a listener of its own.
//!
//! A reverse proxy or a content delivery network in front of it may keep what the headers allow, and adds TLS.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

use super::share::{Shares, network};
use super::shown::{Caching, Resource, Shown};
use super::witness::{KnownKeys, Witness, add_checkpoint, last_of};
use crate::daemon::Handle;
use crate::node::ReadError;
use crate::tlog::{Hash, MAX_ADD_CHECKPOINT_BYTES};

/// Requests that are worked on at once; more are answered 503.
const MAX_REQUESTS: usize = 64;
/// Requests of one address that are worked on at once, what they send included.
const MAX_REQUESTS_OF_ADDRESS: usize = 16;
/// Connections of one address: an eighth of all, and at least so many.
const LEAST_CONNECTIONS_OF_ADDRESS: usize = 8;
/// How long what is sent with a request may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take to be made.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client may take to say what it wants, and may stay silent between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may last, however slowly its client reads.
const CONNECTION_TIME: Duration = Duration::from_secs(300);
/// Longest request line with its headers, in bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Addresses whose rate is remembered; the least recent is forgotten.
const MAX_ADDRESSES: usize = 16_384;

/// How much may be asked of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; whoever comes later waits.
    pub connections: usize,
    /// Requests a second that one address (of IPv6, one network of 64 bits) may make; ten times as many at once.
    pub requests_per_second: u32,
    /// The address of a reverse proxy, whose last `X-Forwarded-For` is taken for the reader's address.
    pub proxy: Option<IpAddr>,
}

/// A served ledger.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Serving {
    /// As the treaty stood when it was last looked at.
    shown: Arc<Mutex<Arc<Shown>>>,
    handle: Handle,
    witness: Option<Arc<Witness>>,
    /// What stands before the ledger's name in a path: empty, or `/` and words.
    prefix: Arc<str>,
    requests: Arc<Semaphore>,
    rates: Arc<Rates>,
    /// Requests that are worked on, by address.
    working: Shares,
    proxy: Option<IpAddr>,
    keys: Arc<KnownKeys>,
}

impl Server {
    /// Listens, and serves what a node holds under `prefix`/`<ledger>/`.
    pub async fn start(
        listen: SocketAddr,
        prefix: &str,
        limits: Limits,
        shown: Arc<Shown>,
        witness: Option<Arc<Witness>>,
        handle: Handle,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let serving = Serving {
            shown: Arc::new(Mutex::new(shown)),
            handle,
            witness,
            prefix: prefix.trim_end_matches('/').into(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            rates: Arc::new(Rates::new(limits.requests_per_second)),
            working: Shares::new(MAX_REQUESTS_OF_ADDRESS),
            proxy: limits.proxy,
            keys: Arc::default(),
        };
        let connections = Arc::new(Semaphore::new(limits.connections.max(1)));
        let of_address = Shares::new((limits.connections / 8).max(LEAST_CONNECTIONS_OF_ADDRESS));
        let task = tokio::spawn(accept(listener, connections, of_address, serving));
        Ok(Self { address, task })
    }

    /// Stops listening.
    pub fn stop(self) {
        self.task.abort();
    }
}

impl Serving {
    /// What is shown, by the treaty as it stands now.
    fn shown(&self) -> Arc<Shown> {
        let treaty = self.handle.store.treaty();
        // Replaced whole: what a panicking thread left is still right.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if treaty.number() > shown.treaty().number() {
            *shown = Arc::new(shown.amended(treaty));
        }
        shown.clone()
    }
}

async fn accept(listener: TcpListener, connections: Arc<Semaphore>, of_address: Shares, serving: Serving) {
    let proxy = serving.proxy;
    let router = router(serving);
    // Never closed: the error cannot come.
    while let Ok(permit) = connections.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = peer.ip().to_canonical();
                let share = of_address.take(peer);
                // All readers come through the proxy. Whoever else has too many connections is not heard on this one.
                if share.is_some() || proxy == Some(peer) {
                    let router = router.clone();
                    drop(tokio::spawn(async move {
                        connection(stream, peer, router, permit).await;
                        drop(share);
                    }));
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close first.
                tracing::warn!(%error, "a reader's connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The address of whoever asks.
#[derive(Clone, Copy)]
struct Peer(IpAddr);

async fn connection(stream: TcpStream, peer: IpAddr, router: Router, permit: OwnedSemaphorePermit) {
    let service = TowerToHyperService::new(router.layer(axum::Extension(Peer(peer))));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
    // How a connection ends is its client's affair.
    let _ = tokio::time::timeout(CONNECTION_TIME, builder.serve_connection(TokioIo::new(stream), service)).await;
    drop(permit);
}

fn router(serving: Serving) -> Router {
    let worth = |_: StatusCode, _, _: &HeaderMap, extensions: &axum::http::Extensions| {
        extensions.get::<Compressible>().is_some()
    };
    Router::new()
        .fallback(answer)
        .layer(CompressionLayer::new().compress_when(worth))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(middleware::from_fn_with_state(serving.clone(), limited))
        .with_state(serving)
}

/// Marks an answer that compressing makes smaller.
#[derive(Clone, Copy)]
struct Compressible;

async fn limited(State(serving): State<Serving>, request: Request, next: Next) -> Response {
    let Some(peer) = reader(&request, serving.proxy) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "the proxy does not say for whom it asks");
    };
    if !serving.rates.allow(peer, Instant::now()) {
        return refused(StatusCode::TOO_MANY_REQUESTS, "too many requests; slow down");
    }
    let Some(_share) = serving.working.take(peer) else {
        return refused(StatusCode::TOO_MANY_REQUESTS, "too many requests of yours are being answered; slow down");
    };
    // Whoever is slow to send takes no place among those that are worked on.
    let request = match received(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let Ok(_permit) = serving.requests.try_acquire() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many requests are being answered; try again");
    };
    next.run(request).await
}

/// Who asks: the other end of the connection, or whoever the trusted proxy says.
fn reader(request: &Request, proxy: Option<IpAddr>) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?.0;
    if proxy != Some(peer) {
        return Some(peer);
    }
    // The last entry is the proxy's own; those before it may be the reader's invention.
    let last = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// The request with all that was sent with it.
async fn received(request: Request) -> Result<Request, Response> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_ADD_CHECKPOINT_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => {
            Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "a request is shorter than this, and comes to its end"))
        }
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "what belongs to the request did not come in time")),
    }
}

fn refused(status: StatusCode, why: &'static str) -> Response {
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], format!("{why}\n")).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

async fn answer(State(serving): State<Serving>, request: Request) -> Response {
    if request.method() == Method::POST
        && request.uri().path().strip_prefix(&*serving.prefix) == Some("/add-checkpoint")
    {
        return match axum::body::to_bytes(request.into_body(), MAX_ADD_CHECKPOINT_BYTES).await {
            Ok(body) => add_checkpoint(&body, serving.witness.as_deref(), &serving.handle, serving.keys.clone()).await,
            Err(_) => refused(StatusCode::PAYLOAD_TOO_LARGE, "a request is shorter than this, and comes to its end"),
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "this can only be read: GET or HEAD");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let ledger = serving.shown().treaty().file().name.clone();
    let path = request.uri().path();
    let Some(path) = path.strip_prefix(&*serving.prefix) else {
        return refused(StatusCode::NOT_FOUND, "there is no such thing here");
    };
    if path.is_empty() || path == "/" || path.strip_prefix('/') == Some(ledger.as_str()) {
        let location = format!("{}/{ledger}/", serving.prefix);
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    let of_witness = path.strip_prefix('/').and_then(|path| Hash::from_hex(path.strip_suffix("/checkpoint")?));
    if let Some(origin) = of_witness {
        let Serving { witness, handle, .. } = serving;
        let found = tokio::task::spawn_blocking(move || last_of(&origin, witness.as_deref(), &handle)).await;
        return match found {
            Ok(Ok(Some(bytes))) => respond(Resource::text(bytes), request.headers()),
            Ok(Ok(None)) => refused(StatusCode::NOT_FOUND, "this witness has cosigned no checkpoint of such a log"),
            _ => refused(StatusCode::INTERNAL_SERVER_ERROR, "stored data could not be read"),
        };
    }
    let inner = path.strip_prefix('/').and_then(|path| path.strip_prefix(ledger.as_str())?.strip_prefix('/'));
    let Some(inner) = inner.map(str::to_owned) else {
        return refused(StatusCode::NOT_FOUND, "there is no such thing here");
    };
    let shown = serving.shown();
    let Serving { handle, .. } = serving;
    let found = tokio::task::spawn_blocking(move || shown.get(&*handle.store, &inner)).await;
    match found.unwrap_or_else(|error| Err(ReadError(error.to_string()))) {
        Ok(Some(resource)) => respond(resource, request.headers()),
        Ok(None) => refused(StatusCode::NOT_FOUND, "there is no such thing here, or not yet"),
        Err(error) => {
            tracing::error!(%error, "a reader could not be answered");
            refused(StatusCode::INTERNAL_SERVER_ERROR, "stored data could not be read")
        }
    }
}

fn respond(resource: Resource, asked: &HeaderMap) -> Response {
    // Weak: the same tag stands for the compressed bytes (RFC 9110, section 8.8.1).
    let tag = format!("W/\"{}\"", &Hash::digest(&resource.bytes).to_hex()[..32]);
    let lasting = match resource.caching {
        Caching::Immutable => "public, max-age=31536000, immutable",
        Caching::Short => "public, max-age=5",
    };
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',').map(str::trim));
    let bare = tag.trim_start_matches("W/");
    let is_known = tags.any(|known| known == "*" || known.trim_start_matches("W/") == bare);
    let (status, body) =
        if is_known { (StatusCode::NOT_MODIFIED, Body::empty()) } else { (StatusCode::OK, Body::from(resource.bytes)) };
    let mut response = (status, [(header::ETAG, tag)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(resource.media));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Any page may read what everybody may read.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    if resource.compressible {
        response.extensions_mut().insert(Compressible);
    }
    response
}

/// How much each address may still ask.
struct Rates {
    per_second: f64,
    left: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Rates {
    fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second.max(1)), left: Mutex::default() }
    }

    fn allow(&self, peer: IpAddr, now: Instant) -> bool {
        let most = self.per_second * 10.0;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let key = network(peer);
        if left.len() >= MAX_ADDRESSES && !left.contains_key(&key) {
            // Whoever has its full allowance again is not worth remembering.
            left.retain(|_, (tokens, at)| *tokens + now.duration_since(*at).as_secs_f64() * self.per_second < most);
            if left.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let (tokens, at) = left.entry(key).or_insert((most, now));
        *tokens = (*tokens + now.saturating_duration_since(*at).as_secs_f64() * self.per_second).min(most);
        *at = now;
        let allowed = *tokens >= 1.0;
        if allowed {
            *tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_ten_seconds_worth_at_once_and_then_its_rate() {
        let (rates, start) = (Rates::new(5), Instant::now());
        let peer: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        assert_eq!((0..100).filter(|_| rates.allow(peer, start)).count(), 50);
        assert!(!rates.allow(neighbour, start), "it is of the same network");
        assert!(rates.allow("2001:db8:0:1::1".parse().unwrap(), start));
        let later = start + Duration::from_secs(2);
        assert_eq!((0..100).filter(|_| rates.allow(peer, later)).count(), 10);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let (rates, start) = (Rates::new(1), Instant::now());
        for n in 0..MAX_ADDRESSES as u32 + 100 {
            rates.allow(IpAddr::V4(n.into()), start);
        }
        assert!(rates.left.lock().unwrap().len() <= MAX_ADDRESSES);
        let later = start + Duration::from_secs(60);
        assert!(rates.allow("192.0.2.1".parse().unwrap(), later));
        assert!(rates.left.lock().unwrap().len() < 10, "those that rested are forgotten");
    }
}
