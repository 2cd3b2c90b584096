//! A party's process is killed at a message: the other ends soon, says why, and leaves no part of a result.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Process, Workshop, example};
use crate::wire::wire;

/// From the kill to the other's end.
const LIMIT: Duration = Duration::from_secs(5);

/// A session whose victim, if any, is killed before the frame `at` goes on: how many frames there were.
fn session(shop: &Workshop, plan: &str, dealer: Option<&str>, at: usize, victim: Option<usize>) -> usize {
    let weights = example("hello/model.safetensors");
    // Nobody tells a party that its other side never came to the dealer: it gives up by its own clock.
    let options = ["--backend", "portable", "--timeout", "3"];
    let (server, address) = shop.server(plan, dealer, weights.to_str().unwrap(), &options);
    let parties = Arc::new([Mutex::new(Some(server)), Mutex::new(None)]);
    let killed_at = Arc::new(Mutex::new(None));
    let (killed, moment) = (parties.clone(), killed_at.clone());
    let (address, passing) = wire(&address, move |frame| {
        if let Some(victim) = victim.filter(|_| frame == at) {
            drop(killed[victim].lock().unwrap().take());
            *moment.lock().unwrap() = Some(Instant::now());
        }
    });
    let output = shop.path(&format!("result-{at}-{victim:?}.json"));
    let input = format!("x={}", example("hello/x.json").display());
    let options = ["--input", &input, "--backend", "portable", "--output", &output, "--timeout", "3"];
    // Held until it is started, so that it is there to be killed.
    let mut starting = parties[1].lock().unwrap();
    *starting = Some(shop.client(plan, dealer, &address, &options));
    drop(starting);
    let frames = passing.join().unwrap().len();
    for (party, left) in parties.iter().enumerate() {
        let Some(ended) = left.lock().unwrap().take().map(Process::end) else { continue };
        let place = format!("party {party}, {victim:?} killed at frame {at}:\n{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked") && ended.stdout.is_empty(), "{place}");
        if let Some(killed_at) = *killed_at.lock().unwrap() {
            assert!(killed_at.elapsed() < LIMIT, "{place}");
            assert!(
                ended.success || ended.stderr.contains("the peer") || ended.stderr.contains("the dealer"),
                "{place}"
            );
        } else {
            assert!(ended.success, "{place}");
        }
        // Who has all messages has the result, and who has not has none.
        assert!(party == 0 || std::fs::exists(&output).unwrap() == ended.success, "{place}");
    }
    if let Ok(text) = std::fs::read(&output) {
        assert!(serde_json::from_slice::<serde_json::Value>(&text).unwrap().is_object(), "a part of a result");
    }
    frames
}

#[test]
fn a_killed_party_leaves_the_other_with_an_error_and_no_result() {
    for trust in ["two-party", "dealer"] {
        let shop = Workshop::new();
        let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", trust]);
        let dealing = (trust == "dealer").then(|| shop.dealer(&plan));
        let dealer = dealing.as_ref().map(|(_, address)| address.as_str());
        let frames = session(&shop, &plan, dealer, 0, None);
        assert!(frames > 10, "{frames} frames");
        let every = if std::env::var("PTC_ATTACK").as_deref() == Ok("all") { 1 } else { 4 };
        for at in (0..frames).step_by(every) {
            for victim in 0..2 {
                session(&shop, &plan, dealer, at, Some(victim));
            }
        }
    }
}
