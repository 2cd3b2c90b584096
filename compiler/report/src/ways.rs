//! How the steps of a line are made, and how else they could be.

use crate::report::{Alternative, Group};

/// Steps of one kind that are made in one way, and the next best one.
pub struct Ways {
    pub step: &'static str,
    pub count: u64,
    pub taken: Alternative,
    pub other: Alternative,
}

/// Whatever their rings; in order of appearance.
pub fn ways(groups: &[Group]) -> Vec<Ways> {
    let mut all: Vec<Ways> = vec![];
    for group in groups {
        let find = |taken| group.alternatives.iter().find(|one| one.taken == taken);
        let (Some(taken), Some(other)) = (find(true), find(false)) else { continue };
        let same = |ways: &&mut Ways| (ways.step, ways.taken.way, ways.other.way) == (group.step, taken.way, other.way);
        match all.iter_mut().find(same) {
            Some(ways) => {
                ways.count += group.count;
                add(&mut ways.taken, taken);
                add(&mut ways.other, other);
            }
            None => all.push(Ways { step: group.step, count: group.count, taken: taken.clone(), other: other.clone() }),
        }
    }
    all
}

fn add(sum: &mut Alternative, one: &Alternative) {
    sum.online_bytes += one.online_bytes;
    sum.offline_bytes += one.offline_bytes;
}
