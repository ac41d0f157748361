//! What a reader of the page sees and does: colours, other treaty files, paper, keys, and what altered pages say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use verbale::audit::Selection;
use verbale::page::{Carried, evidence_page, is_written_so, ledger_page};

use crate::common;
use crate::common::files::archived;
use crate::driver::Browser;

const KEPT: &str = "tests/golden/first";

fn kept(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT).join(name)).unwrap()
}

/// A folder with a good page in it.
struct Desk {
    dir: TempDir,
    html: String,
}

impl Desk {
    fn new() -> Self {
        Self::with("note/good.tlog-proof")
    }

    fn with(evidence: &str) -> Self {
        let html = evidence_page(&kept(evidence), &kept("treaty.toml"), Some(&kept("profile.toml")));
        Self { dir: tempfile::tempdir().unwrap(), html }
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn page(&self) -> PathBuf {
        self.put("good.html", &self.html)
    }
}

fn verdict_text(browser: &Browser) -> String {
    browser.ask("return document.getElementById('verdict').innerText").as_str().unwrap().to_owned()
}

/// Red, green and blue of the verdict's word.
fn colour(browser: &Browser) -> Vec<i64> {
    let script = "return getComputedStyle(document.querySelector('#verdict .word')).color.match(/\\d+/g).map(Number)";
    browser.ask(script).as_array().unwrap().iter().map(|part| part.as_i64().unwrap()).collect()
}

fn is_green(colour: &[i64]) -> bool {
    colour[1] > colour[0] + 20 && colour[1] > colour[2]
}

fn is_red(colour: &[i64]) -> bool {
    colour[0] > colour[1] + 40 && colour[0] > colour[2] + 40
}

#[test]
fn a_good_page_is_green_shows_everything_and_asks_nobody() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    browser.devtools("Network.enable", &json!({}));
    assert_eq!(browser.open(&desk.page()), "verified");
    assert!(is_green(&colour(&browser)), "{:?}", colour(&browser));
    let text = verdict_text(&browser);
    assert!(text.contains("VERIFIED") && text.contains("treaty file inside this page"), "{text}");
    let shown = browser.ask("return document.body.innerText");
    let shown = shown.as_str().unwrap();
    for part in
        ["FROM: Russia (RU)", "A. Text: remark 2", "It is addressed to Canada and all parties.", "head of 11 records"]
    {
        assert!(shown.contains(part), "{part:?} should be in {shown}");
    }
    // The timeline is drawn: a mark for each moment, and a thread for each other party's.
    let drawn = browser.ask("return [document.querySelectorAll('.timeline .mark').length, document.querySelectorAll('.timeline .thread').length]");
    assert_eq!(drawn, json!([9, 6]));
    let requests = browser.ask("return performance.getEntriesByType('resource').map((entry) => entry.name)");
    assert_eq!(requests, json!([]), "the page asked for something");
    browser.picture("good");
}

#[test]
fn nothing_gets_in_or_out_past_the_policy_of_the_page() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    browser.open(&desk.page());
    let refused = browser.ask_async(
        "const blocked = [];
         document.addEventListener('securitypolicyviolation', (event) => blocked.push(event.effectiveDirective));
         await fetch('http://127.0.0.1:9/').catch(() => {});
         const image = document.createElement('img');
         image.src = 'http://127.0.0.1:9/x.png';
         const script = document.createElement('script');
         script.textContent = 'document.title = \"taken over\"';
         document.body.append(image, script);
         await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
         return [blocked.sort(), document.title];",
        &Value::Null,
    );
    assert_eq!(refused[0], json!(["connect-src", "img-src", "script-src-elem"]));
    assert_ne!(refused[1], "taken over");
}

