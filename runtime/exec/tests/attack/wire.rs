//! The wires between honest parties, with somebody on them who changes one frame.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use ptc_net::Channel;
use ptc_net::tcp::Tcp;

use crate::labels::Log;
use crate::scenario::{Ending, Ends, Given, Scenario};
use crate::tampering::{Change, Frame, alter};

/// What went over each link, each way: payloads.
pub type Recorded = Vec<[Vec<Vec<u8>>; 2]>;

/// One frame, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tampering {
    pub link: usize,
    pub way: usize,
    pub index: usize,
    pub change: Change,
    pub seed: u64,
}

/// A session and what was done to it.
pub struct Played {
    pub endings: [Ending; 2],
    pub frames: Recorded,
    /// When the frame was changed, and whether that made a difference to its bytes; none if it never came.
    pub tampered: Option<(Instant, bool)>,
}

/// A session over tcp, with somebody on the wires.
pub fn play(
    scenario: &Scenario,
    idle: Duration,
    given: Given,
    tampering: Option<(Tampering, &Recorded)>,
    log: Option<&Log>,
) -> Played {
    meet(scenario, idle, tampering, |ends| scenario.play(ends, given, log))
}

/// The same, with the pools in `folder`.
pub fn play_in(
    scenario: &Scenario,
    folder: &Path,
    idle: Duration,
    tampering: Option<(Tampering, &Recorded)>,
) -> Played {
    meet(scenario, idle, tampering, |ends| scenario.play_in(folder, ends, Given::One, None))
}

fn meet(
    scenario: &Scenario,
    idle: Duration,
    tampering: Option<(Tampering, &Recorded)>,
    session: impl FnOnce(Ends) -> [Ending; 2],
) -> Played {
    let count = if scenario.has_dealer() { 3 } else { 1 };
    let (mut ends, mut links) = (vec![], vec![]);
    for _ in 0..count {
        let [(first, own), (second, other)] = [connected(), connected()];
        links.push([own, other]);
        ends.push([first, second].map(|end| Box::new(Tcp::new(end, idle).unwrap()) as Box<dyn Channel>));
    }
    let mut ends = ends.into_iter();
    let peer = ends.next().unwrap();
    let dealer = scenario.has_dealer().then(|| [ends.next().unwrap(), ends.next().unwrap()]);
    let tap = Tap {
        frames: Mutex::new(vec![Default::default(); count]),
        tampered: Mutex::new(None),
        over: AtomicBool::new(false),
        tampering,
    };
    let endings = scope(|scope| {
        for (link, ends) in links.iter().enumerate() {
            for way in 0..2 {
                let tap = &tap;
                scope.spawn(move || tap.pass(link, way, ends));
            }
        }
        let endings = session(Ends { peer, dealer });
        tap.over.store(true, Ordering::Release);
        links.iter().flatten().for_each(|end| drop(end.shutdown(Shutdown::Both)));
        endings
    });
    Played { endings, frames: tap.frames.into_inner().unwrap(), tampered: tap.tampered.into_inner().unwrap() }
}

/// Both ends of a connection.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    [&one, &other].iter().for_each(|end| end.set_nodelay(true).unwrap());
    (one, other)
}

struct Tap<'a> {
    frames: Mutex<Recorded>,
    tampered: Mutex<Option<(Instant, bool)>>,
    over: AtomicBool,
    tampering: Option<(Tampering, &'a Recorded)>,
}

impl Tap<'_> {
    /// Frames of one link and way go on until a side leaves.
    fn pass(&self, link: usize, way: usize, ends: &[TcpStream; 2]) {
        let (mut from, mut to) = (&ends[way], &ends[1 - way]);
        let mut added = 0;
        let mut index = 0;
        while let Some(mut frame) = read(&mut from) {
            self.frames.lock().unwrap()[link][way].push(frame.payload.clone());
            frame.number(added);
            let own = |tampering: &Tampering| (tampering.link, tampering.way, tampering.index) == (link, way, index);
            let bytes = match self.tampering.filter(|(tampering, _)| own(tampering)) {
                None => frame.bytes(),
                Some((Tampering { change: Change::Leave, .. }, _)) => {
                    self.mark(true);
                    ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
                    return;
                }
                Some((Tampering { change: Change::Delay, .. }, _)) => {
                    self.mark(true);
                    while !self.over.load(Ordering::Acquire) {
                        sleep(Duration::from_millis(5));
                    }
                    frame.bytes()
                }
                Some((Tampering { change: Change::Reorder, seed, .. }, _)) => {
                    self.mark(true);
                    let Some(next) = read(&mut from) else { break };
                    self.frames.lock().unwrap()[link][way].push(next.payload.clone());
                    index += 1;
                    Frame::swapped(frame, next, seed)
                }
                Some((tampering, other)) => {
                    let here = self.frames.lock().unwrap();
                    let opposite = here[link][1 - way].get(index).or_else(|| other[link][1 - way].get(index));
                    let opposite = opposite.or_else(|| here[link][1 - way].last()).cloned().unwrap_or_default();
                    drop(here);
                    let replayed = other[link][way].get(index).cloned().unwrap_or_default();
                    let bytes = alter(&frame, tampering.change, tampering.seed, replayed, opposite, &mut added);
                    self.mark(bytes != frame.bytes());
                    bytes
                }
            };
            index += 1;
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn mark(&self, altered: bool) {
        *self.tampered.lock().unwrap() = Some((Instant::now(), altered));
    }
}

fn read(from: &mut impl Read) -> Option<Frame> {
    let mut header = [0; 8];
    from.read_exact(&mut header).ok()?;
    let mut payload = vec![0; u32::from_le_bytes(*header.first_chunk()?) as usize];
    from.read_exact(&mut payload).ok()?;
    Some(Frame { header, payload })
}
