//! One thing changed in every field and line of the golden files, below their encodings: three verifiers refuse each, or
//! say the same of it. The page's functions are asked, in Chromium; the test of the whole page is another.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use verbale::audit::verify_export;
use verbale::law::silence_rules;
use verbale::ledger::{Profile, Treaty, canon, verify_evidence};

use crate::common::files::{Files, read_folder, write_folder};
use crate::golden::{in_pythons_words, same_rules, without_words};
use crate::units::parts;

/// Small numbers that look random and are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, most: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }

    /// A line with one of its characters another one of the same sort.
    fn bend(&mut self, line: &str) -> String {
        let mut letters: Vec<char> = line.chars().collect();
        if letters.is_empty() {
            return "x".into();
        }
        let at = self.below(letters.len());
        letters[at] = match letters[at] {
            '9' => '0',
            c @ '0'..='8' => char::from(c as u8 + 1),
            c @ ('a'..='e' | 'g'..='y' | 'A'..='Y') => char::from(c as u8 + 1),
            'f' => 'a',
            'z' => 'y',
            'Z' => 'Y',
            ' ' => '-',
            _ => ' ',
        };
        letters.into_iter().collect()
    }
}

/// Each way in which one thing in a value is another; of long lists the ends and one between.
fn bent_values(value: &Value, path: &str, random: &mut Seeded, out: &mut Vec<(String, Value)>) {
    match value {
        Value::String(text) => {
            let lines: Vec<&str> = text.split('\n').collect();
            for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
                let mut bent: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
                bent[at] = random.bend(line);
                out.push((format!("{path}, line {at}"), json!(bent.join("\n"))));
                // A notification or a credential is one long line of fields.
                for part in line.match_indices("\":").map(|(place, _)| place + 2) {
                    let (before, after) = line.split_at(part);
                    let mut bent: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
                    let mut letters = after.chars();
                    let first: String = letters.by_ref().take(3).collect();
                    bent[at] = format!("{before}{}{}", random.bend(&first), letters.as_str());
                    out.push((format!("{path}, line {at}, byte {part}"), json!(bent.join("\n"))));
                }
            }
        }
        Value::Number(number) => out.push((path.to_owned(), json!(number.as_i64().unwrap() + 1))),
        Value::Array(items) => {
            let mut places = vec![0, items.len().saturating_sub(1), random.below(items.len())];
            places.sort_unstable();
            places.dedup();
            for at in places.into_iter().filter(|at| *at < items.len()) {
                let mut inside = Vec::new();
                bent_values(&items[at], &format!("{path}[{at}]"), random, &mut inside);
                out.extend(inside.into_iter().map(|(name, bent)| {
                    let mut items = items.clone();
                    items[at] = bent;
                    (name, Value::Array(items))
                }));
                let (mut fewer, mut twice) = (items.clone(), items.clone());
                fewer.remove(at);
                twice.insert(at, items[at].clone());
                out.push((format!("{path}[{at}] left out"), Value::Array(fewer)));
                out.push((format!("{path}[{at}] twice"), Value::Array(twice)));
            }
            if items.len() > 1 {
                let mut swapped = items.clone();
                swapped.swap(0, 1);
                out.push((format!("{path} swapped"), Value::Array(swapped)));
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let mut inside = Vec::new();
                bent_values(field, &format!("{path}.{name}"), random, &mut inside);
                out.extend(inside.into_iter().map(|(place, bent)| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), bent);
                    (place, Value::Object(fields))
                }));
                let mut fewer = fields.clone();
                fewer.remove(name);
                out.push((format!("{path}.{name} left out"), Value::Object(fewer)));
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// An evidence file with one thing changed, in each way.
fn bent_evidence(bytes: &[u8], random: &mut Seeded) -> Vec<(String, Vec<u8>)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let extra = text.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
    let bundle: Value = serde_json::from_slice(&BASE64.decode(extra).unwrap()).unwrap();
    let mut bundles = Vec::new();
    bent_values(&bundle, "bundle", random, &mut bundles);
    let mut out: Vec<(String, Vec<u8>)> = bundles
        .into_iter()
        .map(|(name, value)| (name, text.replacen(extra, &BASE64.encode(canon::write(&value)), 1).into_bytes()))
        .collect();
    let lines: Vec<&str> = text.split('\n').collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let with = |put: &[String]| {
            let mut bent: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            bent.splice(at..=at, put.iter().cloned());
            bent.join("\n").into_bytes()
        };
        out.push((format!("line {at}"), with(&[random.bend(line)])));
        out.push((format!("line {at} left out"), with(&[])));
        out.push((format!("line {at} twice"), with(&[(*line).to_owned(), (*line).to_owned()])));
    }
    out.retain(|(_, bent)| bent != bytes);
    out
}

