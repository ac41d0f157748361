//! Notifications as people see them: read from stored records, with the profile's words and the receipts.

use std::cell::OnceCell;

use serde::Deserialize;

use super::routes::party_view;
use super::view::{NoteDetail, NoteView, ReceiptView};
use crate::daemon::Handle;
use crate::ledger::{
    Adoption, Credentials, Notification, Record, RecordType, Restart, Timestamp, Validity, astray, check_notification,
};
use crate::node::{LogId, Read, ReadError, ReceiptEntry, adoption, final_size};
use crate::tlog::{Hash, leaf_hash};

/// Most replies that are shown with a note.
const MAX_REPLIES: usize = 256;
/// Arrivals looked at in one go.
const PAGE: u64 = 512;

/// Which notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Folder {
    /// Addressed to this party by others.
    Inbox,
    /// Sent by this party.
    Sent,
    /// Every party's.
    All,
}

/// Reads notes for one request.
pub(super) struct Notes<'a> {
    handle: &'a Handle,
    /// By log, read when the first of its notes is looked at: a party may have logged any number of them.
    credentials: Vec<OnceCell<Credentials>>,
    /// The same, of the amendments that hold.
    adoptions: Vec<OnceCell<Adoption>>,
}

impl<'a> Notes<'a> {
    pub fn new(handle: &'a Handle) -> Self {
        let parties = handle.treaty.parties().len();
        Self { handle, credentials: vec![OnceCell::new(); parties], adoptions: vec![OnceCell::new(); parties] }
    }

    fn adoption(&self, log: LogId) -> Result<&Adoption, ReadError> {
        let cell = &self.adoptions[log];
        if let Some(adoption) = cell.get() {
            return Ok(adoption);
        }
        let adoption = adoption(log, &mut self.handle.treaty.clone(), &*self.handle.store)?;
        Ok(cell.get_or_init(|| adoption))
    }

    fn credentials(&self, log: LogId) -> Result<&Credentials, ReadError> {
        let cell = &self.credentials[log];
        if let Some(credentials) = cell.get() {
            return Ok(credentials);
        }
        let (store, treaty) = (&self.handle.store, &self.handle.treaty);
        // Where keys end by the log's clock, each record's time matters: those of the last records are read here.
        let size = store.size(log)?;
        let near = |(_, from): &(Credentials, u64)| *from <= size && size - from <= PAGE;
        if let Some((mut credentials, from)) = self.handle.officials(log).filter(near) {
            for bytes in store.records(log, from, size - from, usize::MAX)? {
                if let Ok(record) = Record::parse(&bytes) {
                    credentials.apply(&record, log, treaty);
                }
            }
            return Ok(cell.get_or_init(|| credentials));
        }
        let mut credentials = Credentials::default();
        for index in store.credentials(log)? {
            if let Some(bytes) = store.record(log, index)?
                && let Ok(record) = Record::parse(&bytes)
            {
                credentials.apply(&record, log, treaty);
            }
        }
        Ok(cell.get_or_init(|| credentials))
    }

    /// The newest notes by order of arrival, before a place in it.
    pub fn newest(&self, folder: Folder, before: Option<u64>, limit: usize) -> Result<Vec<NoteView>, ReadError> {
        let store = &self.handle.store;
        let me = &self.handle.treaty.party(self.handle.me).code;
        let mut found = Vec::new();
        let mut end = before.unwrap_or(u64::MAX).min(store.arrivals_end());
        while found.len() < limit && end > 0 {
            let from = end.saturating_sub(PAGE);
            for arrival in store.arrivals(from, (end - from) as usize)?.into_iter().rev() {
                let own = arrival.log == self.handle.me;
                if (folder == Folder::Inbox && own) || (folder == Folder::Sent && !own) || found.len() == limit {
                    continue;
                }
                let Some(mut view) = self.view(arrival.log, arrival.index)? else { continue };
                if folder == Folder::Inbox && !view.to.iter().any(|to| to == me || to == "*") {
                    continue;
                }
                view.arrived = Some(Timestamp::from_posix(arrival.time_ms / 1000));
                view.sequence = arrival.sequence;
                found.push(view);
            }
            end = from;
        }
        Ok(found)
    }

    /// A notification as it stands in a list; `None` if the record is something else.
    pub fn view(&self, log: LogId, index: u64) -> Result<Option<NoteView>, ReadError> {
        let Some(bytes) = self.handle.store.record(log, index)? else { return Ok(None) };
        Ok(self.read(log, index, &bytes)?.map(|(view, ..)| view))
    }

