//! What a record is found again under. Writing an entry costs no signature check, and for most records no
//! full parse: an entry of `ids` is a hint where to look, and whoever looks there reads the record itself.

use super::columns::{Column, id_key, record_key, reply_key};
use crate::ledger::{NoteId, RecordType, Reference, Treaty};
use crate::node::{LogId, note_id};

/// The index entries of a record. Receipts are handed over by the engine, which verified them.
pub(super) fn entries(
    log: LogId,
    index: u64,
    kind: RecordType,
    record: &[u8],
    treaty: &Treaty,
) -> Vec<(Column, Vec<u8>)> {
    match kind {
        RecordType::Credential => vec![(Column::Credentials, record_key(log, index))],
        RecordType::Amendment => vec![(Column::Amendments, record_key(log, index))],
        RecordType::Notification => {
            let Some((id, re)) = id_and_references(record) else { return Vec::new() };
            // Few notes refer to others. These are read in full, so that nobody can fill another's list of replies
            // with what is no notification.
            let re = if re.is_empty() || note_id(kind, record).is_none() { Vec::new() } else { re };
            let reply = |r: Reference| treaty.find(&r.log).map(|to| reply_key(to, r.index, log, index));
            let replies = re.into_iter().filter_map(reply).map(|key| (Column::Replies, key));
            let mut keys: Vec<_> = std::iter::once((Column::Ids, id_key(log, &id, index))).chain(replies).collect();
            // A note may name one record twice.
            keys.sort_unstable_by(|a, b| a.1.cmp(&b.1));
            keys.dedup();
            keys
        }
        RecordType::Receipt | RecordType::Evidence => Vec::new(),
    }
}

/// The id and the references of a notification, read off their places in its canonical text.
///
/// Keys of canonical JSON are sorted, so `id`, `re` and `to` stand in this order near the end; inside a string every
/// quotation mark has a backslash before it, and what follows `id` holds no such keys further down. Each valid
/// notification is therefore read rightly from its end. What is none may be read as well: a hint too many.
fn id_and_references(record: &[u8]) -> Option<(NoteId, Vec<Reference>)> {
    let (_, payload) = std::str::from_utf8(record).ok()?.split_once('\n')?;
    let (text, _) = payload.rsplit_once("\n\n")?;
    let (text, _) = text.rsplit_once(",\"to\":[")?;
    let (text, re) = text.rsplit_once(",\"re\":")?;
    let (_, rest) = text.rsplit_once(",\"id\":\"")?;
    let id = NoteId::parse(rest.get(..32)?)?;
    let references = if re == "[]" { Vec::new() } else { serde_json::from_str(re).ok()? };
    Some((id, references))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ledger::{Notification, Record, Timestamp};
    use crate::tlog::Hash;

    /// Texts made of the very words that the reader looks for.
    fn misleading() -> impl Strategy<Value = String> {
        let parts = vec![",\"id\":\"", ",\"re\":[", ",\"to\":[", "0123456789abcdef0123456789abcdef", "\\", "\"", "x"];
        prop::collection::vec(prop::sample::select(parts), 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn every_valid_notification_is_read_as_the_full_reader_reads_it(
            text in misleading(), id in any::<[u8; 16]>(), re in prop::collection::vec((0u64..1 << 53, any::<[u8; 32]>()), 0..4),
        ) {
            let nested = json!({"id": "ffffffffffffffffffffffffffffffff", "re": [], "to": ["X"], "text": text});
            let notification = Notification {
                attachments: Vec::new(),
                body: json!({"a": 1, "id": "00000000000000000000000000000000", "z": nested}).as_object().unwrap().clone(),
                from: "RU".into(),
                id: NoteId(id),
                issued: Timestamp::from_posix(1_600_000_000),
                kind: "remark".into(),
                ledger: Hash([2; 32]),
                re: re.into_iter().map(|(index, leaf)| Reference { index, leaf: Hash(leaf), log: "US".into() }).collect(),
                to: vec!["CA".into()],
            };
            let payload = format!("{}\n— name AAAAAAA=\n", notification.to_text());
            let record = Record {
                index: 0, log: "l/RU", prev: Hash([0; 32]), time: Timestamp::default(),
                kind: RecordType::Notification, payload: payload.as_bytes(),
            };
            let bytes = record.to_bytes().unwrap();
            prop_assert_eq!(id_and_references(&bytes), Some((notification.id, notification.re.clone())));
            let (_, full) = Notification::of_note(record.payload).unwrap();
            prop_assert_eq!(full, notification);
        }
    }
}
