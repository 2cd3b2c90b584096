//! A wire between two processes that somebody watches.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread::JoinHandle;

/// What went over a session's wire, frame by frame, without headers.
pub type Frames = Vec<Vec<u8>>;

/// A wire between the client and the server at `address`. Before the `n`-th frame goes on, `before(n)`.
pub fn wire(address: &str, before: impl Fn(usize) + Send + Sync + 'static) -> (String, JoinHandle<Frames>) {
    let (listener, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), address.to_string());
    let own = listener.local_addr().unwrap().to_string();
    let passing = std::thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        let server = TcpStream::connect(server).unwrap();
        let frames = Mutex::new(vec![]);
        std::thread::scope(|scope| {
            scope.spawn(|| pass(&client, &server, &frames, &before));
            pass(&server, &client, &frames, &before);
        });
        frames.into_inner().unwrap()
    });
    (own, passing)
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, frames: &Mutex<Frames>, before: &dyn Fn(usize)) {
    loop {
        let mut header = [0; 8];
        if from.read_exact(&mut header).is_err() {
            break;
        }
        let mut frame = vec![0; u32::from_le_bytes(*header.first_chunk().unwrap()) as usize];
        if from.read_exact(&mut frame).is_err() {
            break;
        }
        let mut frames = frames.lock().unwrap();
        before(frames.len());
        frames.push(frame.clone());
        drop(frames);
        if to.write_all(&[&header[..], &frame].concat()).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
