//! An answer that is known at once, shown at a pace at which people can read along.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use crate::ai::provider::{Answer, Finish, Piece, ProviderError};

/// Characters of a piece, at least where words allow, and at most.
const PIECE_CHARS: (usize, usize) = (2, 8);

/// Gives its pieces evenly over its pace, the first at once. With no pace the text comes in one piece.
#[derive(Debug)]
pub(super) struct PacedAnswer {
    pieces: Vec<String>,
    next: usize,
    pace: Duration,
    /// When the first piece was asked for.
    begun: Option<Instant>,
}

impl PacedAnswer {
    pub fn new(text: &str, pace: Duration) -> Self {
        let pieces = if pace.is_zero() { vec![text.to_owned()] } else { pieces_of(text) };
        Self { pieces, next: 0, pace, begun: None }
    }
}

#[async_trait]
impl Answer for PacedAnswer {
    async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let count = self.pieces.len();
        if self.next > 0 && self.next < count {
            // The next piece is counted only after the wait, so that a wait which is given up loses nothing.
            sleep_until(begun + self.pace.mul_f64(self.next as f64 / count as f64)).await;
        }
        self.next += 1;
        Ok(match self.pieces.get_mut(self.next - 1) {
            Some(piece) => Some(Piece::Text(std::mem::take(piece))),
            None if self.next == count + 1 => Some(Piece::End(Finish::Whole)),
            None => None,
        })
    }
}

/// Words with the space before them where these are short enough, else parts of them.
fn pieces_of(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut chars) = (Vec::new(), String::new(), 0);
    for character in text.chars() {
        let begins_word = character.is_whitespace() || !character.is_ascii() && !character.is_alphanumeric();
        if chars == PIECE_CHARS.1 || chars >= PIECE_CHARS.0 && begins_word {
            pieces.push(std::mem::take(&mut piece));
            chars = 0;
        }
        piece.push(character);
        chars += 1;
    }
    pieces.push(piece);
    pieces
}
