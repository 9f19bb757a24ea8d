//! Reading envelopes: the bytes may come from anybody who reaches the bus.

use thiserror::Error;

use super::{
    Answer, Envelope, Gossip, MAGIC, Message, NodeId, NodeMessage, Presence, Question, RoomMessage, STREAMS_MAX,
    Update, VERSION,
};
use crate::{DecodeError, lib0::Reader, limits::AWARENESS_ENTRIES_MAX};

/// Why bytes on the bus are not for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Foreign {
    /// Somebody else's.
    #[error("not an envelope of this program")]
    Unknown,
    /// Of a node that runs a newer version.
    #[error("an envelope of version {version}, which this version of the program does not read")]
    Newer {
        /// The version.
        version: u8,
    },
    /// Broken, cut off, or with bytes behind it.
    #[error("a damaged envelope: {0}")]
    Damaged(#[from] DecodeError),
}

/// Who sent an envelope, without reading the rest; `None` when it is not one.
pub fn sender(bytes: &[u8]) -> Option<NodeId> {
    let mut reader = Reader::new(bytes);
    head(&mut reader).ok()
}

/// Reads an envelope that takes up all of `bytes`.
///
/// # Errors
/// [`Foreign`]: there is nothing to do with it but to count it.
pub fn read(bytes: &[u8]) -> Result<Envelope<'_>, Foreign> {
    let mut reader = Reader::new(bytes);
    let node = head(&mut reader)?;
    let at = reader.position();
    let message = match reader.var_uint()? {
        16 => Message::Node(NodeMessage::Alive),
        17 => Message::Node(NodeMessage::Bye),
        18 => Message::Node(NodeMessage::Probe { client: reader.var_str()? }),
        kind => {
            let (room, epoch) = (reader.var_str()?, reader.var_uint()?);
            Message::Room { room, epoch, message: room_message(kind, at, &mut reader)? }
        }
    };
    reader.finish()?;
    Ok(Envelope { node, message })
}

fn head(reader: &mut Reader<'_>) -> Result<NodeId, Foreign> {
    if reader.u8().ok() != Some(MAGIC) {
        return Err(Foreign::Unknown);
    }
    match reader.u8()? {
        VERSION => Ok(NodeId(reader.var_uint()?)),
        version if version > VERSION => Err(Foreign::Newer { version }),
        _ => Err(Foreign::Unknown),
    }
}

fn room_message<'a>(kind: u64, at: usize, reader: &mut Reader<'a>) -> Result<RoomMessage<'a>, DecodeError> {
    Ok(match kind {
        0 => RoomMessage::Update(Update {
            seq: reader.var_uint()?,
            record: Some(reader.var_uint()?).filter(|record| *record > 0),
            at_us: reader.var_uint()?,
            update: reader.var_bytes()?,
        }),
        1 => RoomMessage::Presence(presence(reader)?),
        2 => RoomMessage::Gossip(gossip(reader)?),
        3 => RoomMessage::Question(Question {
            number: reader.var_uint()?,
            wants_presence: flags(reader, 1)? == 1,
            state_vector: reader.var_bytes()?,
        }),
        4 => RoomMessage::Answer(answer(reader)?),
        5 => RoomMessage::Leave,
        6 => RoomMessage::Deleted,
        tag => return Err(DecodeError::UnknownTag { what: "envelope", tag, at }),
    })
}

fn presence<'a>(reader: &mut Reader<'a>) -> Result<Presence<'a>, DecodeError> {
    let is_whole = flags(reader, 1)? == 1;
    let count = count(reader, 2, AWARENESS_ENTRIES_MAX)?;
    let owners =
        (0..count).map(|_| Ok((reader.var_uint()?, reader.var_uint()?))).collect::<Result<_, DecodeError>>()?;
    Ok(Presence { is_whole, owners, payload: reader.var_bytes()? })
}

fn gossip(reader: &mut Reader<'_>) -> Result<Gossip, DecodeError> {
    let (newest, recorded, presence) = (reader.var_uint()?, reader.var_uint()?, reader.var_uint()?);
    let bits = flags(reader, 3)?;
    let digest = if bits & 2 == 0 { None } else { reader.take(16)?.try_into().ok() };
    let listed = count(reader, 3, STREAMS_MAX)?;
    let heard = (0..listed)
        .map(|_| Ok((NodeId(reader.var_uint()?), reader.var_uint()?, reader.var_uint()?)))
        .collect::<Result<_, DecodeError>>()?;
    Ok(Gossip { head: newest, recorded, presence, wants_reply: bits & 1 == 1, digest, heard })
}

