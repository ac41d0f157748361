//! `verbale verify`: checks an evidence file or an export, offline, with the treaty file alone.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::path::Path;
use std::path::PathBuf;

use super::progress::{Progress, Unit};
use super::source::{PageFacts, Source, Unpacked};
use super::{Code, Context, Failure, display, files};
use crate::audit::{
    AuditError, ExportedSilence, Report, SilenceError, cores, exported_silence, peek, unpack_small, verify_export_by,
};
use crate::law::{SilenceRules, silence_rules};
use crate::ledger::{
    Explanation, Fault, MAX_EVIDENCE_BYTES, MAX_TREATY_BYTES, Profile, Silence, Treaty, Verdict, explain_evidence,
    is_party_code, outside_sentences, verify_evidence,
};
use crate::note::{MAX_NOTE_BYTES, VerifierKey};
use crate::page::MAX_PAGE_BYTES;

/// Check an evidence file, a page that carries one, or an export: offline, with the treaty file alone
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An evidence file (.tlog-proof, also as .zst), an evidence page (.html), the folder of an export, or its archive (.tar.zst)
    #[arg(value_name = "FILE|FOLDER")]
    pub path: PathBuf,
    /// The treaty file that you trust; without it the home folder's, and for an export the one inside it
    #[arg(long, value_name = "FILE")]
    pub treaty: Option<PathBuf>,
    /// The treaty's profile, for titles and the form of notes; without it `profile.toml` beside the treaty file
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// The key of a witness outside the ledger that you trust (name+hash+base64): its cosignature has to be in the file
    #[arg(long = "witness", value_name = "VKEY", value_parser = VerifierKey::parse)]
    pub witnesses: Vec<VerifierKey>,
    /// Of an export of the whole ledger: show whether a party has answered this note, as US/12
    #[arg(long, value_name = "NOTE", requires = "by", value_parser = number)]
    pub silence: Option<(String, u64)>,
    /// Whose answer (RU)
    #[arg(long, value_name = "PARTY", requires = "silence")]
    pub by: Option<String>,
    /// The head of that party's log with later cosignatures, which `verbale prove --head` wrote
    #[arg(long, value_name = "FILE", requires = "silence")]
    pub seen: Option<PathBuf>,
    /// Check an export with so many threads; without it, one for each core of this machine
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<NonZero<usize>>,
}

fn number(text: &str) -> Result<(String, u64), String> {
    let read = text.split_once('/').and_then(|(party, index)| {
        let party = party.to_ascii_uppercase();
        is_party_code(&party).then_some((party, index.parse().ok()?))
    });
    read.ok_or_else(|| "a note is named by party and number, as US/12".to_owned())
}

/// What a path holds.
enum Kind {
    Evidence(Vec<u8>),
    Export,
}

/// Runs the command. Succeeds only if everything verifies and there is nothing to be said against it.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    match kind(&args.path)? {
        Kind::Export => export(&args.path, args, context),
        Kind::Evidence(bytes) => match Unpacked::of(&args.path, &bytes)? {
            None => evidence(bytes, args, context),
            Some(unpacked) => {
                let verified = export(&unpacked.folder, args, context);
                if !context.out.json {
                    of_page(PageFacts { as_written: unpacked.as_written, own_treaty: false }, context);
                }
                verified
            }
        },
    }
}

/// Told by the bytes, not by the name.
fn kind(path: &Path) -> Result<Kind, Failure> {
    /// The magic number of RFC 8878.
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    if path.is_dir() {
        return is_export(path).map(|()| Kind::Export);
    }
    let mut start = [0; 4];
    let compressed =
        path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == ZSTD;
    if !compressed {
        return Ok(Kind::Evidence(files::read(path, MAX_PAGE_BYTES)?));
    }
    let fail = |error| Failure::new(Code::Input, format!("{} cannot be unpacked: {error}", path.display()));
    if peek(path).map_err(fail)?.starts_with(b"c2sp.org/tlog-proof") {
        return Ok(Kind::Evidence(unpack_small(path, MAX_EVIDENCE_BYTES).map_err(fail)?));
    }
    Ok(Kind::Export)
}

/// A folder in which nothing of an export stands is not an export that lacks everything.
fn is_export(folder: &Path) -> Result<(), Failure> {
    if ["README.txt", "logs", "UNFINISHED"].iter().any(|name| folder.join(name).exists()) {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder);
    let entries = entries.map_err(|error| Failure::new(Code::Input, format!("{}: {error}", folder.display())))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut evidence: Vec<_> = names.filter(|name| name.contains(".tlog-proof") || name.ends_with(".html")).collect();
    evidence.sort();
    let hint = match evidence.first() {
        Some(name) => format!("it has evidence files, which are checked one by one: {}", folder.join(name).display()),
        None => "`verbale export` makes one; evidence files are named themselves".to_owned(),
    };
    Err(Failure::new(Code::Input, format!("{} is no export: it has no README.txt and no logs", folder.display()))
        .hint(hint))
}

