//! A link: how long there and back, how many bits a second each way.
//!
//! Small messages go there and come back, and the quickest counts. Then each party in turn sends, more and more until it
//! takes long enough, and the other says that it has it. Last each tells the other its rate.

use std::time::Instant;

use ptc_net::{Channel, PeerError};
use ptc_plan::step::Party;

use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    pub round_trip_us: f64,
    /// From the server, and from the client.
    pub bits_per_second: [f64; 2],
}

const TRIPS: usize = 40;
const FIRST_BYTES: u64 = 1 << 20;
const MOST_BYTES: u64 = 1 << 28;

/// A message that takes so long tells the rate well enough.
const LONG_S: f64 = 0.4;

/// Both parties call this at once.
pub fn link(channel: &mut impl Channel, party: Party) -> Result<Link, Failure> {
    let mut quickest = f64::INFINITY;
    for _ in 0..TRIPS {
        let start = Instant::now();
        match party {
            Party::Server => {
                channel.send(vec![0; 8])?;
                channel.receive(8)?;
            }
            Party::Client => {
                channel.receive(8)?;
                channel.send(vec![0; 8])?;
            }
        }
        quickest = quickest.min(start.elapsed().as_secs_f64());
    }
    // The client's clock starts when the server's message may be long under way: the server's counts.
    let round_trip = told(channel, party, quickest)?[Party::Server.index()];
    let mut own = 0.0;
    for sender in [Party::Server, Party::Client] {
        if sender == party {
            own = sending(channel, round_trip)?;
        } else {
            receiving(channel)?;
        }
    }
    let bits_per_second = told(channel, party, own)?;
    Ok(Link { round_trip_us: round_trip * 1e6, bits_per_second })
}

/// Each party's number, by its index.
fn told(channel: &mut impl Channel, party: Party, own: f64) -> Result<[f64; 2], PeerError> {
    channel.send(own.to_le_bytes().to_vec())?;
    let message = channel.receive(8)?;
    let bytes = message.try_into().map_err(|_| PeerError::Malformed("a number of another length".into()))?;
    let mut numbers = [own; 2];
    numbers[party.other().index()] = f64::from_le_bytes(bytes);
    Ok(numbers)
}

/// Bits a second; a message of no bytes ends it.
fn sending(channel: &mut impl Channel, round_trip: f64) -> Result<f64, PeerError> {
    let mut bytes = FIRST_BYTES;
    loop {
        channel.send(bytes.to_le_bytes().to_vec())?;
        let start = Instant::now();
        channel.send(vec![0; bytes as usize])?;
        channel.receive(1)?;
        let seconds = (start.elapsed().as_secs_f64() - round_trip).max(1e-6);
        if seconds > LONG_S || bytes >= MOST_BYTES {
            channel.send(0u64.to_le_bytes().to_vec())?;
            return Ok(bytes as f64 * 8.0 / seconds);
        }
        bytes *= 2;
    }
}

fn receiving(channel: &mut impl Channel) -> Result<(), PeerError> {
    loop {
        let announced = channel.receive(8)?;
        let announced = announced.try_into().map_err(|_| PeerError::Malformed("a size of another length".into()))?;
        match u64::from_le_bytes(announced) {
            0 => return Ok(()),
            bytes if bytes > MOST_BYTES => {
                return Err(PeerError::Malformed(format!("a message of {bytes} bytes is announced")));
            }
            bytes => channel.receive(bytes as usize)?,
        };
        channel.send(vec![1])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parties_learn_the_same_link() {
        let (mut ours, mut theirs) = ptc_net::memory::pair();
        let other = std::thread::spawn(move || link(&mut theirs, Party::Client).ok());
        let server = link(&mut ours, Party::Server).ok();
        let client = other.join().unwrap();
        assert_eq!(server, client);
        let Link { round_trip_us, bits_per_second } = server.expect("a link");
        assert!(round_trip_us > 0.0 && bits_per_second.iter().all(|rate| *rate > 1e6), "{server:?}");
    }

    #[test]
    fn a_size_beyond_the_limit_ends_it() {
        let (mut ours, mut theirs) = ptc_net::memory::pair();
        theirs.send(u64::MAX.to_le_bytes().to_vec()).unwrap();
        assert!(receiving(&mut ours).is_err());
        theirs.send(vec![1, 2]).unwrap();
        assert!(receiving(&mut ours).is_err());
    }
}
