//! `verbale.toml`: how this party's node runs. Everything but `party` has a default.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::address::check_address;
use super::public_config::PublicConfig;
use super::{Code, Failure, files};
use crate::ledger::is_party_code;

/// Longest `verbale.toml`, in bytes.
const MAX_BYTES: usize = 65_536;
const FILE: &str = "verbale.toml";
/// Largest amount of disk that a field may name, in MiB: 1 TiB.
const MAX_MIB: u64 = 1 << 20;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The fields of `verbale.toml`. Relative paths count from the home folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The party's code in the treaty file. Has no default.
    pub party: String,
    /// libp2p addresses to listen on. Default: UDP (QUIC) and TCP port 4001 on all IPv4 interfaces.
    #[serde(default = "default_listen")]
    pub listen: Vec<String>,
    /// The database's folder. Default: `data`.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// The highest head ever signed; kept outside the database and outside its backups. Default: `high-water`.
    #[serde(default = "default_high_water")]
    pub high_water: PathBuf,
    /// Unix socket through which commands speak to the node. Default: `node.sock`.
    #[serde(default = "default_socket")]
    pub socket: PathBuf,
    /// Log level: `error`, `warn`, `info`, `debug`, `trace`, or a filter by module. Default: `info`.
    #[serde(default = "default_log")]
    pub log: String,
    /// `text` or `json`. Default: `text`.
    #[serde(default = "default_log_format")]
    pub log_format: LogFormat,
    /// How often all known heads are gossiped, in seconds, 1 to 86,400. Default: 60.
    #[serde(default = "default_head_interval")]
    pub head_interval_seconds: u64,
    /// How long after the first peer's answer to wait for the others before signing, in seconds, 0 to 3,600.
    /// Default: 10.
    #[serde(default = "default_settle")]
    pub recovery_settle_seconds: u64,
    /// How much each other party's log may take of the disk at once, in MiB, 1 to 1,048,576. Default: 2,048.
    #[serde(default = "default_at_once")]
    pub log_mib_at_once: u64,
    /// How much it may take a day in the long run, in MiB, 1 to 1,048,576. Default: 64.
    #[serde(default = "default_a_day")]
    pub log_mib_a_day: u64,
    /// While less is free on the disk, in MiB, nothing of other parties is fetched; 0 to 1,048,576. Default: 1,024.
    #[serde(default = "default_reserve")]
    pub disk_reserve_mib: u64,
    /// File whose first line is the passphrase of the key files; mode 0600. Default: none.
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// What is shown to everybody. Default: nothing.
    #[serde(default)]
    pub public: Option<PublicConfig>,
}

fn default_listen() -> Vec<String> {
    vec!["/ip4/0.0.0.0/udp/4001/quic-v1".into(), "/ip4/0.0.0.0/tcp/4001".into()]
}

fn default_data() -> PathBuf {
    "data".into()
}

fn default_high_water() -> PathBuf {
    "high-water".into()
}

fn default_socket() -> PathBuf {
    "node.sock".into()
}

fn default_log() -> String {
    "info".into()
}

fn default_log_format() -> LogFormat {
    LogFormat::Text
}

fn default_head_interval() -> u64 {
    60
}

fn default_settle() -> u64 {
    10
}

fn default_at_once() -> u64 {
    2_048
}

fn default_a_day() -> u64 {
    64
}

fn default_reserve() -> u64 {
    1_024
}

impl NodeConfig {
    /// Reads `verbale.toml` of a home folder; relative paths come back joined to it.
    pub fn load(home: &Path) -> Result<Self, Failure> {
        let path = home.join(FILE);
        let text = files::read_text(&path, MAX_BYTES)
            .map_err(|f| f.hint("write one line into it: party = \"XX\", with your party's code"))?;
        let fail = |what: String| Failure::new(Code::Input, format!("{}, {what}", path.display()));
        let mut config = Self::parse(&text).map_err(fail)?;
        let paths = [&mut config.data, &mut config.high_water, &mut config.socket];
        let public =
            config.public.iter_mut().flat_map(|public| [&mut public.state].into_iter().chain(&mut public.witness_key));
        for path in paths.into_iter().chain(&mut config.passphrase_file).chain(public) {
            *path = home.join(&*path);
        }
        Ok(config)
    }

    /// Whether a home folder has a `verbale.toml`.
    pub fn is_in(home: &Path) -> bool {
        home.join(FILE).exists()
    }