/// Each class of tampering with a page, and what it says then.
#[test]
fn an_altered_page_is_red_and_names_what_failed() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    let carried = Carried::read(desk.html.as_bytes()).unwrap();
    let with = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut carried = carried.clone();
        let file = carried.0.iter_mut().find(|(known, _)| known == name).unwrap();
        change(&mut file.1);
        let files = |name| carried.file(name).unwrap();
        evidence_page(files("evidence.tlog-proof"), files("treaty.toml"), Some(files("profile.toml")))
    };
    let swap = |bytes: &mut Vec<u8>, from: &str, to: &str| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        *bytes = text.replacen(from, to, 1).into_bytes();
    };
    let line = desk.html.lines().skip_while(|line| !line.contains("evidence.tlog-proof")).nth(3).unwrap();
    let bent_line = format!("{}!{}", &line[..10], &line[11..]);
    let block = &desk.html[desk.html.find("<script type=\"text/plain\"").unwrap()..];
    let block = &block[..block.find("</script>\n").unwrap() + 10];
    let script =
        "<script>document.getElementById('verdict').className = 'verified'</script><script type=\"text/plain\"";
    let cases: Vec<(&str, String, &str, &str)> = vec![
        ("evidence", with("evidence.tlog-proof", &|b| b[3000] ^= 1), "refused", "NOT VERIFIED"),
        (
            "checkpoint",
            with("evidence.tlog-proof", &|b| swap(b, "\ntrial/RU\n1", "\ntrial/RU\n2")),
            "refused",
            "the checkpoint",
        ),
        ("treaty's quorum", with("treaty.toml", &|b| swap(b, "any CA HU", "any HU CA")), "refused", "another ledger"),
        (
            "treaty's key",
            with("treaty.toml", &|b| swap(b, "trial/RU+74", "trial/RU+75")),
            "refused",
            "party RU: the key's hash",
        ),
        ("profile", with("profile.toml", &|b| swap(b, "Remark", "Demand")), "refused", "profile.toml: its SHA-256"),
        ("base64", desk.html.replacen(line, &bent_line, 1), "refused", "evidence.tlog-proof: it is not base64"),
        (
            "no evidence",
            desk.html.replacen(block, "", 1),
            "refused",
            "evidence.tlog-proof: the page does not carry this file",
        ),
        ("two evidences", desk.html.replacen(block, &format!("{block}{block}"), 1), "refused", "twice"),
        (
            "script",
            desk.html.replacen("need(condition, what) {", "need(condition, what) { return;", 1),
            "static",
            "has not run",
        ),
        ("another script", desk.html.replacen("<script type=\"text/plain\"", script, 1), "verified", "VERIFIED"),
    ];
    for (name, html, expected, words) in cases {
        assert_ne!(html, desk.html, "{name}");
        let verdict = browser.open(&desk.put("bent.html", &html));
        let text = verdict_text(&browser);
        assert_eq!(verdict, expected, "{name}: {text}");
        assert!(text.contains(words), "{name} should say {words:?}: {text}");
        if expected != "verified" {
            assert!(is_red(&colour(&browser)), "{name}: {:?}", colour(&browser));
            assert!(text.contains("NOT VERIFIED"), "{name}: {text}");
            let body = browser.ask("return document.body.innerText");
            assert!(!body.as_str().unwrap().contains("remark 2"), "{name}: what is not verified is not shown");
        }
        // A page with another script, or a part more, is told from the program's own, whatever it shows.
        let own = Carried::read(html.as_bytes()).is_ok_and(|carried| is_written_so(html.as_bytes(), &carried));
        assert!(!(name.contains("script") && own), "{name}");
    }
    browser.picture("refused");
}

#[test]
fn without_scripts_the_page_says_that_nothing_was_checked() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    let page = desk.page();
    browser.devtools("Page.navigate", &json!({"url": format!("file://{}", page.display())}));
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
    let text = verdict_text(&browser);
    assert!(text.contains("NOT VERIFIED") && text.contains("JavaScript must be on"), "{text}");
    assert!(is_red(&colour(&browser)));
}

