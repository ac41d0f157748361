//! Every decoder survives every byte string: garbage, and valid input with something done to it.
//!
//! With `VERBALE_CORPUS=FOLDER` the valid input is written there as well, to begin fuzzing with.

mod common;
#[path = "../fuzz/decoders.rs"]
mod decoders;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use verbale::ledger::{
    Amendment, Change, Credential, Evidence, ForkProof, Grant, Keyring, NewKey, Record, Restart, Revocation, Role,
    Rotation, Timestamp,
};
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{AddCheckpoint, Checkpoint, Hash, write_bundle};

/// Valid input of every kind, most of it cut out of a golden evidence file.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let proof = include_bytes!("vectors/remark.tlog-proof").to_vec();
        let evidence = Evidence::parse(&proof, &decoders::treaty().hash()).unwrap();
        let mut samples = messages(&evidence);
        samples.extend(texts(&evidence));
        samples.extend(of_roots());
        samples.extend(certificates());
        samples.push(proof);
        samples
    })
}

/// Each message that nodes send each other.
fn messages(evidence: &Evidence) -> Vec<Vec<u8>> {
    let (record, checkpoint) = (evidence.record.record.clone().into_bytes(), evidence.checkpoint.to_bytes());
    let (treaty, root) = (decoders::treaty().hash(), Hash::digest(b"a root"));
    let (records, proof) = (vec![record.clone(), record], evidence.record.path.clone());
    let heads = vec![
        HeadUpdate { checkpoint: checkpoint.clone(), from: 3, records: records.clone() },
        HeadUpdate { checkpoint: checkpoint.clone(), from: 0, records: Vec::new() },
    ];
    vec![
        Request::Heads { treaty }.to_bytes(),
        Request::Records { log: 1, from: 2, count: 3 }.to_bytes(),
        Request::Proof { log: 1, old: 2 }.to_bytes(),
        Request::Attest { log: 3 }.to_bytes(),
        Request::Keys { log: 2 }.to_bytes(),
        Response::Heads { time_ms: 1, heads: vec![checkpoint.clone()] }.to_bytes(),
        Response::Records {
            log: 0,
            from: 1,
            records: records.clone(),
            checkpoint: checkpoint.clone(),
            proof: proof.clone(),
        }
        .to_bytes(),
        Response::Attested { log: 3, note: checkpoint.clone() }.to_bytes(),
        Response::Proof { log: 2, old: 1, root, checkpoint, proof }.to_bytes(),
        Response::Keys { log: 2, notes: of_roots() }.to_bytes(),
        Request::Restarts { log: 2 }.to_bytes(),
        Response::Restarts { log: 2, notes: certificates() }.to_bytes(),
        Request::Branch { log: 2, kept: 9, from: 3, count: 4 }.to_bytes(),
        Response::Branch { log: 2, kept: 9, from: 3, records: records.clone() }.to_bytes(),
        Response::OtherTreaty { treaty }.to_bytes(),
        Response::Nothing.to_bytes(),
        Gossip { heads }.to_bytes(),
    ]
}

/// A message in the treaty's form.
const MESSAGE: &str = "PRECEDENCE: NONE\nFROM: Russia (RU)\nTO: Canada (CA)\nINFO: ALL STATES PARTIES\nSUBJECT: Remark\n\
    1. MESSAGE NUMBER: RU/7\n2. MESSAGE DATE AND TIME: 2021-06-18 09:00:00 UTC\n3. TREATY REFERENCE: NONE\n\
    4. MESSAGE REFERENCE: US/2; CA/1\n5. CONTENT:\n   A. Text: (1) one (a) two\n6. REMARKS: NONE\n\
    7. END OF MESSAGE NUMBER: RU/7\n";

