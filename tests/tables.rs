//! Tables for analysts: the same bytes for the same ledger, nothing lost and nothing added, whatever stands in a note.
#![cfg(feature = "node")]

mod common;
#[path = "story/fixture.rs"]
#[allow(dead_code, reason = "the story's tests use the rest")]
mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{CA, HU, Ledger, RU, US};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use tempfile::TempDir;
use verbale::audit::{Form, Job, Reading, Scope, Selection, verify_export};
use verbale::law::{Docket, Query, Registrar};
use verbale::ledger::{NoteId, Notification, RecordType, Timestamp};
use verbale::node::Memory;
use verbale::note::SignedNote;
use verbale::scenario::Play;
use verbale::tables::schema::{TABLES, Table, Type};
use verbale::tables::sink::{Cell, Format, create, guarded};
use verbale::tables::{About, TablesError, Written, write_tables};
use verbale::tlog::Hash;

const ALL: [Format; 3] = [Format::Jsonl, Format::Csv, Format::Parquet];

/// Words that somebody may have put into a note.
const NASTY: [&str; 10] = [
    "=HYPERLINK(\"http://example.org\",\"open\")",
    "+1-1",
    "-2+3",
    "@SUM(A1:A9)",
    "  =1+1",
    "＝1+1",
    "'quoted'",
    "a \"quoted\", word; and; another",
    "\u{5d4}\u{5d5}\u{5d3}\u{5e2}\u{5d4} \u{645}\u{630}\u{643}\u{631}\u{629} Ноta № 5 — 覚書 🛩",
    "null",
];

fn say(ledger: &mut Ledger, party: usize, number: u8, text: &str) -> u64 {
    let notification = Notification {
        attachments: Vec::new(),
        body: json!({ "text": text }).as_object().unwrap().clone(),
        from: common::PARTIES[party].0.into(),
        id: NoteId([number; 16]),
        issued: Timestamp::from_posix(common::START + u64::from(number)),
        kind: "remark".into(),
        ledger: ledger.treaty.hash(),
        re: Vec::new(),
        to: vec!["*".into()],
    };
    let mut note = SignedNote::new(notification.to_text()).unwrap();
    note.sign(&common::key(party, "minister"));
    ledger.submit(party, note.to_bytes()).unwrap().index
}

struct Desk {
    dir: TempDir,
    treaty: String,
    profile: String,
    disk: Memory,
}

