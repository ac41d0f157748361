//! `verbale demo`: six parties on this machine play the last years of the Treaty on Open Skies.

mod nodes;
mod story;
mod whole;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Code, Context, Failure};
use crate::scenario::{Basis, Scenario, Step};
use nodes::{Nodes, path_text, verbale};

/// Start six parties on this machine, play the Open Skies history of 2014 to 2021, and leave its evidence to look at;
/// with --story the whole of it, from 1992 on
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to put everything; must not exist yet
    #[arg(long, default_value = "verbale-demo")]
    dir: PathBuf,
    /// Replace the folder of an earlier demonstration
    #[arg(long)]
    again: bool,
    /// Leave the six nodes running at the end, until this command is interrupted
    #[arg(long, conflicts_with = "story")]
    keep_running: bool,
    /// Play the whole history, 1992 to 2021, in a simulated clock: without nodes, in seconds, each note at its own time
    #[arg(long)]
    story: bool,
}

/// The file that marks a folder as a demonstration's own, which `--again` may remove.
const MARK: &str = ".verbale-demo";
/// The note that is denied.
const DENIED: &str = "us-withdrawal";

/// What `verbale submit --json` says of a note.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sent {
    number: String,
    leaf: String,
    #[serde(rename = "final")]
    is_final: bool,
    receipts: Vec<Receipt>,
    waited_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Receipt {
    party: String,
    after_ms: u64,
}

/// Runs the demonstration.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    if args.story {
        return whole::run(args, ctx);
    }
    let start = Instant::now();
    let story = story::live()?;
    let folder = prepare_folder(args)?;
    let stage = Stage { ctx, story: &story, folder: &folder };
    stage.say(&format!("{}: {}", ctx.out.bold("Verbale"), story.title));
    stage.say("Dates and events are those of the history, in summary; the signing times are now.\n");
    stage.say("Each of six parties makes its keys; their public halves make the treaty file.");
    let mut nodes = Nodes::prepare(&folder, &story)?;
    stage.say("Each starts its node: six processes on this machine, which find each other.");
    nodes.start()?;
    nodes.wait_until_signing()?;
    let told = stage.play(&nodes)?;
    let verdict = stage.denial(&nodes, &told)?;
    stage.export(&nodes)?;
    let summary = serde_json::json!({
        "folder": folder, "notes": told.len(), "seconds": start.elapsed().as_secs(),
        "median_ms_to_final": median(&told), "verdict": verdict,
    });
    if ctx.out.json {
        ctx.out.value(&summary);
    } else {
        stage.files(&told, start.elapsed());
    }
    if args.keep_running {
        stage.say("\nThe six nodes run on; interrupt this command (Ctrl-C) to end them.");
        until_told_to_stop()?;
    }
    nodes.stop();
    Ok(())
}

/// Waits for an interruption or SIGTERM: the nodes must not outlive this command.
fn until_told_to_stop() -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::new(Code::Other, format!("signals cannot be handled: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).map_err(fail)?, signal(SignalKind::terminate()).map_err(fail)?);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        Ok(())
    })
}

fn prepare_folder(args: &Args) -> Result<PathBuf, Failure> {
    let fail = |error: std::io::Error| Failure::new(Code::Input, format!("{}: {error}", args.dir.display()));
    if args.dir.exists() {
        if !(args.again && args.dir.join(MARK).is_file()) {
            return Err(Failure::new(Code::Input, format!("{} exists already", args.dir.display()))
                .hint("name another folder with --dir; --again replaces that of an earlier demonstration"));
        }
        fs::remove_dir_all(&args.dir).map_err(fail)?;
    }
    fs::create_dir_all(&args.dir).map_err(fail)?;
    fs::write(args.dir.join(MARK), "").map_err(fail)?;
    fs::canonicalize(&args.dir).map_err(fail)
}

fn median(told: &HashMap<String, Sent>) -> u64 {
    let mut times: Vec<_> = told.values().map(|sent| sent.waited_ms).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What the acts share.
struct Stage<'a> {
    ctx: &'a Context,
    story: &'a Scenario,
    folder: &'a Path,
}

