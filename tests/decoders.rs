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
use verbale::ledger::{Evidence, ForkProof, Keyring, Record};
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};
use verbale::tlog::{AddCheckpoint, Checkpoint, Hash, write_bundle};

/// Valid input of every kind, most of it cut out of a golden evidence file.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let proof = include_bytes!("vectors/remark.tlog-proof").to_vec();
        let evidence = Evidence::parse(&proof, &decoders::treaty().hash()).unwrap();
        let mut samples = messages(&evidence);
        samples.extend(texts(&evidence));
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
        Response::Heads { time_ms: 1, heads: vec![checkpoint.clone()] }.to_bytes(),
        Response::Records { log: 0, from: 1, records, checkpoint: checkpoint.clone(), proof: proof.clone() }.to_bytes(),
        Response::Attested { log: 3, note: checkpoint.clone() }.to_bytes(),
        Response::Proof { log: 2, old: 1, root, checkpoint, proof }.to_bytes(),
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
    let decoders: BTreeSet<_> = decoders::ALL.iter().map(|(name, _)| format!("{name}.rs")).collect();
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
