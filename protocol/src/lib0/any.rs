//! lib0's tagged values: JSON and a little more (`undefined`, bytes, 64-bit integers).

use super::Reader;
use crate::DecodeError;

impl Reader<'_> {
    /// Steps over one `Any` value, checking all of it. Refuses one with more than `depth_max` levels of arrays
    /// and maps, which readers decode by recursion.
    pub fn skip_any(&mut self, depth_max: u32) -> Result<(), DecodeError> {
        self.skip_any_within(depth_max, depth_max)
    }

    fn skip_any_within(&mut self, levels_left: u32, depth_max: u32) -> Result<(), DecodeError> {
        let at = self.position();
        match self.u8()? {
            // undefined, null, false, true
            127 | 126 | 121 | 120 => {}
            // integer
            125 => {
                self.var_int()?;
            }
            // float32
            124 => {
                self.take(4)?;
            }
            // float64, 64-bit integer
            123 | 122 => {
                self.take(8)?;
            }
            // string
            119 => {
                self.var_str()?;
            }
            // map: a key takes at least its length byte, a value at least its tag
            118 => {
                let levels_left = one_level_down(levels_left, depth_max, at)?;
                for _ in 0..self.count(2)? {
                    self.var_str()?;
                    self.skip_any_within(levels_left, depth_max)?;
                }
            }
            // array
            117 => {
                let levels_left = one_level_down(levels_left, depth_max, at)?;
                for _ in 0..self.count(1)? {
                    self.skip_any_within(levels_left, depth_max)?;
                }
            }
            // bytes
            116 => {
                self.var_bytes()?;
            }
            tag => {
                return Err(DecodeError::UnknownTag { what: "value type", tag: tag.into(), at });
            }
        }
        Ok(())
    }
}

fn one_level_down(levels_left: u32, depth_max: u32, at: usize) -> Result<u32, DecodeError> {
    levels_left.checked_sub(1).ok_or(DecodeError::TooDeep { at, depth_max })
}
