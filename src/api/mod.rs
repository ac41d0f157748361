//! The local API: HTTP on a unix socket, for the command line and whatever else this party runs beside its node.
//!
//! Who may connect is decided by the socket file's permissions (0600: the node's own user). Nothing here signs: notes
//! come in signed by an official's key, which the node never sees.

mod events;
pub mod law;
mod law_routes;
pub mod law_view;
mod notes;
mod routes;
mod thread;
pub mod view;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::daemon::Handle;
use crate::public::outside::Outside;

/// Why the socket could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Another process answers on it.
    #[error("another node answers on {}", .0.display())]
    InUse(PathBuf),
    /// The file is not a socket.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// It could not be made.
    #[error("{} cannot be listened on: {error}", path.display())]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A served socket.
pub struct Api {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Api {
    /// Serves a node on a socket. A socket file that a killed node left behind is replaced.
    pub async fn serve(path: &Path, handle: Handle) -> Result<Self, ApiError> {
        Self::serve_with(path, handle, None).await
    }

    /// The same; evidence comes with the cosignatures of outside witnesses.
    pub async fn serve_with(path: &Path, handle: Handle, outside: Option<Arc<Outside>>) -> Result<Self, ApiError> {
        let fail = |error| ApiError::Io { path: path.to_owned(), error };
        if let Ok(found) = std::fs::symlink_metadata(path) {
            use std::os::unix::fs::FileTypeExt;
            if !found.file_type().is_socket() {
                return Err(ApiError::NotASocket(path.to_owned()));
            }
            if UnixStream::connect(path).await.is_ok() {
                return Err(ApiError::InUse(path.to_owned()));
            }
            std::fs::remove_file(path).map_err(fail)?;
        }
        let listener = UnixListener::bind(path).map_err(fail)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
        let router = routes::router(handle).layer(axum::Extension(outside));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the local API has ended");
            }
        });
        Ok(Self { path: path.to_owned(), task })
    }

    /// Stops serving. Clients that still wait see their connection end.
    pub fn stop(self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}
