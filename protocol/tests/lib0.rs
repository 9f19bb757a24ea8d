//! Numbers, strings and tagged values as lib0 writes them.

use proptest::prelude::*;
use synapti_protocol::DecodeError;
use synapti_protocol::lib0::{Reader, var_uint_len, write_var_bytes, write_var_int, write_var_str, write_var_uint};
use synapti_protocol::limits::{CLIENT_ID_MAX, CLOCK_MAX};

/// Any value, as bytes.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        prop::sample::select(vec![vec![127], vec![126], vec![121], vec![120]]),
        any::<i32>().prop_map(|value| tagged(125, |out| write_var_int(out, value.into()))),
        any::<[u8; 4]>().prop_map(|bytes| tagged(124, |out| out.extend(bytes))),
        any::<[u8; 8]>().prop_map(|bytes| tagged(123, |out| out.extend(bytes))),
        any::<[u8; 8]>().prop_map(|bytes| tagged(122, |out| out.extend(bytes))),
        any::<String>().prop_map(|text| tagged(119, |out| write_var_str(out, &text))),
        any::<Vec<u8>>().prop_map(|bytes| tagged(116, |out| write_var_bytes(out, &bytes))),
    ];
    leaf.prop_recursive(6, 48, 4, |inner| {
        let entry = (any::<String>(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| tagged(117, |out| {
                write_var_uint(out, values.len() as u64);
                out.extend(values.concat());
            })),
            prop::collection::vec(entry, 0..4).prop_map(|entries| tagged(118, |out| {
                write_var_uint(out, entries.len() as u64);
                for (key, value) in &entries {
                    write_var_str(out, key);
                    out.extend(value);
                }
            })),
        ]
    })
}

fn tagged(tag: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![tag];
    write(&mut out);
    out
}

proptest! {
    #[test]
    fn unsigned_numbers_come_back(value in 0..=CLIENT_ID_MAX) {
        let mut bytes = Vec::new();
        write_var_uint(&mut bytes, value);
        prop_assert_eq!(bytes.len(), var_uint_len(value));
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.var_uint(), Ok(value));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn signed_numbers_come_back(value in -(CLIENT_ID_MAX as i64)..=CLIENT_ID_MAX as i64) {
        let mut bytes = Vec::new();
        write_var_int(&mut bytes, value);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.var_int(), Ok(value));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn bytes_and_strings_come_back(blob: Vec<u8>, text: String) {
        let mut bytes = Vec::new();
        write_var_bytes(&mut bytes, &blob);
        write_var_str(&mut bytes, &text);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.var_bytes(), Ok(blob.as_slice()));
        prop_assert_eq!(reader.var_str(), Ok(text.as_str()));
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_value_is_skipped_exactly_and_only_when_it_is_whole(value in any_value()) {
        let mut reader = Reader::new(&value);
        prop_assert_eq!(reader.skip_any(64), Ok(()));
        prop_assert!(reader.is_empty());
        for len in 0..value.len() {
            prop_assert!(Reader::new(&value[..len]).skip_any(64).is_err());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        while reader.skip_any(4).is_ok() {}
        prop_assert!(reader.position() <= bytes.len());
        for read in [Reader::var_uint, Reader::int, Reader::text] {
            let mut reader = Reader::new(&bytes);
            while read(&mut reader).is_ok() {}
            prop_assert!(reader.position() <= bytes.len());
        }
    }
}

/// Gives all readers of one kind of value the same signature.
trait Uniform {
    fn int(&mut self) -> Result<u64, DecodeError>;
    fn text(&mut self) -> Result<u64, DecodeError>;
}

impl Uniform for Reader<'_> {
    fn int(&mut self) -> Result<u64, DecodeError> {
        self.var_int().map(i64::unsigned_abs)
    }

    fn text(&mut self) -> Result<u64, DecodeError> {
        self.var_str().map(|text| text.len() as u64)
    }
}

#[test]
fn numbers_end_at_the_largest_integer_of_javascript() {
    let mut largest = Vec::new();
    write_var_uint(&mut largest, CLIENT_ID_MAX);
    assert_eq!(largest, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(Reader::new(&largest).var_uint(), Ok(CLIENT_ID_MAX));

    let one_more = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(Reader::new(&one_more).var_uint(), Err(DecodeError::Overflow { at: 0 }));
    let nine_bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    assert_eq!(Reader::new(&nine_bytes).var_uint(), Err(DecodeError::Overflow { at: 0 }));
    assert_eq!(Reader::new(&nine_bytes).var_int(), Err(DecodeError::Overflow { at: 0 }));
    assert_eq!(Reader::new(&[0x80; 3]).var_uint(), Err(DecodeError::Truncated { at: 0 }));
}

#[test]
fn narrow_numbers_are_refused_where_they_end() {
    let mut bytes = Vec::new();
    write_var_uint(&mut bytes, u64::from(u32::MAX));
    assert_eq!(Reader::new(&bytes).var_u32(), Ok(u32::MAX));
    assert_eq!(Reader::new(&bytes).clock(), Err(DecodeError::Overflow { at: 0 }));
    bytes.clear();
    write_var_uint(&mut bytes, u64::from(u32::MAX) + 1);
    assert_eq!(Reader::new(&bytes).var_u32(), Err(DecodeError::Overflow { at: 0 }));
    bytes.clear();
    write_var_uint(&mut bytes, CLOCK_MAX.into());
    assert_eq!(Reader::new(&bytes).clock(), Ok(CLOCK_MAX));
}

#[test]
fn counts_and_lengths_never_promise_more_than_there_is() {
    let mut reader = Reader::new(&[3, 0, 0]);
    assert_eq!(reader.count(1), Err(DecodeError::CountTooLarge { at: 0, declared: 3, remaining: 2 }));
    assert_eq!(
        Reader::new(&[2, 0, 0, 0]).count(2),
        Err(DecodeError::CountTooLarge { at: 0, declared: 2, remaining: 3 })
    );
    assert_eq!(Reader::new(&[2, 0, 0, 0, 0]).count(2), Ok(2));
    assert_eq!(Reader::new(&[5, b'a']).var_bytes(), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(Reader::new(&[1, 0xff]).var_str(), Err(DecodeError::Utf8 { at: 1 }));
    assert_eq!(Reader::new(&[0, 7]).finish(), Err(DecodeError::TrailingBytes { at: 0, extra: 2 }));
}

#[test]
fn values_nest_sixty_four_levels_and_no_more() {
    let nested = |levels: usize, open: &[u8]| {
        let mut bytes = open.repeat(levels);
        bytes.push(126);
        bytes
    };
    for open in [&[117, 1][..], &[118, 1, 1, b'k']] {
        assert_eq!(Reader::new(&nested(64, open)).skip_any(64), Ok(()));
        let at = 64 * open.len();
        assert_eq!(Reader::new(&nested(65, open)).skip_any(64), Err(DecodeError::TooDeep { at, depth_max: 64 }));
    }
    let hostile = nested(100_000, &[117, 1]);
    assert!(Reader::new(&hostile).skip_any(64).is_err());
}

#[test]
fn unknown_value_types_are_refused() {
    for tag in (0..=115).chain(128..=255) {
        assert_eq!(
            Reader::new(&[tag]).skip_any(64),
            Err(DecodeError::UnknownTag { what: "value type", tag: tag.into(), at: 0 })
        );
    }
}