impl Desk {
    fn of(ledger: &Ledger, by: usize) -> Self {
        let (treaty, profile) = (common::treaty_text(), common::PROFILE.to_owned());
        Self { dir: tempfile::tempdir().unwrap(), treaty, profile, disk: ledger.nodes[by].disk.clone() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn stored(&self, selection: Selection) -> Reading<'_> {
        let (treaty, profile) = (self.treaty.as_bytes(), self.profile.as_bytes());
        Reading::stored(&self.disk, treaty, profile, selection, &mut |_, _, _| {}).unwrap()
    }

    fn tables(&self, selection: Selection, name: &str) -> (Written, PathBuf) {
        let target = self.path(name);
        let reading = self.stored(selection);
        let written =
            write_tables(&reading, &ALL, None, &target, &mut |_, done, total| assert!(done <= total)).unwrap();
        (written, target)
    }

    fn export(&self, selection: Selection, name: &str) -> PathBuf {
        let target = self.path(name);
        let form = if name.ends_with(".tar.zst") { Form::Archive } else { Form::Folder };
        let (treaty, profile) = (self.treaty.as_bytes(), self.profile.as_bytes());
        Job { read: &self.disk, treaty, profile, selection, form, target: &target, resume: false }
            .run(&mut |_, _, _| {})
            .unwrap();
        target
    }

    fn tables_of(&self, export: &Path, name: &str) -> (Written, PathBuf) {
        let report = verify_export(export, Some(self.treaty.as_bytes()), &mut |_, _| {}).unwrap();
        assert!(report.is_sound(), "{report:#?}");
        let target = self.path(name);
        let reading = Reading::export(export, &report).unwrap();
        (write_tables(&reading, &ALL, None, &target, &mut |_, _, _| {}).unwrap(), target)
    }
}

/// A ledger in which somebody says everything that is hard to write down.
fn nasty() -> Desk {
    let mut ledger = Ledger::new();
    for (at, text) in NASTY.iter().enumerate() {
        say(&mut ledger, at % 4, at as u8 + 1, text);
    }
    ledger.log_anyway(US, RecordType::Receipt, b"no receipt at all\n");
    ledger.log_anyway(HU, RecordType::Notification, b"no note at all\n");
    Desk::of(&ledger, CA)
}

/// The Open Skies history, played.
fn story() -> Desk {
    let scenario = fixture::story();
    let stage = fixture::Stage::new(&scenario, fixture::PROFILE);
    let mut play = Play::begin(&scenario, &stage.treaty, &stage.profile, &stage.keys).unwrap();
    play.finish().unwrap();
    let disk = play.nodes.disk(stage.treaty.find("HU").unwrap()).clone();
    let treaty = fixture::treaty_text(&scenario, fixture::PROFILE);
    Desk { dir: tempfile::tempdir().unwrap(), treaty, profile: fixture::PROFILE.to_owned(), disk }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

fn rows(folder: &Path, table: Table) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(format!("{}.jsonl", table.name()))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A table's rows as the Parquet file has them, in the form of the JSON Lines.
fn parquet_rows(folder: &Path, table: Table) -> Vec<Value> {
    let file = fs::File::open(folder.join(format!("{}.parquet", table.name()))).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let mut object = serde_json::Map::new();
        for ((name, field), column) in row.get_column_iter().zip(table.columns()) {
            assert_eq!(name, column.name);
            let value = match (field, column.of) {
                (Field::Null, _) => Value::Null,
                (Field::Str(text), Type::Text) => json!(text),
                (Field::Str(text), Type::Json) => serde_json::from_str(text).unwrap(),
                (Field::Long(number), Type::Integer) => json!(number),
                (Field::Bool(yes), Type::Boolean) => json!(yes),
                (Field::TimestampMillis(ms), Type::Time) => json!(Timestamp::from_posix(*ms as u64 / 1000).to_string()),
                other => panic!("{}: {other:?}", column.name),
            };
            object.insert(name.clone(), value);
        }
        rows.push(Value::Object(object));
    }
    rows
}

/// The same from the CSV file, read by its rules: an apostrophe at the beginning of a text is taken off.
fn csv_rows(folder: &Path, table: Table) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{}.csv", table.name()))).unwrap();
    let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, table.columns().iter().map(|column| column.name).collect::<Vec<_>>());
    let mut rows = Vec::new();
    for row in reader.records() {
        let mut object = serde_json::Map::new();
        for (text, column) in row.unwrap().iter().zip(table.columns()) {
            let value = match column.of {
                _ if text.is_empty() => Value::Null,
                Type::Text => json!(text.strip_prefix('\'').unwrap_or(text)),
                Type::Time => json!(text),
                _ => serde_json::from_str(text).unwrap(),
            };
            object.insert(column.name.to_owned(), value);
        }
        rows.push(Value::Object(object));
    }
    rows
}

#[test]
fn the_same_ledger_gives_the_same_bytes_from_a_node_a_folder_or_an_archive() {
    let desk = nasty();
    let notes = rows(&desk.tables(Selection::default(), "first").1, Table::Notifications);
    let one = notes.iter().find(|row| row["sender"] == "RU").unwrap()["number"].as_str().unwrap();
    let part = Selection { parties: vec!["RU".into()], redact: vec![one.parse().unwrap()], ..Selection::default() };
    for (name, selection) in [("whole", Selection::default()), ("part", part)] {
        let (written, stored) = desk.tables(selection.clone(), &format!("{name}-stored"));
        let again = desk.tables(selection.clone(), &format!("{name}-again")).1;
        assert_eq!(files(&stored), files(&again));
        let folder = desk.export(selection.clone(), &format!("{name}-folder"));
        let archive = desk.export(selection.clone(), &format!("{name}.tar.zst"));
        let of_folder = desk.tables_of(&folder, &format!("{name}-of-folder"));
        let of_archive = desk.tables_of(&archive, &format!("{name}-of-archive"));
        assert_eq!((of_folder.0, of_archive.0), (written, written));
        assert_eq!(files(&of_folder.1), files(&stored));
        assert_eq!(files(&of_archive.1), files(&stored));
    }
}

