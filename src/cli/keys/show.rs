//! `verbale keys show`: which keys lie in the home folder, and how they are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::{Code, Context, Failure, display};
use crate::keys::{self, KeyFileError, PublicKey};

/// List the keys of the home folder: names, public keys, encrypted or plain.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Row {
    name: String,
    title: String,
    public: String,
    secret: String,
    file: PathBuf,
}

/// Runs the command.
pub fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let folder = context.home.join("keys");
    let mut rows = Vec::new();
    for path in list(&folder)?.into_iter().chain(list(&folder.join("officials"))?) {
        rows.push(row(path));
    }
    let out = &context.out;
    if out.json {
        out.value(&rows);
        return Ok(());
    }
    if rows.is_empty() {
        out.line(format!("There are no keys in {}.", folder.display()));
        return Ok(());
    }
    // A public key starts with its name.
    let cells = |row: &Row| vec![row.title.clone(), row.secret.clone(), row.public.clone()];
    display::table(out, &["Key", "Secret", "Public key"], &rows.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

/// Key files of a folder by name, also those of which only the public half is there.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |e: io::Error| Failure::new(Code::Input, format!("{} cannot be read: {e}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|end| end == "key" || end == "pub") {
            paths.push(path.with_extension("key"));
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn row(path: PathBuf) -> Row {
    let secret = match keys::stored(&path) {
        Ok(stored) => stored.to_string(),
        Err(KeyFileError::Missing(_)) => "not here".into(),
        Err(error) => error.to_string(),
    };
    let (name, title, public) = match keys::load_public(&keys::public_path(&path)) {
        Ok(public) => {
            let title = public.title.unwrap_or_default();
            match public.key {
                PublicKey::Verifier(key) => (key.name().to_owned(), title, key.to_string()),
                PublicKey::Peer(id) => ("transport".into(), title, id),
            }
        }
        Err(error) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (name.clone(), name, error.to_string())
        }
    };
    Row { name, title, public, secret, file: path }
}
