//! Nothing secret in a log: the program runs with every line that there is, and is shown tokens in every way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use synapti_server::{auth::mint::NewToken, clock::Clock};

/// Words of it would be found in any line that holds it.
const SECRET: &str = "secret-0123456789-correct-horse-battery-staple";

/// A server that answers nothing for so long does not answer at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// The program; it is killed when it is dropped.
struct Program {
    child: Child,
    /// Reads what it says, so that it never waits for a reader.
    listening: Option<JoinHandle<String>>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Redis that does not know how we sign in, and repeats all that it was sent, as Redis did up to version 5.
fn old_redis() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut streams = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut sent = [0; 4096];
            let read = stream.read(&mut sent).unwrap_or_default();
            let words = String::from_utf8_lossy(&sent[..read]).replace("\r\n", " ");
            for _ in 0..words.matches('*').count() {
                let _ = write!(stream, "-ERR not understood: {words}\r\n");
            }
            streams.push(stream);
        }
    });
    address
}

impl Program {
    fn start() -> Self {
        let redis = format!("redis://:hunter2%2Fof-redis@{}", old_redis());
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapti"))
            .env_clear()
            .envs([("SYNAPTI_LISTEN", "127.0.0.1:0"), ("SYNAPTI_LOG", "trace"), ("SYNAPTI_SHUTDOWN_GRACE", "0")])
            .envs([("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET), ("SYNAPTI_REDIS_URL", &redis)])
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it listened:\n{log}");
            log.push_str(&line);
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().parse().unwrap();
            }
        };
        let listening = std::thread::spawn(move || {
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        Self { child, listening: Some(listening), address, _folder: folder }
    }

    /// Sends a request as it is; the response's head.
    fn send(&self, target: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
        write!(stream, "{target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n{body}", self.address).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        // What follows, up to the close frame of a socket that is refused or a first message.
        let mut more = [0; 512];
        let read = stream.read(&mut more).unwrap_or_default();
        String::from_utf8_lossy(&[&head, &more[..read]].concat()).into_owned()
    }

    /// Ends it; everything that it has said.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.listening.take().unwrap().join().unwrap()
    }
}

/// The same request as an upgrade to a WebSocket.
fn upgrade(headers: &str) -> String {
    format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{headers}"
    )
}

fn close(headers: &str) -> String {
    format!("Connection: close\r\n{headers}")
}

#[test]
fn no_credential_is_ever_logged_or_answered() {
    let program = Program::start();
    let mut token = NewToken::new("ada", Clock::system().now(), 600);
    token.role = Some("admin".to_owned());
    let good = token.sign(SECRET);
    token.sub = "eve".to_owned();
    let forged = token.sign("another-secret-of-more-than-thirty-two-bytes");
    let ticket_answer = program.send("POST /v1/tickets", &close(&format!("Authorization: Bearer {good}\r\n")), "");
    assert!(ticket_answer.starts_with("HTTP/1.1 201 "), "{ticket_answer}");
    let ticket = ticket_answer.split("\"ticket\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

    let health = program.send("GET /health", &close(""), "");
    assert!(health.contains("\"away\"") && health.contains("(hidden)"), "{health}");
    let mut answers = vec![health];
    for credential in [good.as_str(), &forged, "hunter2hunter2", "hunter2%zz%ff"] {
        let (bearer, basic) =
            (format!("Authorization: Bearer {credential}\r\n"), format!("Authorization: Basic {credential}\r\n"));
        for headers in [&bearer, &basic, &format!("{bearer}{bearer}")] {
            answers.push(program.send("GET /v1/graphs", &close(headers), ""));
            answers.push(program.send("GET /v1/ws/map", &upgrade(headers), ""));
        }
        for protocol in ["y-sync", "synapti.v1"] {
            let headers = upgrade(&format!("Sec-WebSocket-Protocol: {protocol}, bearer.{credential}\r\n"));
            answers.push(program.send("GET /v1/ws/map", &headers, ""));
        }
        for name in ["token", "ticket"] {
            answers.push(program.send(&format!("GET /v1/ws/map?{name}={credential}"), &upgrade(""), ""));
            answers.push(program.send(&format!("GET /v1/ws/a%20b?{name}={credential}"), &upgrade(""), ""));
            answers.push(program.send(&format!("GET /v1/ws/map?{name}={credential}"), &close(""), ""));
            answers.push(program.send(&format!("GET /v1/graphs?{name}={credential}"), &close(""), ""));
            answers.push(program.send(&format!("GET /nowhere/{name}?{name}={credential}"), &close(""), ""));
        }
    }
    let joined = program.send(&format!("GET /v1/ws/map?ticket={ticket}"), &upgrade(""), "");
    assert!(joined.starts_with("HTTP/1.1 101 "), "{joined}");
    // Not HTTP at all, and HTTP/2.
    answers.push(program.send(&format!("GET /v1/graphs?token={good} x"), "", ""));
    let mut http2 = TcpStream::connect(program.address).unwrap();
    http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    http2.write_all(&headers_frame(&good)).unwrap();
    http2.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|part| part == b"\0\x01\x04\0" || part == b"\x01\x04\0\0") {
        let mut some = [0; 256];
        let read = http2.read(&mut some).unwrap();
        assert!(read > 0, "HTTP/2 is not answered");
        answer.extend_from_slice(&some[..read]);
    }

    let log = program.end();
    assert!(log.lines().count() > 100 && log.contains("\"level\":\"DEBUG\""), "this log says too little:\n{log}");
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = [SECRET.to_owned(), signature(&good), signature(&forged), ticket.clone(), "hunter2".to_owned()];
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {}", line.unwrap());
        for answer in answers.iter().chain([&joined]) {
            assert!(!answer.contains(secret), "{secret} is in an answer: {answer}");
        }
    }
}

/// A request for the list of graphs on stream 1, with the token as a literal that is not indexed.
fn headers_frame(token: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x44, 10];
    block.extend_from_slice(b"/v1/graphs");
    // `authorization` is entry 23 of the static table; lengths above 126 go on in a second byte.
    let value = format!("Bearer {token}");
    block.extend_from_slice(&[0x0f, 8, 0x7f]);
    let mut rest = value.len() - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
    block.extend_from_slice(value.as_bytes());
    let mut frame = (block.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[1, 5, 0, 0, 0, 1]);
    frame.extend_from_slice(&block);
    frame
}
