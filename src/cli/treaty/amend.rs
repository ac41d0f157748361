//! `verbale treaty amend`: composes the next amendment, for the parties' root keys to sign.

use std::path::PathBuf;

use serde_json::json;

use super::super::role::RoleArg;
use super::super::{Code, Context, Failure, check_address, clock, display, files};
use super::add_party::check_party;
use super::changes::{in_words, signatures};
use crate::ledger::{Amendment, AmendmentError, Change, Party, Role, Timestamp, Treaty};
use crate::note::SignedNote;

/// Longest party file and quorum file, in bytes.
const MAX_BYTES: usize = 65_536;

/// Compose the treaty's next amendment: it holds when enough parties have signed it and it is submitted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Party files of states that accede, as their `verbale keys new` wrote them.
    #[arg(long, value_name = "CODE.party.toml")]
    accede: Vec<PathBuf>,
    /// A party whose status changes.
    #[arg(long, value_name = "CODE", requires = "from")]
    status: Option<String>,
    /// What it is then; may be given several times. Without it, nothing: it has withdrawn.
    #[arg(long = "role", value_name = "ROLE", requires = "status")]
    roles: Vec<RoleArg>,
    /// A party whose withdrawal takes effect: the same as --status CODE without a role.
    #[arg(long, value_name = "CODE", requires = "from", conflicts_with = "status")]
    withdrawn: Option<String>,
    /// Since when the status holds: a date, as 2021-12-18, or a time in UTC, as 2021-12-18T00:00:00Z.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// A party's new addresses; several are separated by commas.
    #[arg(long, value_name = "CODE=ADDRESS,…")]
    addresses: Vec<String>,
    /// A file with the new quorum: the lines `group …` and `quorum …`.
    #[arg(long, value_name = "FILE")]
    quorum: Option<PathBuf>,
    /// Where to write the amendment; by default amendment-NUMBER.note in the home folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let treaty = context.treaty()?;
    amendable(&treaty)?;
    let changes = changes(args)?;
    if changes.is_empty() {
        return Err(Failure::new(Code::Usage, "an amendment changes something").hint(
            "as --accede SE.party.toml, --withdrawn RU --from 2021-12-18, --addresses HU=/dns4/…, --quorum FILE",
        ));
    }
    let (number, prev) = treaty.next_amendment();
    let amendment = Amendment { changes, issued: clock::now(), ledger: treaty.hash(), number, prev };
    let refused = |e: &AmendmentError| Failure::new(Code::Refused, format!("nothing was written: {e}"));
    let text = amendment.to_text();
    let read = Amendment::parse(&text).map_err(|e| refused(&e.into()))?;
    let amended = treaty.draft(&read).map_err(|e| refused(&e))?;
    let note = SignedNote::new(text).map_err(|e| refused(&e.into()))?;
    let needed = signatures(&treaty, &note, &read).map_err(|e| refused(&e))?;
    let path = args.output.clone().unwrap_or_else(|| context.home.join(format!("amendment-{number}.note")));
    files::create(&path, note.text().as_bytes())?;

    let out = &context.out;
    if out.json {
        out.value(&json!({
            "file": path, "number": number, "changes": in_words(&amended, &read), "needed": needed.needed,
        }));
        return Ok(());
    }
    out.line(format!("Amendment {number} of the treaty file, not signed yet:"));
    in_words(&amended, &read).iter().for_each(|line| out.line(format!("  {line}")));
    out.line(format!("Signatures that it needs: {}.", display::join(&needed.needed, "and")));
    out.line(format!("Each party signs it with its root key: verbale treaty sign {}", path.display()));
    Ok(())
}

fn changes(args: &Args) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for file in &args.accede {
        let fail = |what: String| Failure::new(Code::Input, format!("{}: {what}", file.display()));
        let party = Party::from_toml(&files::read_text(file, MAX_BYTES)?).map_err(|e| fail(e.to_string()))?;
        check_party(&party).map_err(fail)?;
        changes.push(Change::Accede(Box::new(party)));
    }
    for text in &args.addresses {
        let (party, addresses) = text.split_once('=').ok_or_else(|| {
            Failure::new(
                Code::Usage,
                format!("--addresses {text} is not CODE=ADDRESS,…, as HU=/ip4/192.0.2.1/tcp/4001"),
            )
        })?;
        let addresses: Vec<_> = addresses.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect();
        addresses.iter().try_for_each(|a| check_address(a)).map_err(|what| Failure::new(Code::Input, what))?;
        changes.push(Change::Addresses { party: party.to_owned(), addresses });
    }
    if let Some(file) = &args.quorum {
        let text = files::read_text(file, MAX_BYTES)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        changes.push(Change::Quorum(lines.map(str::to_owned).collect()));
    }
    if let Some(party) = args.status.as_ref().or(args.withdrawn.as_ref()) {
        let from = args.from.as_deref().and_then(date).ok_or_else(|| {
            Failure::new(Code::Usage, "--from is a date as 2021-12-18 or a time in UTC as 2021-12-18T00:00:00Z")
        })?;
        let roles = args.roles.iter().map(|role| Role::from(*role)).collect();
        changes.push(Change::Status { party: party.clone(), roles, from });
    }
    Ok(changes)
}

/// A day begins at its midnight, UTC.
fn date(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
}

/// A treaty that can be amended at all.
pub(super) fn amendable(treaty: &Treaty) -> Result<(), Failure> {
    match treaty.amendment_rule() {
        Some(_) => Ok(()),
        None => Err(Failure::new(Code::Refused, AmendmentError::NoRule.to_string())
            .hint("the profile's table `[amendment]` has `depositaries` and `share`")),
    }
}
