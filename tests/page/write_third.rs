//! The third folder of golden files: a log that forked, and whose party's root accepted both branches. Made of the kept
//! vectors of restart certificates, and bent.

use verbale::ledger::{Evidence, Treaty};
use verbale::tlog::Hash;

use crate::common::bend::bent_note;
use crate::write::{Golden, put};

pub const TREATY: &str = include_str!("../vectors/restart-treaty.toml");

pub fn golden() -> Vec<Golden> {
    let mut out = Vec::new();
    let ledger = Treaty::parse(TREATY.as_bytes()).unwrap().hash();
    let other = include_bytes!("../vectors/restart-other.tlog-proof");
    let kept = include_bytes!("../vectors/restart-kept.tlog-proof");
    let after = include_bytes!("../vectors/restart-after.tlog-proof");
    put(&mut out, "restart/kept", "sound", "stands on the branch that goes on", kept.to_vec());
    put(&mut out, "restart/after", "sound", "accepted both as its own", after.to_vec());
    put(&mut out, "restart/other", "reserved", "was sent all the same", other.to_vec());
    let path = Evidence::parse(kept, &ledger).unwrap().restarts[0].path.clone();
    let mut bend = |name: &str, outcome, words, change: &dyn Fn(&mut Evidence)| {
        let mut evidence = Evidence::parse(other, &ledger).unwrap();
        change(&mut evidence);
        let bytes = evidence.to_bytes(&ledger);
        assert_ne!(bytes, other, "{name}");
        put(&mut out, &format!("restart/{name}"), outcome, words, bytes);
    };
    bend("without-its-certificate", "reserved", "do not make the treaty's quorum", &|e| e.restarts.clear());
    bend("roots-signature-changed", "refused", "restarts[0]", &|e| {
        e.restarts[0].certificate = bent_note(&e.restarts[0].certificate, 0);
    });
    bend("parting-elsewhere", "refused", "restarts[0]", &|e| {
        e.restarts[0].certificate = e.restarts[0].certificate.replacen("\"common\":9", "\"common\":8", 1);
    });
    bend("one-leaf-twice", "refused", "restarts[0]", &|e| {
        let note = &mut e.restarts[0].certificate;
        let at = note.find("\"kept_leaf\":\"").unwrap() + 13;
        let kept = note[at..at + 64].to_owned();
        let at = note.find("\"other_leaf\":\"").unwrap() + 14;
        note.replace_range(at..at + 64, &kept);
    });
    bend("path-changed", "refused", "restarts[0]", &|e| e.restarts[0].path[0].0[0] ^= 1);
    bend("path-longer", "refused", "restarts[0]", &|e| e.restarts[0].path.push(Hash([0; 32])));
    bend("path-to-the-kept-head", "refused", "restarts[0]", &|e| e.restarts[0].path.clone_from(&path));
    bend("twice", "refused", "restarts[1]", &|e| e.restarts.push(e.restarts[0].clone()));
    out
}
