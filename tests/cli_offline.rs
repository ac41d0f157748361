//! The offline commands as people run them: real processes, real files, exit codes and sentences.
#![cfg(feature = "cli")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use verbale::ledger::{
    Credentials, Grant, Notification, Profile, Record, RecordType, Timestamp, Treaty, check_notification,
};
use verbale::tlog::Hash;

const PROFILE: &str = r#"
version = 1
title = "A treaty to be tried out"
acknowledgement = "acknowledgement"
[kind.acknowledgement]
title = "Acknowledgement"
[kind.withdrawal]
title = "Notice of withdrawal"
article = "Article XV"
to = ["depositary", "*"]
[[kind.withdrawal.field]]
name = "effective"
title = "Intended date"
type = "date"
required = true
[[kind.withdrawal.field]]
name = "reasons"
title = "Reasons"
type = "list"
[kind.joint]
title = "Joint notice"
article = "Article XVI"
to = ["*"]
signatures = 2
field = [{ name = "text", title = "Text", type = "text" }]
"#;

/// A folder with the homes of some parties.
struct Desk(tempfile::TempDir);

/// What a command came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out
    }

    /// Failed with this code, a sentence with each of these parts, and nothing on standard output.
    #[track_caller]
    fn bad(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "{:?} should mention {part:?}", self.err);
        }
    }
}

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path("profile.toml"), PROFILE).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program in the desk's folder, for the home of that name. No terminal, no inherited settings.
    fn run_with(&self, home: &str, args: &[&str], passphrase: Option<&str>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        command.current_dir(self.0.path()).env_clear().env("VERBALE_HOME", home).args(args).stdin(Stdio::null());
        if let Some(passphrase) = passphrase {
            command.env("VERBALE_PASSPHRASE", passphrase);
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn run(&self, home: &str, args: &[&str]) -> Ran {
        self.run_with(home, args, None)
    }

    fn party(&self, code: &str, name: &str, role: &str) -> String {
        let args = ["keys", "new", "--ledger", "trial", "--party", code, "--name", name, "--role", role, "--plain"];
        let address = ["--address", "/ip4/192.0.2.1/udp/4001/quic-v1"];
        self.run(code, &[&args[..], &address[..]].concat()).good();
        format!("{code}/{code}.party.toml")
    }

    /// Two parties with their treaty in both homes.
    fn ledger() -> Self {
        let desk = Self::new();
        let (ca, ru) = (desk.party("CA", "Canada", "depositary"), desk.party("RU", "Россия", "state-party"));
        desk.treaty_new("CA").good();
        desk.run("CA", &["treaty", "add-party", &ca, &ru]).good();
        for file in ["treaty.toml", "profile.toml"] {
            fs::copy(desk.path("CA").join(file), desk.path("RU").join(file)).unwrap();
        }
        desk
    }

    fn treaty_new(&self, home: &str) -> Ran {
        self.run(home, &["treaty", "new", "--name", "trial", "--title", "A trial", "--profile", "profile.toml"])
    }

    fn treaty(&self) -> Treaty {
        Treaty::parse(self.read("CA/treaty.toml").as_bytes()).unwrap()
    }

    fn official(&self, name: &str) {
        self.run("RU", &["keys", "official", name, "--title", "Minister", "--plain"]).good();
    }

    fn draft(&self, file: &str) {
        self.run("RU", &["new", "withdrawal", "--set", "effective=2021-12-18", "-o", file]).good();
    }
}

#[test]
fn from_keys_to_a_signed_note_that_the_ledger_finds_in_order() {
    let desk = Desk::ledger();
    desk.run("CA", &["treaty", "check"]).good();
    let shown = desk.run("CA", &["treaty", "show"]).good();
    assert!(shown.contains("A note is final with receipts by any 1 of CA, RU.\n"), "{shown}");
    assert!(shown.contains("RU\tРоссия\tstate party\t/ip4/192.0.2.1/udp/4001/quic-v1\n"), "{shown}");

    desk.official("minister");
    desk.run("RU", &["keys", "grant", "minister", "--kinds", "withdrawal,acknowledgement"]).good();
    fs::write(desk.path("note.pdf"), "six by").unwrap();
    fs::write(desk.path("fields.json"), "{ \"reasons\": [\"one\", \"e\u{301}\"] }").unwrap();
    let leaf = "ab".repeat(32);
    let args = ["new", "withdrawal", "--set", "effective=2021-12-18", "--from-json", "fields.json", "-o", "w.draft"];
    let more = ["--attach", "note.pdf", "--re", &format!("CA/3@{leaf}"), "--issued", "2021-06-18T09:00:00Z"];
    let shown = desk.run("RU", &[&args[..], &more[..]].concat()).good();
    assert!(shown.contains("From: Россия (RU)\nTo: Canada (CA), all parties\nIssued: 2021-06-18 09:00:00 UTC\n"));
    desk.run("RU", &["sign", "w.draft", "--key", "minister", "--yes"]).good();

    let (treaty, profile) = (desk.treaty(), Profile::parse(PROFILE.as_bytes()).unwrap());
    let (credential, note) = (desk.read("RU/minister.credential"), desk.read("w.note"));
    let log = treaty.find("RU").unwrap();
    Grant::verify(credential.as_bytes(), treaty.party(log), "trial/RU", &treaty.hash()).unwrap();
    let mut credentials = Credentials::default();
    let record = Record {
        index: 0,
        log: "trial/RU",
        prev: treaty.hash(),
        time: Timestamp::from_posix(0),
        kind: RecordType::Credential,
        payload: credential.as_bytes(),
    };
    credentials.apply(&record, log, &treaty);
    let record = Record { index: 1, kind: RecordType::Notification, payload: note.as_bytes(), ..record };
    let validity =
        check_notification(&record, log, Default::default(), &treaty, Some(&profile), &credentials, |_| None);
    assert_eq!(validity.marks, []);
    assert_eq!(validity.signers[0].title, "Minister");

    let (_, notification) = Notification::of_note(note.as_bytes()).unwrap();
    assert_eq!(notification.to, ["CA", "*"]);
    assert_eq!(notification.attachments[0].sha256, Hash::digest(b"six by"));
    assert_eq!(notification.re[0].leaf.to_hex(), leaf);
    // Typed in two code points, signed in one.
    assert_eq!(notification.body["reasons"][1], "\u{e9}");
}

#[test]
fn a_second_official_adds_a_signature_and_the_first_stays() {
    let desk = Desk::ledger();
    desk.official("minister");
    desk.official("deputy");
    desk.draft("w.draft");
    desk.run("RU", &["sign", "w.draft", "--key", "minister", "--yes"]).good();
    let first = desk.read("w.note");
    let out = desk.run("RU", &["--json", "sign", "w.note", "--key", "deputy", "--yes"]).good();
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["signatures"], serde_json::json!(["trial/RU/minister", "trial/RU/deputy"]));
    assert!(desk.read("w.note").starts_with(&first));
    desk.run("RU", &["sign", "w.note", "--key", "deputy", "--yes"])
        .bad(4, &["w.note is signed by trial/RU/deputy already"]);
}

