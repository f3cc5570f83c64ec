//! The proxy behind its listeners, for what `bench/attacks.py` sends to it.

use crate::{Failure, NOW};
use sidecache::{
    app::App,
    clock::{Clock, Manual},
    config::Config,
    telemetry,
};
use std::{
    io::{BufRead, Write, stderr, stdin},
    time::UNIX_EPOCH,
};
use tokio::sync::oneshot;

/// Serves with the configuration `file` until standard input ends. First it says on standard error where clients and operators
/// connect; then it answers each line of standard input with one there, and has called [`mark`] before.
pub(crate) async fn serve(file: &str) -> Result<(), Failure> {
    let config = Config::parse(file, &std::fs::read_to_string(file)?, &[], &|_| None)?;
    let _log = telemetry::init(&config.log, None)?;
    let clock = Clock::Manual(Manual::at(UNIX_EPOCH + NOW));
    let app = App::start(config, clock).await?;
    say(&format!("{} {}", app.public_address(), app.admin_address()))?;
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            mark(&line);
            if say(&line).is_err() {
                break;
            }
        }
        let _ = end.send(());
    });
    Ok(ended.await?)
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(stderr(), "{line}")
}

/// Nothing, but callgrind writes down what was counted so far when it is called.
#[inline(never)]
fn mark(name: &str) {
    std::hint::black_box(name);
}
