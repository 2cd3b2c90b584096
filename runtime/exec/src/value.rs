//! A plan's value as one party holds it.

use std::sync::{Arc, OnceLock};

use ptc_kernels::{Backend, Packed};
use ptc_plan::float::FloatTensor;
use ptc_plan::kernel::Word;
use ptc_ring::tensor::{BitShare, Share};

#[derive(Clone)]
pub enum Held {
    Clear(Arc<FloatTensor>),
    Encoded(Arc<Encoded>),
    /// The other party's clear or encoded value.
    Absent,
    Share(Arc<Share>),
    Bits(Arc<BitShare>),
}

/// A matrix or vector in the ring, and packed for products once one has asked.
pub struct Encoded {
    pub data: Vec<u64>,
    packed: [OnceLock<Packed>; 2],
}

impl Encoded {
    pub fn new(data: Vec<u64>) -> Encoded {
        Encoded { data, packed: Default::default() }
    }

    /// As the right factor `[k, n]` of products in `word`.
    pub fn packed(&self, backend: &dyn Backend, word: Word, k: usize, n: usize) -> &Packed {
        self.packed[word as usize].get_or_init(|| backend.pack(word, k, n, &self.data))
    }
}

/// A checked plan gives each step values of the forms that it takes; anything else is a mistake of this program.
impl Held {
    pub fn clear(&self) -> &Arc<FloatTensor> {
        match self {
            Held::Clear(tensor) => tensor,
            _ => panic!("a checked step reads a clear value that its party knows"),
        }
    }

    pub fn share(&self) -> &Arc<Share> {
        match self {
            Held::Share(share) => share,
            _ => panic!("a checked step reads a share"),
        }
    }

    pub fn bits(&self) -> &Arc<BitShare> {
        match self {
            Held::Bits(bits) => bits,
            _ => panic!("a checked step reads bits"),
        }
    }

    /// The encoded value, where this party knows it.
    pub fn encoded(&self) -> Option<&Arc<Encoded>> {
        match self {
            Held::Encoded(encoded) => Some(encoded),
            Held::Absent => None,
            _ => panic!("a checked step reads an encoded value"),
        }
    }
}
