//! One query: the schedule's rounds, with what is computed beside them.
//!
//! Three threads. This one extends transfers, starts pieces and speaks with the other party; one finishes the pieces whose
//! corrections or wrap bits have come; one encrypts and opens (the client) or multiplies (the server), so that this work
//! goes on while others wait for the link.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use ptc_correlation::Supply;
use ptc_correlation::assemble::Piece as Part;
use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_kernels::Backend;
use ptc_net::{Channel, PeerError};
use ptc_plan::bill::Correlation;
use ptc_plan::step::{Method, Party};
use ptc_plan::two_party::piece::Piece;
use ptc_plan::two_party::price::parts;
use ptc_plan::two_party::schedule::{Round, schedule};
use ptc_plan::two_party::wraps;
use ptc_ring::{Prg, Seed};
use rayon::prelude::*;

use super::assembly::Assembly;
use super::encrypted::{Asked, Weights, ask, multiply, opened, weight_of};
use super::made::{Started, parse_planes};
use super::piece::start;
use super::slotwise::{self, Shared};
use super::spent::{ENCRYPTION, EXTENSION, SLOTS, Spent, WAITING, WRAPPING, kind};
use super::stock::{Incoming, Stocks};
use super::transfers::Transfers;
use super::{Keys, Made, Progress, Session};

/// Streams of a session's seed, by the number of a piece.
const PIECE: u64 = 1;

/// Batches whose corrections have come and that wait to be finished: a bound on memory.
const UNFINISHED: usize = 2;

/// Batches of factors that the client encrypts ahead.
const AHEAD: usize = 2;

/// Makes all that a query consumes.
pub fn run(
    session: &mut Session,
    channel: &mut dyn Channel,
    weights: &Weights,
    tell: &mut dyn FnMut(Progress),
) -> Result<Supply, PeerError> {
    let rounds = schedule(&session.plan.batches, session.plan.extension, &mut session.stocked);
    let places = number(&session.plan, &mut session.pieces);
    let counts = counts(&session.plan);
    let of_bill = session.plan.bill.iter().zip(counts).map(|((step, whole), count)| (*step, whole.clone(), count));
    let assembly = Mutex::new(Assembly::new(session.party, session.plan.steps, of_bill));
    let Session { party, backend, plan, keys, transfers: ends, sent, received, seed, spent, .. } = session;
    let query =
        Query { party: *party, plan, seed, spent, backend: &**backend, weights, places: &places, assembly: &assembly };
    let mut stocks = Stocks { ends: ends.as_mut(), sent, received };
    thread::scope(|scope| {
        let (corrected, unfinished) = sync_channel(UNFINISHED);
        let ((jobs, undone), (made, messages)) = (self::channel(), self::channel());
        let ((hold, wraps), (shared, products)) = (self::channel(), self::channel());
        let query = &query;
        let finisher = scope.spawn(move || query.finish_all(unfinished, hold));
        let keys = &*keys;
        let encrypter = scope.spawn(move || match keys {
            Keys::Server(matrices, elements) => query.multiply_all((matrices, elements), undone, made, shared),
            Keys::Client(matrices, elements) => query.encrypt_all((matrices, elements), undone, made, shared),
        });
        let mut others = Others { corrected, jobs, messages, wraps, products };
        let spoken = query.speak(&rounds, channel, &mut stocks, &mut others, tell);
        // They end when nothing more can come.
        drop(others);
        let [finished, encrypted] = [finisher, encrypter].map(|thread| thread.join());
        let ended = |result: thread::Result<_>| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What went wrong elsewhere is the reason when this thread lacks a message.
        ended(encrypted).and(ended(finished)).and(spoken)
    })?;
    Ok(assembly.into_inner().expect("nobody panicked").supply())
}

/// Where a piece belongs: its correlation's place in the bill, and which of its pieces it is. Its number comes once in a
/// session.
#[derive(Clone, Copy)]
struct Place {
    place: usize,
    piece: usize,
    number: u64,
}

/// Of every batch's pieces.
fn number(plan: &Made, next: &mut u64) -> Vec<Vec<Place>> {
    let mut before = vec![0; plan.bill.len()];
    let mut place = |piece: &Piece| {
        let place = Place { place: piece.place, piece: before[piece.place], number: *next };
        before[piece.place] += 1;
        *next += 1;
        place
    };
    plan.batches.iter().map(|batch| batch.pieces.iter().map(&mut place).collect()).collect()
}

/// Pieces of each correlation of the bill.
fn counts(plan: &Made) -> Vec<usize> {
    let mut counts = vec![0; plan.bill.len()];
    plan.batches.iter().flat_map(|batch| &batch.pieces).for_each(|piece| counts[piece.place] += 1);
    counts
}