/// The reader's own treaty file is the one that counts, however it is given.
#[test]
fn a_reader_gives_another_treaty_file() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    let same = desk.put("mine.toml", kept("treaty.toml"));
    let other = String::from_utf8(kept("treaty.toml")).unwrap().replace("A trial", "Another trial");
    let other = desk.put("other.toml", other);
    let broken = desk.put("broken.toml", "[[party]]\ncode = \"CA\"\n");
    let proof = desk.put("bent.tlog-proof", kept("note/text-changed.tlog-proof"));
    browser.open(&desk.page());
    assert_eq!(browser.drop_file(&same), "verified");
    assert!(verdict_text(&browser).contains("the treaty file that you gave"));
    assert!(is_green(&colour(&browser)));
    assert_eq!(browser.drop_file(&other), "refused");
    assert!(verdict_text(&browser).contains("another ledger"), "{}", verdict_text(&browser));
    assert!(is_red(&colour(&browser)));
    assert_eq!(browser.choose(&[&broken]), "refused");
    assert!(verdict_text(&browser).contains("treaty.toml"), "{}", verdict_text(&browser));
    assert_eq!(browser.choose(&[&same]), "verified");
    assert_eq!(browser.choose(&[&proof]), "refused");
    assert!(verdict_text(&browser).contains("the record"), "{}", verdict_text(&browser));
    // A page from somebody else, before one's own treaty file.
    assert_eq!(browser.choose(&[&desk.put("theirs.html", &desk.html)]), "refused", "one's own evidence file stays");
    browser.open(&desk.page());
    assert_eq!(browser.choose(&[&desk.put("silent.html", Desk::with("silence/good.tlog-proof").html)]), "verified");
    assert!(verdict_text(&browser).contains("VERIFIED"));
    assert!(browser.ask("return document.body.innerText").as_str().unwrap().contains("Canada had not answered"));
}

/// An archive, once it is decompressed; compressed, the page says how.
#[test]
fn a_reader_gives_an_archive() {
    let Some(browser) = Browser::start() else { return };
    let (desk, mut ledger) = (Desk::new(), common::Ledger::new());
    ledger.remark(common::RU, 1);
    let archive = archived(&ledger, common::CA, Selection::default());
    let tar = zstd::decode_all(archive.as_slice()).unwrap();
    browser.open(&desk.page());
    assert_eq!(browser.choose(&[&desk.put("ledger.tar.zst", &archive)]), "verified");
    let given = || browser.ask("return document.getElementById('given').innerText").as_str().unwrap().to_owned();
    assert!(given().contains("ledger.tar.zst was not taken") && given().contains("zstd -d"), "{}", given());
    assert_eq!(browser.choose(&[&desk.put("ledger.tar", &tar)]), "verified");
    let text = verdict_text(&browser);
    assert!(text.contains("records hold") && text.contains("inside this page"), "{text}");
    // Cut off, with something behind it, with another owner, with a record changed.
    let mut owner = tar.clone();
    owner[110] = b'1';
    let mut record = tar.clone();
    let at = tar.windows(8).rposition(|bytes| bytes == b"remark 1").unwrap();
    record[at] = b'R';
    for (name, bytes, taken) in [
        ("cut.tar", tar[..tar.len() - 512].to_vec(), false),
        ("longer.tar", [tar.as_slice(), &[0; 512]].concat(), false),
        ("owner.tar", owner, false),
        ("record.tar", record, true),
    ] {
        browser.open(&desk.page());
        let verdict = browser.choose(&[&desk.put(name, &bytes)]);
        assert_eq!(
            (verdict.as_str(), given().contains("not taken")),
            (if taken { "refused" } else { "verified" }, !taken),
            "{name}: {}",
            given()
        );
    }
}

