//! One step of a plan, run by two threads on dealt correlations, with every message recorded.

// Tests and the example of costs each use a part.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use ptc_correlation::Supply;
use ptc_kernels::Portable;
use ptc_kernels::batched::Shape;
use ptc_mpc::lane::Lane;
use ptc_mpc::lockstep::run;
use ptc_mpc::{Context, bit_to_share, bits, compare, exp2, gate, levels, matmul, max, mul, rescale, reveal, square};
use ptc_mpc::{static_product, table};
use ptc_net::{Channel, Counters, PeerError, Transcript, memory};
use ptc_offline::dealer::{Session, check_transcript, receive_seed};
use ptc_offline::receive::{receive_client, receive_server};
use ptc_offline::weights::{open_weights, receive_weights};
use ptc_plan::Plan;
use ptc_plan::bill::offline;
use ptc_plan::file::Trust;
use ptc_plan::kernel::Word;
use ptc_plan::price::{Round, max_levels, rounds, total};
use ptc_plan::step::{Fixed, Form, Owner, Party, Step, StepOp, Value, ValueId};
use ptc_ring::Seed;
use ptc_ring::tensor::{BitShare, Share, mask};

pub fn ring(bits: u32) -> Fixed {
    Fixed { bits, frac: 0 }
}

pub fn shared(shape: &[usize], fixed: Fixed) -> Value {
    Value { name: "shared".into(), shape: shape.to_vec(), form: Form::Share(fixed), bound: None, error: None }
}

pub fn bit(shape: &[usize]) -> Value {
    Value { name: "bits".into(), shape: shape.to_vec(), form: Form::Bits, bound: None, error: None }
}

pub fn encoded(shape: &[usize], owner: Party, fixed: Fixed) -> Value {
    let owner = if owner == Party::Server { Owner::Server } else { Owner::Client };
    Value { name: "encoded".into(), shape: shape.to_vec(), form: Form::Encoded(owner, fixed), bound: None, error: None }
}

/// A plan of one step from `inputs` to `outputs`.
pub fn plan(op: StepOp, inputs: Vec<Value>, outputs: Vec<Value>) -> Plan {
    let ids = |range: std::ops::Range<usize>| range.map(|i| ValueId(i as u32)).collect();
    let (first, end) = (inputs.len(), inputs.len() + outputs.len());
    let step = Step { op, inputs: ids(0..first), outputs: ids(first..end), round: 0, origin: 0, method: None };
    Plan {
        model: "test".into(),
        entry: "test".into(),
        trust: Trust::Dealer,
        values: inputs.into_iter().chain(outputs).collect(),
        steps: vec![step],
        ..Plan::default()
    }
}

/// Uniform words for inputs; every test prints its seed by naming it.
pub fn uniform(seed: u8, bits: u32, count: usize) -> Vec<u64> {
    Seed::from_bytes([seed; 32]).stream(77, u64::from(bits)).ring(bits, count)
}

/// The step's outputs in the clear, one word an element. Panics unless the measured rounds and bytes are the predicted
/// ones, of the online and of the offline phase, and unless shares and messages look uniform.
pub fn execute(plan: &Plan, inputs: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let (to_server, server_dealer) = memory::pair();
    let (to_client, client_dealer) = memory::pair();
    let (server_peer, client_peer) = memory::pair();
    let [server, client] = std::thread::scope(|scope| {
        scope.spawn(|| deal(plan, to_server, to_client));
        let server = scope.spawn(|| party(plan, Party::Server, inputs, server_dealer, server_peer));
        let client = scope.spawn(|| party(plan, Party::Client, inputs, client_dealer, client_peer));
        [server, client].map(|thread| thread.join().expect("a party ends"))
    });
    check_price(plan, &server, &client);
    check_uniform(plan, &server);
    check_uniform(plan, &client);
    let step = &plan.steps[0];
    if let StepOp::Reveal { to } = step.op {
        let [learned, other] = if to == Party::Server { [server, client] } else { [client, server] };
        assert!(other.shares.is_empty(), "only one party learns");
        return learned.shares;
    }
    let opened = |((id, x), y): ((&ValueId, &Vec<u64>), &Vec<u64>)| match plan.values[id.0 as usize].form {
        Form::Share(fixed) => x.iter().zip(y).map(|(x, y)| x.wrapping_add(*y) & mask(fixed.bits)).collect(),
        _ => x.iter().zip(y).map(|(x, y)| x ^ y).collect(),
    };
    step.outputs.iter().zip(&server.shares).zip(&client.shares).map(opened).collect()
}

/// What one party has at the end.
struct Side {
    party: Party,
    shares: Vec<Vec<u64>>,
    /// Messages sent and lengths received, round by round.
    messages: Vec<(Vec<u8>, usize)>,
    online: Counters,
    dealer: Counters,
    weights: Counters,
}