    fn read(
        &self,
        log: LogId,
        index: u64,
        bytes: &[u8],
    ) -> Result<Option<(NoteView, Notification, Validity)>, ReadError> {
        let Ok(record) = Record::parse(bytes) else { return Ok(None) };
        if record.kind != RecordType::Notification {
            return Ok(None);
        }
        let Ok((_, notification)) = Notification::of_note(record.payload) else { return Ok(None) };
        let (treaty, profile) = (&self.handle.treaty, &self.handle.profile);
        let code = &treaty.party(log).code;
        let adoption = self.adoption(log)?;
        let credentials = self.credentials(log)?;
        let at = adoption.at(index);
        let earlier = self.handle.store.note(log, &notification.id)?.filter(|earlier| *earlier < index);
        let mut validity = check_notification(&record, log, at, treaty, Some(profile), credentials, |_| earlier);
        validity.marks.extend(astray(&notification, treaty, |log, index| self.leaf(log, index))?);
        let receipted = self.receipted(log, index)?;
        let view = NoteView {
            number: format!("{code}/{index}"),
            party: code.clone(),
            index,
            id: notification.id.to_string(),
            kind: notification.kind.clone(),
            title: profile.kind.get(&notification.kind).map_or(notification.kind.clone(), |kind| kind.title.clone()),
            from: notification.from.clone(),
            to: notification.to.clone(),
            issued: notification.issued,
            logged: record.time,
            arrived: None,
            re: notification.re.iter().map(|re| format!("{}/{}", re.log, re.index)).collect(),
            is_final: final_size(treaty, adoption, &receipted) > index,
            receipts: receipted.iter().filter(|size| **size > index).count(),
            others: treaty.parties().len() - 1,
            marks: validity.marks.clone(),
            sequence: 0,
        };
        Ok(Some((view, notification, validity)))
    }

    /// The leaf hash of a record that is held; not where the log's root accepted another one at that place as well.
    fn leaf(&self, log: LogId, index: u64) -> Result<Option<Hash>, ReadError> {
        let (store, treaty) = (&self.handle.store, &self.handle.treaty);
        let parts = |note: &Vec<u8>| Restart::verify(note, log, treaty).is_ok_and(|restart| restart.common <= index);
        if store.restarts(log)?.iter().any(parts) {
            return Ok(None);
        }
        Ok(store.record(log, index)?.map(|bytes| leaf_hash(&bytes)))
    }

    /// By party: the size that its first receipt behind the record covers, or 0.
    fn receipted(&self, log: LogId, index: u64) -> Result<Vec<u64>, ReadError> {
        let receipted = |by| Ok(self.receipt(log, index, by)?.map_or(0, |entry| entry.size));
        (0..self.handle.treaty.parties().len()).map(receipted).collect()
    }

    /// A party's first receipt that covers a record, among those for heads whose records are held.
    fn receipt(&self, log: LogId, index: u64, by: LogId) -> Result<Option<ReceiptEntry>, ReadError> {
        let held = self.handle.store.size(log)?;
        Ok(self.handle.store.receipt_from(log, by, index + 1)?.filter(|entry| entry.size <= held))
    }

    /// A notification in full; `None` if the record is something else.
    pub fn detail(&self, log: LogId, index: u64, bytes: &[u8]) -> Result<Option<NoteDetail>, ReadError> {
        let Some((mut note, notification, validity)) = self.read(log, index, bytes)? else { return Ok(None) };
        let (handle, treaty) = (self.handle, &self.handle.treaty);
        if let Some(arrival) = handle.store.arrival(log, index)? {
            note.arrived = Some(Timestamp::from_posix(arrival.time_ms / 1000));
            note.sequence = arrival.sequence;
        }
        let (mut receipts_by, mut missing) = (Vec::new(), Vec::new());
        for by in (0..treaty.parties().len()).filter(|by| *by != log) {
            let code = &treaty.party(by).code;
            match self.receipt(log, index, by)? {
                Some(entry) => receipts_by.push(ReceiptView {
                    party: party_view(handle, by),
                    time: entry.time,
                    number: format!("{code}/{}", entry.index),
                }),
                None => missing.push(code.clone()),
            }
        }
        receipts_by.sort_by_key(|receipt| receipt.time);
        let mut replies = Vec::new();
        for (log, index) in handle.store.replies(log, index, MAX_REPLIES)? {
            replies.extend(self.view(log, index)?);
        }
        let kind = handle.profile.kind.get(&notification.kind);
        let fields = kind.into_iter().flat_map(|kind| &kind.fields);
        let payload = Record::parse(bytes).map(|record| record.payload).unwrap_or_default();
        Ok(Some(NoteDetail {
            note,
            leaf: leaf_hash(bytes).to_hex(),
            fields: fields.map(|field| (field.name.clone(), field.title.clone())).collect(),
            body: notification.body,
            attachments: notification.attachments,
            signers: validity.signers,
            receipts_by,
            missing,
            replies,
            signed: String::from_utf8_lossy(payload).into_owned(),
        }))
    }
}
