//! Who is here: places, deadlines, and how a connection is ended from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ptc_exec::RunError;

use crate::Outcome;

/// Places for callers that have not said what they want. A silent one holds its place for the time of a greeting.
pub const STRANGERS: usize = 64;

/// Everybody who is connected.
pub struct Crowd {
    sessions: usize,
    here: Mutex<Here>,
    left: Condvar,
}

#[derive(Default)]
struct Here {
    visitors: BTreeMap<u64, Visitor>,
    came: u64,
    closed: bool,
}

struct Visitor {
    cut: Arc<dyn Fn() + Send + Sync>,
    until: Instant,
    /// Of the rest between two queries.
    idle_until: Instant,
    stage: Stage,
    overdue: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stranger,
    /// In a query, or on the way to one.
    Busy,
    /// Between two queries.
    Idle,
}

/// A visitor's place, which is free again when this goes.
pub struct Entry {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Crowd {
    /// With places for so many sessions.
    pub fn new(sessions: usize) -> Arc<Crowd> {
        Arc::new(Crowd { sessions, here: Mutex::default(), left: Condvar::new() })
    }

    /// None where even strangers have no place.
    pub fn enter(self: &Arc<Self>, cut: Arc<dyn Fn() + Send + Sync>, greeting: Duration) -> Option<Entry> {
        let mut here = self.lock();
        if here.closed || here.count(|stage| stage == Stage::Stranger) >= STRANGERS {
            return None;
        }
        here.came += 1;
        let number = here.came;
        let until = Instant::now() + greeting;
        let visitor = Visitor { cut, until, idle_until: until, stage: Stage::Stranger, overdue: false };
        here.visitors.insert(number, visitor);
        Some(Entry { crowd: self.clone(), number })
    }

    /// Sessions that run.
    pub fn sessions(&self) -> usize {
        self.lock().count(|stage| stage != Stage::Stranger)
    }

    pub fn strangers(&self) -> usize {
        self.lock().count(|stage| stage == Stage::Stranger)
    }

    /// Ends the connections of those whose time is over. For whoever looks now and then.
    pub fn cut_overdue(&self) {
        let now = Instant::now();
        let cuts: Vec<_> = {
            let mut here = self.lock();
            let late = here.visitors.values_mut().filter_map(|visitor| {
                visitor.overdue = visitor.until <= now;
                let late = visitor.overdue || (visitor.stage == Stage::Idle && visitor.idle_until <= now);
                late.then(|| visitor.cut.clone())
            });
            late.collect()
        };
        cuts.iter().for_each(|cut| cut());
    }