fn export(path: &Path, args: &Args, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    // What would be passed over in silence might be taken for checked.
    if !args.witnesses.is_empty() {
        let text = "an export has no cosignatures by witnesses outside the ledger, so that --witness says nothing here";
        return Err(Failure::new(Code::Input, text).hint("evidence for a note may have them: `verbale prove`"));
    }
    if args.profile.is_some() {
        let text = "an export has its own profile, by the hash in the treaty file, so that --profile says nothing here";
        return Err(Failure::new(Code::Input, text).hint("leave it out"));
    }
    let trusted = args.treaty.as_ref().map(|path| files::read(path, MAX_TREATY_BYTES)).transpose()?;
    let mut shown = Progress::new(out.json);
    let threads = args.threads.unwrap_or_else(cores);
    let report = verify_export_by(threads, path, trusted.as_deref(), &mut |done, total| {
        shown.show("Checking", Unit::Bytes, done, total);
    });
    shown.finish();
    let report = report.map_err(|error| {
        let code = match error {
            AuditError::OtherTreaty { .. } | AuditError::Amendment(..) | AuditError::Unfinished => Code::NotVerified,
            _ => Code::Input,
        };
        let failure = Failure::new(code, format!("{} was not audited: {error}.", args.path.display()));
        match error {
            AuditError::Unfinished => failure.hint("`verbale export` with --resume finishes it"),
            _ => failure,
        }
    })?;
    let silence = silence(path, &report, args)?;
    if out.json {
        let mut not_proven = report.not_proven();
        let mut value = serde_json::json!({"sound": report.is_sound(), "report": report});
        if let Some(silence) = &silence {
            not_proven.extend(silence.gaps());
            value["silence"] = serde_json::json!(silence);
        }
        value["not_proven"] = serde_json::json!(not_proven);
        out.value(&value);
    } else {
        print_report(&report, silence.as_ref(), context);
    }
    let against = match (report.faults.len(), report.forks.len(), report.missing.len()) {
        (0, 0, 0) if report.unchecked.is_empty() => match silence.as_ref().and_then(ExportedSilence::against) {
            None => return Ok(()),
            Some(against) => {
                let text = format!("The export verifies, but it does not show the silence: {against}.");
                return Err(Failure::new(Code::NotVerified, text).hint("The sentences above say what is shown."));
            }
        },
        (0, 0, 0) => "What is there verifies, but what contradicts a log could not be compared with the other branch.",
        (0, 0, _) => "What is there verifies, but some logs are longer than what is here.",
        (0, ..) => "What is there verifies, but a log has forked.",
        _ => "The export does not verify: the faults are listed above, and what stands all the same.",
    };
    Err(Failure::new(Code::NotVerified, against).hint("Ask another party for its export, and compare."))
}

/// Whether a party has answered a note, if that is asked.
fn silence(path: &Path, report: &Report, args: &Args) -> Result<Option<ExportedSilence>, Failure> {
    let (Some((sender, index)), Some(by)) = (&args.silence, &args.by) else { return Ok(None) };
    let seen = args.seen.as_ref().map(|path| files::read(path, MAX_NOTE_BYTES)).transpose()?;
    match exported_silence(path, report, (sender, *index), &by.to_ascii_uppercase(), seen.as_deref()) {
        Ok(found) => Ok(Some(found)),
        // What is wrong with it is told below.
        Err(SilenceError::Unsound) => Ok(None),
        Err(error) => {
            let failure = Failure::new(Code::Input, format!("no silence is shown: {error}"));
            Err(match error {
                SilenceError::Head(_) => {
                    failure.hint("make the export after the head: it has to hold all records of it")
                }
                SilenceError::Part => failure.hint("`verbale export` without a selection makes one"),
                _ => failure,
            })
        }
    }
}

