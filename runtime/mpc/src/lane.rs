//! A task's view of the channel: one message out, one message in, once a round.
//!
//! A lane does no input or output. It leaves the message for [`crate::lockstep`], which sends the messages of all tasks
//! of a round in one frame, and wakes up when the answer is there.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use ptc_net::PeerError;

/// A handle of one task; clones share it.
#[derive(Clone, Default)]
pub struct Lane {
    state: Rc<RefCell<State>>,
    moved: Rc<Cell<Moved>>,
}

/// Bytes that have gone through a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub sent: u64,
    pub received: u64,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// A message to send and the length of the answer.
    Asked(Vec<u8>, usize),
    /// Sent; the answer has not come.
    Waiting,
    Answered(Vec<u8>),
}

impl Lane {
    /// One round: sends `out`, and returns what the other party's same task sent, which has exactly `expect` bytes.
    pub async fn exchange(&self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        {
            let mut state = self.state.borrow_mut();
            assert!(matches!(*state, State::Idle), "a task exchanges one message at a time");
            *state = State::Asked(out, expect);
        }
        poll_fn(|_| {
            let mut state = self.state.borrow_mut();
            match std::mem::take(&mut *state) {
                State::Answered(bytes) => Poll::Ready(Ok(bytes)),
                waiting => {
                    *state = waiting;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// So far.
    pub fn moved(&self) -> Moved {
        self.moved.get()
    }

    /// The message that waits to be sent, and the length of its answer.
    pub(crate) fn take_request(&self) -> Option<(Vec<u8>, usize)> {
        let mut state = self.state.borrow_mut();
        match std::mem::take(&mut *state) {
            State::Asked(out, expect) => {
                *state = State::Waiting;
                let Moved { sent, received } = self.moved.get();
                self.moved.set(Moved { sent: sent + out.len() as u64, received });
                Some((out, expect))
            }
            other => {
                *state = other;
                None
            }
        }
    }

    pub(crate) fn answer(&self, bytes: Vec<u8>) {
        let Moved { sent, received } = self.moved.get();
        self.moved.set(Moved { sent, received: received + bytes.len() as u64 });
        *self.state.borrow_mut() = State::Answered(bytes);
    }
}
