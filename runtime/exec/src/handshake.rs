//! Who speaks with whom about which plan. All messages are postcard with a length limit.

use std::ops::Range;

use ptc_net::channel::Binding;
use ptc_net::{Channel, PeerError};
use ptc_offline::pool::{self, Offer};
use ptc_plan::Plan;
use ptc_plan::step::Party;
use ptc_plan::summary::{Summary, differences};
use ptc_ring::Seed;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::RunError;

const VERSION: u32 = 4;
const MAGIC: [u8; 8] = *b"ptc sess";
/// Begins what a server says to a client for which it has no room.
const NO_ROOM: [u8; 8] = *b"ptc full";
const MAX_HELLO: usize = 128 << 10;
const MAX_REFUSAL: usize = 16 << 10;

/// Queries of one session.
pub const MAX_QUERIES: u32 = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Hello {
    magic: [u8; 8],
    version: u32,
    role: Party,
    nonce: [u8; 32],
    queries: u32,
    /// Correlations are made and kept; no query runs.
    prepares: bool,
    /// Queries come when the client asks them; so many more may be prepared and held.
    asks: Option<u32>,
    pool: Option<Pool>,
    summary: Summary,
}

/// The queries that a party's pool still has.
#[derive(Serialize, Deserialize)]
struct Pool {
    id: [u8; 32],
    first: u32,
    end: u32,
}

/// What a party brings to a meeting.
#[derive(Clone, Copy)]
pub struct Plea {
    pub role: Party,
    /// The client's say.
    pub queries: u32,
    pub prepares: bool,
    /// The client asks queries one by one, the server can hear them; so many prepared ones each would hold.
    pub asks: Option<u32>,
    pub pool: Option<Offer>,
}

/// What the two parties agreed on.
#[derive(Clone)]
pub struct Meeting {
    /// From all that tells this session from others: see [`session_id`].
    pub session: [u8; 32],
    pub queries: u32,
    /// Queries come when the client asks them; so many are prepared ahead at most.
    pub asks: Option<u32>,
    /// The queries that both pools have.
    pub pooled: Range<u32>,
    /// Whether the other party has a pool.
    pub other_pool: bool,
}

impl Meeting {
    /// Queries whose correlations the session makes.
    pub fn missing(&self) -> u32 {
        self.queries.saturating_sub(self.pooled.len() as u32)
    }
}

/// Both parties say hello; an error names what differs.
pub fn meet(plan: &Plan, plea: Plea, peer: &mut dyn Channel) -> Result<Meeting, RunError> {
    let own = hello(plan, plea)?;
    peer.send(encode(&own)?)?;
    let message = peer.receive(MAX_HELLO)?;
    if let Some(reason) = message.strip_prefix(&NO_ROOM) {
        // Printed to a terminal.
        return Err(RunError::TurnedAway(String::from_utf8_lossy(reason).escape_debug().to_string()));
    }
    let meeting = agree(plan, plea, &own, &decode(&message)?, peer.binding())?;
    confirm(&meeting.session, plea.role, peer)?;
    Ok(meeting)
}

/// The same for a server of many, which hears the client first and says by `admit` why it has no room.
pub fn welcome(
    plan: &Plan,
    plea: Plea,
    admit: &mut dyn FnMut() -> Result<(), String>,
    client: &mut dyn Channel,
) -> Result<Meeting, RunError> {
    let own = hello(plan, plea)?;
    let other: Hello = decode(&client.receive(MAX_HELLO)?)?;
    // Who speaks another version would not understand a refusal.
    if greet(other.magic, other.version).is_ok()
        && let Err(reason) = admit()
    {
        let told = &reason.as_bytes()[..reason.len().min(MAX_REFUSAL)];
        client.send([&NO_ROOM, told].concat())?;
        return Err(RunError::TurnedAway(reason));
    }
    client.send(encode(&own)?)?;
    let meeting = agree(plan, plea, &own, &other, client.binding())?;
    confirm(&meeting.session, plea.role, client)?;
    Ok(meeting)
}

