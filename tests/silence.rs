//! Proof of silence: what it says is so, and nobody can cut an answer out of it or stretch it in time.

mod common;

use common::{CA, HU, Ledger, RU, US, key};
use verbale::law::{SilenceRules, State, silence_rules};
use verbale::ledger::{Change, Evidence, Profile, Reference, Silence, Timestamp, verify_evidence};
use verbale::node::{ProveError, Read, SilenceQuery, prove_silence};
use verbale::note::{Signature, SignedNote};
use verbale::tlog::{Hash, leaf_hash};

fn query(ledger: &Ledger, party: usize, attested: Vec<Vec<u8>>) -> SilenceQuery {
    let after = Timestamp::from_posix(ledger.now / 1000 - 3600);
    SilenceQuery { party, due: None, after, attested }
}

fn prove(ledger: &Ledger, by: usize, note: (usize, u64), query: &SilenceQuery) -> Result<Vec<u8>, ProveError> {
    prove_silence(&ledger.nodes[by].disk, &ledger.treaty, note.0, note.1, query).unwrap()
}

fn silence(ledger: &Ledger, bytes: &[u8]) -> Silence {
    verify_evidence(bytes, &ledger.treaty, Some(&ledger.profile)).unwrap().silence.unwrap()
}

fn refer(ledger: &Ledger, log: usize, index: u64) -> Reference {
    let record = ledger.nodes[log].disk.record(log, index).unwrap().unwrap();
    Reference { log: common::PARTIES[log].0.into(), index, leaf: leaf_hash(&record) }
}

/// Russia's note to Canada, which receives it and never answers; two days later the others say what they hold.
fn unanswered() -> (Ledger, u64, Vec<Vec<u8>>) {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.remark(RU, 2);
    let index = ledger.remark(RU, 3);
    ledger.remark(CA, 4);
    ledger.now += 2 * 86_400_000;
    ledger.settle();
    let attested = ledger.attest(&[HU, RU, US], CA);
    (ledger, index, attested)
}

