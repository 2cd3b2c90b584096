//! `ptc prepare` and `ptc run --pool` between real processes, killed or not.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use self::wire::{Frames, wire};
use crate::support::{Ended, Process, Workshop, check_failure, example, ptc};

#[path = "../support/wire.rs"]
mod wire;

/// A shop with a plan of an example, its dealer where it has one, and pools.
struct Pools {
    shop: Workshop,
    model: &'static str,
    plan: String,
    dealer: Option<(Process, String)>,
}

const NAMES: [&str; 2] = ["server", "client"];

impl Pools {
    fn new(trust: &str) -> Pools {
        Pools::of("hello", &["--trust", trust])
    }

    fn of(model: &'static str, options: &[&str]) -> Pools {
        let shop = Workshop::new();
        let plan = shop.plan(&format!("{model}/{model}.ptx"), "model.plan", options);
        let dealer = options.contains(&"dealer").then(|| shop.dealer(&plan));
        Pools { shop, model, plan, dealer }
    }

    fn path(&self, party: usize, pool: &str) -> String {
        self.shop.path(&format!("{}-{pool}", NAMES[party]))
    }

    fn party(&self, command: &str, party: usize, meeting: [&str; 2], options: &[&str]) -> Process {
        let (index, key, cache) = (party.to_string(), self.shop.path("keys/pool.key"), self.shop.cache());
        let weights = example(&format!("{}/model.safetensors", self.model));
        let mut arguments = vec![command, &self.plan, "--party", &index, "--pool-key", &key, "--cache", &cache];
        arguments.extend(meeting);
        arguments.extend(["--backend", "portable"]);
        if party == 0 && !options.contains(&"--weights") {
            arguments.extend(["--weights", weights.to_str().unwrap()]);
        }
        arguments.extend(options);
        Process::start(&arguments)
    }

    /// A pool at each party.
    fn prepare(&self, pool: &str, queries: u32) {
        let queries = queries.to_string();
        let [server, client] = [0, 1].map(|party| self.path(party, pool));
        let dealer: Vec<&str> = self.dealer.iter().flat_map(|(_, address)| ["--dealer", address]).collect();
        let options = |pool| [&["--pool", pool, "--queries", &queries], &dealer[..]].concat();
        let mut one = self.party("prepare", 0, ["--listen", "127.0.0.1:0"], &options(&server));
        let address = one.says("waiting for the other party on ");
        let other = self.party("prepare", 1, ["--connect", &address], &options(&client)).end();
        let one = one.end();
        assert!(one.success && other.success, "{}\n{}", one.stderr, other.stderr);
        assert!(one.stdout.contains(&format!("{queries} queries of ")), "{}", one.stdout);
        let told = one.stderr.lines().chain(other.stderr.lines());
        assert_eq!(told.filter(|line| line.contains("as predicted")).count(), 6, "{}\n{}", one.stderr, other.stderr);
    }

    /// A server that waits, with these options.
    fn server(&self, options: &[&str]) -> (Process, String) {
        let mut server = self.party("run", 0, ["--listen", "127.0.0.1:0"], options);
        let address = server.says("waiting for the other party on ");
        (server, address)
    }

    fn client(&self, address: &str, options: &[&str]) -> Process {
        let input = format!("x={}", example("hello/x.json").display());
        self.party("run", 1, ["--connect", address], &[&["--input", &input], options].concat())
    }

    /// One query, whose result is checked.
    fn run(&self, options: [&[&str]; 2]) -> [Ended; 2] {
        let (server, address) = self.server(options[0]);
        let client = self.client(&address, options[1]).end();
        let server = server.end();
        assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
        check_result(&client);
        [server, client]
    }

    fn dealing(&self) -> Vec<&str> {
        self.dealer.iter().flat_map(|(_, address)| ["--dealer", address]).collect()
    }

    /// What `ptc pool` says of each party's pool.
    fn left(&self, pool: &str) -> [String; 2] {
        [0, 1].map(|party| ptc(&["pool", &self.path(party, pool)]).stdout)
    }
}

