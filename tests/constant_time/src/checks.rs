//! What is checked, in the order of the rooms.

mod encryption;
mod leaky;
mod protocols;
mod rings;
mod sessions;
mod transfers;
mod wire;

/// Name, whether it is meant to leak, and the function.
pub type Check = (&'static str, bool, fn());

pub const ALL: &[Check] = &[
    ("a branch on a secret", true, leaky::branch),
    ("an index by a secret", true, leaky::index),
    ("an early exit of a comparison", true, leaky::compare),
    ("a division is no branch, but a loop over a secret is", true, leaky::count),
    ("share arithmetic", false, rings::arithmetic),
    ("packing", false, rings::packing),
    ("bit planes", false, rings::planes),
    ("the generator", false, rings::generator),
    ("fixed point of numbers", false, rings::fixed),
    ("mul", false, protocols::mul),
    ("square", false, protocols::square),
    ("matmul", false, protocols::matmul),
    ("matmul by the server's factor", false, protocols::static_matmul),
    ("and", false, protocols::and),
    ("gate (multiplex)", false, protocols::gate),
    ("bit to share", false, protocols::bit_to_share),
    ("compare", false, protocols::compare),
    ("rescale (truncate)", false, protocols::rescale),
    ("maximum", false, protocols::max),
    ("table: the index that is sent", false, protocols::table_index),
    ("table: the entries that are taken", false, protocols::table_entries),
    ("scalars of base transfers", false, transfers::scalars),
    ("choices of base transfers", false, transfers::base),
    ("hashes", false, transfers::hashes),
    ("random transfers", false, transfers::random),
    ("one of many", false, transfers::one_of_many),
    ("punctured trees", false, transfers::trees),
    ("set-up and streams of transfers", false, transfers::extension),
    ("silent transfers", false, transfers::silent),
    ("sampling", false, encryption::sampling),
    ("number theoretic transforms", false, encryption::transforms),
    ("encoding and decoding", false, encryption::encoding),
    ("encryption", false, encryption::encrypt),
    ("decryption", false, encryption::decrypt),
    ("a fresh ciphertext", false, encryption::refresh),
    ("opening a product of matrices", false, encryption::open_product),
    ("answering a product of matrices", false, encryption::answer_product),
    ("answering and opening products of elements", false, encryption::elements),
    ("a session of two parties alone, with every kind of step", false, sessions::alone),
];
