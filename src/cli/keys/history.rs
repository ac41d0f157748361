//! `verbale keys history`: every key of the parties over the years, and what became of it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Code, Context, Failure, Output, clock, display, files};
use crate::audit::verify_export;
use crate::ledger::{
    KeyEnd, KeyEvent, KeyLife, KeyUse, MAX_EVIDENCE_BYTES, MAX_TREATY_BYTES, Timestamp, Treaty, keys_of_evidence,
};

/// Show every key over the years: from where in the log to where, why it ended, whose it was and what it may sign.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The party's code, as CA; without it, all parties.
    #[arg(value_name = "PARTY")]
    party: Option<String>,
    /// An evidence file or an export (its folder or archive), offline; without it, what this party's node has stored.
    #[arg(long, value_name = "FILE|FOLDER")]
    file: Option<PathBuf>,
    /// The treaty file that you trust, with --file; without it the home folder's, and for an export the one inside it.
    #[arg(long, value_name = "FILE", requires = "file")]
    treaty: Option<PathBuf>,
}

/// Where the histories come from: how much they can say.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// Whole logs, as far as they are here.
    Logs,
    /// What one evidence file has of them.
    Evidence,
}

/// Keys, with what is to be said of where they come from.
struct Found {
    origin: Origin,
    lives: Vec<KeyLife>,
    /// Names of the parties, by code.
    names: Vec<(String, String)>,
    /// What keeps it from being relied on.
    against: Option<Failure>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let mut found = match &args.file {
        Some(path) => of_file(path, args.treaty.as_deref(), context)?,
        None => stored(context)?,
    };
    if let Some(code) = &args.party {
        if found.names.iter().all(|(known, _)| known != code) {
            let known = found.names.iter().map(|(code, _)| code.clone()).collect::<Vec<_>>();
            return Err(Failure::new(Code::Input, format!("{code} is not a party to the treaty"))
                .hint(format!("the parties: {}", display::join(&known, "and"))));
        }
        found.lives.retain(|life| life.party == *code);
    }
    let out = &context.out;
    if out.json {
        out.value(&json!({ "from": found.origin, "keys": found.lives }));
    } else if out.terminal {
        draw(&found, out);
    } else {
        table(&found, out);
    }
    found.against.map_or(Ok(()), Err)
}

fn names(treaty: &Treaty) -> Vec<(String, String)> {
    treaty.parties().iter().map(|party| (party.code.clone(), party.name.clone())).collect()
}

fn of_file(path: &Path, treaty: Option<&Path>, context: &Context) -> Result<Found, Failure> {
    let is_text = !path.is_dir() && files::read(path, MAX_EVIDENCE_BYTES).is_ok_and(|bytes| is_evidence(&bytes));
    if is_text {
        let (treaty, profile) = match treaty {
            Some(path) => {
                let profile = super::super::read_profile(&path.with_file_name("profile.toml")).ok();
                (super::super::read_treaty(path)?, profile)
            }
            None => (context.treaty()?, super::super::read_profile(&context.profile_path()).ok()),
        };
        let profile = profile.filter(|(_, hash)| *hash == treaty.file().profile_sha256).map(|(profile, _)| profile);
        let treaty = treaty.with_first(0);
        let lives = keys_of_evidence(&files::read(path, MAX_EVIDENCE_BYTES)?, &treaty, profile.as_ref());
        let lives = lives.map_err(|error| {
            Failure::new(Code::NotVerified, format!("{} does not verify: {error}", path.display()))
                .hint("`verbale verify` says more; check that the treaty file is the right one")
        })?;
        let mut names = names(&treaty);
        for life in &lives {
            // A state that acceded by an amendment in the file.
            if names.iter().all(|(code, _)| *code != life.party) {
                names.push((life.party.clone(), life.party.clone()));
            }
        }
        return Ok(Found { origin: Origin::Evidence, lives, names, against: None });
    }
    let trusted = treaty.map(|path| files::read(path, MAX_TREATY_BYTES)).transpose()?;
    let report = verify_export(path, trusted.as_deref(), &mut |_, _| {})
        .map_err(|error| Failure::new(Code::Input, format!("{} was not read: {error}", path.display())))?;
    let against = (!report.is_sound()).then(|| {
        Failure::new(Code::NotVerified, format!("{} does not verify whole", path.display()))
            .hint("`verbale verify` lists what is wrong with it; the keys above are those of what could be read")
    });
    let names = report.logs.iter().map(|log| (log.party.clone(), log.name.clone())).collect();
    let lives = report.logs.into_iter().flat_map(|log| log.keys).collect();
    Ok(Found { origin: Origin::Logs, lives, names, against })
}

fn is_evidence(bytes: &[u8]) -> bool {
    bytes.starts_with(b"c2sp.org/tlog-proof")
}