impl Stage<'_> {
    fn say(&self, text: &str) {
        if !self.ctx.out.json {
            self.ctx.out.line(text);
        }
    }

    /// Leaves a person time to read.
    fn pause(&self) {
        if self.ctx.out.terminal && !self.ctx.out.json {
            std::thread::sleep(Duration::from_millis(700));
        }
    }

    fn act(&self, title: &str) {
        self.say(&format!("\n{}\n", self.ctx.out.bold(&format!("── {title} ──"))));
    }

    fn name(&self, code: &str) -> String {
        self.story.parties.iter().find(|party| party.code == code).map_or(code.to_owned(), |party| party.name.clone())
    }

    fn play(&self, nodes: &Nodes) -> Result<HashMap<String, Sent>, Failure> {
        for party in &self.story.parties {
            let home = nodes.home(&party.code);
            verbale(&home, &["--json", "submit", &path_text(&home.join("ministry.grant"))])?;
        }
        self.say("Each party's root key has granted its foreign ministry's key, in the party's log.");
        self.act("The history, note by note");
        let mut told: HashMap<String, Sent> = HashMap::new();
        for step in &self.story.steps {
            let sent = self.send(nodes, step, &told)?;
            self.tell(step, &sent);
            told.insert(step.id.clone(), sent);
            self.pause();
        }
        Ok(told)
    }

    /// What an official does: fill in the note, sign it offline, hand it to the node.
    fn send(&self, nodes: &Nodes, step: &Step, told: &HashMap<String, Sent>) -> Result<Sent, Failure> {
        let home = nodes.home(&step.from);
        let notes = home.join("notes");
        let file = |end: &str| path_text(&notes.join(format!("{}.{end}", step.id)));
        let fail = |error: std::io::Error| Failure::new(Code::Disk, format!("{}: {error}", notes.display()));
        fs::create_dir_all(&notes).map_err(fail)?;
        fs::write(file("json"), serde_json::Value::from(step.body.clone()).to_string()).map_err(fail)?;
        let to = step.to.join(",");
        let (body, draft, note) = (file("json"), file("draft"), file("note"));
        let mut args = vec!["new", step.kind.as_str(), "--to", &to, "--from-json", &body, "-o", &draft];
        let re: Vec<_> =
            step.re.iter().filter_map(|id| told.get(id)).map(|s| format!("{}@{}", s.number, s.leaf)).collect();
        for re in &re {
            args.extend(["--re", re]);
        }
        verbale(&home, &args)?;
        verbale(&home, &["sign", &draft, "--key", "ministry", "--yes", "-o", &note])?;
        let answer = verbale(&home, &["--json", "submit", &note, "--wait", "all"])?;
        let sent: Vec<Sent> = serde_json::from_str(&answer)
            .map_err(|error| Failure::new(Code::Other, format!("`verbale submit` said {answer:?}: {error}")))?;
        sent.into_iter().next().ok_or_else(|| Failure::new(Code::Other, "`verbale submit` said nothing"))
    }

    fn tell(&self, step: &Step, sent: &Sent) {
        let out = &self.ctx.out;
        let to = step.to.join(", ").replace('*', "all");
        self.say(&format!("{:<12}{} → {to}", step.date(), out.bold(&self.name(&step.from))));
        let basis = match step.basis {
            Basis::Public => String::new(),
            Basis::Unconfirmed => out.dim("  (unconfirmed)"),
            Basis::Illustration => out.dim("  (an illustration)"),
        };
        self.say(&format!("{:<12}{}{basis}", "", step.title));
        self.say(&format!("{:<12}{}", "", out.dim(&step.narration)));
        let who: Vec<_> = sent.receipts.iter().map(|receipt| receipt.party.as_str()).collect();
        let state = if sent.is_final { out.good("final") } else { "not final".to_owned() };
        self.say(&format!(
            "{:<12}{}  {state}; received by {} within {} ms\n",
            "",
            sent.number,
            who.join(" "),
            sent.waited_ms
        ));
    }

    /// A party denies; a stranger with the treaty file and one small file decides for herself.
    fn denial(&self, nodes: &Nodes, told: &HashMap<String, Sent>) -> Result<serde_json::Value, Failure> {
        self.act("A denial, and what answers it");
        let Some(sent) = told.get(DENIED) else {
            return Err(Failure::new(Code::Other, format!("the story has no step {DENIED}")));
        };
        self.say(
            "Suppose that, years later, the United States say they sent no such notice on that day, and Russia says",
        );
        self.say(&format!(
            "it never received one. Canada, a depositary, writes the evidence for {} from its own node:\n",
            sent.number
        ));
        let evidence = self.folder.join("evidence");
        let fail = |error: std::io::Error| Failure::new(Code::Disk, format!("{}: {error}", evidence.display()));
        fs::create_dir_all(&evidence).map_err(fail)?;
        for file in ["treaty.toml", "profile.toml"] {
            fs::copy(self.folder.join(file), evidence.join(file)).map_err(fail)?;
        }
        let proof = evidence.join(format!("{}.tlog-proof", sent.number.replace('/', "-")));
        verbale(&nodes.home("CA"), &["prove", &sent.number, "-o", &path_text(&proof)])?;
        self.say(&format!("  $ verbale prove {} -o {}", sent.number, self.shown(&proof)));
        self.say(&format!("  $ verbale verify {} --treaty treaty.toml\n", self.shown(&proof)));
        self.pause();
        let words = verbale(&evidence, &["verify", &path_text(&proof)])?;
        for line in words.lines() {
            self.say(&format!("  {line}"));
        }
        self.pause();
        let verdict = verbale(&evidence, &["--json", "verify", &path_text(&proof)])?;
        Ok(serde_json::from_str(&verdict).unwrap_or_default())
    }

    /// Somebody changes one digit of a date in the exported log, and the audit names the record.
    fn altered(&self, ledger: &Path, treaty: &str) -> Result<(), Failure> {
        let altered = self.folder.join("ledger-altered");
        let fail = |error: std::io::Error| Failure::new(Code::Disk, format!("{}: {error}", altered.display()));
        copy_folder(ledger, &altered).map_err(fail)?;
        let file = altered.join("logs/US/records.txt");
        let text = fs::read_to_string(&file).map_err(fail)?;
        let Some(at) = text.find("\"2020-11-22\"") else {
            return Err(Failure::new(Code::Other, "the story's notice has no date of 22 November 2020"));
        };
        let text = format!("{}\"2020-11-21\"{}", &text[..at], &text[at + 12..]);
        fs::write(&file, text).map_err(fail)?;
        self.say(
            "\nSomebody changes one digit in it: the United States' intended date, from 22 to 21 November 2020:\n",
        );
        self.say(&format!("  $ verbale verify {} --treaty treaty.toml\n", self.shown(&altered)));
        match nodes::refused(self.folder, &["verify", &path_text(&altered), "--treaty", treaty])? {
            Some(said) => {
                let faults = said.lines().filter(|line| line.contains("Fault:") || line.contains("NOT VERIFIED"));
                faults.for_each(|line| self.say(&format!("  {}", self.ctx.out.bad(line.trim()))));
                Ok(())
            }
            None => Err(Failure::new(Code::NotVerified, "an altered ledger was taken for genuine: this is a bug")),
        }
    }

    fn export(&self, nodes: &Nodes) -> Result<(), Failure> {
        self.act("The whole ledger, for an auditor");
        let target = self.folder.join("ledger");
        self.say(&format!("  $ verbale export {}", self.shown(&target)));
        self.say(&format!("  $ verbale verify {} --treaty treaty.toml\n", self.shown(&target)));
        verbale(&nodes.home("HU"), &["export", &path_text(&target)])?;
        let treaty = path_text(&self.folder.join("treaty.toml"));
        for line in verbale(self.folder, &["verify", &path_text(&target), "--treaty", &treaty])?.lines() {
            self.say(&format!("  {line}"));
        }
        self.pause();
        self.altered(&target, &treaty)
    }

    fn files(&self, told: &HashMap<String, Sent>, took: Duration) {
        self.act("What is left to look at");
        let folder = self.folder.display();
        self.say(&format!(
            "{} notes, each final after a median of {} ms; {} s in all.",
            told.len(),
            median(told),
            took.as_secs()
        ));
        self.say(&format!("{folder}/evidence/    the evidence and what is needed to verify it"));
        self.say(&format!("{folder}/ledger/      every log as text, with all signatures and receipts"));
        self.say(&format!("{folder}/US/ …        each party's home folder: keys, database, notes, node.log"));
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.folder).unwrap_or(path).display().to_string()
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