/// What all threads read.
struct Query<'a> {
    party: Party,
    plan: &'a Made,
    seed: &'a Seed,
    spent: &'a Spent,
    backend: &'a dyn Backend,
    weights: &'a Weights<'a>,
    /// By batch.
    places: &'a [Vec<Place>],
    assembly: &'a Mutex<Assembly>,
}

/// Ways to and from the other threads.
struct Others {
    corrected: SyncSender<Finish>,
    jobs: Sender<Job>,
    messages: Receiver<Vec<u8>>,
    /// Batch after batch of those with elementwise products, piece by piece: the wrap correlations, and the shares.
    wraps: Receiver<Vec<Vec<Part>>>,
    products: Receiver<Vec<Shared>>,
}

/// What the finishing thread does.
enum Finish {
    Corrected(Corrected),
    Wrapped(Wrapped),
}

/// Elementwise products of a batch on their way into the ring.
struct Wrapped {
    batch: usize,
    wraps: Vec<Vec<Part>>,
    products: Vec<Shared>,
    /// By piece, what this party opens.
    own: Vec<Vec<u64>>,
    other: Vec<u8>,
}

/// Pieces that wait for corrections, each with the length of its own.
type Unfinished = Vec<(usize, Started, usize)>;

/// A batch whose corrections have come.
struct Corrected {
    batch: usize,
    pieces: Unfinished,
    message: Vec<u8>,
}

/// Work on the encrypted products of a batch.
enum Job {
    Ask(usize),
    Open(usize, Vec<u8>),
    Multiply(usize, Vec<u8>),
}

