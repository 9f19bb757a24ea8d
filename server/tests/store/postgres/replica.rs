//! The read replica: it is believed where it knows enough, and never needed.

use sqlx::postgres::PgConnection;
use synapti_server::store::{PostgresStore, RecordId, Store};

use super::{
    Home,
    cluster::Cluster,
    connect, refusal,
    versions::{automatic, keep},
};
use crate::fixture::create;

/// Waits until the standby has replayed what the primary has written by now.
async fn caught_up(primary: &mut PgConnection, standby: &mut PgConnection) {
    let written: String =
        sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text").fetch_one(primary).await.unwrap();
    loop {
        let replayed: bool = sqlx::query_scalar("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn")
            .bind(&written)
            .fetch_one(&mut *standby)
            .await
            .unwrap();
        if replayed {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_read_from_a_replica_that_has_them_all() {
    let primary = Cluster::start_new();
    let standby = primary.start_standby();
    let (url, replica) = (primary.url("maps"), standby.url("maps"));
    let store = PostgresStore::open(&url, Some(&replica)).await.unwrap();
    let key = create(&store, "one").await;
    let first = keep(&store, key, RecordId(0), b"abcd", &automatic(1)).await;
    let (mut on_primary, mut on_standby) = (connect(&url).await, connect(&standby.url("postgres")).await);
    caught_up(&mut on_primary, &mut on_standby).await;
    assert_eq!(store.versions(key, None, 10).await.unwrap(), std::slice::from_ref(&first));

    // Behind, it is not asked: the answer has what this node wrote last.
    sqlx::query("SELECT pg_wal_replay_pause()").execute(&mut on_standby).await.unwrap();
    let second = keep(&store, key, RecordId(0), b"efgh", &automatic(2)).await;
    let named = store.name_version(key, first.id, "First").await.unwrap().unwrap();
    assert_eq!(store.versions(key, None, 10).await.unwrap(), [second.clone(), named.clone()]);
    assert_eq!(store.load_version(key, second.id).await.unwrap(), Some((second.clone(), b"efgh".to_vec())));

    // What another node made meanwhile is found although the replica does not know it.
    let other = PostgresStore::open(&url, None).await.unwrap();
    sqlx::query("SELECT pg_wal_replay_resume()").execute(&mut on_standby).await.unwrap();
    caught_up(&mut on_primary, &mut on_standby).await;
    sqlx::query("SELECT pg_wal_replay_pause()").execute(&mut on_standby).await.unwrap();
    let third = keep(&other, key, RecordId(0), b"ijkl", &automatic(3)).await;
    assert_eq!(store.load_version(key, third.id).await.unwrap(), Some((third, b"ijkl".to_vec())));

    // Nobody else can have answered: the primary is gone.
    let refused = refusal(&replica).await;
    assert!(refused.contains("is a standby"), "{refused}");
    primary.stop(false);
    assert_eq!(store.versions(key, None, 10).await.unwrap(), [second.clone(), named]);
    assert_eq!(store.load_version(key, second.id).await.unwrap(), Some((second, b"efgh".to_vec())));
    assert!(store.load(key).await.is_err());
}

#[tokio::test]
async fn a_replica_that_is_none_or_away_is_not_needed() {
    let home = Home::new();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stranger = Home::new();
    stranger.open().await.close().await;
    let replicas = [
        format!("postgres://bee:hunter2@{unused}/maps"),
        // Another database, and the primary itself: neither is in recovery.
        stranger.url(),
        home.url(),
        // No such database.
        Home::new().url(),
    ];
    for (n, replica) in replicas.iter().enumerate() {
        let store = PostgresStore::open(&home.url(), Some(replica)).await.unwrap();
        assert!(!store.describe().contains("hunter2"));
        let key = create(&store, &format!("graph{n}")).await;
        let version = keep(&store, key, RecordId(0), b"abcd", &automatic(1)).await;
        for _ in 0..2 {
            assert_eq!(store.versions(key, None, 10).await.unwrap(), std::slice::from_ref(&version), "{replica}");
            let loaded = store.load_version(key, version.id).await.unwrap();
            assert_eq!(loaded, Some((version.clone(), b"abcd".to_vec())), "{replica}");
        }
        store.close().await;
        assert_eq!(store.pool_size().open, 0);
    }
    let message = match PostgresStore::open(&home.url(), Some("postgres://bee:hunter2/x@host/db")).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was opened"),
    };
    assert!(message.contains("%40") && !message.contains("hunter2"), "{message}");
}
