//! The files and the choice of logs that go with what is shown to everybody.

use std::sync::Arc;

use crate::cli::{Code, Context, Failure, files};
use crate::ledger::{MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Treaty};
use crate::node::LogId;
use crate::public::Shown;

/// The home's treaty and profile, and the logs with these codes; all logs if there are none.
pub fn shown(codes: &[String], treaty: Arc<Treaty>, ctx: &Context) -> Result<Shown, Failure> {
    let treaty_bytes = files::read(&ctx.treaty_path(), MAX_TREATY_BYTES)?;
    let profile_bytes = files::read(&ctx.profile_path(), MAX_PROFILE_BYTES)?;
    let logs = chosen(codes, &treaty)?;
    Ok(Shown::new(treaty, treaty_bytes, profile_bytes, logs))
}

/// The logs of the parties with these codes; all if there are none.
pub fn chosen(codes: &[String], treaty: &Treaty) -> Result<Vec<LogId>, Failure> {
    if codes.is_empty() {
        return Ok((0..treaty.parties().len()).collect());
    }
    let find = |code: &String| {
        treaty.find(code).ok_or_else(|| {
            let text = format!("{code} is not a party to the treaty {:?}", treaty.file().title);
            Failure::new(Code::Input, text).hint("see `verbale treaty show`")
        })
    };
    codes.iter().map(find).collect()
}
