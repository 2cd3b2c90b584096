//! Steps that the parties take together: each becomes a task of the lockstep.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use ptc_correlation::Supply;
use ptc_kernels::Backend;
use ptc_kernels::batched::Shape;
use ptc_mpc::Context;
use ptc_mpc::exp2::Masks;
use ptc_mpc::lane::Lane;
use ptc_net::{PeerError, Transcript};
use ptc_plan::Plan;
use ptc_plan::bill::rescale_growth;
use ptc_plan::float::FloatTensor;
use ptc_plan::kernel::Word;
use ptc_plan::price::max_levels;
use ptc_plan::step::{Form, Party, Step, StepOp, Value};
use ptc_ring::fixed;
use ptc_ring::tensor::{BitShare, Share};

use crate::encryption::{Encryption, Keys};
use crate::error::RunError;
use crate::local::ring;
use crate::value::Held;

pub type Outputs = Result<Vec<Held>, PeerError>;

/// A task before it knows its lane.
pub type Body = Box<dyn FnOnce(Lane) -> Pin<Box<dyn Future<Output = Outputs>>>>;

pub struct Joint<'a> {
    pub plan: &'a Plan,
    pub party: Party,
    pub backend: Arc<dyn Backend>,
    pub encryption: &'a Encryption,
    /// What has gone between the parties until now.
    pub transcript: &'a dyn Fn() -> Transcript,
}

