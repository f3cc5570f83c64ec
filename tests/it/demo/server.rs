//! A PostgreSQL server of the tests' own: one for all of them, a database for each.
//!
//! It ends with the process of the tests, however that ends: a shell waits for the end of its input, stops the server and
//! deletes its folder.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use crate::support::{PATIENCE, redis::free_port};

/// PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// Without `sync`: what a power cut would lose is of no use to anybody.
const RUN: &str = r#"
set -e
"$BIN/initdb" -D data -U demo --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8 >initdb.log 2>&1
"$BIN/postgres" -D data -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=32MB >server.log 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server" || true
cd / && rm -rf "$FOLDER"
"#;

struct Server {
    port: u16,
    databases: AtomicU32,
    /// `CREATE DATABASE` copies a template, which only one can do at a time.
    turn: Mutex<()>,
    /// The end of its input is the end of the server.
    shell: Child,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// The URL of a new and empty database.
pub(crate) async fn database() -> String {
    let server = SERVER.get_or_init(Server::start).await;
    let number = server.databases.fetch_add(1, Ordering::Relaxed);
    let _turn = server.turn.lock().await;
    let mut connection = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE demo_{number}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.url(&format!("demo_{number}"))
}

impl Server {
    /// Fails, and does not skip, where there is no PostgreSQL: `make test` installs it.
    async fn start() -> Self {
        let folder = TempDir::new().unwrap().keep();
        let port = free_port();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", RUN])
            .current_dir(&folder)
            .env("BIN", programs())
            .env("PORT", port.to_string())
            .env("FOLDER", &folder)
            .env("HOME", &folder)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0); // a Ctrl-C is for the tests, which then end it
        if fs::metadata("/proc/self").is_ok_and(|own| is_root(&own)) {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            shell.uid(NOBODY).gid(NOBODY);
        }
        let mut server = Self {
            shell: shell.spawn().unwrap(),
            port,
            databases: AtomicU32::new(0),
            turn: Mutex::new(()),
        };
        let end = Instant::now() + PATIENCE;
        while let Err(error) = PgConnection::connect(&server.url("postgres")).await {
            let log = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                Instant::now() < end && server.shell.try_wait().unwrap().is_none(),
                "PostgreSQL does not answer: {error}\n{}\n{}",
                log("initdb.log"),
                log("server.log")
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        server
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://demo@127.0.0.1:{}/{database}", self.port)
    }
}

fn is_root(own: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    own.uid() == 0
}

/// The folder with the newest `initdb` and `postgres`: one of the PATH, or where Debian puts them.
fn programs() -> PathBuf {
    let has_both = |folder: &Path| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let found = env::split_paths(&path).chain(debian.into_iter().rev());
    found
        .into_iter()
        .find(|folder| has_both(folder))
        .expect("PostgreSQL is installed; `make test` does that")
}
