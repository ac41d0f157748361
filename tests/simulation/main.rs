//! Many engines, one thread, all trouble that a seed can think of; then calm, and the promises are checked.
//!
//! `VERBALE_SEEDS=5000` runs so many seeds (200 without it), `VERBALE_SEED=17` replays one, `VERBALE_TRACE=1` tells
//! what happens. A failing seed is named, and fails again when replayed.

mod fixture;
mod random;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use random::Random;
use verbale::ledger::{Record, RecordType, Timestamp, Treaty, verify_evidence};
use verbale::node::{BranchRead, Memory, Mode, ProveError, Read, SilenceQuery, adoption, prove, prove_silence};
use world::World;

/// What the seeds went through, so that a run which tried nothing cannot pass for a proof.
#[derive(Default)]
struct Tally {
    acknowledged: AtomicU64,
    restores: AtomicU64,
    forks: AtomicU64,
    heads: AtomicU64,
    attested: AtomicU64,
    amended: AtomicU64,
    rotated: AtomicU64,
    restarted: AtomicU64,
    silences: AtomicU64,
}

fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed.wrapping_mul(7919));
    // Most seeds are small, so that many can be run; some are as large as the Treaty on Open Skies.
    let parties = match seed % 50 {
        49 => 34,
        9 | 19 | 29 | 39 => random.between(12, 20) as usize,
        _ => random.between(6, 9) as usize,
    };
    let equivocator = seed % 3 == 1;
    let mut world = World::new(seed, parties, equivocator);
    (world.loss, world.repeat, world.crash) = (random.below(300), random.below(200), random.below(8));
    world.delay = random.between(5, 800);
    let count = world.nodes.len();
    let notes = if parties > 12 { 12 } else { random.between(10, 40) };
    for number in 0..notes {
        let node = random.below(count as u64) as usize;
        let note = world.fixture.note(world.nodes[node].party, number);
        let after = random.between(5_000, 60_000);
        // The same note may be submitted twice: it is to be logged once.
        for _ in 0..1 + u64::from(random.chance(200)) {
            world.submit_at(after + random.below(2_000), node, note.clone());
        }
    }
    if equivocator {
        for node in [count - 2, count - 1] {
            let note = world.fixture.note(parties - 1, 1_000 + node as u64);
            world.submit_at(6_000, node, note);
        }
    }
    for _ in 0..random.below(4) {
        let (after, node) = (random.between(1_000, 60_000), random.below(count as u64) as usize);
        world.crash_at(after, node);
    }
    if seed % 4 == 2 {
        let miser = random.below(parties as u64 - 1) as usize;
        world.nodes[miser].miserly = true;
    }
    // Clocks are set, forward and back, by up to three days.
    for _ in 0..random.below(6) {
        let (after, node) = (random.between(0, 65_000), random.below(count as u64) as usize);
        let skew = random.below(6 * 86_400_000).cast_signed() - 3 * 86_400_000;
        world.set_clock_at(after, node, skew);
    }
    for _ in 0..random.below(12) {
        let (after, node) = (random.between(5_000, 65_000), random.below(count as u64) as usize);
        world.attest_at(after, node, random.below(parties as u64) as usize);
    }
    // Amendments come one after the other, as the parties agree on each.
    let amends = seed % 5 < 2;
    if amends {
        let node = random.below(parties as u64 - 1) as usize;
        for at in 0..random.between(1, 4) {
            world.amend_at(15_000 + at * 15_000 + random.below(5_000), node);
        }
    }
    // Keys change, and officials lose theirs.
    if seed % 4 == 1 || seed % 4 == 2 {
        for _ in 0..random.between(1, 4) {
            let node = random.below(parties as u64 - 1) as usize;
            let job = if random.chance(500) { "log" } else { "witness" };
            let note = world.fixture.rotation(node, job, random.chance(300));
            world.submit_at(random.between(10_000, 60_000), node, note);
        }
    }
    if seed % 4 == 3 {
        let node = random.below(parties as u64 - 1) as usize;
        let note = world.fixture.revocation(node);
        world.submit_at(random.between(30_000, 60_000), node, note);
    }
    for _ in 0..random.below(3) {
        let after = random.between(2_000, 50_000);
        world.split_at(after, after + random.between(500, 20_000));
    }
    world.run(70_000);
    world.calm();
    world.run(60_000);
    check(&mut world, parties, equivocator);
    let amended = check_amendments(&world, parties, equivocator);
    tally.amended.fetch_add(amended, Ordering::Relaxed);
    check_keys(&world, parties, equivocator, tally);
    check_silence(&world, parties, equivocator, tally);
    if equivocator && world.equivocated(parties - 1) && seed % 6 == 1 && world.accept_branches(parties - 1) {
        (world.crash, world.loss) = (random.below(12), random.below(200));
        world.run(40_000);
        world.calm();
        world.run(90_000);
        check_restart(&world, parties);
        tally.restarted.fetch_add(1, Ordering::Relaxed);
    }
    tally.acknowledged.fetch_add(world.acknowledged.len() as u64, Ordering::Relaxed);
    tally.restores.fetch_add(world.stale_restores, Ordering::Relaxed);
    tally.forks.fetch_add(world.forks_seen, Ordering::Relaxed);
    tally.attested.fetch_add(world.attested, Ordering::Relaxed);
    tally.heads.fetch_add(world.heads.len() as u64, Ordering::Relaxed);
}

