//! What a ledger shows to everybody, by its path: each log as a tiled log
//! ([C2SP tlog-tiles](https://c2sp.org/tlog-tiles)), and a small index of them.
//!
//! | path below the ledger's | what |
//! |---|---|
//! | `<party>/checkpoint` | the newest head that a quorum has receipted, with the receipts on it |
//! | `<party>/latest` | the newest signed head, with the receipts on it; not of the standard |
//! | `<party>/tile/…` | tiles and entry bundles of the newest signed head |
//! | `<party>/keys.json` | what the log's root has signed about its keys, if they were changed |
//! | `<party>/fork.txt` | the proof that the log forked, if it did |
//! | `logs.json`, `index.html` | the list of the logs, for programs and for people |
//! | `treaty.toml`, `profile.toml`, `policy.txt` | the files themselves, and the quorum as a tlog-policy |

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::outside::Outside;
use crate::ledger::{Job, Treaty};
use crate::node::{
    LogId, OUTSIDE_LINES, PublicHead, Read, ReadError, final_head, key_notes, load_keyring, newest_head,
};
use crate::tlog::{Hash, MAX_BUNDLE_BYTES, TilePath, write_bundle};

/// How long an answer stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// For ever: its path says which bytes it has.
    Immutable,
    /// For some seconds.
    Short,
}

/// A file to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media: &'static str,
    /// How long it stays true.
    pub caching: Caching,
    /// Whether it is worth compressing: hashes are not.
    pub compressible: bool,
}

