//! A server of one's own, for tests that stop it.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// Attempts to find a port that nobody else takes before the server does.
const STARTS_MAX: usize = 10;

/// A server in a folder that is removed at the end of the test.
pub struct Cluster {
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// Makes and starts one whose user `postgres` needs no password.
    pub fn start_new() -> Self {
        let cluster = Self::made(&["--auth=trust"]);
        cluster.started()
    }

    /// Makes and starts one whose user `postgres` has the password `hunter2`.
    pub fn start_new_with_password() -> Self {
        let folder = folder();
        fs::write(folder.path().join("password"), "hunter2").unwrap();
        let password = format!("--pwfile={}", folder.path().join("password").display());
        let cluster = Self { folder, port: 0 };
        cluster.initialise(&["--auth=scram-sha-256", &password]);
        cluster.started()
    }

    /// Makes and starts a standby of this one.
    pub fn start_standby(&self) -> Self {
        let standby = Self { folder: folder(), port: 0 };
        let data = standby.data();
        let from = format!("--dbname={}", self.url("postgres"));
        run(&mut command(
            "pg_basebackup",
            &[&from, "--pgdata", text(&data), "--write-recovery-conf", "--checkpoint=fast"],
        ));
        standby.started()
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn url_with_password(&self, password: &str, database: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it again on its port.
    pub fn start(&self) {
        assert!(self.try_start(), "{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    /// Stops it as a crash would, or, when `orderly`, after everybody was sent away.
    pub fn stop(&self, orderly: bool) {
        let mode = if orderly { "--mode=fast" } else { "--mode=immediate" };
        run(&mut command("pg_ctl", &["stop", "--wait", mode, "--pgdata", text(&self.data())]));
    }

    fn made(initialise: &[&str]) -> Self {
        let cluster = Self { folder: folder(), port: 0 };
        cluster.initialise(initialise);
        cluster
    }

    fn initialise(&self, options: &[&str]) {
        let data = self.data();
        let mut all =
            vec!["--pgdata", text(&data), "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"];
        all.extend(options);
        run(&mut command("initdb", &all));
    }

    fn started(mut self) -> Self {
        for _ in 0..STARTS_MAX {
            self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if self.try_start() {
                return self;
            }
        }
        panic!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    fn try_start(&self) -> bool {
        // What the machine's crash would lose is not tested, so nothing is flushed.
        let settings = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=40 \
             -c superuser_reserved_connections=3",
            self.port
        );
        let log = self.folder.path().join("log");
        let data = self.data();
        let options = ["start", "--wait", "--options", &settings, "--log", text(&log), "--pgdata", text(&data)];
        command("pg_ctl", &options).status().unwrap().success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        let _ = command("pg_ctl", &["stop", "--wait", "--mode=immediate", "--pgdata", text(&data)]).status();
    }
}

/// A folder that the server's user owns.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some((user, group)) = server_user() {
        chown(folder.path(), Some(user), Some(group)).unwrap();
    }
    folder
}

/// `PostgreSQL` refuses to run as the superuser; its package brings a user for it.
fn server_user() -> Option<(u32, u32)> {
    let number = |options: &[&str]| -> u32 {
        let output = Command::new("id").args(options).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .expect("the user postgres, of PostgreSQL's package, is there")
    };
    (number(&["-u"]) == 0).then(|| (number(&["-u", "postgres"]), number(&["-g", "postgres"])))
}

fn command(program: &str, options: &[&str]) -> Command {
    let program = programs().join(program);
    let mut command = match server_user() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups").arg(program);
            command
        }
    };
    // A server would hold on to pipes.
    command.args(options).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Where Debian keeps the newest version's programs; elsewhere they are in the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    newest.map_or_else(PathBuf::new, |version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin"))
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
