//! Who is here and what they look at, as editors of maps tell it.

use synapti_protocol::{
    awareness::{self, AwarenessEntry},
    message::encode_awareness,
};

use crate::client::fresh_client_id;

/// The presence of one client: a name, a colour and a cursor, in about 100 bytes.
pub struct Presence {
    client: u64,
    clock: u32,
    state: String,
}

impl Presence {
    /// Somebody new.
    pub fn new() -> Self {
        let client = fresh_client_id();
        let (x, y) = (client % 1000, client / 1000 % 1000);
        let state =
            format!(r##"{{"user":{{"name":"Visitor {client}","color":"#8B5CF6"}},"cursor":{{"x":{x},"y":{y}}}}}"##);
        Self { client, clock: 0, state }
    }

    /// The next message about it: the same state with a higher clock, which says that it is still true.
    pub fn next(&mut self) -> Vec<u8> {
        self.clock += 1;
        let Self { client, clock, ref state } = *self;
        encode_awareness(&awareness::encode(&[AwarenessEntry { client, clock, state }]))
    }
}

#[cfg(test)]
mod tests {
    use synapti_protocol::message::{self, Message};

    use super::*;

    #[test]
    fn a_presence_is_renewed_under_the_same_client_with_a_higher_clock() {
        let mut presence = Presence::new();
        let messages = [presence.next(), presence.next()];
        let seen = messages.each_ref().map(|message| {
            let Ok(Message::Awareness(payload)) = message::parse(message) else { panic!("no awareness") };
            let view = awareness::scan(payload).unwrap();
            let entry = view.iter().next().unwrap();
            (entry.client, entry.clock, entry.state.len())
        });
        assert_eq!(seen.map(|(_, clock, _)| clock), [1, 2]);
        assert_eq!(seen[0].0, seen[1].0);
        assert!((70..110).contains(&seen[0].2), "{}", seen[0].2);
    }
}
