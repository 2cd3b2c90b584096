//! Homomorphic encryption: keys, requests and answers as a peer sends them, changed anywhere.

use std::sync::OnceLock;

use ptc_he::elementwise::{self, Slotting};
use ptc_he::keys::{PublicKeys, SecretKey, publish, read_published};
use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_he::product::{answer, open, request};
use ptc_plan::file::Making;
use ptc_plan::two_party::elementwise::{Elementwise, slotted};
use ptc_plan::two_party::encrypted::{KeySet, Packing, Product, choose, key_sets};

use super::bytes::Bytes;

const PRODUCT: Product = Product { batch: 1, rows: 3, inner: 8, columns: 5, bits: 36, factor_bits: 17 };
const ELEMENTS: Elementwise = Elementwise { count: 50, terms: 2, bits: 36 };

struct Matrices {
    packing: Packing,
    sets: Vec<KeySet>,
    client: ClientKeys,
    server: ServerKeys,
    /// Keys, a request, an answer.
    said: [Vec<u8>; 3],
}

struct Elements {
    slotting: Slotting,
    secret: SecretKey,
    public: PublicKeys,
    said: [Vec<u8>; 3],
}

fn matrices() -> Matrices {
    let packing = choose(&PRODUCT, Making::FAST);
    let sets = key_sets([&packing]);
    let client = ClientKeys::fresh(&sets).expect("randomness");
    let keys = client.publish().expect("randomness");
    let server = ServerKeys::read(&sets, &keys).expect("the keys just made");
    let asked = request(&client, &PRODUCT, &packing, &[5; 24]).expect("randomness");
    let answered = answer(&server, &PRODUCT, &packing, &asked, &[3; 40], &[1; 15]).expect("the request just made");
    Matrices { packing, sets, client, server, said: [keys, asked, answered] }
}

fn elements() -> Elements {
    let slotting = Slotting::new(&slotted(ELEMENTS.bits).expect("a width with parameters"));
    let secret = SecretKey::fresh(slotting.basis()).expect("randomness");
    let keys = publish(slotting.basis(), &secret, &[]).expect("randomness");
    let public = read_published(slotting.basis(), &[], &keys).expect("the keys just made");
    let factors: [&[u64]; 2] = [&[5; 50], &[6; 50]];
    let asked = elementwise::request(&slotting, &secret, &ELEMENTS, &factors).expect("randomness");
    let (answered, _) =
        elementwise::answer(&slotting, &public.zero, &ELEMENTS, &asked, &factors).expect("the request just made");
    Elements { slotting, secret, public, said: [keys, asked, answered] }
}

/// One message, changed, where it is due.
pub fn encryption(bytes: &[u8]) {
    static MATRICES: OnceLock<Matrices> = OnceLock::new();
    static ELEMENTWISE: OnceLock<Elements> = OnceLock::new();
    let mut choices = Bytes::new(bytes);
    let which = choices.below(6);
    let (matrices, elements) = (MATRICES.get_or_init(matrices), ELEMENTWISE.get_or_init(elements));
    let factors: [&[u64]; 2] = [&[5; 50], &[6; 50]];
    match which {
        0 => drop(ServerKeys::read(&matrices.sets, &changed(&matrices.said[0], &mut choices))),
        1 => {
            let message = changed(&matrices.said[1], &mut choices);
            drop(answer(&matrices.server, &PRODUCT, &matrices.packing, &message, &[3; 40], &[1; 15]));
        }
        2 => {
            let message = changed(&matrices.said[2], &mut choices);
            if let Ok(opened) = open(&matrices.client, &PRODUCT, &matrices.packing, &message) {
                assert!(opened.len() == 15 && opened.iter().all(|word| word >> PRODUCT.bits == 0));
            }
        }
        3 => drop(read_published(elements.slotting.basis(), &[], &changed(&elements.said[0], &mut choices))),
        4 => {
            let message = changed(&elements.said[1], &mut choices);
            drop(elementwise::answer(&elements.slotting, &elements.public.zero, &ELEMENTS, &message, &factors));
        }
        _ => {
            let message = changed(&elements.said[2], &mut choices);
            drop(elementwise::open(&elements.slotting, &elements.secret, &ELEMENTS, &message));
        }
    }
}

/// A true message with another length, other bytes at any places, or another end.
fn changed(message: &[u8], choices: &mut Bytes) -> Vec<u8> {
    let mut message = message.to_vec();
    match choices.byte() {
        0 => message.truncate(choices.below(1 << 16)),
        1 => message.extend(choices.take(64)),
        2 => return choices.rest().to_vec(),
        _ => {}
    }
    while !choices.is_empty() {
        let at = choices.below(1 << 16) * 37 + choices.below(37);
        let (value, run) = (choices.byte(), choices.below(40));
        let end = message.len().min(at + run);
        message.get_mut(at..end).unwrap_or_default().fill(value);
    }
    message
}
