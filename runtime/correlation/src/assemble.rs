//! Correlations from their wire forms: the one place that knows in which order a party's parts come.

use ptc_plan::bill::{Correlation, Part};
use ptc_plan::price::{carry_digits, carry_levels};
use ptc_plan::step::Party;

use crate::packed::{Packed, Planes};
use crate::types::{
    BitTriple, Comparison, CrossProduct, GateMask, Held, PowerMask, RotatedTables, SharedBit, SquarePair,
    StaticProduct, Triple, Wrap,
};

/// A part as it is held.
pub enum Piece {
    Ring(Packed),
    Planes(Planes),
}

/// The parts of `correlation` that `party` holds. The last ones at the client, as many as
/// [`Correlation::corrections`] lists, depend on the rest; all others are uniform.
pub fn parts(correlation: &Correlation, party: Party) -> Vec<Part> {
    let ring = |count: usize, bits: u32| Part::Ring { count, bits };
    let planes = |count: usize, planes: usize| Part::Planes { count, planes };
    let server = party == Party::Server;
    let mut parts = match *correlation {
        Correlation::StaticMatMul { .. } | Correlation::StaticMul { .. } if server => vec![],
        Correlation::StaticMatMul { rows, inner, bits, .. } => vec![ring(rows * inner, bits)],
        Correlation::StaticMul { count, bits, .. } => vec![ring(count, bits)],
        Correlation::CrossMatMul { rows, inner, columns, bits } => {
            vec![ring(if server { rows * inner } else { inner * columns }, bits)]
        }
        Correlation::CrossMul { count, period, bits } => vec![ring(if server { count } else { period }, bits)],
        Correlation::MatMul { batch, rows, inner, columns, bits, .. } => {
            vec![ring(batch * rows * inner, bits), ring(batch * inner * columns, bits)]
        }
        Correlation::Mul { count, each, bits } => vec![ring(count, bits), ring(count / each.max(1), bits)],
        Correlation::Square { count, bits } => vec![ring(count, bits)],
        Correlation::Wrap { count, .. } | Correlation::BitToShare { count, .. } => vec![planes(count, 1)],
        Correlation::Compare { count, bits } => {
            let joined: usize = carry_levels(carry_digits(bits)).into_iter().map(|pairs| 3 * pairs - 1).sum();
            vec![planes(count, bits as usize - 1 + joined)]
        }
        Correlation::And { count } => vec![planes(count, 2)],
        Correlation::Gate { count, bits } => vec![planes(count, 1), ring(count, bits)],
        Correlation::Table { count, index_bits, .. } => vec![ring(count, index_bits)],
        Correlation::Exp2 { count, exp } => vec![
            ring(count, exp.index_bits),
            ring(count, exp.ring + exp.factor_frac),
            ring(count, exp.ring),
            ring(count, exp.ring),
        ],
    };
    parts.extend(correlation.corrections());
    parts
}

/// The correlation whose [`parts`] are `pieces`. Panics when they are not.
pub fn assemble(correlation: &Correlation, party: Party, pieces: Vec<Piece>) -> Held {
    let mut pieces = Pieces(pieces.into_iter());
    let held = match *correlation {
        Correlation::StaticMatMul { .. } | Correlation::StaticMul { .. } => Held::StaticProduct(match party {
            Party::Server => StaticProduct::Server { product: pieces.ring() },
            Party::Client => StaticProduct::Client { mask: pieces.ring(), product: pieces.ring() },
        }),
        Correlation::CrossMatMul { .. } | Correlation::CrossMul { .. } => {
            Held::CrossProduct(CrossProduct { mask: pieces.ring(), product: pieces.ring() })
        }
        Correlation::MatMul { .. } | Correlation::Mul { .. } => {
            Held::Triple(Triple { a: pieces.ring(), b: pieces.ring(), product: pieces.ring() })
        }
        Correlation::Square { .. } => Held::SquarePair(SquarePair { a: pieces.ring(), square: pieces.ring() }),
        Correlation::Wrap { .. } => Held::Wrap(Wrap { mask: pieces.planes(), product: pieces.ring() }),
        Correlation::Compare { bits, .. } => {
            Held::Comparison(Comparison { bits, masks: pieces.planes(), products: pieces.planes() })
        }
        Correlation::And { .. } => Held::BitTriple(BitTriple { factors: pieces.planes(), product: pieces.planes() }),
        Correlation::BitToShare { .. } => Held::SharedBit(SharedBit { bit: pieces.planes(), share: pieces.ring() }),
        Correlation::Gate { .. } => {
            let (bit, mask) = (pieces.planes(), pieces.ring());
            Held::GateMask(GateMask { bit, mask, share: pieces.ring(), product: pieces.ring() })
        }
        Correlation::Table { index_bits, ref rings, .. } => Held::RotatedTables(RotatedTables {
            index_bits,
            rotation: pieces.ring(),
            tables: rings.iter().map(|_| pieces.ring()).collect(),
        }),
        Correlation::Exp2 { exp, .. } => {
            let (rotation, factor, a, b) = (pieces.ring(), pieces.ring(), pieces.ring(), pieces.ring());
            let table = RotatedTables { index_bits: exp.index_bits, rotation, tables: vec![pieces.ring()] };
            let factors = CrossProduct { mask: factor, product: pieces.ring() };
            Held::PowerMask(PowerMask { table, factors, triple: Triple { a, b, product: pieces.ring() } })
        }
    };
    assert!(pieces.0.next().is_none(), "more parts than a correlation has");
    held
}

struct Pieces(std::vec::IntoIter<Piece>);

impl Pieces {
    fn ring(&mut self) -> Packed {
        match self.0.next() {
            Some(Piece::Ring(packed)) => packed,
            _ => panic!("a correlation lacks ring elements"),
        }
    }

    fn planes(&mut self) -> Planes {
        match self.0.next() {
            Some(Piece::Planes(planes)) => planes,
            _ => panic!("a correlation lacks planes"),
        }
    }
}
