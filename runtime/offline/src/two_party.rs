//! The two parties alone as the source of correlations.

mod bits;
mod comparison;
mod made;
mod piece;
mod product;
mod rotation;
mod transfers;
mod triple;
#[cfg(test)]
mod tests;
