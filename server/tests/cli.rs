//! The program as a user types it: what it prints, and with which code it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/files.rs"]
mod files;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{
    AsideLimits, Op, Replica,
    map::{MapEdit, NewNode},
};
use synapti_server::store::{JournalRecord, Lookup, NewVersion, Purpose, SqliteStore, Store, VersionKind};
use synapti_server::{
    auth::{
        Role,
        claims::{Expected, grant},
        jws::Compact,
        keys::Key,
    },
    clock::Clock,
};

const EXIT_USAGE: i32 = 64;

fn synapti(args: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_synapti"))
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(folder.path())
        .args(args)
        .output()
        .unwrap()
}

fn refused(args: &[&str], env: &[(&str, &str)]) -> String {
    let output = synapti(args, env);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(EXIT_USAGE), "{args:?} {env:?}: {message}");
    assert!(output.stdout.is_empty());
    message
}

#[test]
fn usage_errors_end_with_64() {
    assert!(refused(&["--lisen", "x"], &[]).contains("--listen"));
    assert!(refused(&["dance"], &[]).contains("dance"));
    assert!(refused(&["serve", "--listen"], &[]).contains("--listen"));
    assert!(refused(&["--listen", "nowhere"], &[]).contains("--listen: `nowhere`"));
    assert!(refused(&["--config", "missing.toml"], &[]).contains("missing.toml"));
}

#[test]
fn bad_configuration_ends_with_64_whatever_the_command() {
    for command in ["serve", "migrate", "check"] {
        assert!(refused(&[command], &[("SYNAPTI_LISTEN", "nowhere")]).contains("SYNAPTI_LISTEN: `nowhere`"));
    }
    assert!(refused(&[], &[("SYNAPTI_LISTN", "127.0.0.1:0")]).contains("did you mean `SYNAPTI_LISTEN`?"));
    assert!(refused(&[], &[("SYNAPTI_LOG", "verbose")]).contains("SYNAPTI_LOG"));
    assert!(refused(&[], &[("SYNAPTI_AUTH_MODE", "required")]).contains("SYNAPTI_AUTH_SECRET"));
    assert!(refused(&[], &[("SYNAPTI_REDIS_URL", "localhost:6379")]).contains("rediss://HOST:PORT"));
    assert!(refused(&["--listen", "0.0.0.0:0"], &[]).contains("SYNAPTI_AUTH_OPEN_ANYWHERE"));
}

