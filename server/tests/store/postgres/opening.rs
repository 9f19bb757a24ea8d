//! Every way in which a database cannot be used is refused with words that say what to do, and is left as it was.

use std::io::Write as _;

use futures_util::future::join_all;
use sqlx::{Executor as _, Row as _};
use synapti_server::store::{MigrationReport, PostgresStore, Store, StoreError};

use super::{Home, admin, cluster::Cluster, connect, refusal};
use crate::{
    fixture::{append, create},
    place::Place as _,
};

#[tokio::test]
async fn a_database_that_is_not_there_is_made_by_whoever_comes_first() {
    let home = Home::new();
    let url = home.url();
    let nodes = join_all((0..3).map(|_| async { PostgresStore::open(&url, None).await.unwrap() })).await;
    assert!(nodes.iter().all(|node| node.identity() == nodes[0].identity()));
    assert!(!nodes[0].identity().is_nil());
    let key = create(&nodes[0], "one").await;
    append(&nodes[1], key, b"edit").await;
    assert_eq!(nodes[2].load(key).await.unwrap().tail, [b"edit".to_vec()]);
    let other = Home::new().open().await;
    assert_ne!(other.identity(), nodes[0].identity());
    let said = nodes[0].describe();
    assert!(said.contains(home.name()) && said.contains(" at "), "{said}");
}

#[tokio::test]
async fn migrate_reports_what_it_did() {
    let home = Home::new();
    let first = PostgresStore::migrate_only(&home.url()).await.unwrap();
    assert_eq!(
        first,
        MigrationReport { applied: ["1 graphs and journal", "2 jobs"].map(str::to_owned).to_vec(), version: 2 }
    );
    let second = PostgresStore::migrate_only(&home.url()).await.unwrap();
    assert_eq!(second, MigrationReport { applied: vec![], version: 2 });
    create(&*home.open().await, "one").await;
}