fn deal(plan: &Plan, mut server: memory::Memory, mut client: memory::Memory) {
    let session = Session::open(plan, &Portable, &mut server).expect("the server takes its seed");
    session.query(&mut server, &mut client).expect("both parties take their parts");
}

fn party(plan: &Plan, party: Party, inputs: &[Vec<u64>], mut dealer: memory::Memory, mut peer: memory::Memory) -> Side {
    let mut supply = prepare(plan, party, inputs, &mut dealer, &mut peer);
    let weights = peer.counters();
    let own = hold_all(plan, party, inputs);
    let recorder = Recorder { channel: peer, messages: vec![] };
    let owned = plan.clone();
    let body = |lane: Lane| async move { step(&owned, party, lane, own, &mut supply).await };
    let (shares, recorder) = run(recorder, body).unwrap();
    Side {
        party,
        shares,
        online: recorder.counters().since(weights),
        messages: recorder.messages,
        dealer: dealer.counters(),
        weights,
    }
}

/// The offline phase.
fn prepare(
    plan: &Plan,
    party: Party,
    inputs: &[Vec<u64>],
    dealer: &mut memory::Memory,
    peer: &mut memory::Memory,
) -> Supply {
    match party {
        Party::Server => {
            let masks = receive_seed(dealer).unwrap();
            open_weights(plan, &masks, |weight| &inputs[weight.0 as usize], peer).unwrap();
            let seed = receive_seed(dealer).unwrap();
            check_transcript(dealer).unwrap();
            receive_server(plan, &seed)
        }
        Party::Client => {
            let weights = receive_weights(plan, &Portable, peer).unwrap();
            let seed = receive_seed(dealer).unwrap();
            let supply = receive_client(plan, &seed, &weights, &Portable, dealer).unwrap();
            check_transcript(dealer).unwrap();
            supply
        }
    }
}

fn hold_all(plan: &Plan, party: Party, inputs: &[Vec<u64>]) -> Vec<Held> {
    plan.steps[0].inputs.iter().zip(inputs).map(|(id, words)| hold(plan, *id, party, words)).collect()
}

/// Seconds of a step's phases: those that pass, but online the processor's.
pub struct Cost {
    pub deal: f64,
    /// Of server and client.
    pub receive: [f64; 2],
    pub online: [f64; 2],
}

/// For rayon with one thread.
pub fn cost(plan: &Plan, inputs: &[Vec<u64>]) -> Cost {
    let (to_server, mut server_dealer) = memory::pair();
    let (to_client, mut client_dealer) = memory::pair();
    let (mut server_peer, mut client_peer) = memory::pair();
    let start = Instant::now();
    deal(plan, to_server, to_client);
    let deal = start.elapsed().as_secs_f64();
    let party = |party: Party, dealer: &mut memory::Memory, peer: &mut memory::Memory| {
        let start = Instant::now();
        let mut supply = prepare(plan, party, inputs, dealer, peer);
        let receive = start.elapsed().as_secs_f64();
        let (own, owned) = (hold_all(plan, party, inputs), plan.clone());
        let body = |lane: Lane| async move { step(&owned, party, lane, own, &mut supply).await };
        let start = processor_seconds();
        run(peer, body).expect("both parties end");
        [receive, processor_seconds() - start]
    };
    let [server, client] = std::thread::scope(|scope| {
        let server = scope.spawn(|| party(Party::Server, &mut server_dealer, &mut server_peer));
        let client = scope.spawn(|| party(Party::Client, &mut client_dealer, &mut client_peer));
        [server, client].map(|thread| thread.join().expect("a party ends"))
    });
    Cost { deal, receive: [server[0], client[0]], online: [server[1], client[1]] }
}

