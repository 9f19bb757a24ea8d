//! Frames: what is written is read back, and what is not a frame is refused.

use proptest::prelude::*;
use synapti_protocol::DecodeError;
use synapti_protocol::limits::CLIENT_ID_MAX;
use synapti_protocol::message::{
    AuthMessage, EMPTY_AWARENESS, Message, SyncMessage, encode_ack, encode_awareness, encode_notice,
    encode_permission_denied, encode_step1, encode_step2, encode_update, parse,
};
use synapti_protocol::{awareness, lib0::Reader};

proptest! {
    #[test]
    fn every_frame_comes_back_and_was_built_in_one_allocation(
        body: Vec<u8>,
        text: String,
        count in 0..=CLIENT_ID_MAX,
    ) {
        let frames = [
            (encode_step1(&body), Message::Sync(SyncMessage::Step1(&body))),
            (encode_step2(&body), Message::Sync(SyncMessage::Step2(&body))),
            (encode_update(&body), Message::Sync(SyncMessage::Update(&body))),
            (encode_awareness(&body), Message::Awareness(&body)),
            (encode_permission_denied(&text), Message::Auth(AuthMessage::PermissionDenied(&text))),
            (encode_ack(count), Message::Ack(count)),
            (encode_notice(&text), Message::Notice(&text)),
        ];
        for (frame, message) in &frames {
            prop_assert_eq!(parse(frame), Ok(*message));
            prop_assert_eq!(frame.len(), frame.capacity());
            for len in 0..frame.len() {
                prop_assert!(parse(&frame[..len]).is_err());
            }
        }
    }

    #[test]
    fn messages_in_a_row_are_read_one_by_one(bodies: Vec<Vec<u8>>) {
        let row: Vec<u8> = bodies.iter().flat_map(|body| encode_update(body)).collect();
        let mut reader = Reader::new(&row);
        for body in &bodies {
            let message = Message::read(&mut reader);
            prop_assert_eq!(message, Ok(Message::Sync(SyncMessage::Update(body))));
        }
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(frame: Vec<u8>) {
        if let Err(error) = parse(&frame) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn frames_are_those_of_y_protocols() {
    assert_eq!(encode_step1(&[0]), [0, 0, 1, 0]);
    assert_eq!(encode_step2(&[0, 0]), [0, 1, 2, 0, 0]);
    assert_eq!(encode_update(&[0, 0]), [0, 2, 2, 0, 0]);
    assert_eq!(encode_awareness(&[0]), EMPTY_AWARENESS);
    assert_eq!(encode_permission_denied("no"), [2, 0, 2, b'n', b'o']);
    assert_eq!(encode_ack(300), [120, 0xac, 0x02]);
    assert_eq!(encode_notice("{}"), [121, 2, b'{', b'}']);
    assert_eq!(parse(&[3]), Ok(Message::QueryAwareness));
}

#[test]
fn the_empty_awareness_names_nobody() {
    let Ok(Message::Awareness(payload)) = parse(EMPTY_AWARENESS) else {
        panic!("not an awareness message");
    };
    assert!(awareness::scan(payload).unwrap().is_empty());
}

#[test]
fn what_is_no_message_is_refused_by_name() {
    assert_eq!(parse(&[]), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(parse(&[4]), Err(DecodeError::UnknownMessage(4)));
    assert_eq!(parse(&[0x80, 0x02]), Err(DecodeError::UnknownMessage(256)));
    assert_eq!(parse(&[0, 3, 0]), Err(DecodeError::UnknownTag { what: "sync message", tag: 3, at: 1 }));
    assert_eq!(parse(&[2, 1, 0]), Err(DecodeError::UnknownTag { what: "auth message", tag: 1, at: 1 }));
    assert_eq!(parse(&[3, 3]), Err(DecodeError::TrailingBytes { at: 1, extra: 1 }));
    assert_eq!(parse(&[0, 2, 5, 0]), Err(DecodeError::Truncated { at: 2 }));
}
