//! A ledger of a few parties on loopback: each has its home folder and a node process, which a test starts, kills and
//! asks as it likes. Nothing here waits for a time to pass: it waits for a condition, until a deadline.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use verbale::api::view::{AcceptedView, LogView, RecordView, StatusView};
use verbale::cli::Failure;
use verbale::cli::online::client::Client;
use verbale::keys::{self, Passphrase};
use verbale::ledger::{NoteId, Notification, Timestamp, Treaty};
use verbale::note::{SignedNote, SigningKey};

const PROFILE: &str = r#"
version = 1
title = "A treaty to be tried out"
acknowledgement = "acknowledgement"
[kind.acknowledgement]
title = "Acknowledgement"
[kind.remark]
title = "Remark"
[[kind.remark.field]]
name = "text"
title = "Text"
type = "text"
required = true
"#;

const PARTIES: [(&str, &str); 4] = [("CA", "Canada"), ("HU", "Hungary"), ("PL", "Poland"), ("US", "United States")];

/// Far more than anything here takes: who runs into it waits for what never comes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until a condition gives something.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not within {} s", DEADLINE.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended with this code, and its one sentence says this.
    pub fn says(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        assert!(!self.err.contains("panicked") && !self.err.contains('\x1b'), "{self:?}");
    }

    /// It went well.
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// One party.
pub struct Party {
    pub code: &'static str,
    pub home: PathBuf,
    pub port: u16,
    /// Its official's key, granted for all kinds by [`Ledger::signing`].
    pub minister: SigningKey,
    node: Option<Child>,
    starts: usize,
}

/// The parties. Dropping it ends their nodes.
pub struct Ledger {
    pub folder: TempDir,
    pub treaty: Treaty,
    pub parties: Vec<Party>,
}

