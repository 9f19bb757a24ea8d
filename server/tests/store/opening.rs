//! Every way in which a database cannot be used is refused with words that say what to do, and is left as it was.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use synapti_server::store::{MigrationReport, SqliteStore, Store, StoreError};

use crate::fixture::{Home, append, compact, create, graph_id, raw, refusal, trim_all};

#[tokio::test]
async fn every_spelling_of_a_place_opens_the_same_file() {
    let home = Home::new();
    let path = home.folder.path().join("new/deep/maps of bees.db");
    let path = path.to_str().unwrap();
    for (n, url) in [format!("sqlite:{path}"), format!("sqlite://{path}"), path.to_owned()].iter().enumerate() {
        let store = SqliteStore::open(url).await.unwrap();
        create(&store, &format!("graph{n}")).await;
        assert_ne!(store.find(&graph_id("graph0")).await.unwrap(), synapti_server::store::Lookup::Missing);
        store.close().await;
    }
    assert!(Path::new(path).is_file());
}

#[tokio::test]
async fn what_names_no_file_is_refused() {
    let cases = [
        ("sqlite::memory:", "lose every map"),
        ("sqlite://:memory:", "lose every map"),
        ("sqlite:x.db?mode=memory", "lose every map"),
        ("sqlite:x.db?mode=ro", "parameters are not supported"),
        ("sqlite:", "names no file"),
        ("", "names no file"),
        ("sqlite:folder/", "names no file"),
        ("sqlite:a\0b", "names no file"),
        ("postgres://host/db", "not a path"),
    ];
    for (url, words) in cases {
        let message = refusal(url).await;
        assert!(message.contains(words), "{url}: {message}");
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file_is_refused() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    assert!(home.refusal().await.contains("is a folder"));
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_refused() {
    let home = Home::new();
    fs::write(home.folder.path().join("file"), "text").unwrap();
    let message = refusal(&format!("sqlite:{}/file/x.db", home.folder.path().display())).await;
    assert!(message.contains("cannot make the folder"), "{message}");
}

#[tokio::test]
async fn something_that_is_no_regular_file_is_refused() {
    let home = Home::new();
    let _socket = UnixListener::bind(home.path()).unwrap();
    let message = home.refusal().await;
    assert!(message.contains("is not a regular file"), "{message}");
    assert_eq!(fs::read_dir(home.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn files_that_are_no_databases_are_refused_and_kept() {
    let home = Home::new();
    let mut looks_real = b"SQLite format 3\0".to_vec();
    looks_real.extend([0xA5; 4_000]);
    for content in [&b"hello"[..], &[7; 10_000], &looks_real] {
        fs::write(home.path(), content).unwrap();
        let message = home.refusal().await;
        assert!(message.contains("is not a database"), "{message}");
        assert_eq!(fs::read(home.path()).unwrap(), content);
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let home = Home::new();
    fs::write(home.path(), "").unwrap();
    let store = home.open().await;
    create(&*store, "one").await;
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    append(&*store, key, &vec![1; 100_000]).await;
    store.close().await;
    let file = fs::File::options().write(true).open(home.path()).unwrap();
    file.set_len(6_000).unwrap();
    let message = home.refusal().await;
    assert!(message.contains("is damaged") && message.contains("backup"), "{message}");
}

#[tokio::test]
async fn the_database_of_another_application_is_refused_and_kept() {
    for wal in [false, true] {
        for pragma in ["PRAGMA application_id = 0", "PRAGMA application_id = 77"] {
            let home = Home::new();
            fs::write(home.path(), "").unwrap();
            if wal {
                raw(&home.path(), "PRAGMA journal_mode = wal").await;
            }
            raw(&home.path(), pragma).await;
            raw(&home.path(), "CREATE TABLE bills (sum INTEGER)").await;
            let before = fs::read(home.path()).unwrap();
            let message = home.refusal().await;
            assert!(message.contains("another application"), "{message}");
            assert!(fs::read(home.path()).unwrap() == before);
        }
    }
}

#[tokio::test]
async fn a_read_only_file_is_refused_even_to_the_superuser() {
    let home = Home::new();
    home.open().await.close().await;
    fs::set_permissions(home.path(), Permissions::from_mode(0o444)).unwrap();
    let message = home.refusal().await;
    assert!(message.contains("is read-only") && message.contains("make it writable"), "{message}");
    fs::set_permissions(home.path(), Permissions::from_mode(0o644)).unwrap();
    home.open().await;
}

#[tokio::test]
async fn a_read_only_folder_is_refused() {
    let home = Home::new();
    let folder = home.folder.path().join("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    let message = refusal(&format!("sqlite:{}/x.db", folder.display())).await;
    assert!(message.contains("not writable"), "{message}");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_kept() {
    let home = Home::new();
    home.open().await.close().await;
    raw(
        &home.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of next year', 1, x'00', 0)",
    )
    .await;
    let before = fs::read(home.path()).unwrap();
    let message = home.refusal().await;
    assert!(message.contains("newer version of synapti") && message.contains("9999"), "{message}");
    assert!(fs::read(home.path()).unwrap() == before);
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let cases = [
        ("UPDATE _sqlx_migrations SET success = 0 WHERE version = 1", "half migrated"),
        ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1", "different build"),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (0, 'unknown', 1, x'00', 0)",
            "another version of synapti",
        ),
    ];
    for (sql, words) in cases {
        let home = Home::new();
        home.open().await.close().await;
        raw(&home.path(), sql).await;
        let message = home.refusal().await;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_database_in_use_is_refused_by_whatever_name() {
    let home = Home::new();
    let store = home.open().await;
    let link = home.folder.path().join("link.db");
    std::os::unix::fs::symlink(home.path(), &link).unwrap();
    for url in [home.url(), link.display().to_string()] {
        let message = refusal(&url).await;
        assert!(message.contains("in use") && message.contains("synapti.db.lock"), "{message}");
    }
    create(&*store, "still-fine").await;
    store.close().await;
    home.open().await;
}

#[tokio::test]
async fn a_log_without_its_database_is_not_thrown_away() {
    let home = Home::new();
    let store = home.open().await;
    create(&*store, "one").await;
    fs::rename(home.path(), home.folder.path().join("elsewhere")).unwrap();
    let said = store.checkpoint().await;
    assert!(matches!(&said, Err(StoreError::Unusable(words)) if words.contains("removed")), "{said:?}");
    assert!(store.ping().await.is_err());
    let log = home.folder.path().join("synapti.db-wal");
    let kept = fs::read(&log).unwrap();
    assert!(!kept.is_empty());

    let other = Home::new();
    fs::write(other.folder.path().join("synapti.db-wal"), &kept).unwrap();
    for empty_database in [false, true] {
        if empty_database {
            fs::write(other.path(), "").unwrap();
        }
        let message = other.refusal().await;
        assert!(message.contains("put the database file back"), "{message}");
        assert!(fs::read(other.folder.path().join("synapti.db-wal")).unwrap() == kept);
    }
}

#[tokio::test]
async fn migrate_reports_what_it_did_and_existing_only_makes_nothing() {
    let home = Home::new();
    let missing = SqliteStore::open_existing_only(&home.url()).await;
    assert!(matches!(missing, Err(StoreError::Unusable(words)) if words.contains("no database")));
    assert_eq!(fs::read_dir(home.folder.path()).unwrap().count(), 0);

    let first = SqliteStore::migrate_only(&home.url()).await.unwrap();
    assert_eq!(
        first,
        MigrationReport {
            applied: ["1 graphs and journal", "2 journal", "3 salvage and versions", "4 jobs"]
                .map(str::to_owned)
                .to_vec(),
            version: 4
        }
    );
    let second = SqliteStore::migrate_only(&home.url()).await.unwrap();
    assert_eq!(second, MigrationReport { applied: vec![], version: 4 });
    let store = SqliteStore::open_existing_only(&home.url()).await.unwrap();
    create(&store, "one").await;
}

/// Before version 3 a snapshot had no checksum of its own, none before it, and its records were gone.
#[tokio::test]
async fn a_database_of_version_2_keeps_its_snapshots() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let covers = append(&*store, key, b"a").await;
    compact(&*store, key, covers, &[b"state"]).await;
    append(&*store, key, b"b").await;
    store.close().await;
    drop(store);
    raw(
        &home.path(),
        "DELETE FROM updates WHERE id = 1; DELETE FROM _sqlx_migrations WHERE version >= 3; \
         DROP TABLE jobs; DROP TABLE ai_spending; DROP TABLE versions; DROP TABLE identity; ALTER TABLE graphs DROP COLUMN previous_snapshot; \
         ALTER TABLE snapshots DROP COLUMN for_version; ALTER TABLE snapshots DROP COLUMN crc",
    )
    .await;
    let store = home.open().await;
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
    let loaded = store.load(key).await.unwrap();
    assert_eq!((loaded.snapshot, loaded.tail, loaded.damage), (Some(b"state".to_vec()), vec![b"b".to_vec()], vec![]));
    let last = append(&*store, key, b"c").await;
    compact(&*store, key, last, &[b"newer"]).await;
    trim_all(&*store, key, 1).await;
    // The old one is the one before it now.
    raw(&home.path(), "DELETE FROM snapshot_slices WHERE snapshot = 2").await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!((loaded.snapshot, loaded.tail.concat()), (Some(b"state".to_vec()), b"bc".to_vec()));
    assert!(loaded.damage.iter().all(|damage| !damage.is_loss));
}