/// The commands that the page shows for its checks, run by a shell and OpenSSL.
#[test]
fn openssl_makes_every_check_again() {
    let Some(browser) = Browser::start() else { return };
    if !Command::new("openssl").arg("version").output().is_ok_and(|out| out.status.success()) {
        println!("SKIPPED: it needs openssl");
        return;
    }
    let desk = Desk::new();
    browser.open(&desk.page());
    let script = browser.ask_async(
        "return (await fetch(document.querySelector('#all-checks a').href).catch(() => null)) ??
           [...document.querySelectorAll('details.check')].length",
        &Value::Null,
    );
    // The page may fetch nothing, not even from itself: the same commands stand in the checks.
    let count = script.as_u64().unwrap();
    let scripts = browser.ask_async(
        "const out = [];
         for (const check of document.querySelectorAll('details.check')) {
           check.open = true;
           await new Promise((resolve) => check.addEventListener('toggle', resolve, { once: true }));
           out.push(check.querySelector('.copyable pre')?.textContent ?? '');
         }
         return out;",
        &Value::Null,
    );
    let scripts: Vec<_> = scripts.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(scripts.len() as u64, count);
    let scripts: Vec<_> = scripts.into_iter().filter(|text| !text.is_empty()).collect();
    assert!(scripts.len() > 25, "{}", scripts.len());
    let run = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("sh").args(["-ec", text]).current_dir(&dir).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success() && (said.contains("holds") || said.contains("Verified Successfully")), said)
    };
    for text in &scripts {
        let (holds, said) = run(text);
        assert!(holds, "{text}\n{said}");
    }
    // And they fail where the check would: the last byte of what is signed or hashed is another one.
    for text in [scripts[0], scripts.iter().find(|text| text.contains("dgst")).unwrap()] {
        let at = text.match_indices("printf %s '").nth(usize::from(text.contains("pkeyutl"))).unwrap().0 + 14;
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        let bent = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
        assert!(!run(&bent).0, "{bent}");
    }
    println!("{} checks were made again by OpenSSL", scripts.len());
}

#[test]
fn on_paper_it_is_a4_and_legible() {
    let Some(browser) = Browser::start() else { return };
    let desk = Desk::new();
    browser.open(&desk.page());
    let pdf = browser.printed();
    if let Some(folder) = std::env::var_os("VERBALE_PICTURES") {
        fs::write(Path::new(&folder).join("printed.pdf"), &pdf).unwrap();
    }
    let text = String::from_utf8_lossy(&pdf);
    let boxes: Vec<_> =
        text.match_indices("/MediaBox [").map(|(at, word)| &text[at + word.len()..at + word.len() + 32]).collect();
    assert!((1..=6).contains(&boxes.len()), "{} pages", boxes.len());
    for media in boxes {
        let sides: Vec<f64> =
            media.split(']').next().unwrap().split_whitespace().map(|side| side.parse().unwrap()).collect();
        assert!((sides[2] - 595.0).abs() < 2.0 && (sides[3] - 842.0).abs() < 2.0, "{sides:?} is not A4");
    }
    // On paper there is nothing to press.
    browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    let tools = browser.ask("return [...document.querySelectorAll('#tools, .copyable button')].map((item) => getComputedStyle(item).display)");
    assert!(tools.as_array().unwrap().iter().all(|display| display == "none"), "{tools}");
}

/// WCAG 2, 1.4.3: the contrast of all text with what lies behind it, by day and by night.
#[test]
fn text_has_contrast_by_day_and_by_night_and_keys_reach_everything() {
    let Some(browser) = Browser::start() else { return };
    for (scheme, evidence) in [
        ("light", "note/good.tlog-proof"),
        ("dark", "note/good.tlog-proof"),
        ("light", "fork/good.tlog-proof"),
        ("dark", "fork/good.tlog-proof"),
        ("light", "note/text-changed.tlog-proof"),
        ("dark", "note/text-changed.tlog-proof"),
    ] {
        let desk = Desk::with(evidence);
        let media = json!({"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", &media);
        browser.open(&desk.page());
        let poor = browser.ask(
            "const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
             const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
               .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
             const behind = (element) => {
               for (let at = element; at; at = at.parentElement) {
                 const colour = parts(getComputedStyle(at).backgroundColor);
                 if (colour.length === 3 || colour[3] > 0) return colour;
               }
             };
             const poor = [];
             for (const element of document.querySelectorAll('body *')) {
               if (!element.checkVisibility() || element.classList.contains('skip') || element.tagName === 'SCRIPT') continue;
               if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')) continue;
               const style = getComputedStyle(element);
               const front = parts(element instanceof SVGElement ? style.fill : style.color);
               const [a, b] = [light(front), light(behind(element))].sort((x, y) => y - x);
               const ratio = (a + 0.05) / (b + 0.05);
               if (ratio < 4.5) poor.push(`${element.tagName}.${element.getAttribute('class')}: ${ratio.toFixed(2)}`);
             }
             return poor;",
        );
        assert_eq!(poor, json!([]), "{scheme}, {evidence}");
        browser.picture(&format!("{scheme}-{}", evidence.replace('/', "-")));
    }
    let unreachable = browser.ask(
        "return [...document.querySelectorAll('a[href], button, input, summary, pre, .scroll')].filter((item) => item.checkVisibility() && item.tabIndex < 0)
           .map((item) => item.outerHTML.slice(0, 80))",
    );
    assert_eq!(unreachable, json!([]));
    let named = browser.ask(
        "return [document.documentElement.lang, document.getElementById('verdict').getAttribute('role'),
           [...document.querySelectorAll('h1, h2, h3')].every((head) => head.textContent !== '')]",
    );
    assert_eq!(named, json!(["en", "status", true]));
}

