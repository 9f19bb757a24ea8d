//! Several messages behind each other, each with its length in front (lib0 `varUint8Array`): what clients that poll send
//! and are sent in one body.

use crate::{
    DecodeError,
    lib0::{Reader, var_uint_len, write_var_uint},
};

/// The messages of a body, in order. Borrows; ends after the first error.
pub fn messages(body: &[u8]) -> impl Iterator<Item = Result<&[u8], DecodeError>> {
    let mut reader = Some(Reader::new(body));
    std::iter::from_fn(move || {
        let left = reader.as_mut().filter(|left| !left.is_empty())?;
        let message = left.var_bytes();
        if message.is_err() {
            reader = None;
        }
        Some(message)
    })
}

/// What stands in front of a message of so many bytes.
pub fn header(message_bytes: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(var_uint_len(message_bytes as u64));
    write_var_uint(&mut header, message_bytes as u64);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(messages: &[&[u8]]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&header(message.len()), *message].concat()).collect()
    }

    #[test]
    fn messages_come_back_in_order() {
        let long = vec![7; 300];
        let sent: [&[u8]; 4] = [&[0, 0, 1, 0], &[], &long, &[1]];
        let body = bundle(&sent);
        assert_eq!(messages(&body).collect::<Result<Vec<_>, _>>().unwrap(), sent);
        assert_eq!(messages(&[]).count(), 0);
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_the_end() {
        let body = bundle(&[&[1, 2, 3], &[4, 5]]);
        let read: Vec<_> = messages(&body[..body.len() - 1]).collect();
        assert_eq!(read[0], Ok(&[1, 2, 3][..]));
        assert!(read[1].is_err() && read.len() == 2);
        assert!(messages(&[0xff; 9]).next().unwrap().is_err());
    }
}
