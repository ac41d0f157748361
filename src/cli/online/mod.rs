//! Commands that run the node or speak to it.

pub mod client;
mod demo;
mod fsck;
mod inbox;
mod node;
mod number;
mod prove;
mod show;
mod status;
mod submit;
mod watch;

use super::{Context, Failure};

/// The commands of a program that was built with the node.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Demo(demo::Args),
    Node(node::Args),
    Submit(submit::Args),
    /// List the notes that were received, the newest first
    Inbox(inbox::Args),
    /// List the notes that this party sent, the newest first
    Sent(inbox::Args),
    Show(show::Args),
    Status(status::Args),
    Watch(watch::Args),
    Prove(prove::Args),
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
            Self::Status(args) => status::run(args, context),
            Self::Watch(args) => watch::run(args, context),
            Self::Prove(args) => prove::run(args, context),
            Self::Fsck(args) => fsck::run(args, context),
        }
    }
}
