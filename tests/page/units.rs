//! The page's script by its parts: published vectors, and what Rust says of the same input.

use std::fs;

use serde_json::{Value, json};
use verbale::note::{KeyType, VerifierKey};
use verbale::page::script;

use crate::driver::Browser;

/// A page with the script's parts, and nothing that starts by itself.
pub fn parts() -> Option<(Browser, tempfile::TempDir)> {
    let browser = Browser::start()?;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("parts.html");
    let script = script(false).replace("\nconst $", "\nvar $");
    fs::write(&file, format!("<!doctype html><meta charset=utf-8><script>{script}</script>")).unwrap();
    browser.open(&file);
    Some((browser, dir))
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// RFC 8032, section 7.1, and 914 published edge cases: the page accepts what `verify_strict` accepts, and no more.
#[test]
fn the_page_keeps_the_one_signature_rule() {
    let Some((browser, _dir)) = parts() else { return };
    let text = include_str!("../vectors/ed25519-edge-cases.tsv");
    let mut cases: Vec<Value> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [key, signature, message, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let bytes = hex(key).try_into().unwrap();
            let admitted = VerifierKey::new("example", KeyType::Ed25519, &bytes);
            let accepted =
                admitted.as_ref().is_ok_and(|key| key.verify(message.as_bytes(), &hex(signature).try_into().unwrap()));
            let message: String = message.bytes().map(|byte| format!("{byte:02x}")).collect();
            json!([key, signature, message, admitted.is_ok(), accepted])
        })
        .collect();
    assert_eq!(cases.len(), 914);
    for (key, message, signature) in [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        cases.push(json!([key, signature, message, true, true]));
    }
    let wrong = browser.ask_async(
        "const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
         const wrong = [];
         for (const [at, [key, signature, message, admitted, accepted]] of argument.entries()) {
           if ($ed25519.isAdmissible(bytes(key)) !== admitted) wrong.push(`key ${at}`);
           const verified = await $ed25519.verifies(bytes(key), bytes(message), bytes(signature));
           if (verified !== accepted) wrong.push(`signature ${at}`);
         }
         return wrong;",
        &Value::from(cases),
    );
    assert_eq!(wrong, json!([]));
}

/// The examples of the standards, and texts that are not their own canonical form.
#[test]
fn the_page_reads_the_standards_own_examples() {
    let Some((browser, _dir)) = parts() else { return };
    let answers = browser.ask_async(
        "const refused = async (check) => { try { await check(); return false; } catch (e) { return e instanceof $bytes.Refused; } };
         const key = await $note.parseKey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
         const text = 'This is an example message.\\n\\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\\n';
         const bytes = $bytes.utf8(text);
         await $note.verifyNote($note.parseNote(bytes), key, new $trace.Trace(), 'says');
         const out = { flipped: [], canon: [], toml: [] };
         for (let bit = 0; bit < bytes.length * 8; bit += 1) {
           const bent = bytes.slice();
           bent[bit >> 3] ^= 1 << (bit & 7);
           if (!(await refused(() => $note.verifyNote($note.parseNote(bent), key, new $trace.Trace(), '')))) out.flipped.push(bit);
         }
         const checkpoint = $checkpoint.parseCheckpoint('example.com/behind-the-sofa\\n20852163\\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\\n');
         out.size = String(checkpoint.size);
         for (const text of argument.canon) if (!(await refused(() => $canon.parse(text, 1000, true)))) out.canon.push(text);
         for (const text of argument.toml) if (!(await refused(() => $toml.parseToml(text)))) out.toml.push(text);
         const good = '{\"\\u20ac\":1,\"\\ud83d\\ude00\":[true,-9007199254740992,\"\\\\\"\\\\\\\\é\"],\"\\uff21\":{}}';
         out.same = $canon.write($canon.parse(good, 1000, true)) === good;
         const toml = $toml.parseToml(argument.good);
         out.read = JSON.stringify($verdict.plainData(toml));
         return out;",
        &json!({
            "canon": [
                r#"{"a":1,"a":2}"#, r#"{"b":1,"a":2}"#, r#"{"a":1.5}"#, r#"{"a":1e3}"#, r#"{"a":01}"#, r#"{"a":-0}"#,
                r#"{"a":9007199254740993}"#, r#"{"a":-}"#, r#"{"a":null}"#, r#"{"a": 1}"#, r#"{"a":1} "#, r#"{"a":1"#,
                r#"["\u0041"]"#, r#"["\/"]"#, r#"["\u000A"]"#, "[\"a\u{200d}b\"]", "[\"a\u{202e}b\"]", "[\"a\u{2028}b\"]",
                r#"["\n"]"#, "[\"e\u{301}\"]", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
                r#"["\u0009"]"#, "", "tru", "[1,]", "\u{feff}1",
            ],
            "toml": [
                "a = 1\na = 2", "[a]\n[a]", "a = 1.5", "a = 2021-06-18", "a = ", "a = \"x", "a = 'x\n'", "= 1", "a.b = 1\na = 2",
                "a = {b = 1}\na.c = 2", "a = [1", "[[a]]\n[a]", "a = 1 b = 2", "a = 01", "a = \"\\q\"", "a = \"\\ud800\"",
                "a = []\n[[a]]",
            ],
            "good": "# comment\r\nversion = 1\n'a b'.\"c\" = \"\"\"\nx\\\n   y\"\"\"\n[t.u]\nlist = [1, 0x1F, # why\n  [true], ]\n\
                     [[party]]\nn = {a = 'l\\', b.c = \"\\u00e9\\t\"}\n[party.sub]\nk = -3\n[[party]]\n",
        }),
    );
    assert_eq!(answers["flipped"], json!([]));
    assert_eq!(answers["canon"], json!([]));
    assert_eq!(answers["toml"], json!([]));
    assert_eq!(answers["size"], "20852163");
    assert_eq!(answers["same"], true);
    let expected = json!({
        "version": 1, "a b": {"c": "xy"}, "t": {"u": {"list": [1, 31, [true]]}},
        "party": [{"n": {"a": "l\\", "b": {"c": "é\t"}}, "sub": {"k": -3}}, {}],
    });
    assert_eq!(serde_json::from_str::<Value>(answers["read"].as_str().unwrap()).unwrap(), expected);
}

