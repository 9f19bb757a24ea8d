//! A room's document, and what everybody else makes of what it publishes.

use synapti_crdt::{AsideLimits, Op, Replica, Restorable, Sender};
use synapti_protocol::update::scan;

use crate::show::show;

/// The client id of the room's own edits.
pub const OWN: u64 = 900;

pub fn load(updates: &[impl AsRef<[u8]>]) -> Replica {
    load_as(OWN, updates)
}

/// A replica elsewhere, to which the room's edits are those of somebody else.
pub fn follow(updates: &[impl AsRef<[u8]>]) -> Replica {
    load_as(OWN + 1, updates)
}

fn load_as(own: u64, updates: &[impl AsRef<[u8]>]) -> Replica {
    Replica::load(own, AsideLimits::default(), updates.iter().map(AsRef::as_ref)).unwrap()
}

pub fn apply(replica: &mut Replica, update: &[u8]) -> Option<Vec<u8>> {
    let applied = replica.apply([Op::Update { update, from: Sender(1) }], 0);
    applied.results.into_iter().collect::<Result<(), _>>().unwrap();
    applied.update
}

/// Restores without any check; answers what is published.
pub fn restore(replica: &mut Replica, older: &[u8]) -> Option<Vec<u8>> {
    let older = Restorable::read(older).unwrap();
    let applied = replica.apply([Op::Restore(&older)], 0);
    applied.results.into_iter().collect::<Result<(), _>>().unwrap();
    applied.update
}

/// Restores, and checks that the document then shows what the older state shows; that a second time changes nothing; that
/// what is published is by the room's own client and lacks nothing; and that a replica which gets it ends up the same.
pub fn check_restore(replica: &mut Replica, older: &[u8], name: &str) -> Option<Vec<u8>> {
    let before = replica.snapshot();
    let published = restore(replica, older);
    assert_eq!(show(&replica.snapshot()), show(older), "{name}: restored");
    assert_eq!(restore(replica, older), None, "{name}: restored again");
    if let Some(update) = &published {
        let view = scan(update).unwrap();
        assert!(view.sections().all(|section| section.client == OWN), "{name}: published as somebody else");
        assert!(!view.has_skips() && !view.needs_modernizing(), "{name}: published with holes");
        let mut follower = follow(&[before]);
        apply(&mut follower, update);
        assert_eq!(follower.held_bytes(), 0, "{name}: something is missing");
        assert_eq!(follower.digest(), replica.digest(), "{name}: a replica that follows");
    }
    let reloaded = load(&[replica.snapshot()]);
    assert_eq!(reloaded.digest(), replica.digest(), "{name}: reloaded");
    assert_eq!(show(&reloaded.snapshot()), show(older), "{name}: reloaded");
    published
}

/// `SplitMix64`, for choices that a seed determines.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
