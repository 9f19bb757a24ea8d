//! The program as it is typed: its relay, a comparison with it, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
};

/// A process that goes when the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapti-load"));
    command.args(arguments.split_whitespace()).output().expect("the program starts")
}

fn relay() -> (Running, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapti-load"));
    let mut child = command.args(["relay", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    (Running(child), line["address"].as_str().unwrap().to_owned())
}

#[test]
fn a_relay_is_measured_against_a_relay_in_turn() {
    let (running, address) = relay();
    let pid = running.0.id();
    let output = load(&format!(
        "fanout --url ws://{address}/v1/ws --is-relay --pid {pid} --viewers 3 --rate 20 --seconds 1 --warmup 0 \
         --against-relay --rounds 2 --json"
    ));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> =
        report["figures"].as_array().unwrap().iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    let expected = ["server, round 1", "server, round 2", "relay, round 1", "relay, round 2"];
    assert!(names.iter().zip(expected).all(|(name, expected)| name.starts_with(expected)), "{names:?}");
    assert_eq!(names.len(), expected.len());
    assert!(output.status.success());
    let facts = report["facts"].as_array().unwrap();
    let cpu = |whose: &str| facts.iter().find(|fact| fact["name"] == format!("{whose}: CPU per delivery")).unwrap();
    for whose in ["server", "relay"] {
        assert_eq!(cpu(whose)["values"].as_array().unwrap().len(), 2, "once for each round");
    }
}

#[test]
fn a_server_that_is_not_there_is_one_line_and_exit_code_1() {
    let output = load("rooms --url ws://127.0.0.1:1/v1/ws --rooms 1 --seconds 1");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.lines().last().unwrap().starts_with("synapti-load: cannot reach ws://127.0.0.1:1/v1/ws"),
        "{errors}"
    );
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    let cluster = "cluster --binary synapti --database-url postgres://host/maps";
    let nonsense = [
        "fanout --viewers 0",
        "fanout --pid 1",
        "max --at 5 --against-relay",
        "unknown",
        "cluster --database-url postgres://host/maps",
        &format!("{cluster} --storm 0"),
        &format!("{cluster} --storm 5 --part viewers"),
        &format!("{cluster} --part nothing"),
    ];
    for arguments in nonsense {
        assert_eq!(load(arguments).status.code(), Some(2), "{arguments}");
    }
}
