//! Little clients and servers for the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::runtime::Runtime;

/// What a server answered.
pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub fn get(url: &str) -> Answer {
    send("GET", url, &[], b"")
}

/// The statuses of many requests, one after the other on one connection.
pub fn statuses(url: &str, count: usize) -> Vec<u16> {
    runtime().block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut statuses = Vec::new();
        for _ in 0..count {
            let answer = client.get(url).send().await.unwrap();
            statuses.push(answer.status().as_u16());
            answer.bytes().await.unwrap();
        }
        statuses
    })
}

/// One request, as it is: nothing is followed, and nothing decompressed.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    runtime().block_on(async {
        let client = reqwest::Client::builder().no_proxy().no_gzip().redirect(reqwest::redirect::Policy::none());
        let mut request = client.build().unwrap().request(method.parse().unwrap(), url).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.unwrap().to_vec() }
    })
}

/// A server that answers as a function does, until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    pub fn new(answer: impl Fn(&str, &str, &HeaderMap, Vec<u8>) -> Response + Send + Sync + 'static) -> Self {
        let runtime = runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let router = axum::Router::new().fallback(move |request: Request| {
            let answer = answer.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
                let path = parts.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
                answer(parts.method.as_str(), &path, &parts.headers, body)
            }
        });
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

pub fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// A small store that speaks as much of the S3 protocol as publishing needs: GET, HEAD, PUT with conditions, DELETE, and
/// listing. It counts what is put.
#[derive(Clone, Default)]
pub struct Bucket {
    pub objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub puts: Arc<Mutex<Vec<String>>>,
    /// Refuses everything after so many puts.
    pub full_after: Arc<Mutex<Option<usize>>>,
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &verbale::tlog::Hash::digest(bytes).to_hex()[..32])
}

impl Bucket {
    pub fn serve(&self) -> Server {
        let bucket = self.clone();
        Server::new(move |method, path, headers, body| bucket.answer(method, path, headers, body))
    }

    fn answer(&self, method: &str, path: &str, headers: &HeaderMap, body: Vec<u8>) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let key = path.trim_start_matches('/').trim_start_matches("bucket").trim_start_matches('/').to_owned();
        assert!(headers.contains_key("authorization"), "requests are signed");
        let mut objects = self.objects.lock().unwrap();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let ok = |bytes: &[u8]| {
            Response::builder()
                .header("etag", tag(bytes))
                .header("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT")
                .header("content-length", bytes.len())
        };
        match method {
            "GET" if query.contains("list-type=2") => {
                let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or("");
                let prefix = prefix.replace("%2F", "/");
                let mut out = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
                for (key, bytes) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
                    out.push_str(&format!(
                        "<Contents><Key>{key}</Key><LastModified>2026-10-21T07:28:00.000Z</LastModified>\
                         <ETag>{}</ETag><Size>{}</Size></Contents>",
                        tag(bytes),
                        bytes.len()
                    ));
                }
                Response::new(Body::from(out + "<IsTruncated>false</IsTruncated></ListBucketResult>"))
            }
            "GET" | "HEAD" => match objects.get(&key) {
                Some(bytes) => ok(bytes).body(Body::from(bytes.clone())).unwrap(),
                None => status(404),
            },
            "PUT" => {
                let mut puts = self.puts.lock().unwrap();
                if self.full_after.lock().unwrap().is_some_and(|most| puts.len() >= most) {
                    return status(403);
                }
                let there = objects.get(&key).map(|bytes| tag(bytes));
                if header("if-none-match").is_some() && there.is_some() {
                    return status(412);
                }
                if header("if-match").is_some_and(|wanted| Some(wanted) != there) {
                    return status(412);
                }
                puts.push(key.clone());
                let answer = Response::builder().header("etag", tag(&body)).status(StatusCode::OK);
                objects.insert(key, body);
                answer.body(Body::empty()).unwrap()
            }
            "DELETE" => {
                objects.remove(&key);
                status(204)
            }
            _ => status(405),
        }
    }
}