impl Query<'_> {
    /// The rounds.
    fn speak(
        &self,
        rounds: &[Round],
        channel: &mut dyn Channel,
        stocks: &mut Stocks,
        others: &mut Others,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), PeerError> {
        let own = self.party.index();
        let mut asks = rounds.iter().filter_map(|round| round.encrypted);
        let mut ask_next = |jobs: &Sender<Job>| {
            if let (Party::Client, Some(batch)) = (self.party, asks.next()) {
                send(jobs, Job::Ask(batch));
            }
        };
        (0..AHEAD).for_each(|_| ask_next(&others.jobs));
        // The batch whose corrections are sent in the round that comes.
        let mut unfinished: Option<Unfinished> = None;
        let extend =
            |stocks: &mut Stocks, at: usize| self.spent.time(EXTENSION, || stocks.start(self.party, rounds.get(at)));
        let mut ahead = extend(stocks, 0);
        for (at, round) in rounds.iter().enumerate() {
            tell(Progress { done: at, of: rounds.len() });
            let parts = parts(&self.plan.batches, &self.plan.packings, self.plan.extension, round);
            let (mut message, extending) = ahead;
            message.reserve_exact(parts[own].sum() as usize - message.len());
            for (_, started, _) in unfinished.iter_mut().flatten() {
                message.append(&mut started.message);
            }
            if parts[own].encrypted > 0 {
                message.extend(others.messages.recv().map_err(|_| ended())?);
                ask_next(&others.jobs);
            }
            let opening = round.wrapped.map(|batch| open_wraps(batch, others, &mut message)).transpose()?;
            assert_eq!(message.len() as u64, parts[own].sum(), "the price of a round");
            let expected = parts[1 - own].sum() as usize;
            // The next extension is started while this round's bytes are on their way.
            let (answer, next) = thread::scope(|scope| {
                let next = scope.spawn(|| extend(stocks, at + 1));
                let answer = self.spent.time(WAITING, || channel.exchange(message, expected));
                (answer, next.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            });
            let message = answer?;
            ahead = next;
            let mut incoming = Incoming::new(parts[1 - own], &message);
            self.spent.time(EXTENSION, || stocks.finish(self.party, extending, &mut incoming))?;
            let corrections = incoming.next(incoming.parts.corrections);
            if let (Some(batch), Some(pieces)) = (round.corrected, unfinished.take()) {
                let corrected = Corrected { batch, pieces, message: corrections.to_vec() };
                others.corrected.send(Finish::Corrected(corrected)).map_err(|_| ended())?;
            }
            let encrypted = incoming.next(incoming.parts.encrypted);
            match (self.party, round.encrypted, round.multiplied) {
                (Party::Server, Some(batch), _) => send(&others.jobs, Job::Multiply(batch, encrypted.to_vec())),
                (Party::Client, _, Some(batch)) => send(&others.jobs, Job::Open(batch, encrypted.to_vec())),
                _ => {}
            }
            if let Some(opening) = opening {
                let wrapped = Wrapped { other: incoming.rest.to_vec(), ..opening };
                others.corrected.send(Finish::Wrapped(wrapped)).map_err(|_| ended())?;
            }
            unfinished = self.plan.batches.get(at).map(|_| self.start(at, stocks));
        }
        tell(Progress { done: rounds.len(), of: rounds.len() });
        Ok(())
    }

    /// Starts the pieces of a batch that are made from transfers.
    fn start(&self, batch: usize, stocks: &mut Stocks) -> Unfinished {
        let mut ready = vec![];
        for (at, (piece, place)) in self.pieces(batch) {
            if piece.products().is_empty() {
                let needed = piece.transfers();
                let (own, other) = (needed[self.party.index()], needed[self.party.other().index()]);
                let sent = stocks.sent.send(stocks.delta(), own.transfers, place.number);
                let received = stocks.received.receive(other.transfers, place.number);
                ready.push((at, Transfers { sent, received }, place.number, other.bytes as usize));
            }
        }
        let begin = |(at, transfers, number, expected): (usize, Transfers, u64, usize)| {
            let correlation = &self.by_transfers(batch, at);
            let weights = match *correlation {
                Correlation::StaticMul { weight, .. } | Correlation::StaticMatMul { weight, .. }
                    if self.party == Party::Server =>
                {
                    Some(weight_of(self.weights, weight))
                }
                _ => None,
            };
            let started = self.spent.time(kind(correlation), || {
                start(correlation, self.party, transfers, weights, &mut self.stream(number), self.backend)
            });
            (at, started, expected)
        };
        ready.into_par_iter().map(begin).collect()
    }

    /// What a piece has made from transfers: all of it, or the wrap correlation of an elementwise product.
    fn by_transfers(&self, batch: usize, at: usize) -> Correlation {
        let piece = &self.plan.batches[batch].pieces[at];
        piece.slotwise().map_or_else(|| piece.correlation.clone(), |(product, _)| wraps(&product))
    }

    /// Pieces become parts as corrections and wrap bits come.
    fn finish_all(&self, jobs: Receiver<Finish>, hold: Sender<Vec<Vec<Part>>>) -> Result<(), PeerError> {
        for job in jobs {
            match job {
                Finish::Corrected(corrected) => self.finish_corrected(corrected, &hold)?,
                Finish::Wrapped(wrapped) => self.finish_wrapped(wrapped),
            }
        }
        Ok(())
    }

    fn finish_corrected(&self, corrected: Corrected, hold: &Sender<Vec<Vec<Part>>>) -> Result<(), PeerError> {
        let Corrected { batch, pieces, message } = corrected;
        let (mut rest, mut cut) = (&message[..], vec![]);
        for (at, started, expected) in pieces {
            let (own, others) = rest.split_at(expected);
            rest = others;
            cut.push((at, started, own));
        }
        let finish = |(at, started, message): (usize, Started, &[u8])| {
            let parts = self.spent.time(kind(&self.by_transfers(batch, at)), || started.finish(message))?;
            if self.plan.batches[batch].pieces[at].slotwise().is_some() {
                return Ok(Some(parts));
            }
            self.put(self.places[batch][at], parts);
            Ok(None)
        };
        let held = cut.into_par_iter().map(finish).collect::<Result<Vec<_>, PeerError>>()?;
        let held: Vec<Vec<Part>> = held.into_iter().flatten().collect();
        if !held.is_empty() {
            // Whoever waits for them tells why it does not.
            let _ = hold.send(held);
        }
        Ok(())
    }

    fn finish_wrapped(&self, wrapped: Wrapped) {
        let Wrapped { batch, wraps, products, own, other } = wrapped;
        let other = parse_planes(&other);
        let (mut rest, mut cut) = (&other[..], vec![]);
        for (((_, place), product), (wrap, own)) in self.slotwise(batch).zip(products).zip(wraps.into_iter().zip(own)) {
            let (opened, others) = rest.split_at(own.len());
            rest = others;
            cut.push((place, product, wrap, own, opened));
        }
        cut.into_par_iter().for_each(|(place, product, wrap, own, other)| {
            let parts = self.spent.time(WRAPPING, || product.finish(self.party, wrap, &own, other));
            self.put(place, parts);
        });
    }

    /// The server's work on encrypted products.
    fn multiply_all(
        &self,
        (matrices, elements): (&ServerKeys, &slotwise::ServerKeys),
        jobs: Receiver<Job>,
        messages: Sender<Vec<u8>>,
        shared: Sender<Vec<Shared>>,
    ) -> Result<(), PeerError> {
        let packings = &self.plan.packings;
        for job in jobs {
            let Job::Multiply(batch, requests) = job else { panic!("the client asks and opens") };
            let (mut rest, mut message, mut shares) = (&requests[..], vec![], vec![]);
            for (piece, place) in self.encrypted(batch) {
                let (correlation, stream) = (&piece.correlation, &mut self.stream(place.number));
                if piece.slotwise().is_some() {
                    shares.push(
                        self.spent.time(SLOTS, || {
                            slotwise::multiply(correlation, elements, stream, &mut rest, &mut message)
                        })?,
                    );
                    continue;
                }
                let parts = self.spent.time(ENCRYPTION, || {
                    multiply(
                        correlation,
                        matrices,
                        packings,
                        self.backend,
                        self.weights,
                        stream,
                        &mut rest,
                        &mut message,
                    )
                })?;
                self.put(place, parts);
            }
            let told = messages.send(message).is_ok() && (shares.is_empty() || shared.send(shares).is_ok());
            if !told {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The client's.
    fn encrypt_all(
        &self,
        (matrices, elements): (&ClientKeys, &slotwise::ClientKeys),
        jobs: Receiver<Job>,
        messages: Sender<Vec<u8>>,
        shared: Sender<Vec<Shared>>,
    ) -> Result<(), PeerError> {
        let mut asked: BTreeMap<usize, Vec<Awaiting>> = BTreeMap::new();
        let packings = &self.plan.packings;
        for job in jobs {
            match job {
                Job::Ask(batch) => {
                    let (mut message, mut awaiting) = (vec![], vec![]);
                    for (piece, place) in self.encrypted(batch) {
                        let (correlation, stream) = (&piece.correlation, &mut self.stream(place.number));
                        awaiting.push(if piece.slotwise().is_some() {
                            let asking = || slotwise::ask(correlation, elements, stream, &mut message);
                            Awaiting::Elements(self.spent.time(SLOTS, asking)?)
                        } else {
                            let asking = || ask(correlation, matrices, packings, stream, &mut message);
                            Awaiting::Matrices(place, self.spent.time(ENCRYPTION, asking)?)
                        });
                    }
                    asked.insert(batch, awaiting);
                    if messages.send(message).is_err() {
                        return Ok(());
                    }
                }
                Job::Open(batch, answers) => {
                    let (mut rest, mut shares) = (&answers[..], vec![]);
                    for awaiting in asked.remove(&batch).expect("what is answered was asked") {
                        match awaiting {
                            Awaiting::Elements(asked) => {
                                let opening = || slotwise::opened(asked, elements, &mut rest);
                                shares.push(self.spent.time(SLOTS, opening)?);
                            }
                            Awaiting::Matrices(place, asked) => {
                                let opening = || opened(asked, matrices, packings, self.backend, &mut rest);
                                self.put(place, self.spent.time(ENCRYPTION, opening)?);
                            }
                        }
                    }
                    if !shares.is_empty() && shared.send(shares).is_err() {
                        return Ok(());
                    }
                }
                Job::Multiply(..) => panic!("the server multiplies"),
            }
        }
        Ok(())
    }

    fn pieces(&self, batch: usize) -> impl Iterator<Item = (usize, (&Piece, Place))> {
        self.plan.batches[batch].pieces.iter().zip(self.places[batch].iter().copied()).enumerate()
    }

    /// Those that are made by encryption.
    fn encrypted(&self, batch: usize) -> impl Iterator<Item = (&Piece, Place)> {
        self.pieces(batch).map(|(_, piece)| piece).filter(|(piece, _)| piece.method == Method::Encrypted)
    }

    /// Those of them that are elementwise.
    fn slotwise(&self, batch: usize) -> impl Iterator<Item = (&Piece, Place)> {
        self.encrypted(batch).filter(|(piece, _)| piece.slotwise().is_some())
    }

    fn stream(&self, number: u64) -> Prg {
        self.seed.stream(PIECE, number)
    }

    fn put(&self, place: Place, parts: Vec<Part>) {
        self.assembly.lock().expect("nobody panics while putting").put(place.place, place.piece, parts);
    }
}

/// The client's masks, between its request and the answer.
enum Awaiting {
    Matrices(Place, Asked),
    Elements(slotwise::Asked),
}

/// Appends what this party opens of a batch's wrap bits, once both halves are there.
fn open_wraps(batch: usize, others: &mut Others, message: &mut Vec<u8>) -> Result<Wrapped, PeerError> {
    let wraps = others.wraps.recv().map_err(|_| ended())?;
    let products = others.products.recv().map_err(|_| ended())?;
    let own: Vec<Vec<u64>> = products.iter().zip(&wraps).map(|(product, wrap)| product.open(wrap)).collect();
    message.extend(own.iter().flatten().flat_map(|word| word.to_le_bytes()));
    Ok(Wrapped { batch, wraps, products, own, other: vec![] })
}

/// A thread that has ended tells why when it is joined.
fn send(jobs: &Sender<Job>, job: Job) {
    let _ = jobs.send(job);
}

/// In place of what another thread tells.
fn ended() -> PeerError {
    PeerError::Closed("the work of another thread".into())
}