#[test]
fn every_record_is_a_row_and_every_format_says_the_same() {
    for desk in [nasty(), story()] {
        let (written, folder) = desk.tables(Selection::default(), "tables");
        let export = desk.export(Selection::default(), "export");
        let report = verify_export(&export, None, &mut |_, _| {}).unwrap();
        let sum = |of: fn(&verbale::audit::LogReport) -> u64| report.logs.iter().map(of).sum::<u64>();
        assert_eq!(written.notifications, sum(|log| log.notifications));
        let void = rows(&folder, Table::Events).iter().filter(|row| row["event"] == "void").count() as u64;
        assert_eq!((void, written.receipts + void), (sum(|log| log.void), sum(|log| log.receipts)));
        let others = sum(|log| log.records - log.notifications - log.receipts);
        let of_records = ["grant", "revocation", "rotation", "amendment", "fork", "restart"];
        let events = rows(&folder, Table::Events);
        let events = events.iter().filter(|row| of_records.contains(&row["event"].as_str().unwrap())).count() as u64;
        assert_eq!(events, others);
        let counts = [written.notifications, written.receipts, written.deadlines, written.events];
        for (table, count) in TABLES.iter().zip(counts) {
            let lines = rows(&folder, *table);
            assert_eq!(lines.len() as u64, count, "{}", table.name());
            assert_eq!(parquet_rows(&folder, *table), lines, "{}", table.name());
            assert_eq!(csv_rows(&folder, *table), lines, "{}", table.name());
        }
    }
}

#[test]
fn one_clock_far_ahead_does_not_move_the_time_of_the_deadlines() {
    let mut ledger = Ledger::new();
    ledger.remark(CA, 1);
    let note = ledger.note(US, 2, "minister");
    let far = Timestamp::from_posix(common::START + 7_000 * 365 * 86_400);
    ledger.log_anyway_at(US, far, common::key(US, "log"), RecordType::Notification, &note);
    let now = Timestamp::from_posix(ledger.now / 1000);
    let desk = Desk::of(&ledger, CA);
    let (written, folder) = desk.tables(Selection::default(), "tables");
    assert!(written.as_of <= now && written.as_of >= Timestamp::from_posix(common::START), "{}", written.as_of);
    let notes = rows(&folder, Table::Notifications);
    assert!(notes.iter().any(|row| row["logged"] == far.to_string()), "what the clock said is told all the same");
}