fn print_report(report: &Report, silence: Option<&ExportedSilence>, context: &Context) {
    let out = context.out;
    let head = if report.is_sound() { out.good("VERIFIED") } else { out.bad("NOT VERIFIED") };
    out.line(format!("{head}  {}", out.bold(&report.title)));
    for log in &report.logs {
        let last = log.last.map_or(String::new(), |time| format!(", the last one logged at {}", display::time(time)));
        let short = if log.complete { "" } else { " (not read to its end; see below)" };
        out.line(format!(
            "  {}: {}{short}{last}; {}, {}, {}; the first {} are final.",
            log.party,
            counted(log.records, "record"),
            counted(log.notifications, "notification"),
            counted(log.credentials, "credential"),
            counted(log.receipts, "receipt"),
            log.final_size
        ));
        if log.proven < log.records {
            out.line(format!("    The first {} stand under a head that {} signed.", log.proven, log.party));
        }
        if let Some(sentence) = log.set_back_sentence() {
            out.line(format!("    {sentence}"));
        }
        if log.void > 0 {
            let void = counted(log.void, "record");
            out.line(format!("    Not what their type says, and without effect: {void}."));
        }
    }
    for sentence in report.part_sentences() {
        out.line(format!("  {}", shown(&sentence)));
    }
    for note in &report.marked {
        for mark in &note.marks {
            out.line(format!("  Record {} of {} is not in order: {}", note.index, note.party, shown(&mark.text)));
        }
    }
    let unlisted = report.marked_count - report.marked.len() as u64;
    if unlisted > 0 {
        out.line(format!("  {unlisted} more notifications are not in order."));
    }
    for log in &report.missing {
        let (have, signed) = (log.have, log.signed);
        let text = format!("the log of {} has {signed} records, as others' receipts show; here are {have}.", log.party);
        out.line(format!("  {} {text}", out.bad("Missing:")));
    }
    for fork in &report.forks {
        out.line(format!("  {} the log of {}: {}.", out.bad("Forked:"), fork.party, fork.why));
    }
    for fork in &report.unchecked {
        let why = &fork.why;
        out.line(format!(
            "  {} the log of {}: {why}. Whether that is on the branch which its root has accepted, or on another one, only \
             the records of that branch would show, and they are not here.",
            out.bad("Not checked:"),
            fork.party
        ));
    }
    for log in &report.restarts {
        let (party, common, index, other) = (&log.party, log.common, log.index, log.other);
        out.line(format!(
            "  The log of {party} had two branches from record {common} on, of {index} and of {other} records; its root \
             accepted both at {} (record {index}), and it goes on with that of {index}.",
            display::time(log.issued)
        ));
        out.line(match &log.branch {
            Some(branch) => format!(
                "  The other branch is here: {} records, {} of them notifications.",
                branch.records, branch.notifications
            ),
            None => "  The records of the other branch are not here.".to_owned(),
        });
    }
    print_faults(&report.faults, context);
    if let Some(silence) = silence {
        out.line(out.bold(&format!("Whether {} has answered {}:", silence.party, silence.note)));
        silence.sentences().iter().for_each(|sentence| out.line(format!("  {}", shown(sentence))));
    }
    out.line(out.bold("Not proven:"));
    silence.into_iter().flat_map(ExportedSilence::gaps).for_each(|gap| out.line(format!("  {}", shown(&gap))));
    report.not_proven().iter().for_each(|sentence| out.line(format!("  {}", shown(sentence))));
    if let Some(treaty) = report.treaty.filter(|_| !report.treaty_given) {
        out.line("  The treaty file inside the export was used. Compare its SHA-256 with that of one that you trust:");
        out.line(format!("  {}", treaty.to_hex()));
    }
}

fn print_faults(faults: &[Fault], context: &Context) {
    let out = context.out;
    for fault in faults {
        let place = fault.place.to_string();
        let place = if place.is_empty() { String::new() } else { format!(", {place}") };
        out.line(format!("  {} {}{}", out.bad("Fault:"), shown(&fault.file), shown(&place)));
        out.line(format!("    expected  {}", shown(&fault.expected)));
        out.line(format!("    found     {}", shown(&fault.found)));
        out.line(format!("    {}", shown(&fault.means)));
    }
}

