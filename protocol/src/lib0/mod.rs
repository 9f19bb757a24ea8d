//! lib0, the encoding under every Yjs message: variable-length numbers and length-prefixed bytes.
//!
//! An unsigned number is written seven bits at a time, lowest first, with the high bit saying "more follows".
//! The formats are those of the npm package `lib0` (`encoding.js`, `decoding.js`).

mod any;
mod read;
mod write;

pub use read::Reader;
pub use write::{var_uint_len, write_var_bytes, write_var_int, write_var_str, write_var_uint};
