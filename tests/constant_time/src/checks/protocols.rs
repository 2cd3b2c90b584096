//! Online protocols at either party, with secret shares, secret correlations, and a peer of whose messages nothing is known.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ptc_correlation::assemble::{Piece, assemble, parts};
use ptc_correlation::types::RotatedTables;
use ptc_correlation::{Packed, Planes, Supply};
use ptc_kernels::batched::Shape;
use ptc_kernels::{Backend, Portable};
use ptc_mpc::lockstep::run;
use ptc_mpc::{Context, bit_to_share as to_share, bits, compare as comparison, gate as gating, matmul as matrices};
use ptc_mpc::{max as maximum, mul as product, rescale as scaling, square as squaring, static_product, table};
use ptc_net::memory::{self, Memory};
use ptc_net::{Channel, Counters, PeerError, Transcript};
use ptc_plan::bill::{Part, bill};
use ptc_plan::kernel::Word;
use ptc_plan::price::max_levels;
use ptc_plan::step::{Fixed, Form, Party, Step, StepOp, Value, ValueId};
use ptc_ring::tensor::Share;

use super::rings::{secret_bits, secret_share, secret_words};
use crate::valgrind::secret;

const COUNT: usize = 70;
const RING: Fixed = Fixed { bits: 37, frac: 24 };
const NARROW: Fixed = Fixed { bits: 30, frac: 12 };

/// Says what nobody knows, in the length that is due.
struct Blind(Memory);

impl Channel for Blind {
    fn exchange(&mut self, _: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        let mut message = vec![9; expect];
        secret(&mut message);
        Ok(message)
    }

    fn send(&mut self, _: Vec<u8>) -> Result<(), PeerError> {
        Ok(())
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.exchange(vec![], limit)
    }

    fn set_patience(&mut self, _: Duration) -> Result<(), PeerError> {
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn transcript(&self) -> Transcript {
        self.0.transcript()
    }

    fn binding(&self) -> ptc_net::channel::Binding {
        self.0.binding()
    }
}

/// What a step consumes, of which nothing is known.
fn supply(op: StepOp, inputs: &[(&[usize], Form)], output: (&[usize], Form), party: Party) -> Supply {
    let value = |(shape, form): (&[usize], Form)| Value {
        name: "x".into(),
        shape: shape.to_vec(),
        form,
        bound: None,
        error: None,
    };
    let values: Vec<Value> = inputs.iter().copied().chain([output]).map(value).collect();
    let ids = |range: std::ops::Range<usize>| range.map(|at| ValueId(at as u32)).collect();
    let (inputs, outputs) = (ids(0..inputs.len()), ids(inputs.len()..inputs.len() + 1));
    let step = Step { op, inputs, outputs, round: 0, origin: 0, method: None };
    let mut supply = Supply::new(1);
    for correlation in bill(&values, &step) {
        let piece = |part: Part| match part {
            Part::Ring { count, bits } => Piece::Ring(packed(bits, count, part.bytes() as usize)),
            Part::Planes { count, planes } => {
                Piece::Planes(Planes::from_words(count, planes, secret_words(part.bytes() as usize / 8)))
            }
        };
        let pieces = parts(&correlation, party).into_iter().map(piece).collect();
        supply.put(0, assemble(&correlation, party, pieces));
    }
    supply
}

fn packed(bits: u32, count: usize, bytes: usize) -> Packed {
    let mut bytes = vec![5; bytes];
    secret(&mut bytes);
    Packed::from_bytes(bits, count, bytes)
}

/// A protocol at both parties.
fn both<F, T>(body: impl Fn(Context, Party) -> F)
where
    F: Future<Output = Result<T, PeerError>> + 'static,
    T: 'static,
{
    for party in [Party::Server, Party::Client] {
        let blind = Blind(memory::pair().0);
        let ran = run(blind, |lane| body(Context { party, lane, backend: Arc::new(Portable) }, party));
        assert!(ran.is_ok(), "a peer that always answers");
        black_box(ran.map(|_| ()).is_ok());
    }
}

const SHARED: Form = Form::Share(RING);

pub fn mul() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::Mul, &[(&[COUNT], SHARED), (&[COUNT], SHARED)], (&[COUNT], SHARED), party);
        let (x, y) = (secret_share(37, COUNT), secret_share(37, COUNT));
        product::mul(&context, &x, &y, supply.take(0).expect("of its bill")).await
    });
}

pub fn square() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::Square, &[(&[COUNT], SHARED)], (&[COUNT], SHARED), party);
        squaring::square(&context, &secret_share(37, COUNT), supply.take(0).expect("of its bill")).await
    });
}

pub fn matmul() {
    both(|context, party| async move {
        let op = StepOp::MatMul { transpose_b: false };
        let mut supply = supply(op, &[(&[5, 7], SHARED), (&[7, 6], SHARED)], (&[5, 6], SHARED), party);
        let shape = Shape { batch: 1, m: 5, k: 7, n: 6, transpose_b: false };
        let (x, y) = (secret_share(37, 35), secret_share(37, 42));
        matrices::matmul(&context, &x, &y, shape, supply.take(0).expect("of its bill")).await
    });
}

