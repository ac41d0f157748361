//! Publishing to a folder and to a store, and following what others publish, honest or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use tempfile::TempDir;
use verbale::audit::{Report, verify_export};
use verbale::ledger::Treaty;
use verbale::node::{Memory, Read};
use verbale::note::SignedNote;
use verbale::public::Shown;
use verbale::public::mirror::{Finding, Mirror, Round};
use verbale::public::place::Place;
use verbale::public::publish::{PublishError, PublishedLog, Target, publish};
use verbale::tlog::Checkpoint;

use crate::common::{self, CA, HU, Ledger, RU, US};
use crate::http::read_by_python;
use crate::servers::{Bucket, Server, runtime, status};

pub fn shown() -> Shown {
    let text = common::treaty_text();
    let treaty = Arc::new(Treaty::parse(text.as_bytes()).unwrap());
    let logs = (0..treaty.parties().len()).collect();
    Shown::new(treaty, text.into_bytes(), common::PROFILE.as_bytes().to_vec(), logs)
}

/// Publishes what a party holds into a folder.
pub fn publish_to(folder: &Path, disk: &Memory) -> Result<Vec<PublishedLog>, PublishError> {
    publish_as(folder, disk, &shown())
}

pub fn publish_as(folder: &Path, disk: &Memory, shown: &Shown) -> Result<Vec<PublishedLog>, PublishError> {
    let runtime = runtime();
    let target = runtime.block_on(async { Target::open(folder.to_str().unwrap()) })?;
    runtime.block_on(publish(shown, disk, &target, &mut |_, _| {}))
}

/// A mirror's folder.
pub struct Kept {
    pub dir: TempDir,
}

impl Kept {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn open(&self, places: &[&str]) -> Mirror {
        let places = places.iter().map(|place| Place::open(place).unwrap()).collect();
        let profile = Some(common::PROFILE.as_bytes().to_vec());
        Mirror::open(self.dir.path(), places, common::treaty_text().as_bytes(), profile).unwrap()
    }

    /// One round, and what the audit says to the folder after it.
    pub fn follow(&self, places: &[&str]) -> (Round, Report) {
        let round = self.open(places).round(&mut |_, _| {}).unwrap();
        (round, self.audit())
    }

    pub fn audit(&self) -> Report {
        let treaty = common::treaty_text();
        verify_export(&self.dir.path().join("ledger"), Some(treaty.as_bytes()), &mut |_, _| {}).unwrap()
    }

