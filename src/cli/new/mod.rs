//! `verbale new`: drafts a notification in the form that the treaty's profile gives its kind.

mod addressees;
mod attachment;
pub mod body;
mod message;
mod reference;

use std::path::PathBuf;

use serde_json::json;

use super::{Code, Context, Failure, clock, draft, files, kind, prompt};
use crate::ledger::{NoteId, Notification, Timestamp, Treaty};
use crate::message::Draft;
use crate::tlog::Hash;

/// Draft a notification: fields are asked for on a terminal, or given with --set or --from-json.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of notification, as the treaty's profile names it. A message read with --from-text may say it itself.
    #[arg(required_unless_present = "from_text")]
    kind: Option<String>,
    /// Addressees, separated by commas: codes, `depositaries`, `state-parties`, `observers`, or * for all. By default
    /// those of the kind.
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    to: Vec<String>,
    /// An earlier note that this one refers to, as US/12; where no node runs, as US/12@LEAFHASH. May be given several times.
    #[arg(long, value_name = "LOG/NUMBER")]
    re: Vec<String>,
    /// A field's value; items of a list are separated by semicolons. May be given several times.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// A JSON file with an object of fields.
    #[arg(long, value_name = "FILE")]
    from_json: Option<PathBuf>,
    /// A message in the treaty's message format; each thing that is missing in it is told with its line.
    #[arg(long, value_name = "FILE", conflicts_with = "from_json")]
    from_text: Option<PathBuf>,
    /// A file that goes with the note, which fixes it by its SHA-256; may be given several times.
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// When the note is issued, as 2021-06-18T09:00:00Z; by default now.
    #[arg(long, value_name = "TIME")]
    issued: Option<String>,
    /// The party that sends; by default that of the home folder.
    #[arg(long, value_name = "CODE")]
    party: Option<String>,
    /// Where to write the draft; by default KIND-ID.draft here.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    let profile = context.profile(&treaty)?;
    let draft = match &args.from_text {
        Some(path) => message::read(path, args, &profile, &treaty, context)?,
        None => Draft::default(),
    };
    let name = args.kind.clone().or(draft.kind.clone()).unwrap_or_default();
    let kind = kind::find(&name, &profile)?;
    let from = match (&args.party, &draft.from) {
        (None, Some(from)) => from.clone(),
        (party, _) => context.identity(None, party.as_deref())?.party,
    };
    let id = random_id()?;
    let output = args.output.clone().unwrap_or_else(|| format!("{name}-{}.draft", &id.to_string()[..8]).into());
    files::absent(&output)?;

    let mut faults = Vec::new();
    let mut body = body::given(kind, args.from_json.as_deref(), &args.set, &mut faults)?;
    body.extend(draft.body.clone());
    if prompt::is_interactive() && faults.is_empty() {
        body::ask(kind, &mut body)?;
    }
    let usual = || profile.addressees(&name, &from, &body, &treaty);
    let to = match (args.to.is_empty(), draft.to.is_empty()) {
        (false, _) => args.to.clone(),
        (true, false) => draft.to.clone(),
        (true, true) => usual(),
    };
    let mut attachments = draft.attachments.clone();
    for path in &args.attach {
        let file = attachment::describe(path)?;
        // The file itself says what the message says of it.
        attachments.retain(|other| other.name != file.name);
        attachments.push(file);
    }
    let references = references(&message::references(&draft, &args.re), &treaty, context)?;
    let note = Notification {
        attachments,
        from: from.clone(),
        id,
        issued: match (&args.issued, draft.issued) {
            (None, Some(time)) => time,
            (text, _) => issued(text.as_deref())?,
        },
        kind: name.clone(),
        ledger: treaty.hash(),
        re: references,
        to: addressees::resolve(&to, &from, &treaty)?,
        body,
    };
    faults.extend(body::invisible(&note.body));
    faults.extend(message::exposed(&kind.fields, &note.body));
    faults.extend(draft::faults(&note, &treaty, &profile));
    if !faults.is_empty() {
        return Err(draft::refuse("the draft", &faults).hint("nothing was written"));
    }
    let text = note.to_text();
    // Read back as every other party will read it.
    Notification::parse(&text).map_err(|e| draft::refuse("the draft", &[e.to_string()]).hint("nothing was written"))?;
    files::create(&output, text.as_bytes())?;

    let out = &context.out;
    if out.json {
        let noted = &draft.faults;
        out.value(
            &json!({ "file": output, "id": note.id.to_string(), "kind": note.kind, "to": note.to, "noted": noted }),
        );
        return Ok(());
    }
    draft::present(&note, &treaty, &profile, context);
    out.line("");
    out.line(format!("Wrote {}. To be signed by an official: verbale sign {0} --key NAME", output.display()));
    Ok(())
}

fn references(typed: &[String], treaty: &Treaty, context: &Context) -> Result<Vec<crate::ledger::Reference>, Failure> {
    let look = |log: &str, index: u64| look_up(log, index, context);
    typed.iter().map(|text| reference::parse(text, treaty)?.complete(look)).collect()
}

/// The leaf hash of a record, from this party's node where one runs.
#[cfg(feature = "node")]
fn look_up(log: &str, index: u64, context: &Context) -> Result<Hash, Failure> {
    match super::online::leaf_of(log, index, context) {
        Err(failure) if failure.code == Code::NoNode => reference::ask_for_leaf(log, index),
        found => found,
    }
}

/// Without a node there is nobody to ask.
#[cfg(not(feature = "node"))]
fn look_up(log: &str, index: u64, _: &Context) -> Result<Hash, Failure> {
    reference::ask_for_leaf(log, index)
}

fn issued(text: Option<&str>) -> Result<Timestamp, Failure> {
    match text {
        None => Ok(clock::now()),
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Failure::new(Code::Input, format!("{text:?} is not a time in UTC as 2021-06-18T09:00:00Z"))),
    }
}

pub fn random_id() -> Result<NoteId, Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|e| Failure::new(Code::Other, format!("the system gives no random bytes: {e}")))?;
    Ok(NoteId(id))
}
