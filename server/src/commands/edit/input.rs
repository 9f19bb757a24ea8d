//! Files and standard input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    thread,
};

use synapti_protocol::limits::SYNC_BYTES_MAX;
use tokio::sync::mpsc;

use crate::commands::Failure;

/// Lines that are read ahead.
const LINES_MAX: usize = 64;

/// Bytes of the longest line: what a server takes as one edit.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Where something is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Lines as they come; each may be the last, with an error.
pub type Lines = mpsc::Receiver<io::Result<String>>;

impl Input {
    /// Understands what was typed.
    pub fn parse(text: &str) -> Self {
        if text == "-" { Self::Stdin } else { Self::File(text.into()) }
    }

    /// Everything in it, if that is not more than one edit may have.
    pub(in crate::commands) fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let most = SYNC_BYTES_MAX as u64;
        let read = self.open()?.take(most + 1).read_to_end(&mut bytes).map_err(|error| self.failure(error))?;
        if read as u64 > most {
            return Err(self.failure(io::Error::other(format!("it is larger than {most} bytes"))));
        }
        Ok(bytes)
    }

    /// Its lines, read by a thread of their own, because nobody can wait for a terminal and for the network at once.
    pub(super) fn lines(&self) -> Result<Lines, Failure> {
        let mut reader = BufReader::new(self.open()?);
        let (tell, lines) = mpsc::channel(LINES_MAX);
        // Ends with its input or with the process.
        thread::spawn(move || {
            loop {
                let line = match next_line(&mut reader) {
                    Ok(None) => break,
                    Ok(Some(line)) => Ok(line),
                    Err(error) => Err(error),
                };
                let is_last = line.is_err();
                if tell.blocking_send(line).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(lines)
    }

    pub(super) fn failure(&self, error: io::Error) -> Failure {
        let name = match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        };
        Failure::Input { name, error }
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, Failure> {
        match self {
            Self::Stdin => Ok(Box::new(io::stdin())),
            Self::File(path) => Ok(Box::new(open(path).map_err(|error| self.failure(error))?)),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    Ok(file)
}

fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = reader.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes)?;
    if read as u64 > LINE_BYTES_MAX {
        return Err(io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
    }
    let line = String::from_utf8(bytes).map_err(|_| io::Error::other("a line is not UTF-8"))?;
    Ok((read > 0).then_some(line))
}