/// What Python says of files or folders.
fn by_python(folder: &Path, paths: &[std::path::PathBuf]) -> Option<Vec<Value>> {
    let ready = Command::new("python3").args(["-c", "import cryptography, tomllib"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(folder.join("treaty.toml")).arg(folder.join("profile.toml"));
    let output = command.args(paths).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), paths.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(answers)
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

#[test]
fn of_a_file_with_one_thing_changed_three_verifiers_say_the_same() {
    let Some((browser, _page)) = parts() else { return };
    let desk = tempfile::tempdir().unwrap();
    let mut random = Seeded(20_211_218);
    let (mut count, mut taken) = (0, 0);
    for (golden, name) in [
        ("first", "note/good"),
        ("first", "fork/good"),
        ("first", "outside/good"),
        ("second", "keys/good"),
        ("second", "amended/good"),
        ("second", "signatures/good"),
        ("second", "silence/good"),
        ("third", "restart/other"),
        ("fourth", "deadline/answered-late"),
    ] {
        let folder = Path::new(GOLDEN).join(golden);
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let profile = Profile::parse(&read("profile.toml")).unwrap();
        let treaty = Treaty::parse(&read("treaty.toml")).unwrap().governed_by(&profile);
        let bent = bent_evidence(&read(&format!("{name}.tlog-proof")), &mut random);
        let files: Vec<_> = bent.iter().map(|(_, bytes)| BASE64.encode(bytes)).collect();
        let asked = json!({
            "treaty": BASE64.encode(read("treaty.toml")), "profile": BASE64.encode(read("profile.toml")), "files": files,
        });
        let theirs = browser.ask_async(
            "const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
             const out = [];
             for (const file of argument.files) {
               const treaty = await $treaty.parseTreaty(bytes(argument.treaty));
               const profile = await $profile.parseProfile(bytes(argument.profile), treaty);
               const trace = new $trace.Trace();
               try {
                 const verdict = await $evidence.verifyEvidence(bytes(file), treaty, profile, trace);
                 const holds = trace.checks.every((check) => check.ok || check.part === 'the note');
                 out.push(holds ? $verdict.asData(verdict) : 'a check failed');
               } catch (error) {
                 out.push(error instanceof $bytes.Refused ? null : `${error.stack ?? error}`);
               }
             }
             return out;",
            &asked,
        );
        let paths: Vec<_> = bent
            .iter()
            .enumerate()
            .map(|(at, (_, bytes))| {
                let path = desk.path().join(format!("{at}.tlog-proof"));
                fs::write(&path, bytes).unwrap();
                path
            })
            .collect();
        let pythons = by_python(&folder, &paths);
        for (at, (what, bytes)) in bent.iter().enumerate() {
            let place = format!("{golden}/{name}, {what}");
            let ours = verify_evidence(bytes, &treaty, Some(&profile)).ok();
            let page = &theirs[at];
            assert!(!page.is_string(), "{place}: {page}");
            assert_eq!(page.is_null(), ours.is_none(), "{place}: the page says {page}, we {ours:?}");
            let python = pythons.as_ref().map(|answers| &answers[at]);
            if let Some(python) = python {
                assert_eq!(python["verified"] == true, ours.is_some(), "{place}: Python says {python}, we {ours:?}");
            }
            count += 1;
            let Some(verdict) = ours else { continue };
            taken += 1;
            let rules = silence_rules(bytes, &verdict, &treaty, &profile).map_or(Value::Null, |rules| json!(rules));
            let ours = json!({"sound": verdict.is_sound(), "verdict": verdict});
            assert_eq!(without_words(page), without_words(&ours), "{place}");
            same_rules(&place, &page["rules"], &rules);
            if let Some(python) = python {
                for (field, value) in in_pythons_words(&ours["verdict"]).as_object().unwrap() {
                    assert_eq!(python[field], *value, "{place}: {field}");
                }
                same_rules(&place, &python["rules"], &rules);
            }
        }
    }
    println!("{count} altered files, of which {taken} prove less and verify");
}

/// A folder with one thing changed, in a sample of lines of each of its files.
fn bent_folders(files: &Files, random: &mut Seeded) -> Vec<(String, Files)> {
    let mut out = Vec::new();
    // The page does not read the one, and of two treaty files has only the reader's.
    let others = |name: &str| name != "README.txt" && name != "treaty.toml";
    for (name, bytes) in files.iter().filter(|(name, _)| others(name)) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        for _ in 0..3 {
            let at = random.below(lines.len());
            if lines[at].is_empty() {
                continue;
            }
            let mut bent: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            match random.below(6) {
                0 => drop(bent.remove(at)),
                1 => bent.insert(at, bent[at].clone()),
                _ => bent[at] = random.bend(lines[at]),
            }
            let mut altered = files.clone();
            altered.insert(name.clone(), bent.join("\n").into_bytes());
            out.push((format!("{name}, line {at}"), altered));
        }
        let mut fewer = files.clone();
        fewer.remove(name);
        out.push((format!("{name} left out"), fewer));
    }
    out.retain(|(_, altered)| altered != files);
    out
}

#[test]
fn of_a_ledger_with_one_thing_changed_three_verifiers_say_the_same() {
    let Some((browser, _page)) = parts() else { return };
    let desk = tempfile::tempdir().unwrap();
    let mut random = Seeded(19_920_324);
    let (mut count, mut taken) = (0, 0);
    for (golden, name) in [
        ("first", "ledger/good"),
        ("first", "ledger/forked"),
        ("second", "rotated/good"),
        ("second", "amended-ledger/good"),
        ("second", "part/redacted"),
    ] {
        let folder = Path::new(GOLDEN).join(golden);
        let treaty = fs::read(folder.join("treaty.toml")).unwrap();
        let bent = bent_folders(&read_folder(&folder.join(name)), &mut random);
        let encoded: Vec<Value> = bent
            .iter()
            .map(|(_, files)| files.iter().map(|(name, bytes)| json!([name, BASE64.encode(bytes)])).collect())
            .collect();
        let theirs = browser.ask_async(
            "const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
             const out = [];
             for (const list of argument.folders) {
               const files = new Map(list.map(([name, text]) => [name, bytes(text)]));
               try {
                 const treaty = await $treaty.parseTreaty(bytes(argument.treaty));
                 if (!files.has('profile.toml')) throw new $bytes.Refused('missing');
                 const profile = await $profile.parseProfile(files.get('profile.toml'), treaty);
                 const report = await $ledger.verifyLedger(files, treaty, profile, new $trace.Tally(), () => {});
                 out.push(report.faults.length > 0 ? null : [report.sound, $ledger.ledgerData(report)]);
               } catch (error) {
                 out.push(error instanceof $bytes.Refused ? null : `${error.stack ?? error}`);
               }
             }
             return out;",
            &json!({"treaty": BASE64.encode(&treaty), "folders": encoded}),
        );
        let paths: Vec<_> = bent
            .iter()
            .enumerate()
            .map(|(at, (_, files))| {
                let path = desk.path().join(format!("{golden}-{}-{at}", name.replace('/', "-")));
                write_folder(&path, files);
                path
            })
            .collect();
        let pythons = by_python(&folder, &paths);
        for (at, (what, _)) in bent.iter().enumerate() {
            let place = format!("{golden}/{name}, {what}");
            let ours = verify_export(&paths[at], Some(&treaty), &mut |_, _| {}).ok();
            let ours = ours.filter(|report| report.faults.is_empty());
            let page = &theirs[at];
            assert!(!page.is_string(), "{place}: {page}");
            assert_eq!(page.is_null(), ours.is_none(), "{place}: the page says {page}, we {ours:?}");
            let sound = ours.as_ref().is_some_and(|report| report.is_sound());
            if let Some(python) = pythons.as_ref().map(|answers| &answers[at]) {
                assert_eq!(python["verified"] == true, sound, "{place}: Python says {python}");
                assert_eq!(python["why"].is_string(), ours.is_none(), "{place}: Python says {python}");
            }
            count += 1;
            if ours.is_some() {
                taken += 1;
                assert_eq!(page[0], sound, "{place}");
            }
        }
    }
    println!("{count} altered ledgers, of which {taken} are not refused");
}