/// Files, records and what is signed in them.
fn texts(evidence: &Evidence) -> Vec<Vec<u8>> {
    let treaty_file = include_str!("vectors/treaty.toml");
    let mut samples = vec![
        treaty_file.as_bytes().to_vec(),
        treaty_file.split("[[party]]\n").nth(1).unwrap().as_bytes().to_vec(),
        include_bytes!("vectors/profile.toml").to_vec(),
        decoders::treaty().party(0).log.to_string().into_bytes(),
        decoders::treaty().policy_text().into_bytes(),
        b"2021-06-18T09:00:00Z".to_vec(),
        MESSAGE.as_bytes().to_vec(),
        "[0,-1,\"é\\n\",{\"a\":true,\"b\":[false]}]".as_bytes().to_vec(),
        evidence.checkpoint.text().as_bytes().to_vec(),
        evidence.checkpoint.to_bytes(),
        fork().to_text().into_bytes(),
        b"tile/0/x001/x234/067.p/12".to_vec(),
        b"tile/entries/000".to_vec(),
        write_bundle(&[evidence.record.record.as_bytes(), b"another"]).unwrap(),
        AddCheckpoint { old: 1, proof: vec![Hash::digest(b"a")], checkpoint: evidence.checkpoint.clone() }.to_bytes(),
    ];
    let anchors = evidence.anchors.iter().map(|anchor| &anchor.receipt);
    for included in evidence.credentials.iter().chain(anchors).chain([&evidence.record]) {
        let record = included.record.as_bytes();
        samples.push(record.to_vec());
        samples.push(Record::parse(record).unwrap().payload.to_vec());
    }
    samples
}

/// What a root signs: a grant for a time, a revocation, a rotation of each key; and, with other roots, an amendment.
fn of_roots() -> Vec<Vec<u8>> {
    let (ledger, party, issued) = (decoders::treaty().hash(), "RU".to_owned(), Timestamp::from_posix(common::START));
    let key = common::key(common::RU, "minister").public().clone();
    let reason = Some("Recalled".to_owned());
    let grant = Grant {
        from: Some(issued),
        issued,
        key: key.clone(),
        kinds: vec!["remark".into(), "acknowledgement".into()],
        ledger,
        party: party.clone(),
        title: "Minister".into(),
        until: Some(Timestamp::from_posix(common::START + 1_000)),
    };
    let later = |job| common::later_key(common::RU, job).public().clone();
    let peer = decoders::treaty().party(0).peer.clone();
    let rotate = |key, lost| {
        Credential::Rotate(Rotation { issued, key, ledger, lost, party: party.clone(), reason: reason.clone() })
    };
    let credentials = [
        Credential::Grant(grant),
        Credential::Revoke(Revocation { issued, key, ledger, party: party.clone(), reason: reason.clone() }),
        rotate(NewKey::Log(later("log")), false),
        rotate(NewKey::Witness(later("witness")), true),
        rotate(NewKey::Transport(peer), false),
    ];
    let root = common::key(common::RU, "root");
    let mut notes: Vec<_> = credentials.iter().map(|one| one.sign(&root).unwrap().to_bytes()).collect();
    let mut sweden = decoders::treaty().party(0).clone();
    (sweden.code, sweden.name) = ("SE".into(), "Sweden".into());
    let own = |job: &str, kind| {
        let name = if job == "log" { "trial/SE".to_owned() } else { format!("trial/SE/{job}") };
        SigningKey::from_seed(&name, kind, &Hash::digest(job.as_bytes()).0).unwrap()
    };
    sweden.root = own("root", KeyType::Ed25519).public().clone();
    sweden.log = own("log", KeyType::Ed25519).public().clone();
    sweden.witness = own("witness", KeyType::Cosignature).public().clone();
    sweden.peer = "12D3KooWTriedOutxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxSE".into();
    let addresses = vec!["/ip4/192.0.2.1/udp/4001/quic-v1".to_owned()];
    let status = |roles| Change::Status { party: "US".into(), roles, from: issued };
    let changes = vec![
        Change::Accede(Box::new(sweden)),
        Change::Addresses { party: "HU".into(), addresses },
        Change::Quorum(vec!["group few any CA HU SE".into(), "quorum few".into()]),
        status(vec![Role::Observer]),
        status(Vec::new()),
    ];
    let amendment = Amendment { changes, issued, ledger, number: 1, prev: ledger };
    let mut note = SignedNote::new(amendment.to_text()).unwrap();
    [common::CA, common::HU, common::RU].iter().for_each(|party| note.sign(&common::key(*party, "root")));
    note.sign(&own("root", KeyType::Ed25519));
    notes.push(note.to_bytes());
    notes
}

