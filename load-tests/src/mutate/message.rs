//! Hostile messages, and what the scanner says of them.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use synapti_protocol::{
    awareness,
    message::{self, Message, SyncMessage, encode_awareness, encode_step1, encode_step2, encode_update},
    update,
};

use super::{
    material::Material,
    mutator::{damage, twist},
};

/// Messages that a client sends before it waits until they were dealt with.
const TOGETHER_MAX: usize = 16;

/// Messages that belong together: a document as it comes to be, with other things in between. The last one may be one
/// that the scanner refuses; what follows that would not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Whole messages.
    pub messages: Vec<Vec<u8>>,
    /// How many of them were changed.
    pub mutated: u64,
    /// How many of these the scanner accepts.
    pub accepted: u64,
    /// How many of all are questions, each of which is answered once.
    pub questions: u64,
    /// Whether the last one is refused.
    pub is_refused: bool,
}

impl Batch {
    /// The batch with this number, with at most so many mutated messages.
    pub fn new(material: &Material, seed: u64, number: u64, mutated_max: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut batch = Self::default();
        let Some(history) = material.histories.choose(rng) else { return batch };
        let begin = if rng.random_bool(0.7) { 0 } else { rng.random_range(0..history.len()) };
        for real in history[begin..].iter().cycle() {
            if batch.mutated == mutated_max || batch.messages.len() == TOGETHER_MAX || batch.is_refused {
                break;
            }
            // What really happened comes in between, or the others would have nothing to build on.
            if rng.random_bool(0.3) {
                batch.push(encode_update(real), false);
            } else {
                batch.push(mutated(rng, material, real), true);
            }
        }
        batch
    }

    fn push(&mut self, message: Vec<u8>, is_mutated: bool) {
        let verdict = judge(&message);
        self.mutated += u64::from(is_mutated);
        self.accepted += u64::from(is_mutated && verdict != Verdict::Refused);
        self.questions += u64::from(verdict == Verdict::Question);
        self.is_refused = verdict == Verdict::Refused;
        self.messages.push(message);
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    /// Accepted, and answered with a `SyncStep2`.
    Question,
    Refused,
}

fn judge(bytes: &[u8]) -> Verdict {
    let is_accepted = match message::parse(bytes) {
        Ok(Message::Sync(SyncMessage::Step1(state_vector))) => {
            return if update::scan_state_vector(state_vector).is_ok() { Verdict::Question } else { Verdict::Refused };
        }
        Ok(Message::Sync(SyncMessage::Step2(bytes) | SyncMessage::Update(bytes))) => update::scan(bytes).is_ok(),
        Ok(Message::Awareness(payload)) => awareness::scan(payload).is_ok(),
        Ok(Message::Auth(_) | Message::Ack(_) | Message::Notice(_) | Message::QueryAwareness) => true,
        Err(_) => false,
    };
    if is_accepted { Verdict::Accepted } else { Verdict::Refused }
}

fn mutated(rng: &mut StdRng, material: &Material, real: &[u8]) -> Vec<u8> {
    let other = material.histories.choose(rng).and_then(|history| history.choose(rng)).map_or(&[][..], Vec::as_slice);
    let damaged = |rng: &mut StdRng, of: &[Vec<u8>]| {
        let mut bytes = of.choose(rng).cloned().unwrap_or_default();
        damage(rng, &mut bytes, other);
        bytes
    };
    match rng.random_range(0..100) {
        0..60 => encode_update(&twist(rng, real, other)),
        60..66 => encode_step2(&twist(rng, real, other)),
        66..80 => {
            let mut bytes = real.to_vec();
            damage(rng, &mut bytes, other);
            encode_update(&bytes)
        }
        80..89 => encode_awareness(&damaged(rng, &material.presence)),
        89..93 => encode_step1(&damaged(rng, &material.state_vectors)),
        93..96 => damaged(rng, &material.others),
        96..99 => {
            let mut message = encode_update(real);
            damage(rng, &mut message, other);
            message
        }
        // Seldom: these take time.
        _ if rng.random_bool(0.1) => encode_step2(&damaged(rng, &material.large)),
        _ => encode_update(&[real, other].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_part_is_accepted_and_the_same_seed_makes_the_same_messages() {
        let material = Material::new().unwrap();
        let batches: Vec<Batch> = (0..400).map(|number| Batch::new(&material, 7, number, 1000)).collect();
        let (mutated, accepted) =
            batches.iter().fold((0, 0), |(all, good), batch| (all + batch.mutated, good + batch.accepted));
        assert!(mutated > 1000, "{mutated}");
        assert!((mutated / 4..mutated).contains(&accepted), "{accepted} of {mutated} are accepted");
        assert!(batches.iter().any(|batch| batch.is_refused) && batches.iter().any(|batch| batch.questions > 0));
        assert_eq!(Batch::new(&material, 7, 3, 1000), batches[3]);
        assert_ne!(Batch::new(&material, 8, 3, 1000), batches[3]);
        assert_eq!(Batch::new(&material, 7, 3, 1).mutated, 1);
        // A batch ends with what is refused.
        for batch in batches {
            let refused = batch.messages.iter().filter(|message| judge(message) == Verdict::Refused).count();
            assert_eq!(refused, usize::from(batch.is_refused));
            assert!(batch.messages.last().is_none_or(|last| (judge(last) == Verdict::Refused) == batch.is_refused));
        }
    }
}
