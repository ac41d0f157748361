//! `config/verbale.toml`, the example that people copy: it reads, and the defaults that it names are the program's.
#![cfg(feature = "cli")]

use std::fs;

use verbale::cli::NodeConfig;

fn load(text: &str) -> NodeConfig {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("verbale.toml"), text).unwrap();
    let mut config = NodeConfig::load(home.path()).unwrap();
    // Paths come back joined to the home folder, which is another one each time.
    for path in [&mut config.data, &mut config.high_water, &mut config.socket] {
        *path = path.strip_prefix(home.path()).unwrap().to_owned();
    }
    config
}

#[test]
fn the_example_reads_and_names_the_defaults() {
    let example = include_str!("../config/verbale.toml");
    // Settings stand behind `# `, words too; a setting is a name and an equals sign.
    let is_setting = |line: &str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
    let settings = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) && !rest.starts_with("passphrase_file") => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let all: String = example.lines().map(settings).collect();
    assert_ne!(all, example, "no default was uncommented");
    let least = load("party = \"CA\"\n");
    for text in [example, all.as_str()] {
        assert_eq!(format!("{:?}", load(text)), format!("{least:?}"));
    }
}
