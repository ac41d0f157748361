//! The `verbale` program: see `verbale help`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    verbale::cli::app::main()
}
