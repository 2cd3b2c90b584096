//! Products by homomorphic encryption: parameters, windows, bytes.

/// `X[batch, rows, inner] · W` in `Z_2^bits`. The client encrypts `X`; the server knows `W`, one `[inner, columns]` for each
/// of the batch, of at most `factor_bits` bits as signed numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    pub batch: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
    pub bits: u32,
    pub factor_bits: u32,
}