impl Joint<'_> {
    /// Step `at` with its correlations taken from the supply; `time` gathers the seconds that it computes.
    pub fn body(
        &self,
        at: usize,
        inputs: Vec<Held>,
        supply: &mut Supply,
        time: Rc<Cell<f64>>,
    ) -> Result<Body, RunError> {
        let step = &self.plan.steps[at];
        let (party, backend) = (self.party, self.backend.clone());
        let context = move |lane: Lane| Context { party, lane, backend };
        // Each arm takes its correlations now and leaves a future for later.
        macro_rules! task {
            ($context:ident => $result:expr) => {
                Box::new(move |lane: Lane| {
                    let $context = context(lane);
                    let future = async move { Ok(vec![$result]) };
                    let timed: Pin<Box<dyn Future<Output = Outputs>>> =
                        Box::pin(Timed { future: Box::pin(future), time });
                    timed
                }) as Body
            };
        }
        let share = |at: usize| inputs[at].share().clone();
        let bits = |at: usize| inputs[at].bits().clone();
        let body = match &step.op {
            StepOp::StaticMatMul { owner, .. } => {
                let (x, w) = (share(0), inputs[1].encoded().cloned());
                let (rows, columns) = (self.value(step, 1).shape[0], self.value(step, 1).shape[1]);
                let word = Word::for_ring(ring(self.output(step)).bits);
                match owner {
                    Party::Server => {
                        let product = supply.take(at)?;
                        task!(c => {
                            let packed = w.as_ref().map(|w| w.packed(&*c.backend, word, rows, columns));
                            shared(ptc_mpc::static_product::server_matrix(&c, &x, packed, product).await?)
                        })
                    }
                    Party::Client => {
                        let product = supply.take(at)?;
                        task!(c => {
                            let w = w.as_ref().map(|w| w.data.as_slice());
                            let product = ptc_mpc::static_product::client_matrix(&c, &x, w, rows, columns, product);
                            shared(product.await?)
                        })
                    }
                }
            }
            StepOp::EncryptedMatMul { .. } => {
                let (x, w) = (share(0), inputs[1].encoded().cloned());
                let word = Word::for_ring(ring(self.output(step)).bits);
                let Encryption { keys: Some(keys), products, .. } = self.encryption else {
                    panic!("a session whose plan encrypts has keys")
                };
                let product = products[at].expect("the product of an encrypted step");
                match keys.clone() {
                    Keys::Client(keys) => {
                        task!(c => shared(ptc_mpc::encrypted_product::client(&c, &keys, product, &x).await?))
                    }
                    Keys::Server(keys) => task!(c => {
                        let w = w.as_ref().expect("the server holds its weights");
                        let packed = w.packed(&*c.backend, word, product.0.inner, product.0.columns);
                        let factor = (w.data.as_slice(), packed);
                        shared(ptc_mpc::encrypted_product::server(&c, &keys, product, &x, factor).await?)
                    }),
                }
            }
            StepOp::StaticMul { owner, .. } => {
                let (x, w) = (share(0), inputs[1].encoded().cloned());
                let period = self.value(step, 1).len();
                match owner {
                    Party::Server => {
                        let product = supply.take(at)?;
                        task!(c => {
                            let w = w.as_ref().map(|w| w.data.as_slice());
                            shared(ptc_mpc::static_product::server_elementwise(&c, &x, w, product).await?)
                        })
                    }
                    Party::Client => {
                        let product = supply.take(at)?;
                        task!(c => {
                            let w = w.as_ref().map(|w| w.data.as_slice());
                            shared(ptc_mpc::static_product::client_elementwise(&c, &x, w, period, product).await?)
                        })
                    }
                }
            }
            StepOp::MatMul { transpose_b } => {
                let (x, y, triple) = (share(0), share(1), supply.take(at)?);
                let shape = self.product_shape(step, *transpose_b);
                task!(c => shared(ptc_mpc::matmul::matmul(&c, &x, &y, shape, triple).await?))
            }
            StepOp::Mul => {
                let (x, y, triple) = (share(0), share(1), supply.take(at)?);
                task!(c => shared(ptc_mpc::mul::mul(&c, &x, &y, triple).await?))
            }
            StepOp::Square => {
                let (x, pair) = (share(0), supply.take(at)?);
                task!(c => shared(ptc_mpc::square::square(&c, &x, pair).await?))
            }
            StepOp::Rescale => {
                let (x, from, to) = (share(0), ring(self.value(step, 0)), ring(self.output(step)));
                let wrap = if rescale_growth(from, to) > 0 { Some(supply.take(at)?) } else { None };
                task!(c => shared(ptc_mpc::rescale::rescale(&c, &x, from, to, wrap).await?))
            }
            StepOp::Compare { threshold } => {
                let (x, threshold, masks) = (share(0), *threshold, supply.take(at)?);
                task!(c => Held::Bits(Arc::new(ptc_mpc::compare::compare(&c, &x, threshold, masks).await?)))
            }
            StepOp::And => {
                let (x, y, triple) = (bits(0), bits(1), supply.take(at)?);
                task!(c => Held::Bits(Arc::new(ptc_mpc::bits::and(&c, &x, &y, triple).await?)))
            }
            StepOp::BitToShare => {
                let (b, to, random) = (bits(0), ring(self.output(step)), supply.take(at)?);
                task!(c => shared(ptc_mpc::bit_to_share::bit_to_share(&c, &b, to, random).await?))
            }
            StepOp::Gate => {
                let (b, x, mask) = (bits(0), share(1), supply.take(at)?);
                task!(c => shared(ptc_mpc::gate::gate(&c, &b, &x, mask).await?))
            }
            StepOp::Table { shift, .. } => {
                let (x, shift, tables) = (share(0), *shift, supply.take(at)?);
                let of_bits: Vec<bool> =
                    step.outputs.iter().map(|id| self.plan.values[id.0 as usize].form == Form::Bits).collect();
                return Ok(Box::new(move |lane| {
                    let c = context(lane);
                    let future = async move {
                        let found = ptc_mpc::table::table(&c, &x, shift, tables).await?;
                        // Modulo 2, exclusive-or and additive shares are the same.
                        let held = |(share, bit): (Share, bool)| match bit {
                            true => Held::Bits(Arc::new(BitShare::from_values(&share.data))),
                            false => shared(share),
                        };
                        Ok(found.into_iter().zip(of_bits).map(held).collect())
                    };
                    Box::pin(Timed { future: Box::pin(future), time })
                }));
            }
            StepOp::Exp2(exp) => {
                let (x, frac, exp) = (share(0), ring(self.value(step, 0)).frac, *exp);
                let (units, factors) = (supply.take(at)?, supply.take(at)?);
                let wrap = if exp.rounds == 3 { Some(supply.take(at)?) } else { None };
                let masks = Masks { units, factors, wrap, gates: supply.take(at)? };
                task!(c => shared(ptc_mpc::exp2::exp2(&c, &x, frac, exp, masks).await?))
            }
            StepOp::Max => {
                let (x, width) = (share(0), self.value(step, 0).shape.last().copied().unwrap_or(1));
                let levels = max_levels(width).into_iter().map(|_| Ok((supply.take(at)?, supply.take(at)?)));
                let levels = levels.collect::<Result<Vec<_>, RunError>>()?;
                task!(c => shared(ptc_mpc::max::max(&c, &x, width, levels).await?))
            }
            StepOp::Levels(scale) => {
                let (x, width) = (share(0), self.value(step, 0).shape.last().copied().unwrap_or(1));
                let (scale, out) = (*scale, ring(self.output(step)));
                let place = scale.place(ring(self.value(step, 0)), out).unsigned_abs() as u32;
                let tables = (supply.take(at)?, supply.take(at)?);
                task!(c => shared(ptc_mpc::levels::levels(&c, &x, width, scale, tables, (place, out.bits)).await?))
            }
            StepOp::Reveal { to } => {
                let (to, shape, form) = (*to, self.output(step).shape.clone(), self.value(step, 0).form);
                let x = match &inputs[0] {
                    // Modulo 2, exclusive-or and additive shares are the same.
                    Held::Bits(bits) => Arc::new(Share { bits: 1, data: bits.to_values() }),
                    other => other.share().clone(),
                };
                let seen = (self.transcript)();
                task!(c => match ptc_mpc::reveal::reveal(&c, &x, to, seen).await? {
                    Some(words) => Held::Clear(Arc::new(opened(shape, &words, form))),
                    None => Held::Absent,
                })
            }
            other => panic!("`{}` is a local step", other.name()),
        };
        Ok(body)
    }

    fn value(&self, step: &Step, at: usize) -> &Value {
        &self.plan.values[step.inputs[at].0 as usize]
    }

    fn output(&self, step: &Step) -> &Value {
        &self.plan.values[step.outputs[0].0 as usize]
    }

    fn product_shape(&self, step: &Step, transpose_b: bool) -> Shape {
        let (x, out) = (&self.value(step, 0).shape, &self.output(step).shape);
        let (m, k, n) = (x[x.len() - 2], x[x.len() - 1], out[out.len() - 1]);
        Shape { batch: x[..x.len() - 2].iter().product(), m, k, n, transpose_b }
    }
}

fn shared(share: Share) -> Held {
    Held::Share(Arc::new(share))
}

/// The reals that opened words stand for.
pub fn opened(shape: Vec<usize>, words: &[u64], form: Form) -> FloatTensor {
    let data = match form {
        Form::Share(fixed) => fixed::decode(words, fixed),
        _ => words.iter().map(|&bit| (bit & 1) as f32).collect(),
    };
    FloatTensor::new(shape, data)
}

/// Adds up the time spent within a future.
struct Timed {
    future: Pin<Box<dyn Future<Output = Outputs>>>,
    time: Rc<Cell<f64>>,
}

impl Future for Timed {
    type Output = Outputs;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Outputs> {
        let start = Instant::now();
        let result = self.future.as_mut().poll(context);
        self.time.set(self.time.get() + start.elapsed().as_secs_f64());
        result
    }
}

/// A task that needs no round has its result at once.
pub fn at_once(body: Body) -> Outputs {
    let mut future = body(Lane::default());
    match future.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop())) {
        Poll::Ready(outputs) => outputs,
        Poll::Pending => panic!("a step without rounds waits for the other party"),
    }
}
