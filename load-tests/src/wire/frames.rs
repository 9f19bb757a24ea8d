//! WebSocket frames in a stream of bytes.

use std::io::Cursor;

use anyhow::{bail, ensure};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// Bytes of the largest frame that is read: the largest map that a server keeps, and some.
pub const FRAME_BYTES_MAX: u64 = 128 << 20;

/// Bytes that are kept for the next frame that arrives in parts; a larger buffer is given back.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What a server sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message.
    Binary(&'a [u8]),
    /// Wants an answer with the same bytes.
    Ping(&'a [u8]),
    /// Nothing to do about it.
    Pong,
    /// The end: code and reason.
    Close(u16, String),
}

/// Cuts a stream of bytes into frames. Frames that arrived whole are not copied.
#[derive(Default)]
pub struct Deframer {
    /// The beginning of a frame whose rest has not arrived.
    partial: Vec<u8>,
}

impl Deframer {
    /// Takes the next bytes in and hands on the frames that are whole.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Frame<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while !self.partial.is_empty() {
            let head = Head::parse(&self.partial)?;
            // Without a whole header the frame's length is not known: one byte more, then look again.
            let wanted = head.as_ref().map_or(self.partial.len() + 1, |head| head.len);
            let more = (wanted - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            if let Some(head) = head
                && self.partial.len() == head.len
            {
                take(head.frame(&self.partial)?)?;
                self.partial.clear();
                self.partial.shrink_to(KEPT_BYTES_MAX);
            } else if more == 0 {
                return Ok(());
            }
        }
        while let Some(head) = Head::parse(bytes)?
            && head.len <= bytes.len()
        {
            let (frame, rest) = bytes.split_at(head.len);
            take(head.frame(frame)?)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

/// What a frame's header says.
struct Head {
    opcode: OpCode,
    /// Of the header.
    header_len: usize,
    /// Of header and payload.
    len: usize,
}

impl Head {
    /// `None` when the header is not whole.
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut cursor = Cursor::new(bytes);
        let Some((header, payload_len)) = FrameHeader::parse(&mut cursor)? else { return Ok(None) };
        ensure!(header.mask.is_none(), "the server masks its frames, which only clients do");
        ensure!(header.is_final, "the server sends a message in parts, which Synapti does not");
        ensure!(payload_len <= FRAME_BYTES_MAX, "the server announces a frame of {payload_len} bytes");
        let header_len = cursor.position() as usize;
        Ok(Some(Self { opcode: header.opcode, header_len, len: header_len + payload_len as usize }))
    }

    fn frame<'a>(&self, bytes: &'a [u8]) -> anyhow::Result<Frame<'a>> {
        let payload = &bytes[self.header_len..];
        Ok(match self.opcode {
            OpCode::Data(Data::Binary) => Frame::Binary(payload),
            OpCode::Control(Control::Ping) => Frame::Ping(payload),
            OpCode::Control(Control::Pong) => Frame::Pong,
            OpCode::Control(Control::Close) => {
                // 1005: no code was given.
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                Frame::Close(code, String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned())
            }
            opcode => bail!("the server sends a {opcode} frame: it is not a Synapti server"),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame as Encoder};

    use super::*;

    fn encoded(frames: impl IntoIterator<Item = Encoder>) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames.into_iter().for_each(|frame| frame.format(&mut bytes).unwrap());
        bytes
    }

    fn binary(payload: &[u8]) -> Encoder {
        Encoder::message(payload.to_vec(), OpCode::Data(Data::Binary), true)
    }

    fn read(parts: &[&[u8]]) -> anyhow::Result<Vec<String>> {
        let (mut deframer, mut found) = (Deframer::default(), Vec::new());
        for part in parts {
            deframer.feed(part, |frame| {
                found.push(match frame {
                    Frame::Binary(payload) => format!("binary {} {:?}", payload.len(), payload.last()),
                    other => format!("{other:?}"),
                });
                Ok(())
            })?;
        }
        Ok(found)
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let close = CloseFrame { code: 1012.into(), reason: "restarting".into() };
        let sizes = [0, 1, 125, 126, 300, 70_000];
        let mut frames: Vec<Encoder> = sizes.iter().map(|&size| binary(&vec![size as u8; size])).collect();
        frames.extend([Encoder::ping(&b"?"[..]), Encoder::pong(&b""[..]), Encoder::close(Some(close))]);
        let bytes = encoded(frames);
        let whole = read(&[&bytes]).unwrap();
        assert_eq!(whole[..3], ["binary 0 None", "binary 1 Some(1)", "binary 125 Some(125)"]);
        assert_eq!(whole[6..], ["Ping([63])", "Pong", "Close(1012, \"restarting\")"]);
        for cut in [1, 2, 3, 7, 1000, 65_536] {
            assert_eq!(read(&bytes.chunks(cut).collect::<Vec<_>>()).unwrap(), whole, "in parts of {cut} bytes");
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_an_error() {
        let text = Encoder::message(&b"hello"[..], OpCode::Data(Data::Text), true);
        let part = Encoder::message(&b"hel"[..], OpCode::Data(Data::Binary), false);
        let mut masked = binary(b"hello");
        masked.header_mut().mask = Some([1; 4]);
        for frame in [text, part, masked] {
            assert!(read(&[&encoded([frame])]).is_err());
        }
        let huge = [&[0x82, 127][..], &(FRAME_BYTES_MAX + 1).to_be_bytes()].concat();
        assert!(read(&[&huge]).is_err());
    }
}
