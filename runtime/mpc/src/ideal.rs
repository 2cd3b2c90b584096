//! Ideal functionalities: what each protocol computes, on values in the ring, without a second party.
//!
//! Where a protocol is right to one unit, this is the floor; the protocol may be one above ([`rescale`]) or its index one
//! below ([`table`]).
