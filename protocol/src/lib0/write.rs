//! Writers append to a vector that the caller has sized.

/// Appends an unsigned number. lib0 readers refuse numbers above 2^53 − 1.
pub fn write_var_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number; the first byte holds the sign and six bits.
pub fn write_var_int(out: &mut Vec<u8>, value: i64) {
    let sign = if value < 0 { 0x40 } else { 0 };
    let magnitude = value.unsigned_abs();
    let first = sign | (magnitude & 0x3f) as u8;
    if magnitude < 0x40 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        write_var_uint(out, magnitude >> 6);
    }
}

/// Appends bytes with their length in front.
pub fn write_var_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_var_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a string with its length in bytes in front.
pub fn write_var_str(out: &mut Vec<u8>, text: &str) {
    write_var_bytes(out, text.as_bytes());
}

/// Bytes that [`write_var_uint`] takes for `value`.
pub const fn var_uint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
