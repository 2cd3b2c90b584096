//! The keys of a session for products that are encrypted in the query.

use std::sync::Arc;
use std::time::Duration;

use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_net::{Channel, PeerError};
use ptc_offline::two_party::check_weights;
use ptc_plan::Plan;
use ptc_plan::inline;
use ptc_plan::step::{Party, ValueId};
use ptc_plan::two_party::encrypted::{Packing, Product, key_bytes};

use crate::error::RunError;
use crate::prepare::Prepared;
use crate::source::words;

/// What each step's product is, by step; none where no product of the plan is encrypted in the query.
#[derive(Default)]
pub struct Encryption {
    pub keys: Option<Keys>,
    pub products: Vec<Option<(Product, Packing)>>,
    /// How long the other party may take for a round.
    pub patience: Duration,
}

#[derive(Clone)]
pub enum Keys {
    Client(Arc<ClientKeys>),
    Server(Arc<ServerKeys>),
}

/// Products of numbers in a second of the slowest machine worth running on.
const SLOWEST_TERMS_A_SECOND: usize = 1 << 22;

/// Fresh keys: the client makes them, the server gets what is public of them.
pub fn open(prepared: &Prepared, peer: &mut dyn Channel) -> Result<Encryption, RunError> {
    let Prepared { plan, party, .. } = prepared;
    let sets = inline::keys(plan);
    if sets.is_empty() {
        return Ok(Encryption::default());
    }
    let keys = match party {
        Party::Client => {
            let keys = ClientKeys::fresh(&sets).map_err(RunError::Entropy)?;
            peer.send(keys.publish().map_err(RunError::Entropy)?)?;
            Keys::Client(Arc::new(keys))
        }
        Party::Server => {
            check_weights(plan, weights(plan), |id| words(prepared, id)).map_err(RunError::Weights)?;
            let expected = key_bytes(&sets) as usize;
            let message = peer.receive(expected)?;
            if message.len() != expected {
                return Err(PeerError::WrongLength { expected, found: message.len() }.into());
            }
            Keys::Server(Arc::new(ServerKeys::read(&sets, &message)?))
        }
    };
    let products: Vec<_> = plan.steps.iter().map(|step| inline::product(plan, step)).collect();
    let work = |(product, _): &(Product, Packing)| product.rows * product.inner * product.columns;
    let most = products.iter().flatten().map(work).max().unwrap_or(0);
    let patience = Duration::from_secs((most / SLOWEST_TERMS_A_SECOND) as u64);
    Ok(Encryption { keys: Some(keys), products, patience })
}

/// The weights of encrypted products, with their ring and their bits.
fn weights(plan: &Plan) -> impl Iterator<Item = (ValueId, u32, u32)> {
    plan.steps.iter().filter_map(|step| {
        let (product, _) = inline::product(plan, step)?;
        Some((step.inputs[1], product.bits, product.factor_bits))
    })
}