fn evidence(bytes: Vec<u8>, args: &Args, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    if args.silence.is_some() {
        let text = "a file of evidence says itself whether it shows silence; --silence is asked of a whole export";
        return Err(Failure::new(Code::Input, text).hint("leave it out"));
    }
    let Source { evidence, treaty, profile, page } =
        Source::open(&args.path, bytes, args.treaty.as_ref(), args.profile.as_ref(), context)?;
    let verdict = match verify_evidence(&evidence, &treaty, profile.as_ref()) {
        Ok(verdict) => verdict,
        Err(error) => {
            let name = args.path.file_name().unwrap_or_default().to_string_lossy();
            let explanation = explain_evidence(&name, &evidence, &treaty, profile.as_ref());
            explain(&explanation, &treaty, profile.as_ref(), context);
            let text = format!("{} does not verify: {error}.", args.path.display());
            let hint = "Ask for it again, and check that the treaty file is the right one.";
            return Err(Failure::new(Code::NotVerified, text).hint(hint));
        }
    };
    let rules = profile.as_ref().and_then(|profile| silence_rules(&evidence, &verdict, &treaty, profile));
    if out.json {
        let mut value = serde_json::json!({"sound": verdict.is_sound(), "verdict": verdict});
        if let Some(rules) = &rules {
            value["rules"] = serde_json::json!(rules);
        }
        if let Some(page) = page {
            value["page"] = serde_json::json!(page);
        }
        out.value(&value);
    } else {
        print(&verdict, (&treaty, profile.as_ref()), rules.as_ref(), &args.witnesses, context);
        page.inspect(|page| of_page(*page, context));
    }
    let unseen = args.witnesses.iter().find(|key| verdict.outside.iter().all(|witness| witness.key != **key));
    let against = match (&verdict.fork, verdict.is_final, verdict.marks.is_empty()) {
        (Some(_), ..) => "the log has forked",
        (None, false, _) => "its receipts do not make the treaty's quorum",
        (None, true, false) => "the note is not in order",
        (None, true, true) if unseen.is_some() => "an outside witness that you named has not cosigned it",
        (None, true, true) => match verdict.silence.as_ref().and_then(Silence::against) {
            Some(against) => against,
            None => return Ok(()),
        },
    };
    Err(Failure::new(Code::NotVerified, format!("Every byte of {} verifies, but {against}.", args.path.display()))
        .hint("The sentences above say what is proven all the same."))
}

/// A file that does not verify: what fails, and what holds without it.
fn explain(explanation: &Explanation, treaty: &Treaty, profile: Option<&Profile>, context: &Context) {
    let out = context.out;
    if out.json {
        let Explanation { faults, holds, summary } = explanation;
        return out.value(&serde_json::json!({"sound": false, "faults": faults, "holds": holds, "summary": summary}));
    }
    out.line(format!("{}  {}", out.bad("NOT VERIFIED"), out.bold(&treaty.file().title)));
    print_faults(&explanation.faults, context);
    explanation.summary.iter().for_each(|sentence| out.line(format!("  {}", shown(sentence))));
    if let Some(verdict) = &explanation.holds {
        out.line(out.bold("Without the parts that fail, this holds:"));
        verdict.sentences(treaty, profile).iter().for_each(|sentence| out.line(format!("  {}", shown(sentence))));
    }
}

fn print(
    verdict: &Verdict,
    (treaty, profile): (&Treaty, Option<&Profile>),
    rules: Option<&SilenceRules>,
    witnesses: &[VerifierKey],
    context: &Context,
) {
    let out = context.out;
    let head = if verdict.is_sound() { out.good("VERIFIED") } else { out.bad("VERIFIED, WITH RESERVATIONS") };
    out.line(format!("{head}  {}", out.bold(&treaty.file().title)));
    for sentence in verdict.sentences(treaty, profile) {
        out.line(format!("  {}", shown(&sentence)));
    }
    for sentence in outside_sentences(&verdict.outside, witnesses) {
        out.line(format!("  {}", shown(&sentence)));
    }
    if verdict.silence.is_some() {
        out.line(out.bold("The deadline:"));
        let unknown = ["Without the treaty's profile it is not known which rule applies.".to_owned()];
        let sentences = rules.map_or(unknown.as_slice(), |rules| &rules.sentences);
        sentences.iter().for_each(|sentence| out.line(format!("  {}", shown(sentence))));
    }
    out.line(out.bold("Not proven:"));
    for sentence in verdict.not_proven.iter().chain(rules.iter().flat_map(|rules| &rules.not_proven)) {
        out.line(format!("  {}", shown(sentence)));
    }
    out.line(out.dim(&format!("Leaf hash {}; treaty file SHA-256 {}.", verdict.leaf.to_hex(), treaty.hash().to_hex())));
}

/// What there is to say of the page that carried the evidence.
fn of_page(page: PageFacts, context: &Context) {
    let out = context.out;
    if page.own_treaty {
        out.line(
            "The treaty file inside the page was used. Compare its SHA-256, above, with that of one that you trust.",
        );
    }
    if !page.as_written {
        out.line(
            "The page is not, byte for byte, what this version of verbale writes for its evidence: rely on what stands \
             here, not on what the page shows.",
        );
    }
}

fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// What others wrote is shown as it is, but for what would steer a terminal.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
