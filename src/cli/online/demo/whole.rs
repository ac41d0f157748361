//! `verbale demo --story`: the whole history in a simulated clock, written as real ledgers that stay.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::nodes::{Nodes, path_text, verbale};
use super::{Args, prepare_folder, story};
use crate::cli::online::law::moment;
use crate::cli::online::number::Number;
use crate::cli::online::{data, due, timeline};
use crate::cli::{Code, Context, Failure, progress, read_profile, read_treaty};
use crate::keys::{self, Passphrase};
use crate::ledger::Treaty;
use crate::node::{Batch, LogId, prove};
use crate::scenario::{Basis, Keys, Play, Scenario, Step, Told, Written};
use crate::store::Store;
use crate::store::high_water::HighWater;

/// Whose node is asked at the end.
const DESK: &str = "HU";
/// The day on which it is asked what is due: the conference on the first withdrawal has to be held within its window.
const DAY: &str = "2020-06-25";
/// The notes whose evidence is written, and whose threads are drawn.
const NOTICES: [&str; 2] = ["us-withdrawal", "ru-withdrawal"];

/// Plays it.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let start = Instant::now();
    let story = story::story()?;
    let folder = prepare_folder(args)?;
    let show = Show { ctx, story: &story, folder: &folder };
    show.say(&format!("{}: {}", ctx.out.bold("Verbale"), story.title));
    show.say(
        "Each note is logged at its own moment, in a simulated clock, by the engine that nodes run; dates and events",
    );
    show.say("are those of the history, in summary. What the treaty's clocks say is computed from the logs alone.\n");
    Nodes::prepare(&folder, &story)?;
    let told = show.play()?;
    show.desk(&told)?;
    let verdicts = show.evidence(&told)?;
    let took = start.elapsed();
    if ctx.out.json {
        ctx.out.value(&serde_json::json!({
            "folder": folder, "notes": told.len(), "seconds": took.as_secs(), "verdicts": verdicts,
        }));
    } else {
        show.files(took);
    }
    Ok(())
}

struct Show<'a> {
    ctx: &'a Context,
    story: &'a Scenario,
    folder: &'a Path,
}

/// Where one party's data is written, as its node would.
struct Disk {
    store: Store,
    high_water: HighWater,
}