    pub fn evidence(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.dir.path().join("evidence")) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

pub fn remarks(ledger: &mut Ledger, party: usize, numbers: std::ops::Range<u64>) {
    for number in numbers {
        ledger.remark(party, number);
    }
}

#[test]
fn what_is_published_is_mirrored_and_verifies_and_goes_on() {
    let mut ledger = Ledger::new();
    let (folder, kept) = (tempfile::tempdir().unwrap(), Kept::new());
    let place = folder.path().to_str().unwrap();
    remarks(&mut ledger, CA, 0..3);
    let first = publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(first.iter().all(|log| log.latest > 0 && log.new == log.latest && log.checkpoint > 0), "{first:?}");
    let (round, report) = kept.follow(&[place]);
    assert_eq!(round.findings, []);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(round.new, first.iter().map(|log| log.latest).sum::<u64>());
    // Nothing new: nothing is fetched but heads, and nothing changes.
    assert_eq!(publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap().iter().map(|log| log.new).sum::<u64>(), 0);
    assert_eq!(kept.follow(&[place]).0.new, 0);
    // Past a full tile, in two steps.
    remarks(&mut ledger, CA, 3..200);
    publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(kept.follow(&[place]).1.is_sound());
    remarks(&mut ledger, CA, 200..300);
    let last = publish_to(folder.path(), &ledger.nodes[HU].disk).unwrap();
    assert!(last[CA].latest > 256);
    let (round, report) = kept.follow(&[place]);
    assert!(round.findings.is_empty() && report.is_sound(), "{round:?} {report:?}");
    assert!(report.logs[CA].final_size > 256 && report.missing.is_empty());
    // Partial tiles of a tile that is full are gone, others are there.
    let entries = folder.path().join("trial/CA/tile/entries");
    assert!(entries.join("000").exists() && !entries.join("000.p").exists_with_files());
    for code in ["CA", "HU", "RU", "US"] {
        let key = common::key(common::PARTIES.iter().position(|party| party.0 == code).unwrap(), "log");
        let prefix = format!("{place}/trial/{code}");
        for head in ["checkpoint", "latest"] {
            let Some(read) = read_by_python(&prefix, &key.public().to_string(), head) else { return };
            assert!(head == "latest" || read["cosigners"].as_array().unwrap().len() > 1, "{read}");
        }
    }
}

trait ExistsWithFiles {
    fn exists_with_files(&self) -> bool;
}

impl ExistsWithFiles for PathBuf {
    fn exists_with_files(&self) -> bool {
        fs::read_dir(self).is_ok_and(|mut entries| entries.next().is_some())
    }
}

#[test]
fn what_is_published_is_never_replaced_by_less_or_by_another_history() {
    let mut ledger = Ledger::new();
    let folder = tempfile::tempdir().unwrap();
    remarks(&mut ledger, CA, 0..2);
    let old = ledger.nodes[CA].disk.clone();
    remarks(&mut ledger, CA, 2..4);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let heads = |name: &str| fs::read(folder.path().join("trial/CA").join(name)).unwrap();
    let before = (heads("latest"), heads("checkpoint"));
    let back = publish_to(folder.path(), &old).unwrap_err();
    assert!(matches!(back, PublishError::Backwards { .. }), "{back}");
    // Another history of the same length.
    ledger.online(&[]);
    let mut twin = Ledger::new();
    remarks(&mut twin, CA, 10..15);
    let other = publish_to(folder.path(), &twin.nodes[CA].disk).unwrap_err();
    assert!(matches!(other, PublishError::Contradicts { .. } | PublishError::Backwards { .. }), "{other}");
    assert_eq!((heads("latest"), heads("checkpoint")), before);
    fs::write(folder.path().join("trial/treaty.toml"), b"version = 2").unwrap();
    let stranger = publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap_err();
    assert!(matches!(stranger, PublishError::OtherTreaty(_)), "{stranger}");
}

#[test]
fn a_store_that_fails_in_the_middle_shows_a_whole_log_and_publishing_goes_on() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, CA, 0..3);
    let bucket = Bucket::default();
    let server = bucket.serve();
    let disk = ledger.nodes[CA].disk.clone();
    let run = |disk: &Memory| {
        let runtime = runtime();
        let store = object_store::aws::AmazonS3Builder::new()
            .with_endpoint(server.url())
            .with_allow_http(true)
            .with_bucket_name("bucket")
            .with_region("none")
            .with_access_key_id("id")
            .with_secret_access_key("secret")
            .build()
            .unwrap();
        let target = Target::of_store(Arc::new(store), "treaties");
        runtime.block_on(publish(&shown(), disk, &target, &mut |_, _| {}))
    };
    let mut failures = 0;
    for most in 1.. {
        *bucket.full_after.lock().unwrap() = Some(most);
        bucket.puts.lock().unwrap().clear();
        let done = run(&disk).is_ok();
        whole(&bucket);
        if done {
            break;
        }
        failures += 1;
    }
    assert!(failures > 3, "the store failed in many places");
    *bucket.full_after.lock().unwrap() = None;
    remarks(&mut ledger, CA, 3..5);
    run(&ledger.nodes[CA].disk).unwrap();
    bucket.puts.lock().unwrap().clear();
    run(&ledger.nodes[CA].disk).unwrap();
    let again = bucket.puts.lock().unwrap().clone();
    assert!(again.iter().all(|key| !key.contains("/tile/") && !key.ends_with("/latest")), "{again:?}");
    // Somebody replaces a head between reading and writing: told by its version.
    let kept = Kept::new();
    let plain = plain(&bucket);
    let (round, report) = kept.follow(&[&plain.url()]);
    assert!(round.findings.is_empty() && report.is_sound(), "{round:?}");
}

