//! An answer that was kept, given again as if it came now.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use crate::ai::provider::{Answer, Finish, Piece, ProviderError};

/// Bytes that come at once: enough for the first title of every answer.
const FIRST_BYTES: usize = 256;

/// Time between two pieces.
const EVERY: Duration = Duration::from_millis(16);

/// Pieces at most, so that long answers do not take longer than people like to watch.
const PIECES_MAX: usize = 60;

/// Bytes of one piece at least.
const PIECE_BYTES_MIN: usize = 24;

/// A kept answer under way.
#[derive(Debug)]
pub(super) struct Replay {
    text: String,
    at: usize,
    piece_bytes: usize,
    next: Instant,
    is_over: bool,
}

impl Replay {
    pub(super) fn new(text: String) -> Self {
        let piece_bytes = (text.len() / PIECES_MAX).max(PIECE_BYTES_MIN);
        Self { text, at: 0, piece_bytes, next: Instant::now(), is_over: false }
    }
}

#[async_trait]
impl Answer for Replay {
    async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        if self.is_over {
            return Ok(None);
        }
        if self.at >= self.text.len() {
            self.is_over = true;
            return Ok(Some(Piece::End(Finish::Whole)));
        }
        sleep_until(self.next).await;
        let wanted = self.at + if self.at == 0 { FIRST_BYTES } else { self.piece_bytes };
        let end = (wanted..self.text.len()).find(|&at| self.text.is_char_boundary(at)).unwrap_or(self.text.len());
        let piece = self.text[self.at..end].to_owned();
        self.at = end;
        self.next = Instant::now() + EVERY;
        Ok(Some(Piece::Text(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_answer_comes_in_pieces_and_soon() {
        let text = "äöü{\"nodes\":[]}".repeat(2_000);
        let begun = Instant::now();
        let mut replay = Replay::new(text.clone());
        let mut read = String::new();
        loop {
            match replay.next().await.unwrap() {
                Some(Piece::Text(piece)) => {
                    assert!(!read.is_empty() || begun.elapsed().is_zero(), "the first comes at once");
                    read.push_str(&piece);
                }
                Some(other) => assert_eq!(other, Piece::End(Finish::Whole)),
                None => break,
            }
        }
        assert_eq!(read, text);
        assert!(begun.elapsed() > Duration::from_millis(500) && begun.elapsed() < Duration::from_secs(2));
    }
}