fn check_result(client: &Ended) {
    let found: Value = serde_json::from_str(&client.stdout).unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(example("hello/expected.json")).unwrap()).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value["infer"]["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    for (a, b) in numbers(&found).iter().zip(numbers(&expected)) {
        assert!((a - b).abs() <= 2e-3, "{a} is not {b}");
    }
}

/// So many queries, so many of them from pools, and each phase as predicted.
fn check_stats(path: &str, queries: [u32; 2]) -> Value {
    let stats: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!([&stats["queries"], &stats["pooled"]], [&Value::from(queries[0]), &Value::from(queries[1])]);
    for phase in ["weights", "offline", "online"] {
        for count in ["rounds", "sent_bytes", "received_bytes"] {
            let measured = &stats["phases"][phase];
            assert_eq!(measured[count], measured["predicted"][count], "{phase} {count} of {stats}");
        }
    }
    stats
}

#[test]
fn a_prepared_query_asks_no_source() {
    for trust in ["dealer", "two-party"] {
        let pools = Pools::new(trust);
        pools.prepare("pool", 2);
        let [server, client] = [0, 1].map(|party| pools.path(party, "pool"));
        for round in 0..2 {
            let stats = [0, 1].map(|party| pools.shop.path(&format!("stats-{party}.json")));
            let [server, client] = [(&server, &stats[0]), (&client, &stats[1])]
                .map(|(pool, stats)| ["--pool", pool.as_str(), "--stats", stats.as_str()]);
            pools.run([&server, &client]);
            for path in &stats {
                let stats = check_stats(path, [1, 1]);
                assert_eq!(stats["phases"]["weights"]["received_bytes"], 0);
                // The digest by which the parties say that they are ready.
                assert_eq!(stats["phases"]["offline"]["received_bytes"], 40);
            }
            let left = ["1 of 2 queries are left, the next is number 1", "none of 2 queries is left"][round];
            pools.left("pool").iter().for_each(|told| assert!(told.contains(left), "{told}"));
        }
    }
}

#[test]
fn what_is_missing_is_made_in_the_session() {
    let pools = Pools::new("dealer");
    pools.prepare("one", 3);
    pools.prepare("other", 3);
    let paths = |pool| [0, 1].map(|party| pools.path(party, pool));
    let (one, other, dealing) = (paths("one"), paths("other"), pools.dealing());
    let with = |pool: &str| -> Vec<String> {
        ["--pool", pool].iter().chain(&dealing).map(|option| option.to_string()).collect()
    };
    let none: Vec<String> = dealing.iter().map(|option| option.to_string()).collect();
    let check = |server: &[String], client: &[String], notes: [&str; 2]| {
        let [server, client] = [server, client].map(|options| options.iter().map(String::as_str).collect::<Vec<_>>());
        let ended = pools.run([&server, &client]);
        for (ended, note) in ended.iter().zip(notes) {
            assert!(ended.stderr.contains(note), "`{note}` is not in:\n{}", ended.stderr);
        }
    };
    check(&with(&one[0]), &none, ["the other side gave no pool", "the other side gave a pool and this one did not"]);
    check(&none, &with(&one[1]), ["the other side gave a pool", "the other side gave no pool"]);
    check(&with(&one[0]), &with(&other[1]), ["no query in common"; 2]);
    pools.left("one").iter().for_each(|told| assert!(told.contains("3 of 3 queries are left"), "{told}"));

    // One side has used, or lost, the first two: the other's go too.
    std::fs::remove_file(Path::new(&one[0]).join("query-00000000")).unwrap();
    std::fs::remove_file(Path::new(&one[0]).join("query-00000001")).unwrap();
    pools.run([&["--pool", &one[0]], &["--pool", &one[1]]]);
    pools.left("one").iter().for_each(|told| assert!(told.contains("none of 3 queries is left"), "{told}"));
    check(&with(&one[0]), &with(&one[1]), ["no query in common"; 2]);
}