pub fn static_matmul() {
    both(|context, party| async move {
        let op = StepOp::StaticMatMul { owner: Party::Server, factor_bits: 17 };
        let weight = Form::Encoded(ptc_plan::step::Owner::Server, RING);
        let mut supply = supply(op, &[(&[5, 7], SHARED), (&[7, 6], weight)], (&[5, 6], SHARED), party);
        let own = (party == Party::Server).then(|| Portable.pack(Word::W64, 7, 6, &secret_words(42)));
        let x = secret_share(37, 35);
        static_product::server_matrix(&context, &x, own.as_ref(), supply.take(0).expect("of its bill")).await
    });
}

pub fn and() {
    both(|context, party| async move {
        let two = [(&[COUNT][..], Form::Bits), (&[COUNT][..], Form::Bits)];
        let mut supply = supply(StepOp::And, &two, (&[COUNT], Form::Bits), party);
        let (x, y) = (secret_bits(COUNT), secret_bits(COUNT));
        bits::and(&context, &x, &y, supply.take(0).expect("of its bill")).await
    });
}

pub fn gate() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::Gate, &[(&[COUNT], Form::Bits), (&[COUNT], SHARED)], (&[COUNT], SHARED), party);
        let (b, x) = (secret_bits(COUNT), secret_share(37, COUNT));
        gating::gate(&context, &b, &x, supply.take(0).expect("of its bill")).await
    });
}

pub fn bit_to_share() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::BitToShare, &[(&[COUNT], Form::Bits)], (&[COUNT], SHARED), party);
        to_share::bit_to_share(&context, &secret_bits(COUNT), RING, supply.take(0).expect("of its bill")).await
    });
}

pub fn compare() {
    both(|context, party| async move {
        let op = StepOp::Compare { threshold: 5 };
        let mut supply = supply(op, &[(&[COUNT], SHARED)], (&[COUNT], Form::Bits), party);
        comparison::compare(&context, &secret_share(37, COUNT), 5, supply.take(0).expect("of its bill")).await
    });
}

pub fn rescale() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::Rescale, &[(&[COUNT], SHARED)], (&[COUNT], Form::Share(NARROW)), party);
        let x = secret_share(37, COUNT);
        scaling::rescale(&context, &x, RING, NARROW, supply.take(0).ok()).await
    });
}

pub fn max() {
    both(|context, party| async move {
        let mut supply = supply(StepOp::Max, &[(&[10, 7], SHARED)], (&[10, 1], SHARED), party);
        let mut next = || (supply.take(0).expect("of its bill"), supply.take(0).expect("of its bill"));
        let levels = max_levels(7).iter().map(|_| next()).collect();
        maximum::max(&context, &secret_share(37, 70), 7, levels).await
    });
}

/// Share, rotation and tables are secret up to the message that opens the index. The answer never comes: after it the
/// index is known to both, as the sum of two messages, and masked by a rotation that neither knows.
pub fn table_index() {
    for party in [Party::Server, Party::Client] {
        let tables = RotatedTables {
            index_bits: 4,
            rotation: packed(4, COUNT, COUNT / 2),
            tables: vec![packed(20, 16 * COUNT, 16 * COUNT * 20 / 8)],
        };
        let ran = run(Mute(Blind(memory::pair().0)), |lane| async move {
            let context = Context { party, lane, backend: Arc::new(Portable) };
            table::table(&context, &secret_share(37, COUNT), 12, tables).await
        });
        assert!(ran.is_err(), "a peer that never answers");
    }
}

/// The opened index is public, see above; the entries are secret.
pub fn table_entries() {
    for party in [Party::Server, Party::Client] {
        let tables = RotatedTables {
            index_bits: 4,
            rotation: Packed::from_bytes(4, COUNT, vec![0x35; COUNT / 2]),
            tables: vec![packed(20, 16 * COUNT, 16 * COUNT * 20 / 8)],
        };
        let ran = run(Known(Blind(memory::pair().0)), |lane| async move {
            let context = Context { party, lane, backend: Arc::new(Portable) };
            table::table(&context, &Share::new(37, vec![1 << 13; COUNT]), 12, tables).await
        });
        assert!(ran.is_ok(), "a peer that always answers");
    }
}

struct Mute(Blind);
struct Known(Blind);

macro_rules! like_blind {
    ($name:ident, $exchange:expr) => {
        impl Channel for $name {
            fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
                $exchange(out, expect)
            }

            fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
                self.0.send(message)
            }

            fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
                self.0.receive(limit)
            }

            fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
                self.0.set_patience(patience)
            }

            fn counters(&self) -> Counters {
                self.0.counters()
            }

            fn transcript(&self) -> Transcript {
                self.0.transcript()
            }

            fn binding(&self) -> ptc_net::channel::Binding {
                self.0.binding()
            }
        }
    };
}

like_blind!(Mute, |_, _| Err(PeerError::Closed("an index".into())));
like_blind!(Known, |_, expect| Ok(vec![0x5a; expect]));
