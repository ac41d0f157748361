//! Amendments in words.

use super::super::display;
use crate::ledger::{Amendment, AmendmentError, Change, Signatures, Treaty};
use crate::note::SignedNote;

/// What an amendment changes, one sentence a change. `treaty` has it already.
pub(super) fn in_words(treaty: &Treaty, amendment: &Amendment) -> Vec<String> {
    let party = |code: &str| display::party(treaty, code);
    let sentence = |change: &Change| match change {
        Change::Accede(entry) => {
            format!("{} ({}) accedes, as {}", entry.name, entry.code, display::roles(&entry.roles))
        }
        Change::Addresses { party: code, addresses } if addresses.is_empty() => {
            format!("{} has no address any more: it dials the others", party(code))
        }
        Change::Addresses { party: code, addresses } => {
            format!("{} listens at {}", party(code), display::join(addresses, "and"))
        }
        Change::Quorum(lines) => format!("The quorum is: {}", lines.join("; ")),
        Change::Status { party: code, roles, from } if roles.is_empty() => {
            format!("{} is no longer a party from {} on", party(code), display::time(*from))
        }
        Change::Status { party: code, roles, from } => {
            format!("{} is {} from {} on", party(code), display::roles(roles), display::time(*from))
        }
    };
    amendment.changes.iter().map(sentence).collect()
}

/// Who has signed a note as the next amendment, and who has to.
pub(super) fn signatures(
    treaty: &Treaty,
    note: &SignedNote,
    amendment: &Amendment,
) -> Result<Signatures, AmendmentError> {
    treaty.amendment_signatures(note, amendment)
}
