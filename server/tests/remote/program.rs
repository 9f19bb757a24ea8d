//! The program with its pipes.

use std::process::{Output, Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::support::soon;

/// The program with these arguments, and nothing of this process' environment.
pub fn synapti(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapti"));
    command.env_clear().args(args).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end: exit code, standard output, standard error.
pub async fn ran(command: &mut Command) -> (i32, String, String) {
    told(soon("the program ends", command.output()).await.unwrap())
}

/// The same with this on standard input.
pub async fn fed(command: &mut Command, input: &[u8]) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).await.unwrap();
    drop(stdin);
    told(soon("the program ends", child.wait_with_output()).await.unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Somebody who watches.
pub struct Watching {
    pub child: Child,
    pub lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    pub fn start(args: &[&str]) -> Self {
        let mut child = synapti(args).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub async fn line(&mut self) -> String {
        soon("a line", self.lines.next_line()).await.unwrap().expect("it goes on")
    }

    pub async fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub async fn ended(mut self) -> i32 {
        soon("the program ends", self.child.wait()).await.unwrap().code().unwrap_or(-1)
    }
}
