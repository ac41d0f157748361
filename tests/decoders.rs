//! Every decoder survives every byte string: garbage, and valid input with something done to it.

#[path = "../fuzz/decoders.rs"]
mod decoders;

use proptest::prelude::*;
use verbale::ledger::{Evidence, Record};
use verbale::node::message::{Gossip, HeadUpdate, Request, Response};

/// Valid input of every kind, cut out of a golden evidence file.
fn samples() -> Vec<Vec<u8>> {
    let proof = include_bytes!("vectors/remark.tlog-proof").to_vec();
    let evidence = Evidence::parse(&proof, &decoders::treaty().hash()).unwrap();
    let record = evidence.record.record.clone().into_bytes();
    let payload = Record::parse(&record).unwrap().payload.to_vec();
    let checkpoint = evidence.checkpoint.to_bytes();
    let path = evidence.record.path.clone();
    let records = vec![record.clone(), record.clone()];
    let mut samples = vec![
        Request::Heads { treaty: decoders::treaty().hash() }.to_bytes(),
        Request::Records { log: 1, from: 2, count: 3 }.to_bytes(),
        Response::Heads { time_ms: 1, heads: vec![checkpoint.clone()] }.to_bytes(),
        Response::Records { log: 0, from: 1, records: records.clone(), checkpoint: checkpoint.clone(), proof: path }
            .to_bytes(),
        Gossip { heads: vec![HeadUpdate { checkpoint: checkpoint.clone(), from: 3, records }] }.to_bytes(),
        evidence.checkpoint.text().as_bytes().to_vec(),
        decoders::treaty().party(0).log.to_string().into_bytes(),
        decoders::treaty().policy_text().into_bytes(),
        include_bytes!("vectors/treaty.toml").to_vec(),
        include_bytes!("vectors/profile.toml").to_vec(),
        proof,
        payload,
        record,
        checkpoint,
    ];
    for credential in &evidence.credentials {
        let record = Record::parse(credential.record.as_bytes()).unwrap();
        samples.push(record.payload.to_vec());
    }
    samples
}

fn drive(bytes: &[u8]) {
    for (_, decoder) in decoders::ALL {
        decoder(bytes);
    }
}

#[test]
fn each_decoder_reads_its_own_sample() {
    samples().iter().for_each(|sample| drive(sample));
    assert_eq!(decoders::ALL.len(), std::fs::read_dir("fuzz/fuzz_targets").unwrap().count(), "a target for each");
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
        let samples = samples();
        let mut bytes = which.get(&samples).clone();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert);
        drive(&bytes);
    }
}