/// A log that its party restarted: what it said on the branch that it left was said, and by whom it was received.
#[test]
fn what_was_said_on_a_branch_that_a_log_left_is_there_and_says_so() {
    let (mut ledger, kept, other, twin) = common::restarted::forked();
    let note = common::restarted::signed(&ledger, RU, &ledger.nodes[CA].disk, &twin);
    let accepted = ledger.now;
    ledger.submit(RU, note).unwrap();
    for _ in 0..4 {
        ledger.settle();
    }
    ledger.remark(RU, 9);
    ledger.settle();
    let desk = Desk::of(&ledger, CA);
    let (written, folder) = desk.tables(Selection::default(), "stored");
    for export in ["folder", "folder.tar.zst"] {
        let export = desk.export(Selection::default(), export);
        let name = format!("of-{}", export.file_name().unwrap().display());
        let (same, again) = desk.tables_of(&export, &name);
        assert_eq!(same, written);
        assert_eq!(files(&again), files(&folder));
    }
    for table in TABLES {
        let lines = rows(&folder, table);
        assert_eq!(parquet_rows(&folder, table), lines, "{}", table.name());
        assert_eq!(csv_rows(&folder, table), lines, "{}", table.name());
    }
    let notes = rows(&folder, Table::Notifications);
    let apart: Vec<_> = notes.iter().filter(|row| row["branch"] == 1).collect();
    let said: Vec<_> = apart.iter().map(|row| row["body"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["remark 4", "remark 5"]);
    assert_eq!(apart[0]["number"], format!("RU~1/{other}"));
    // The United States alone have received them; its receipts for them say nothing of the branch that goes on.
    assert!(apart.iter().all(|row| row["received_by"] == 1 && row["final"].is_null() && row["marks"] == json!([])));
    assert!(apart.iter().all(|row| row["signers"] == json!(["Minister"])));
    let row = notes.iter().find(|row| row["number"] == format!("RU/{kept}")).unwrap();
    let accepted = Timestamp::from_posix(accepted / 1000).to_string();
    assert!(row["branch"].is_null() && row["received_by"] == 3, "{row}");
    assert!(row["final"].as_str().unwrap() >= &*accepted, "{row}");
    let receipts = rows(&folder, Table::Receipts);
    let covers = |row: &&Value| row["of_branch"] == 1;
    assert!(receipts.iter().filter(covers).count() > 0);
    assert!(receipts.iter().filter(covers).all(|row| row["receiver"] == "US" && row["log"] == "RU"));
    // Of a part, only the event tells of it.
    let part = Selection { parties: vec!["RU".into()], ..Selection::default() };
    let (_, folder) = desk.tables(part, "part");
    assert!(rows(&folder, Table::Notifications).iter().all(|row| row["branch"].is_null()));
    assert!(rows(&folder, Table::Events).iter().any(|row| row["event"] == "restart"));
}

#[test]
fn words_come_back_as_they_were_said_and_no_spreadsheet_computes_them() {
    let desk = nasty();
    let (_, folder) = desk.tables(Selection::default(), "tables");
    let said: Vec<_> = rows(&folder, Table::Notifications)
        .iter()
        .filter_map(|row| row["body"]["text"].as_str().map(str::to_owned))
        .collect();
    for text in NASTY {
        assert!(said.iter().any(|other| other == text), "{text}");
    }
    let bytes = fs::read(folder.join("notifications.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    for row in reader.records() {
        for field in &row.unwrap() {
            assert!(!field.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{field}");
        }
    }
    assert!(bytes.ends_with(b"\r\n"));
    for text in NASTY.iter().chain(&["", "plain", "\ttab", "\rline", "'", "''=1", "\n=1", "\u{a0}=1"]) {
        let guarded = guarded(text);
        assert!(!guarded.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{text}");
        assert_eq!(guarded.strip_prefix('\'').unwrap_or(&guarded), *text);
    }
}

/// A ledger's canonical text has no line ends; the writers would keep them all the same, and refuse a row that does not fit.
#[test]
fn rows_of_any_text_are_read_back_and_rows_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let about = About { ledger: "trial".into(), treaty: Hash::digest(b""), as_of: Timestamp::default() };
    let texts = ["two\nlines\r\nand a , comma", "\n", "\u{0}\u{7f}", "\u{202e}abc", "\"", "\"\"", ",", "'"];
    let row = |text: &str| -> Vec<Cell> {
        let cell = |of, optional: bool| match of {
            _ if optional => Cell::None,
            Type::Time => Timestamp::from_posix(common::START).into(),
            _ => text.into(),
        };
        Table::Events.columns().iter().map(|column| cell(column.of, column.optional)).collect()
    };
    for format in ALL {
        let name = format!("events.{}", format.extension());
        let mut sink = create(format, Table::Events, &about, fs::File::create(dir.path().join(name)).unwrap()).unwrap();
        texts.iter().for_each(|text| sink.row(&row(text)).unwrap());
        assert!(sink.row(&row("short")[1..]).is_err());
        assert!(sink.row(&vec![Cell::None; 8]).is_err());
        assert!(sink.row(&vec![Cell::Integer(u64::MAX); 8]).is_err());
        sink.finish().unwrap();
    }
    let lines = rows(dir.path(), Table::Events);
    assert_eq!(lines.iter().map(|line| line["text"].as_str().unwrap()).collect::<Vec<_>>(), texts);
    assert_eq!(parquet_rows(dir.path(), Table::Events), lines);
    assert_eq!(csv_rows(dir.path(), Table::Events), lines);
}

#[test]
fn what_is_withheld_leaves_no_word_in_any_table() {
    let mut ledger = Ledger::new();
    let secret = say(&mut ledger, RU, 9, "the words that are withheld");
    ledger.remark(CA, 3);
    let desk = Desk::of(&ledger, CA);
    let selection = Selection { redact: vec![format!("RU/{secret}").parse().unwrap()], ..Selection::default() };
    let (_, folder) = desk.tables(selection, "tables");
    let number = format!("RU/{secret}");
    let row = rows(&folder, Table::Notifications).into_iter().find(|row| row["number"] == *number).unwrap();
    assert_eq!((&row["withheld"], &row["body"], &row["kind"]), (&json!(true), &Value::Null, &Value::Null));
    assert_eq!(row["leaf"].as_str().unwrap().len(), 64);
    for (name, bytes) in files(&folder) {
        assert!(!String::from_utf8_lossy(&bytes).contains("words that are"), "{name}");
    }
}

#[test]
fn deadlines_are_those_that_the_law_computes() {
    let desk = story();
    let (written, folder) = desk.tables(Selection::default(), "tables");
    let reading = desk.stored(Selection::default());
    let mut registrar = Registrar::new(reading.treaty.clone(), reading.profile.clone());
    let mut docket = Docket::new(reading.treaty.clone(), reading.profile.clone());
    reading
        .each(Scope::All, &mut |log, index, item| {
            let verbale::audit::Item::Record(bytes) = item else { panic!("something is withheld") };
            registrar.apply(&mut docket, log, index, &bytes);
            Ok::<_, TablesError>(())
        })
        .unwrap();
    let items = docket.items(written.as_of, &Query::default());
    let lines = rows(&folder, Table::Deadlines);
    assert_eq!(lines.len(), items.len());
    for (line, item) in lines.iter().zip(&items) {
        assert_eq!((line["rule"].as_str(), line["text"].as_str()), (Some(&*item.rule), Some(&*item.text)));
        assert_eq!(line["until"], json!(item.until));
        assert_eq!(line["whole"], json!(true));
    }
    let events = rows(&folder, Table::Events);
    let count = |event: &str| events.iter().filter(|row| row["event"] == event).count();
    let effects: usize = docket.effects(written.as_of, None).iter().map(|effect| effect.party.len()).sum();
    assert_eq!(count("effect"), effects);
    assert!(count("standing") > 0);
    // The known date of the United States' withdrawal.
    assert!(
        events
            .iter()
            .any(|row| row["event"] == "effect" && row["party"] == "US" && row["time"] == "2020-11-22T00:00:00Z"),
        "{:#?}",
        events.iter().filter(|row| row["event"] == "effect").collect::<Vec<_>>()
    );
    // Of a part, what is missing may be elsewhere, and the table says so.
    let part = desk.export(Selection { parties: vec!["US".into()], ..Selection::default() }, "part");
    let (_, folder) = desk.tables_of(&part, "of-part");
    let lines = rows(&folder, Table::Deadlines);
    assert!(!lines.is_empty() && lines.iter().all(|line| line["whole"] == json!(false)));
    // The same notes from stored data: answers by others count, though they were not asked for.
    let (_, folder) = desk.tables(Selection { parties: vec!["US".into()], ..Selection::default() }, "us");
    let known = rows(&folder, Table::Deadlines);
    assert!(known.iter().all(|line| line["whole"] == json!(true)));
    assert!(known.iter().any(|line| {
        line["state"] == "met"
            && !lines
                .iter()
                .any(|other| other["note"] == line["note"] && other["rule"] == line["rule"] && other["state"] == "met")
    }));
}

#[test]
fn a_note_is_final_when_the_report_says_so() {
    let desk = nasty();
    let (_, folder) = desk.tables(Selection::default(), "tables");
    let report = verify_export(&desk.export(Selection::default(), "export"), None, &mut |_, _| {}).unwrap();
    for row in rows(&folder, Table::Notifications) {
        let log = report.logs.iter().find(|log| row["sender"] == *log.party).unwrap();
        assert_eq!(row["record"].as_u64().unwrap() < log.final_size, !row["final"].is_null(), "{row}");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_half_done() {
    let desk = nasty();
    let (_, folder) = desk.tables(Selection::default(), "tables");
    let reading = desk.stored(Selection::default());
    let again = write_tables(&reading, &ALL, None, &folder, &mut |_, _, _| {});
    assert!(matches!(again, Err(TablesError::Exists(_))));
    // An earlier attempt that did not end is no hindrance; somebody's own folder of that name is left alone.
    let target = desk.path("other");
    let partial = verbale::audit::partial(&target);
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("letter.txt"), "mine").unwrap();
    let in_the_way = || {
        let tried = write_tables(&reading, &ALL, None, &target, &mut |_, _, _| {});
        assert!(matches!(tried, Err(TablesError::InTheWay(_))), "{tried:?}");
    };
    in_the_way();
    fs::write(partial.join("UNFINISHED"), "").unwrap();
    in_the_way();
    assert_eq!(fs::read_to_string(partial.join("letter.txt")).unwrap(), "mine");
    // So is an export that was interrupted and can go on.
    fs::remove_file(partial.join("letter.txt")).unwrap();
    fs::write(partial.join("UNFINISHED"), "This export was interrupted, and is not whole.").unwrap();
    in_the_way();
    fs::write(partial.join("UNFINISHED"), "These tables were").unwrap();
    write_tables(&reading, &ALL, None, &target, &mut |_, _, _| {}).unwrap();
    assert_eq!(files(&target), files(&folder));
    assert!(!partial.exists());
}

#[test]
fn tables_that_were_interrupted_anywhere_are_begun_anew_and_come_out_the_same() {
    let desk = nasty();
    let whole = files(&desk.tables(Selection::default(), "whole").1);
    let export = desk.export(Selection::default(), "export");
    let report = verify_export(&export, None, &mut |_, _| {}).unwrap();
    let reading = Reading::export(&export, &report).unwrap();
    let records = export.join("logs/CA/records.txt");
    let good = fs::read(&records).unwrap();
    let target = desk.path("target");
    let partial = verbale::audit::partial(&target);
    let mut kept = std::collections::BTreeSet::new();
    for part in 0..20 {
        // The disk fails in the second reading: the first one is past this log when it has begun the next.
        let mut begun = 0;
        let failed = write_tables(&reading, &ALL, None, &target, &mut |_, _, _| {
            begun += 1;
            if begun == 2 {
                fs::write(&records, &good[..good.len() * part / 20]).unwrap();
            }
        });
        fs::write(&records, &good).unwrap();
        failed.unwrap_err();
        assert!(!target.exists() && partial.join("UNFINISHED").is_file(), "{part}");
        kept.insert(files(&partial).values().map(Vec::len).sum::<usize>());
        write_tables(&reading, &ALL, None, &target, &mut |_, _, _| {}).unwrap();
        assert_eq!(files(&target), whole, "{part}");
        assert!(!partial.exists());
        fs::remove_dir_all(&target).unwrap();
    }
    assert!(!kept.is_empty());
}

/// The program itself, killed as soon as a file of the tables is there.
#[test]
fn a_killed_program_leaves_no_tables_and_the_same_command_makes_them() {
    let desk = story();
    let whole = files(&desk.tables(Selection::default(), "whole").1);
    let (export, target) = (desk.export(Selection::default(), "export"), desk.path("target"));
    let partial = verbale::audit::partial(&target);
    let start = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_verbale"))
            .args(["--json", "export", target.to_str().unwrap(), "--tables", "jsonl,csv,parquet"])
            .args(["--from", export.to_str().unwrap()])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    for name in ["", "UNFINISHED", "notifications.jsonl", "receipts.csv", "events.parquet", "columns.json"] {
        let mut child = start();
        while child.try_wait().unwrap().is_none() && !partial.join(name).exists() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(target.exists(), ended.success(), "{name}");
        if !ended.success() {
            assert!(start().wait().unwrap().success(), "{name}");
        }
        assert_eq!(files(&target), whole, "{name}");
        assert!(!partial.exists());
        fs::remove_dir_all(&target).unwrap();
    }
}

#[test]
fn the_page_lists_every_column_as_the_schema_has_it() {
    let page = include_str!("../docs/export.md");
    for table in TABLES {
        let rest = page.split(&format!("### {}\n", table.name())).nth(1).unwrap_or_else(|| panic!("{}", table.name()));
        let section = rest.split("\n### ").next().unwrap().split("\n## ").next().unwrap();
        let said: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let meant: Vec<String> = table
            .columns()
            .iter()
            .map(|column| {
                let of = format!("{:?}", column.of).to_lowercase();
                let may = if column.optional { ", may be empty" } else { "" };
                format!("| `{}` | {of}{may} | {} | {} |", column.name, column.unit, column.meaning)
            })
            .collect();
        assert_eq!(said, meant, "{}: the page should have\n{}", table.name(), meant.join("\n"));
    }
}
