//! The page's script: its files in one, as a page opened from disk can load no second one.
//!
//! Each file is a plain ECMAScript module that names what it takes from which other file. Joined, each becomes a function
//! that returns what it exports; the files stand in an order in which each comes after those that it takes from.

use std::fmt::Write;

/// The files, each after those that it imports from.
const FILES: [(&str, &str); 42] = [
    ("bytes", include_str!("script/bytes.js")),
    ("batch", include_str!("script/batch.js")),
    ("clock", include_str!("script/clock.js")),
    ("hash", include_str!("script/hash.js")),
    ("ed25519", include_str!("script/ed25519.js")),
    ("unicode", include_str!("script/unicode.js")),
    ("canon", include_str!("script/canon.js")),
    ("tree", include_str!("script/tree.js")),
    ("toml", include_str!("script/toml.js")),
    ("note", include_str!("script/note.js")),
    ("policy", include_str!("script/policy.js")),
    ("treaty", include_str!("script/treaty.js")),
    ("profile", include_str!("script/profile.js")),
    ("schema", include_str!("script/schema.js")),
    ("form", include_str!("script/form.js")),
    ("order", include_str!("script/order.js")),
    ("trace", include_str!("script/trace.js")),
    ("record", include_str!("script/record.js")),
    ("checkpoint", include_str!("script/checkpoint.js")),
    ("credential", include_str!("script/credential.js")),
    ("keys", include_str!("script/keys.js")),
    ("fork", include_str!("script/fork.js")),
    ("restart", include_str!("script/restart.js")),
    ("amendment", include_str!("script/amendment.js")),
    ("validity", include_str!("script/validity.js")),
    ("verdict", include_str!("script/verdict.js")),
    ("due", include_str!("script/due.js")),
    ("silence", include_str!("script/silence.js")),
    ("outside", include_str!("script/outside.js")),
    ("evidence", include_str!("script/evidence.js")),
    ("part", include_str!("script/part.js")),
    ("frames", include_str!("script/frames.js")),
    ("ledger", include_str!("script/ledger.js")),
    ("dom", include_str!("script/dom.js")),
    ("letter", include_str!("script/letter.js")),
    ("histories", include_str!("script/histories.js")),
    ("ledgerview", include_str!("script/ledgerview.js")),
    ("timeline", include_str!("script/timeline.js")),
    ("receipts", include_str!("script/receipts.js")),
    ("checks", include_str!("script/checks.js")),
    ("tar", include_str!("script/tar.js")),
    ("files", include_str!("script/files.js")),
];
/// What starts it all.
const MAIN: (&str, &str) = ("main", include_str!("script/main.js"));

/// The whole script. Where `start` is `false` it only makes its parts, for tests that call them.
pub fn script(start: bool) -> String {
    let mut out = String::from("\"use strict\";\n");
    for (name, source) in FILES.iter().chain(start.then_some(&MAIN)) {
        join(name, source, &mut out);
    }
    out
}

fn join(name: &str, source: &str, out: &mut String) {
    let mut exports = Vec::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "// ---- {name}.js\nconst ${name} = (() => {{");
    for line in source.lines() {
        if let Some((names, from)) = imported(line) {
            let _ = writeln!(out, "const {names} = ${from};");
        } else if let Some(rest) = line.strip_prefix("export ") {
            exports.extend(declared(rest));
            let _ = writeln!(out, "{rest}");
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "return {{ {} }};\n}})();", exports.join(", "));
}

/// `import { a, b } from "./c.js";`: the names in their braces, and the file.
fn imported(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("import ")?.strip_suffix(".js\";")?.split_once(" from \"./")
}

/// The name in `function name(…`, `async function name(…`, `class name …`, `const name = …`.
fn declared(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let (_, name) = rest.split_once(' ')?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_takes_from_earlier_ones_only_what_they_export() {
        let mut known = std::collections::BTreeMap::new();
        for (name, source) in FILES.iter().chain([&MAIN]) {
            for line in source.lines().filter(|line| line.starts_with("import")) {
                let (names, from) = imported(line).unwrap_or_else(|| panic!("{name}: {line}"));
                let exports: &Vec<&str> = known.get(from).unwrap_or_else(|| panic!("{name} comes before {from}"));
                for taken in names.trim_matches(['{', '}', ' ']).split(", ") {
                    assert!(exports.contains(&taken), "{name} takes {taken} from {from}");
                    let uses = source.matches(taken).count();
                    assert!(uses > 1, "{name} takes {taken} and does not use it");
                }
            }
            let exported: Vec<_> =
                source.lines().filter_map(|l| l.strip_prefix("export ")).filter_map(declared).collect();
            known.insert(*name, exported);
        }
    }

    #[test]
    fn nothing_in_the_script_ends_it_early_or_calls_out() {
        let script = script(true);
        for word in ["</script", "<!--", "http://", "https://", "fetch(", "XMLHttpRequest", "innerHTML", "eval("] {
            // The namespace of SVG is a name, not an address.
            let said = script.replace("http://www.w3.org/2000/svg", "");
            assert!(!said.contains(word), "{word} stands in the script");
        }
        assert!(!include_str!("page.css").contains("</style"));
    }
}
