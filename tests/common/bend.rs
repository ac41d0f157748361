//! Evidence files bent in one place and put together again as they should be.

use verbale::ledger::{Evidence, Timestamp};
use verbale::node::{SilenceQuery, prove_silence};
use verbale::note::SignedNote;

use super::{CA, HU, Ledger, RU, US};

/// A ledger with a note by Russia that Hungary receives only later, with a larger head; and the note's place.
pub fn late_hungary() -> (Ledger, u64) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.online(&[CA, RU, US]);
    let index = ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    ledger.online(&[CA, HU, RU, US]);
    (ledger, index)
}

/// Canada answers one note of Russia's, not the other, and has not heard of a third; three days later the others say what they
/// hold of its log. The notes' places, and what is asked for.
pub fn silent_canada() -> (Ledger, [u64; 3], SilenceQuery) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let (asked, unanswered) = (ledger.remark(RU, 2), ledger.remark(RU, 3));
    let answer = ledger.reply(CA, 4, "minister", ledger.refer(RU, asked));
    ledger.submit(CA, answer).unwrap();
    ledger.online(&[HU, RU, US]);
    let unheard = ledger.remark(RU, 5);
    let query = silence_of_canada(&mut ledger, 72, Some("answer"));
    (ledger, [asked, unanswered, unheard], query)
}

/// After so many hours the others say what they hold of Canada's log.
pub fn silence_of_canada(ledger: &mut Ledger, hours: u64, due: Option<&str>) -> SilenceQuery {
    ledger.now += hours * 3_600_000;
    let after = Timestamp::from_posix(ledger.now / 1000 - 60);
    let attested = ledger.attest(&[HU, RU, US], CA);
    SilenceQuery { party: CA, due: due.map(str::to_owned), after, attested }
}

/// What the United States make of it about a note by Russia.
pub fn proof_of_silence(ledger: &Ledger, index: u64, query: &SilenceQuery) -> Vec<u8> {
    prove_silence(&ledger.nodes[US].disk, &ledger.treaty, RU, index, query).unwrap().unwrap()
}

/// The same file with another content, put together as it should be.
pub fn rewritten(ledger: &Ledger, bytes: &[u8], change: impl FnOnce(&mut Evidence)) -> Vec<u8> {
    let mut evidence = Evidence::parse(bytes, &ledger.treaty.hash()).unwrap();
    change(&mut evidence);
    evidence.to_bytes(&ledger.treaty.hash())
}

/// A note with only some of its signature lines.
pub fn with_lines(note: &SignedNote, keep: impl Fn(usize) -> bool) -> SignedNote {
    let mut fewer = SignedNote::new(note.text().to_owned()).unwrap();
    note.signatures().iter().enumerate().filter(|(at, _)| keep(*at)).for_each(|(_, line)| fewer.add(line.clone()));
    fewer
}

/// A note with one signature line changed.
pub fn changed_line(note: &SignedNote, which: usize, change: impl Fn(&mut Vec<u8>)) -> SignedNote {
    let mut changed = SignedNote::new(note.text().to_owned()).unwrap();
    for (at, line) in note.signatures().iter().enumerate() {
        let mut line = line.clone();
        if at == which {
            change(&mut line.bytes);
        }
        changed.add(line);
    }
    changed
}

/// A signed note in a string, with one bit of one of its signature lines another one.
pub fn bent_note(note: &str, which: usize) -> String {
    let note = SignedNote::parse(note.as_bytes()).unwrap();
    String::from_utf8(changed_line(&note, which, |bytes| bytes[40] ^= 1).to_bytes()).unwrap()
}