#[test]
fn copies_that_officials_signed_elsewhere_are_brought_together_and_other_texts_are_refused() {
    let desk = Desk::ledger();
    desk.official("minister");
    desk.official("deputy");
    let new = |file: &str, text: &str| {
        let args = ["new", "joint", "--set", text, "--issued", "2021-06-18T09:00:00Z", "-o", file];
        desk.run("RU", &args).good();
    };
    new("j.draft", "text=one and the same");
    let said = desk.run("RU", &["sign", "j.draft", "--key", "minister", "--yes", "-o", "a.note"]).good();
    assert!(said.contains("The profile (Article XVI) demands 2 officials: 1 more official has to sign it."), "{said}");
    desk.run("RU", &["sign", "j.draft", "--key", "deputy", "--yes", "-o", "b.note"]).good();
    let (a, b) = (desk.read("a.note"), desk.read("b.note"));

    let out = desk.run("RU", &["--json", "sign", "--merge", "a.note", "b.note", "-o", "both.note"]).good();
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["signatures"], serde_json::json!(["trial/RU/minister", "trial/RU/deputy"]));
    assert_eq!((&value["demanded"], &value["missing"]), (&2.into(), &0.into()));
    // Byte for byte the lines that they signed; the copies stay as they are.
    assert_eq!(desk.read("both.note"), format!("{a}{}", b.rsplit_once("\n\n").unwrap().1));
    assert_eq!((desk.read("a.note"), desk.read("b.note")), (a.clone(), b.clone()));
    // In place, in the other order, and once more: nothing is there twice.
    desk.run("RU", &["sign", "b.note", "--merge", "a.note", "both.note"]).good();
    assert_eq!(desk.read("b.note").lines().count(), 4);
    // A third official signs what two copies came to, and a draft may be among them.
    desk.official("third");
    desk.run("RU", &["sign", "j.draft", "--merge", "a.note", "--key", "third", "--yes", "-o", "c.note"]).good();
    assert!(desk.read("c.note").starts_with(&a) && desk.read("c.note").contains("trial/RU/third "));

    // Another text: the first difference is named, by field and title, and nothing is written.
    new("k.draft", "text=one and another");
    desk.run("RU", &["sign", "k.draft", "--key", "deputy", "--yes", "-o", "k.note"]).good();
    let merge = ["sign", "--merge", "a.note", "k.note", "-o", "no.note"];
    desk.run("RU", &merge).bad(
        4,
        &["the field `body.text` (Text) is “one and the same” in a.note, and “one and another” in k.note", "nothing"],
    );
    new("l.draft", "text=one and the same");
    desk.run("RU", &["sign", "--merge", "a.note", "l.draft", "-o", "no.note"]).bad(4, &["the field `id` is"]);
    // A line that somebody altered.
    let line = b.lines().last().unwrap();
    let (head, end) = line.split_at(line.len() - 8);
    let altered =
        format!("{head}{}", if end.starts_with('A') { end.replacen('A', "B", 1) } else { format!("A{}", &end[1..]) });
    fs::write(desk.path("x.note"), desk.read("both.note").replace(line, &altered)).unwrap();
    desk.run("RU", &["sign", "--merge", "both.note", "x.note", "-o", "no.note"])
        .bad(4, &["x.note has another signature by trial/RU/deputy"]);
    desk.run("RU", &["sign", "x.note", "--key", "third", "--yes"])
        .bad(4, &["the signature by trial/RU/deputy does not verify"]);
    // And what is no question at all.
    desk.run("RU", &["sign", "--merge", "a.note"]).bad(2, &["one copy"]);
    desk.run("RU", &["sign"]).bad(2, &["required"]);
    desk.run("RU", &["sign", "a.note"]).bad(2, &["--key"]);
    desk.run("RU", &["sign", "--merge", "a.note", "none.note"]).bad(3, &["there is no file none.note"]);
    assert!(!desk.path("no.note").exists());
}

