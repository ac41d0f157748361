//! Published test vectors, and the examples of the standards.

use verbale::law::silence_rules;
use verbale::ledger::canon::check_plain;
use verbale::ledger::{Credential, NewKey, Profile, Record, RecordType, Rotation, Timestamp, Treaty, verify_evidence};
use verbale::note::{KeyType, SignedNote, SigningKey, VerifierKey, is_visible};
use verbale::tlog::{Checkpoint, CompactRange, Cosignature, Hash, leaf_hash};

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes: Vec<_> =
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// RFC 8032, section 7.1, tests 1 and 2: seed, public key, message, signature.
#[test]
fn the_ed25519_standards_own_vectors_are_met() {
    let cases: [(&str, &str, &[u8], &str); 2] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = SigningKey::from_seed("example", KeyType::Ed25519, &hex(seed)).unwrap();
        assert_eq!(*key.public().public(), hex(public));
        assert_eq!(key.sign(message), hex(signature));
        assert!(key.public().verify(message, &hex(signature)));
    }
}

/// 914 signatures with points of small order, non-canonical encodings and the like. What passes here passes in every
/// other verifier that was looked at, so none of them ever contradicts this one: nothing with an odd key, and nothing
/// that holds only under the cofactored equation.
#[test]
fn of_the_published_edge_cases_only_harmless_ones_are_accepted() {
    let text = include_str!("vectors/ed25519-edge-cases.tsv");
    let (mut cases, mut accepted) = (0, 0);
    for (at, line) in text.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let fields: Vec<_> = line.split('\t').collect();
        let [key, signature, message, flags] = fields[..] else { panic!("case {at}") };
        cases += 1;
        let Ok(key) = VerifierKey::new("example", KeyType::Ed25519, &hex(key)) else { continue };
        if key.verify(message.as_bytes(), &hex(signature)) {
            accepted += 1;
            for flag in flags.split(',') {
                let harmless = flag.is_empty() || flag == "low_order_component_R";
                assert!(harmless, "case {at} is accepted, with {flag}");
            }
        }
    }
    assert_eq!((cases, accepted), (914, 1));
}

/// A block of the page, set in.
fn block(title: &str, text: &str) -> String {
    let lines: String =
        text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect();
    format!("{title}\n\n{lines}\n")
}

/// The worked examples, from nothing but their seeds: section by section as a fourth verifier would meet them.
fn worked_examples() -> String {
    let key =
        |seed: &str, name: &str, kind| SigningKey::from_seed(name, kind, &Hash::digest(seed.as_bytes()).0).unwrap();
    let root = key("root", "trial/RU/root", KeyType::Ed25519);
    let log = key("log", "trial/RU", KeyType::Ed25519);
    let later = key("later log", "trial/RU", KeyType::Ed25519);
    let witness = key("witness", "trial/CA/witness", KeyType::Cosignature);
    let ledger = Hash::digest(b"abc");
    let time = |seconds| Timestamp::from_posix(1_624_006_800 + seconds);
    let mut out = String::from("**Keys** (section 3), each with the text of its seed:\n\n");
    for (seed, key) in [("root", &root), ("log", &log), ("later log", &later), ("witness", &witness)] {
        out.push_str(&format!("    {seed:<10} {}\n", key.public()));
    }
    out.push('\n');
    let rotation = Credential::Rotate(Rotation {
        issued: time(0),
        key: NewKey::Log(later.public().clone()),
        ledger,
        lost: false,
        party: "RU".into(),
        reason: None,
    });
    let rotation = rotation.sign(&root).unwrap();
    let rotation_text = String::from_utf8(rotation.to_bytes()).unwrap();
    out.push_str(&block(
        "**A credential** (section 9) that replaces the log's key, signed by the root:",
        &rotation_text,
    ));
    let payloads: [(RecordType, &[u8]); 2] =
        [(RecordType::Evidence, b"nothing\n"), (RecordType::Credential, rotation_text.as_bytes())];
    let (mut range, mut prev, mut leaves) = (CompactRange::default(), ledger, Vec::new());
    for (index, (kind, payload)) in payloads.into_iter().enumerate() {
        let record = Record { index: index as u64, log: "trial/RU", prev, time: time(index as u64), kind, payload };
        let bytes = record.to_bytes().unwrap();
        prev = leaf_hash(&bytes);
        range.push(prev);
        leaves.push(prev);
        let title =
            format!("**Record {index}** (section 7), {} bytes, with the leaf hash {}:", bytes.len(), prev.to_hex());
        out.push_str(&block(&title, std::str::from_utf8(&bytes).unwrap()));
    }
    // The head of size 2 ends with the rotation: it is the changeover, and both keys sign it.
    let head = Checkpoint { origin: "trial/RU".into(), size: 2, root: range.root() };
    let mut head = head.sign(&log).unwrap();
    head.sign(&later);
    let title = format!(
        "**The head** (section 11) of these two records, the changeover; its root in hexadecimal is {}:",
        range.root().to_hex()
    );
    out.push_str(&block(&title, &String::from_utf8(head.to_bytes()).unwrap()));
    let mut receipt = SignedNote::new(head.text().to_owned()).unwrap();
    Cosignature::sign(&mut receipt, &witness, 1_624_006_802);
    let signed = format!("cosignature/v1\ntime 1624006802\n{}", head.text());
    out.push_str(&block(
        "**A cosignature** (section 12): what Canada's witness key signs for it at 2021-06-18T09:00:02Z, and the line:",
        &signed,
    ));
    let bytes = String::from_utf8(receipt.to_bytes()).unwrap();
    out.push_str(&format!("    {}\n\n", bytes.lines().last().unwrap()));
    let path = format!(
        "Record 0 stands in the head of two records by the path of one hash {}, record 1 by {}.\n",
        leaves[1].to_hex(),
        leaves[0].to_hex()
    );
    out + "**Inclusion** (section 10): " + &path
}

