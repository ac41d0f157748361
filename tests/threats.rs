//! The page of threats claims nothing that no test shows: each test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn each_test_that_the_page_of_threats_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/threats.md")).unwrap();
    let named: BTreeSet<&str> = page.split('`').filter(|word| word.contains("::") && !word.contains(' ')).collect();
    let named: Vec<_> = named.into_iter().filter(|word| *word != "file::test").collect();
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| {
            let (file, test) = name.split_once("::").unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            // The test itself, and not only its name in some text.
            let at = text.find(&format!("fn {test}("));
            !at.is_some_and(|at| text[..at].trim_end().trim_end_matches("async").trim_end().ends_with(']'))
        })
        .collect();
    assert!(missing.is_empty(), "named in docs/threats.md and not to be found: {missing:#?}");
}

#[test]
fn each_adversary_has_its_section() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/threats.md")).unwrap();
    for who in ["party", "outsider", "node key", "official's key", "network", "administrator", "backup"] {
        assert!(page.lines().any(|line| line.starts_with("## ") && line.contains(who)), "{who}");
    }
}