#[test]
fn an_encrypted_key_needs_its_passphrase_from_wherever_it_comes() {
    let desk = Desk::ledger();
    let official = ["keys", "official", "minister", "--title", "Minister"];
    desk.run("RU", &official).bad(7, &["a passphrase is needed", "VERBALE_PASSPHRASE"]);
    desk.run_with("RU", &official, Some("")).bad(7, &["a passphrase has 1 to 1024 bytes"]);
    assert!(!desk.path("RU/keys/officials/minister.key").exists());
    desk.run_with("RU", &official, Some("open sesame")).good();
    assert!(desk.read("RU/keys/officials/minister.key").starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    let shown = desk.run("RU", &["keys", "show"]).good();
    assert!(shown.contains("Minister\tencrypted\ttrial/RU/minister+"), "{shown}");
    assert!(shown.contains("Log: signs checkpoints\tplain\ttrial/RU+"), "{shown}");

    desk.draft("w.draft");
    let sign = ["sign", "w.draft", "--key", "minister", "--yes"];
    desk.run_with("RU", &sign, Some("open sesam")).bad(7, &["the passphrase does not open RU/keys/officials/minister"]);
    assert!(!desk.path("w.note").exists());
    fs::write(desk.path("pass"), "open sesame\n").unwrap();
    let sign = [&sign[..], &["--passphrase-file", "pass"]].concat();
    fs::set_permissions(desk.path("pass"), fs::Permissions::from_mode(0o644)).unwrap();
    desk.run("RU", &sign).bad(7, &["pass is not encrypted, and others than its owner can read", "0644"]);
    fs::set_permissions(desk.path("pass"), fs::Permissions::from_mode(0o600)).unwrap();
    desk.run("RU", &sign).good();
}

#[test]
fn keys_are_private_and_never_overwritten_and_exposed_ones_are_refused() {
    let desk = Desk::ledger();
    let before = desk.read("RU/keys/log.key");
    let args = ["keys", "new", "--ledger", "trial", "--party", "RU", "--name", "Russia", "--plain"];
    desk.run("RU", &args).bad(7, &["RU/keys/root.key exists already", "never overwritten"]);
    for job in ["root", "log", "witness", "transport"] {
        fs::remove_file(desk.path(&format!("RU/keys/{job}.pub"))).unwrap();
    }
    fs::remove_file(desk.path("RU/keys/root.key")).unwrap();
    desk.run("RU", &args).bad(7, &["RU/keys/log.key exists already"]);
    assert_eq!(desk.read("RU/keys/log.key"), before);
    assert!(!desk.path("RU/keys/root.key").exists(), "all keys or none");

    desk.official("minister");
    let key = desk.path("RU/keys/officials/minister.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    desk.draft("w.draft");
    let sign = ["sign", "w.draft", "--key", "minister", "--yes"];
    desk.run("RU", &sign).bad(7, &["minister.key is not encrypted, and others than its owner", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, &text[..text.len() - 9]).unwrap();
    desk.run("RU", &sign).bad(7, &["minister.key is not a key file that can be read: it was cut short"]);
    desk.run("RU", &["sign", "w.draft", "--key", "nobody", "--yes"]).bad(7, &["no key file RU/keys/officials/nobody"]);
}

#[test]
fn only_an_officials_key_of_the_sender_signs_and_only_such_keys_are_granted() {
    let desk = Desk::ledger();
    desk.draft("w.draft");
    desk.run("CA", &["keys", "official", "minister", "--title", "Minister", "--plain"]).good();
    for key in ["RU/keys/log.key", "RU/keys/root.key", "RU/keys/witness.key", "CA/keys/officials/minister.key"] {
        let sentence = "is not an official's key of Россия (RU); nothing was signed";
        desk.run("RU", &["sign", "w.draft", "--key", key, "--yes"]).bad(4, &[sentence]);
    }
    let transport = desk.run("RU", &["sign", "w.draft", "--key", "RU/keys/transport.key", "--yes"]);
    transport.bad(7, &["holds the key trial/RU/transport of kind libp2p"]);
    assert!(!desk.path("w.note").exists());

    let grant = |key: &str| desk.run("RU", &["keys", "grant", key, "--kinds", "*", "--title", "T"]);
    grant("CA/keys/officials/minister.pub").bad(4, &["trial/CA/minister is not named as an official's key of RU"]);
    grant("RU/keys/root.pub").bad(4, &["trial/RU/root is not named as an official's key of RU"]);
    grant("RU/keys/witness.pub").bad(4, &["is a key for receipts"]);
    grant("RU/keys/transport.pub").bad(7, &["is a transport key"]);
    grant("nobody").bad(7, &["no key file RU/keys/officials/nobody.pub"]);
    desk.official("minister");
    desk.run("RU", &["keys", "grant", "minister", "--kinds", "withdrawl"])
        .bad(4, &["the kind \"withdrawl\" is not in the treaty's profile", "acknowledgement, joint, withdrawal"]);
    fs::copy(desk.path("CA/keys/root.key"), desk.path("RU/keys/root.key")).unwrap();
    grant("minister").bad(7, &["RU/keys/root.key holds the key trial/CA/root+", "should hold trial/RU/root+"]);
    desk.run("RU", &["keys", "official", "root", "--title", "T", "--plain"]).bad(3, &["not root, log, witness"]);
    desk.run("RU", &["keys", "official", "../x", "--title", "T", "--plain"])
        .bad(3, &["is not an official's short name"]);
}

#[test]
fn drafts_that_are_not_in_form_are_refused_with_all_their_faults() {
    let desk = Desk::ledger();
    let new = |args: &[&str]| desk.run("RU", &[&["new", "withdrawal", "-o", "w.draft"], args].concat());
    desk.run("RU", &["new", "withdrawl"])
        .bad(4, &["the treaty's profile has no kind \"withdrawl\"", "did you mean withdrawal (Notice of withdrawal)?"]);
    new(&[]).bad(4, &["the field `effective` (Intended date) is missing", "nothing was written"]);
    new(&["--set", "effective=18.12.2021", "--set", "when=now", "--set", "x", "--set", "reasons=\u{202e}"]).bad(
        4,
        &[
            "the draft has 4 faults",
            "the field `effective` (Intended date) is not a date as 2021-12-18",
            "the field `when` is not one of this kind",
            "--set \"x\" does not read FIELD=VALUE",
            "the field `reasons`: the character U+202E is invisible",
        ],
    );
    let date = ["--set", "effective=2021-12-18"];
    let dated = |args: &[&str]| new(&[&date, args].concat());
    dated(&date).bad(4, &["the field `effective` is given twice"]);
    dated(&["--to", "FR"]).bad(4, &["the addressee \"FR\" is not a party"]);
    dated(&["--to", "RU"]).bad(4, &["no addressee but its sender"]);
    dated(&["--re", "CA/3"]).bad(3, &["the leaf hash of CA/3 is not known here", "--re CA/3@LEAFHASH"]);
    dated(&["--re", "FR/3"]).bad(3, &["\"FR\", which is not a party"]);
    dated(&["--re", "CA/+3"]).bad(3, &["has no number"]);
    dated(&["--issued", "yesterday"]).bad(3, &["\"yesterday\" is not a time in UTC"]);
    dated(&["--attach", "none.pdf"]).bad(3, &["the attachment none.pdf"]);
    dated(&["--set", &format!("reasons={}", "long ".repeat(13_000))]).bad(4, &["longer than 60000 bytes"]);
    dated(&["--from-json", "none.json"]).bad(3, &["there is no file none.json"]);
    fs::write(desk.path("twice.json"), r#"{"effective":"2021-12-18","effective":"2021-12-19"}"#).unwrap();
    new(&["--from-json", "twice.json"]).bad(3, &["twice.json", "the field `effective` stands there twice"]);
    assert!(!desk.path("w.draft").exists());
    dated(&[]).good();
    dated(&[]).bad(3, &["w.draft exists already; nothing was written"]);
}

#[test]
fn what_is_not_a_draft_of_this_ledger_is_not_signed() {
    let desk = Desk::ledger();
    desk.official("minister");
    desk.draft("w.draft");
    let text = desk.read("w.draft");
    let sign = |file: &str| desk.run("RU", &["sign", file, "--key", "minister", "--yes"]);
    let altered = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(desk.path("x.draft"), text.replacen(from, to, 1)).unwrap();
        sign("x.draft")
    };
    let hash = desk.treaty().hash().to_hex();
    altered(&hash, &"00".repeat(32)).bad(4, &["x.draft: it is for another ledger", &hash, "it was not signed"]);
    altered("\"RU\"", "\"FR\"").bad(4, &["it is from FR, which is not a party"]);
    altered("\"RU\"", "\"CA\"").bad(4, &["is not an official's key of Canada (CA)"]);
    altered("[\"CA\",\"*\"]", "[\"FR\"]").bad(4, &["it is addressed to FR, which is not a party"]);
    altered("\"withdrawal\"", "\"farewell\"").bad(4, &["the kind `farewell` is not in the profile"]);
    altered("2021-12-18", "2021-13-18").bad(4, &["`effective` (Intended date) is not a date"]);
    altered(":", ": ").bad(3, &["neither a draft nor a signed note", "not canonical JSON: byte 8"]);
    altered("\n", "").bad(3, &["neither a draft nor a signed note"]);
    altered("\n", "\n\n— nobody AAAA\n").bad(3, &["signature line 1"]);
    sign("none.draft").bad(3, &["there is no file none.draft"]);
    desk.run("RU", &["sign", "w.draft", "--key", "minister"]).bad(2, &["confirmed on a terminal", "--yes"]);
    assert!(!desk.path("x.note").exists() && !desk.path("w.note").exists());
    sign("w.draft").good();
    sign("w.draft").bad(3, &["w.note exists already"]);
    fs::write(desk.path("RU/profile.toml"), format!("{PROFILE}\n")).unwrap();
    sign("w.draft").bad(3, &["RU/profile.toml is not the profile that the treaty file names"]);
}

#[test]
fn faulty_treaty_files_are_told_by_line_and_field() {
    let desk = Desk::ledger();
    let text = desk.read("CA/treaty.toml");
    let check = |text: &str| {
        fs::write(desk.path("x.toml"), text).unwrap();
        desk.run("CA", &["treaty", "check", "x.toml", "--profile", "profile.toml"])
    };
    check(&text).good();
    check(&text.replace("trial/RU+", "trial/RU+0")).bad(3, &["x.toml", "line 29", "hash should read"]);
    check(&text.replace("code = \"RU\"", "code = \"CA\"")).bad(3, &["line 24: party CA: the `root` key is named"]);
    let ca = &text[text.find("[[party]]").unwrap()..text.rfind("[[party]]").unwrap()];
    check(&format!("{text}\n{ca}")).bad(3, &["line 34: party CA: this code stands in the file twice"]);
    check(&text.replace("peer = \"12D3KooW", "peer = \"12D3KooX")).bad(3, &["line 14: party CA: `peer`", "line 24: "]);
    check(&text.replace("udp/4001", "udp/x")).bad(3, &["line 14: party CA: the address", "no udp port"]);
    check(&text.replace("receipts 1 CA", "receipts 1 FR")).bad(3, &["field `quorum`, its line 2: `FR` is not defined"]);
    check(&text.replace("title", "titel")).bad(3, &["line 4", "unknown field `titel`"]);
    check(&text.replacen("profile_sha256 = \"", "profile_sha256 = \"00", 1)).bad(3, &["profile_sha256"]);
    fs::write(desk.path("y.toml"), format!("{PROFILE}\n")).unwrap();
    desk.run("CA", &["treaty", "check", "--profile", "y.toml"])
        .bad(3, &["field `profile_sha256`", "SHA-256 of y.toml"]);
    desk.run("CA", &["treaty", "check", "none.toml"]).bad(3, &["there is no file none.toml"]);
    desk.run("CA", &["treaty", "add-party", "RU/RU.party.toml"])
        .bad(3, &["RU.party.toml: party RU: this code stands in the file twice; nothing was added"]);
    assert_eq!(desk.read("CA/treaty.toml"), text);
    desk.treaty_new("CA").bad(3, &["CA/treaty.toml exists already"]);
}

#[test]
fn a_quorum_and_comments_that_were_set_by_hand_stay() {
    let desk = Desk::new();
    let (ca, ru) = (desk.party("CA", "Canada", "depositary"), desk.party("RU", "Россия", "state-party"));
    let quorum = "group mine all CA RU\nquorum mine";
    let args = ["treaty", "new", "--name", "trial", "--title", "T", "--profile", "profile.toml", "--quorum", quorum];
    desk.run("CA", &args).good();
    let text = desk.read("CA/treaty.toml").replace("quorum = ", "# ours\nquorum = ");
    fs::write(desk.path("CA/treaty.toml"), text).unwrap();
    let out = desk.run("CA", &["treaty", "add-party", &ca]).good();
    assert!(out.contains("Still to be done: `quorum`: policy line"), "{out}");
    desk.run("CA", &["treaty", "add-party", &ru]).good();
    assert!(desk.read("CA/treaty.toml").contains("# ours\nquorum = '''\ngroup mine all CA RU\nquorum mine\n'''\n"));
    desk.run("CA", &["treaty", "check"]).good();

    let desk = Desk::ledger();
    let text = desk.read("CA/treaty.toml");
    assert!(text.contains("in which witnesses are parties by code.\nquorum = '''\n# The default"), "{text}");
    assert!(text.contains("\ngroup receipts 1 CA RU\nquorum receipts\n'''\n"), "{text}");
}

#[test]
fn failures_are_json_where_json_is_asked_for() {
    let desk = Desk::new();
    let error = |args: &[&str]| {
        let ran = desk.run("nowhere", args);
        assert_eq!(ran.out, "");
        let value: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(value["code"], ran.code);
        (ran.code, value["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(error(&["--json", "treaty", "show"]), (3, "there is no file nowhere/treaty.toml".into()));
    assert_eq!(error(&["--json", "nonsense"]), (2, "unrecognized subcommand 'nonsense'".into()));
    assert_eq!(error(&["--json", "keys"]).0, 2);
    let script = desk.run("nowhere", &["completions", "bash"]).good();
    assert!(script.contains("_verbale()"));
}

#[test]
fn nothing_in_a_file_steers_the_terminal() {
    let desk = Desk::ledger();
    fs::write(desk.path("x.toml"), "\u{1b}[2J = 1\n").unwrap();
    let ran = desk.run("CA", &["treaty", "check", "x.toml", "--profile", "profile.toml"]);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    ran.bad(3, &["x.toml"]);
}