#[cfg(feature = "node")]
fn stored(context: &Context) -> Result<Found, Failure> {
    let (treaty, lives) = super::super::online::stored_keys(context)?;
    Ok(Found { origin: Origin::Logs, lives, names: names(&treaty), against: None })
}

#[cfg(not(feature = "node"))]
fn stored(_: &Context) -> Result<Found, Failure> {
    Err(Failure::new(Code::Usage, "this program was built without the node").hint("name an export with --file"))
}

fn use_word(job: KeyUse) -> &'static str {
    match job {
        KeyUse::Root => "root",
        KeyUse::Log => "log",
        KeyUse::Witness => "witness",
        KeyUse::Transport => "transport",
        KeyUse::Official => "official",
    }
}

fn end_word(life: &KeyLife) -> &'static str {
    match life.end {
        Some(KeyEnd::Retired) => "replaced",
        Some(KeyEnd::Lost) => "lost or stolen, and replaced",
        Some(KeyEnd::Revoked) => "revoked",
        None if life.valid_until.is_some_and(|until| until < clock::now()) => "expired",
        None => "",
    }
}

/// One line a key, for a pipe.
fn table(found: &Found, out: &Output) {
    let time = |at: Option<Timestamp>| at.map_or(String::new(), display::time);
    let record = |event: Option<&KeyEvent>| event.and_then(|e| e.record).map_or(String::new(), |at| at.to_string());
    let row = |life: &KeyLife| {
        let (began, ended) = (life.began.as_ref(), life.ended.as_ref());
        let reason = ended.and_then(|event| event.reason.clone()).unwrap_or_default();
        vec![
            life.party.clone(),
            use_word(life.job).to_owned(),
            life.title.clone().unwrap_or_default(),
            life.kinds.join(","),
            time(life.valid_from),
            time(life.valid_until),
            record(began),
            time(began.and_then(|event| event.logged.or(Some(event.issued)))),
            record(ended),
            time(ended.and_then(|event| event.logged)),
            end_word(life).to_owned(),
            reason.replace(['\t', '\n'], " "),
            life.key.clone(),
        ]
    };
    let headers = [
        "party",
        "use",
        "title",
        "kinds",
        "valid from",
        "valid until",
        "from record",
        "from",
        "to record",
        "to",
        "end",
        "reason",
        "key",
    ];
    display::table(out, &headers, &found.lives.iter().map(row).collect::<Vec<_>>());
}

/// Width of the bars, in columns.
const WIDTH: usize = 24;

/// For a person: party by party, each key a bar on one scale of time.
fn draw(found: &Found, out: &Output) {
    let events = found.lives.iter().flat_map(|life| [&life.began, &life.ended]).flatten();
    let times: Vec<_> = events.filter_map(|event| event.logged).chain([clock::now()]).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return };
    let scale = (first.posix(), last.posix());
    out.line(out.dim(&format!(
        "From {} to {}: ━ in force; it ends with ┤, and goes on with ▶.",
        display::time(*first),
        display::time(*last)
    )));
    for (code, name) in &found.names {
        let mut lives = found.lives.iter().filter(|life| life.party == *code).peekable();
        if lives.peek().is_none() {
            continue;
        }
        out.line("");
        out.line(out.bold(&format!("{name} ({code})")));
        let mut last = None;
        for life in lives {
            if last != Some(life.job) {
                last = Some(life.job);
                out.line(format!("  {}", heading(life.job)));
            }
            let bar = bar(life, scale);
            let bar = if life.ended.is_none() { out.good(&bar) } else { out.dim(&bar) };
            out.line(format!("    {bar}  {}", began(life)));
            let under = format!("    {:WIDTH$}  ", "");
            for line in details(life, found.origin) {
                out.line(format!("{under}{line}"));
            }
        }
    }
}

fn heading(job: KeyUse) -> &'static str {
    match job {
        KeyUse::Root => "Root key: signs credentials and amendments",
        KeyUse::Log => "Log key: signs the heads of its log",
        KeyUse::Witness => "Witness key: signs its receipts",
        KeyUse::Transport => "Transport key: its node's identity on the network",
        KeyUse::Official => "Officials' keys: sign notifications",
    }
}

/// In force from one column to another.
fn bar(life: &KeyLife, (first, last): (u64, u64)) -> String {
    let column = |event: Option<&KeyEvent>, otherwise: usize| {
        let Some(at) = event.and_then(|event| event.logged) else { return otherwise };
        let (done, all) = (at.posix().saturating_sub(first), last.saturating_sub(first).max(1));
        // A product of two times does not fit 64 bits.
        let column = u128::from(done) * (WIDTH as u128 - 1) / u128::from(all);
        usize::try_from(column).unwrap_or(otherwise).min(WIDTH - 1)
    };
    let from = column(life.began.as_ref(), 0);
    let to = column(life.ended.as_ref(), WIDTH - 1).max(from);
    let end = if life.ended.is_some() { '┤' } else { '▶' };
    (0..WIDTH)
        .map(|at| match at {
            at if at == to => end,
            at if (from..to).contains(&at) => '━',
            _ => ' ',
        })
        .collect()
}

