//! What `[public]` of `verbale.toml` asks for, put together from the home folder's files.

use std::sync::Arc;

use crate::cli::{Code, Context, Failure, NodeConfig, files};
use crate::daemon::Handle;
use crate::keys::{self, Passphrase};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Treaty};
use crate::node::LogId;
use crate::note::{KeyType, VerifierKey};
use crate::public::Shown;
use crate::public::outside::{Outside, OutsideWitness, submit};
use crate::public::server::{Limits, Server};
use crate::public::witness::Witness;

/// What a node shows, witnesses, and has witnessed.
pub struct Public {
    shown: Shown,
    witness: Option<Arc<Witness>>,
    /// Cosignatures of outside witnesses on this party's log.
    pub outside: Option<Arc<Outside>>,
}

/// The same at work.
pub struct Running {
    server: Option<Server>,
    submitting: Vec<tokio::task::JoinHandle<()>>,
}

impl Public {
    /// Reads the files that `[public]` names; nothing listens yet.
    pub fn prepare(
        config: &NodeConfig,
        treaty: &Arc<Treaty>,
        me: LogId,
        ctx: &Context,
    ) -> Result<Option<Self>, Failure> {
        let Some(public) = &config.public else { return Ok(None) };
        let folder = |name: &str| public.state.join(name);
        let unusable = |name: &str, error: std::io::Error| {
            Failure::new(Code::Disk, format!("{} cannot be used: {error}", folder(name).display()))
        };
        for key in public.witnesses.iter().map(|witness| &witness.vkey) {
            foreign(key, treaty)?;
        }
        let mut shown = shown(&public.logs, treaty.clone(), ctx)?;
        let outside = match folder("outside").exists() || !public.witnesses.is_empty() {
            true => Some(Arc::new(Outside::open(&folder("outside"), me).map_err(|e| unusable("outside", e))?)),
            false => None,
        };
        if let Some(outside) = &outside {
            shown = shown.with_outside(outside.clone());
        }
        let witness = match &public.witness_key {
            None => None,
            Some(path) => {
                let key = keys::load(path, &Passphrase::new(config.passphrase_file.clone()))?;
                if key.public().kind() != KeyType::Cosignature {
                    let text = format!("{} is not a witness's key (a cosignature key)", path.display());
                    return Err(Failure::new(Code::Key, text).hint("make one with `verbale keys outside`"));
                }
                foreign(key.public(), treaty)?;
                let logs = public.witnessed.iter().map(|log| (log.origin().to_owned(), log.vkey.clone())).collect();
                let witness = Witness::open(&folder("witnessed"), key, logs).map_err(|e| unusable("witnessed", e))?;
                Some(Arc::new(witness))
            }
        };
        Ok(Some(Self { shown, witness, outside }))
    }

    /// Listens, and submits heads to outside witnesses.
    pub async fn start(self, config: &NodeConfig, handle: &Handle) -> Result<Running, Failure> {
        let Some(public) = &config.public else { return Ok(Running { server: None, submitting: Vec::new() }) };
        let mut server = None;
        if let Some(listen) = public.listen {
            let limits = Limits {
                connections: public.max_connections,
                requests_per_second: public.requests_per_second,
                proxy: public.trusted_proxy.map(|proxy| proxy.to_canonical()),
            };
            let ledger = self.shown.treaty().file().name.clone();
            let shown = Arc::new(self.shown);
            let started = Server::start(listen, &public.prefix, limits, shown, self.witness, handle.clone()).await;
            let started = started.map_err(|error| {
                let text = format!("{listen} cannot be listened on: {error}");
                Failure::new(Code::Listen, text).hint("see `listen` under [public] in verbale.toml")
            })?;
            tracing::info!(
                url = format!("http://{}{}/{ledger}/", started.address, public.prefix),
                "the logs are public"
            );
            server = Some(started);
        }
        let submitting = match &self.outside {
            None => Vec::new(),
            Some(outside) => {
                let one = |witness: &crate::cli::OutsideWitness| OutsideWitness {
                    url: witness.url.clone(),
                    key: witness.vkey.clone(),
                };
                public.witnesses.iter().map(|w| submit(outside.clone(), one(w), handle.clone())).collect()
            }
        };
        Ok(Running { server, submitting })
    }
}

impl Running {
    /// Stops listening and submitting.
    pub fn stop(self) {
        self.submitting.iter().for_each(tokio::task::JoinHandle::abort);
        if let Some(server) = self.server {
            server.stop();
        }
    }
}

/// One key, one job: a witness outside the ledger has no key of a party.
fn foreign(key: &VerifierKey, treaty: &Treaty) -> Result<(), Failure> {
    if treaty.is_partys_name(key.name()) {
        let text = format!("the key {} is named like one of a party to the treaty", key.name());
        return Err(Failure::new(Code::Key, text).hint("a witness outside the ledger has a name of its own"));
    }
    let of = |known: &VerifierKey| known.public() == key.public();
    match treaty.parties().iter().find(|party| [&party.root, &party.log, &party.witness].into_iter().any(of)) {
        None => Ok(()),
        Some(party) => {
            let text = format!("the key {} is one of {} in the treaty file", key.name(), party.code);
            Err(Failure::new(Code::Key, text).hint("a witness outside the ledger has a key of its own"))
        }
    }
}

/// The home's treaty and profile, and the logs with these codes; all logs if there are none.
pub fn shown(codes: &[String], treaty: Arc<Treaty>, ctx: &Context) -> Result<Shown, Failure> {
    let treaty_bytes = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile_bytes = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let logs = chosen(codes, &treaty)?;
    Ok(Shown::new(treaty, treaty_bytes, profile_bytes, logs))
}

fn chosen(codes: &[String], treaty: &Treaty) -> Result<Vec<LogId>, Failure> {
    if codes.is_empty() {
        return Ok((0..treaty.parties().len()).collect());
    }
    let find = |code: &String| {
        treaty.find(code).ok_or_else(|| {
            let text = format!("{code} is not a party to the treaty {:?}", treaty.file().title);
            Failure::new(Code::Input, text).hint("see `verbale treaty show`")
        })
    };
    codes.iter().map(find).collect()
}