#[test]
fn the_worked_examples_of_the_format_are_what_the_program_writes() {
    let examples = worked_examples();
    assert!(include_str!("../docs/format.md").contains(&examples), "docs/format.md should have:\n{examples}<<<");
}

/// What the fourth folder of golden files has of each rule of time, which three verifiers count alike.
#[test]
fn the_worked_deadlines_of_the_format_are_what_the_golden_file_gives() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/fourth");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
    let (treaty, profile) = (read("treaty.toml"), read("profile.toml"));
    let evidence = read("deadline/every-rule.tlog-proof");
    let law = Profile::parse(&profile).unwrap();
    let treaty = Treaty::parse(&treaty).unwrap().governed_by(&law);
    let verdict = verify_evidence(&evidence, &treaty, Some(&law)).unwrap();
    let rules = silence_rules(&evidence, &verdict, &treaty, &law).unwrap();
    let profile = String::from_utf8(profile).unwrap();
    // What the profile says of a rule after its title.
    let says = |rule: &str| {
        let (_, rest) = profile.split_once(&format!("id = \"{rule}\"\n")).unwrap();
        let rest = rest.split("\n[[kind.").next().unwrap();
        let lines =
            rest.lines().filter(|line| !["title", "answer =", "article", "then"].iter().any(|w| line.starts_with(w)));
        lines.map(str::trim).collect::<Vec<_>>().join("; ").replace('|', "\\|")
    };
    let mut table = String::from("| rule | the profile says | not before | until |\n|---|---|---|---|\n");
    for item in rules.items.iter().filter(|item| item.from.is_some() || item.until.is_some()) {
        // Those with other ways to count them are long; the golden file has them.
        if !item.readings.is_empty() {
            continue;
        }
        let moment = |time: Option<Timestamp>| time.map_or(String::new(), |time| format!("`{time}`"));
        table +=
            &format!("| `{}` | `{}` | {} | {} |\n", item.rule, says(&item.rule), moment(item.from), moment(item.until));
    }
    assert!(include_str!("../docs/format.md").contains(&table), "docs/format.md should have:\n{table}<<<");
}

#[test]
fn the_worked_characters_of_the_format_are_what_the_program_takes() {
    let ends: Vec<u32> = include_str!("../src/note/unicode-14.0.txt")
        .split_whitespace()
        .scan(0, |end, run| {
            *end += u32::from_str_radix(run, 16).unwrap();
            Some(*end)
        })
        .collect();
    let mut table =
        String::from("| text | its bytes | run of its last character | in a plain text |\n|---|---|---|---|\n");
    for text in [
        "\n",
        " ",
        "\u{a0}",
        "é",
        "e\u{301}",
        "\u{200b}",
        "\u{2028}",
        "\u{378}",
        "\u{e000}",
        "😀",
        "\u{1df0a}",
        "\u{13439}",
        "\u{ffff}",
    ] {
        let code = |c: char| format!("U+{:04X}", u32::from(c));
        let codes = text.chars().map(code).collect::<Vec<_>>().join(" ");
        let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let last = u32::from(text.chars().last().unwrap());
        let run = ends.partition_point(|end| *end <= last) + 1;
        let stands = match check_plain(text) {
            Ok(()) => "stands",
            Err(_) if text.chars().all(is_visible) => "refused: not in form C",
            Err(_) => "refused",
        };
        table += &format!("| {codes} | `{}` | {run} | {stands} |\n", bytes.join(" "));
    }
    assert!(include_str!("../docs/format.md").contains(&table), "docs/format.md should have:\n{table}<<<");
}

/// The table of characters stands in four places, as each verifier has to be whole by itself.
#[test]
fn the_table_of_characters_is_the_same_everywhere() {
    let runs = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let table = runs(include_str!("../src/note/unicode-14.0.txt"));
    let between = |text: &'static str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).unwrap();
        runs(rest.split_once(to).map_or(rest, |(inside, _)| inside))
    };
    assert_eq!(between(include_str!("../src/page/script/unicode.js"), "const RUNS = `", "`"), table);
    assert_eq!(between(include_str!("verify.py"), "RUNS = \"\"\"", "\"\"\""), table);
    assert_eq!(between(include_str!("../docs/format.md"), "no characters of UTF-8.", "\n\nSo, by the number"), table);
}
