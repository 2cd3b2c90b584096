//! What the two parties send each other in making a query's correlations, round by round.
//!
//! A batch takes part in two rounds that follow each other. In the first, the transfers that the stocks lack are extended,
//! by one message in each direction, and the client sends its encrypted factors; in the second, both parties send their
//! corrections, while the next batch is in its first. The server answers encrypted factors [`ANSWER_LAG`] rounds after
//! they came: until then it computes beside everything else. Wrap bits of elementwise products are opened when both
//! parties have had time for the answers.

use super::piece::Batch;
use super::transfer::Extension;

/// Rounds between an encrypted factor and its answer.
pub const ANSWER_LAG: usize = 2;

/// Rounds between extending transfers and sending what they are turned into.
pub const CORRECTION_LAG: usize = 1;

/// Rounds between an encrypted factor and the wrap bits of its product.
pub const WRAP_LAG: usize = ANSWER_LAG + 2;

/// Transfers that were extended and not used, by the sender's [`crate::step::Party::index`].
pub type Stock = [usize; 2];

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Transfers that are added to the stocks, by who sends in them.
    pub extended: [usize; 2],
    /// The batch whose corrections both parties send.
    pub corrected: Option<usize>,
    /// The batch whose encrypted factors the client sends.
    pub encrypted: Option<usize>,
    /// The batch whose encrypted products the server sends.
    pub multiplied: Option<usize>,
    /// The batch whose wrap bits both parties open.
    pub wrapped: Option<usize>,
}

/// The rounds of one query's `batches`, given what stands in stock; `stock` is left as the query leaves it.
pub fn schedule(batches: &[Batch], extension: Extension, stock: &mut Stock) -> Vec<Round> {
    let last = batches.iter().enumerate().map(|(at, batch)| at + batch.lag()).max();
    let mut rounds = vec![Round::default(); last.map_or(0, |last| last + 1)];
    for (at, batch) in batches.iter().enumerate() {
        let needed = batch.transfers().map(|share| share.transfers);
        for sender in 0..2 {
            let made = match needed[sender].checked_sub(stock[sender]) {
                None | Some(0) => 0,
                Some(lacking) => extension.yields(lacking),
            };
            stock[sender] = stock[sender] + made - needed[sender];
            rounds[at].extended[sender] = made;
        }
        rounds[at + CORRECTION_LAG].corrected = Some(at);
        if batch.lag() >= ANSWER_LAG {
            rounds[at].encrypted = Some(at);
            rounds[at + ANSWER_LAG].multiplied = Some(at);
        }
        if batch.lag() >= WRAP_LAG {
            rounds[at + WRAP_LAG].wrapped = Some(at);
        }
    }
    rounds
}

impl Batch {
    /// Rounds from the first to the last that the batch takes part in.
    fn lag(&self) -> usize {
        if self.slotwise().next().is_some() {
            WRAP_LAG
        } else if !self.products().is_empty() {
            ANSWER_LAG
        } else {
            CORRECTION_LAG
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Correlation;
    use crate::step::Method;
    use crate::two_party::piece::{Piece, pieces};
    use crate::two_party::products;

    fn batch(correlations: &[Correlation]) -> Batch {
        let piece = |correlation: &Correlation| {
            let method = if products(correlation).is_empty() { Method::Transfers } else { Method::Encrypted };
            Piece { step: 0, place: 0, correlation: correlation.clone(), method }
        };
        Batch { pieces: correlations.iter().map(piece).collect() }
    }

    #[test]
    fn batches_follow_each_other() {
        let product = Correlation::CrossMatMul { rows: 4, inner: 4, columns: 4, bits: 30 };
        let wraps = |count| Correlation::Wrap { count, bits: 9 };
        let batches = [batch(&[wraps(100), product]), batch(&[wraps(50)]), batch(&[wraps(7)])];
        let mut stock = Stock::default();
        let rounds = schedule(&batches, Extension::Subfield { bits: 1 }, &mut stock);
        let round = |extended: usize, corrected, encrypted, multiplied| Round {
            extended: [extended, 0],
            corrected,
            encrypted,
            multiplied,
            wrapped: None,
        };
        let expected = [
            round(100, None, Some(0), None),
            round(50, Some(0), None, None),
            round(7, Some(1), None, Some(0)),
            round(0, Some(2), None, None),
        ];
        assert_eq!(rounds, expected);
        assert_eq!(stock, [0, 0]);
        assert!(schedule(&[], Extension::Silent, &mut stock).is_empty());
    }

    #[test]
    fn stocks_last_from_query_to_query() {
        let batches = [batch(&[Correlation::And { count: 300_000 }])];
        let (mut stock, mut made, mut used) = (Stock::default(), [0; 2], 0);
        for _ in 0..7 {
            let rounds = schedule(&batches, Extension::Silent, &mut stock);
            rounds.iter().for_each(|round| (0..2).for_each(|sender| made[sender] += round.extended[sender]));
            used += 300_000;
            assert_eq!(stock, made.map(|made| made - used));
            assert!(stock.iter().all(|left| *left < Extension::Silent.yields(1)));
        }
    }

    #[test]
    fn pieces_are_whole_words_of_all_elements() {
        for count in [0, 1, 64, 1_000_003] {
            for whole in [Correlation::Compare { count, bits: 18 }, Correlation::Gate { count, bits: 37 }] {
                let counts: Vec<usize> = pieces(&whole, Method::Transfers)
                    .iter()
                    .map(|piece| match *piece {
                        Correlation::Compare { count, .. } | Correlation::Gate { count, .. } => count,
                        _ => panic!("a piece of another kind"),
                    })
                    .collect();
                assert_eq!(counts.iter().sum::<usize>(), count);
                assert!(counts[..counts.len() - 1].iter().all(|count| count % 64 == 0), "{counts:?}");
            }
        }
    }
}
