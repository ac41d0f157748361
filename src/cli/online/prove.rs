//! `verbale prove`: evidence for one note, in a file that a stranger can verify.

use std::path::{Path, PathBuf};

use super::client::Client;
use super::data::{Data, damaged};
use super::number::Number;
use crate::cli::{Code, Failure};
use crate::cli::{Context, NodeConfig, files};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Timestamp, is_kind_name, is_party_code};
use crate::node::{BranchRead, prove};
use crate::page::evidence_page;

/// Write the evidence for one note: who said what to whom, between which times, and who has received it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The note, as US/12
    number: Number,
    /// Show as well that this party has not answered the note (RU): what the others hold of its log now
    #[arg(long, value_name = "PARTY", value_parser = code)]
    silence: Option<String>,
    /// The rule of the treaty's profile by which that party's answer was due
    #[arg(long, value_name = "RULE", requires = "silence", value_parser = rule)]
    due: Option<String>,
    /// Count only what others saw of its log after this time, as 2021-06-18T09:00:00Z [default: when the note was logged]
    #[arg(long, value_name = "TIME", requires = "silence", value_parser = time)]
    after: Option<Timestamp>,
    /// Write only the head of that party's log that others hold now, with their cosignatures: with an export of the ledger
    /// it shows a silence that is too large for one file (`verbale verify EXPORT --silence`)
    #[arg(long, requires = "silence", conflicts_with = "html")]
    head: bool,
    /// Read this folder of stored data instead of asking the node: a snapshot, or what a node left
    #[arg(long, value_name = "DIR", conflicts_with = "silence")]
    data: Option<PathBuf>,
    /// Write a page that opens in any browser, without a network, and verifies itself there
    #[arg(long)]
    html: bool,
    /// The file to write; `-` for standard output [default: US-12.tlog-proof, or US-12.html]
    #[arg(long, short)]
    output: Option<PathBuf>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time in UTC is written as 2021-06-18T09:00:00Z".to_owned())
}

fn code(text: &str) -> Result<String, String> {
    is_party_code(text).then(|| text.to_owned()).ok_or_else(|| "a party is named by its code, as RU".to_owned())
}

fn rule(text: &str) -> Result<String, String> {
    is_kind_name(text)
        .then(|| text.to_owned())
        .ok_or_else(|| "a rule is named as in the profile, as `acknowledge`".to_owned())
}

fn path_of(args: &Args) -> String {
    let Some(party) = &args.silence else { return format!("/v1/proof/{}", args.number) };
    let mut path = format!("/v1/silence/{}?by={party}", args.number);
    if let Some(due) = &args.due {
        path.push_str(&format!("&due={due}"));
    }
    if let Some(after) = &args.after {
        path.push_str(&format!("&after={after}"));
    }
    if args.head {
        path.push_str("&head=true");
    }
    path
}

/// The page that carries the evidence, with this party's treaty file and profile.
fn page(proof: &[u8], ctx: &Context) -> Result<Vec<u8>, Failure> {
    let treaty = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    Ok(evidence_page(proof, &treaty, Some(&profile)).into_bytes())
}

/// From the node.
fn asked(args: &Args, ctx: &Context) -> Result<Vec<u8>, Failure> {
    let client = Client::new(&NodeConfig::load(&ctx.home)?.socket)?;
    client.get_bytes(&path_of(args)).map_err(|failure| match failure.code {
        Code::Refused if args.silence.is_some() && failure.message.contains("more than one file of evidence holds") => {
            let (note, party) = (&args.number, args.silence.as_deref().unwrap_or_default());
            failure.hint(format!(
                "three commands show it: `verbale prove {note} --silence {party} --head -o {party}.head`, `verbale export ledger`, \
                 and for anybody `verbale verify ledger --silence {note} --by {party} --seen {party}.head`"
            ))
        }
        Code::Refused => failure.hint("`verbale show` tells whose receipts are missing"),
        _ => failure,
    })
}

/// From stored data, without a node.
fn stored(folder: &Path, number: &Number, ctx: &Context) -> Result<Vec<u8>, Failure> {
    let data = Data::open(Some(folder), &ctx.treaty()?, ctx)?;
    let (store, treaty) = (&data.store, data.store.treaty());
    let code = number.party.split('~').next().unwrap_or_default();
    let log = treaty.find(code).ok_or_else(|| {
        Failure::new(Code::Input, format!("{code} is no party to this treaty")).hint("`verbale parties` lists them")
    })?;
    let proof = match number.branch() {
        None => prove(store, &treaty, log, number.index),
        Some(branch) => match BranchRead::open(store, &treaty, log, branch).map_err(damaged)? {
            Some(read) => prove(&read, &treaty, log, number.index),
            None => return Err(Failure::new(Code::Refused, format!("{number}: the branch is not in this data"))),
        },
    };
    proof.map_err(damaged)?.map_err(|why| Failure::new(Code::Refused, format!("{number}: {why}")))
}

/// Runs the command.
pub fn run(args: &Args, ctx: &Context) -> Result<(), Failure> {
    let proof = match &args.data {
        Some(folder) => stored(folder, &args.number, ctx)?,
        None => asked(args, ctx)?,
    };
    let proof = if args.html { page(&proof, ctx)? } else { proof };
    let silent = args.silence.as_ref().map_or(String::new(), |party| format!("-silence-{party}"));
    let ending = match (args.html, args.head) {
        (true, _) => "html",
        (_, true) => "head",
        _ => "tlog-proof",
    };
    let name = || PathBuf::from(format!("{}-{}{silent}.{ending}", args.number.party, args.number.index));
    let path = args.output.clone().unwrap_or_else(name);
    if path == *"-" {
        ctx.out.line(String::from_utf8_lossy(&proof).trim_end_matches('\n'));
        return Ok(());
    }
    files::replace(&path, &proof)?;
    if ctx.out.json {
        ctx.out.value(&serde_json::json!({ "number": args.number.to_string(), "file": path, "bytes": proof.len() }));
    } else if args.head {
        let party = args.silence.as_deref().unwrap_or_default();
        ctx.out.line(format!("What others hold of the log of {party} now is in {}, cosigned.", path.display()));
        ctx.out.line(format!(
            "With an export made after it, anyone can see whether there is an answer: verbale verify EXPORT --silence {} --by {party} \
             --seen {}",
            args.number,
            path.display()
        ));
    } else {
        ctx.out.line(format!("The evidence for {} is in {} ({} bytes).", args.number, path.display(), proof.len()));
        if args.html {
            ctx.out.line("It opens in a browser, without a network, and verifies itself there.");
        }
        ctx.out.line(format!("Anyone can check it: verbale verify {} --treaty treaty.toml", path.display()));
    }
    Ok(())
}
