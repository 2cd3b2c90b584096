//! Homomorphic encryption.