fn began(life: &KeyLife) -> String {
    let title = life.title.as_ref().map_or(String::new(), |title| format!("{title}: "));
    match &life.began {
        None => "since the party's entry in the treaty file".into(),
        Some(KeyEvent { record: Some(at), logged, issued, .. }) => {
            format!("{title}since record {at}, {}", display::time(logged.unwrap_or(*issued)))
        }
        Some(KeyEvent { record: None, issued, .. }) => {
            format!("{title}by the root's word of {}; where it was logged is not shown here", display::time(*issued))
        }
    }
}

fn details(life: &KeyLife, origin: Origin) -> Vec<String> {
    let mut lines = Vec::new();
    if !life.kinds.is_empty() {
        let kinds = if life.kinds.iter().any(|kind| kind == "*") { "all kinds".into() } else { life.kinds.join(", ") };
        lines.push(format!("may sign: {kinds}"));
    }
    match (life.valid_from, life.valid_until) {
        (None, None) => {}
        (from, until) => {
            let from = from.map_or(String::new(), |from| format!(" from {}", display::time(from)));
            let until = until.map_or(String::new(), |until| format!(" until {}", display::time(until)));
            lines.push(format!("valid{from}{until}, by the time at which a note is logged"));
        }
    }
    let word = end_word(life);
    match &life.ended {
        Some(event) => {
            let place = event.record.map_or(String::new(), |at| format!(" in record {at}"));
            let time = event.logged.map_or(String::new(), |time| format!(", {}", display::time(time)));
            let reason = event.reason.as_ref().map_or(String::new(), |reason| format!(": “{reason}”"));
            lines.push(format!("{word}{place}{time}{reason}"));
        }
        None if !word.is_empty() => lines.push(word.to_owned()),
        None if origin == Origin::Evidence && life.job != KeyUse::Root => {
            lines.push("whether it was ended later is not shown in this file".into());
        }
        None => {}
    }
    lines.push(short(&life.key));
    lines
}

/// A key by its name and the number that tells it from others of that name.
fn short(key: &str) -> String {
    let mut parts = key.split('+');
    match (parts.next(), parts.next()) {
        (Some(name), Some(id)) => format!("{name}, key {id}"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: u64, at: u64) -> Option<KeyEvent> {
        let time = Timestamp::from_posix(at);
        Some(KeyEvent { record: Some(record), logged: Some(time), issued: time, reason: Some("a reason".into()) })
    }

    fn life(began: Option<KeyEvent>, ended: Option<KeyEvent>) -> KeyLife {
        KeyLife {
            party: "CA".into(),
            job: KeyUse::Log,
            key: "trial/CA+01020304+AAAA".into(),
            title: None,
            kinds: Vec::new(),
            valid_from: None,
            valid_until: None,
            began,
            end: ended.as_ref().map(|_| KeyEnd::Lost),
            ended,
        }
    }

    #[test]
    fn a_bar_lies_where_its_key_was_in_force_whatever_the_times_are() {
        let scale = (1_000, 2_000);
        let drawn = |began, ended| bar(&life(began, ended), scale);
        let open = drawn(None, None);
        assert!(open.chars().count() == WIDTH && open.ends_with("━▶") && !open.contains(' '), "{open:?}");
        let first = drawn(None, event(3, 1_500));
        assert_eq!(first.find('┤').map(|at| first[..at].chars().count()), Some((WIDTH - 1) / 2), "{first:?}");
        assert!(drawn(event(3, 1_500), None).starts_with("          "));
        // Clocks that lie, and a scale of no length.
        for (began, ended) in [(event(1, 0), event(2, u64::MAX)), (event(1, 1_900), event(2, 1_100))] {
            assert_eq!(drawn(began, ended).chars().count(), WIDTH);
        }
        assert_eq!(bar(&life(event(1, 7), None), (7, 7)).chars().count(), WIDTH);
    }

    #[test]
    fn what_became_of_a_key_is_said_in_words() {
        let lost = details(&life(None, event(3, 1_500)), Origin::Logs);
        assert_eq!(
            lost[0], "lost or stolen, and replaced in record 3, 1970-01-01 00:25:00 UTC: “a reason”",
            "{lost:?}"
        );
        assert_eq!(lost[1], "trial/CA, key 01020304");
        let open = details(&life(event(3, 1_500), None), Origin::Evidence);
        assert_eq!(open[0], "whether it was ended later is not shown in this file");
        assert_eq!(began(&life(None, None)), "since the party's entry in the treaty file");
    }
}
