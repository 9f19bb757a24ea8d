//! Which places are taken, in cells of the plane.

use std::collections::HashMap;

const CELL: f64 = 2.0;
/// Of more placed nodes in one cell than this, the rest get no entry: people put them on top of each other, and each
/// costs every look into the cell.
const CELL_PLACED_MAX: usize = 32;

#[derive(Default)]
pub(super) struct Grid {
    cells: HashMap<[i64; 2], Vec<([f64; 2], f64)>>,
    largest: f64,
}

impl Grid {
    /// Enters a label that the layout has placed.
    pub fn insert(&mut self, center: [f64; 2], radius: f64) {
        self.largest = self.largest.max(radius);
        let labels = self.cells.entry(center.map(cell)).or_default();
        labels.push((center, radius));
    }

    /// Enters a label that somebody has placed.
    pub fn insert_placed(&mut self, center: [f64; 2], radius: f64) {
        let labels = self.cells.get(&center.map(cell)).map_or(0, Vec::len);
        if labels < CELL_PLACED_MAX {
            self.insert(center, radius);
        }
    }

    /// Whether a label of this radius touches none that is here.
    pub fn is_clear(&self, center: [f64; 2], radius: f64) -> bool {
        let reach = radius + self.largest;
        let [x, z] = center;
        (cell(x - reach)..=cell(x + reach)).all(|column| {
            (cell(z - reach)..=cell(z + reach)).all(|row| {
                self.cells.get(&[column, row]).is_none_or(|labels| {
                    labels.iter().all(|([other_x, other_z], other)| (x - other_x).hypot(z - other_z) >= radius + other)
                })
            })
        })
    }
}

fn cell(coordinate: f64) -> i64 {
    (coordinate / CELL).floor() as i64
}