fn answer<'a>(reader: &mut Reader<'a>) -> Result<Answer<'a>, DecodeError> {
    let (number, part) = (reader.var_uint()?, reader.var_uint()?);
    let (newest, recorded, at_us) = (reader.var_uint()?, reader.var_uint()?, reader.var_uint()?);
    let bits = flags(reader, 7)?;
    let (is_saved, is_last, has_more) = (bits & 1 == 0, bits & 2 == 2, bits & 4 == 4);
    Ok(Answer { number, part, head: newest, recorded, at_us, is_saved, is_last, has_more, update: reader.var_bytes()? })
}

fn flags(reader: &mut Reader<'_>, max: u8) -> Result<u8, DecodeError> {
    let at = reader.position();
    let flags = reader.u8()?;
    if flags > max {
        return Err(DecodeError::UnknownTag { what: "flags", tag: flags.into(), at });
    }
    Ok(flags)
}

fn count(reader: &mut Reader<'_>, bytes_each_min: usize, count_max: usize) -> Result<usize, DecodeError> {
    let at = reader.position();
    let declared = reader.count(bytes_each_min)?;
    if declared > count_max {
        return Err(DecodeError::TooMany { at, declared, count_max });
    }
    Ok(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Envelope<'static>> {
        let update = Update { seq: 7, record: Some(1 << 40), at_us: 1_700_000_000_000_000, update: &[1, 2, 3] };
        let heard = vec![(NodeId(3), 1, 99), (NodeId((1 << 53) - 1), 2, 0)];
        let gossip = Gossip { head: 8, recorded: 9, presence: 10, wants_reply: true, digest: Some([7; 16]), heard };
        let answer = Answer {
            number: 1,
            part: 5,
            head: 2,
            recorded: 3,
            at_us: 4,
            is_saved: false,
            is_last: true,
            has_more: true,
            update: &[0, 0],
        };
        let room = [
            RoomMessage::Update(update),
            RoomMessage::Update(Update { record: None, ..update }),
            RoomMessage::Presence(Presence { is_whole: true, owners: vec![(5, 6)], payload: &[0] }),
            RoomMessage::Gossip(Gossip { digest: None, wants_reply: false, heard: Vec::new(), ..gossip.clone() }),
            RoomMessage::Gossip(gossip),
            RoomMessage::Question(Question { number: 5, wants_presence: true, state_vector: &[0] }),
            RoomMessage::Answer(answer),
            RoomMessage::Answer(Answer { is_saved: true, is_last: false, has_more: false, ..answer }),
            RoomMessage::Leave,
            RoomMessage::Deleted,
        ];
        let of_room = room.into_iter().map(|message| Message::Room { room: "a-map", epoch: 300, message });
        let of_node = [NodeMessage::Alive, NodeMessage::Bye, NodeMessage::Probe { client: "ann" }].map(Message::Node);
        of_room.chain(of_node).map(|message| Envelope { node: NodeId(123_456_789), message }).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        for envelope in samples() {
            let bytes = envelope.encode();
            assert_eq!(read(&bytes).as_ref(), Ok(&envelope));
            assert_eq!(sender(&bytes), Some(envelope.node));
        }
    }

    #[test]
    fn what_is_cut_off_foreign_or_newer_is_told_apart() {
        for envelope in samples() {
            let bytes = envelope.encode();
            for len in 2..bytes.len() {
                assert!(matches!(read(&bytes[..len]), Err(Foreign::Damaged(_))), "{envelope:?} cut to {len}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(matches!(read(&longer), Err(Foreign::Damaged(DecodeError::TrailingBytes { .. }))));
            let mut newer = bytes.clone();
            newer[1] = VERSION + 1;
            assert_eq!(read(&newer), Err(Foreign::Newer { version: VERSION + 1 }));
        }
        for foreign in [&b""[..], b"hello", b"{}", &[0, 1, 2], &[MAGIC, 0, 1]] {
            assert_eq!(read(foreign), Err(Foreign::Unknown));
            assert_eq!(sender(foreign), None);
        }
    }

    #[test]
    fn a_count_that_lies_reserves_nothing() {
        let mut bytes = vec![MAGIC, VERSION, 1, 2, 1, b'a', 1, 0, 0, 0, 0];
        bytes.extend([0xff, 0xff, 0xff, 0x7f]);
        assert!(matches!(read(&bytes), Err(Foreign::Damaged(DecodeError::CountTooLarge { .. }))));
        let unknown = [MAGIC, VERSION, 1, 9, 1, b'a', 1];
        assert!(matches!(read(&unknown), Err(Foreign::Damaged(DecodeError::UnknownTag { .. }))));
    }
}
