//! Where the boxes of a drawing stand: in rows, each below all that it reads, and near to it.

pub const BOX_WIDTH: f64 = 196.0;
pub const BOX_HEIGHT: f64 = 66.0;
const GAP_X: f64 = 22.0;
const GAP_Y: f64 = 34.0;
const MARGIN: f64 = 12.0;

pub struct Layout {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Box>,
}

/// The upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Box {
    pub x: f64,
    pub y: f64,
}

impl Box {
    pub fn head(&self) -> (f64, f64) {
        (self.x + BOX_WIDTH / 2.0, self.y)
    }

    pub fn foot(&self) -> (f64, f64) {
        (self.x + BOX_WIDTH / 2.0, self.y + BOX_HEIGHT)
    }
}

/// Sweeps that bring boxes near to what they read and what reads them.
const SWEEPS: usize = 4;

/// Edges that point back, where a line reads what came of itself, do not count.
pub fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    let edges: Vec<(usize, usize)> = edges.iter().copied().filter(|(from, to)| from < to).collect();
    let mut rank = vec![0usize; count];
    for to in 0..count {
        rank[to] = edges.iter().filter(|edge| edge.1 == to).map(|edge| rank[edge.0] + 1).max().unwrap_or(0);
    }
    // What nothing comes before stands right above what reads it.
    for at in (0..count).rev() {
        let below = edges.iter().filter(|edge| edge.0 == at).map(|edge| rank[edge.1]).min();
        if let (Some(below), false) = (below, edges.iter().any(|edge| edge.1 == at)) {
            rank[at] = below.saturating_sub(1);
        }
    }
    let mut rows: Vec<Vec<usize>> = vec![vec![]; rank.iter().max().map_or(0, |most| most + 1)];
    (0..count).for_each(|at| rows[rank[at]].push(at));
    rows.retain(|row| !row.is_empty());
    let mut x = vec![0.0; count];
    place(&rows, &mut x);
    for sweep in 0..2 * SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> = if down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for at in order {
            let near = |node: usize| {
                let all = edges.iter().filter_map(|&(from, to)| match down {
                    true => (to == node).then_some(x[from]),
                    false => (from == node).then_some(x[to]),
                });
                let all: Vec<f64> = all.collect();
                if all.is_empty() { x[node] } else { all.iter().sum::<f64>() / all.len() as f64 }
            };
            let mut wanted: Vec<(f64, usize)> = rows[at].iter().map(|&node| (near(node), node)).collect();
            wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            rows[at] = wanted.iter().map(|(_, node)| *node).collect();
            spread(&wanted, &mut x);
        }
    }
    let least = x.iter().copied().fold(f64::INFINITY, f64::min);
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut boxes = vec![Box { x: 0.0, y: 0.0 }; count];
    for (row, nodes) in rows.iter().enumerate() {
        for &node in nodes {
            boxes[node] = Box { x: MARGIN + x[node] - least, y: MARGIN + row as f64 * (BOX_HEIGHT + GAP_Y) };
        }
    }
    let width = if count == 0 { 0.0 } else { most - least + BOX_WIDTH } + 2.0 * MARGIN;
    let height = rows.len() as f64 * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2.0 * MARGIN;
    Layout { width: width.round(), height: height.max(2.0 * MARGIN).round(), boxes }
}

fn place(rows: &[Vec<usize>], x: &mut [f64]) {
    for row in rows {
        let half = row.len() as f64 / 2.0;
        row.iter().enumerate().for_each(|(at, &node)| x[node] = (at as f64 - half + 0.5) * (BOX_WIDTH + GAP_X));
    }
}

/// Boxes of a row at their wanted places, in order, pushed apart and then moved so that their middle stays.
fn spread(wanted: &[(f64, usize)], x: &mut [f64]) {
    let mut at: Vec<f64> = vec![];
    for (want, _) in wanted {
        let least = at.last().map_or(f64::NEG_INFINITY, |before| before + BOX_WIDTH + GAP_X);
        at.push(want.max(least));
    }
    let shift = wanted.iter().zip(&at).map(|((want, _), at)| want - at).sum::<f64>() / wanted.len().max(1) as f64;
    wanted.iter().zip(at).for_each(|((_, node), at)| x[*node] = at + shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stand_below_what_they_read_and_beside_each_other() {
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 1)];
        let Layout { width, height, boxes } = layout(5, &edges);
        for &(from, to) in edges.iter().filter(|(from, to)| from < to) {
            assert!(boxes[from].y < boxes[to].y, "{from} {to}");
        }
        for (a, first) in boxes.iter().enumerate() {
            assert!(first.x >= 0.0 && first.x + BOX_WIDTH <= width && first.y + BOX_HEIGHT <= height);
            for other in &boxes[a + 1..] {
                assert!(first.y != other.y || (first.x - other.x).abs() >= BOX_WIDTH, "{first:?} {other:?}");
            }
        }
    }

    #[test]
    fn nothing_has_a_drawing() {
        assert_eq!(layout(0, &[]).boxes, []);
    }
}