/// What this thread has computed, waiting left out.
fn processor_seconds() -> f64 {
    // The kernel brings the count up to date when it schedules.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

enum Held {
    Share(Share),
    Bits(BitShare),
    /// What the owner knows; the other party has no words.
    Words(Option<Vec<u64>>),
}

/// Input `id` as `party` holds it: shares come from a seed.
fn hold(plan: &Plan, id: ValueId, party: Party, words: &[u64]) -> Held {
    let value = &plan.values[id.0 as usize];
    assert_eq!(value.len(), words.len(), "words of `{}`", value.name);
    let mut stream = Seed::from_bytes([9; 32]).stream(1, u64::from(id.0));
    match value.form {
        Form::Share(fixed) => {
            let r = Share::new(fixed.bits, stream.ring(fixed.bits, words.len()));
            let rest = || ptc_ring::tensor::subtract(&Share::new(fixed.bits, words.to_vec()), &r);
            Held::Share(if party == Party::Server { rest() } else { r })
        }
        Form::Bits => {
            let r = stream.bits(words.len());
            let rest = || ptc_ring::tensor::xor(&BitShare::from_values(words), &r);
            Held::Bits(if party == Party::Server { rest() } else { r })
        }
        Form::Encoded(owner, fixed) => {
            let reduced = || words.iter().map(|w| w & mask(fixed.bits)).collect();
            Held::Words(owner.knows(party).then(reduced))
        }
        Form::Clear(_) => panic!("no protocol takes a clear value"),
    }
}

async fn step(
    plan: &Plan,
    party: Party,
    lane: Lane,
    inputs: Vec<Held>,
    supply: &mut Supply,
) -> Result<Vec<Vec<u64>>, PeerError> {
    let context = Context { party, lane, backend: Arc::new(Portable) };
    let step = &plan.steps[0];
    let value = |id: ValueId| &plan.values[id.0 as usize];
    let fixed = |id: ValueId| match value(id).form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => fixed,
        _ => ring(1),
    };
    let share = |i: usize| match &inputs[i] {
        Held::Share(share) => share,
        _ => panic!("input {i} is not shared"),
    };
    let bit = |i: usize| match &inputs[i] {
        Held::Bits(bits) => bits,
        _ => panic!("input {i} is not bits"),
    };
    let words = |i: usize| match &inputs[i] {
        Held::Words(words) => words.as_deref(),
        _ => panic!("input {i} is not known"),
    };
    let output = step.outputs[0];
    let one = |share: Share| Ok(vec![share.into_data()]);
    match &step.op {
        StepOp::StaticMatMul { owner, .. } => {
            let (inner, columns) = (value(step.inputs[1]).shape[0], value(step.inputs[1]).shape[1]);
            match owner {
                Party::Server => {
                    let word = Word::for_ring(fixed(output).bits);
                    let packed = words(1).map(|w| context.backend.pack(word, inner, columns, w));
                    let correlation = supply.take(0).unwrap();
                    one(static_product::server_matrix(&context, share(0), packed.as_ref(), correlation).await?)
                }
                Party::Client => {
                    let correlation = supply.take(0).unwrap();
                    let product =
                        static_product::client_matrix(&context, share(0), words(1), inner, columns, correlation);
                    one(product.await?)
                }
            }
        }
        StepOp::StaticMul { owner: Party::Server, .. } => {
            let correlation = supply.take(0).unwrap();
            one(static_product::server_elementwise(&context, share(0), words(1), correlation).await?)
        }
        StepOp::StaticMul { owner: Party::Client, .. } => {
            let (period, correlation) = (value(step.inputs[1]).len(), supply.take(0).unwrap());
            one(static_product::client_elementwise(&context, share(0), words(1), period, correlation).await?)
        }
        StepOp::MatMul { transpose_b } => {
            let (x, out) = (&value(step.inputs[0]).shape, &value(output).shape);
            let [.., m, k] = x[..] else { panic!("a matrix") };
            let shape = Shape {
                batch: x.iter().product::<usize>() / (m * k),
                m,
                k,
                n: out[out.len() - 1],
                transpose_b: *transpose_b,
            };
            one(matmul::matmul(&context, share(0), share(1), shape, supply.take(0).unwrap()).await?)
        }
        StepOp::Mul => one(mul::mul(&context, share(0), share(1), supply.take(0).unwrap()).await?),
        StepOp::Square => one(square::square(&context, share(0), supply.take(0).unwrap()).await?),
        StepOp::Rescale => {
            let (from, to) = (fixed(step.inputs[0]), fixed(output));
            one(rescale::rescale(&context, share(0), from, to, supply.take(0).ok()).await?)
        }
        StepOp::Compare { threshold } => {
            Ok(vec![compare::compare(&context, share(0), *threshold, supply.take(0).unwrap()).await?.to_values()])
        }
        StepOp::And => Ok(vec![bits::and(&context, bit(0), bit(1), supply.take(0).unwrap()).await?.to_values()]),
        StepOp::BitToShare => {
            one(bit_to_share::bit_to_share(&context, bit(0), fixed(output), supply.take(0).unwrap()).await?)
        }
        StepOp::Gate => one(gate::gate(&context, bit(0), share(1), supply.take(0).unwrap()).await?),
        StepOp::Table { shift, .. } => {
            let outputs = table::table(&context, share(0), *shift, supply.take(0).unwrap()).await?;
            Ok(outputs.into_iter().map(Share::into_data).collect())
        }
        StepOp::Exp2(exp) => {
            let frac = fixed(step.inputs[0]).frac;
            let (units, factors) = (supply.take(0).unwrap(), supply.take(0).unwrap());
            let wrap = (exp.rounds == 3).then(|| supply.take(0).unwrap());
            let masks = exp2::Masks { units, factors, wrap, gates: supply.take(0).unwrap() };
            one(exp2::exp2(&context, share(0), frac, *exp, masks).await?)
        }
        StepOp::Max => {
            let width = *value(step.inputs[0]).shape.last().unwrap();
            let levels = max_levels(width).iter().map(|_| (supply.take(0).unwrap(), supply.take(0).unwrap())).collect();
            one(max::max(&context, share(0), width, levels).await?)
        }
        StepOp::Levels(scale) => {
            let width = *value(step.inputs[0]).shape.last().unwrap();
            let (from, to) = (fixed(step.inputs[0]), fixed(output));
            let place = scale.place(from, to).unsigned_abs() as u32;
            let tables = (supply.take(0).unwrap(), supply.take(0).unwrap());
            one(levels::levels(&context, share(0), width, *scale, tables, (place, to.bits)).await?)
        }
        StepOp::Reveal { to } => {
            let seen = memory::pair().0.transcript();
            Ok(reveal::reveal(&context, share(0), *to, seen).await?.into_iter().collect())
        }
        other => panic!("`{}` is no protocol", other.name()),
    }
}

