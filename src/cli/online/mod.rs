//! Commands that run the node or speak to it.

mod ack;
pub mod client;
mod data;
mod demo;
mod due;
mod export;
mod fsck;
mod inbox;
mod keys;
mod law;
pub mod loopback;
mod mirror;
mod monitor;
mod node;
mod number;
mod parties;
mod prove;
mod public_files;
mod publish;
mod show;
mod status;
mod submit;
mod tables;
mod timeline;
mod watch;

pub(super) use keys::stored_keys;

use super::{Code, Context, Failure, NodeConfig};
use crate::api::view::RecordView;
use crate::tlog::Hash;

/// The commands of a program that was built with the node.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Demo(demo::Args),
    Node(node::Args),
    Submit(submit::Args),
    /// List the notes that were received, the newest first
    Inbox(inbox::Args),
    /// List the notes that this party sent, the newest first
    Sent(inbox::Args),
    Show(show::Args),
    Ack(ack::Args),
    Status(status::Args),
    Due(due::Args),
    Timeline(timeline::Args),
    Parties(parties::Args),
    Watch(watch::Args),
    Prove(prove::Args),
    Export(export::Args),
    Publish(publish::Args),
    Mirror(mirror::Args),
    Monitor(monitor::Args),
    Fsck(fsck::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Demo(args) => demo::run(args, context),
            Self::Node(args) => node::run(args, context),
            Self::Submit(args) => submit::run(args, context),
            Self::Inbox(args) => inbox::inbox(args, context),
            Self::Sent(args) => inbox::sent(args, context),
            Self::Show(args) => show::run(args, context),
            Self::Ack(args) => ack::run(args, context),
            Self::Status(args) => status::run(args, context),
            Self::Due(args) => due::run(args, context),
            Self::Timeline(args) => timeline::run(args, context),
            Self::Parties(args) => parties::run(args, context),
            Self::Watch(args) => watch::run(args, context),
            Self::Prove(args) => prove::run(args, context),
            Self::Export(args) => export::run(args, context),
            Self::Publish(args) => publish::run(args, context),
            Self::Mirror(args) => mirror::run(args, context),
            Self::Monitor(args) => monitor::run(args, context),
            Self::Fsck(args) => fsck::run(args, context),
        }
    }
}

/// The leaf hash of a record that this party's node holds.
pub(super) fn leaf_of(log: &str, index: u64, context: &Context) -> Result<Hash, Failure> {
    let socket = NodeConfig::load(&context.home).map_err(|failure| Failure { code: Code::NoNode, ..failure })?.socket;
    let record: RecordView = client::Client::new(&socket)?.get(&format!("/v1/records/{log}/{index}"))?;
    Hash::from_hex(&record.leaf).ok_or_else(|| Failure::new(Code::Other, "the node's answer has no leaf hash"))
}