    /// Writes the shortest `verbale.toml` for a party, unless there is one; says whether it did.
    pub fn create(home: &Path, party: &str) -> Result<bool, Failure> {
        if Self::is_in(home) {
            return Ok(false);
        }
        let listen = default_listen().iter().map(|a| format!("{a:?}")).collect::<Vec<_>>().join(", ");
        let text = format!("# How this party's node runs.\nparty = \"{party}\"\nlisten = [{listen}]\n");
        files::create(&home.join(FILE), text.as_bytes()).map(|()| true)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| describe(text, &e))?;
        if !is_party_code(&config.party) {
            return Err("field `party`: a code is two to eight capitals or digits, as \"CA\"".into());
        }
        if config.listen.is_empty() || config.listen.len() > 16 {
            return Err("field `listen`: a node listens on 1 to 16 addresses".into());
        }
        for address in &config.listen {
            check_address(address).map_err(|what| format!("field `listen`: {what}"))?;
        }
        if !(1..=86_400).contains(&config.head_interval_seconds) {
            return Err("field `head_interval_seconds`: 1 to 86400 seconds".into());
        }
        if config.recovery_settle_seconds > 3_600 {
            return Err("field `recovery_settle_seconds`: 0 to 3600 seconds".into());
        }
        for (field, mib, least) in [
            ("log_mib_at_once", config.log_mib_at_once, 1),
            ("log_mib_a_day", config.log_mib_a_day, 1),
            ("disk_reserve_mib", config.disk_reserve_mib, 0),
        ] {
            if !(least..=MAX_MIB).contains(&mib) {
                return Err(format!("field `{field}`: {least} to {MAX_MIB} MiB"));
            }
        }
        if let Some(public) = &config.public {
            public.check()?;
        }
        Ok(config)
    }
}

/// A TOML error as `line 3, field "listen": …`.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let line = before.matches('\n').count();
    let field = text.lines().nth(line).and_then(|l| l.split_once('=')).map(|(field, _)| field.trim());
    match field {
        Some(field) => format!("line {}, field `{field}`: {}", line + 1, error.message()),
        None => format!("line {}: {}", line + 1, error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_enough_and_paths_count_from_home() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(FILE), "party = \"CA\"\npassphrase_file = \"/run/pass\"\n").unwrap();
        let config = NodeConfig::load(home.path()).unwrap();
        assert_eq!(config.data, home.path().join("data"));
        assert_eq!(config.passphrase_file, Some("/run/pass".into()));
        assert_eq!((config.head_interval_seconds, config.log_format), (60, LogFormat::Text));
        assert_eq!((config.log_mib_at_once, config.log_mib_a_day, config.disk_reserve_mib), (2_048, 64, 1_024));
        assert!(!NodeConfig::create(home.path(), "HU").unwrap());
    }

    #[test]
    fn what_is_written_for_a_new_party_reads_back() {
        let home = tempfile::tempdir().unwrap();
        assert!(NodeConfig::create(home.path(), "HU").unwrap());
        assert_eq!(NodeConfig::load(home.path()).unwrap().listen, default_listen());
    }

    #[test]
    fn faults_are_named_by_line_and_field() {
        let cases = [
            ("", "missing field `party`"),
            ("party = \"CA\"\n\nlisen = []\n", "line 3, field `lisen`: unknown field"),
            ("party = 5\n", "line 1, field `party`: invalid type"),
            ("party = \"ca\"\n", "field `party`"),
            ("party = \"CA\"\nlisten = [\"localhost\"]\n", "field `listen`: the address \"localhost\""),
            ("party = \"CA\"\nlog_format = \"xml\"\n", "line 2, field `log_format`"),
            ("party = \"CA\"\nhead_interval_seconds = 0\n", "`head_interval_seconds`"),
            ("party = \"CA\"\nhead_interval_seconds = -1\n", "line 2, field `head_interval_seconds`"),
            ("party = \"CA\"\nlog_mib_a_day = 0\n", "`log_mib_a_day`: 1 to 1048576 MiB"),
            ("party = \"CA\"\ndisk_reserve_mib = 1048577\n", "`disk_reserve_mib`"),
            ("party = \n", "line 1"),
            ("party = \"CA\"\n[public]\nlisten = \"localhost\"\n", "line 3, field `listen`"),
            ("party = \"CA\"\n[public]\nprefix = \"a/\"\n", "field `public.prefix`"),
            (
                "party = \"CA\"\n[[public.log]]\nvkey = \"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\"\n",
                "`public.witness_key`",
            ),
            (
                "party = \"CA\"\n[[public.witness]]\nurl = \"https://w.example\"\nvkey = \"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\"\n",
                "not a witness's key",
            ),
        ];
        for (text, expected) in cases {
            let error = NodeConfig::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error:?} should mention {expected:?}");
        }
    }
}