/// Every proof of every small tree, made by Rust, holds in the page for its own claim; with another root it does not.
#[test]
fn the_page_follows_every_small_proof() {
    let Some((browser, _dir)) = parts() else { return };
    let wrong = browser.ask_async(
        "const wrong = [];
         const { leafHash, nodeHash, sha256 } = $hash;
         const { verifyInclusion, verifyConsistency, CompactRange } = $tree;
         const root = async (leaves) => {
           if (leaves.length === 0) return sha256(new Uint8Array());
           if (leaves.length === 1) return leaves[0];
           const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
           return nodeHash(await root(leaves.slice(0, k)), await root(leaves.slice(k)));
         };
         const path = async (m, leaves) => {
           if (leaves.length === 1) return [];
           const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
           return m < k ? [...await path(m, leaves.slice(0, k)), await root(leaves.slice(k))]
                        : [...await path(m - k, leaves.slice(k)), await root(leaves.slice(0, k))];
         };
         const proof = async (m, leaves, whole) => {
           if (m === leaves.length) return whole ? [] : [await root(leaves)];
           const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
           return m <= k ? [...await proof(m, leaves.slice(0, k), whole), await root(leaves.slice(k))]
                         : [...await proof(m - k, leaves.slice(k), false), await root(leaves.slice(0, k))];
         };
         const holds = async (check) => { try { await check(); return true; } catch { return false; } };
         const leaves = [], range = new CompactRange(), roots = [await root([])];
         for (let size = 1; size <= 18; size += 1) {
           leaves.push(await leafHash(Uint8Array.of(size)));
           await range.push(leaves.at(-1));
           const now = await root(leaves);
           roots.push(now);
           if (!$bytes.same(await range.root(), now)) wrong.push(`range ${size}`);
           const bent = now.map((byte, at) => at === 31 ? byte ^ 1 : byte);
           for (let index = 0; index < size; index += 1) {
             const p = await path(index, leaves), n = BigInt(size);
             const at = (i, r, q) => holds(() => verifyInclusion(leaves[index], BigInt(i), n, q, r));
             if (!(await at(index, now, p)) || (await at(index, bent, p)) || (await at(size, now, p))) wrong.push(`inclusion ${index} of ${size}`);
             if (await at(index, now, [...p, bent])) wrong.push(`longer ${index} of ${size}`);
             if (p.length && await at(index, now, p.slice(1))) wrong.push(`shorter ${index} of ${size}`);
           }
           for (let old = 0; old <= size; old += 1) {
             const q = old === 0 ? [] : await proof(old, leaves, true);
             const from = (r, to) => holds(() => verifyConsistency(BigInt(old), r, BigInt(size), to, q));
             if (!(await from(roots[old], now)) || (await from(bent, now)) || (old > 0 && await from(roots[old], bent))) wrong.push(`consistency ${old} to ${size}`);
           }
         }
         return wrong;",
        &Value::Null,
    );
    assert_eq!(wrong, json!([]));
}