#[tokio::test]
async fn a_server_that_would_lose_edits_is_refused() {
    let cases = [
        ("synchronous_commit = off", "synchronous_commit = on"),
        ("default_transaction_read_only = on", "takes no writes"),
    ];
    for (setting, words) in cases {
        let home = Home::new();
        home.create("").await;
        home.set(setting).await;
        let message = home.refusal().await;
        assert!(message.contains(words), "{message}");
        let mut connection = home.connect().await;
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(tables, 0, "{setting}");
    }
    let home = Home::new();
    home.create("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let message = home.refusal().await;
    assert!(message.contains("LATIN1") && message.contains("ENCODING 'UTF8'"), "{message}");
}

#[tokio::test]
async fn how_commits_are_made_durable_is_pinned() {
    let home = Home::new();
    home.create("").await;
    home.set("synchronous_commit = local").await;
    let store = home.open().await;
    let key = create(&*store, "one").await;
    home.set("synchronous_commit = off").await;
    // New connections, which the server would now tell otherwise, take what was found at the start.
    home.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .await;
    append(&*store, key, b"edit").await;
    store.close().await;
    assert!(home.refusal().await.contains("synchronous_commit = off"));
}

#[tokio::test]
async fn a_database_of_another_application_is_refused_and_kept() {
    let cases = [
        ("CREATE TABLE graphs (sum int)", "a table `graphs` that synapti did not make"),
        ("CREATE VIEW versions AS SELECT 1 AS one", "a table `versions` that synapti did not make"),
        (
            "CREATE TABLE _sqlx_migrations (version bigint, success bool); INSERT INTO _sqlx_migrations VALUES (1, true)",
            "another application's",
        ),
    ];
    for (sql, words) in cases {
        let home = Home::new();
        home.create("").await;
        home.raw(sql).await;
        let message = home.refusal().await;
        assert!(message.contains(words) && message.contains("a database of its own"), "{message}");
        let mut connection = home.connect().await;
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(tables, 1, "{sql}");
    }
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let cases = [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of next year', true, '\\x00', 0)",
            "newer version of synapti (schema 9999",
        ),
        ("UPDATE _sqlx_migrations SET success = false", "half migrated"),
        ("UPDATE _sqlx_migrations SET checksum = '\\x00'", "different build"),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (0, 'unknown', true, '\\x00', 0)",
            "another version of synapti",
        ),
        ("DELETE FROM store", "lost its identity"),
    ];
    for (sql, words) in cases {
        let home = Home::new();
        home.open().await.close().await;
        home.raw(sql).await;
        let message = home.refusal().await;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_user_without_the_rights_is_told_which() {
    let home = Home::new();
    let user = format!("user-{:016x}", rand::random::<u64>());
    let mut server = connect(&std::env::var("TEST_POSTGRES_URL").unwrap()).await;
    server.execute(sqlx::AssertSqlSafe(format!("CREATE ROLE \"{user}\" LOGIN PASSWORD 'hunter2'"))).await.unwrap();
    let (_, address) = home.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("postgres://{user}:hunter2@{address}");

    let missing = refusal(&url).await;
    assert!(missing.contains("CREATE DATABASE") && missing.contains(&format!("OWNER \"{user}\"")), "{missing}");
    home.create("").await;
    let no_schema = refusal(&url).await;
    assert!(no_schema.contains("GRANT CREATE, USAGE ON SCHEMA public"), "{no_schema}");
    home.open().await.close().await;
    let no_tables = refusal(&url).await;
    assert!(no_tables.contains("may not do"), "{no_tables}");
    for message in [missing, no_schema, no_tables] {
        assert!(!message.contains("hunter2"), "{message}");
    }
    server.execute(sqlx::AssertSqlSafe(format!("DROP ROLE \"{user}\""))).await.unwrap();
}

#[tokio::test]
async fn what_does_not_answer_as_it_should_is_named() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let talker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = talker.local_addr().unwrap();
    let talking = std::thread::spawn(move || {
        let (mut socket, _) = talker.accept().unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let cases = [
        (format!("postgres://bee:hunter2@{unused}/maps"), "nobody answers"),
        ("postgres://bee:hunter2@%2Fno%2Fsuch%2Ffolder/maps".to_owned(), "nobody answers at /no/such/folder"),
        ("postgres://bee:hunter2@no-such-host.invalid/maps".to_owned(), "cannot reach no-such-host.invalid"),
        (format!("postgres://bee:hunter2@{address}/maps"), "does not speak PostgreSQL"),
        (format!("postgres://bee:hunter2@{}/maps", silent.local_addr().unwrap()), "does not answer"),
    ];
    for (url, words) in cases {
        let message = refusal(&url).await;
        assert!(message.contains(words) && !message.contains("hunter2"), "{message}");
    }
    talking.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_strangers_full_and_standby_servers_are_named() {
    let cluster = Cluster::start_new_with_password();
    let url = cluster.url_with_password("hunter2", "maps");
    PostgresStore::open(&url, None).await.unwrap().close().await;

    let wrong = refusal(&cluster.url_with_password("hunter3", "maps")).await;
    assert!(wrong.contains("password of postgres") && !wrong.contains("hunter"), "{wrong}");
    let stranger = refusal(&url.replace("postgres:hunter2", "stranger:hunter2")).await;
    assert!(stranger.contains("stranger") && !stranger.contains("hunter"), "{stranger}");

    // All places that are not the superuser's are taken, so an ordinary user finds none.
    admin(&url, "CREATE ROLE bee LOGIN PASSWORD 'hunter2'").await;
    let mut guests = Vec::new();
    for _ in 0..37 {
        guests.push(connect(&url).await);
    }
    let full = refusal(&url.replace("postgres:hunter2", "bee:hunter2")).await;
    assert!(full.contains("max_connections") && !full.contains("hunter"), "{full}");
}

#[tokio::test]
async fn only_what_was_there_is_examined_and_nothing_is_changed() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    append(&*store, key, b"edit").await;
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
    home.raw(
        "INSERT INTO journal VALUES (99, 1, 0, 0, '\\x00'), (99, 2, 0, 0, '\\x00'); \
         UPDATE graphs SET records = 0, snapshot = 77; \
         INSERT INTO snapshot_slices VALUES (55, 0, 0, '\\x00'); \
         INSERT INTO versions (graph, snapshot, kind, at) VALUES (1, 66, 'named', 0)",
    )
    .await;
    let before = home.count_rows().await;
    let findings = store.examine().await.unwrap().join("\n");
    for words in [
        "2 records of graph key 99",
        "record 1 of graph key 1 is beyond the 0",
        "graph key 1 names snapshot 77",
        "1 slices of snapshot 55",
        "version 1 of graph key 1 has no complete snapshot",
    ] {
        assert!(findings.contains(words), "{words}: {findings}");
    }
    assert_eq!(home.count_rows().await, before);
}

#[tokio::test]
async fn an_error_of_the_database_may_be_over_later() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    home.raw("ALTER TABLE journal RENAME TO elsewhere").await;
    let failed = store.append(&[crate::fixture::record(key, b"a", 1)]).await;
    assert!(matches!(failed, Err(StoreError::Backend(_))), "{failed:?}");
    home.raw("ALTER TABLE elsewhere RENAME TO journal").await;
    assert_eq!(append(&*store, key, b"a").await.0, 1);
    let mut connection = home.connect().await;
    let row = sqlx::query("SELECT count(*) AS records FROM journal").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i64, _>("records"), 1);
}
