//! Processes of this program's own: started, watched, and ended with it, however it ends.

use crate::{Failure, error};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// PostgreSQL refuses to run as root.
pub(crate) const NOBODY: u32 = 65_534;
/// How long a process may take to end before it is killed, in tenths of a second.
const GRACE: u32 = 100;

/// A shell starts the program, says its id and waits for the end of its own input: that comes with the end of this process, even
/// if it is killed.
const RUN: &str = r#"
"$@" >>"$LOG" 2>&1 </dev/null &
child=$!
echo $child
exec >&-
cat >/dev/null
kill -"$SIGNAL" $child 2>/dev/null
waited=0
while kill -0 $child 2>/dev/null && [ $waited -lt "$GRACE" ]; do sleep 0.1; waited=$((waited + 1)); done
kill -KILL $child 2>/dev/null
wait
"#;

/// See the module docs.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    shell: Child,
    id: u32,
    log: PathBuf,
}

/// How to start one.
pub(crate) struct Start<'a> {
    pub(crate) name: &'static str,
    pub(crate) folder: &'a Path,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The signal that ends it.
    pub(crate) signal: &'static str,
    pub(crate) as_nobody: bool,
}

/// What a process and its children have used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) cpu: Duration,
    pub(crate) memory_mib: f64,
}

// === impl Process ===

impl Process {
    pub(crate) fn start(start: Start<'_>) -> Result<Self, Failure> {
        let log = start.folder.join(format!("{}.log", start.name));
        let mut shell = Command::new("sh");
        shell
            .args(["-c", RUN, "sh"])
            .arg(&start.program)
            .args(&start.arguments)
            .current_dir(start.folder)
            .env("LOG", &log)
            .env("SIGNAL", start.signal)
            .env("GRACE", GRACE.to_string())
            .envs(start.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0); // a Ctrl-C is for this program, which then ends it
        if start.as_nobody {
            shell.uid(NOBODY).gid(NOBODY);
        }
        let failed = |cause| error(format!("{} cannot be started: {cause}", start.name));
        let mut shell = shell.spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(failed)?;
        }
        let id = line.trim().parse()?;
        Ok(Self {
            name: start.name,
            shell,
            id,
            log,
        })
    }

    /// Calls `is_ready` until it says so; fails where the process has ended, or after `patience`.
    pub(crate) async fn wait<F: Future<Output = bool>>(
        &self,
        patience: Duration,
        is_ready: impl Fn() -> F,
    ) -> Result<(), Failure> {
        let end = Instant::now() + patience;
        while !is_ready().await {
            if !self.is_alive() {
                return Err(self.failure("has ended"));
            }
            if Instant::now() > end {
                return Err(self.failure(&format!("is not ready after {patience:?}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What went wrong with it, and the end of its log.
    pub(crate) fn failure(&self, what: &str) -> Failure {
        error(format!(
            "{} {what}; the end of its log:\n{}",
            self.name,
            tail(&self.log)
        ))
    }

    fn is_alive(&self) -> bool {
        stat(self.id).is_some_and(|stat| stat.state != "Z")
    }

    /// CPU time and memory of the process and its children.
    pub(crate) fn used(&self) -> Result<Use, Failure> {
        let mut cpu = Duration::ZERO;
        let mut memory_mib = 0.0;
        for id in family(self.id)? {
            // One that has ended meanwhile is in its parent's figures.
            if let (Some(stat), Some(kib)) = (stat(id), memory(id)) {
                cpu += stat.cpu;
                memory_mib += kib as f64 / 1024.0;
            }
        }
        if memory_mib > 0.0 {
            Ok(Use { cpu, memory_mib })
        } else {
            Err(self.failure("has no memory in /proc"))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait(); // the shell kills what does not end by itself
    }
}

struct Stat {
    state: String,
    parent: u32,
    /// User and system time, of children that have ended too.
    cpu: Duration,
}

fn stat(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields
        .get(11..15)?
        .iter()
        .map(|ticks| ticks.parse::<u64>().ok());
    Some(Stat {
        state: (*fields.first()?).to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        cpu: Duration::from_millis(ticks.sum::<Option<u64>>()? * 10), // 100 ticks a second, on every Linux
    })
}

/// The process and all below it.
fn family(id: u32) -> Result<Vec<u32>, Failure> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let id = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        all.extend(id.and_then(|id| Some((id, stat(id)?.parent))));
    }
    let mut family = vec![id];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    Ok(family)
}

/// KiB: the proportional set size, or what is resident where that cannot be read.
fn memory(id: u32) -> Option<u64> {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{id}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    line("smaps_rollup", "Pss:").or_else(|| line("status", "VmRSS:"))
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A port that is free now.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
