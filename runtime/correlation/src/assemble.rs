//! Correlations from their wire forms and back: the one place that knows in which order a party's parts come.

use ptc_plan::bill::{Correlation, Part};
use ptc_plan::price::{carry_digits, carry_levels};
use ptc_plan::step::Party;

use crate::packed::{Packed, Planes};
use crate::types::{
    BitTriple, Comparison, CrossProduct, GateMask, Held, RotatedTables, SharedBit, SquarePair, StaticProduct, Triple,
    Wrap,
};

/// A part as it is held.
pub enum Piece {
    Ring(Packed),
    Planes(Planes),
}

impl Piece {
    /// Whether it has the size of `part`.
    pub fn fits(&self, part: Part) -> bool {
        match (self, part) {
            (Piece::Ring(packed), Part::Ring { count, bits }) => packed.len() == count && packed.bits() == bits,
            (Piece::Planes(planes), Part::Planes { .. }) => 8 * planes.words().len() as u64 == part.bytes(),
            _ => false,
        }
    }
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
    };
    assert!(pieces.0.next().is_none(), "more parts than a correlation has");
    held
}

/// What [`assemble`] made `held` from, in the same order.
pub fn disassemble(held: Held) -> Vec<Piece> {
    use Piece::{Planes as Bits, Ring};
    match held {
        Held::StaticProduct(StaticProduct::Server { product }) => vec![Ring(product)],
        Held::StaticProduct(StaticProduct::Client { mask, product }) => vec![Ring(mask), Ring(product)],
        Held::CrossProduct(CrossProduct { mask, product }) => vec![Ring(mask), Ring(product)],
        Held::Triple(Triple { a, b, product }) => vec![Ring(a), Ring(b), Ring(product)],
        Held::SquarePair(SquarePair { a, square }) => vec![Ring(a), Ring(square)],
        Held::Wrap(Wrap { mask, product }) => vec![Bits(mask), Ring(product)],
        Held::Comparison(Comparison { bits: _, masks, products }) => vec![Bits(masks), Bits(products)],
        Held::BitTriple(BitTriple { factors, product }) => vec![Bits(factors), Bits(product)],
        Held::SharedBit(SharedBit { bit, share }) => vec![Bits(bit), Ring(share)],
        Held::GateMask(GateMask { bit, share, mask, product }) => {
            vec![Bits(bit), Ring(mask), Ring(share), Ring(product)]
        }
        Held::RotatedTables(RotatedTables { index_bits: _, rotation, tables }) => {
            std::iter::once(rotation).chain(tables).map(Ring).collect()
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_plan::step::ValueId;
    use ptc_ring::Seed;

    /// One correlation of each kind, of a size that fills no word.
    fn every_kind() -> Vec<Correlation> {
        let (weight, count) = (ValueId(0), 67);
        vec![
            Correlation::StaticMatMul { weight, rows: 3, inner: 5, columns: 7, bits: 37, factor_bits: 12 },
            Correlation::StaticMul { weight, count, period: 1, bits: 33, factor_bits: 12 },
            Correlation::CrossMatMul { rows: 3, inner: 5, columns: 7, bits: 64 },
            Correlation::CrossMul { count, period: 67, bits: 9 },
            Correlation::MatMul { batch: 2, rows: 3, inner: 5, columns: 7, transpose_b: true, bits: 34 },
            Correlation::Mul { count: 68, each: 4, bits: 21 },
            Correlation::Square { count, bits: 40 },
            Correlation::Wrap { count, bits: 8 },
            Correlation::Compare { count, bits: 18 },
            Correlation::Compare { count, bits: 1 },
            Correlation::And { count },
            Correlation::BitToShare { count, bits: 13 },
            Correlation::Gate { count, bits: 30 },
            Correlation::Table { count, index_bits: 3, rings: vec![30, 20], values: vec![vec![0; 8]; 2] },
        ]
    }

    fn bytes(pieces: &[Piece]) -> Vec<Vec<u8>> {
        let bytes = |piece: &Piece| match piece {
            Piece::Ring(packed) => packed.bytes().to_vec(),
            Piece::Planes(planes) => planes.words().iter().flat_map(|word| word.to_le_bytes()).collect(),
        };
        pieces.iter().map(bytes).collect()
    }

    fn draw(part: Part, place: u64) -> Piece {
        let mut stream = Seed::from_bytes([9; 32]).stream(0, place);
        match part {
            Part::Ring { count, bits } => {
                Piece::Ring(Packed::from_bytes(bits, count, stream.bytes(part.bytes() as usize)))
            }
            Part::Planes { count, planes } => {
                Piece::Planes(Planes::from_words(count, planes, stream.words(part.bytes() as usize / 8)))
            }
        }
    }

    #[test]
    fn every_kind_comes_apart_into_what_it_was_made_from() {
        for correlation in every_kind() {
            for party in [Party::Server, Party::Client] {
                let drawn = || -> Vec<Piece> {
                    parts(&correlation, party).into_iter().zip(0..).map(|(part, place)| draw(part, place)).collect()
                };
                let found = disassemble(assemble(&correlation, party, drawn()));
                assert!(bytes(&found) == bytes(&drawn()), "{correlation:?} at {party:?}");
                let expected = parts(&correlation, party);
                assert!(found.iter().zip(&expected).all(|(piece, part)| piece.fits(*part)), "{correlation:?}");
            }
        }
    }
}
