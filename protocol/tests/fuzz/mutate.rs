//! Small random changes to known inputs.

/// Bytes that mean something to the formats: tags, flags, and the edges of numbers.
const TELLING_BYTES: [u8; 24] =
    [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 0x20, 0x40, 0x7f, 0x80, 0x81, 0x84, 0xff, 116, 117, 118, 119, 125, b'"', b'['];

/// A source of mutations that a seed determines.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One of `inputs` with one to six changes.
    pub fn mutation_of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes, inputs);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        if bytes.is_empty() {
            bytes.push(self.byte());
            return;
        }
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.byte(),
            2 => bytes.insert(at, self.byte()),
            3 => {
                bytes.remove(at);
            }
            4 => bytes.truncate(at),
            5 => bytes[at] = bytes[at].wrapping_add(1),
            // Repeat a piece, which nests and duplicates.
            6 => {
                let end = (at + 1 + self.below(16)).min(bytes.len());
                let piece = bytes[at..end].repeat(1 + self.below(80));
                bytes.splice(at..at, piece);
            }
            // Go on with the rest of another input.
            _ => {
                let other = &inputs[self.below(inputs.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
        }
    }

    fn byte(&mut self) -> u8 {
        if self.below(2) == 0 { TELLING_BYTES[self.below(TELLING_BYTES.len())] } else { self.next() as u8 }
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// The generator known as `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
