//! What must be found.

use std::hint::black_box;

use crate::valgrind::{secret, secret_of};

pub fn branch() {
    if secret_of(5u64) > 3 {
        black_box(1);
    }
}

pub fn index() {
    let table = black_box([7u8; 256]);
    black_box(table[usize::from(secret_of(9u8))]);
}

pub fn compare() {
    let mut tag = [3u8; 16];
    secret(&mut tag);
    let other = black_box([3u8; 16]);
    for (own, other) in tag.iter().zip(&other) {
        if own != black_box(other) {
            return;
        }
    }
}

pub fn count() {
    let mut left = secret_of(1000u64) / 7;
    while left > 0 {
        left = black_box(left - 1);
    }
}