fn check(world: &mut World, parties: usize, equivocator: bool) {
    let honest = world.honest();
    let honest_parties = if equivocator { parties - 1 } else { parties };
    // No honest log ever forks: of all heads that left an honest node, no two of one size differ.
    for ((origin, size), roots) in &world.heads {
        let party = world.fixture.treaty.log_of_origin(origin).unwrap();
        assert!(party >= honest_parties || roots.len() == 1, "{origin} signed {} heads of size {size}", roots.len());
    }
    for party in 0..honest_parties {
        let own = world.leaves(party, party);
        assert!(!own.is_empty(), "the log of {party} is empty");
        for node in &honest {
            // Honest parties converge.
            assert_eq!(world.leaves(*node, party).len(), own.len(), "node {node} and the log of {party}");
            assert_eq!(world.leaves(*node, party), own, "node {node} and the log of {party}");
            let engine = world.nodes[*node].engine.as_ref().unwrap();
            assert!(engine.fork(party).is_none(), "node {node} takes the log of {party} for forked");
            let wants = wants_receipts_until(&world.nodes[*node].disk, party);
            // Who has left is not counted, and whoever contradicts itself signs nothing: the others may be too few.
            let signs = |by: usize| by < honest_parties && engine.receipted(party)[by] >= wants;
            let reached = wants > 0 && engine.treaty().is_quorum(engine.adoption(party).of_size(wants), &signs);
            assert!(!reached || engine.final_size(party) >= wants, "node {node}: the log of {party} is not final");
        }
    }
    // Nothing that was acknowledged is lost.
    for ((party, index), leaf) in &world.acknowledged {
        assert_eq!(world.leaves(*party, *party).get(*index as usize), Some(leaf), "note {party}/{index}");
    }
    for node in &honest {
        assert_eq!(world.mode(*node), Some(Mode::Signing), "node {node}");
        let engine = world.nodes[*node].engine.as_ref().unwrap();
        // A party that runs two nodes may learn in time from others' receipts that it had signed already.
        if equivocator && world.equivocated(parties - 1) {
            // Every fork is proved at every honest party, and stands in its log.
            assert!(engine.fork(parties - 1).is_some(), "node {node} does not know of the fork");
            let disk = &world.nodes[*node].disk;
            let logged = (0..disk.size(*node).unwrap())
                .filter(|index| {
                    let bytes = disk.record(*node, *index).unwrap().unwrap();
                    Record::parse(&bytes).unwrap().kind == RecordType::Evidence
                })
                .count();
            assert!(logged >= 1, "node {node} has not logged the fork");
        }
        // Whoever is honest has receipted all that wants a receipt, and each other's receipts are known.
        for party in 0..honest_parties {
            let wants = wants_receipts_until(&world.nodes[*node].disk, party);
            for by in (0..honest_parties).filter(|by| *by != party) {
                assert!(engine.receipted(party)[by] >= wants, "node {node}: {by} has not receipted {party}");
            }
        }
    }
    // Silence when there is nothing new.
    let before: Vec<_> = honest.iter().map(|node| world.nodes[*node].disk.size(*node).unwrap()).collect();
    world.run(30_000);
    let after: Vec<_> = honest.iter().map(|node| world.nodes[*node].disk.size(*node).unwrap()).collect();
    assert_eq!(before, after, "an idle ledger writes");
}

/// All honest nodes have the same amendments, and each log has them at one place, whoever looks, also after a restart.
fn check_amendments(world: &World, parties: usize, equivocator: bool) -> u64 {
    let honest_parties = if equivocator { parties - 1 } else { parties };
    let honest = world.honest();
    let engine = |node: usize| world.nodes[node].engine.as_ref().unwrap();
    let number = engine(honest[0]).treaty().number();
    for node in &honest {
        assert_eq!(engine(*node).treaty().number(), number, "node {node}");
        for log in 0..honest_parties {
            let places = engine(*node).adoption(log);
            assert_eq!(places, engine(honest[0]).adoption(log), "node {node} and the log of {log}");
            assert_eq!(places.last().number, number, "node {node}: the log of {log}");
            let stored = adoption(log, &mut world.fixture.treaty.clone(), &world.nodes[*node].disk).unwrap();
            assert_eq!(&stored, places, "node {node}: the log of {log} as it is stored");
        }
    }
    number as u64
}

/// All honest nodes have the same keys at the same places.
fn check_keys(world: &World, parties: usize, equivocator: bool, tally: &Tally) {
    let honest = world.honest();
    let keys = |node: usize, log: usize| world.nodes[node].engine.as_ref().unwrap().keys().party(log).changes();
    for log in 0..(if equivocator { parties - 1 } else { parties }) {
        for node in &honest {
            assert_eq!(keys(*node, log), keys(log, log), "node {node}: the keys of {log}");
        }
        tally.rotated.fetch_add(keys(log, log).len() as u64, Ordering::Relaxed);
    }
}

