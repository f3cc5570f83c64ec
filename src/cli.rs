//! The command line: arguments, exit codes, and what is printed.
//!
//! Exit code 0 is good, 1 failed, 2 usage: wrong arguments or a wrong configuration.

mod admin;
mod check;
mod client;
#[cfg(feature = "demo")]
mod demo;
mod failure;
mod health;
mod init;
mod output;
mod purge;
mod run;
mod source;

use self::{failure::Failure, output::complain};
use clap::{Parser, Subcommand};
use std::{error::Error, io::IsTerminal, process::ExitCode};

/// A caching reverse proxy that runs beside one backend API.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 100,
    after_help = "Exit code: 0 good, 1 failed, 2 wrong arguments or configuration.\n\
    Environment: SIDECACHE_CONFIG, REDIS_URL and ADMIN_TOKEN (where proxy.toml refers to them), CACHE_ENABLED, RUST_LOG."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the proxy until SIGTERM or Ctrl-C, then drains
    Run(run::Run),
    /// Writes a first proxy.toml for a backend
    Init(init::Init),
    /// Checks a configuration with the code that `run` uses, and starts nothing
    Check(check::Check),
    /// Asks a running proxy whether it is alive: exit code 0 or 1
    Health(health::Health),
    /// Purges what a running proxy has stored, on every replica
    Purge(purge::Purge),
    /// Runs the demo backend and the proxy in front of it
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
}

/// Parses the arguments, runs the command, prints what went wrong.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => run.execute(),
        Command::Init(init) => init.execute(),
        Command::Check(check) => check.execute(),
        Command::Health(health) => health.execute(),
        Command::Purge(purge) => purge.execute(),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.execute(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(error)) => {
            let text = error.render(std::io::stderr().is_terminal());
            complain(text.trim_end());
            ExitCode::from(2)
        }
        Err(Failure::Told(code)) => ExitCode::from(code),
        Err(failure @ Failure::Usage(_)) => {
            complain(&chain(&failure));
            ExitCode::from(2)
        }
        Err(failure) => {
            complain(&chain(&failure));
            ExitCode::FAILURE
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
