//! What must hold for any bytes at all. Each target also checks that what was accepted can be read again.

use synapti_protocol::hocuspocus::{self, ClientMessage, Frame};
use synapti_protocol::json::{validate, validate_portable};
use synapti_protocol::lib0::Reader;
use synapti_protocol::limits::{CLIENT_ID_MAX, CLOCK_MAX};
use synapti_protocol::message::{Message, SyncMessage, parse};
use synapti_protocol::update::{
    ContentKind, StructKind, UpdateView, UpdateWriter, encode_state_vector, modernize, scan, scan_state_vector,
};

pub fn message(bytes: &[u8]) {
    let Ok(message) = parse(bytes) else {
        return;
    };
    let mut reader = Reader::new(bytes);
    assert_eq!(Message::read(&mut reader), Ok(message));
    assert_eq!(reader.finish(), Ok(()));
    match message {
        Message::Sync(SyncMessage::Step1(vector)) => state_vector(vector),
        Message::Sync(SyncMessage::Step2(bytes) | SyncMessage::Update(bytes)) => update(bytes),
        Message::Awareness(payload) => awareness(payload),
        Message::Notice(text) => json(text.as_bytes()),
        Message::Auth(_) | Message::QueryAwareness | Message::Ack(_) => {}
    }
}

pub fn hocuspocus(bytes: &[u8]) {
    let Ok(Frame::To(address, body)) = hocuspocus::open(bytes) else {
        return;
    };
    let again = [address.encode(), body.to_vec()].concat();
    // Padded numbers make `bytes` longer than what is written again, but never say anything else.
    assert!(again.len() <= bytes.len());
    assert_eq!(hocuspocus::open(&again), Ok(Frame::To(address, body)));
    assert!(address.as_str().starts_with(address.document()));
    match hocuspocus::parse(body) {
        Ok(ClientMessage::Room(bytes)) => message(bytes),
        Ok(ClientMessage::SyncReply(body)) => message(&[&[0], body].concat()),
        _ => {}
    }
}

pub fn awareness(bytes: &[u8]) {
    let Ok(view) = synapti_protocol::awareness::scan(bytes) else {
        return;
    };
    let entries: Vec<_> = view.iter().collect();
    assert_eq!(entries.len(), view.len());
    for entry in &entries {
        assert_eq!(validate(entry.state), Ok(()));
        assert!(entry.client <= CLIENT_ID_MAX);
    }
    // Padded numbers make `bytes` longer than what is written again, but never say anything else.
    let again = synapti_protocol::awareness::encode(&entries);
    assert!(again.len() <= bytes.len());
    let again = synapti_protocol::awareness::scan(&again).expect("what was accepted");
    assert!(again.iter().eq(entries));
}

pub fn state_vector(bytes: &[u8]) {
    let Ok(view) = scan_state_vector(bytes) else {
        return;
    };
    assert_eq!(view.iter().count(), view.len());
    assert!(view.iter().all(|(client, clock)| client <= CLIENT_ID_MAX && clock <= CLOCK_MAX));
    let clocks: Vec<_> = view.iter().collect();
    let again = encode_state_vector(&clocks);
    assert!(again.len() <= bytes.len());
    assert!(scan_state_vector(&again).expect("what was accepted").iter().eq(clocks));
}

pub fn json(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match validate(text) {
        // Brackets around a value make a value, up to the limit.
        Ok(()) => assert!(validate(&format!(" [ {text} ] ")).is_ok() || text.contains(['[', '{'])),
        Err(error) => {
            assert!(error.at <= text.len());
            assert!(validate_portable(text).is_err());
        }
    }
}

pub fn update(bytes: &[u8]) {
    let Ok(view) = scan(bytes) else {
        return;
    };
    let mut writer = UpdateWriter::new();
    let mut struct_count = 0;
    for section in view.sections() {
        let mut next_clock = section.clock;
        for next in section.structs() {
            assert_eq!(next.clock, next_clock);
            assert!(next.bytes.ends_with(next.content));
            assert_eq!(next.kind == StructKind::Skip, next.bytes[0] == 10);
            next_clock = next.end();
            struct_count += 1;
        }
        assert_eq!(next_clock, section.end);
        assert!(next_clock <= CLOCK_MAX && section.client <= CLIENT_ID_MAX);
        let structs = section.structs().map(|next| next.bytes);
        writer.section(section.client, section.clock, section.struct_count, structs);
    }
    assert_eq!(struct_count, view.struct_count());
    assert!(view.delete_set().all(|range| range.len > 0 && range.clock + range.len <= CLOCK_MAX));

    let rebuilt = writer.finish();
    let rebuilt = scan(&rebuilt).expect("the same sections");
    assert_eq!(rebuilt.struct_count(), view.struct_count());

    let modern = modernize(&view);
    let modern = scan(&modern).expect("nothing that was not there before");
    assert!(!modern.needs_modernizing());
    assert!(modern.delete_set().eq(view.delete_set()));
    assert_eq!(runs(modern), runs(view));
    if !view.needs_modernizing() {
        assert!(modern.sections().eq(view.sections()));
    }
}

/// Which elements an update has, and what they are.
fn runs(view: UpdateView<'_>) -> Vec<(u64, u32, u32, StructKind)> {
    let structs = view.sections().flat_map(|section| section.structs().map(move |next| (section.client, next)));
    structs
        .filter(|(_, next)| next.len > 0)
        .map(|(client, next)| {
            let kind = match next.kind {
                StructKind::Item(ContentKind::Json) => StructKind::Item(ContentKind::Any),
                kind => kind,
            };
            (client, next.clock, next.len, kind)
        })
        .collect()
}
