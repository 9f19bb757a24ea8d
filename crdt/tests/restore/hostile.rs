//! Documents that nobody would make to be of use.

use synapti_protocol::{
    lib0::write_var_uint,
    update::{UpdateWriter, scan},
};

use crate::support::{load, restore};

/// Maps within maps, each the value of the key `k` in the one before; deeper than a stack could follow.
fn nested(depth: u32) -> Vec<u8> {
    const ITEM_WITH_KEY: u8 = 0x27;
    let mut structs = Vec::new();
    for level in 0..depth {
        structs.push(ITEM_WITH_KEY);
        if level == 0 {
            structs.extend([1, 1, b'm']);
        } else {
            structs.extend([0, 1]);
            write_var_uint(&mut structs, u64::from(level - 1));
        }
        structs.extend([1, b'k', 1]);
    }
    let mut writer = UpdateWriter::new();
    writer.section(1, 0, depth, [structs.as_slice()]);
    writer.finish()
}

#[test]
fn types_nested_deeper_than_a_stack() {
    const DEPTH: u32 = 200_000;
    let older = nested(DEPTH);
    let mut replica = load(&[[0, 0]]);
    let published = restore(&mut replica, &older).unwrap();
    let view = scan(&published).unwrap();
    assert_eq!(view.struct_count(), DEPTH as usize);
    // The copy is compared level by level, and found to be the same.
    assert_eq!(restore(&mut replica, &older), None);
}
