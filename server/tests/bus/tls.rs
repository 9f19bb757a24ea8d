//! Encrypted connections, with an authority of one's own.

use std::{path::Path, process::Command};

use synapti_server::bus::{
    Bus as _,
    redis::{Address, RedisBus, RedisOptions},
};
use uuid::Uuid;

use crate::{
    nodes::{is_up, node_id},
    reaches, room,
    server::RedisServer,
};

/// An authority, and a server's certificate for `localhost` alone.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .expect("this test needs the program `openssl` in the PATH");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"));
    openssl(&format!("req -x509 {key} -keyout other.key -out other.pem -subj /CN=other -days 2"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
}

async fn start(url: &str, ca_file: Option<&Path>, identity: Uuid) -> RedisBus {
    let (address, ca_file) = (Address::parse(url).unwrap(), ca_file.map(Path::to_owned));
    RedisBus::start(RedisOptions { address, ca_file, identity, node: node_id() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hear_each_other_over_tls_and_trust_only_whom_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let server = RedisServer::with_tls(&[
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://localhost:{}", server.port);
    let identity = Uuid::now_v7();
    let ca_file = folder.path().join("ca.pem");
    let (a, b) = (start(&url, Some(&ca_file), identity).await, start(&url, Some(&ca_file), identity).await);
    is_up(&a).await;
    is_up(&b).await;
    let room = room("a-map");
    let mut link = b.join(&room).await;
    reaches(&a, &mut link, &room).await;

    let by_address = format!("rediss://127.0.0.1:{}", server.port);
    let other = folder.path().join("other.pem");
    for (url, ca_file, why) in [
        (&url, None, "UnknownIssuer"),
        (&url, Some(&*other), "UnknownIssuer"),
        (&by_address, Some(&*ca_file), "not valid for name"),
    ] {
        let stranger = start(url, ca_file, identity).await;
        let refused = stranger.first_attempt().await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
        stranger.close().await;
    }
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn a_file_of_authorities_that_is_of_no_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    for name in ["missing.pem", "empty.pem"] {
        let address = Address::parse("rediss://localhost").unwrap();
        let ca_file = Some(folder.path().join(name));
        let options = RedisOptions { address, ca_file, identity: Uuid::nil(), node: node_id() };
        let refused = RedisBus::start(options).await.unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("SYNAPTI_REDIS_CA_FILE"), "{refused}");
    }
}
