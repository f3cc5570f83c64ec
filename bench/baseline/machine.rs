//! Where and with what the figures were taken.

use crate::{Settings, figures::Run};
use sidecache::clock::Clock;
use std::{fs, process::Command};

const PROFILE: &str = if cfg!(debug_assertions) {
    "dev"
} else {
    "release"
};

pub(crate) fn run(settings: &Settings, versions: [(&'static str, String); 3]) -> Run {
    let mut machine = vec![
        ("processor", processor()),
        ("memory", memory()),
        (
            "system",
            read("/proc/sys/kernel/osrelease")
                .map_or(unknown(), |release| format!("Linux {release}")),
        ),
        ("sidecache", sidecache()),
        ("Rust", said("rustc", &["--version"])),
    ];
    machine.extend(versions);
    Run {
        date: httpdate::fmt_http_date(Clock::System.now()),
        command: settings.command(),
        machine,
        messages: settings.rows(),
        load: settings.load(),
    }
}

fn processor() -> String {
    let text = read("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or(unknown(), |model| {
        model.trim_start_matches(['\t', ' ', ':']).to_owned()
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores")
}

fn memory() -> String {
    let text = read("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map_or(unknown(), |kib| format!("{:.1} GiB", kib / 1024.0 / 1024.0))
}

fn sidecache() -> String {
    let commit = said(
        "git",
        &[
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "rev-parse",
            "--short",
            "HEAD",
        ],
    );
    format!(
        "{}, commit {commit}, profile {PROFILE}",
        env!("CARGO_PKG_VERSION")
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let output = output.filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or(unknown(), |text| text.trim().to_owned())
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(file)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
