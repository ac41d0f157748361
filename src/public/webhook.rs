//! Alarms to an address on the web: one `POST` with JSON each.

use reqwest::Client;
use tokio::runtime::Runtime;

use super::alarm::Change;
use super::place::{FetchError, chain, client};

/// An address to which alarms are sent.
pub struct Webhook {
    url: String,
    client: Client,
    runtime: Runtime,
}

impl Webhook {
    /// For an http or https address. Nothing is sent yet.
    pub fn open(url: &str) -> Result<Self, FetchError> {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(FetchError::Place(url.to_owned()));
        }
        let fail = |error: std::io::Error| FetchError::Unreachable { url: url.to_owned(), why: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
        Ok(Self { url: url.to_owned(), client: client(url)?, runtime })
    }

    /// Sends one message; it counts as taken with any status from 200 to 299.
    pub fn send(&self, change: &Change) -> Result<(), FetchError> {
        let fail = |why: String| FetchError::Unreachable { url: self.url.clone(), why };
        let body = serde_json::to_vec(change).map_err(|error| fail(error.to_string()))?;
        self.runtime.block_on(async {
            let request = self.client.post(&self.url).header("content-type", "application/json").body(body);
            let response = request.send().await.map_err(|error| fail(chain(&error)))?;
            match response.status() {
                status if status.is_success() => Ok(()),
                status => Err(FetchError::Status { url: self.url.clone(), status: status.as_u16() }),
            }
        })
    }
}
