//! Tasks that share rounds.
//!
//! Every protocol is written for itself and waits where it needs the other party. Here all running tasks are polled until
//! each waits or is done; then their messages travel together, in the order in which the tasks were spawned, in one frame
//! each way. Both parties spawn the same tasks in the same order, so both know where each piece of the frame belongs.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ptc_net::{Channel, PeerError};

use crate::lane::Lane;

pub struct Lockstep<C> {
    channel: C,
    tasks: Vec<Task>,
}

struct Task {
    lane: Lane,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// The result of a spawned task, once there is one.
pub struct Pending<T>(Rc<RefCell<Option<T>>>);

impl<T> Pending<T> {
    pub fn take(&self) -> Option<T> {
        self.0.borrow_mut().take()
    }

    /// Of a task that `wanted` wants no more of.
    pub fn take_if(&self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        self.0.borrow_mut().take_if(|result| wanted(result))
    }
}

impl<C: Channel> Lockstep<C> {
    pub fn new(channel: C) -> Lockstep<C> {
        Lockstep { channel, tasks: vec![] }
    }

    /// Adds a task, which runs from the next [`Lockstep::advance`] on. It talks through the lane that `body` is given.
    pub fn spawn<F>(&mut self, body: impl FnOnce(Lane) -> F) -> Pending<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (lane, result) = (Lane::default(), Rc::new(RefCell::new(None)));
        let (future, slot) = (body(lane.clone()), result.clone());
        let future = Box::pin(async move {
            let output = future.await;
            *slot.borrow_mut() = Some(output);
        });
        self.tasks.push(Task { lane, future });
        Pending(result)
    }

    /// One round: everything that can run without the other party does, before the exchange and after it.
    pub fn advance(&mut self) -> Result<(), PeerError> {
        self.poll();
        let (mut out, mut pieces, mut expect) = (vec![], vec![], 0);
        for task in &self.tasks {
            if let Some((message, length)) = task.lane.take_request() {
                if out.is_empty() {
                    out = message;
                } else {
                    out.extend_from_slice(&message);
                }
                pieces.push((task.lane.clone(), length));
                expect += length;
            }
        }
        if pieces.is_empty() {
            return Ok(());
        }
        let silent = out.is_empty() && expect == 0;
        let answer = if silent { vec![] } else { self.channel.exchange(out, expect)? };
        if answer.len() != expect {
            return Err(PeerError::WrongLength { expected: expect, found: answer.len() });
        }
        if let [(lane, _)] = pieces.as_slice() {
            lane.answer(answer);
        } else {
            let mut rest = answer.as_slice();
            for (lane, length) in pieces {
                let (piece, after) = rest.split_at(length);
                lane.answer(piece.to_vec());
                rest = after;
            }
        }
        self.poll();
        Ok(())
    }

    /// Whether every task has its result.
    pub fn is_done(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn channel(&self) -> &C {
        &self.channel
    }

    pub fn into_channel(self) -> C {
        self.channel
    }

    fn poll(&mut self) {
        // No task sleeps: it waits for its lane alone, and every lane is looked at in every round.
        let mut context = Context::from_waker(Waker::noop());
        self.tasks.retain_mut(|task| task.future.as_mut().poll(&mut context) == Poll::Pending);
    }
}

/// Runs one task alone over `channel`.
pub fn run<C, F, T>(channel: C, body: impl FnOnce(Lane) -> F) -> Result<(T, C), PeerError>
where
    C: Channel,
    F: Future<Output = Result<T, PeerError>> + 'static,
    T: 'static,
{
    let mut lockstep = Lockstep::new(channel);
    let pending = lockstep.spawn(body);
    while !lockstep.is_done() {
        lockstep.advance()?;
    }
    let result = pending.take().expect("a task that is done has a result")?;
    Ok((result, lockstep.into_channel()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_net::memory;

    /// Sends `rounds` messages, each `step` bytes longer than the one before, and adds up what comes.
    async fn count(lane: Lane, rounds: usize, step: usize) -> Result<u64, PeerError> {
        let mut sum = 0;
        for round in 1..=rounds {
            let got = lane.exchange(vec![round as u8; round * step], round * step).await?;
            sum += got.iter().map(|b| *b as u64).sum::<u64>();
        }
        Ok(sum)
    }

    fn party(channel: memory::Memory) -> (Vec<u64>, ptc_net::Counters) {
        let mut lockstep = Lockstep::new(channel);
        let mut pending = vec![lockstep.spawn(|lane| count(lane, 3, 1)), lockstep.spawn(|lane| count(lane, 1, 10))];
        lockstep.advance().unwrap();
        pending.push(lockstep.spawn(|lane| count(lane, 2, 2)));
        while !lockstep.is_done() {
            lockstep.advance().unwrap();
        }
        let sums = pending.iter().map(|p| p.take().unwrap().unwrap()).collect();
        (sums, lockstep.channel().counters())
    }

    #[test]
    fn tasks_share_rounds() {
        let (a, b) = memory::pair();
        let other = std::thread::spawn(move || party(b));
        let (sums, counters) = party(a);
        assert_eq!(sums, [1 + 4 + 9, 10, 2 + 8]);
        assert_eq!(other.join().unwrap().0, sums);
        // Rounds of 1 + 10, 2 + 2 and 3 + 4 bytes, eight header bytes each.
        assert_eq!((counters.rounds, counters.sent), (3, 11 + 4 + 7 + 3 * 8));
    }

    #[test]
    fn a_peer_that_leaves_ends_the_round() {
        let (a, b) = memory::pair();
        drop(b);
        assert!(run(a, |lane| count(lane, 1, 1)).is_err());
    }
}
