//! The room that a label is assumed to take.
//!
//! A title is set in lines of at most 14 columns (a wide character takes two), at most three of them; what is longer
//! ends in an ellipsis until the node is looked at. The label is centred on its node and at least as wide as that.

/// Width of a column, in the units of the layout.
const COLUMN_WIDTH: f64 = 0.1;
/// Height of a line.
const LINE_HEIGHT: f64 = 0.22;
const COLUMNS_MAX: usize = 14;
const LINES_MAX: usize = 3;
/// Nodes larger than this get no more room: a size is a free number, and one must not push all others away.
const SIZE_MAX: f64 = 8.0;
/// Air around a label. It also makes up for positions being rounded to two decimals.
const MARGIN: f64 = 0.02;

/// A rectangle in the x–z plane, centred on the node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelBox {
    /// Extent along x.
    pub width: f64,
    /// Extent along z.
    pub height: f64,
}

/// The box of a node with this title and size (the diameter of its ball).
pub fn label_box(title: &str, size: f64) -> LabelBox {
    let columns_max = COLUMNS_MAX * LINES_MAX;
    let columns: usize = title.chars().take(columns_max).map(columns_of).sum();
    let lines = columns.div_ceil(COLUMNS_MAX).clamp(1, LINES_MAX);
    // The ball is round: a square inside its outline already has the ball's own half diagonal.
    let ball = size.clamp(0.0, SIZE_MAX) / std::f64::consts::SQRT_2;
    LabelBox {
        width: ball.max(columns.min(COLUMNS_MAX) as f64 * COLUMN_WIDTH),
        height: ball.max(lines as f64 * LINE_HEIGHT),
    }
}

impl LabelBox {
    /// The radius of a disc that holds the box however it is turned, with a little air.
    pub fn radius(&self) -> f64 {
        self.width.hypot(self.height) / 2.0 + MARGIN
    }

    /// Whether two boxes with these centres (x, z) share any area.
    pub fn overlaps(&self, center: [f64; 2], other: &Self, other_center: [f64; 2]) -> bool {
        let [x, z] = center;
        let [other_x, other_z] = other_center;
        (x - other_x).abs() < f64::midpoint(self.width, other.width)
            && (z - other_z).abs() < f64::midpoint(self.height, other.height)
    }
}

/// Two columns for the scripts that are set wide and for pictographs.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
