//! Witnesses of other logs, and outside witnesses of a party's log.

use std::fs;
use std::process::Command;

use verbale::note::{KeyType, SignedNote, SigningKey};
use verbale::tlog::{AddCheckpoint, Appender, Checkpoint, Cosignature, Hash, Tiles, consistency_proof};

use crate::http::{address, configure};
use crate::ledger::{Ledger, said};
use crate::servers::{Answer, get, send};

const NOTE: &str = "P0-3.tlog-proof";

fn key() -> SigningKey {
    SigningKey::from_seed("example.org/log", KeyType::Ed25519, &[9; 32]).unwrap()
}

fn leaf(n: u64) -> Hash {
    Hash::digest(&n.to_be_bytes())
}

fn request(old: u64, size: u64, proof: Vec<Hash>) -> AddCheckpoint {
    let mut edge = Appender::default();
    (0..size).for_each(|n| edge.push(leaf(n), &mut Vec::new()));
    let head = Checkpoint { origin: "example.org/log".into(), size, root: edge.root() };
    AddCheckpoint { old, proof, checkpoint: head.sign(&key()).unwrap() }
}

fn post(base: &str, body: &[u8]) -> Answer {
    send("POST", &format!("{base}/add-checkpoint"), &[], body)
}

/// A key for a party's node to witness other logs with; its text.
fn outside_key(ledger: &Ledger, party: usize, name: &str) -> String {
    let made = ledger.run(party, &["keys", "outside", "--plain", "--name", name, "--json"]);
    assert!(made.status.success(), "{}", said(&made).1);
    let value: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    value["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_node_witnesses_other_logs_with_the_standards_status_codes() {
    let mut ledger = Ledger::new(2);
    let vkey = outside_key(&ledger, 0, "witness.example/p0");
    let witness = verbale::note::VerifierKey::parse(&vkey).unwrap();
    configure(
        &ledger,
        0,
        &format!(
            "[public]\nlisten = \"127.0.0.1:0\"\nwitness_key = \"keys/outside.key\"\n[[public.log]]\nvkey = \"{}\"\n",
            key().public()
        ),
    );
    (0..2).for_each(|party| ledger.start(party, &[]));
    ledger.until_signing();
    ledger.submit(0, ledger.trial.grant(0)).unwrap();
    let base = address(&ledger, 0);
    let hash = |origin: &str| Hash::digest(origin.as_bytes()).to_hex();
    let kept = format!("{base}/{}/checkpoint", hash("example.org/log"));
    assert_eq!(get(&kept).status, 404);

    assert_eq!(post(&base, b"old 1\n").status, 400);
    assert_eq!(post(&base, &request(9, 3, vec![]).to_bytes()).status, 400);
    assert_eq!(post(&base, &vec![b'x'; 1 << 20]).status, 413);
    let other = SigningKey::from_seed("example.org/log", KeyType::Ed25519, &[8; 32]).unwrap();
    let mut forged = request(0, 2, vec![]);
    forged.checkpoint = SignedNote::new(forged.checkpoint.text().to_owned()).unwrap();
    forged.checkpoint.sign(&other);
    assert_eq!(post(&base, &forged.to_bytes()).status, 403);
    let unknown =
        String::from_utf8(request(0, 2, vec![]).to_bytes()).unwrap().replace("example.org/log\n2", "x.org\n2");
    assert_eq!(post(&base, unknown.as_bytes()).status, 404);

    let first = request(0, 2, vec![]);
    let cosigned = post(&base, &first.to_bytes());
    assert_eq!(cosigned.status, 200);
    let note = SignedNote::parse(&[first.checkpoint.to_bytes(), cosigned.body].concat()).unwrap();
    assert!(Cosignature::verify(&note, &witness).unwrap().time > 1_700_000_000);
    let conflict = post(&base, &request(0, 3, vec![]).to_bytes());
    assert_eq!((conflict.status, conflict.header("content-type").as_str()), (409, "text/x.tlog.size"));
    assert_eq!(conflict.body, b"2\n");
    assert_eq!(post(&base, &request(2, 3, vec![leaf(9)]).to_bytes()).status, 422);
    // The memory outlives the process.
    ledger.kill(0);
    ledger.start(0, &[]);
    ledger.until_signing();
    ledger.until("it listens again", || ledger.log(0).matches("the logs are public").count() == 2);
    let base = address(&ledger, 0);
    assert_eq!(post(&base, &request(0, 3, vec![]).to_bytes()).status, 409);
    assert_eq!(post(&base, &request(2, 3, vec![leaf(2)]).to_bytes()).status, 200);
    let kept = get(&format!("{base}/{}/checkpoint", hash("example.org/log")));
    let note = SignedNote::parse(&kept.body).unwrap();
    assert_eq!(Checkpoint::verify(&note, key().public()).unwrap().size, 3);
    Cosignature::verify(&note, &witness).unwrap();

    // A log of the ledger: the engine's own word, and nothing for this party's own log.
    let about = |party: usize, old: u64| {
        let head = get(&format!("{base}/bench/P{party}/latest")).body;
        let checkpoint = SignedNote::parse(&head).unwrap();
        post(&base, &AddCheckpoint { old, proof: vec![], checkpoint }.to_bytes())
    };
    assert_eq!(about(0, 0).status, 404);
    ledger.until_settled();
    let answered = about(1, 0);
    // Nothing is receipted because a stranger asks: the size of the last receipt tells what it was.
    let answered = match answered.status {
        409 => about(1, String::from_utf8(answered.body).unwrap().trim().parse().unwrap()),
        _ => answered,
    };
    assert!([200, 503].contains(&answered.status), "{}", answered.status);
    ledger.nobody_forked();
    ledger.all_sound();
}

#[test]
fn whoever_asks_for_cosignatures_from_outside_makes_no_log_grow() {
    let mut ledger = Ledger::new(3);
    (0..3).for_each(|party| configure(&ledger, party, "[public]\nlisten = \"127.0.0.1:0\"\n"));
    (0..3).for_each(|party| ledger.start(party, &[]));
    ledger.until_signing();
    ledger.submit(0, ledger.trial.grant(0)).unwrap();
    ledger.submit(1, ledger.trial.grant(1)).unwrap();
    ledger.until_settled();
    // The last of its log: a head that the others have cosigned, and that has not grown by receipts since.
    ledger.submit(0, ledger.trial.note(0, 1)).unwrap();
    ledger.until_settled();
    let bases: Vec<_> = (0..3).map(|party| address(&ledger, party)).collect();
    let held = || -> Vec<u64> { ledger.status(0).unwrap().logs.iter().map(|log| log.records).collect() };
    let before = held();
    // As the attack goes: each node is asked for each other log's newest head, as a stranger reads it.
    let mut cosigned = 0;
    for _ in 0..20 {
        for (at, base) in bases.iter().enumerate() {
            for log in (0..3).filter(|log| *log != at) {
                let head = get(&format!("{base}/bench/P{log}/latest"));
                if head.status != 200 {
                    continue;
                }
                let checkpoint = SignedNote::parse(&head.body).unwrap();
                let size = Checkpoint::parse(checkpoint.text()).unwrap().size;
                // The right old size is in the answer; a stranger has the proof from the tiles. A head of just that size
                // needs none.
                let ask = |old| AddCheckpoint { old, proof: vec![], checkpoint: checkpoint.clone() };
                let mut answer = post(base, &ask(0).to_bytes());
                if answer.status == 409 {
                    let last: u64 = String::from_utf8(answer.body).unwrap().trim().parse().unwrap();
                    let proof = if last < size { proof(base, log, last, size) } else { Vec::new() };
                    answer = post(base, &AddCheckpoint { old: last, proof, ..ask(0) }.to_bytes());
                }
                assert!([200, 503].contains(&answer.status), "{}", answer.status);
                cosigned += usize::from(answer.status == 200);
            }
        }
    }
    assert!(cosigned > 0, "what is receipted already is cosigned");
    ledger.until_settled();
    assert_eq!(held(), before, "an idle ledger has grown because strangers asked");
    ledger.nobody_forked();
    ledger.all_sound();
}

/// The proof that the tree of a log at a size extends that at a smaller one, from the published leaves.
fn proof(base: &str, log: usize, old: u64, size: u64) -> Vec<Hash> {
    let leaves = get(&format!("{base}/bench/P{log}/tile/0/000.p/{size}")).body;
    let tiles = |level: u8, n: u64| -> Vec<Hash> {
        assert_eq!((level, n), (0, 0), "a small log");
        leaves.chunks(32).map(|leaf| Hash(leaf.try_into().unwrap())).collect()
    };
    consistency_proof(&Leaves(tiles), old, size).unwrap().unwrap()
}

struct Leaves<F>(F);

impl<F: Fn(u8, u64) -> Vec<Hash>> Tiles for Leaves<F> {
    type Error = std::convert::Infallible;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Self::Error> {
        Ok((self.0)(level, n))
    }
}

#[test]
fn an_outside_witness_is_in_the_evidence_and_counts_for_whoever_knows_it() {
    // The other ledger's first party witnesses this ledger's first party.
    let (mut ours, mut theirs) = (Ledger::new(2), Ledger::new(1));
    let witness = outside_key(&theirs, 0, "witness.example/university");
    let log = ours.trial.treaty().party(0).log.to_string();
    // An address of its own, so that it can go away and come back.
    let port = verbale::cli::online::loopback::free_port().unwrap();
    configure(
        &theirs,
        0,
        &format!(
            "[public]\nlisten = \"127.0.0.1:{port}\"\nwitness_key = \"keys/outside.key\"\n\
             [[public.log]]\nvkey = \"{log}\"\n"
        ),
    );
    theirs.start(0, &["--sign-without-peers"]);
    let base = address(&theirs, 0);
    configure(
        &ours,
        0,
        &format!("[public]\nlisten = \"127.0.0.1:0\"\n[[public.witness]]\nurl = \"{base}\"\nvkey = \"{witness}\"\n"),
    );
    (0..2).for_each(|party| ours.start(party, &[]));
    ours.until_signing();
    ours.submit(0, ours.trial.grant(0)).unwrap();
    // The witness is away when the note is sent; its head is submitted until it is cosigned.
    theirs.kill(0);
    let accepted = ours.submit(0, ours.trial.note(0, 1)).unwrap();
    ours.until_settled();
    theirs.start(0, &["--sign-without-peers"]);
    let number = format!("P0/{}", accepted.index);
    let prove = || {
        let output = ours.trial.home(0).join(NOTE);
        let proved = ours.run(0, &["prove", &number, "--output", output.to_str().unwrap()]);
        assert!(proved.status.success(), "{}", said(&proved).1);
        fs::read(output).unwrap()
    };
    ours.until("the outside witness has cosigned", || {
        let proof = prove();
        let evidence = verbale::ledger::Evidence::parse(&proof, &ours.trial.treaty().hash()).unwrap();
        !evidence.outside.is_empty()
    });
    let proof = ours.trial.home(0).join(NOTE);
    let verify = |more: &[&str]| {
        let args = [&["verify", proof.to_str().unwrap()], more].concat();
        let output = ours.run(0, &args);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = verify(&[]);
    assert!(code == 0 && text.contains("That is worth as much as the key"), "{text}");
    let (code, text) = verify(&["--witness", &witness]);
    assert!(code == 0 && text.contains("witness.example/university, which you trust"), "{text}");
    let stranger = SigningKey::from_seed("w.example/x", KeyType::Cosignature, &[5; 32]).unwrap().public().to_string();
    let (code, text) = verify(&["--witness", &stranger]);
    assert!(code == 1 && text.contains("There is no cosignature by the outside witness w.example/x"), "{text}");
    // It stands on a published head.
    let base = address(&ours, 0);
    let shown = |file: &str| String::from_utf8(get(&format!("{base}/bench/P0/{file}")).body).unwrap();
    ours.until("it is on a published head", || {
        ["checkpoint", "latest"].iter().any(|file| shown(file).contains("— witness.example/university "))
    });
    second_verifier(&ours, &proof);
    ours.nobody_forked();
    ours.all_sound();
    theirs.all_sound();
}

/// The verifier that shares no line with this program reads the same file.
fn second_verifier(ledger: &Ledger, proof: &std::path::Path) {
    let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        return println!("SKIPPED: the second verifier needs Python 3.11 and its package cryptography");
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let home = ledger.trial.home(0);
    let mut command = Command::new("python3");
    command.arg(script).arg(home.join("treaty.toml")).arg(home.join("profile.toml")).arg(proof);
    let output = command.output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["verified"], true, "{value}");
    assert_eq!(value["outside"][0][0], "witness.example/university", "{value}");
}