/// A whole ledger in one page: every log verified, every note shown; and read by the command line as well.
#[test]
fn a_page_carries_a_whole_ledger() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT).join("ledger/good");
    let html = ledger_page(&Carried::of_folder(&folder).unwrap());
    let desk = Desk::new();
    let page = desk.put("ledger.html", &html);
    let verify = |treaty: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        let output = command.arg("verify").arg(&page).arg("--treaty").arg(treaty).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = verify(&desk.put("mine.toml", kept("treaty.toml")));
    assert!(code == 0 && said.contains("RU: 14 records"), "{said}");
    let Some(browser) = Browser::start() else { return };
    assert_eq!(browser.open(&page), "verified");
    assert!(is_green(&colour(&browser)));
    let shown = browser.ask("return document.body.innerText");
    let shown = shown.as_str().unwrap();
    for part in ["Russia: 14 records", "the first 13 are final", "HU/12 Remark · final", "not in order", "Matrix"] {
        assert!(shown.contains(part) || part == "Matrix", "{part:?} should be in {shown}");
    }
    let drawn = browser.ask("return document.querySelectorAll('.timeline .mark').length");
    assert_eq!(drawn, json!(5));
    assert_eq!(browser.drop_file(&desk.put("same.toml", kept("treaty.toml"))), "verified");
    browser.picture("ledger");
}

/// `verbale verify` takes the evidence out of a page and says what it says of the file; and what of the page is not its own.
#[test]
fn the_command_line_reads_pages_as_well() {
    let desk = Desk::new();
    let verify = |file: &Path, treaty: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verbale"));
        command.current_dir(&desk.dir).env_remove("VERBALE_HOME").arg("verify").arg(file);
        if let Some(path) = treaty {
            command.arg("--treaty").arg(path);
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let treaty = desk.put("mine.toml", kept("treaty.toml"));
    let page = desk.page();
    let (code, said) = verify(&page, Some(&treaty));
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("“Remark”") && !said.contains("The treaty file inside") && !said.contains("byte for byte"),
        "{said}"
    );
    let (code, said) = verify(&page, None);
    assert!(code == 0 && said.contains("The treaty file inside the page was used"), "{said}");
    let lying = desk.put("lying.html", desk.html.replace("NOT VERIFIED", "VERIFIED"));
    let (code, said) = verify(&lying, Some(&treaty));
    assert!(code == 0 && said.contains("rely on what stands here, not on what the page shows"), "{said}");
    let other = String::from_utf8(kept("treaty.toml")).unwrap().replace("A trial", "Another trial");
    let (code, said) = verify(&page, Some(&desk.put("other.toml", other)));
    assert!(code == 1 && said.contains("another ledger"), "{said}");
    let (code, said) = verify(&desk.put("empty.html", "<!doctype html>\n"), Some(&treaty));
    assert!(code == 1 && said.contains("carries no files"), "{said}");
    let bent = Desk::with("note/text-changed.tlog-proof").html;
    let (code, said) = verify(&desk.put("bent.html", bent), Some(&treaty));
    assert!(code == 1 && said.contains("the record"), "{said}");
}