fn hello(plan: &Plan, plea: Plea) -> Result<Hello, RunError> {
    let Plea { role, queries, prepares, asks, pool } = plea;
    let nonce = *Seed::fresh().map_err(RunError::Entropy)?.as_bytes();
    let pool = pool.map(|Offer { id, first, end }| Pool { id, first, end });
    let summary = plan.summary()?;
    Ok(Hello { magic: MAGIC, version: VERSION, role, nonce, queries, prepares, asks, pool, summary })
}

fn agree(plan: &Plan, plea: Plea, own: &Hello, other: &Hello, binding: Binding) -> Result<Meeting, RunError> {
    let Plea { role, prepares, pool, .. } = plea;
    greet(other.magic, other.version)?;
    if other.role == role {
        return Err(RunError::SameRole(role.index()));
    }
    let differing = differences(&own.summary, &other.summary);
    if !differing.is_empty() {
        return Err(RunError::PlansDiffer(differing));
    }
    if other.prepares != prepares {
        return Err(RunError::OtherPurpose(if prepares { "runs" } else { "prepares" }));
    }
    let (server, client) = match role {
        Party::Server => (own, other),
        Party::Client => (other, own),
    };
    let queries = client.queries;
    if !(1..=MAX_QUERIES).contains(&queries) {
        return Err(PeerError::Malformed(format!("{queries} queries for a session of 1 to {MAX_QUERIES}")).into());
    }
    let asks = match (client.asks, server.asks) {
        (Some(wanted), Some(held)) => Some(wanted.min(held)),
        (Some(_), None) => return Err(RunError::NobodyListens),
        (None, _) => None,
    };
    let session = session_id(plan, role, [server.nonce, client.nonce], binding)?;
    let offered = other.pool.as_ref().map(|&Pool { id, first, end }| Offer { id, first, end });
    let pooled = pool::common(pool, offered);
    Ok(Meeting { session, queries, asks, pooled, other_pool: offered.is_some() })
}

/// No other session has this number: it binds the version of the protocol, the plan (and with it all parameters, which follow
/// from it), the nonces and keys of server and client, in this order, and the keying material of their connection.
fn session_id(plan: &Plan, role: Party, nonces: [[u8; 32]; 2], binding: Binding) -> Result<[u8; 32], RunError> {
    let Binding { exporter, own, peer } = binding;
    let keys = match role {
        Party::Server => [own, peer],
        Party::Client => [peer, own],
    };
    let mut digest = Sha256::new();
    digest.update(MAGIC);
    digest.update(VERSION.to_le_bytes());
    digest.update(plan.hash()?);
    for part in nonces.iter().chain(&keys).chain([&exporter]) {
        digest.update(part);
    }
    Ok(digest.finalize().into())
}

/// Both parties mean the same session. Each says so in words of its own, so that an echo is no answer.
fn confirm(session: &[u8; 32], role: Party, peer: &mut dyn Channel) -> Result<(), RunError> {
    let word = |role: Party| -> [u8; 32] {
        let name: &[u8] = match role {
            Party::Server => b"server",
            Party::Client => b"client",
        };
        Sha256::new().chain_update(session).chain_update(name).finalize().into()
    };
    peer.send(word(role).to_vec())?;
    let other = peer.receive(32)?;
    if other == word(role.other()) { Ok(()) } else { Err(RunError::SessionsDiffer) }
}

#[derive(Serialize, Deserialize)]
struct Introduction {
    magic: [u8; 8],
    version: u32,
    role: Party,
    session: [u8; 32],
    queries: u32,
    summary: Summary,
}

/// A party that has come to the dealer.
pub struct Guest {
    pub role: Party,
    pub session: [u8; 32],
    pub queries: u32,
}

