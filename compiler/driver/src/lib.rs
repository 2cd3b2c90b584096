//! The front half as one call.