/// Keeps what it passes on.
struct Recorder {
    channel: memory::Memory,
    messages: Vec<(Vec<u8>, usize)>,
}

impl Channel for Recorder {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        self.messages.push((out.clone(), expect));
        self.channel.exchange(out, expect)
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        self.channel.send(message)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.channel.receive(limit)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.channel.set_patience(patience)
    }

    fn counters(&self) -> Counters {
        self.channel.counters()
    }

    fn transcript(&self) -> Transcript {
        self.channel.transcript()
    }

    fn binding(&self) -> ptc_net::channel::Binding {
        self.channel.binding()
    }
}

fn check_price(plan: &Plan, server: &Side, client: &Side) {
    let predicted: Vec<Round> =
        rounds(&plan.values, &plan.steps[0]).into_iter().filter(|round| round.sent != [0, 0]).collect();
    let measured = |side: &Side, sent: usize| -> Vec<Round> {
        let round = |(out, expect): &(Vec<u8>, usize)| {
            let mut round = Round { sent: [*expect as u64; 2] };
            round.sent[sent] = out.len() as u64;
            round
        };
        side.messages.iter().map(round).collect()
    };
    assert_eq!(measured(server, 0), predicted, "rounds of the server");
    assert_eq!(measured(client, 1), predicted, "rounds of the client");
    let (total, _) = total(plan);
    for (side, sent) in [(server, 0), (client, 1)] {
        assert_eq!((side.online.rounds, side.online.sent), (total.rounds, total.sent[sent]), "online counters");
        assert_eq!(side.online.received, total.sent[1 - sent], "online counters");
    }
    let offline = offline(plan);
    assert_eq!(server.dealer.received, offline.dealer_to_server_once + offline.dealer_to_server);
    assert_eq!(client.dealer.received, offline.dealer_to_client);
    assert_eq!(client.weights.received, offline.server_to_client_once);
    assert_eq!(server.dealer.sent + client.dealer.sent + client.weights.sent, 0);
}

/// Means of uniform values, within seven standard deviations. Local and revealed results prove nothing here.
fn check_uniform(plan: &Plan, side: &Side) {
    let step = &plan.steps[0];
    if matches!(step.op, StepOp::Reveal { .. }) || side.messages.is_empty() {
        return;
    }
    for (id, share) in step.outputs.iter().zip(&side.shares) {
        let Form::Share(fixed) = plan.values[id.0 as usize].form else { continue };
        // The fraction bits of a bit are zero.
        let zero = if step.op == StepOp::BitToShare { fixed.frac } else { 0 };
        let bits = fixed.bits;
        let mean = share.iter().map(|x| (x >> zero) as f64 / f64::from(bits - zero).exp2()).sum::<f64>();
        near(mean / share.len() as f64, 0.5 - 0.5 / f64::from(bits - zero).exp2(), share.len(), "shares", side.party);
    }
    for (out, _) in &side.messages {
        let ones: u32 = out.iter().map(|byte| byte.count_ones()).sum();
        // The last byte of packed elements is filled up with zeros.
        if out.len() > 1000 {
            near(f64::from(ones) / 8.0 / out.len() as f64, 0.5, 8 * out.len(), "messages", side.party);
        }
    }
}

fn near(mean: f64, expected: f64, count: usize, of: &str, party: Party) {
    // A fair coin has the largest deviation of all values in the unit interval.
    let tolerance = 7.0 * 0.5 / (count as f64).sqrt();
    assert!((mean - expected).abs() <= tolerance, "the mean of {of} at the {party:?} is {mean}, not {expected}");
}