/// The party's side: tells the dealer which session it belongs to, and hears whether the dealer takes part.
pub fn introduce(plan: &Plan, role: Party, meeting: &Meeting, dealer: &mut dyn Channel) -> Result<(), RunError> {
    let (session, queries) = (meeting.session, meeting.missing());
    let own = Introduction { magic: MAGIC, version: VERSION, role, session, queries, summary: plan.summary()? };
    dealer.send(encode(&own)?)?;
    match dealer.receive(MAX_REFUSAL)?.split_first() {
        Some((0, [])) => Ok(()),
        Some((1, reason)) => {
            // Printed to a terminal.
            let reason = String::from_utf8_lossy(reason).escape_debug().to_string();
            Err(RunError::DealerRefused(reason))
        }
        _ => Err(PeerError::Malformed("an answer of unknown form".into()).into()),
    }
}

/// The dealer's side. A party with another plan is told so.
pub fn receive_guest(plan: &Plan, party: &mut dyn Channel) -> Result<Guest, RunError> {
    let guest: Introduction = decode(&party.receive(MAX_HELLO)?)?;
    greet(guest.magic, guest.version)?;
    let differing = differences(&plan.summary()?, &guest.summary);
    if !differing.is_empty() {
        refuse(party, &format!("the plans differ, seen from the dealer: {}", differing.join("; ")))?;
        return Err(RunError::PlansDiffer(differing));
    }
    if !(1..=MAX_QUERIES).contains(&guest.queries) {
        refuse(party, "the number of queries is out of range")?;
        return Err(PeerError::Malformed(format!("{} queries", guest.queries)).into());
    }
    Ok(Guest { role: guest.role, session: guest.session, queries: guest.queries })
}

pub fn accept(party: &mut dyn Channel) -> Result<(), PeerError> {
    party.send(vec![0])
}

pub fn refuse(party: &mut dyn Channel, reason: &str) -> Result<(), PeerError> {
    let reason = &reason.as_bytes()[..reason.len().min(MAX_REFUSAL - 1)];
    party.send([&[1], reason].concat())
}

