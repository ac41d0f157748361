//! What `docs/interoperability.md` says: its very commands, on fresh evidence, and on evidence that was altered.
#![cfg(feature = "node")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

const PAGE: &str = include_str!("../docs/interoperability.md");

/// A tool of the page's table: the programs that it takes, and its command.
struct Tool {
    name: &'static str,
    /// Succeeds where the tool can be used.
    probe: &'static str,
}

const TOOLS: [Tool; 4] = [
    Tool { name: "openssl 3", probe: "openssl version | grep -q 'OpenSSL 3' && python3 --version" },
    Tool { name: "Python 3.11", probe: "python3 -c 'import cryptography, tomllib'" },
    Tool { name: "WebCrypto", probe: "node -e 'process.exit(process.versions.node.split(\".\")[0] < 18 ? 1 : 0)'" },
    Tool { name: "Go 1.19", probe: "go version && test -d /usr/share/gocode/src/golang.org/x/mod/sumdb" },
];

/// The page's fenced blocks: those with a file's name after the language by that name, the first other one as "".
fn blocks() -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let mut parts = PAGE.split("\n```").skip(1);
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        let (info, text) = block.split_once('\n').unwrap();
        let name = info.split_once(' ').map(|(_, name)| name).unwrap_or_default();
        assert_eq!(blocks.insert(name.to_owned(), format!("{text}\n")), None, "two blocks are named `{name}`");
    }
    blocks
}

/// The command in the last column of a tool's row.
fn command(tool: &str) -> &'static str {
    let row = PAGE.lines().find(|line| line.starts_with(&format!("| {tool} |"))).unwrap_or_else(|| panic!("{tool}"));
    row.trim_end_matches(" |").rsplit_once("| `").unwrap().1.strip_suffix('`').unwrap()
}

/// A folder in which the page's commands run.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        let mut blocks = blocks();
        let first = blocks.remove("").expect("the page has a block that makes the evidence");
        for (name, text) in blocks {
            fs::write(desk.path(&name), text).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
        fs::copy(script, desk.path("verify.py")).unwrap();
        let output = desk.shell(&format!("set -e\n{first}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn shell(&self, command: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_verbale")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.dir.path()).env("PATH", path).env("LC_ALL", "C.UTF-8");
        shell.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go")).output().unwrap()
    }

    /// The file `name`, with its bytes changed, stands there while `then` runs.
    fn altered(&self, name: &str, change: impl Fn(&mut Vec<u8>), then: impl Fn(&str)) {
        let path = self.path(name);
        let good = fs::read(&path).unwrap();
        let mut bent = good.clone();
        change(&mut bent);
        assert_ne!(bent, good, "{name} was not altered");
        fs::write(&path, bent).unwrap();
        then(name);
        fs::write(&path, good).unwrap();
    }
}

/// Replaces the first occurrence after `after`.
fn swap(bytes: &mut Vec<u8>, after: &str, old: &str, new: &str) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    let at = text.find(after).unwrap_or_else(|| panic!("`{after}` is not there"));
    *bytes = format!("{}{}", &text[..at], text[at..].replacen(old, new, 1)).into_bytes();
}

/// Replaces what stands between `begins` and the end of that line.
fn after(bytes: &mut Vec<u8>, begins: &str, change: impl Fn(&str) -> String) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    let at = text.find(begins).unwrap_or_else(|| panic!("`{begins}` is not there")) + begins.len();
    let end = at + text[at..].find('\n').unwrap();
    *bytes = format!("{}{}{}", &text[..at], change(&text[at..end]), &text[end..]).into_bytes();
}

fn next(number: &str) -> String {
    (number.parse::<u64>().unwrap() + 1).to_string()
}

/// Changes one character of a base64 value near the end of the line that begins so.
fn bend(bytes: &mut [u8], begins: &str) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let at = text.find(begins).unwrap_or_else(|| panic!("no line begins with `{begins}`"));
    let end = at + text[at..].find('\n').unwrap();
    let place = end - 10;
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
}

/// Changes the record and the credentials that an evidence file carries.
fn bundle(bytes: &mut Vec<u8>, old: &str, new: &str) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    let line = text.lines().nth(1).unwrap();
    let json = String::from_utf8(STANDARD.decode(line.strip_prefix("extra ").unwrap()).unwrap()).unwrap();
    assert!(json.contains(old), "`{old}` is not in the extra data");
    let bent = STANDARD.encode(json.replace(old, new));
    *bytes = text.replacen(line, &format!("extra {bent}"), 1).into_bytes();
}