impl Show<'_> {
    fn say(&self, text: &str) {
        if !self.ctx.out.json {
            self.ctx.out.line(text);
        }
    }

    fn home(&self, code: &str) -> PathBuf {
        self.folder.join(code)
    }

    fn keys(&self, treaty: &Treaty) -> Result<Vec<Keys>, Failure> {
        let passphrase = Passphrase::new(None);
        let of = |at: usize| -> Result<Keys, Failure> {
            let party = treaty.party(at);
            let home = self.home(&party.code).join("keys");
            let load = |name: &str| keys::load(&home.join(format!("{name}.key")), &passphrase).map_err(Failure::from);
            Ok(Keys {
                root: load("root")?,
                log: load("log")?,
                witness: load("witness")?,
                official: load("officials/ministry")?,
                title: format!("Foreign Ministry, {}", party.name),
            })
        };
        (0..treaty.parties().len()).map(of).collect()
    }

    fn play(&self) -> Result<Vec<(String, Told)>, Failure> {
        let treaty = Arc::new(read_treaty(&self.folder.join("treaty.toml"))?);
        let profile = Arc::new(read_profile(&self.folder.join("profile.toml"))?.0);
        let keys = self.keys(&treaty)?;
        let failed = |error: &dyn std::fmt::Display| Failure::new(Code::Other, format!("the story stopped: {error}"));
        let mut disks = Vec::new();
        for party in treaty.parties() {
            let home = self.home(&party.code);
            let store = Store::open(&home.join("data"), &treaty).map_err(|error| failed(&error))?;
            let high_water = HighWater::open(&home.join("high-water"), &treaty.hash(), &party.code);
            disks.push(Disk { store, high_water: high_water.map_err(|error| failed(&error))? });
        }
        let bar = progress::counted("The history", "notes", self.ctx.out.json);
        bar.set_length(self.story.steps.len() as u64);
        let mut play = Play::begin(self.story, &treaty, &profile, &keys).map_err(|error| failed(&error))?;
        let mut told = Vec::new();
        loop {
            let step = play.step().map_err(|error| failed(&error))?;
            write(&mut play, &mut disks).map_err(|error| failed(&error))?;
            let Some(step) = step else { break };
            if let Some(at) = play.told.get(&step.id) {
                self.tell(step, at, &bar);
                told.push((step.id.clone(), at.clone()));
            }
        }
        bar.finish_and_clear();
        Ok(told)
    }

    /// One line for a note; on a terminal slowly enough to be followed.
    fn tell(&self, step: &Step, at: &Told, bar: &ProgressBar) {
        let out = &self.ctx.out;
        bar.inc(1);
        bar.set_message(step.date());
        if out.json {
            return;
        }
        let basis = match step.basis {
            Basis::Public => String::new(),
            Basis::Unconfirmed => out.dim("  (unconfirmed)"),
            Basis::Illustration => out.dim("  (an illustration)"),
        };
        let number = format!("{}/{}", at.party, at.index);
        bar.suspend(|| self.say(&format!("{:<11} {number:<7} {}{basis}", step.date(), step.title)));
        if out.terminal {
            std::thread::sleep(Duration::from_millis(120));
        }
    }

    /// What a desk officer sees in one party's folder, through the ordinary commands.
    fn desk(&self, told: &[(String, Told)]) -> Result<(), Failure> {
        let out = &self.ctx.out;
        if out.json {
            return Ok(());
        }
        let desk = Context { home: self.home(DESK), out: *out };
        for id in NOTICES {
            let at = place(told, id)?;
            self.say(&format!("\n  $ verbale timeline {}/{}\n", at.party, at.index));
            timeline::show(&Number { party: at.party.clone(), index: at.index }, None, false, &desk)?;
        }
        self.say(&format!("\n  $ verbale due --as-of {DAY}\n"));
        let as_of = moment(DAY).map_err(|what| Failure::new(Code::Other, what))?;
        due::run(&due::Args::as_of(as_of), &desk)
    }

    /// Evidence for both notices, and the whole ledger, written by one party and verified with the treaty file alone.
    fn evidence(&self, told: &[(String, Told)]) -> Result<Vec<serde_json::Value>, Failure> {
        let evidence = self.folder.join("evidence");
        let fail = |error: std::io::Error| Failure::new(Code::Disk, format!("{}: {error}", evidence.display()));
        fs::create_dir_all(&evidence).map_err(fail)?;
        for file in ["treaty.toml", "profile.toml"] {
            fs::copy(self.folder.join(file), evidence.join(file)).map_err(fail)?;
        }
        self.say(&format!("\n{}\n", self.ctx.out.bold("── For a stranger, with the treaty file alone ──")));
        let treaty = read_treaty(&self.folder.join("treaty.toml"))?;
        let store = Store::open_read_only(&self.home(DESK).join("data"), &treaty).map_err(data::failure)?;
        let mut verdicts = Vec::new();
        for id in NOTICES {
            let at = place(told, id)?;
            let file = evidence.join(format!("{}-{}.tlog-proof", at.party, at.index));
            let proof = prove(&store, &treaty, at.log, at.index)
                .map_err(|error| Failure::new(Code::Damaged, error.to_string()))?
                .map_err(|error| Failure::new(Code::Other, error.to_string()))?;
            fs::write(&file, proof).map_err(fail)?;
            verdicts.push(self.verified(&file)?);
        }
        drop(store);
        let ledger = self.folder.join("ledger");
        verbale(&self.home(DESK), &["export", &path_text(&ledger)])?;
        verdicts.push(self.verified(&ledger)?);
        Ok(verdicts)
    }

    /// Runs `verbale verify`, and shows its first sentences.
    fn verified(&self, path: &Path) -> Result<serde_json::Value, Failure> {
        let treaty = path_text(&self.folder.join("treaty.toml"));
        let shown = path.strip_prefix(self.folder).unwrap_or(path).display();
        self.say(&format!("  $ verbale verify {shown} --treaty treaty.toml"));
        let words = verbale(self.folder, &["verify", &path_text(path), "--treaty", &treaty])?;
        words.lines().take(4).for_each(|line| self.say(&format!("  {line}")));
        self.say(&format!("  {}\n", self.ctx.out.dim("…")));
        Ok(serde_json::json!({ "file": path, "verified": true }))
    }

    fn files(&self, took: Duration) {
        let folder = self.folder.display();
        self.say(&format!("{} notes in {} s. What is left to look at:", self.story.steps.len(), took.as_secs()));
        self.say(&format!("{folder}/evidence/    the evidence and what is needed to verify it"));
        self.say(&format!("{folder}/ledger/      every log as text, with all signatures and receipts"));
        self.say(&format!(
            "{folder}/HU/ …        each party's home folder: `due`, `timeline` and `parties` work there,"
        ));
        self.say("                    and `verbale node` serves it");
    }
}

fn place<'a>(told: &'a [(String, Told)], id: &str) -> Result<&'a Told, Failure> {
    let found = told.iter().find(|(step, _)| step == id);
    found.map(|(_, at)| at).ok_or_else(|| Failure::new(Code::Other, format!("the story has no step {id}")))
}

/// Writes what the nodes have written, synced as a node does it: what one wrote at one time is one batch.
fn write(play: &mut Play, disks: &mut [Disk]) -> Result<(), Box<dyn std::error::Error>> {
    let mut waiting: BTreeMap<(LogId, u64), Batch> = BTreeMap::new();
    for Written { party, at_ms, batch } in play.nodes.take_written() {
        waiting.entry((party, at_ms)).or_default().append(batch);
    }
    for ((party, at_ms), batch) in waiting {
        if let Some(disk) = disks.get(party) {
            disk.store.commit(&batch, at_ms)?;
        }
    }
    for (party, disk) in disks.iter_mut().enumerate() {
        if let Some(head) = play.nodes.high_water(party) {
            disk.high_water.update(head)?;
        }
    }
    Ok(())
}