#[test]
fn a_session_of_more_queries_than_its_pools_have_makes_the_rest() {
    let pools = Pools::of("sections", &["--dim", "S=8"]);
    pools.prepare("pool", 1);
    let [server, client] = [0, 1].map(|party| pools.path(party, "pool"));
    let stats = [0, 1].map(|party| pools.shop.path(&format!("stats-{party}.json")));
    let (server, address) = pools.server(&["--pool", &server, "--stats", &stats[0]]);
    let (tokenizer, labels) = (example("sections/tokenizer.json"), example("sections/labels.json"));
    let texts = ["--text", "a font", "--text", "a font", "--labels", labels.to_str().unwrap()];
    let options = ["--tokenizer", tokenizer.to_str().unwrap(), "--pool", &client, "--stats", &stats[1]];
    let client = pools.party("run", 1, ["--connect", &address], &[&texts[..], &options].concat()).end();
    let server = server.end();
    for ended in [&server, &client] {
        assert!(ended.success && ended.stderr.contains("the pools have 1 of 2 queries"), "{}", ended.stderr);
    }
    assert_eq!(client.stdout, "fonts\nfonts\n");
    stats.iter().for_each(|path| drop(check_stats(path, [2, 1])));
}

#[test]
fn pools_that_do_not_fit_are_refused_by_name() {
    let pools = Pools::new("dealer");
    pools.prepare("pool", 2);
    let [server, client] = [0, 1].map(|party| pools.path(party, "pool"));
    let alone = |party: usize, options: &[&str]| pools.party("run", party, ["--connect", "127.0.0.1:1"], options).end();

    check_failure(&alone(0, &["--pool", &client]), &["client-pool` is that of party 1"]);
    check_failure(&alone(0, &["--pool", &pools.shop.path("nothing")]), &["nothing` cannot be read"]);
    let key = pools.shop.path("other.key");
    let arguments =
        |key| ["run", &pools.plan, "--party", "0", "--connect", "127.0.0.1:1", "--pool", &server, "--pool-key", key];
    check_failure(&ptc(&arguments(&key)), &["other.key` is not there", "--pool-key"]);
    std::fs::write(&key, [0; 32]).unwrap();
    check_failure(&ptc(&arguments(&key)), &["other.key` is open to other users"]);
    let again = pools.party(
        "prepare",
        0,
        ["--connect", "127.0.0.1:1"],
        &[&["--pool", &server, "--queries", "1"], &pools.dealing()[..]].concat(),
    );
    check_failure(&again.end(), &["server-pool` is not empty"]);
    let tokens = pools.shop.plan("hello/hello.ptx", "other.plan", &["--trust", "two-party"]);
    let key = pools.shop.path("keys/pool.key");
    let other = ["run", &tokens, "--party", "0", "--connect", "127.0.0.1:1", "--pool", &server, "--pool-key", &key];
    check_failure(&ptc(&other), &["server-pool` was prepared for another plan"]);

    // Another checkpoint of the same shapes.
    let weights = pools.shop.path("other.safetensors");
    let mut bytes = std::fs::read(example("hello/model.safetensors")).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 0x80;
    std::fs::write(&weights, &bytes).unwrap();
    let (changed, address) = pools.server(&["--pool", &server, "--weights", &weights]);
    check_failure(&pools.client(&address, &["--pool", &client]).end(), &[]);
    check_failure(&changed.end(), &["server-pool` was prepared for other weights"]);

    // A changed file ends the session; without it the next query is taken.
    let file = Path::new(&server).join("query-00000000");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (changed, address) = pools.server(&["--pool", &server]);
    check_failure(&pools.client(&address, &["--pool", &client]).end(), &["the peer closed the connection"]);
    check_failure(&changed.end(), &["query-00000000` has been changed"]);
    pools.run([&["--pool", &server], &["--pool", &client]]);
}

#[test]
fn two_processes_do_not_share_a_pool() {
    let pools = Pools::new("dealer");
    pools.prepare("pool", 2);
    let [server, client] = [0, 1].map(|party| pools.path(party, "pool"));
    let (waiting, address) = pools.server(&["--pool", &server]);
    let second = pools.party("run", 0, ["--connect", "127.0.0.1:1"], &["--pool", &server]);
    check_failure(&second.end(), &["another process uses the pool"]);
    let client = pools.client(&address, &["--pool", &client]).end();
    assert!(client.success && waiting.end().success, "{}", client.stderr);
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Server,
    Client,
    Both,
}