const PROOF: &str = "US.tlog-proof";

/// Something that is done to a file.
type Change = Box<dyn Fn(&mut Vec<u8>)>;

/// All ways in which the evidence is altered; every tool has to refuse each.
fn twins() -> Vec<(&'static str, Change)> {
    vec![
        ("a date in the note", Box::new(|bytes| bundle(bytes, "2020-11-22", "2020-11-23"))),
        ("the record's time", Box::new(|bytes| bundle(bytes, "2020-05-22T14:00:00Z", "2020-05-21T14:00:00Z"))),
        ("the log's signature", Box::new(|bytes| bend(bytes, "— open-skies/US "))),
        ("a cosignature", Box::new(|bytes| bend(bytes, "— open-skies/CA/witness "))),
        ("the head's size", Box::new(|bytes| after(bytes, "\n\nopen-skies/US\n", next))),
        ("the log's name", Box::new(|bytes| swap(bytes, "\n\nopen-skies/US\n", "open-skies/US\n", "open-skies/CA\n"))),
        ("the record's place", Box::new(|bytes| after(bytes, "\nindex ", next))),
        (
            "a hash of the path",
            Box::new(|bytes| {
                let at = String::from_utf8_lossy(bytes).find("\nindex ").unwrap();
                let line = bytes[at + 1..].iter().position(|b| *b == b'\n').unwrap() + at + 2;
                bytes[line] = if bytes[line] == b'A' { b'B' } else { b'A' };
            }),
        ),
        ("cut off", Box::new(|bytes| bytes.truncate(bytes.len() / 2))),
        ("empty", Box::new(Vec::clear)),
    ]
}

#[test]
fn the_page_s_commands_verify_fresh_evidence_and_refuse_it_altered() {
    let desk = Desk::new();
    let mut used = 0;
    for tool in &TOOLS {
        if !desk.shell(tool.probe).status.success() {
            println!("SKIPPED: {} is not here (`make setup` installs it)", tool.name);
            continue;
        }
        used += 1;
        let command = command(tool.name);
        let good = desk.shell(command);
        let said = format!("{}\n{}", String::from_utf8_lossy(&good.stdout), String::from_utf8_lossy(&good.stderr));
        assert!(good.status.success(), "{}: {said}", tool.name);
        let refused = |what: &str| {
            let output = desk.shell(command);
            assert!(!output.status.success(), "{}, {what}: {}", tool.name, String::from_utf8_lossy(&output.stdout));
        };
        for (what, change) in twins() {
            desk.altered(PROOF, change, |_| refused(what));
        }
        // Keys of somebody else.
        desk.altered("treaty.toml", |bytes| bend(bytes, "log = \"open-skies/US+"), refused);
        if tool.name.starts_with("Go") {
            desk.altered("site/open-skies/US/latest", |bytes| bend(bytes, "— open-skies/US "), refused);
            let tiles = desk.path("site/open-skies/US/tile/0/000.p");
            for tile in fs::read_dir(tiles).unwrap() {
                let name = tile.unwrap().file_name().into_string().unwrap();
                let size: usize = name.parse().unwrap();
                let latest = fs::read_to_string(desk.path("site/open-skies/US/latest")).unwrap();
                if latest.lines().nth(1) == Some(name.as_str()) {
                    let path = format!("site/open-skies/US/tile/0/000.p/{name}");
                    desk.altered(&path, |bytes| bytes[32 * (size / 2)] ^= 1, refused);
                }
            }
        }
    }
    println!("{used} of {} tools", TOOLS.len());
    // Where everything is installed, nothing may be skipped: `make setup` sees to it, and CI runs that.
    if std::env::var_os("CI").is_some() {
        assert_eq!(used, TOOLS.len());
    }
}

#[test]
fn every_tool_of_the_page_has_a_row_and_its_script() {
    let blocks = blocks();
    for tool in &TOOLS {
        let script = command(tool.name).split(' ').find(|word| word.contains('.') && !word.contains('=')).unwrap();
        assert!(script == "verify.py" || blocks.contains_key(script), "{script} is not on the page");
    }
}