#[test]
fn what_roots_sign_is_read_and_the_amendment_holds() {
    let notes = of_roots();
    let (amendment, credentials) = notes.split_last().unwrap();
    assert!(credentials.iter().all(|note| decoders::credential(note)) && decoders::amendment(amendment));
    let treaty = decoders::treaty().clone().governed_by(&decoders::with_rule());
    assert_eq!(treaty.amended(amendment).map(|treaty| treaty.parties().len()), Ok(5));
}

/// Certificates that name two heads: with the records of the other branch, and without.
fn certificates() -> Vec<Vec<u8>> {
    let leaf = |of: &[u8]| Hash::digest(of);
    let certificate = |other_leaf, reason: Option<&str>| Restart {
        common: 2,
        fork: fork(),
        issued: Timestamp::from_posix(common::START),
        keeps_smaller: false,
        kept_leaf: leaf(b"kept"),
        ledger: decoders::treaty().hash(),
        other_leaf,
        party: "RU".into(),
        reason: reason.map(str::to_owned),
    };
    let both = [certificate(Some(leaf(b"other")), Some("An old copy was put back.")), certificate(None, None)];
    both.iter().map(|one| one.sign(&common::key(common::RU, "root")).unwrap().to_bytes()).collect()
}

#[test]
fn certificates_are_read() {
    assert!(certificates().iter().all(|note| decoders::restart(note)));
}

/// Two heads of one size that one log signed.
fn fork() -> ForkProof {
    let origin = decoders::treaty().origin(common::RU).to_owned();
    let head = |root| {
        let checkpoint = Checkpoint { origin: origin.clone(), size: 3, root: Hash::digest(root) };
        checkpoint.sign(&common::key(common::RU, "log")).unwrap()
    };
    ForkProof::new(
        &Keyring::new(decoders::treaty()),
        &head(b"one"),
        &head(b"other"),
        Hash::digest(b"other"),
        Vec::new(),
    )
    .unwrap()
}

fn drive(bytes: &[u8]) {
    for (_, decoder) in decoders::ALL {
        decoder(bytes);
    }
}

#[test]
fn each_decoder_reads_a_sample_of_its_own() {
    let corpus = std::env::var_os("VERBALE_CORPUS").map(PathBuf::from);
    for (name, decoder) in decoders::ALL {
        let read: Vec<_> = samples().iter().filter(|sample| decoder(sample)).collect();
        assert!(!read.is_empty(), "no sample is one for `{name}`: it would only be tried with garbage");
        let Some(folder) = corpus.as_ref().map(|corpus| corpus.join(name)) else { continue };
        std::fs::create_dir_all(&folder).unwrap();
        for sample in read {
            std::fs::write(folder.join(Hash::digest(sample).to_hex()), sample).unwrap();
        }
    }
}

#[test]
fn each_decoder_has_its_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(folder).unwrap();
    let targets: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    // The last ones read files; `tests/archives.rs` drives them.
    let of_files = ["archive", "export_records", "part_file"];
    let names = decoders::ALL.iter().map(|(name, _)| *name).chain(of_files);
    let decoders: BTreeSet<_> = names.map(|name| format!("{name}.rs")).collect();
    assert_eq!(targets, decoders);
    let manifest = include_str!("../fuzz/Cargo.toml");
    for target in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}\"")), "{target} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn the_example_of_the_protocol_page_is_what_is_sent() {
    let example = include_str!("../docs/protocol.md").lines().find_map(|line| line.strip_prefix("    02 ")).unwrap();
    let digits: Vec<_> = example.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let sent = Request::Records { log: 1, from: 2, count: 3 }.to_bytes();
    assert_eq!((2, digits.chunks(2).map(byte).collect()), (sent[0], sent[1..].to_vec()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        drive(&bytes);
    }

    #[test]
    fn damage_is_survived(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0usize..40,
        insert in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut bytes = which.get(samples()).clone();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert);
        drive(&bytes);
    }

    /// Two samples joined, where both are texts or both are messages: lengths and counts that do not fit.
    #[test]
    fn grafts_are_survived(
        stock in any::<prop::sample::Index>(),
        scion in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let (stock, scion) = (stock.get(samples()), scion.get(samples()));
        let mut bytes = stock[..at.index(stock.len())].to_vec();
        bytes.extend_from_slice(&scion[from.index(scion.len())..]);
        drive(&bytes);
    }
}
