//! Transfers that were extended and not used yet.
//!
//! Both parties put in and take out the same numbers in the same order, so that what they take belongs together.

use std::collections::VecDeque;

use crate::block::Blocks;

/// One role's side of some transfers.
#[derive(Default)]
pub struct Stock {
    batches: VecDeque<Blocks>,
    /// Of the first batch.
    used: usize,
    len: usize,
}

impl Stock {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn put(&mut self, batch: Blocks) {
        self.len += batch.len();
        if !batch.is_empty() {
            self.batches.push_back(batch);
        }
    }

    /// The oldest `count`; `None` if there are not as many. A whole batch is handed on as it is.
    pub fn take(&mut self, count: usize) -> Option<Blocks> {
        self.len = self.len.checked_sub(count)?;
        if self.used == 0 && self.batches.front().is_some_and(|batch| batch.len() == count) {
            return self.batches.pop_front();
        }
        let mut taken = Blocks::zeros(count);
        let mut at = 0;
        while at < count {
            let first = self.batches.front().expect("batches hold as many as their length says");
            let run = (count - at).min(first.len() - self.used);
            taken[at..at + run].copy_from_slice(&first[self.used..self.used + run]);
            (at, self.used) = (at + run, self.used + run);
            if self.used == first.len() {
                self.batches.pop_front();
                self.used = 0;
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Block;

    #[test]
    fn transfers_leave_in_the_order_they_came() {
        let mut stock = Stock::default();
        let mut next = 0;
        for len in [5, 0, 7, 1, 100] {
            stock.put(Blocks::new((next..next + len).collect()));
            next += len;
        }
        let mut expected: Block = 0;
        for count in [0, 5, 3, 5, 0, 60] {
            let taken = stock.take(count).unwrap();
            assert_eq!(taken.len(), count);
            for block in taken.iter() {
                assert!(*block == expected);
                expected += 1;
            }
        }
        assert_eq!(stock.len(), 40);
        assert!(stock.take(41).is_none());
        assert_eq!(stock.take(40).unwrap().len(), 40);
        assert!(stock.is_empty());
    }
}
