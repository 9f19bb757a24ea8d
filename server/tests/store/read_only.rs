//! Opening for reading only: what `synapti check` does beside a running server, or to a file that nobody uses.

use std::{fs, sync::Arc};

use synapti_server::store::{Lookup, Purpose, RecordId, SharedStore, SqliteStore, StoreError};

use crate::fixture::{Home, append, at, automatic, compact, crash_copy, create, graph_id, keep, raw, record};

async fn read_only(home: &Home) -> SharedStore {
    Arc::new(SqliteStore::open_read_only(&home.url()).await.unwrap())
}

async fn refusal(home: &Home) -> String {
    match SqliteStore::open_read_only(&home.url()).await {
        Err(StoreError::Unusable(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_reads_what_a_server_writes_at_the_same_time() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let covers = append(&*store, key, b"a").await;
    compact(&*store, key, covers, &[b"a"]).await;
    let kept = keep(&*store, key, covers, &[b"a"], &automatic(1)).await;
    let reader = read_only(&home).await;
    assert_eq!(reader.identity(), store.identity());
    for n in 0..3 {
        append(&*store, key, &[n]).await;
        let (read, written) = (reader.load(key).await.unwrap(), store.load(key).await.unwrap());
        assert_eq!((read.snapshot, read.tail, read.last), (written.snapshot, written.tail, written.last));
        store.checkpoint().await.unwrap();
    }
    assert!(matches!(reader.find(&graph_id("one")).await.unwrap(), Lookup::Live(_)));
    assert_eq!(reader.versions(key, None, 10).await.unwrap(), [kept]);
    assert_eq!(reader.examine().await.unwrap(), Vec::<String>::new());
    reader.close().await;
    append(&*store, key, b"after").await;
    store.close().await;
    assert_eq!(home.open().await.load(key).await.unwrap().tail.len(), 4);
}

#[tokio::test]
async fn nothing_can_be_written_through_it() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let covers = append(&*store, key, b"a").await;
    let kept = keep(&*store, key, covers, &[b"a"], &automatic(1)).await;
    store.close().await;
    let before = fs::read(home.path()).unwrap();
    let reader = read_only(&home).await;
    let said = [
        reader.append(&[record(key, b"b", 1)]).await.err(),
        reader.create(&graph_id("two"), "", at(1)).await.err(),
        reader.tombstone(key, at(1)).await.err(),
        reader.begin_snapshot(key, RecordId(0), Purpose::Compaction).await.err(),
        reader.name_version(key, kept.id, "name").await.err(),
        reader.remove_versions(key, &[kept.id]).await.err(),
        reader.checkpoint().await.err(),
    ];
    for (n, error) in said.iter().enumerate() {
        assert!(matches!(error, Some(StoreError::Unusable(words)) if words.contains("reading only")), "{n}: {error:?}");
    }
    reader.ping().await.unwrap();
    reader.close().await;
    assert!(fs::read(home.path()).unwrap() == before);
}

#[tokio::test]
async fn what_a_crash_left_in_the_log_is_read_and_stays_there() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for n in 0..20 {
        append(&*store, key, &[n; 500]).await;
    }
    let crashed = crash_copy(&home, usize::MAX);
    let (file, log) = (fs::read(crashed.path()).unwrap(), fs::read(crashed.log()).unwrap());
    let reader = read_only(&crashed).await;
    assert_eq!(reader.load(key).await.unwrap().tail.len(), 20);
    reader.close().await;
    assert!(fs::read(crashed.path()).unwrap() == file && fs::read(crashed.log()).unwrap() == log);
    assert_eq!(crashed.open().await.load(key).await.unwrap().tail.len(), 20);
}

#[tokio::test]
async fn what_it_cannot_read_is_refused_in_words() {
    let home = Home::new();
    assert!(refusal(&home).await.contains("there is no database"));
    assert_eq!(fs::read_dir(home.folder.path()).unwrap().count(), 0);
    fs::write(home.path(), "").unwrap();
    assert!(refusal(&home).await.contains("is empty"));
    for content in [&b"hello"[..], &[7; 10_000]] {
        fs::write(home.path(), content).unwrap();
        let message = refusal(&home).await;
        assert!(message.contains("is not a database"), "{message}");
        assert_eq!(fs::read(home.path()).unwrap(), content);
    }
    fs::remove_file(home.path()).unwrap();
    fs::create_dir(home.path()).unwrap();
    assert!(refusal(&home).await.contains("is a folder"));
}

#[tokio::test]
async fn only_this_version_s_schema_is_read() {
    let cases = [
        ("DELETE FROM _sqlx_migrations WHERE version = 4", "synapti migrate"),
        ("DELETE FROM _sqlx_migrations", "synapti migrate"),
        ("UPDATE _sqlx_migrations SET success = 0 WHERE version = 2", "half migrated"),
        ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1", "different build"),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of next year', 1, x'00', 0)",
            "newer version of synapti",
        ),
        ("PRAGMA application_id = 77", "another application"),
    ];
    for (sql, words) in cases {
        let home = Home::new();
        home.open().await.close().await;
        raw(&home.path(), sql).await;
        let before = fs::read(home.path()).unwrap();
        let message = refusal(&home).await;
        assert!(message.contains(words), "{sql}: {message}");
        assert!(fs::read(home.path()).unwrap() == before, "{sql}");
    }
}
