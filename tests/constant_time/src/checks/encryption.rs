//! Homomorphic encryption. What a peer is sent, and the seeds of what both expand, is public; everything else is secret.

use std::hint::black_box;

use ptc_he::basis::Basis;
use ptc_he::elementwise::{self, Slotting};
use ptc_he::encrypt::{decrypt as decrypted, encrypt as encrypted, expand, refresh as refreshed};
use ptc_he::keys::{SecretKey, publish, read_published};
use ptc_he::ntt::{Backend, Transform};
use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_he::product::{answer, open, request};
use ptc_he::sample;
use ptc_he::switch::{decode, encode};
use ptc_plan::file::Making;
use ptc_plan::two_party::elementwise::{Elementwise, slotted};
use ptc_plan::two_party::encrypted::{Product, choose, key_sets};
use ptc_plan::two_party::parameters::Parameters;
use ptc_ring::Seed;

use super::rings::{secret_seed, secret_words};
use crate::entropy;
use crate::valgrind::{public, secret};

const SMALL: Parameters = Parameters { degree: 1024, prime_bits: &[50, 43, 36], kept: 3, special_bits: None };
const BITS: u32 = 36;

fn seed() -> Seed {
    Seed::from_bytes([3; 32])
}

fn message(count: usize) -> Vec<u64> {
    let mut words = vec![5; count];
    secret(&mut words);
    words
}

pub fn sampling() {
    let mut stream = secret_seed().stream(0, 0);
    black_box((sample::ternary(&mut stream, 1000), sample::error(&mut stream, 1000)));
}

pub fn transforms() {
    let prime = Basis::new(&SMALL).primes()[0];
    for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
        let transform = Transform::with_backend(prime, 1024, backend);
        let mut words = secret_words(1024);
        transform.forward(&mut words);
        transform.inverse(&mut words);
        let mut slots = vec![0; 1024];
        transform.forward_short(&words[..256], 0, &mut slots);
        black_box((words, slots));
    }
}

pub fn encoding() {
    let basis = Basis::new(&SMALL);
    let encoded = encode(&basis, 3, &message(1024), BITS);
    black_box(decode(&basis, &encoded, BITS));
}

pub fn encrypt() {
    let basis = Basis::new(&SMALL);
    let secret = SecretKey::from_seed(&basis, &secret_seed());
    let encoded = encode(&basis, 3, &message(1024), BITS);
    let noise = &mut secret_seed().stream(1, 0);
    black_box(encrypted(&basis, &secret, encoded, &seed(), 0, noise).degree());
}

pub fn decrypt() {
    let basis = Basis::new(&SMALL);
    let secret = SecretKey::from_seed(&basis, &secret_seed());
    let ciphertext = expand(&basis, sample::uniform(&basis, 3, &seed(), 7), &seed(), 0);
    black_box(decrypted(&basis, &secret, &ciphertext, BITS));
}

pub fn refresh() {
    let basis = Basis::new(&SMALL);
    let secret = SecretKey::from_seed(&basis, &seed());
    let published = publish(&basis, &secret, &[]).expect("randomness");
    let keys = read_published(&basis, &[], &published).expect("the keys just made");
    let ciphertext = expand(&basis, sample::uniform(&basis, 3, &seed(), 7), &seed(), 0);
    let noise = &mut secret_seed().stream(1, 0);
    black_box(refreshed(&basis, &keys.zero, ciphertext, noise).c0.degree());
}

const PRODUCT: Product = Product { batch: 1, rows: 3, inner: 8, columns: 5, bits: BITS, factor_bits: 17 };

/// Asking and opening, with secret keys and a secret factor. Of a request the first draw is the seed of what both expand.
pub fn open_product() {
    let packing = choose(&PRODUCT, Making::FAST);
    let sets = key_sets([&packing]);
    let client = entropy::secret_after(0, || ClientKeys::fresh(&sets).expect("randomness"));
    let x = message(24);
    let mut asked = entropy::secret_after(1, || request(&client, &PRODUCT, &packing, &x).expect("randomness"));
    // It is sent.
    public(&mut asked);
    let keys = ClientKeys::fresh(&sets).expect("randomness").publish().expect("randomness");
    let server = ServerKeys::read(&sets, &keys).expect("the keys just made");
    // Under another key it opens to nothing of use, in the same way.
    let answered = answer(&server, &PRODUCT, &packing, &asked, &[3; 40], &[1; 15]).expect("a true request");
    black_box(open(&client, &PRODUCT, &packing, &answered).expect("a true answer"));
}

pub fn answer_product() {
    let packing = choose(&PRODUCT, Making::FAST);
    let sets = key_sets([&packing]);
    let client = ClientKeys::fresh(&sets).expect("randomness");
    let server = ServerKeys::read(&sets, &client.publish().expect("randomness")).expect("the keys just made");
    let asked = request(&client, &PRODUCT, &packing, &[5; 24]).expect("randomness");
    let (weights, mask) = (message(40), message(15));
    let answered = entropy::secret_after(0, || answer(&server, &PRODUCT, &packing, &asked, &weights, &mask));
    black_box(answered.expect("a true request").len());
}

pub fn elements() {
    let product = Elementwise { count: 50, terms: 2, bits: BITS };
    let slotting = Slotting::new(&slotted(BITS).expect("a width with parameters"));
    let secret = entropy::secret_after(0, || SecretKey::fresh(slotting.basis()).expect("randomness"));
    let other = SecretKey::fresh(slotting.basis()).expect("randomness");
    let keys = publish(slotting.basis(), &other, &[]).expect("randomness");
    let keys = read_published(slotting.basis(), &[], &keys).expect("the keys just made");
    let (x, y) = (message(50), message(50));
    let factors: [&[u64]; 2] = [&x, &y];
    // The first draw is the seed of what both expand.
    let asked = entropy::secret_after(1, || elementwise::request(&slotting, &secret, &product, &factors));
    let mut asked = asked.expect("randomness");
    // They are sent.
    public(&mut asked);
    let answered = entropy::secret_after(0, || elementwise::answer(&slotting, &keys.zero, &product, &asked, &factors));
    let (mut answered, _) = answered.expect("a true request");
    public(&mut answered);
    black_box(elementwise::open(&slotting, &secret, &product, &answered).is_ok());
}