/// The bucket as everybody reads it.
fn plain(bucket: &Bucket) -> Server {
    let bucket = bucket.clone();
    Server::new(move |_, path, _, _| match bucket.objects.lock().unwrap().get(&format!("treaties{path}")) {
        Some(bytes) => Response::new(Body::from(bytes.clone())),
        None => status(404),
    })
}

/// Each head in the bucket has all that it needs.
fn whole(bucket: &Bucket) {
    let objects = bucket.objects.lock().unwrap();
    for (key, bytes) in objects.iter().filter(|(key, _)| key.ends_with("/latest") || key.ends_with("/checkpoint")) {
        let head = Checkpoint::parse(SignedNote::parse(bytes).unwrap().text()).unwrap();
        let folder = key.rsplit_once('/').unwrap().0;
        for path in verbale::tlog::TilePath::partials(head.size) {
            let there = |path: String| objects.contains_key(&format!("{folder}/{path}"));
            assert!(there(path.to_string()) || there(path.full().to_string()), "{key} needs {path}");
        }
    }
}

#[test]
fn a_fork_is_proved_by_whoever_follows_two_places() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, RU, 0..3);
    // Two nodes of one party, which do not know of each other.
    ledger.online(&[RU]);
    remarks(&mut ledger, RU, 3..6);
    let first = ledger.nodes[RU].disk.clone();
    let mut twin = Ledger::new();
    remarks(&mut twin, RU, 0..3);
    twin.online(&[RU]);
    remarks(&mut twin, RU, 13..15);
    let second = twin.nodes[RU].disk.clone();
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish_to(a.path(), &first).unwrap();
    publish_to(b.path(), &second).unwrap();
    let (a, b) = (a.path().to_str().unwrap(), b.path().to_str().unwrap());
    for order in [[a, b], [b, a]] {
        let kept = Kept::new();
        let (round, report) = kept.follow(&order);
        let forks =
            round.findings.iter().filter(|finding| matches!(finding, Finding::Fork { party, .. } if party == "RU"));
        assert!(forks.count() >= 1, "{:?}", round.findings);
        assert!(report.faults.is_empty(), "{report:?}");
        assert_eq!(report.forks.iter().map(|fork| fork.party.as_str()).collect::<Vec<_>>(), ["RU"]);
        assert!(kept.evidence().len() >= 2, "both heads are kept");
        // What was kept first is still there, and goes on.
        assert!(report.logs[RU].complete && report.logs[RU].records > 5);
        let (again, _) = kept.follow(&order);
        assert!(again.findings.iter().any(|finding| matches!(finding, Finding::Fork { .. })), "it is told each time");
    }
}

#[test]
fn a_place_that_goes_back_is_found_out_also_after_a_restart() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, US, 0..2);
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish_to(old.path(), &ledger.nodes[CA].disk).unwrap();
    remarks(&mut ledger, US, 2..4);
    publish_to(new.path(), &ledger.nodes[CA].disk).unwrap();
    // One place, whose keeper puts back yesterday's copy.
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("public");
    let point = |to: &Path| {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(to, &link).unwrap();
    };
    let kept = Kept::new();
    let name = link.to_str().unwrap();
    point(new.path());
    let before = kept.follow(&[name]).1;
    point(old.path());
    for _ in 0..2 {
        let (round, report) = kept.follow(&[name]);
        let back = |file: &str| {
            round.findings.iter().any(|finding| {
                matches!(finding, Finding::Rollback { party, file: found, .. } if party == "US" && found == file)
            })
        };
        assert!(back("latest") && back("checkpoint"), "{:?}", round.findings);
        assert_eq!(report, before, "nothing is lost");
    }
    assert!(kept.evidence().len() >= 2);
    point(new.path());
    assert_eq!(kept.follow(&[name]).0.findings, []);
}

