//! What a party holds of each correlation. `a`, `b`, `r` are uniform masks; `[v]` is this party's share of `v`.

use crate::packed::{Packed, Planes};

/// `r·W = c1 + s0` for a factor `W` of the server.
pub enum StaticProduct {
    /// `s0`.
    Server { product: Packed },
    /// `r` and `c1`.
    Client { mask: Packed, product: Packed },
}

/// The server's mask `a`, the client's mask `b`, and `[a·b]`.
pub struct CrossProduct {
    /// `a` at the server, `b` at the client.
    pub mask: Packed,
    pub product: Packed,
}

/// `[a]`, `[b]`, `[a·b]`.
pub struct Triple {
    pub a: Packed,
    pub b: Packed,
    pub product: Packed,
}

/// `[a]`, `[a²]`.
pub struct SquarePair {
    pub a: Packed,
    pub square: Packed,
}

/// One plane of `r0` at the server, of `r1` at the client; `[r0·r1]`, additive.
pub struct Wrap {
    pub mask: Planes,
    pub product: Packed,
}

/// Masks for the carry of a comparison, and their products.
pub struct Comparison {
    /// The ring compared in.
    pub bits: u32,
    /// First `bits - 1` planes that this party knows (`alpha` at the server, `beta` at the client). Then, for each pair
    /// of the carry tree, shares of `a`, `b`, `c`; no `c` for the lowest pair of a level.
    pub masks: Planes,
    /// Shares. For each digit of two bits: `alpha1·beta1`, `alpha0·beta0`, `alpha1·beta0`, `alpha0·beta1`,
    /// `alpha1·alpha0·beta0`, `alpha0·beta1·beta0`; for a top digit of one bit `alpha·beta`. Then `a·b`, `a·c` for each
    /// pair, no `a·c` for the lowest of a level.
    pub products: Planes,
}

/// Bits: planes of `[a]`, `[b]`; a plane of `[a·b]`.
pub struct BitTriple {
    pub factors: Planes,
    pub product: Planes,
}

/// A random bit, shared by exclusive or and additively.
pub struct SharedBit {
    pub bit: Planes,
    pub share: Packed,
}

/// A random bit `rho` shared both ways, `[a]` and `[rho·a]`.
pub struct GateMask {
    pub bit: Planes,
    pub share: Packed,
    pub mask: Packed,
    pub product: Packed,
}

/// Tables rotated by a secret: entry `j + r` of the shared table is entry `j` of the public one, modulo its length.
pub struct RotatedTables {
    pub index_bits: u32,
    /// `[r]`.
    pub rotation: Packed,
    /// For each output, `2^index_bits` entries of each element.
    pub tables: Vec<Packed>,
}

/// Any correlation; a step takes the kind it needs.
pub enum Held {
    StaticProduct(StaticProduct),
    CrossProduct(CrossProduct),
    Triple(Triple),
    SquarePair(SquarePair),
    Wrap(Wrap),
    Comparison(Comparison),
    BitTriple(BitTriple),
    SharedBit(SharedBit),
    GateMask(GateMask),
    RotatedTables(RotatedTables),
}

macro_rules! taken_as {
    ($($kind:ident),*) => {$(
        impl TryFrom<Held> for $kind {
            type Error = Held;

            fn try_from(held: Held) -> Result<$kind, Held> {
                match held {
                    Held::$kind(correlation) => Ok(correlation),
                    other => Err(other),
                }
            }
        }
    )*};
}

taken_as!(
    StaticProduct,
    CrossProduct,
    Triple,
    SquarePair,
    Wrap,
    Comparison,
    BitTriple,
    SharedBit,
    GateMask,
    RotatedTables
);

impl Held {
    pub fn kind(&self) -> &'static str {
        match self {
            Held::StaticProduct(_) => "a static product",
            Held::CrossProduct(_) => "a cross product",
            Held::Triple(_) => "a triple",
            Held::SquarePair(_) => "a square pair",
            Held::Wrap(_) => "a wrap bit",
            Held::Comparison(_) => "a comparison",
            Held::BitTriple(_) => "a bit triple",
            Held::SharedBit(_) => "a shared bit",
            Held::GateMask(_) => "a gate",
            Held::RotatedTables(_) => "rotated tables",
        }
    }
}