/// What an honest node proves of another party's silence, a verifier with the treaty file alone reads likewise.
fn check_silence(world: &World, parties: usize, equivocator: bool, tally: &Tally) {
    let treaty = &world.fixture.treaty;
    let honest = if equivocator { parties - 1 } else { parties };
    let Some(((log, index), _)) = world.acknowledged.iter().find(|((log, index), _)| {
        let bytes = world.nodes[0].disk.record(*log, *index).unwrap().unwrap();
        *log < honest && Record::parse(&bytes).unwrap().kind == RecordType::Notification
    }) else {
        return;
    };
    for party in (0..honest).filter(|party| party != log) {
        let query = SilenceQuery { party, due: None, after: Timestamp::from_posix(0), attested: Vec::new() };
        match prove_silence(&world.nodes[0].disk, treaty, *log, *index, &query).unwrap() {
            Ok(bytes) => {
                let verdict = verify_evidence(&bytes, treaty, Some(&world.fixture.profile)).unwrap();
                let silence = verdict.silence.unwrap();
                assert!(silence.answers.is_empty(), "nobody answers in this world");
                tally.silences.fetch_add(1, Ordering::Relaxed);
            }
            Err(ProveError::NotSeen) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// The log that forked goes on at all nodes, its other branch is held by all, and notes on both are proved.
fn check_restart(world: &World, parties: usize) {
    let log = parties - 1;
    let own = world.honest().into_iter().find(|node| world.nodes[*node].party == log).unwrap();
    let leaves = world.leaves(own, log);
    for node in world.honest() {
        let engine = world.nodes[node].engine.as_ref().unwrap();
        assert!(engine.fork(log).is_none(), "node {node} still takes the log of {log} for forked");
        assert_eq!(world.leaves(node, log), leaves, "node {node} and the log that goes on");
        assert_eq!(world.mode(node), Some(Mode::Signing), "node {node}");
        let disk = &world.nodes[node].disk;
        assert_eq!(disk.restarts(log).unwrap().len(), 1, "node {node}");
        let treaty = engine.treaty();
        let branch = BranchRead::open(disk, treaty, log, 1).unwrap();
        let branch = branch.unwrap_or_else(|| panic!("node {node} does not hold the other branch"));
        prove_all(&branch, treaty, log, node);
        prove_all(disk, treaty, log, node);
        let wants = wants_receipts_until(disk, log);
        assert!(engine.final_size(log) >= wants, "node {node}: the log that goes on is not final");
    }
}

/// Every notification of a log, on one branch, is proved to whoever has the treaty file.
fn prove_all(read: &dyn Read, treaty: &Treaty, log: usize, node: usize) {
    for index in 0..read.size(log).unwrap() {
        let bytes = read.record(log, index).unwrap().unwrap();
        if Record::parse(&bytes).unwrap().kind == RecordType::Notification {
            let bytes =
                prove(read, treaty, log, index).unwrap().unwrap_or_else(|e| panic!("node {node}, {index}: {e}"));
            let verdict = verify_evidence(&bytes, treaty, None).unwrap();
            assert!(verdict.fork.is_none() && !verdict.restarts.is_empty(), "node {node}, {index}: {verdict:?}");
        }
    }
}

/// The size of a log up to its last record for which others owe a receipt.
fn wants_receipts_until(disk: &Memory, party: usize) -> u64 {
    let wants = |index: &u64| {
        let bytes = disk.record(party, *index).unwrap().unwrap();
        Record::parse(&bytes).unwrap().kind.wants_receipt()
    };
    (0..disk.size(party).unwrap()).rev().find(wants).map_or(0, |index| index + 1)
}

#[test]
fn honest_logs_never_fork_and_every_fork_is_proved() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let tally = Tally::default();
    if let Some(seed) = number("VERBALE_SEED") {
        return run(seed, &tally);
    }
    let seeds = number("VERBALE_SEEDS").unwrap_or(200);
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &tally))).is_err() {
                        eprintln!("seed {seed} failed; replay it with VERBALE_SEED={seed} VERBALE_TRACE=1");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
    println!(
        "{seeds} seeds: {} notes acknowledged, {} heads signed, {} cosigned again on demand, {} restored from old copies, \
         {} times a fork was seen, {} amendments, {} keys changed, {} logs restarted, {} silences proved",
        read(&tally.acknowledged),
        read(&tally.heads),
        read(&tally.attested),
        read(&tally.restores),
        read(&tally.forks),
        read(&tally.amended),
        read(&tally.rotated),
        read(&tally.restarted),
        read(&tally.silences)
    );
    assert_eq!(read(&failed), 0, "seeds failed");
    let all = [&tally.restores, &tally.forks, &tally.attested, &tally.amended, &tally.rotated, &tally.restarted];
    let tried = all.map(read).iter().all(|count| *count > 0) && read(&tally.silences) > 0;
    assert!(seeds < 50 || tried, "nothing went wrong: no proof");
}
