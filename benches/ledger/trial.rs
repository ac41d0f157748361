//! A treaty of a few parties whose nodes run on loopback, and logs of any length.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use verbale::cli::online::loopback::free_port;
use verbale::daemon::{Daemon, Settings, now_ms};
use verbale::keys::{self, TransportKey};
use verbale::ledger::{Grant, NoteId, Notification, Profile, Timestamp, Treaty};
use verbale::node::{Budget, Config, Effect, Engine, Input};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::store::Store;
use verbale::tlog::Hash;

const PROFILE: &str = r#"
version = 1
title = "A treaty to be measured"
acknowledgement = "remark"
[kind.remark]
title = "Remark"
[[kind.remark.field]]
name = "text"
title = "Text"
type = "text"
required = true
[kind.withdrawal]
title = "Notice of withdrawal"
article = "Article 9"
signatures = 2
[[kind.withdrawal.field]]
name = "text"
title = "Text"
type = "text"
required = true
[amendment]
share = "2/3"
"#;
/// Makes a record's size 500 bytes, more or less a digit.
const FILLER: usize = 2;

pub struct Trial {
    dir: PathBuf,
    treaty: Arc<Treaty>,
    profile: Arc<Profile>,
}

pub fn key(party: usize, job: &str) -> SigningKey {
    let kind = if job == "witness" { KeyType::Cosignature } else { KeyType::Ed25519 };
    let name = if job == "log" { format!("bench/P{party}") } else { format!("bench/P{party}/{job}") };
    SigningKey::from_seed(&name, kind, &seed(party, job)).unwrap()
}

fn seed(party: usize, job: &str) -> [u8; 32] {
    Hash::digest(format!("bench {party} {job}").as_bytes()).0
}

fn transport(party: usize) -> TransportKey {
    TransportKey::from_seed(&format!("bench/P{party}/transport"), &seed(party, "transport")).unwrap()
}

impl Trial {
    /// `quorum`: whether others' receipts are asked for, by half of the parties.
    pub fn new(dir: &Path, parties: usize, quorum: bool) -> Self {
        let names: Vec<_> = (0..parties).map(|party| format!("P{party}")).collect();
        let rule = match quorum && parties > 1 {
            true => format!("group some {} {}\nquorum some", parties / 2, names.join(" ")),
            false => "quorum none".to_owned(),
        };
        let profile = Hash::digest(PROFILE.as_bytes()).to_hex();
        let mut text = format!(
            "version = 1\nname = \"bench\"\ntitle = \"A treaty to be measured\"\nprofile_sha256 = \"{profile}\"\n\
             quorum = \"\"\"\n{rule}\n\"\"\"\n"
        );
        for party in 0..parties {
            let port = free_port().unwrap();
            write!(
                text,
                "[[party]]\ncode = \"P{party}\"\nname = \"Party {party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\n\
                 log = \"{}\"\nwitness = \"{}\"\npeer = \"{}\"\naddresses = [\"/ip4/127.0.0.1/udp/{port}/quic-v1\"]\n",
                key(party, "root").public(),
                key(party, "log").public(),
                key(party, "witness").public(),
                transport(party).peer_id()
            )
            .unwrap();
        }
        let treaty = Arc::new(Treaty::parse(text.as_bytes()).unwrap());
        for party in 0..parties {
            let home = dir.join(format!("P{party}"));
            fs::create_dir_all(home.join("keys")).unwrap();
            fs::write(home.join("treaty.toml"), &text).unwrap();
            fs::write(home.join("profile.toml"), PROFILE).unwrap();
            let config = format!(
                "party = \"P{party}\"\nlisten = {:?}\nhead_interval_seconds = 5\nrecovery_settle_seconds = 1\n",
                treaty.party(party).addresses
            );
            fs::write(home.join("verbale.toml"), config).unwrap();
            for job in ["log", "witness"] {
                keys::create(&home.join(format!("keys/{job}.key")), &key(party, job), None).unwrap();
            }
            keys::create_transport(&home.join("keys/transport.key"), &transport(party), None).unwrap();
        }
        Self { dir: dir.to_owned(), treaty, profile: Arc::new(Profile::parse(PROFILE.as_bytes()).unwrap()) }
    }

    /// The trial that was made in a folder.
    pub fn load(dir: &Path) -> Self {
        let treaty = Treaty::parse(&fs::read(dir.join("P0/treaty.toml")).unwrap()).unwrap();
        let profile = Profile::parse(PROFILE.as_bytes()).unwrap();
        Self { dir: dir.to_owned(), treaty: Arc::new(treaty), profile: Arc::new(profile) }
    }

