//! A progress bar for long work: on the terminal's error output, and nothing where there is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar under a word for the work; none if `silent`.
pub fn bar(what: &'static str, silent: bool) -> ProgressBar {
    counted(what, "records", silent)
}

/// The same, for work that is counted in other things than records.
pub fn counted(what: &'static str, things: &str, silent: bool) -> ProgressBar {
    if silent {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    // The template is a constant: where it could not be read, the plain bar does.
    if let Ok(style) =
        ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {{pos}} of {{len}} {things}, {{eta}} left"))
    {
        bar.set_style(style);
    }
    bar.with_message(what)
}