impl Pools {
    /// A session from the pools whose victim is killed before the frame `at` goes on. What was sent.
    fn cut(&self, at: usize, victim: Victim) -> Frames {
        let [server, client] = [0, 1].map(|party| self.path(party, "pool"));
        let (server, address) = self.server(&["--pool", &server]);
        let parties = Arc::new([Mutex::new(Some(server)), Mutex::new(None)]);
        let killed = parties.clone();
        let (address, passing) = wire(&address, move |frame| {
            let parties = match victim {
                Victim::Server => &killed[..1],
                Victim::Client => &killed[1..],
                Victim::Both => &killed[..],
            };
            if frame == at {
                parties.iter().for_each(|party| drop(party.lock().unwrap().take()));
            }
        });
        // Held until it is started, so that it is there to be killed.
        let mut starting = parties[1].lock().unwrap();
        *starting = Some(self.client(&address, &["--pool", &client]));
        drop(starting);
        let frames = passing.join().unwrap();
        for party in parties.iter() {
            if let Some(party) = party.lock().unwrap().take() {
                party.end();
            }
        }
        frames
    }
}

/// Frames of at least this length that are masked do not come twice by chance.
const MASKED: usize = 16;

/// Masks that are used twice for the same input show: the frame is the same.
fn repeated(sessions: &[Frames], constant: &HashSet<Vec<u8>>) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    for (session, frames) in sessions.iter().enumerate() {
        for frame in frames.iter().filter(|frame| frame.len() >= MASKED && !constant.contains(*frame)) {
            if let Some(first) = seen.insert(frame, session) {
                return Some((first, session));
            }
        }
    }
    None
}

#[test]
fn sessions_cut_anywhere_use_no_query_twice() {
    let pools = Pools::new("dealer");
    let never = usize::MAX;
    pools.prepare("pool", 80);
    let copies = [0, 1].map(|party| (pools.path(party, "pool"), pools.path(party, "copy")));
    copies.iter().for_each(|(pool, copy)| copy_folder(pool, copy));
    let complete: Vec<Frames> = (0..2).map(|_| pools.cut(never, Victim::Both)).collect();
    // What does not depend on correlations: of two sessions with different ones, what both sent.
    let [first, second] = [0, 1].map(|i| complete[i].iter().cloned().collect::<HashSet<_>>());
    let constant: HashSet<Vec<u8>> = first.intersection(&second).cloned().collect();
    let masked = complete[0].iter().filter(|frame| frame.len() >= MASKED && !constant.contains(*frame)).count();
    assert!(masked > 4, "{masked} frames that would show it");

    // The test finds what it looks for: pools brought back from a copy are used twice.
    copies.iter().for_each(|(pool, copy)| copy_folder(copy, &format!("{pool}-again")));
    copies.iter().for_each(|(pool, _)| {
        std::fs::rename(pool, format!("{pool}-aside")).unwrap();
        std::fs::rename(format!("{pool}-again"), pool).unwrap();
    });
    let twice = pools.cut(never, Victim::Both);
    assert!(repeated(&[complete[0].clone(), twice], &constant).is_some());
    copies.iter().for_each(|(pool, _)| {
        std::fs::remove_dir_all(pool).unwrap();
        std::fs::rename(format!("{pool}-aside"), pool).unwrap();
    });

    let mut sessions = complete.clone();
    for at in 0..complete[0].len() {
        for victim in [Victim::Server, Victim::Client, Victim::Both] {
            sessions.push(pools.cut(at, victim));
        }
    }
    if let Some((first, second)) = repeated(&sessions, &constant) {
        panic!("sessions {first} and {second} used the same query");
    }
    let [server, client] = [0, 1].map(|party| pools.path(party, "pool"));
    pools.run([&["--pool", &server], &["--pool", &client]]);
    let left: BTreeSet<String> = pools.left("pool").map(|told| told.lines().last().unwrap().to_string()).into();
    assert_eq!(left.len(), 1, "after a whole session both have the same: {left:?}");
}

fn copy_folder(from: &str, to: &str) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), Path::new(to).join(entry.file_name())).unwrap();
    }
}
