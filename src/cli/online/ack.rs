//! `verbale ack`: acknowledge a note that was received, in one command.

use std::path::PathBuf;

use super::client::Client;
use super::number::Number;
use super::submit::{Waiting, deliver};
use crate::api::view::NoteDetail;
use crate::cli::keys::PassphraseArgs;
use crate::cli::new::{body, random_id};
use crate::cli::{Code, Context, Failure, NodeConfig, clock, display, draft, prompt, sign};
use crate::ledger::{Notification, Reference};
use crate::note::SignedNote;
use crate::tlog::Hash;

/// Acknowledge a note: draft the profile's acknowledgement, sign it, and hand it to the node
///
/// The node's receipt already proves that the note arrived. An acknowledgement is an official's word.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The note, as US/12
    number: Number,
    /// The official's short name in the home folder, or a key file
    #[arg(long, value_name = "NAME")]
    key: String,
    /// A field's value; may be given several times
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Fields from a JSON file
    #[arg(long, value_name = "FILE")]
    from_json: Option<PathBuf>,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    waiting: Waiting,
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let config = NodeConfig::load(&ctx.home)?;
    let treaty = ctx.treaty()?;
    let profile = ctx.profile(&treaty)?;
    let detail: NoteDetail = Client::new(&config.socket)?.get(&format!("/v1/notes/{}", args.number))?;
    if detail.note.party == config.party {
        return Err(Failure::new(Code::Refused, format!("{} is this party's own note", args.number)));
    }
    let leaf =
        Hash::from_hex(&detail.leaf).ok_or_else(|| Failure::new(Code::Other, "the node's answer has no leaf hash"))?;
    let Some(kind) = profile.kind.get(&profile.acknowledgement) else {
        return Err(Failure::new(Code::Input, "the profile has no acknowledgement"));
    };
    let mut faults = Vec::new();
    let body = body::given(kind, args.from_json.as_deref(), &args.set, &mut faults)?;
    let note = Notification {
        attachments: Vec::new(),
        body,
        from: config.party.clone(),
        id: random_id()?,
        issued: clock::now(),
        kind: profile.acknowledgement.clone(),
        ledger: treaty.hash(),
        re: vec![Reference { index: args.number.index, leaf, log: args.number.party.clone() }],
        to: vec![args.number.party.clone()],
    };
    faults.extend(draft::faults(&note, &treaty, &profile));
    if !faults.is_empty() {
        return Err(draft::refuse("the acknowledgement", &faults).hint("nothing was signed"));
    }
    if !args.yes {
        if ctx.out.json || !prompt::is_interactive() {
            let text = "the signature has to be confirmed on a terminal; nothing was signed";
            return Err(Failure::new(Code::Usage, text).hint("give --yes to sign without being asked"));
        }
        draft::present(&note, &treaty, &profile, ctx);
        ctx.out.line(format!("It acknowledges {}: {}.", args.number, detail.note.title));
        if !prompt::confirm(&format!("Sign this for {}?", display::party(&treaty, &note.from)))? {
            return Err(Failure::new(Code::Refused, "not confirmed; nothing was signed"));
        }
    }
    let key = sign::official(&args.key, &args.passphrase, &note, &treaty, ctx)?;
    let unsignable =
        |error: crate::note::NoteError| Failure::new(Code::Refused, format!("it cannot be signed: {error}"));
    let mut signed = SignedNote::new(note.to_text()).map_err(unsignable)?;
    signed.sign(&key);
    deliver(vec![signed.to_bytes()], &args.waiting, ctx)
}
