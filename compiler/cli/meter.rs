//! What has gone through the connections of a session so far, for whoever watches: a channel that tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ptc_net::channel::{Binding, Overhead};
use ptc_net::transcript::Transcript;
use ptc_net::{Channel, Counters, PeerError};

/// Bytes sent and received, over all connections that tell it.
#[derive(Debug, Default)]
pub struct Meter {
    moved: AtomicU64,
}

impl Meter {
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

/// The channel, and a meter that is told what goes through it.
pub struct Metered<C> {
    channel: C,
    meter: Arc<Meter>,
    told: u64,
}

impl<C: Channel> Metered<C> {
    pub fn new(channel: C, meter: Arc<Meter>) -> Metered<C> {
        let mut metered = Metered { channel, meter, told: 0 };
        metered.tell();
        metered
    }

    fn tell(&mut self) {
        let Counters { sent, received, .. } = self.channel.counters();
        let moved = sent + received;
        self.meter.moved.fetch_add(moved.saturating_sub(self.told), Ordering::Relaxed);
        self.told = moved;
    }
}

impl<C: Channel> Channel for Metered<C> {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        let received = self.channel.exchange(out, expect);
        self.tell();
        received
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        let sent = self.channel.send(message);
        self.tell();
        sent
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        let received = self.channel.receive(limit);
        self.tell();
        received
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

    fn binding(&self) -> Binding {
        self.channel.binding()
    }

    fn overhead(&self) -> Overhead {
        self.channel.overhead()
    }
}

#[cfg(test)]
mod tests {
    use ptc_net::memory;

    use super::*;

    #[test]
    fn what_goes_through_two_channels_is_counted_once_each() {
        let (a, b) = memory::pair();
        let meter = Arc::new(Meter::default());
        let (mut a, mut b) = (Metered::new(a, meter.clone()), Metered::new(b, meter.clone()));
        a.send(vec![0; 10]).unwrap();
        assert_eq!(meter.moved(), a.counters().sent);
        assert_eq!(b.receive(10).unwrap().len(), 10);
        assert_eq!(meter.moved(), a.counters().sent + b.counters().received);
    }
}
