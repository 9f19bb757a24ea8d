//! Changes to known bytes, as damage and malice make them. A seed determines them.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use synapti_protocol::{
    lib0::write_var_uint,
    limits::{CLIENT_ID_MAX, CLOCK_MAX},
    update::{Section, UpdateWriter, scan},
};

/// Bytes that mean something to the formats: tags, flags, and the edges of numbers.
const TELLING_BYTES: [u8; 24] =
    [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 0x20, 0x40, 0x7f, 0x80, 0x81, 0x84, 0xff, 116, 117, 118, 119, 125, b'"', b'['];

/// Where readers of numbers go wrong.
const TELLING_NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0x3fff,
    0x4000,
    CLOCK_MAX as u64 - 1,
    CLOCK_MAX as u64,
    CLOCK_MAX as u64 + 1,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    CLIENT_ID_MAX,
    CLIENT_ID_MAX + 1,
    u64::MAX,
];

/// Changes to one input.
const CHANGES_MAX: u32 = 4;

/// Bytes of a piece that is repeated, and how often.
const PIECE_BYTES_MAX: usize = 16;
const REPEATED_MAX: usize = 80;

/// GC and Skip: elements without content, of which there are any number.
const GC: u8 = 0;
const SKIP: u8 = 10;

/// Damages bytes without looking at what they mean; `other` is what pieces are taken from.
pub fn damage(rng: &mut StdRng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..rng.random_range(1..=CHANGES_MAX) {
        if bytes.is_empty() {
            bytes.push(byte(rng));
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..10) {
            0 | 1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes[at] = byte(rng),
            3 => bytes.insert(at, byte(rng)),
            4 => drop(bytes.remove(at)),
            5 => bytes.truncate(at),
            6 => bytes[at] = bytes[at].wrapping_add(1),
            7 => {
                let end = (at + rng.random_range(1..=PIECE_BYTES_MAX)).min(bytes.len());
                let piece = bytes[at..end].repeat(rng.random_range(1..=REPEATED_MAX));
                bytes.splice(at..at, piece);
            }
            8 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
            }
            _ => {
                let mut number = Vec::new();
                write_var_uint(&mut number, *TELLING_NUMBERS.choose(rng).unwrap_or(&0));
                bytes.splice(at..=at, number);
            }
        }
    }
}

/// Writes an update anew with other numbers and pieces: most of what comes out can be read, and lies.
pub fn twist(rng: &mut StdRng, update: &[u8], other: &[u8]) -> Vec<u8> {
    let (Ok(view), Ok(other)) = (scan(update), scan(other)) else { return update.to_vec() };
    let mut sections: Vec<(u64, u32, Vec<Vec<u8>>)> = view.sections().map(pieces).collect();
    if rng.random_bool(0.2) {
        sections.extend(other.sections().take(2).map(pieces));
    }
    for (client, clock, structs) in &mut sections {
        match rng.random_range(0..8) {
            0 => *client = number(rng, CLIENT_ID_MAX),
            1 => *clock = number(rng, u64::from(CLOCK_MAX)) as u32,
            2 => *clock = clock.saturating_add(rng.random_range(1..20)),
            3 => *clock = clock.saturating_sub(rng.random_range(1..20)),
            4 => repeat_or_swap(rng, structs),
            5 => hollow_out(rng, structs),
            _ => {}
        }
    }
    sections.sort_by_key(|(client, ..)| std::cmp::Reverse(*client));
    // An update that names a client twice is refused at once, which is tried often enough.
    sections.dedup_by_key(|(client, ..)| *client);
    let mut writer = UpdateWriter::new();
    for (client, clock, structs) in &sections {
        writer.section(*client, *clock, structs.len() as u32, structs.iter().map(Vec::as_slice));
    }
    for (client, ..) in &sections {
        if rng.random_bool(0.3) {
            let clock = number(rng, 200) as u32;
            let len = if rng.random_bool(0.1) { CLOCK_MAX - clock } else { rng.random_range(1..50) };
            writer.delete(*client, &[(clock, len)]);
        }
    }
    writer.finish()
}

fn pieces(section: Section<'_>) -> (u64, u32, Vec<Vec<u8>>) {
    (section.client, section.clock, section.structs().map(|next| next.bytes.to_vec()).collect())
}

fn repeat_or_swap(rng: &mut StdRng, structs: &mut Vec<Vec<u8>>) {
    let Some(one) = structs.choose(rng).cloned() else { return };
    let at = rng.random_range(0..structs.len());
    if rng.random_bool(0.5) {
        structs.insert(at, one);
    } else {
        structs.swap_remove(at);
    }
}

/// Puts a hole, or elements that are said to be deleted, in the place of a struct.
fn hollow_out(rng: &mut StdRng, structs: &mut [Vec<u8>]) {
    let Some(len) = structs.len().checked_sub(1) else { return };
    let mut hole = vec![if rng.random_bool(0.5) { GC } else { SKIP }];
    write_var_uint(&mut hole, 1 + number(rng, 30));
    structs[rng.random_range(0..=len)] = hole;
}

/// Small, or at an edge.
fn number(rng: &mut StdRng, max: u64) -> u64 {
    if rng.random_bool(0.5) { rng.random_range(0..64) } else { *TELLING_NUMBERS.choose(rng).unwrap_or(&0) }.min(max)
}

fn byte(rng: &mut StdRng) -> u8 {
    if rng.random_bool(0.5) { *TELLING_BYTES.choose(rng).unwrap_or(&0) } else { rng.random() }
}