    /// Lets nobody in from here on, and cuts those that no query keeps.
    pub fn close(&self) {
        let cuts: Vec<_> = {
            let mut here = self.lock();
            here.closed = true;
            here.visitors.values().filter(|visitor| visitor.stage != Stage::Busy).map(|v| v.cut.clone()).collect()
        };
        cuts.iter().for_each(|cut| cut());
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// How many were there.
    pub fn cut_all(&self) -> usize {
        let cuts: Vec<_> = self.lock().visitors.values().map(|visitor| visitor.cut.clone()).collect();
        cuts.iter().for_each(|cut| cut());
        cuts.len()
    }

    /// Whether everybody has left by then.
    pub fn wait_until_empty(&self, until: Instant) -> bool {
        let mut here = self.lock();
        loop {
            if here.visitors.is_empty() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            here = self.left.wait_timeout(here, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What is held here is whole at every moment, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Here {
    fn count(&self, which: impl Fn(Stage) -> bool) -> usize {
        self.visitors.values().filter(|visitor| which(visitor.stage)).count()
    }
}

impl Entry {
    /// Counts those who came.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A stranger's place becomes a session's, for `limit`; or the reason why not.
    pub fn admit(&self, limit: Duration) -> Result<(), String> {
        let mut here = self.crowd.lock();
        if here.closed {
            return Err("it is stopping".into());
        }
        let taken = here.count(|stage| stage != Stage::Stranger);
        if taken >= self.crowd.sessions {
            return Err(format!("{taken} of {} sessions are taken", self.crowd.sessions));
        }
        if let Some(visitor) = here.visitors.get_mut(&self.number) {
            (visitor.stage, visitor.until) = (Stage::Busy, Instant::now() + limit);
        }
        Ok(())
    }

    /// Between two queries, for at most `between`. False where the session is to end instead.
    pub fn rest(&self, between: Duration) -> bool {
        self.turn(Stage::Idle, between)
    }

    /// A query begins. False where the session is to end instead.
    pub fn work(&self) -> bool {
        self.turn(Stage::Busy, Duration::ZERO)
    }

    fn turn(&self, stage: Stage, between: Duration) -> bool {
        let mut here = self.crowd.lock();
        let closed = here.closed;
        match here.visitors.get_mut(&self.number) {
            Some(visitor) if !closed && !visitor.overdue => {
                visitor.stage = stage;
                visitor.idle_until = Instant::now() + between;
                true
            }
            _ => false,
        }
    }

    /// What it stands for that the session was to end.
    pub fn ended(&self) -> Outcome {
        let here = self.crowd.lock();
        let overdue = here.visitors.get(&self.number).is_some_and(|visitor| visitor.overdue);
        if overdue { Outcome::Overdue } else { Outcome::Stopped }
    }

    /// What an error that ended the visit stands for.
    pub fn outcome(&self, error: &RunError) -> Outcome {
        let here = self.crowd.lock();
        let Some(visitor) = here.visitors.get(&self.number) else { return Outcome::Failed };
        match (error, visitor.stage) {
            (RunError::TurnedAway(_), _) => Outcome::Refused,
            (_, Stage::Stranger) => Outcome::Stranger,
            _ if visitor.overdue => Outcome::Overdue,
            _ if here.closed => Outcome::Stopped,
            (_, Stage::Idle) => Outcome::Left,
            (_, Stage::Busy) => Outcome::Failed,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.crowd.lock().visitors.remove(&self.number);
        self.crowd.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn counted() -> (Arc<AtomicUsize>, Arc<dyn Fn() + Send + Sync>) {
        let count = Arc::new(AtomicUsize::new(0));
        let own = count.clone();
        (count, Arc::new(move || _ = own.fetch_add(1, Ordering::SeqCst)))
    }

    #[test]
    fn places_are_counted_and_come_back() {
        let (crowd, (_, cut)) = (Crowd::new(1), counted());
        let [first, second] = [(); 2].map(|()| crowd.enter(cut.clone(), LONG).unwrap());
        assert_eq!((crowd.sessions(), crowd.strangers()), (0, 2));
        first.admit(LONG).unwrap();
        assert_eq!(second.admit(LONG), Err("1 of 1 sessions are taken".into()));
        drop(first);
        second.admit(LONG).unwrap();
        assert_eq!((crowd.sessions(), crowd.strangers()), (1, 0));
    }

    #[test]
    fn strangers_have_few_places() {
        let (crowd, (_, cut)) = (Crowd::new(1), counted());
        let strangers: Vec<Entry> = (0..STRANGERS).map(|_| crowd.enter(cut.clone(), LONG).unwrap()).collect();
        assert!(crowd.enter(cut.clone(), LONG).is_none());
        drop(strangers);
        assert!(crowd.enter(cut, LONG).is_some());
    }

    #[test]
    fn who_takes_too_long_is_cut() {
        let (crowd, (count, cut)) = (Crowd::new(1), counted());
        let (late, early) = (crowd.enter(cut.clone(), Duration::ZERO).unwrap(), crowd.enter(cut, LONG).unwrap());
        early.admit(LONG).unwrap();
        crowd.cut_overdue();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let gone = RunError::Peer(ptc_net::PeerError::Closed("a message".into()));
        assert_eq!(late.outcome(&gone), Outcome::Stranger);
        assert!(early.rest(Duration::ZERO));
        crowd.cut_overdue();
        assert_eq!(count.load(Ordering::SeqCst), 3);
        assert_eq!(early.outcome(&gone), Outcome::Left);
    }

    #[test]
    fn closing_spares_those_at_work() {
        let (crowd, (count, cut)) = (Crowd::new(2), counted());
        let [idle, busy] = [(); 2].map(|()| crowd.enter(cut.clone(), LONG).unwrap());
        idle.admit(LONG).unwrap();
        busy.admit(LONG).unwrap();
        assert!(idle.rest(LONG) && busy.work());
        crowd.close();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(!busy.rest(LONG) && crowd.enter(cut, LONG).is_none());
        assert!(!crowd.wait_until_empty(Instant::now()));
        drop((idle, busy));
        assert!(crowd.wait_until_empty(Instant::now()));
    }
}
