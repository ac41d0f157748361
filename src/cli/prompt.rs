//! Asking the person at the terminal. Questions go to standard error, so that output can be piped.

use std::io::{BufRead, IsTerminal, Write};

use super::{Code, Failure};

/// Longest answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 65_536;

/// Whether there is a person to ask.
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a line; an empty answer is an empty text. Ending the input ends the command.
pub fn ask(question: &str) -> Result<String, Failure> {
    use std::io::Read;
    let stopped = || Failure::new(Code::Usage, "stopped at a question; nothing was written");
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(MAX_ANSWER_BYTES).read_line(&mut answer).map_err(|_| stopped())?;
    if read == 0 { Err(stopped()) } else { Ok(answer.trim().to_owned()) }
}

/// Asks a question to be answered `yes`; anything else is a no.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    Ok(matches!(ask(&format!("{question} [yes/no] "))?.to_lowercase().as_str(), "y" | "yes"))
}