#[test]
fn silence_is_shown_until_a_quorum_last_saw_the_log() {
    let (ledger, index, attested) = unanswered();
    assert_eq!(attested.len(), 3);
    let bytes = prove(&ledger, RU, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let shown = silence(&ledger, &bytes);
    assert!(shown.is_silent());
    assert_eq!((shown.party.as_str(), shown.to), ("CA", ledger.nodes[RU].disk.size(CA).unwrap()));
    assert!(shown.from > 0, "Russia had receipted Canada's log before");
    let seen: Vec<_> = shown.seen_by.iter().map(|seen| seen.party.as_str()).collect();
    assert_eq!(seen, ["HU", "RU", "US"]);
    let late = common::START + 2 * 86_400;
    assert!(shown.as_of.unwrap().posix() > late, "as of two days later");
    assert!(shown.received.unwrap().posix() < late, "received at once");
    let verdict = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
    let text = verdict.sentences(&ledger.treaty, Some(&ledger.profile)).join("\n");
    assert!(text.contains("Canada had not answered"), "{text}");
    assert!(verdict.not_proven.iter().any(|gap| gap.contains("in another way than by a note in its log")));
    assert_eq!(Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap().to_bytes(&ledger.treaty.hash()), bytes);
}

#[test]
fn any_other_party_can_show_it_as_well() {
    let (ledger, index, attested) = unanswered();
    for by in [HU, US, CA] {
        let bytes = prove(&ledger, by, (RU, index), &query(&ledger, CA, attested.clone())).unwrap();
        assert!(silence(&ledger, &bytes).is_silent());
    }
}

#[test]
fn an_answer_is_found_and_cannot_be_cut_out() {
    let mut ledger = Ledger::new();
    let index = ledger.remark(RU, 3);
    let answer = ledger.reply(CA, 4, "minister", vec![refer(&ledger, RU, index)]);
    let answered = ledger.submit(CA, answer).unwrap().index;
    ledger.now += 86_400_000;
    ledger.settle();
    let attested = ledger.attest(&[HU, US], CA);
    let bytes = prove(&ledger, RU, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let shown = silence(&ledger, &bytes);
    assert_eq!((shown.answers.len(), shown.answers[0].index, shown.answers[0].kind.as_str()), (1, answered, "remark"));
    let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
    assert!(!verdict.sentences(&ledger.treaty, None).join(" ").contains("had not answered"));

    let hash = ledger.treaty.hash();
    let original = Evidence::parse(&bytes, &hash).unwrap();
    let records = original.silence.as_ref().unwrap().records.len();
    let bend = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = original.clone();
        change(&mut evidence);
        verify_evidence(&evidence.to_bytes(&hash), &ledger.treaty, None).map(|_| ()).unwrap_err().to_string()
    };
    for at in 0..records {
        let cut = bend(&|e| drop(e.silence.as_mut().unwrap().records.remove(at)));
        assert!(cut.contains("silence.records"), "{cut}");
        let other = bend(&|e| {
            let records = &mut e.silence.as_mut().unwrap().records;
            records[at] = records[at].replace("\"time\":\"2021", "\"time\":\"2020");
        });
        assert!(other.contains("silence.records"), "{other}");
    }
    // An earlier head than the one that was cosigned, and one without anybody's cosignature.
    let shorter = bend(&|e| drop(e.silence.as_mut().unwrap().records.pop()));
    assert!(shorter.contains("silence.records"), "{shorter}");
    // Beginning later, behind the answer, with whatever roots.
    let later = bend(&|e| {
        let part = e.silence.as_mut().unwrap();
        part.roots = vec![Hash([7; 32]); part.roots.len()];
    });
    assert!(later.contains("silence.roots") || later.contains("silence.records"), "{later}");
    let without = bend(&|e| {
        let part = e.silence.as_mut().unwrap();
        part.since = None;
    });
    assert!(without.contains("silence."), "{without}");
    let other_party = bend(&|e| e.silence.as_mut().unwrap().party = "HU".into());
    assert!(other_party.contains("silence."), "{other_party}");
    let own = bend(&|e| e.silence.as_mut().unwrap().party = "RU".into());
    assert!(own.contains("silence.party"), "{own}");
}

#[test]
fn a_time_cannot_be_stretched_and_a_stranger_does_not_count() {
    let (ledger, index, attested) = unanswered();
    let bytes = prove(&ledger, RU, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let hash = ledger.treaty.hash();
    let original = Evidence::parse(&bytes, &hash).unwrap();
    let head = &original.silence.as_ref().unwrap().head;
    for at in 0..head.signatures().len() {
        let mut lines = head.signatures().to_vec();
        lines[at].bytes[7] ^= 1;
        let mut note = SignedNote::new(head.text().to_owned()).unwrap();
        lines.into_iter().for_each(|line| note.add(line));
        let mut evidence = original.clone();
        evidence.silence.as_mut().unwrap().head = note;
        let error = verify_evidence(&evidence.to_bytes(&hash), &ledger.treaty, None).unwrap_err().to_string();
        assert!(error.contains("silence.head"), "{error}");
    }
    // Fewer than a quorum, nobody, or a quorum with the sender, who claims it: the file verifies, and shows no silence.
    assert!(verify_evidence(&bytes, &ledger.treaty, None).unwrap().is_sound());
    let seen_by = |parties: &[usize]| {
        let of_these = |line: &&Signature| parties.iter().any(|party| line.is_by(key(*party, "witness").public()));
        let mut note = SignedNote::new(head.text().to_owned()).unwrap();
        note.add(head.signatures()[0].clone());
        head.signatures().iter().skip(1).filter(of_these).for_each(|line| note.add(line.clone()));
        let mut evidence = original.clone();
        evidence.silence.as_mut().unwrap().head = note;
        verify_evidence(&evidence.to_bytes(&hash), &ledger.treaty, None).unwrap()
    };
    assert!(seen_by(&[HU, US]).is_sound(), "two parties, one of them a depositary, and neither the sender");
    for (parties, said) in [
        (&[HU][..], "these are not a quorum: that Canada did not answer is the word of each of them alone"),
        (&[HU, RU], "Without Russia these are not a quorum"),
        (&[], "Nobody vouches for it that the log had no more: that Canada did not answer is not shown"),
    ] {
        let verdict = seen_by(parties);
        assert_eq!(verdict.silence.as_ref().unwrap().as_of, None);
        let text = verdict.sentences(&ledger.treaty, None).join(" ");
        assert!(text.contains(said) && !text.contains("had not answered") && !verdict.is_sound(), "{text}");
    }
}

#[test]
fn a_party_that_has_not_even_received_it_is_said_to_have_no_receipt() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    ledger.online(&[HU, RU, US]);
    let index = ledger.remark(RU, 2);
    ledger.now += 86_400_000;
    ledger.settle();
    let attested = ledger.attest(&[HU, RU, US], CA);
    let bytes = prove(&ledger, US, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let shown = silence(&ledger, &bytes);
    assert!(shown.is_silent() && shown.received.is_none() && shown.as_of.is_some());
    let verdict = verify_evidence(&bytes, &ledger.treaty, None).unwrap();
    assert!(verdict.sentences(&ledger.treaty, None).join(" ").contains("No receipt by Canada"));
}

#[test]
fn what_was_seen_before_the_moment_that_counts_does_not_count() {
    let (mut ledger, index, attested) = unanswered();
    let mut query = query(&ledger, CA, Vec::new());
    assert_eq!(prove(&ledger, RU, (RU, index), &query), Err(ProveError::NotSeen));
    query.attested = attested;
    query.after = Timestamp::from_posix(ledger.now / 1000 + 1);
    assert_eq!(prove(&ledger, RU, (RU, index), &query), Err(ProveError::NotSeen));
    // A log that goes on gives receipts that are late enough by itself, and they are found again later.
    ledger.now += 86_400_000;
    query.after = Timestamp::from_posix(ledger.now / 1000 - 1);
    query.attested = Vec::new();
    ledger.remark(CA, 9);
    let bytes = prove(&ledger, RU, (RU, index), &query).unwrap();
    assert!(silence(&ledger, &bytes).is_silent());
    query.party = RU;
    assert_eq!(prove(&ledger, RU, (RU, index), &query), Err(ProveError::NoSuchParty));
}

#[test]
fn nobody_vouches_for_its_own_log_or_for_a_forked_one() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let old = ledger.nodes[CA].disk.clone();
    assert!(ledger.attest(&[CA], CA).is_empty());
    assert_eq!(ledger.attest(&[HU], CA).len(), 1);
    ledger.remark(CA, 2);
    let note = ledger.note(CA, 3, "minister");
    ledger.equivocate(CA, old, note, US);
    assert!(ledger.attest(&[HU, RU, US], CA).is_empty(), "the log is known to have forked");
}

#[test]
fn asking_for_what_is_receipted_already_writes_nothing() {
    let (mut ledger, _, _) = unanswered();
    let size = |ledger: &Ledger| ledger.nodes[HU].disk.size(HU).unwrap();
    ledger.attest(&[HU], CA);
    let before = size(&ledger);
    for _ in 0..5 {
        assert_eq!(ledger.attest(&[HU], CA).len(), 1);
    }
    assert_eq!(size(&ledger), before);
}

/// The trial's profile with a rule: whoever a remark is addressed to answers it.
fn rules_of(ledger: &Ledger, bytes: &[u8], rule: &str) -> SilenceRules {
    let profile = common::PROFILE.replace(
        "[amendment]",
        &format!(
            "[[kind.remark.due]]\nid = \"answer\"\ntitle = \"An answer\"\narticle = \"VII.3\"\nby = [\"CA\"]\n\
             answer = [\"remark\"]\n{rule}\n[amendment]"
        ),
    );
    let profile = Profile::parse(profile.as_bytes()).unwrap();
    let verdict = verify_evidence(bytes, &ledger.treaty, Some(&profile)).unwrap();
    silence_rules(bytes, &verdict, &ledger.treaty, &profile).unwrap()
}

#[test]
fn the_deadline_is_computed_from_the_file_alone_and_compared_with_when_the_log_was_seen() {
    let (ledger, index, attested) = unanswered();
    let bytes = prove(&ledger, RU, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let shown = silence(&ledger, &bytes);
    let (received, as_of) = (shown.received.unwrap(), shown.as_of.unwrap());

    let rules = rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"24 hours\"");
    assert_eq!((rules.as_of, rules.items.len()), (Some(as_of), 1));
    let item = &rules.items[0];
    assert_eq!(item.until, Some(Timestamp::from_posix(received.posix() + 86_400)), "24 hours from Canada's receipt");
    assert!(matches!(item.state, State::Missed { by_s } if by_s == as_of.posix() - received.posix() - 86_400));
    let text = rules.sentences.join("\n");
    for part in [
        "An answer (rule `answer`, VII.3)",
        "24 hours",
        "after it: no answer was in it",
        &item.until.unwrap().display(),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(rules.not_proven.len(), 1);

    // Seen before the deadline: nothing follows yet, and the sentence says so.
    let rules = rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"30 days\"");
    assert_eq!(rules.items[0].state, State::Open);
    let text = rules.sentences.join("\n");
    assert!(text.contains("before it: the time had not run") && !text.contains("no answer was in it"), "{text}");
}

#[test]
fn the_rule_is_the_one_that_the_file_names_and_an_answer_is_weighed_against_it() {
    let (ledger, index, attested) = unanswered();
    let mut named = query(&ledger, CA, attested);
    named.due = Some("other".into());
    let bytes = prove(&ledger, RU, (RU, index), &named).unwrap();
    let rules = rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"24 hours\"");
    assert!(rules.items.is_empty() && rules.sentences[0].contains("no rule `other`"), "{rules:?}");
    named.due = Some("answer".into());
    let bytes = prove(&ledger, RU, (RU, index), &named).unwrap();
    assert_eq!(rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"24 hours\"").items.len(), 1);
    let verdict = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap();
    let none = silence_rules(&bytes, &verdict, &ledger.treaty, &ledger.profile).unwrap();
    assert!(none.items.is_empty(), "this profile has no rules");

    let mut ledger = Ledger::new();
    let index = ledger.remark(RU, 3);
    ledger.now += 2 * 86_400_000;
    let answer = ledger.reply(CA, 4, "minister", vec![refer(&ledger, RU, index)]);
    ledger.submit(CA, answer).unwrap();
    ledger.now += 86_400_000;
    ledger.settle();
    let attested = ledger.attest(&[HU, US], CA);
    let bytes = prove(&ledger, RU, (RU, index), &query(&ledger, CA, attested)).unwrap();
    let late = rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"24 hours\"");
    assert!(matches!(late.items[0].state, State::Late { .. }), "{late:?}");
    assert!(late.sentences.last().unwrap().starts_with("Late by"), "{late:?}");
    assert!(!late.sentences.join(" ").contains("no answer"));
    let met = rules_of(&ledger, &bytes, "start = \"received\"\nwithin = \"7 days\"");
    assert_eq!(met.items[0].state, State::Met);
}

