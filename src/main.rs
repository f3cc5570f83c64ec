//! Turns a result into an exit code; prints the chain of causes once.

use std::process::ExitCode;

fn main() -> ExitCode {
    sidecache::cli::main()
}
