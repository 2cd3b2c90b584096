//! Loopback tcp: the time of a round, and bytes a second in both directions at once.

use std::thread;
use std::time::{Duration, Instant};

use ptc_net::{Channel, tcp};

const IDLE: Duration = Duration::from_secs(60);

fn main() {
    let listener = tcp::listen("127.0.0.1:0").expect("a free port");
    let address = listener.local_address().expect("an address").to_string();
    let other = thread::spawn(move || play(tcp::connect(&address, IDLE, IDLE).expect("a listener")));
    let times = play(listener.accept(Some(IDLE), IDLE).expect("a peer"));
    other.join().expect("the other side plays along");
    for (bytes, seconds) in times {
        let rate = 2.0 * bytes as f64 / seconds / 1e9;
        println!("{bytes:>10} bytes each way: {:>10.1} us a round, {rate:.2} GB/s", seconds * 1e6);
    }
}

/// For each size, the mean time of a round.
fn play(mut channel: impl Channel) -> Vec<(usize, f64)> {
    let sizes = [(16, 20_000), (4 << 10, 10_000), (60 << 10, 3_000), (256 << 10, 1_000), (4 << 20, 100), (64 << 20, 5)];
    let round = |(bytes, count): (usize, usize)| {
        let start = Instant::now();
        for _ in 0..count {
            channel.exchange(vec![1; bytes], bytes).expect("both sides play along");
        }
        (bytes, start.elapsed().as_secs_f64() / count as f64)
    };
    sizes.map(round).to_vec()
}