#[test]
fn a_log_or_a_place_that_disappears_is_a_rollback_and_not_silence() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, US, 0..2);
    let folder = tempfile::tempdir().unwrap();
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let kept = Kept::new();
    let place = folder.path().to_str().unwrap();
    let (round, before) = kept.follow(&[place]);
    assert_eq!((round.findings, round.unseen), (vec![], vec![]));
    let gone = |round: &Round| -> Vec<String> {
        let of = |finding: &Finding| match finding {
            Finding::Rollback { party, file, now: None, .. } => Some(format!("{party}/{file}")),
            _ => None,
        };
        round.findings.iter().filter_map(of).collect()
    };
    // One head of one log, a whole log, everything.
    fs::remove_file(folder.path().join("trial/RU/latest")).unwrap();
    assert_eq!(gone(&kept.follow(&[place]).0), ["RU/latest"]);
    fs::remove_dir_all(folder.path().join("trial/US")).unwrap();
    for _ in 0..2 {
        let (round, report) = kept.follow(&[place]);
        assert_eq!(gone(&round), ["RU/latest", "US/checkpoint", "US/latest"]);
        assert_eq!(report, before, "what was kept is kept");
        assert!(!round.findings.iter().any(|finding| matches!(finding, Finding::Nothing { .. })));
    }
    assert!(kept.evidence().iter().any(|path| path.to_str().unwrap().contains("US-")), "{:?}", kept.evidence());
    fs::remove_dir_all(folder.path().join("trial")).unwrap();
    let (round, report) = kept.follow(&[place]);
    assert_eq!(gone(&round).len(), 8, "{round:?}");
    assert!(round.findings.contains(&Finding::Nothing { place: place.to_owned() }), "{round:?}");
    assert_eq!((round.unseen, report), (vec![], before), "what was read before is known");
    // Of a wrong address nothing was ever known, and that is said too; it takes nothing from another place.
    let (empty, fresh) = (tempfile::tempdir().unwrap(), Kept::new());
    let wrong = empty.path().to_str().unwrap();
    let round = fresh.open(&[wrong]).round(&mut |_, _| {}).unwrap();
    assert_eq!(round.findings, [Finding::Nothing { place: wrong.to_owned() }]);
    assert_eq!(round.unseen, ["CA", "HU", "RU", "US"]);
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let (round, _) = fresh.follow(&[wrong, place]);
    assert_eq!((round.findings.len(), round.unseen), (1, vec![]));
    assert_eq!(kept.follow(&[place]).0.findings, [], "it is all there again");
}

/// A published ledger, with something done to one answer.
fn lying(folder: &Path, lie: impl Fn(&str, Vec<u8>) -> Response + Send + Sync + 'static) -> Server {
    let folder = folder.to_owned();
    Server::new(move |_, path, _, _| match fs::read(folder.join(path.trim_start_matches('/'))) {
        Ok(bytes) => lie(path, bytes),
        Err(_) => status(404),
    })
}

fn plainly(bytes: Vec<u8>) -> Response {
    Response::new(Body::from(bytes))
}

