//! A place where a ledger is published: a web address, or a folder. Whoever keeps it is not trusted.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, StatusCode, Url, redirect};
use tokio::runtime::Runtime;

/// How long connecting, and one answer, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an address or a folder.
    #[error("{0} is neither an http(s) address nor a folder")]
    Place(String),
    /// No answer, or none to the end.
    #[error("{url}: no answer: {why}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// An answer with another status than 200 or 404. Redirects are not followed.
    #[error("{url}: answered with the status {status}{}", redirected(*.status))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// It is longer than it may be.
    #[error("{url}: longer than the {max} bytes that it may have")]
    TooLong {
        /// What was asked for.
        url: String,
        /// The limit.
        max: usize,
    },
}

fn redirected(status: u16) -> &'static str {
    if (300..400).contains(&status) { "; redirects are not followed: name the address that it leads to" } else { "" }
}

/// A place, below which `<ledger>/<party>/…` stand.
#[derive(Clone, Debug)]
pub struct Place {
    /// As it was named.
    pub name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Web { client: Client, base: Url },
    Folder(PathBuf),
}

impl Place {
    /// A web address or a folder.
    pub fn open(text: &str) -> Result<Self, FetchError> {
        let wrong = || FetchError::Place(text.to_owned());
        let kind = if text.starts_with("https://") || text.starts_with("http://") {
            let base = Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|_| wrong())?;
            Kind::Web { client: client(text)?, base }
        } else if text.contains("://") {
            return Err(wrong());
        } else {
            Kind::Folder(text.into())
        };
        Ok(Self { name: text.to_owned(), kind })
    }

    /// What stands at a path, of at most so many bytes (after decompression); `None` if nothing does.
    pub async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FetchError> {
        match &self.kind {
            Kind::Folder(folder) => {
                let file = folder.join(path);
                let fail = |error: io::Error| FetchError::Unreachable {
                    url: file.display().to_string(),
                    why: error.to_string(),
                };
                match file.symlink_metadata() {
                    Ok(meta) if meta.is_file() => {}
                    Ok(_) => return Err(fail(io::Error::other("it is not a plain file"))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => return Ok(None),
                    Err(error) => return Err(fail(error)),
                }
                let mut bytes = Vec::new();
                std::fs::File::open(&file)
                    .and_then(|open| open.take(max as u64 + 1).read_to_end(&mut bytes))
                    .map_err(fail)?;
                if bytes.len() > max {
                    return Err(FetchError::TooLong { url: file.display().to_string(), max });
                }
                Ok(Some(bytes))
            }
            Kind::Web { client, base } => {
                let url = base.join(path).map_err(|_| FetchError::Place(format!("{base}{path}")))?;
                fetch(client, url, max).await
            }
        }
    }

    /// Several at once, in their order.
    pub fn get_all(&self, runtime: &Runtime, paths: &[(String, usize)]) -> Vec<Result<Option<Vec<u8>>, FetchError>> {
        runtime.block_on(join_all(paths.iter().map(|(path, max)| self.get(path, *max))))
    }
}

/// A client that follows no redirects and waits for nobody for long.
pub(super) fn client(of: &str) -> Result<Client, FetchError> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .user_agent(concat!("verbale/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| FetchError::Unreachable { url: of.to_owned(), why: chain(&error) })
}

async fn fetch(client: &Client, url: Url, max: usize) -> Result<Option<Vec<u8>>, FetchError> {
    let text = url.to_string();
    let unreachable = |error: reqwest::Error| FetchError::Unreachable { url: text.clone(), why: chain(&error) };
    let mut response = client.get(url).send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => return Err(FetchError::Status { url: text, status: status.as_u16() }),
    }
    let too_long = || FetchError::TooLong { url: text.clone(), max };
    if response.content_length().is_some_and(|length| length > max as u64) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > max {
            return Err(too_long());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// An error with what caused it: reqwest's own sentence seldom says what happened.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
