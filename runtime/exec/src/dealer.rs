//! The dealer's process: parties come in any order, and those of one session are brought together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ptc_kernels::Backend;
use ptc_net::Channel;
use ptc_offline::dealer::Session;
use ptc_plan::Plan;
use ptc_plan::step::Party;

use crate::error::RunError;
use crate::handshake::{self, Guest};

/// Parties that wait for their other side; more are turned away.
const MAX_WAITING: usize = 256;

pub struct Dealer {
    plan: Arc<Plan>,
    backend: Arc<dyn Backend>,
    /// How long a party may wait for its other side.
    patience: Duration,
    waiting: Mutex<HashMap<[u8; 32], Waiting>>,
}

struct Waiting {
    role: Party,
    channel: Box<dyn Channel>,
    since: Instant,
}

/// Both parties of a session.
pub struct Pair {
    server: Box<dyn Channel>,
    client: Box<dyn Channel>,
    pub queries: u32,
}

impl Dealer {
    pub fn new(plan: Arc<Plan>, backend: Arc<dyn Backend>, patience: Duration) -> Dealer {
        Dealer { plan, backend, patience, waiting: Mutex::default() }
    }

    /// A party has come. Returns the pair when its other side is here already.
    pub fn meet(&self, mut channel: Box<dyn Channel>) -> Result<Option<Pair>, RunError> {
        let Guest { role, session, queries } = handshake::receive_guest(&self.plan, &mut *channel)?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, party| party.since.elapsed() < self.patience);
        let Some(other) = waiting.remove(&session) else {
            if waiting.len() >= MAX_WAITING {
                handshake::refuse(&mut *channel, "too many parties are waiting")?;
                return Ok(None);
            }
            waiting.insert(session, Waiting { role, channel, since: Instant::now() });
            return Ok(None);
        };
        drop(waiting);
        let (mut server, mut client) = match (role, other.role) {
            (Party::Server, Party::Client) => (channel, other.channel),
            (Party::Client, Party::Server) => (other.channel, channel),
            _ => {
                handshake::refuse(&mut *channel, "both parties of the session have the same role")?;
                return Err(RunError::SameRole(role.index()));
            }
        };
        handshake::accept(&mut *server)?;
        handshake::accept(&mut *client)?;
        Ok(Some(Pair { server, client, queries }))
    }

    /// Deals for all queries of a session.
    pub fn serve(&self, pair: Pair) -> Result<(), RunError> {
        let Pair { mut server, mut client, queries } = pair;
        let session = Session::open(&self.plan, &*self.backend, &mut *server)?;
        for _ in 0..queries {
            session.query(&mut *server, &mut *client)?;
        }
        Ok(())
    }
}
