//! What extending a stock of random transfers costs.

use crate::file::Objective;

/// How transfers are extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Ishai, Kilian, Nissim, Petrank (CRYPTO 2003): 16 bytes a transfer from the receiver, little computing.
    Iknp,
    /// From learning parity with noise: traffic grows with the logarithm of the number, more computing.
    Silent,
}

impl Extension {
    pub fn of(objective: Objective) -> Extension {
        match objective {
            Objective::Total => Extension::Iknp,
            Objective::Traffic => Extension::Silent,
        }
    }
}
