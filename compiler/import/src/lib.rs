//! Checkpoints of other formats: a configuration and the headers of their weights become `.ptx` source and a report of what
//! is used. This room reads text and headers that it is given; it knows no graph and no protocol.

pub mod header;
