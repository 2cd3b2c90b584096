//! Hostile or absent others against the real program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Process, Workshop, check_failure, example};

const NOWHERE: &str = "127.0.0.1:1";

/// A server of `hello` meets `attack` on its socket.
fn check_server(attack: impl FnOnce(TcpStream), parts: &[&str]) {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = example("hello/model.safetensors");
    let options = ["--timeout", "1", "--wait", "1", "--backend", "portable"];
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &options);
    attack(TcpStream::connect(address).unwrap());
    let start = Instant::now();
    check_failure(&server.end(), parts);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_peer_that_leaves_ends_the_session() {
    check_server(drop, &["the peer closed the connection"]);
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    check_server(
        |mut stream| {
            // Reads what comes until the other side has had enough.
            let _ = stream.read_to_end(&mut vec![]);
        },
        &["the peer stalled", "1 s"],
    );
}

#[test]
fn a_peer_that_lies_about_lengths_is_refused() {
    let send = |bytes: Vec<u8>| {
        move |mut stream: TcpStream| {
            stream.write_all(&bytes).unwrap();
            let _ = stream.read_to_end(&mut vec![]);
        }
    };
    let header = |length: u32, sequence: u32| [length.to_le_bytes(), sequence.to_le_bytes()].concat();
    check_server(send(header(u32::MAX, 0)), &["announced a message of 4294967295 bytes"]);
    check_server(send(header(10, 7)), &["the peer sent message 7 where message 0 was expected"]);
    check_server(send([header(100, 0), vec![b'x'; 100]].concat()), &["no greeting of `ptc`"]);
    check_server(send(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec()), &["the peer"]);
    check_server(send(header(100, 0)), &["the peer stalled"]);
}

#[test]
fn nobody_comes_and_nobody_is_there() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = example("hello/model.safetensors");
    let options = ["--wait", "1", "--backend", "portable"];
    let (server, _) = shop.server(&plan, None, weights.to_str().unwrap(), &options);
    check_failure(&server.end(), &["nobody connected to 127.0.0.1:0 within 1 s"]);
    let input = format!("x={}", example("hello/x.json").display());
    let options = ["--input", &input, "--wait", "1", "--backend", "portable"];
    let client = shop.client(&plan, None, NOWHERE, &options).end();
    check_failure(&client, &["no connection to 127.0.0.1:1 within", "hint: start the other side"]);
}

#[test]
fn without_a_dealer_both_parties_end() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", "dealer"]);
    let weights = example("hello/model.safetensors");
    let (server, address) = shop.server(&plan, Some(NOWHERE), weights.to_str().unwrap(), &["--wait", "1"]);
    let input = format!("x={}", example("hello/x.json").display());
    let client = shop.client(&plan, Some(NOWHERE), &address, &["--input", &input, "--wait", "1"]);
    check_failure(&client.end(), &["no connection to 127.0.0.1:1"]);
    check_failure(&server.end(), &["no connection to 127.0.0.1:1"]);
}

#[test]
fn a_taken_port_is_named() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let weights = example("hello/model.safetensors");
    let cannot = format!("cannot listen on {address}");
    let dealt = shop.plan("hello/hello.ptx", "dealt.plan", &["--trust", "dealer"]);
    let dealer = Process::start(&["deal", &dealt, "--listen", &address, "--backend", "portable"]);
    check_failure(&dealer.end(), &[&cannot, "choose another port"]);
    let server = Process::start(&[
        "run",
        &plan,
        "--party",
        "0",
        "--listen",
        &address,
        "--weights",
        weights.to_str().unwrap(),
        "--backend",
        "portable",
    ]);
    check_failure(&server.end(), &[&cannot, "choose another port"]);
}

#[test]
fn parties_with_different_plans_are_told_what_differs() {
    let shop = Workshop::new();
    let short = shop.plan("sections/sections.ptx", "short.plan", &["--dim", "S=8"]);
    let long = shop.plan("sections/sections.ptx", "long.plan", &["--dim", "S=16"]);
    let (weights, tokenizer) = (example("sections/model.safetensors"), example("sections/tokenizer.json"));
    let text = ["--text", "a font", "--tokenizer", tokenizer.to_str().unwrap()];
    let (server, address) = shop.server(&short, None, weights.to_str().unwrap(), &[]);
    let client = shop.client(&long, None, &address, &text).end();
    check_failure(&client, &["the plans differ: dim S is 16 here and 8 at the peer"]);
    check_failure(&server.end(), &["the plans differ: dim S is 8 here and 16 at the peer"]);

    let dealt = |dim: &str| shop.plan("sections/sections.ptx", dim, &["--dim", dim, "--trust", "dealer"]);
    let (short, long) = (dealt("S=8"), dealt("S=16"));
    let (_dealer, dealer) = shop.dealer(&long);
    let (server, address) = shop.server(&short, Some(&dealer), weights.to_str().unwrap(), &[]);
    let client = shop.client(&short, Some(&dealer), &address, &text).end();
    check_failure(&client, &["the dealer refused: the plans differ, seen from the dealer: dim S is 16 here and 8"]);
    check_failure(&server.end(), &["the dealer refused: the plans differ"]);
}

#[test]
fn two_servers_do_not_make_a_session() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = example("hello/model.safetensors");
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
    let other = Process::start(&[
        "run",
        &plan,
        "--party",
        "0",
        "--connect",
        &address,
        "--weights",
        weights.to_str().unwrap(),
        "--backend",
        "portable",
    ]);
    check_failure(&other.end(), &["both sides are party 0"]);
    check_failure(&server.end(), &["both sides are party 0"]);
}

#[test]
fn a_dealer_survives_strangers() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", "dealer"]);
    let (mut process, dealer) = shop.dealer(&plan);
    for junk in [&b""[..], b"\xff\xff\xff\xff\0\0\0\0", b"\x05\0\0\0\0\0\0\0hello", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(&dealer).unwrap();
        stream.write_all(junk).unwrap();
        drop(stream);
        process.says("a party was turned away");
    }
    let weights = example("hello/model.safetensors");
    let (server, address) = shop.server(&plan, Some(&dealer), weights.to_str().unwrap(), &[]);
    let input = format!("x={}", example("hello/x.json").display());
    let client = shop.client(&plan, Some(&dealer), &address, &["--input", &input]).end();
    assert!(client.success && server.end().success, "{}", client.stderr);
    process.says("session dealt, queries: 1");
}