#[test]
fn servers_that_lie_are_refused_and_nothing_of_theirs_is_kept() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, CA, 0..270);
    let folder = tempfile::tempdir().unwrap();
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    type Lie = Box<dyn Fn(&str, Vec<u8>) -> Response + Send + Sync>;
    let flipped = |which: &'static str, at: usize| -> Lie {
        Box::new(move |path, mut bytes| {
            if path.contains("/CA/") && path.contains(which) {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1;
            }
            plainly(bytes)
        })
    };
    let endless = || {
        let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 65_536]));
        Response::new(Body::from_stream(chunks))
    };
    let cases: Vec<(&str, Lie)> = vec![
        ("is not what the head was signed over", flipped("tile/entries/000", 500)),
        ("is not what the head was signed over", flipped("tile/entries/001", 500)),
        ("is not what the head was signed over", flipped("tile/0/000", 40)),
        ("is not what the head was signed over", flipped("tile/0/001", 40)),
        ("is not what the head was signed over", flipped("tile/1/000", 4)),
        ("it is not a head that the log signed", flipped("latest", 20)),
        ("it is not a head that the log signed", flipped("checkpoint", 20)),
        (
            "longer than",
            Box::new(move |path, bytes| if path.contains("/CA/latest") { endless() } else { plainly(bytes) }),
        ),
        (
            "longer than",
            Box::new(move |path, bytes| if path.contains("/CA/tile/0/") { endless() } else { plainly(bytes) }),
        ),
        (
            "longer than",
            Box::new(move |path, bytes| if path.contains("/CA/tile/entries") { endless() } else { plainly(bytes) }),
        ),
        (
            "redirects are not followed",
            Box::new(|path, bytes| match path.contains("/CA/tile/entries") {
                true => Response::builder().status(302).header("location", "/elsewhere").body(Body::empty()).unwrap(),
                false => plainly(bytes),
            }),
        ),
        ("status 500", Box::new(|path, bytes| if path.contains("/CA/tile/0") { status(500) } else { plainly(bytes) })),
        ("is missing", Box::new(|path, bytes| if path.contains("/CA/tile/1") { status(404) } else { plainly(bytes) })),
        (
            "is not what the head was signed over",
            Box::new(|path, mut bytes| {
                if path.contains("/CA/tile/entries/001") {
                    bytes.truncate(bytes.len() - 3);
                }
                plainly(bytes)
            }),
        ),
    ];
    for (at, (expected, lie)) in cases.into_iter().enumerate() {
        let server = lying(folder.path(), lie);
        let kept = Kept::new();
        let (round, report) = kept.follow(&[&server.url()]);
        let said = round.findings.iter().find_map(|finding| match finding {
            Finding::Refused { party, why, .. } if party == "CA" => Some(why.clone()),
            _ => None,
        });
        let said = said.unwrap_or_else(|| panic!("case {at}: {:?}", round.findings));
        assert!(said.contains(expected), "case {at}: {said}");
        assert!(report.faults.is_empty() || report.logs[CA].records > 0, "case {at}: {report:?}");
        // From an honest place it goes on where it was.
        let (_, report) = kept.follow(&[folder.path().to_str().unwrap()]);
        assert!(report.is_sound(), "case {at}: {report:?}");
    }
    let nobody = Kept::new().open(&["http://127.0.0.1:9"]).round(&mut |_, _| {}).unwrap();
    assert!(matches!(nobody.findings[..], [Finding::Unreachable { .. }]), "{:?}", nobody.findings);
}

#[test]
fn a_mirror_that_was_cut_off_goes_on_where_it_was() {
    let mut ledger = Ledger::new();
    remarks(&mut ledger, CA, 0..40);
    let folder = tempfile::tempdir().unwrap();
    publish_to(folder.path(), &ledger.nodes[CA].disk).unwrap();
    let place = folder.path().to_str().unwrap();
    let whole = Kept::new();
    let sound = whole.follow(&[place]).1;
    for (file, cut) in [("records.txt", 0), ("records.txt", 7), ("checkpoints.txt", 9), ("receipts.txt", 0)] {
        let kept = Kept::new();
        kept.follow(&[place]);
        // As if power had failed: half a line at the end, and the mark that lists of receipts are due.
        let path = kept.dir.path().join("ledger/logs/CA").join(file);
        let bytes = fs::read(&path).unwrap();
        match file {
            "records.txt" => fs::write(&path, [&bytes[..], &b"record 999 bytes 12\nhalf"[..cut]].concat()).unwrap(),
            "checkpoints.txt" => fs::write(&path, [&bytes[..], &b"checkpoint 9999"[..cut]].concat()).unwrap(),
            _ => fs::write(&path, b"").unwrap(),
        }
        fs::write(kept.dir.path().join("unsettled"), b"").unwrap();
        assert_eq!(kept.follow(&[place]).1, sound, "{file}");
    }
    // What was damaged otherwise is not mended in silence.
    let path = whole.dir.path().join("ledger/logs/CA/records.txt");
    let mut bytes = fs::read(&path).unwrap();
    bytes[400] ^= 1;
    fs::write(&path, bytes).unwrap();
    let places = vec![Place::open(place).unwrap()];
    let damaged = Mirror::open(whole.dir.path(), places, common::treaty_text().as_bytes(), None);
    assert!(damaged.is_err_and(|error| error.to_string().contains("records.txt")));
}

