//! Addresses at which there is no Synapti server: one clear line, and soon.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use super::load;

/// The commands that open many connections, as small as they get.
const COMMANDS: [&str; 7] = [
    "fanout --viewers 1 --seconds 1",
    "rooms --rooms 1 --seconds 1",
    "max --viewers 1 --at 1",
    "join --clients 1",
    "idle --connections 1 --rooms 1",
    "slow --viewers 2 --stopped 1 --seconds 1",
    "poll --latency --seconds 1",
];

/// Does something with every connection.
fn listener(mut each: impl FnMut(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| each(stream.unwrap())));
    address
}

fn errors(address: SocketAddr) -> impl Iterator<Item = String> {
    COMMANDS.iter().map(move |command| {
        let arguments = format!("{command} --url ws://{address}/v1/ws --answered-within 1");
        format!("{:#}", load(&arguments).unwrap_err())
    })
}

#[test]
fn nothing_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for error in errors(address) {
        assert!(error.starts_with("cannot reach ws://127.0.0.1:"), "{error}");
        assert!(error.ends_with("Is the server running?"), "{error}");
    }
}

#[test]
fn another_web_server_listens() {
    let address = listener(|mut stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    });
    for error in errors(address) {
        assert!(error.contains("answers 404 Not Found instead of opening a WebSocket"), "{error}");
    }
}

#[test]
fn something_listens_that_never_answers() {
    let mut held = Vec::new();
    let address = listener(move |stream| held.push(stream));
    for error in errors(address) {
        assert!(error.contains("takes the connection and then says nothing"), "{error}");
    }
}

#[test]
fn something_listens_that_is_no_web_server() {
    let address = listener(|mut stream| {
        let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
    });
    for error in errors(address) {
        assert!(error.contains("instead of opening a WebSocket"), "{error}");
    }
}

#[test]
fn an_address_that_is_none() {
    for url in ["http://127.0.0.1:1/v1/ws", "127.0.0.1"] {
        let error = load(&format!("fanout --url {url}")).unwrap_err().to_string();
        assert!(error.contains("ws://127.0.0.1:8080/v1/ws"), "{error}");
    }
}
