//! What the whole stack does, in figures: `make baseline` writes docs/baseline.md, its plots and its figures as JSON.
//!
//! Starts redis-server, a PostgreSQL server, the demo backend on each database and sidecache before it, on free ports and in a
//! folder that is deleted at the end; all of them end with this program, however it ends. `--short` takes seconds, writes below
//! target/ and fails where a figure is missing or where one is out of order that no machine can change (`make baseline-check`).

mod check;
mod claims;
mod client;
mod database;
mod figures;
mod machine;
mod measure;
mod page;
mod plots;
mod process;
mod sample;
mod servers;
mod stack;

use self::{
    figures::{Figures, LoadPlan},
    sample::Patience,
    stack::Place,
};
use clap::Parser;
use std::{
    error::Error,
    fs,
    io::{Write as _, stderr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout},
};

type Failure = Box<dyn Error>;

/// What all of it may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// Measures the whole stack and writes a page about it
#[derive(Debug, Parser)]
struct Settings {
    /// Takes seconds: few rows, few samples; the page goes below target/ and its figures are checked
    #[arg(long)]
    short: bool,
    /// How many messages the databases are filled with [default: 1000000, or 10000 in the short form]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(10_000..=1_000_000))]
    rows: Option<u32>,
    /// How many seconds each load takes [default: 60, or 2 in the short form]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// How many requests the load has a second [default: 400, or 100 in the short form]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(10..=10_000))]
    rate: Option<u32>,
    /// Where baseline.md and the folder baseline/ are written [default: docs, or target/baseline in the short form]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// What is measured [default: the program that was built beside this one]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let settings = Settings::parse();
    let built = std::env::current_exe()?;
    let beside = |up: usize, name: &str| Some(built.ancestors().nth(up)?.join(name));
    let program = settings.program.clone().or_else(|| beside(2, "sidecache"));
    let program = program.filter(|program| program.is_file());
    let program =
        program.ok_or("no program to measure: build it with the demo, as make baseline does")?;
    let out = match (&settings.out, settings.short) {
        (Some(out), _) => out.clone(),
        (None, false) => Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"),
        (None, true) => beside(3, "baseline").ok_or("no target folder")?,
    };
    let folder = tempfile::Builder::new().prefix("baseline-").tempdir()?;
    // PostgreSQL may have to run as another user, who has to come through.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
    let place = Place {
        program: program.canonicalize()?,
        folder: folder.path().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(measured(&place, &settings))?;
    write(&out, &figures)?;
    say(&format!("{} is written", out.join("baseline.md").display()));
    check::figures(&figures, settings.short)
}

/// Everything that runs ends when this does, also at a signal.
async fn measured(place: &Place, settings: &Settings) -> Result<Figures, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        figures = timeout(LONGEST, measure::all(place, settings)) => {
            figures.map_err(|_| error(format!("not done within {LONGEST:?}")))?
        }
        _ = interrupt.recv() => Err(error("interrupted".to_owned())),
        _ = terminate.recv() => Err(error("terminated".to_owned())),
    }
}

fn write(out: &Path, figures: &Figures) -> Result<(), Failure> {
    let folder = out.join("baseline");
    fs::create_dir_all(&folder)?;
    let json = serde_json::to_string_pretty(figures)?;
    fs::write(folder.join("figures.json"), json + "\n")?;
    for (name, plot) in plots::all(figures)? {
        fs::write(folder.join(name), plot)?;
    }
    fs::write(out.join("baseline.md"), page::text(figures))?;
    Ok(())
}

// === impl Settings ===

impl Settings {
    fn rows(&self) -> u32 {
        let usual = if self.short { 10_000 } else { 1_000_000 };
        self.rows.unwrap_or(usual)
    }

    fn seconds(&self) -> u64 {
        let usual = if self.short { 2 } else { 60 };
        self.seconds.unwrap_or(usual)
    }

    fn rate(&self) -> u32 {
        let usual = if self.short { 100 } else { 400 };
        self.rate.unwrap_or(usual)
    }

    /// Ten conversations have a hundred messages.
    fn conversations(&self) -> usize {
        self.rows() as usize / 10
    }

    fn patience(&self) -> Patience {
        let (samples, least, milliseconds) = if self.short {
            (7, 3, 100)
        } else {
            (200, 5, 4000)
        };
        Patience {
            samples,
            least,
            time: Duration::from_millis(milliseconds),
        }
    }

    /// How many messages are written at once.
    fn bulk(&self) -> usize {
        if self.short { 20 } else { 1000 }
    }

    fn load(&self) -> LoadPlan {
        LoadPlan {
            seconds: self.seconds(),
            rate: self.rate(),
            connections: 32,
            population: self.conversations().min(10_000),
        }
    }

    /// What makes the same figures again.
    fn command(&self) -> String {
        let short = if self.short { " --short" } else { "" };
        format!(
            "baseline{short} --rows {} --seconds {} --rate {}",
            self.rows(),
            self.seconds(),
            self.rate()
        )
    }
}

/// Says how far it is, on standard error, and after how many seconds.
fn say(line: &str) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    let _ = writeln!(stderr(), "{seconds:>5} s  {line}");
}

fn error(text: String) -> Failure {
    text.into()
}