    pub fn treaty(&self) -> &Treaty {
        &self.treaty
    }

    pub fn home(&self, party: usize) -> PathBuf {
        self.dir.join(format!("P{party}"))
    }

    pub fn settings(&self, party: usize) -> Settings {
        Settings {
            treaty: self.treaty.clone(),
            profile: self.profile.clone(),
            me: party,
            log_keys: vec![key(party, "log")],
            witness_keys: vec![key(party, "witness")],
            transport_keys: vec![transport(party)],
            data: self.home(party).join("data"),
            high_water: self.home(party).join("high-water"),
            listen: self.treaty.party(party).addresses.clone(),
            head_interval_ms: 60_000,
            settle_ms: 2_000,
            sign_without_peers: false,
            budget: Budget::default(),
            disk_reserve: 0,
        }
    }

    pub async fn until_signing(&self, daemons: &[Daemon]) {
        let ready = |daemon: &Daemon| {
            let status = daemon.handle.status();
            let connected = status.logs.iter().filter(|log| log.peer.is_some()).count();
            status.mode.signs() && connected + 1 == status.logs.len()
        };
        while !daemons.iter().all(ready) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn grant(&self, party: usize) -> Vec<u8> {
        let grant = Grant {
            from: None,
            issued: Timestamp::from_posix(1_600_000_000),
            key: key(party, "minister").public().clone(),
            kinds: vec!["*".into()],
            ledger: self.treaty.hash(),
            party: format!("P{party}"),
            title: "Minister".into(),
            until: None,
        };
        let mut note = SignedNote::new(grant.to_text()).unwrap();
        note.sign(&key(party, "root"));
        note.to_bytes()
    }

    /// A signed note whose record is about 500 bytes long at any number up to a million.
    pub fn note(&self, party: usize, number: u64) -> Vec<u8> {
        self.note_of(party, number, FILLER)
    }

    /// A signed note of about 50,000 bytes.
    pub fn large_note(&self, party: usize, number: u64) -> Vec<u8> {
        self.note_of(party, number, 50_000)
    }

    fn note_of(&self, party: usize, number: u64, filler: usize) -> Vec<u8> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let notification = Notification {
            attachments: Vec::new(),
            body: json!({"text": "x".repeat(filler)}).as_object().unwrap().clone(),
            from: format!("P{party}"),
            id: NoteId(id),
            issued: Timestamp::from_posix(1_600_000_000),
            kind: "remark".into(),
            ledger: self.treaty.hash(),
            re: Vec::new(),
            to: vec!["*".into()],
        };
        self.sign(party, "minister", notification.to_text().trim_end())
    }

    /// A note over a text, by one of a party's keys.
    pub fn sign(&self, party: usize, job: &str, text: &str) -> Vec<u8> {
        let mut note = SignedNote::new(format!("{text}\n")).unwrap();
        note.sign(&key(party, job));
        note.to_bytes()
    }

    /// Fills a party's log up to so many records, as its node would have; says how many bytes they are.
    pub fn fill(&self, party: usize, records: u64) -> u64 {
        let store = Store::open(&self.home(party).join("data"), &self.treaty).unwrap();
        let config = Config {
            treaty: self.treaty.clone(),
            profile: self.profile.clone(),
            me: party,
            log_keys: vec![key(party, "log")],
            witness_keys: vec![key(party, "witness")],
            high_water: None,
            head_interval_ms: 60_000,
            settle_ms: 0,
            request_timeout_ms: 10_000,
            sign_without_peers: true,
            budget: Budget::default(),
        };
        let mut engine = Engine::load(config, &store).unwrap();
        engine.handle(Input::Tick, now_ms(), &store).unwrap();
        let (mut written, mut bytes) = (0, 0);
        while written < records {
            let end = records.min(written + 4096);
            for number in written..end {
                let note = if number == 0 { self.grant(party) } else { self.note(party, number) };
                engine.handle(Input::Submit { ticket: number, note }, now_ms(), &store).unwrap();
            }
            let step = engine.step(&store).unwrap();
            bytes += step.batch.records.iter().map(|record| record.bytes.len() as u64).sum::<u64>();
            store.commit(&step.batch, now_ms()).unwrap();
            for effect in step.effects {
                assert!(!matches!(effect, Effect::Answer { outcome: Err(_), .. }), "{effect:?}");
            }
            written = end;
        }
        bytes
    }
}