fn greet(magic: [u8; 8], version: u32) -> Result<(), RunError> {
    if magic != MAGIC {
        return Err(PeerError::Malformed("something that is no greeting of `ptc`".into()).into());
    }
    if version != VERSION {
        return Err(RunError::Version { expected: VERSION, found: version });
    }
    Ok(())
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, RunError> {
    postcard::to_stdvec(message).map_err(|error| PeerError::Malformed(error.to_string()).into())
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RunError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(PeerError::Malformed("a greeting with bytes behind its end".into()).into()),
        Err(_) => Err(PeerError::Malformed("something that is no greeting of `ptc`".into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_net::memory;
    use ptc_plan::file::Trust;

    fn plan(dims: &[(&str, u64)]) -> Plan {
        Plan {
            model: "Model".into(),
            entry: "run".into(),
            dims: dims.iter().map(|(name, size)| (name.to_string(), *size)).collect(),
            trust: Trust::Dealer,
            ..Plan::default()
        }
    }

    fn plea(role: Party, queries: u32) -> Plea {
        Plea { role, queries, prepares: false, asks: None, pool: None }
    }

    fn both(server: (Plan, Party, u32), client: (Plan, Party, u32)) -> [Result<Meeting, RunError>; 2] {
        let (mut a, mut b) = memory::pair();
        std::thread::scope(|scope| {
            let other = scope.spawn(move || meet(&client.0, plea(client.1, client.2), &mut b));
            let own = meet(&server.0, plea(server.1, server.2), &mut a);
            [own, other.join().unwrap()]
        })
    }

    #[test]
    fn both_parties_agree_on_a_session() {
        let plan = plan(&[("S", 8)]);
        let [own, other] = both((plan.clone(), Party::Server, 0), (plan, Party::Client, 3));
        let (own, other) = (own.unwrap(), other.unwrap());
        assert_eq!((own.session, own.queries), (other.session, 3));
    }

    /// A channel that says to be encrypted.
    struct Bound(memory::Memory, Binding);

    impl Channel for Bound {
        fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
            self.0.exchange(out, expect)
        }

        fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
            self.0.send(message)
        }

        fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
            self.0.receive(limit)
        }

        fn set_patience(&mut self, patience: std::time::Duration) -> Result<(), PeerError> {
            self.0.set_patience(patience)
        }

        fn counters(&self) -> ptc_net::Counters {
            self.0.counters()
        }

        fn transcript(&self) -> ptc_net::Transcript {
            self.0.transcript()
        }

        fn binding(&self) -> Binding {
            self.1
        }
    }

    #[test]
    fn a_session_is_of_one_connection_and_of_two_keys() {
        let (server, client) = ([1; 32], [2; 32]);
        let bound = |exporter, own, peer| Binding { exporter, own, peer };
        let check = |one: Binding, other: Binding, fits: bool| {
            let (plan, (a, b)) = (plan(&[("S", 8)]), memory::pair());
            let (mut a, mut b) = (Bound(a, one), Bound(b, other));
            std::thread::scope(|scope| {
                let client = scope.spawn(|| meet(&plan, plea(Party::Client, 1), &mut b));
                let both = [meet(&plan, plea(Party::Server, 0), &mut a), client.join().unwrap()];
                match (both, fits) {
                    ([Ok(own), Ok(other)], true) => assert_eq!(own.session, other.session),
                    ([Err(RunError::SessionsDiffer), Err(RunError::SessionsDiffer)], false) => {}
                    _ => panic!("{one:?} and {other:?}"),
                }
            });
        };
        check(bound([7; 32], server, client), bound([7; 32], client, server), true);
        // Somebody between them has a connection with each.
        check(bound([7; 32], server, client), bound([8; 32], client, server), false);
        check(bound([7; 32], server, [3; 32]), bound([7; 32], client, server), false);
        check(bound([7; 32], server, client), Binding::default(), false);
    }

    #[test]
    fn what_does_not_fit_is_told_to_both() {
        let check = |server, client, parts: [&str; 2]| {
            for (outcome, part) in both(server, client).into_iter().zip(parts) {
                let error = outcome.err().unwrap().to_string();
                assert!(error.contains(part), "`{error}` lacks `{part}`");
            }
        };
        let (short, long) = (plan(&[("S", 8)]), plan(&[("S", 16)]));
        let differ = ["dim S is 8 here and 16 at the peer", "dim S is 16 here and 8 at the peer"];
        check((short.clone(), Party::Server, 0), (long, Party::Client, 1), differ);
        check((short.clone(), Party::Client, 1), (short.clone(), Party::Client, 1), ["both sides are party 1"; 2]);
        check((short.clone(), Party::Server, 0), (short, Party::Client, 0), ["0 queries"; 2]);
    }

    #[test]
    fn pools_of_one_session_are_used_and_others_are_not() {
        let plan = plan(&[("S", 8)]);
        let check = |own: Option<Offer>, other: Option<Offer>, expected: Range<u32>, missing: u32| {
            let (mut a, mut b) = memory::pair();
            let client = Plea { pool: other, ..plea(Party::Client, 4) };
            let plan = &plan;
            std::thread::scope(|scope| {
                let other = scope.spawn(move || meet(plan, client, &mut b).unwrap());
                let own = meet(plan, Plea { pool: own, ..plea(Party::Server, 0) }, &mut a).unwrap();
                for meeting in [own, other.join().unwrap()] {
                    assert_eq!((meeting.pooled.clone(), meeting.missing()), (expected.clone(), missing));
                }
            });
        };
        let offer = |id, first, end| Some(Offer { id: [id; 32], first, end });
        check(offer(1, 0, 9), offer(1, 2, 9), 2..9, 0);
        check(offer(1, 0, 3), offer(1, 2, 9), 2..3, 3);
        check(offer(1, 0, 3), offer(2, 0, 3), 0..0, 4);
        check(offer(1, 0, 3), None, 0..0, 4);
        check(offer(1, 0, u32::MAX), offer(1, u32::MAX, 0), u32::MAX..u32::MAX, 4);
    }

    #[test]
    fn one_that_prepares_and_one_that_runs_are_told() {
        let (plan, (mut a, mut b)) = (plan(&[("S", 8)]), memory::pair());
        let message = |plea: Plea, channel: &mut dyn Channel| meet(&plan, plea, channel).err().unwrap().to_string();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| message(Plea { prepares: true, ..plea(Party::Client, 1) }, &mut b));
            assert!(message(plea(Party::Server, 0), &mut a).contains("the other side prepares"));
            assert!(other.join().unwrap().contains("the other side runs"));
        });
    }

    #[test]
    fn a_server_of_many_hears_first_and_may_have_no_room() {
        let plan = plan(&[("S", 8)]);
        let both = |asks: [Option<u32>; 2], room: Result<(), String>| {
            let (plan, (mut a, mut b)) = (&plan, memory::pair());
            let client = Plea { asks: asks[1], ..plea(Party::Client, 9) };
            std::thread::scope(|scope| {
                let client = scope.spawn(move || meet(plan, client, &mut b));
                let server = Plea { asks: asks[0], ..plea(Party::Server, 0) };
                let server = welcome(plan, server, &mut || room.clone(), &mut a);
                [server, client.join().unwrap()]
            })
        };
        for (asks, expected) in [([Some(3), Some(5)], Some(3)), ([Some(3), Some(1)], Some(1)), ([Some(3), None], None)]
        {
            for meeting in both(asks, Ok(())) {
                assert_eq!(meeting.unwrap().asks, expected);
            }
        }
        let told = both([Some(0), Some(0)], Err("all \u{7} taken".into())).map(|met| met.err().unwrap().to_string());
        assert!(told[0].contains("all \u{7} taken") && told[1].contains("all \\u{7} taken"), "{told:?}");
        for met in both([None, Some(0)], Ok(())) {
            assert!(matches!(met, Err(RunError::NobodyListens)));
        }
    }

    #[test]
    fn any_bytes_are_a_greeting_or_an_error() {
        let plan = plan(&[("S", 8)]);
        let summary = plan.summary().unwrap();
        let pool = Some(Pool { id: [4; 32], first: 3, end: 9 });
        let (role, nonce) = (Party::Client, [3; 32]);
        let (magic, version, queries, prepares, asks) = (MAGIC, VERSION, 1, false, Some(2));
        let hello = Hello { magic, version, role, nonce, queries, prepares, asks, pool, summary };
        let bytes = encode(&hello).unwrap();
        for at in 0..bytes.len() {
            for changed in [0, 1, 0x7f, 0x80, 0xff] {
                let mut message = bytes.clone();
                message[at] = changed;
                greet_with(&plan, message);
            }
            greet_with(&plan, bytes[..at].to_vec());
        }
    }

    fn greet_with(plan: &Plan, message: Vec<u8>) {
        let (mut own, mut peer) = memory::pair_with_timeout(std::time::Duration::from_millis(1));
        peer.send(message).unwrap();
        // Either is fine; neither panics.
        let pool = Some(Offer { id: [4; 32], first: 0, end: u32::MAX });
        let _ = meet(plan, Plea { pool, ..plea(Party::Server, 0) }, &mut own);
    }

    #[test]
    fn a_dealer_s_refusal_is_heard() {
        let (here, dealer_s) = (plan(&[("S", 8)]), plan(&[("S", 9)]));
        let (mut party, mut dealer) = memory::pair();
        let meeting = Meeting { session: [1; 32], queries: 1, asks: None, pooled: 0..0, other_pool: false };
        let other = std::thread::spawn(move || receive_guest(&dealer_s, &mut dealer).err().unwrap().to_string());
        let error = introduce(&here, Party::Client, &meeting, &mut party).err().unwrap().to_string();
        let expected = "the dealer refused: the plans differ, seen from the dealer: dim S is 9 here and 8 at the peer";
        assert_eq!(error, expected);
        assert!(other.join().unwrap().starts_with("the plans differ: dim S is 9 here and 8 at the peer"));
    }
}
