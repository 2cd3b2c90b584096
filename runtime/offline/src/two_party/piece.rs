//! A piece of a correlation made from transfers: which protocol makes which kind.

use ptc_kernels::Backend;
use ptc_plan::bill::Correlation;
use ptc_plan::step::Party;
use ptc_ring::Prg;

use super::made::Started;
use super::rotation::{Tables, rotated};
use super::transfers::Transfers;
use super::{bits, comparison, matrices, triple};

/// What `party` does first for `correlation`; see [`Started`]. `transfers` are as many as
/// [`ptc_plan::two_party::by_transfers`] says, `weights` the factor of a static product at the server; what strings do not
/// yield is drawn from `stream`.
pub fn start(
    correlation: &Correlation,
    party: Party,
    transfers: Transfers,
    weights: Option<&[u64]>,
    stream: &mut Prg,
    backend: &dyn Backend,
) -> Started {
    match *correlation {
        Correlation::StaticMul { count, period, bits, factor_bits, .. } => match party {
            Party::Server => {
                triple::weighted(weights.expect("the server holds its weights"), count, bits, factor_bits, transfers)
            }
            Party::Client => triple::masked_by_weights(period, count, bits, factor_bits, transfers),
        },
        Correlation::CrossMul { count, period, bits } => triple::cross(party, count, period, bits, transfers),
        Correlation::Mul { count, each, bits } => triple::triple(count, each, bits, transfers),
        Correlation::Square { count, bits } => triple::square(party, count, bits, transfers, stream),
        Correlation::Wrap { count, bits } => bits::wrap(party, count, bits, transfers),
        Correlation::Compare { count, bits } => comparison::comparison(party, count, bits, transfers),
        Correlation::And { count } => bits::and(count, transfers),
        Correlation::BitToShare { count, bits } => bits::bit_to_share(party, count, bits, transfers),
        Correlation::Gate { count, bits } => bits::gate(party, count, bits, transfers),
        Correlation::Table { count, index_bits, ref rings, ref values } => {
            let tables = Tables { index_bits, rings: rings.clone(), values: values.clone() };
            rotated(party, count, tables, transfers, stream)
        }
        Correlation::StaticMatMul { .. } | Correlation::CrossMatMul { .. } | Correlation::MatMul { .. } => {
            matrices::start(correlation, party, transfers, weights, backend)
        }
    }
}