#[test]
fn a_redis_that_must_be_there_and_is_not_ends_the_start_with_its_address_and_without_its_password() {
    let redis = ("SYNAPTI_REDIS_URL", "redis://:hunter2@127.0.0.1:1");
    let output = synapti(&["--listen", "127.0.0.1:0"], &[redis, ("SYNAPTI_REDIS_AT_START", "fail")]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in ["SYNAPTI_REDIS_URL", "127.0.0.1:1", "refused", "SYNAPTI_REDIS_AT_START"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_bad_file_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    fs::write(&path, "[limits]\nmax_conections = 5\n").unwrap();
    let message = refused(&["--config", path.to_str().unwrap()], &[]);
    assert!(message.contains("my.toml") && message.contains("did you mean `limits.max_connections`?"), "{message}");
}

#[test]
fn token_prints_a_token_that_the_server_takes() {
    const SECRET: &str = "correct horse battery staple 0123456789";
    let missing = refused(&["token", "--sub", "ada"], &[]);
    assert!(missing.contains("SYNAPTI_AUTH_SECRET"), "{missing}");
    assert!(refused(&["token"], &[("SYNAPTI_AUTH_SECRET", SECRET)]).contains("--sub"));
    let short = refused(&["token", "--sub", "ada"], &[("SYNAPTI_AUTH_SECRET", "tooshort")]);
    assert!(short.contains("at least 32 bytes") && !short.contains("tooshort"), "{short}");

    let env = [("SYNAPTI_AUTH_SECRET", SECRET), ("SYNAPTI_AUTH_ISSUER", "us"), ("SYNAPTI_AUTH_AUDIENCE", "maps")];
    let args =
        ["token", "--sub", "ada", "--name", "Ada", "--graph", "m=owner", "--graph", "*=viewer", "--expires-in", "60"];
    let output = synapti(&args, &env);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let token = String::from_utf8(output.stdout).unwrap();
    let key = Key::secret(SECRET.as_bytes()).unwrap();
    let payload = Compact::parse(token.trim_end()).unwrap().verify(&key).unwrap();
    let expected = Expected { issuer: Some("us".to_owned()), audience: Some("maps".to_owned()) };
    let now = Clock::system().now();
    let grant = grant(&payload, &expected, now).unwrap();
    assert_eq!((grant.client.as_str(), grant.display_name.as_deref()), ("ada", Some("Ada")));
    assert_eq!((grant.everywhere, grant.graphs.len(), grant.is_admin), (Some(Role::Viewer), 1, false));
    let lasts = grant.expires_at.unwrap().duration_since(now).as_secs();
    assert!((0..=60).contains(&lasts), "{lasts}");
}

#[test]
fn help_version_and_openapi_need_no_configuration() {
    for args in [&["--help"][..], &["serve", "--help"], &["--version"], &["openapi"]] {
        let output = synapti(args, &[("SYNAPTI_LISTEN", "nowhere")]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    let description: serde_json::Value = serde_json::from_slice(&synapti(&["openapi"], &[]).stdout).unwrap();
    assert!(description["paths"]["/v1/graphs"]["post"].is_object());
}

#[test]
fn a_database_that_cannot_be_reached_ends_with_1_and_no_password() {
    for command in ["serve", "migrate"] {
        let output = synapti(&[command], &[("SYNAPTI_DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/maps")]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("nobody answers at 127.0.0.1:1") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn migrate_makes_a_database_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/maps.db");
    let url = format!("sqlite:{}", file.display());
    for _ in 0..2 {
        let output = synapti(&["migrate", "--database-url", &url], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains("schema version"));
    }
    assert!(file.exists());
}

/// A database with one map of so many nodes, a record for each, and a version.
async fn with_a_map(file: &Path, nodes: u32) -> SqliteStore {
    let store = SqliteStore::open(file.to_str().unwrap()).await.unwrap();
    let at = Timestamp::UNIX_EPOCH;
    let (Lookup::Live(graph), true) = store.create(&"bees".parse().unwrap(), "Bees", at).await.unwrap() else {
        panic!("it is new")
    };
    let mut replica = Replica::new(7, AsideLimits::default());
    for n in 0..nodes {
        let node = MapEdit::AddNode(NewNode::new(format!("node{n}"), "title"));
        let update = Bytes::from(replica.apply([Op::Edit(&node)], 0).update.unwrap());
        store.append(&[JournalRecord { key: graph.key, update, topic: None, at }]).await.unwrap();
    }
    let last = store.load(graph.key).await.unwrap().last;
    let snapshot = store.begin_snapshot(graph.key, last, Purpose::Version).await.unwrap().unwrap();
    let state = replica.snapshot();
    store.append_snapshot(snapshot, 0, &state).await.unwrap();
    let version = NewVersion { kind: VersionKind::Automatic, name: None, author: None, at };
    store.commit_version(snapshot, 1, state.len() as u64, &version).await.unwrap();
    store
}

fn check(file: &Path) -> (Option<i32>, String, String) {
    let output = synapti(&["check", "--database-url", &format!("sqlite:{}", file.display())], &[]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn check_reads_a_clean_store_beside_a_server_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("maps.db");
    let store = with_a_map(&file, 5).await;
    let clean = (Some(0), "checked 1 maps, 5 records, 1 versions: no damage\n".to_owned(), String::new());
    assert_eq!(check(&file), clean, "while it is in use");
    store.checkpoint().await.unwrap();
    store.ping().await.unwrap();
    store.close().await;
    let before = fs::read(&file).unwrap();
    assert_eq!(check(&file), clean);
    assert!(fs::read(&file).unwrap() == before);
}

#[tokio::test]
async fn check_names_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("maps.db");
    with_a_map(&file, 5).await.close().await;
    let bytes = fs::read(&file).unwrap();
    // The name stands in its record and in the version.
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"node3")).collect();
    assert!(places.len() >= 2);
    let mut harmed = bytes.clone();
    for place in places {
        harmed[place] = b'N';
    }
    fs::write(&file, &harmed).unwrap();
    let (code, told, said) = check(&file);
    assert_eq!((code, said.as_str()), (Some(1), ""), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.contains(&"map bees: record 4 does not match its checksum (content is missing)"), "{told}");
    assert!(
        lines.contains(&"map bees: version 1: slice 0 of snapshot 1 does not match its checksum (content is missing)"),
        "{told}"
    );
    assert!(lines.last().unwrap().starts_with("checked 1 maps, 4 records, 1 versions: "), "{told}");
    assert!(lines.last().unwrap().ends_with(" damaged"), "{told}");
    assert!(fs::read(&file).unwrap() == harmed);
}

#[tokio::test]
async fn check_says_what_to_do_when_it_cannot_open_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("maps.db");
    let refused = |words: &str| {
        let (code, told, said) = check(&file);
        assert_eq!((code, told.as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    refused("there is no database at");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it makes nothing");
    fs::write(&file, "a shopping list").unwrap();
    refused("is not a database");

    let changed = |sql: &str| {
        for name in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(name.unwrap().path()).unwrap();
        }
        let url = format!("sqlite:{}", file.display());
        assert_eq!(synapti(&["migrate", "--database-url", &url], &[]).status.code(), Some(0));
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    };
    changed("PRAGMA application_id = 77");
    refused("another application");
    changed("DELETE FROM _sqlx_migrations WHERE version > 1");
    refused("run `synapti migrate` first");
    changed("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1");
    refused("newer version of synapti");
}