/// The program, with a party's home folder.
pub fn program<S: AsRef<OsStr>>(home: &Path, args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
    command.arg("--home").arg(home).args(args).current_dir(home).stdin(Stdio::null());
    for variable in ["VERBALE_HOME", "VERBALE_LOG", "VERBALE_PASSPHRASE"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end.
pub fn run<S: AsRef<OsStr>>(home: &Path, args: &[S]) -> Ended {
    ended(&mut program(home, args))
}

/// Runs a prepared command to its end.
pub fn ended(command: &mut Command) -> Ended {
    // Files, not pipes: whatever is printed, nobody has to read along.
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
    let status = wait(&mut child, &format!("{command:?}"));
    let text = |path: &Path| String::from_utf8(fs::read(path).unwrap()).unwrap();
    Ended { code: status.code(), out: text(&out), err: text(&err) }
}

/// Waits for a process's end; one that does not end is killed.
pub fn wait(child: &mut Child, what: &str) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > DEADLINE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what} did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port that is free for TCP and UDP, outside the range from which the system takes ports for outgoing connections:
/// it has to be free still when a node comes back.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 199).unwrap() * 100;
    loop {
        let port = 12_000 + (own + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Ledger {
    /// Keys, treaty file and home folders of four parties; no node runs yet. A majority makes the quorum.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("given.toml"), PROFILE).unwrap();
        let new = ["treaty", "new", "--name", "trial", "--title", "A trial", "--profile", "given.toml"];
        run(root, &new).well();
        let mut ports = Vec::new();
        for (code, name) in PARTIES {
            let home = root.join(code);
            fs::create_dir(&home).unwrap();
            let port = free_port();
            let addresses = addresses(port);
            let args = ["keys", "new", "--plain", "--ledger", "trial", "--party", code, "--name", name];
            run(&home, &[&args[..], &["--address", &addresses[0], "--address", &addresses[1]]].concat()).well();
            run(root, &["treaty", "add-party", &format!("{code}/{code}.party.toml")]).well();
            ports.push(port);
        }
        let treaty = Treaty::parse(&fs::read(root.join("treaty.toml")).unwrap()).unwrap();
        let parties = PARTIES.iter().zip(ports).map(|((code, _), port)| {
            let home = root.join(code);
            for file in ["treaty.toml", "profile.toml"] {
                fs::copy(root.join(file), home.join(file)).unwrap();
            }
            run(&home, &["keys", "official", "minister", "--title", "Minister", "--plain"]).well();
            run(&home, &["keys", "grant", "minister", "--kinds", "*", "-o", "minister.grant"]).well();
            let minister = keys::load(&home.join("keys/officials/minister.key"), &Passphrase::of("")).unwrap();
            let party = Party { code, home, port, minister, node: None, starts: 0 };
            party.configure("");
            party
        });
        let parties = parties.collect();
        Self { folder, treaty, parties }
    }

    /// The same, with all nodes started and the ministers' keys granted and receipted everywhere.
    pub fn signing() -> Self {
        let mut ledger = Self::new();
        for at in 0..ledger.parties.len() {
            ledger.start(at);
        }
        for at in 0..ledger.parties.len() {
            ledger.grant(at);
        }
        for party in PARTIES {
            ledger.all_hold(party.0, 1);
        }
        ledger
    }

    /// Waits until a node signs, and logs its minister's grant.
    pub fn grant(&self, at: usize) {
        self.signs(at);
        let grant = fs::read(self.parties[at].home.join("minister.grant")).unwrap();
        self.submit(at, grant).unwrap();
    }

    /// Starts a node and waits until it answers.
    pub fn start(&mut self, at: usize) {
        self.start_with(at, &[]);
    }

    /// The same, with more arguments.
    pub fn start_with(&mut self, at: usize, args: &[&str]) {
        let party = &mut self.parties[at];
        assert!(party.node.is_none(), "the node of {} runs already", party.code);
        party.starts += 1;
        let log = File::create(party.log()).unwrap();
        let mut command = program(&party.home, &[&["node"], args].concat());
        party.node = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        until(&format!("the node of {} answers", party.code), || {
            if let Some(status) = party.node.as_mut().unwrap().try_wait().unwrap() {
                panic!("the node of {} ended ({status}):\n{}", party.code, party.told());
            }
            party.status()
        });
    }

    /// Kills a node, as a power cut would: SIGKILL.
    pub fn kill(&mut self, at: usize) {
        let mut node = self.parties[at].node.take().unwrap();
        node.kill().unwrap();
        node.wait().unwrap();
    }

    /// Stops a node as an operator does: SIGTERM, and a clean end.
    pub fn stop(&mut self, at: usize) {
        let party = &mut self.parties[at];
        let mut node = party.node.take().unwrap();
        terminate(&node);
        let status = wait(&mut node, "a node that was told to stop");
        assert!(status.success(), "the node of {} ended with {status}:\n{}", party.code, party.told());
    }

    /// The process of a node, to be waited for by the test itself.
    pub fn take_node(&mut self, at: usize) -> Child {
        self.parties[at].node.take().unwrap()
    }

    /// Waits until a node signs.
    pub fn signs(&self, at: usize) {
        let party = &self.parties[at];
        until(&format!("{} signs", party.code), || party.status().filter(|status| status.signs));
    }

    /// Waits until a node does not sign for this reason, and gives the sentence.
    pub fn is_in_mode(&self, at: usize, mode: &str) -> String {
        let party = &self.parties[at];
        until(&format!("{} is {mode}", party.code), || {
            party.status().filter(|status| status.mode == mode).map(|status| status.mode_text)
        })
    }

    /// Waits until a node holds so many records of a log.
    pub fn holds(&self, at: usize, code: &str, records: u64) {
        let party = &self.parties[at];
        until(&format!("{} holds {records} records of {code}", party.code), || {
            party.log_of(code).filter(|log| log.records >= records)
        });
    }

    /// Waits until every node holds so many records of a log, and knows that every other party has receipted them.
    pub fn all_hold(&self, code: &str, records: u64) {
        for party in &self.parties {
            until(&format!("{} knows that all hold {records} records of {code}", party.code), || {
                let log = party.log_of(code)?;
                let receipted = log.receipts.iter().all(|receipted| receipted.records >= records);
                (log.records >= records && log.final_records >= records && receipted).then_some(())
            });
        }
    }

    /// Waits until a node's connections are as many as said.
    pub fn is_connected(&self, at: usize, others: usize) {
        let party = &self.parties[at];
        until(&format!("{} is connected to {others}", party.code), || {
            party.status().filter(|status| status.connected == others)
        });
    }

    /// A remark to all, signed by a party's minister. The same number makes the same note.
    pub fn note(&self, at: usize, number: u64) -> Vec<u8> {
        let party = &self.parties[at];
        note(&self.treaty, party.code, &party.minister, number)
    }

    /// Hands a note in.
    pub fn submit(&self, at: usize, note: Vec<u8>) -> Result<AcceptedView, Failure> {
        self.parties[at].client().post("/v1/notes", note)
    }

    /// Logs a remark.
    pub fn remark(&self, at: usize, number: u64) -> AcceptedView {
        self.submit(at, self.note(at, number)).unwrap()
    }

    /// What was acknowledged stands there at this party's node.
    pub fn stands(&self, at: usize, accepted: &AcceptedView) {
        let path = format!("/v1/records/{}/{}", accepted.party, accepted.index);
        let record: RecordView = self.parties[at].client().get(&path).unwrap();
        assert_eq!(record.leaf, accepted.leaf, "{} at the node of {}", accepted.number, self.parties[at].code);
    }

    /// No node has seen a log fork.
    pub fn no_forks(&self) {
        for party in &self.parties {
            let status = party.status().unwrap();
            assert!(status.logs.iter().all(|log| !log.forked), "{status:?}");
        }
    }

    /// Stops the nodes that run, and verifies what all have stored.
    pub fn all_sound(&mut self) {
        for at in 0..self.parties.len() {
            if self.parties[at].node.is_some() {
                self.stop(at);
            }
        }
        for party in &self.parties {
            run(&party.home, &["fsck"]).well();
        }
    }
}

impl Party {
    /// Writes `verbale.toml`, with more lines.
    pub fn configure(&self, more: &str) {
        let listen = addresses(self.port);
        let config = format!(
            "party = {:?}\nlisten = {listen:?}\nhead_interval_seconds = 1\nrecovery_settle_seconds = 1\n{more}",
            self.code
        );
        fs::write(self.home.join("verbale.toml"), config).unwrap();
    }

    /// Its node's client.
    pub fn client(&self) -> Client {
        Client::new(&self.home.join("node.sock")).unwrap()
    }

    /// Its node's status, if the node answers.
    pub fn status(&self) -> Option<StatusView> {
        self.client().get("/v1/status").ok()
    }

    /// A log, as its node sees it.
    pub fn log_of(&self, code: &str) -> Option<LogView> {
        self.status()?.logs.into_iter().find(|log| log.party.code == code)
    }

    /// Where its node's latest run writes its log.
    pub fn log(&self) -> PathBuf {
        self.home.join(format!("node-{}.log", self.starts))
    }

    /// What its node's latest run wrote there.
    pub fn told(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// Runs a command in its home folder.
    pub fn run(&self, args: &[&str]) -> Ended {
        run(&self.home, args)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for party in &mut self.parties {
            if let Some(mut node) = party.node.take() {
                let _ = node.kill();
                let _ = node.wait();
            }
            if failed && party.starts > 0 {
                let told = party.told();
                let lines: Vec<_> = told.lines().collect();
                eprintln!("{}:\n{}", party.log().display(), lines[lines.len().saturating_sub(20)..].join("\n"));
            }
        }
    }
}

/// Asks a process to end: SIGTERM.
pub fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

/// A remark to all. The same number makes the same note.
pub fn note(treaty: &Treaty, from: &str, key: &SigningKey, number: u64) -> Vec<u8> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let notification = Notification {
        attachments: Vec::new(),
        body: json!({"text": format!("remark {number}")}).as_object().unwrap().clone(),
        from: from.into(),
        id: NoteId(id),
        issued: Timestamp::from_posix(1_624_006_800 + number),
        kind: "remark".into(),
        ledger: treaty.hash(),
        re: Vec::new(),
        to: vec!["*".into()],
    };
    let mut note = SignedNote::new(notification.to_text()).unwrap();
    note.sign(key);
    note.to_bytes()
}

fn addresses(port: u16) -> [String; 2] {
    [format!("/ip4/127.0.0.1/udp/{port}/quic-v1"), format!("/ip4/127.0.0.1/tcp/{port}")]
}

/// A folder and all in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
