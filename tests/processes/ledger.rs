//! Real nodes: a process, a database and sockets each.

use std::fs::{self, File};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use verbale::api::view::{AcceptedView, RecordView, StatusView};
use verbale::cli::Failure;
use verbale::cli::online::client::Client;

use crate::trial::{Trial, key};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ledger {
    pub trial: Trial,
    pub dir: TempDir,
    nodes: Vec<Option<Child>>,
}

impl Ledger {
    /// Prepares home folders; starts nothing.
    pub fn new(parties: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trial = Trial::new(dir.path(), parties, true);
        Self { trial, dir, nodes: (0..parties).map(|_| None).collect() }
    }

    /// The same, with each party's root key in its home folder.
    pub fn with_roots(parties: usize) -> Self {
        let ledger = Self::new(parties);
        for party in 0..parties {
            let path = ledger.trial.home(party).join("keys/root.key");
            verbale::keys::create(&path, &key(party, "root"), None).unwrap();
        }
        ledger
    }

    /// A home folder more, of the party of that number: its node can be started.
    pub fn one_more(&mut self) -> usize {
        self.nodes.push(None);
        self.nodes.len() - 1
    }

    /// Starts these, waits until they sign, and lets the first party's official sign notes.
    pub fn run_all(&mut self) {
        for party in 0..self.parties() {
            self.start(party, &[]);
        }
        self.until_signing();
        self.submit(0, self.trial.grant(0)).unwrap();
    }

    /// Runs a command that has to succeed; what it printed as JSON.
    #[track_caller]
    pub fn json(&self, party: usize, args: &[&str]) -> serde_json::Value {
        let output = self.run(party, &[&["--json"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output).1);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// Runs a command that has to fail with a code and a sentence that has these parts.
    #[track_caller]
    pub fn fails(&self, party: usize, args: &[&str], expected: verbale::cli::Code, parts: &[&str]) {
        let (code, text) = said(&self.run(party, args));
        assert_eq!(code, expected as i32, "{args:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{args:?}: {text:?} should say {part:?}");
        }
    }

    /// A path in the folder of all homes.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Makes evidence of a note at a party's node, and verifies it with another party's treaty file as it was at first.
    #[track_caller]
    pub fn verified(&self, at: usize, number: &str) -> serde_json::Value {
        let file = self.path(&format!("{}-by-{at}.tlog-proof", number.replace('/', "-")));
        let _ = fs::remove_file(&file);
        self.json(at, &["prove", number, "-o", &file]);
        let treaty = self.trial.home(0).join("treaty.toml");
        let verdict = self.json(0, &["verify", &file, "--treaty", treaty.to_str().unwrap()]);
        assert_eq!(verdict["sound"], true, "{verdict}");
        verdict["verdict"].clone()
    }

    /// All nodes run, are connected and sign, and the first party's official may sign notes.
    pub fn running(parties: usize) -> Self {
        let mut ledger = Self::new(parties);
        for party in 0..parties {
            ledger.start(party, &[]);
        }
        ledger.until_signing();
        ledger.submit(0, ledger.trial.grant(0)).unwrap();
        ledger
    }

    pub fn parties(&self) -> usize {
        self.nodes.len()
    }

    pub fn start(&mut self, party: usize, args: &[&str]) {
        assert!(self.nodes[party].is_none(), "it runs");
        let log = File::options().create(true).append(true).open(self.trial.home(party).join("node.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_verbale"))
            .arg("--home")
            .arg(self.trial.home(party))
            .arg("node")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes[party] = Some(child);
    }

    /// Power off, as far as a process can feel it.
    pub fn kill(&mut self, party: usize) {
        let mut child = self.nodes[party].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Tells a node to stop; its exit code.
    pub fn stop(&mut self, party: usize) -> i32 {
        let id = self.nodes[party].as_ref().unwrap().id();
        assert!(Command::new("kill").arg(id.to_string()).status().unwrap().success());
        self.exit_code(party)
    }

    /// Waits until a node ends by itself.
    pub fn exit_code(&mut self, party: usize) -> i32 {
        let mut child = self.nodes[party].take().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().expect("it was not killed");
            }
            assert!(Instant::now() < end, "node {party} does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn client(&self, party: usize) -> Client {
        Client::new(&self.trial.home(party).join("node.sock")).unwrap()
    }

    pub fn status(&self, party: usize) -> Option<StatusView> {
        self.client(party).get("/v1/status").ok()
    }

    pub fn submit(&self, party: usize, note: Vec<u8>) -> Result<AcceptedView, Failure> {
        self.client(party).post("/v1/notes", note)
    }

    pub fn record(&self, at: usize, party: usize, index: u64) -> RecordView {
        self.client(at).get(&format!("/v1/records/P{party}/{index}")).unwrap()
    }

    pub fn log(&self, party: usize) -> String {
        fs::read_to_string(self.trial.home(party).join("node.log")).unwrap_or_default()
    }

    /// Runs the program in a party's home.
    pub fn run(&self, party: usize, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        command.arg("--home").arg(self.trial.home(party)).args(args).stdin(Stdio::null());
        command.env_remove("VERBALE_HOME").env_remove("VERBALE_PASSPHRASE").output().unwrap()
    }

    /// Waits for something to become true.
    pub fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is() {
            if Instant::now() >= end {
                let logs: Vec<_> = (0..self.parties()).map(|party| self.log(party)).collect();
                panic!("waited in vain: {what}\n{}", logs.join("\n---\n"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn until_signing(&self) {
        let running: Vec<_> = (0..self.parties()).filter(|party| self.nodes[*party].is_some()).collect();
        self.until("all sign and are connected", || {
            running.iter().all(|party| {
                self.status(*party).is_some_and(|status| status.signs && status.connected + 1 == running.len())
            })
        });
    }

    /// All running nodes hold the same, and whatever wants a receipt has it.
    pub fn until_settled(&self) {
        let running: Vec<_> = (0..self.parties()).filter(|party| self.nodes[*party].is_some()).collect();
        let mut before = Vec::new();
        self.until("all hold the same", || {
            let sizes: Vec<Vec<(u64, u64)>> = running
                .iter()
                .filter_map(|party| self.status(*party))
                .map(|status| status.logs.iter().map(|log| (log.records, log.final_records)).collect())
                .collect();
            let same = sizes.len() == running.len() && sizes.windows(2).all(|pair| pair[0] == pair[1]);
            // Twice in a row, so that nothing is under way.
            let settled = same && sizes == before;
            before = sizes;
            settled
        });
    }

    pub fn nobody_forked(&self) {
        for party in 0..self.parties() {
            if let Some(status) = self.status(party) {
                assert!(status.logs.iter().all(|log| !log.forked), "node {party} knows of a fork");
            }
        }
    }

    /// Stops all nodes, and verifies what each has stored.
    pub fn all_sound(&mut self) {
        for party in 0..self.parties() {
            if self.nodes[party].is_some() {
                assert_eq!(self.stop(party), 0, "{}", self.log(party));
            }
            let checked = self.run(party, &["fsck"]);
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a failed command said, its code first.
pub fn said(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}
