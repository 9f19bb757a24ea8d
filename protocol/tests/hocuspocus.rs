//! Hocuspocus frames: who they are for, what they say, and what is refused.

use proptest::prelude::*;
use synapti_protocol::DecodeError;
use synapti_protocol::hocuspocus::{
    ClientMessage, Frame, NOT_SAVED, PING_FRAME, PONG_FRAME, SAVED, TOKEN_REQUEST, WHO_IS_THERE, authenticated,
    encode_close, encode_denied, open, parse,
};
use synapti_protocol::lib0::{Reader, write_var_str, write_var_uint};
use synapti_protocol::limits::ADDRESS_BYTES_MAX;
use synapti_protocol::message::encode_update;

fn frame(address: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_var_str(&mut frame, address);
    frame.extend_from_slice(body);
    frame
}

fn auth(kind: u64, texts: &[&str]) -> Vec<u8> {
    let mut body = vec![2];
    write_var_uint(&mut body, kind);
    for text in texts {
        write_var_str(&mut body, text);
    }
    body
}

proptest! {
    #[test]
    fn what_is_addressed_arrives_under_its_address(name in "[^\0]{0,40}", session: Option<String>, update: Vec<u8>) {
        let address = session.as_ref().map_or(name.clone(), |session| format!("{name}\0{session}"));
        prop_assume!(address.len() <= ADDRESS_BYTES_MAX);
        let message = encode_update(&update);
        let frame = frame(&address, &message);
        let Ok(Frame::To(to, body)) = open(&frame) else { panic!("{:?}", open(&frame)) };
        prop_assert_eq!((to.as_str(), to.document()), (&*address, &*name));
        prop_assert_eq!(to.session(), session.as_deref());
        prop_assert_eq!(parse(body), Ok(ClientMessage::Room(&message)));
        let prefix = to.encode();
        prop_assert_eq!(prefix.len(), prefix.capacity());
        prop_assert_eq!([prefix, message.clone()].concat(), frame);
    }

    #[test]
    fn tokens_are_read_with_and_without_a_version(token: String, version in "[0-9.]{1,9}", more: Vec<u8>) {
        let (old, new) = (auth(0, &[&token]), auth(0, &[&token, &version]));
        prop_assert_eq!(parse(&old), Ok(ClientMessage::Token { token: &token, has_version: false }));
        let known = Ok(ClientMessage::Token { token: &token, has_version: true });
        prop_assert_eq!(parse(&new), known);
        let longer = [&new[..], &more].concat();
        prop_assert_eq!(parse(&longer), known);
        for len in 0..old.len() {
            prop_assert!(parse(&old[..len]).is_err());
        }
    }

    #[test]
    fn reasons_are_read_as_they_were_written(reason: String) {
        for (written, head) in [(encode_denied(&reason), &[2, 1][..]), (encode_close(&reason), &[7])] {
            prop_assert_eq!(written.len(), written.capacity());
            let mut reader = Reader::new(&written);
            prop_assert_eq!(reader.take(head.len()), Ok(head));
            prop_assert_eq!(reader.var_str(), Ok(&*reason));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        if let Ok(Frame::To(address, body)) = open(&bytes) {
            prop_assert!(address.as_str().len() + body.len() < bytes.len());
            if let Err(error) = parse(body) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn frames_are_those_of_hocuspocus() {
    assert_eq!((open(PING_FRAME), open(PONG_FRAME)), (Ok(Frame::Ping), Ok(Frame::Pong)));
    assert_eq!((PING_FRAME, PONG_FRAME), (&[9][..], &[10][..]));
    assert_eq!((SAVED, NOT_SAVED, TOKEN_REQUEST, WHO_IS_THERE), (&[8, 1][..], &[8, 0][..], &[2, 0][..], &[3][..]));
    assert_eq!(authenticated(true), auth(2, &["readonly"]));
    assert_eq!(authenticated(false), auth(2, &["read-write"]));
    assert_eq!(encode_denied("no"), auth(1, &["no"]));
    assert_eq!(encode_close("ok"), [7, 2, b'o', b'k']);
    for (body, message) in [
        (&[1, 1, 0][..], ClientMessage::Room(&[1, 1, 0])),
        (&[3], ClientMessage::Room(&[3])),
        (&[4, 0, 1, 0], ClientMessage::SyncReply(&[0, 1, 0])),
        (&[5, 1, b'x'], ClientMessage::Stateless("x")),
        (&[6, 1, b'x'], ClientMessage::BroadcastStateless),
        (&[7], ClientMessage::Close),
        (&[11, 1, 2], ClientMessage::Unknown(11)),
    ] {
        assert_eq!(parse(body), Ok(message));
    }
}

#[test]
fn a_name_of_nine_letters_is_no_ping() {
    assert!(
        matches!(open(&frame("nine-char", &[7])), Ok(Frame::To(address, [7])) if address.document() == "nine-char")
    );
}

#[test]
fn what_is_no_frame_is_refused_by_name() {
    assert_eq!(open(&[]), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(open(&[5, b'a']), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(open(&[1, 0xff]), Err(DecodeError::Utf8 { at: 1 }));
    assert_eq!(parse(&[]), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(parse(&auth(1, &["x"])), Err(DecodeError::UnknownTag { what: "auth message", tag: 1, at: 1 }));
    assert!(open(&frame(&"x".repeat(ADDRESS_BYTES_MAX), &[7])).is_ok());
    let long = open(&frame(&"x".repeat(ADDRESS_BYTES_MAX + 1), &[7])).unwrap_err();
    assert_eq!(long.to_string(), "text of 1025 bytes at byte 2 is longer than 1024");
}
