//! What a growing folder follows in the records: keys that change, and amendments of the treaty file.
//!
//! Both are functions of the records, so that a folder that is opened again finds them there.

use std::fs;
use std::io;
use std::path::Path;

use super::super::amendments;
use super::super::frame::write_frame;
use super::super::layout::{KEYS, POLICY, README, readme};
use super::{GrowError, Growing, put};
use crate::ledger::{Adoption, CredentialError, Keyring, MAX_AMENDMENTS, Profile, Record, RecordType, Treaty};

impl Growing {
    /// Writes the files that follow from the treaty with its amendments. Others of their names are no export's.
    pub(super) fn follows_from_treaty(&self) -> Result<(), GrowError> {
        let earlier: Vec<_> = (0..=self.treaty.number()).map(|number| self.treaty.with_first(number)).collect();
        type Text = fn(&Treaty) -> String;
        let texts: [(&str, Text); 2] = [(README, |treaty| readme(treaty, None)), (POLICY, Treaty::policy_text)];
        for (name, text) in texts {
            let path = self.folder.join(name);
            let expected = text(&self.treaty);
            match fs::read(&path) {
                Ok(found) if found == expected.as_bytes() => {}
                // It stopped between an amendment and what follows from it.
                Ok(found) if !earlier.iter().any(|treaty| text(treaty).as_bytes() == found) => {
                    return Err(GrowError::Other(path));
                }
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(GrowError::Io { path, source }),
                Ok(_) | Err(_) => put(&path, expected.as_bytes())?,
            }
        }
        Ok(())
    }

    /// Takes in what a record says of keys and of the treaty; the record continues its log.
    pub(super) fn absorb(&mut self, log: usize, record: &Record<'_>) -> Result<bool, GrowError> {
        let before = self.keys.party(log).changes().len();
        self.keys.party_mut(log).apply(record, &self.treaty);
        let number = self.treaty.number();
        let adoption = &mut self.adoptions[log];
        if record.kind == RecordType::Amendment {
            adoption.take(record.index, record.time, record.payload, &mut self.treaty);
        } else if adoption.waits(&self.treaty) {
            adoption.pass(record.index, record.time, &self.treaty);
        }
        if self.treaty.number() > number {
            self.keys.amend(&self.treaty);
            self.sealed_keys.amend(&self.treaty);
            let parties = self.treaty.parties().len();
            self.adoptions.resize(parties, Adoption::default());
            self.pending.resize(parties, Vec::new());
            let folder = self.folder.join(amendments::FOLDER);
            fs::create_dir_all(&folder).map_err(|source| GrowError::Io { path: folder, source })?;
            for (at, (note, _)) in self.treaty.amendments().enumerate().skip(number) {
                put(&self.folder.join(amendments::name(at + 1)), note)?;
            }
            self.follows_from_treaty()?;
        }
        Ok(self.keys.party(log).changes().len() > before)
    }

    /// A log's records up to its last head are its own word now, and so is what they say of its keys.
    pub(super) fn seal_keys(&mut self, log: usize) -> Result<(), GrowError> {
        let size = self.size(log);
        let mut history = self.keys.party(log).clone();
        history.forget_from(size);
        let changed = history.changes().len() != self.sealed_keys.party(log).changes().len();
        history.known_to(u64::MAX);
        *self.sealed_keys.party_mut(log) = history;
        let of = &self.logs[log];
        let sealed: Vec<_> = of.key_records.iter().filter(|(index, _)| *index < size).collect();
        let (count, path) = (sealed.len(), self.file(log, KEYS));
        if changed {
            self.rekeyed += 1;
            self.relist |= self.logs.iter().any(|log| log.sealed.edge.size() > 0);
        }
        if of.listed_keys == Some(count) || (count == 0 && !path.exists()) {
            return Ok(());
        }
        let mut list = Vec::new();
        for (index, bytes) in &sealed {
            write_frame(&mut list, "record", *index, bytes)
                .map_err(|source| GrowError::Io { path: path.clone(), source })?;
        }
        put(&path, &list)?;
        self.logs[log].listed_keys = Some(count);
        Ok(())
    }

    /// The parties' keys, as far as they are known.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// Takes in what a log's root has signed about its keys, wherever it is from; whether it is news.
    pub fn announce(&mut self, log: usize, note: &[u8]) -> Result<bool, CredentialError> {
        let treaty = self.treaty.clone();
        self.keys.party_mut(log).announce(note, &treaty)
    }

    /// Where the amendments hold in a log.
    pub fn adoption(&self, log: usize) -> &Adoption {
        &self.adoptions[log]
    }
}

/// The treaty with the amendments in a folder, each of which proves itself.
pub(super) fn amended(folder: &Path, treaty: Treaty, profile: &[u8]) -> Result<Treaty, GrowError> {
    let Ok(profile) = Profile::parse(profile) else { return Ok(treaty) };
    let mut treaty = treaty.governed_by(&profile);
    while treaty.number() < MAX_AMENDMENTS {
        let path = folder.join(amendments::name(treaty.number() + 1));
        match fs::read(&path) {
            // One that was not written to its end stands in the records as well.
            Ok(note) => match treaty.amended(&note) {
                Ok(amended) => treaty = amended,
                Err(_) => break,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(GrowError::Io { path, source }),
        }
    }
    Ok(treaty)
}
