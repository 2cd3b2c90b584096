//! Ends a connection from outside, whoever waits on it.

use std::net::{Shutdown, TcpStream};

/// Holds the connection open: it goes with the channel or before.
pub struct Cutter {
    stream: TcpStream,
}

impl Cutter {
    pub(super) fn new(stream: TcpStream) -> Cutter {
        Cutter { stream }
    }

    /// Whoever reads or writes at either end sees that the connection is gone.
    pub fn cut(&self) {
        // One that is gone cannot be cut again.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
