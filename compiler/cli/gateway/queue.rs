//! Runs of the plan that wait for a session.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ptc_exec::tensors::Tensors;

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Too many wait.
    Full,
    /// It took too long.
    Late,
    Stopping,
    Failed(String),
}

/// One run of the plan, and who waits for it.
pub struct Job {
    pub inputs: Tensors,
    until: Instant,
    answer: SyncSender<Result<Tensors, Lost>>,
}

pub struct Queue {
    most: usize,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// What a session is to do next.
pub enum Next {
    Run(Job),
    /// Nothing came for as long as it waited.
    Nothing,
    Stop,
}

impl Queue {
    pub fn new(most: usize) -> Queue {
        Queue { most, line: Mutex::default(), changed: Condvar::new() }
    }

    /// All of them, or none. Each answer comes where its receiver is.
    pub fn put(&self, runs: Vec<Tensors>, until: Instant) -> Result<Vec<Receiver<Result<Tensors, Lost>>>, Lost> {
        let mut line = self.lock();
        if line.closed {
            return Err(Lost::Stopping);
        }
        // A request that is longer than the queue runs when nothing else waits.
        if !line.jobs.is_empty() && line.jobs.len() + runs.len() > self.most {
            return Err(Lost::Full);
        }
        let mut answers = vec![];
        for inputs in runs {
            let (answer, receiver) = sync_channel(1);
            line.jobs.push_back(Job { inputs, until, answer });
            answers.push(receiver);
        }
        self.changed.notify_all();
        Ok(answers)
    }

    /// Waits for at most `patience`.
    pub fn next(&self, patience: Duration) -> Next {
        let until = Instant::now() + patience;
        let mut line = self.lock();
        loop {
            while let Some(job) = line.jobs.pop_front() {
                // Nobody waits for it any more.
                if job.until > Instant::now() {
                    return Next::Run(job);
                }
                job.end(Err(Lost::Late));
            }
            if line.closed {
                return Next::Stop;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Nothing;
            }
            line = self.changed.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes no more; what waits is still run.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Whoever waited may be gone.
    pub fn end(self, result: Result<Tensors, Lost>) {
        let _ = self.answer.try_send(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(100);

    fn soon() -> Instant {
        Instant::now() + LONG
    }

    #[test]
    fn jobs_are_done_in_order_and_bounded() {
        let queue = Queue::new(2);
        let first = queue.put(vec![Tensors::new(); 3], soon()).ok().unwrap();
        assert_eq!(queue.put(vec![Tensors::new()], soon()).err(), Some(Lost::Full));
        assert_eq!(queue.waiting(), 3);
        let Next::Run(job) = queue.next(LONG) else { panic!("no job") };
        job.end(Err(Lost::Failed("x".into())));
        assert_eq!(first[0].recv().unwrap(), Err(Lost::Failed("x".into())));
    }

    #[test]
    fn what_nobody_waits_for_is_not_run() {
        let queue = Queue::new(9);
        let late = queue.put(vec![Tensors::new()], Instant::now()).ok().unwrap();
        assert!(matches!(queue.next(Duration::ZERO), Next::Nothing));
        assert_eq!(late[0].recv().unwrap(), Err(Lost::Late));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_ends() {
        let queue = Queue::new(9);
        let _answers = queue.put(vec![Tensors::new()], soon()).ok().unwrap();
        queue.close();
        assert_eq!(queue.put(vec![], soon()).err(), Some(Lost::Stopping));
        assert!(matches!(queue.next(LONG), Next::Run(_)));
        assert!(matches!(queue.next(LONG), Next::Stop));
    }
}
