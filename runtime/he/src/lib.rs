//! RLWE homomorphic encryption: the client has the key, the server computes on what it cannot read.
//!
//! Plaintexts are polynomials over `Z_2^k`, `k <= 64`, modulo `x^N + 1`; a ciphertext is `(c0, c1)` modulo a product `Q` of
//! primes with `c0 + c1·s = round(Q·m / 2^k) + e` for the secret `s`. This room knows no channel and no plan of a query: it
//! turns values into messages and back.

mod accumulate;
mod aligned;
pub mod automorphism;
pub mod basis;
pub mod elementwise;
pub mod encrypt;
pub mod keys;
pub mod ntt;
pub mod polynomial;
pub mod prime;
pub mod product;
mod residues;
pub mod sample;
pub mod switch;
pub mod wire;

pub use accumulate::{Accumulator, dot};
pub use basis::Basis;
pub use polynomial::{Coefficients, Polynomial, Slots};
