//! Where the boxes of a drawing stand: in rows, each below all that it reads, and near to it. An edge over several rows has
//! a place of its own in each that it passes.

pub const BOX_WIDTH: f64 = 196.0;
pub const BOX_HEIGHT: f64 = 66.0;
/// Of an edge that passes a row.
const LANE_WIDTH: f64 = 14.0;
const GAP_X: f64 = 22.0;
const GAP_Y: f64 = 30.0;
const MARGIN: f64 = 12.0;

pub struct Layout {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Box>,
    /// For each edge the points that it passes, from the foot of the one box to the head of the other.
    pub routes: Vec<Vec<(f64, f64)>>,
}

/// The upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Box {
    pub x: f64,
    pub y: f64,
}

/// A place in a row: a box, or an edge that passes.
struct Spot {
    row: usize,
    width: f64,
    /// The middle.
    x: f64,
}

/// Sweeps that bring places near to what they are joined with.
const SWEEPS: usize = 8;

/// Boxes are in an order in which edges point ahead; those that point back, where a line reads what came of itself, have no
/// route.
pub fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    let rank = ranks(count, edges);
    let mut spots: Vec<Spot> = rank.iter().map(|&row| Spot { row, width: BOX_WIDTH, x: 0.0 }).collect();
    let mut chains: Vec<Vec<usize>> = vec![];
    for &(from, to) in edges {
        let mut chain = vec![from];
        if from < to {
            for row in rank[from] + 1..rank[to] {
                chain.push(spots.len());
                spots.push(Spot { row, width: LANE_WIDTH, x: 0.0 });
            }
            chain.push(to);
        }
        chains.push(chain);
    }
    let joined: Vec<(usize, usize)> =
        chains.iter().flat_map(|chain| chain.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    arrange(&mut spots, &joined);
    let left = spots.iter().map(|spot| spot.x - spot.width / 2.0).fold(f64::INFINITY, f64::min);
    let right = spots.iter().map(|spot| spot.x + spot.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let x = |at: usize| (spots[at].x - left + MARGIN).round();
    let y = |at: usize| MARGIN + spots[at].row as f64 * (BOX_HEIGHT + GAP_Y);
    let route = |chain: &Vec<usize>| match chain.as_slice() {
        [from, between @ .., to] => {
            let passed = between.iter().flat_map(|&at| [(x(at), y(at)), (x(at), y(at) + BOX_HEIGHT)]);
            let foot = (x(*from), y(*from) + BOX_HEIGHT);
            std::iter::once(foot).chain(passed).chain([(x(*to), y(*to))]).collect()
        }
        _ => vec![],
    };
    let rows = spots.iter().map(|spot| spot.row + 1).max().unwrap_or(0) as f64;
    Layout {
        width: (if count == 0 { 0.0 } else { right - left } + 2.0 * MARGIN).round(),
        height: ((rows * (BOX_HEIGHT + GAP_Y) - GAP_Y).max(0.0) + 2.0 * MARGIN).round(),
        boxes: (0..count).map(|at| Box { x: x(at) - BOX_WIDTH / 2.0, y: y(at) }).collect(),
        routes: chains.iter().map(route).collect(),
    }
}

/// The row of each box.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut rank = vec![0; count];
    for to in 0..count {
        let before = edges.iter().filter(|edge| edge.1 == to && edge.0 < to).map(|edge| rank[edge.0] + 1);
        rank[to] = before.max().unwrap_or(0);
    }
    // What nothing comes before stands right above what reads it.
    for at in (0..count).rev() {
        let below = edges.iter().filter(|edge| edge.0 == at && edge.1 > at).map(|edge| rank[edge.1]).min();
        if let (Some(below), false) = (below, edges.iter().any(|edge| edge.1 == at)) {
            rank[at] = usize::saturating_sub(below, 1);
        }
    }
    rank
}

/// Orders each row by where its neighbours stand, down and up in turn.
fn arrange(spots: &mut [Spot], joined: &[(usize, usize)]) {
    let mut rows: Vec<Vec<usize>> = vec![vec![]; spots.iter().map(|spot| spot.row + 1).max().unwrap_or(0)];
    (0..spots.len()).for_each(|at| rows[spots[at].row].push(at));
    for row in &rows {
        let wanted: Vec<(f64, usize)> = row.iter().map(|&at| (0.0, at)).collect();
        spread(&wanted, spots);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> = if down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for row in order {
            let near = |at: usize| {
                let others: Vec<f64> = joined
                    .iter()
                    .filter_map(|&(from, to)| match down {
                        true => (to == at).then_some(spots[from].x),
                        false => (from == at).then_some(spots[to].x),
                    })
                    .collect();
                if others.is_empty() { spots[at].x } else { others.iter().sum::<f64>() / others.len() as f64 }
            };
            let mut wanted: Vec<(f64, usize)> = rows[row].iter().map(|&at| (near(at), at)).collect();
            wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            rows[row] = wanted.iter().map(|(_, at)| *at).collect();
            spread(&wanted, spots);
        }
    }
}

/// Places of a row where they want to be, in order, pushed apart and then moved so that their middle stays.
fn spread(wanted: &[(f64, usize)], spots: &mut [Spot]) {
    let (mut placed, mut edge) = (vec![], f64::NEG_INFINITY);
    for &(want, at) in wanted {
        let half = spots[at].width / 2.0;
        let x = want.max(edge + half);
        edge = x + half + GAP_X;
        placed.push(x);
    }
    let shift = wanted.iter().zip(&placed).map(|((want, _), x)| want - x).sum::<f64>() / wanted.len().max(1) as f64;
    wanted.iter().zip(placed).for_each(|((_, at), x)| spots[*at].x = x + shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stand_below_what_they_read_and_beside_each_other() {
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 1), (3, 4)];
        let Layout { width, height, boxes, routes } = layout(5, &edges);
        for (&(from, to), route) in edges.iter().zip(&routes) {
            assert_eq!(route.is_empty(), from > to);
            if from < to {
                assert!(boxes[from].y < boxes[to].y, "{from} {to}");
                assert!(route.windows(2).all(|pair| pair[0].1 < pair[1].1), "{route:?}");
            }
        }
        // The long edge passes beside the boxes of the row between.
        let passed = routes[4][1].0;
        assert!([1, 2].iter().all(|&at: &usize| !(boxes[at].x..boxes[at].x + BOX_WIDTH).contains(&passed)));
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