/// A treaty whose quorum changes after the note, and before it is asked who has answered: those count who make the quorum then.
#[test]
fn silence_across_an_amendment_is_judged_by_the_quorum_at_the_end_of_the_senders_log() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let index = ledger.remark(RU, 2);
    ledger.settle();
    let lines = vec!["quorum HU".into()];
    let note = ledger.amendment(vec![Change::Quorum(lines)], &[CA, HU, US]);
    ledger.submit(HU, note).unwrap();
    ledger.settle();
    // The sender's log has taken it up, and its next record is final under it.
    let second = ledger.remark(RU, 3);
    ledger.now += 2 * 86_400_000;
    ledger.settle();
    let after = Timestamp::from_posix(ledger.now / 1000 - 3600);
    let attested = ledger.attest(&[HU, RU, US], CA);
    // Of the treaty file's quorum, one of Canada and Hungary and one of Russia and the United States; without the sender.
    for (seen, shown) in [(vec![0, 1, 2], [true, true]), (vec![0, 1], [false, true]), (vec![2], [false, false])] {
        let attested: Vec<_> = seen.iter().map(|at| attested[*at].clone()).collect();
        let ask = SilenceQuery { party: CA, due: None, after, attested };
        // What of the sender's log a file covers decides which quorum it shows: of the first note's, that of the treaty file.
        for (index, amended) in [(index, false), (second, true)] {
            let bytes = prove_silence(&ledger.nodes[US].disk, &ledger.treaty, RU, index, &ask).unwrap().unwrap();
            let evidence = Evidence::parse(&bytes, &ledger.treaty.hash()).unwrap();
            assert_eq!(!evidence.amendments.logged.is_empty(), amended, "{seen:?}");
            let silence = verify_evidence(&bytes, &ledger.treaty, Some(&ledger.profile)).unwrap().silence.unwrap();
            assert!(silence.is_silent());
            assert_eq!(silence.as_of.is_some(), shown[usize::from(amended)], "{seen:?} {amended}");
        }
    }
}
