//! Links that break at each message of sessions that use pools: no query is used twice, by whichever session comes next.
//!
//! Every session has the same inputs. What is masked is then the same twice only where the mask is.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ptc_plan::file::{Making, Trust};

use crate::scenario::{copy, pools};
use crate::tampering::Change;
use crate::wire::{Recorded, Tampering, play_in};

const PATIENT: Duration = Duration::from_secs(60);

/// Messages of at least this length that are masked do not come twice by chance, though words of planes may be filled up.
const MASKED: usize = 64;

/// What went between the parties.
fn messages(frames: &Recorded) -> impl Iterator<Item = &Vec<u8>> {
    frames[0].iter().flatten().filter(|message| message.len() >= MASKED)
}

/// Two sessions that sent the same, other than what all do.
fn repeated(sessions: &[Recorded], constant: &HashSet<Vec<u8>>) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    for (session, frames) in sessions.iter().enumerate() {
        for message in messages(frames).filter(|message| !constant.contains(*message)) {
            match seen.insert(message, session) {
                Some(first) if first != session => return Some((first, session)),
                _ => {}
            }
        }
    }
    None
}

fn check(trust: Trust) {
    let (folder, scenario) = pools(trust, 120);
    let before = tempfile::tempdir().unwrap();
    copy(folder.path(), before.path());
    let whole = || play_in(&scenario, folder.path(), PATIENT, None);
    let mut sessions: Vec<Recorded> = (0..2).map(|_| whole().frames).collect();
    let [first, second] = [0, 1].map(|at| messages(&sessions[at]).cloned().collect::<HashSet<_>>());
    let constant: HashSet<Vec<u8>> = first.intersection(&second).cloned().collect();
    assert!(first.len() > constant.len() + 10, "messages that would show it");

    // The test finds what it looks for.
    let again = play_in(&scenario, before.path(), PATIENT, None).frames;
    assert!(repeated(&[sessions[0].clone(), again], &constant).is_some());

    let counts = [sessions[0][0][0].len(), sessions[0][0][1].len()];
    assert!(counts.iter().sum::<usize>() < 110, "{counts:?} messages, and too few queries");
    for (way, count) in counts.into_iter().enumerate() {
        for index in 0..count {
            let tampering = Tampering { link: 0, way, index, change: Change::Leave, seed: 0 };
            let other = sessions[0].clone();
            let cut = play_in(&scenario, folder.path(), PATIENT, Some((tampering, &other)));
            assert!(cut.endings.iter().any(|ending| ending.result.is_err()), "{tampering:?}");
            sessions.push(cut.frames);
        }
    }
    if let Some((first, second)) = repeated(&sessions, &constant) {
        panic!("sessions {first} and {second} of {} used the same query", sessions.len());
    }
    for ending in whole().endings {
        ending.result.unwrap();
    }
}

#[test]
fn sessions_that_are_cut_anywhere_use_no_query_twice() {
    check(Trust::TwoParty { making: Making::FAST });
    check(Trust::Dealer);
}