#[test]
fn two_mirrors_do_not_share_a_folder() {
    let kept = Kept::new();
    let _first = kept.open(&["/nowhere"]);
    let second = Mirror::open(kept.dir.path(), vec![], common::treaty_text().as_bytes(), None);
    assert!(second.is_err_and(|error| error.to_string().contains("another mirror")));
}

#[test]
fn a_head_that_is_not_final_is_the_latest_and_not_the_checkpoint() {
    let mut ledger = Ledger::new();
    let disk = |ledger: &Ledger| ledger.nodes[CA].disk.clone();
    let shown = shown();
    let size = |disk: &Memory, name: &str| {
        let bytes = shown.get(disk, name).unwrap().unwrap().bytes;
        Checkpoint::parse(SignedNote::parse(&bytes).unwrap().text()).unwrap().size
    };
    let done = size(&disk(&ledger), "CA/checkpoint");
    ledger.online(&[CA]);
    ledger.remark(CA, 1);
    let held = disk(&ledger).size(CA).unwrap();
    assert_eq!((size(&disk(&ledger), "CA/checkpoint"), size(&disk(&ledger), "CA/latest")), (done, held));
    ledger.online(&[CA, HU, RU, US]);
    assert_eq!(size(&disk(&ledger), "CA/checkpoint"), held, "with the quorum's receipts it is final");
}

/// The whole way of a person: a party's data, the usual environment variables, a store, and a mirror of it.
#[test]
fn publishing_to_a_store_from_the_command_line_takes_its_credentials_from_the_environment() {
    let bucket = Bucket::default();
    let server = bucket.serve();
    let dir = tempfile::tempdir().unwrap();
    let program = |arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_verbale"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.current_dir(dir.path()).env("NO_PROXY", "127.0.0.1").args(arguments).envs(more.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, error) = program(&["demo", "--story", "--dir", "story"], &[]);
    assert_eq!(code, 0, "{error}");
    let address = server.url();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-nobody-prints"),
        ("AWS_REGION", "none"),
        ("AWS_ENDPOINT", address.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let publish = ["--home", "story/HU", "publish", "s3://bucket/treaties", "--log", "US", "--log", "RU"];
    // A store that refuses: the failure names the place, and no secret.
    *bucket.full_after.lock().unwrap() = Some(2);
    let (code, out, error) = program(&publish, &environment);
    assert!(code != 0 && error.contains("error: "), "{code} {out} {error}");
    assert!(!format!("{out}{error}").contains("a-secret"), "{error}");
    *bucket.full_after.lock().unwrap() = None;
    let (code, out, error) = program(&publish, &environment);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("US: ") && out.contains("RU: "), "{out}");
    let keys: Vec<String> = bucket.objects.lock().unwrap().keys().cloned().collect();
    for name in
        ["treaties/open-skies/treaty.toml", "treaties/open-skies/US/checkpoint", "treaties/open-skies/RU/latest"]
    {
        assert!(keys.iter().any(|key| key == name), "{name}: {keys:?}");
    }
    assert!(!keys.iter().any(|key| key.contains("/HU/")), "only what was asked for: {keys:?}");
    // What stands there is what a mirror takes.
    let plain = plain(&bucket);
    let mirror = ["--home", "story/US", "mirror", &plain.url(), "--dir", "mirror"];
    let (code, out, error) = program(&mirror, &[]);
    assert!(code == 0 || !error.contains("refused"), "{code} {out} {error}");
    assert!(dir.path().join("mirror").is_dir(), "{out} {error}");
}