impl Resource {
    /// A text that changes.
    pub fn text(bytes: Vec<u8>) -> Self {
        Self { bytes, media: TEXT, caching: Caching::Short, compressible: true }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// A ledger as it is shown.
pub struct Shown {
    treaty: Arc<Treaty>,
    treaty_bytes: Vec<u8>,
    profile_bytes: Vec<u8>,
    logs: Vec<LogId>,
    outside: Option<Arc<Outside>>,
    heads: Mutex<Vec<Heads>>,
}

/// The heads of a log, as of when all logs had these sizes: nothing about them changes before one of them grows.
#[derive(Clone, Default)]
struct Heads {
    sizes: Vec<u64>,
    newest: Option<PublicHead>,
    last: Option<PublicHead>,
    /// The log's keys: the one in force for the newest head, then all others that it ever had.
    keys: Vec<String>,
}

impl Shown {
    /// Shows these logs of a treaty's ledger. The bytes are those of the two files.
    pub fn new(treaty: Arc<Treaty>, treaty_bytes: Vec<u8>, profile_bytes: Vec<u8>, logs: Vec<LogId>) -> Self {
        let heads = Mutex::new(vec![Heads::default(); treaty.parties().len()]);
        Self { treaty, treaty_bytes, profile_bytes, logs, outside: None, heads }
    }

    /// The same of the treaty as it stands now: with the logs of those who acceded, if all logs are shown.
    pub fn amended(&self, treaty: Arc<Treaty>) -> Self {
        let mut logs = self.logs.clone();
        if self.logs.len() == self.treaty.parties().len() {
            logs.extend(self.treaty.parties().len()..treaty.parties().len());
        }
        let shown = Self::new(treaty, self.treaty_bytes.clone(), self.profile_bytes.clone(), logs);
        Self { outside: self.outside.clone(), ..shown }
    }

    /// With the cosignatures of outside witnesses on the heads of one log.
    pub fn with_outside(self, outside: Arc<Outside>) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// The treaty.
    pub fn treaty(&self) -> &Arc<Treaty> {
        &self.treaty
    }

    /// The logs that are shown, by their places in the treaty file.
    pub fn logs(&self) -> &[LogId] {
        &self.logs
    }

    /// What stands at a path below the ledger's; `None` if nothing does.
    pub fn get(&self, read: &dyn Read, path: &str) -> Result<Option<Resource>, ReadError> {
        let of = |bytes: Vec<u8>, media, caching| Ok(Some(Resource { bytes, media, caching, compressible: true }));
        match path {
            "" | "index.html" => of(self.page(read)?.into_bytes(), "text/html; charset=utf-8", Caching::Short),
            "logs.json" => of(format!("{:#}\n", self.index(read)?).into_bytes(), "application/json", Caching::Short),
            "treaty.toml" => of(self.treaty_bytes.clone(), TEXT, Caching::Short),
            "profile.toml" => of(self.profile_bytes.clone(), TEXT, Caching::Short),
            "policy.txt" => of(self.treaty.policy_text().into_bytes(), TEXT, Caching::Short),
            _ => {
                let Some((code, rest)) = path.split_once('/') else { return Ok(None) };
                let Some(log) = self.treaty.find(code).filter(|log| self.logs.contains(log)) else { return Ok(None) };
                match rest {
                    "checkpoint" => match self.final_head(read, log)? {
                        Some(head) => of(head.note.to_bytes(), TEXT, Caching::Short),
                        None => Ok(None),
                    },
                    "latest" => match self.newest_head(read, log)? {
                        Some(head) => of(head.note.to_bytes(), TEXT, Caching::Short),
                        None => Ok(None),
                    },
                    "keys.json" => match key_notes(read, &self.treaty, log)? {
                        notes if notes.is_empty() => Ok(None),
                        notes => of(format!("{:#}\n", json!(notes)).into_bytes(), "application/json", Caching::Short),
                    },
                    "fork.txt" => match read.fork(log)? {
                        Some(proof) => of(proof, TEXT, Caching::Short),
                        None => Ok(None),
                    },
                    rest => match TilePath::parse(rest) {
                        Some(path) => self.tile(read, log, path),
                        None => Ok(None),
                    },
                }
            }
        }
    }

    /// The newest head of a log that a quorum has receipted.
    pub fn final_head(&self, read: &dyn Read, log: LogId) -> Result<Option<PublicHead>, ReadError> {
        Ok(self.heads(read, log)?.last.map(|head| self.cosigned(log, head)))
    }

    /// The newest signed head of a log.
    pub fn newest_head(&self, read: &dyn Read, log: LogId) -> Result<Option<PublicHead>, ReadError> {
        Ok(self.heads(read, log)?.newest.map(|head| self.cosigned(log, head)))
    }

    /// The head with the outside cosignatures on it.
    fn cosigned(&self, log: LogId, mut head: PublicHead) -> PublicHead {
        let outside = self.outside.as_ref().filter(|outside| outside.log() == log);
        if let Some(note) = outside.and_then(|outside| outside.at(head.checkpoint.size))
            && note.text() == head.note.text()
        {
            // The first line is the log's own.
            note.signatures().iter().skip(1).take(OUTSIDE_LINES).for_each(|line| head.note.add(line.clone()));
        }
        head
    }

    fn heads(&self, read: &dyn Read, log: LogId) -> Result<Heads, ReadError> {
        let sizes = (0..self.treaty.parties().len()).map(|log| read.size(log)).collect::<Result<Vec<_>, _>>()?;
        // Kept without a lock while it is worked out: whoever comes meanwhile may do the same work, and waits for nobody.
        let known = self.known()[log].clone();
        if known.sizes == sizes {
            return Ok(known);
        }
        let from = known.last.as_ref().map_or(0, |head| head.checkpoint.size);
        let newest = newest_head(read, &self.treaty, log)?;
        let last = final_head(read, &self.treaty, log, from)?.or(known.last);
        let history = load_keyring(&self.treaty, read)?;
        let history = history.party(log);
        let in_force = history.log_key(newest.as_ref().map_or(0, |head| head.checkpoint.size));
        let others = history.all_keys(Job::Log).filter(|key| *key != in_force);
        let keys = std::iter::once(in_force).chain(others).map(ToString::to_string).collect();
        let heads = Heads { sizes, newest, last, keys };
        let mut all = self.known();
        // What is shown never goes back, also if a slower reader comes late.
        let is_newer = |heads: &Heads, than: &Heads| {
            let size = |head: &Option<PublicHead>| head.as_ref().map_or(0, |head| head.checkpoint.size);
            size(&heads.newest) >= size(&than.newest) && size(&heads.last) >= size(&than.last)
        };
        if is_newer(&heads, &all[log]) {
            all[log] = heads;
        }
        Ok(all[log].clone())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<Heads>> {
        // A value is replaced whole: what a panicking thread left is still right.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tile or an entry bundle, as far as the newest signed head covers it.
    fn tile(&self, read: &dyn Read, log: LogId, path: TilePath) -> Result<Option<Resource>, ReadError> {
        let Some(head) = self.newest_head(read, log)?.filter(|head| path.is_in(head.checkpoint.size)) else {
            return Ok(None);
        };
        let gap = || ReadError(format!("{path} of the log {} is missing", self.treaty.origin(log)));
        let width = usize::from(path.width);
        let bytes = match path.level {
            Some(level) => {
                let hashes = read.tile(log, level, path.n)?;
                let hashes = hashes.get(..width).ok_or_else(gap)?;
                hashes.iter().flat_map(|hash| hash.0).collect()
            }
            None => {
                let records = read.records(log, path.n * 256, width as u64, MAX_BUNDLE_BYTES)?;
                debug_assert!(head.checkpoint.size >= path.n * 256 + width as u64);
                write_bundle(&records).filter(|_| records.len() == width).ok_or_else(gap)?
            }
        };
        let compressible = path.level.is_none();
        Ok(Some(Resource { bytes, media: BYTES, caching: Caching::Immutable, compressible }))
    }

    /// `logs.json`.
    fn index(&self, read: &dyn Read) -> Result<Value, ReadError> {
        let mut logs = Vec::new();
        for log in &self.logs {
            let party = self.treaty.party(*log);
            let head = |head: Option<PublicHead>| {
                head.map(|head| {
                    let by = head.by.iter().map(|by| self.treaty.party(*by).code.as_str()).collect::<Vec<_>>();
                    json!({"size": head.checkpoint.size, "root": head.checkpoint.root.to_base64(), "receipts": by})
                })
            };
            let keys = self.heads(read, *log)?.keys;
            logs.push(json!({
                "party": party.code, "name": party.name, "origin": self.treaty.origin(*log), "vkey": keys.first(),
                "other_vkeys": keys.get(1..).unwrap_or_default(),
                "path": format!("{}/", party.code), "checkpoint": head(self.final_head(read, *log)?),
                "latest": head(self.newest_head(read, *log)?), "forked": read.fork(*log)?.is_some(),
            }));
        }
        let file = self.treaty.file();
        Ok(json!({
            "ledger": file.name, "title": file.title, "treaty_sha256": self.treaty.hash(),
            "profile_sha256": Hash::digest(&self.profile_bytes), "logs": logs,
        }))
    }

    /// The page for people.
    fn page(&self, read: &dyn Read) -> Result<String, ReadError> {
        let file = self.treaty.file();
        let title = escape(&file.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
             td,th{{text-align:left;padding:.2em 1em .2em 0}}code{{overflow-wrap:anywhere}}</style>\n\
             <h1>{title}</h1>\n\
             <p>The logs of the parties to this treaty, for anybody to read and to check. Each is a tiled transparency \
             log (C2SP tlog-tiles); its checkpoint is the newest head for which the treaty’s quorum of parties has given \
             receipts.</p>\n<table>\n<tr><th>Party<th>Records<th>Of these final<th>Receipts on the checkpoint<th>\n"
        );
        for log in &self.logs {
            let party = self.treaty.party(*log);
            let (newest, last) = (self.newest_head(read, *log)?, self.final_head(read, *log)?);
            let size = |head: &Option<PublicHead>| head.as_ref().map_or(0, |head| head.checkpoint.size);
            let by = |head: &PublicHead| {
                head.by.iter().map(|by| self.treaty.party(*by).code.as_str()).collect::<Vec<_>>().join(", ")
            };
            let forked = match read.fork(*log)? {
                Some(_) => format!(" <a href=\"{}/fork.txt\">this log has forked</a>", party.code),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "<tr><td>{} ({code})<td>{}<td>{}<td>{}<td><a href=\"{code}/checkpoint\">checkpoint</a>{forked}",
                escape(&party.name),
                size(&newest),
                size(&last),
                last.as_ref().map(by).unwrap_or_default(),
                code = party.code,
            );
        }
        let _ = write!(
            out,
            "</table>\n<p><a href=\"treaty.toml\">treaty.toml</a>, SHA-256 <code>{}</code>; \
             <a href=\"profile.toml\">profile.toml</a>; <a href=\"policy.txt\">policy.txt</a>; \
             <a href=\"logs.json\">logs.json</a>.</p>\n<p>Do not trust the treaty file from here: compare its SHA-256 \
             with the one that the parties have agreed on. Then <code>verbale mirror</code> keeps and checks a copy of \
             everything.</p>\n</html>\n",
            self.treaty.hash().to_hex()
        );
        Ok(out)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
