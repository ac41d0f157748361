//! The demonstration's parties: a home folder and a node process each, on loopback.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::story::PROFILE;
use crate::api::view::StatusView;
use crate::cli::online::client::Client;
use crate::cli::online::loopback::free_port;
use crate::cli::{Code, Failure};
use crate::ledger::Role;
use crate::scenario::{Player, Scenario};

/// How long the nodes may take until all sign.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Six parties' folders and processes. Dropping it ends the processes.
pub struct Nodes {
    folder: PathBuf,
    parties: Vec<(String, Option<Child>)>,
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Input, format!("{}: {error}", path.display()))
}

/// Runs this program with a party's home folder; its standard output.
pub fn verbale<S: AsRef<OsStr>>(home: &Path, args: &[S]) -> Result<String, Failure> {
    let output = output(home, args)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let shown: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    let text = format!("`verbale {}` failed: {}", shown.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Err(Failure::new(Code::Other, text))
}

/// Runs a verification that is expected to fail; what it printed, or `None` if it did not fail for that reason.
pub fn refused<S: AsRef<OsStr>>(home: &Path, args: &[S]) -> Result<Option<String>, Failure> {
    let output = output(home, args)?;
    let refused = output.status.code() == Some(Code::NotVerified as i32);
    Ok(refused.then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn output<S: AsRef<OsStr>>(home: &Path, args: &[S]) -> Result<Output, Failure> {
    let program = program()?;
    Command::new(&program)
        .arg("--home")
        .arg(home)
        .args(args)
        .env_remove("VERBALE_HOME")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io(&program, &error))
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::new(Code::Other, format!("this program's own file: {error}")))
}

impl Nodes {
    /// Makes keys, treaty file and home folders, as six governments would: each makes its own keys and sends one small
    /// public file to whoever composes the treaty file.
    pub fn prepare(folder: &Path, story: &Scenario) -> Result<Self, Failure> {
        let mut addresses = Vec::new();
        let profile = folder.join("profile.toml");
        fs::write(&profile, PROFILE).map_err(|error| io(&profile, &error))?;
        for party in &story.parties {
            addresses.push(keys(&folder.join(&party.code), party)?);
        }
        let shared = ["treaty", "new", "--name", "open-skies", "--title", "Treaty on Open Skies", "--profile"];
        let mut args: Vec<_> = shared.iter().map(OsStr::new).collect();
        args.push(profile.as_os_str());
        verbale(folder, &args)?;
        for party in &story.parties {
            let file = folder.join(&party.code).join(format!("{}.party.toml", party.code));
            verbale(folder, &[OsStr::new("treaty"), OsStr::new("add-party"), file.as_os_str()])?;
        }
        for (party, listen) in story.parties.iter().zip(addresses) {
            let home = folder.join(&party.code);
            for file in ["treaty.toml", "profile.toml"] {
                fs::copy(folder.join(file), home.join(file)).map_err(|error| io(&home.join(file), &error))?;
            }
            let config = format!(
                "# One of the demonstration's parties.\nparty = {:?}\nlisten = {listen:?}\nhead_interval_seconds = 5\nrecovery_settle_seconds = 2\n",
                party.code
            );
            fs::write(home.join("verbale.toml"), config).map_err(|error| io(&home, &error))?;
            let title = format!("Foreign Ministry, {}", party.name);
            verbale(&home, &["keys", "official", "ministry", "--title", &title, "--plain"])?;
            verbale(
                &home,
                &["keys", "grant", "ministry", "--kinds", "*", "-o", &path_text(&home.join("ministry.grant"))],
            )?;
        }
        let parties = story.parties.iter().map(|party| (party.code.clone(), None)).collect();
        Ok(Self { folder: folder.to_owned(), parties })
    }

    /// A party's home folder.
    pub fn home(&self, code: &str) -> PathBuf {
        self.folder.join(code)
    }

    /// Starts every party's node.
    pub fn start(&mut self) -> Result<(), Failure> {
        let program = program()?;
        for (code, child) in &mut self.parties {
            let home = self.folder.join(&*code);
            let log = home.join("node.log");
            let file = File::create(&log).map_err(|error| io(&log, &error))?;
            let started = Command::new(&program)
                .arg("--home")
                .arg(&home)
                .arg("node")
                .env_remove("VERBALE_HOME")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file)
                .spawn();
            *child = Some(started.map_err(|error| io(&program, &error))?);
        }
        Ok(())
    }

    /// Waits until every node signs and is connected to all others.
    pub fn wait_until_signing(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        let others = self.parties.len() - 1;
        loop {
            let mut waiting = Vec::new();
            for (code, child) in &mut self.parties {
                let log = self.folder.join(&*code).join("node.log");
                if let Some(child) = child
                    && let Ok(Some(status)) = child.try_wait()
                {
                    let text = fs::read_to_string(&log).unwrap_or_default();
                    let last = text.lines().last().unwrap_or_default().to_owned();
                    return Err(Failure::new(Code::Other, format!("the node of {code} ended ({status}): {last}"))
                        .hint(format!("see {}", log.display())));
                }
                let status = Client::new(&self.folder.join(&*code).join("node.sock"))
                    .and_then(|client| client.get::<StatusView>("/v1/status"));
                if !status.is_ok_and(|status| status.signs && status.connected == others) {
                    waiting.push(code.clone());
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if start.elapsed() > START_TIMEOUT {
                let text = format!("after {} s these do not sign yet: {}", START_TIMEOUT.as_secs(), waiting.join(", "));
                return Err(Failure::new(Code::NotSigning, text).hint("see node.log in their folders"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends every node, as an operator would.
    pub fn stop(&mut self) {
        for (_, child) in &mut self.parties {
            if let Some(child) = child {
                // SIGTERM, for a clean stop; std can only kill.
                let _ = Command::new("kill").arg(child.id().to_string()).status();
            }
        }
        for (_, child) in &mut self.parties {
            if let Some(mut child) = child.take() {
                let end = Instant::now() + Duration::from_secs(10);
                while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(20));
                }
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes a party's keys; says where its node is to listen.
fn keys(home: &Path, party: &Player) -> Result<[String; 2], Failure> {
    fs::create_dir_all(home).map_err(|error| io(home, &error))?;
    let port = free_port().map_err(|error| Failure::new(Code::Listen, error.to_string()))?;
    let (quic, tcp) = (format!("/ip4/127.0.0.1/udp/{port}/quic-v1"), format!("/ip4/127.0.0.1/tcp/{port}"));
    let mut args =
        vec!["keys", "new", "--plain", "--ledger", "open-skies", "--party", &party.code, "--name", &party.name];
    for role in &party.roles {
        let word = match role {
            Role::StateParty => "state-party",
            Role::Depositary => "depositary",
            Role::Observer => "observer",
        };
        args.extend(["--role", word]);
    }
    args.extend(["--address", &quic, "--address", &tcp]);
    verbale(home, &args)?;
    Ok([quic, tcp])
}

/// A path as an argument. The demonstration's own folder names are plain text.
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
