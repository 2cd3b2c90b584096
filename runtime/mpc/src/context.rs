//! What every protocol is given.

use std::sync::Arc;

use ptc_kernels::Backend;
use ptc_plan::step::Party;

use crate::lane::Lane;

#[derive(Clone)]
pub struct Context {
    pub party: Party,
    pub lane: Lane,
    pub backend: Arc<dyn Backend>,
}

impl Context {
    /// One at the server, zero at the client: a public value enters a sharing once.
    pub(crate) fn once(&self) -> u64 {
        match self.party {
            Party::Server => 1,
            Party::Client => 0,
        }
    }
}
