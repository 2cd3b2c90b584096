//! Products of elements, by homomorphic encryption ([`ptc_he::elementwise`]).
//!
//! Output: [`Triple`], [`SquarePair`], [`CrossProduct`]. All masks are uniform; the client encrypts its own, the server
//! multiplies. Security: semi-honest. Messages: the client's encryptions, under its own key; the server's answers, masked
//! and hidden; and from both a bit of each share xor a uniform bit that only its sender knows. Prices:
//! [`ptc_plan::two_party::elementwise`].
//!
//! An answer leaves shares modulo `t` of a number `v + B`; they wrap unless the bits `n0` and `n1`, whether a party's share
//! is below `t/2`, are both set. With `r0·r1` shared in the ring and `u = n ^ r` opened, as in a rescale,
//! `n0·n1 = u1·n0 + u0·(n1 - u1) + (1 - 2u0)(1 - 2u1)·r0·r1`: the server adds the first term, the client the second.
//!
//! [`Triple`]: ptc_correlation::types::Triple
//! [`SquarePair`]: ptc_correlation::types::SquarePair
//! [`CrossProduct`]: ptc_correlation::types::CrossProduct

use ptc_correlation::assemble::Piece as Part;
use ptc_he::elementwise::{Shares, Slotting, answer, offset, open, request};
use ptc_he::keys::{PublicKey, SecretKey, publish, read_published};
use ptc_net::PeerError;
use ptc_plan::bill::Correlation;
use ptc_plan::step::Party;
use ptc_plan::two_party::elementwise::{Elementwise, Slotted};
use ptc_plan::two_party::slotwise;
use ptc_ring::tensor::mask;
use ptc_ring::{Prg, Share};

use super::encrypted::next_part;
use super::made::ring;

/// A party's key for each of a plan's plain moduli.
pub struct Keys<K>(Vec<(Slotted, Slotting, K)>);

pub type ClientKeys = Keys<SecretKey>;
pub type ServerKeys = Keys<PublicKey>;

impl ClientKeys {
    pub fn fresh(slottings: &[Slotted]) -> std::io::Result<ClientKeys> {
        let key = |slotted: &Slotted| {
            let slotting = Slotting::new(slotted);
            let secret = SecretKey::fresh(slotting.basis())?;
            Ok((*slotted, slotting, secret))
        };
        Ok(Keys(slottings.iter().map(key).collect::<std::io::Result<_>>()?))
    }

    /// Appends the public keys.
    pub fn publish(&self, message: &mut Vec<u8>) -> std::io::Result<()> {
        for (_, slotting, secret) in &self.0 {
            message.extend(publish(slotting.basis(), secret, &[])?);
        }
        Ok(())
    }
}

impl ServerKeys {
    /// Of a message of [`Slotted::key_bytes`] for each of `slottings`, whose length was checked.
    pub fn read(slottings: &[Slotted], mut message: &[u8]) -> Result<ServerKeys, PeerError> {
        let key = |slotted: &Slotted| {
            let slotting = Slotting::new(slotted);
            let own = next_part(&mut message, slotted.key_bytes())?;
            let public = read_published(slotting.basis(), &[], own)?.zero;
            Ok((*slotted, slotting, public))
        };
        Ok(Keys(slottings.iter().map(key).collect::<Result<_, PeerError>>()?))
    }
}

impl<K> Keys<K> {
    fn of(&self, slotted: &Slotted) -> (&Slotting, &K) {
        let (_, slotting, key) = self.0.iter().find(|(known, ..)| known == slotted).expect("a modulus of the plan");
        (slotting, key)
    }
}

/// The client's masks, between its request and the answer.
pub struct Asked {
    correlation: Correlation,
    masks: Vec<Share>,
}

/// A party's masks and shares, before the wrap bits.
pub struct Shared {
    correlation: Correlation,
    masks: Vec<Share>,
    shares: Shares,
    /// `t` and `B`, modulo `2^64`.
    modulus: u64,
    offset: u64,
}

/// Draws the client's masks and appends their encryptions.
pub fn ask(
    correlation: &Correlation,
    keys: &ClientKeys,
    stream: &mut Prg,
    message: &mut Vec<u8>,
) -> Result<Asked, PeerError> {
    let (product, slotted) = slotwise(correlation).expect("a product by encryption");
    let (slotting, secret) = keys.of(&slotted);
    let masks = own_masks(correlation, Party::Client, stream);
    let factors = factors(correlation, Party::Client, &masks);
    let factors: Vec<&[u64]> = factors.iter().map(|factor| &factor.data[..]).collect();
    message.extend(request(slotting, secret, &product, &factors).map_err(PeerError::Io)?);
    Ok(Asked { correlation: correlation.clone(), masks })
}

/// The client's shares, from its part of the answers.
pub fn opened(asked: Asked, keys: &ClientKeys, rest: &mut &[u8]) -> Result<Shared, PeerError> {
    let Asked { correlation, masks } = asked;
    let (product, slotted) = slotwise(&correlation).expect("a product by encryption");
    let (slotting, secret) = keys.of(&slotted);
    let shares = open(slotting, secret, &product, next_part(rest, product.answer_bytes(&slotted))?)?;
    Ok(Shared::new(correlation, masks, shares, slotting, &product))
}

/// The server's shares; appends its answer to its part of the requests.
pub fn multiply(
    correlation: &Correlation,
    keys: &ServerKeys,
    stream: &mut Prg,
    rest: &mut &[u8],
    message: &mut Vec<u8>,
) -> Result<Shared, PeerError> {
    let (product, slotted) = slotwise(correlation).expect("a product by encryption");
    let (slotting, public) = keys.of(&slotted);
    let masks = own_masks(correlation, Party::Server, stream);
    let factors = factors(correlation, Party::Server, &masks);
    let factors: Vec<&[u64]> = factors.iter().map(|factor| &factor.data[..]).collect();
    let asked = next_part(rest, product.request_bytes(&slotted))?;
    let (answered, shares) = answer(slotting, public, &product, asked, &factors)?;
    message.extend(answered);
    Ok(Shared::new(correlation.clone(), masks, shares, slotting, &product))
}

impl Shared {
    fn new(
        correlation: Correlation,
        masks: Vec<Share>,
        shares: Shares,
        slotting: &Slotting,
        product: &Elementwise,
    ) -> Shared {
        let (modulus, offset) = (slotting.modulus() as u64, offset(product) as u64);
        Shared { correlation, masks, shares, modulus, offset }
    }

    /// What this party opens: its bits xor those of its half of the `wrap` correlation.
    pub fn open(&self, wrap: &[Part]) -> Vec<u64> {
        let [Part::Planes(random), _] = wrap else { panic!("a wrap has a plane and a product") };
        self.shares.below.iter().zip(random.words()).map(|(below, random)| below ^ random).collect()
    }

    /// The parts of the correlation, given what both parties opened.
    pub fn finish(self, party: Party, wrap: Vec<Part>, own: &[u64], other: &[u64]) -> Vec<Part> {
        let Ok([_, Part::Ring(product)]) = <[Part; 2]>::try_from(wrap) else {
            panic!("a wrap has a plane and a product")
        };
        let bits = product.bits();
        let (mut both, low) = (product.unpack(), mask(bits));
        let minus_own = match party {
            Party::Server => 0,
            Party::Client => u64::MAX,
        };
        let constant = match party {
            Party::Server => self.modulus,
            Party::Client => self.offset,
        };
        let planes = self.shares.below.iter().zip(own).zip(other);
        for ((both, shares), ((below, own), other)) in
            both.data.chunks_mut(64).zip(self.shares.low.chunks(64)).zip(planes)
        {
            let (plus, minus, flips) = (other & below, other & own & minus_own, own ^ other);
            // The client's terms are `u0·n1 - u0·u1`, the server's `u1·n0`: both are the other's bit times its own.
            for (at, (both, share)) in both.iter_mut().zip(shares).enumerate() {
                let bit = |word: u64| word >> at & 1;
                let negative = bit(flips).wrapping_neg();
                let sum = (*both ^ negative).wrapping_sub(negative).wrapping_add(bit(plus)).wrapping_sub(bit(minus));
                *both = share.wrapping_add(sum.wrapping_mul(self.modulus)).wrapping_sub(constant) & low;
            }
        }
        together(&self.correlation, &self.masks, both)
    }
}

/// A party's masks: of a triple and a square pair shares of both, of a product of a mask of each party its own.
fn own_masks(correlation: &Correlation, party: Party, stream: &mut Prg) -> Vec<Share> {
    let mut draw = |bits: u32, count: usize| Share { bits, data: stream.ring(bits, count) };
    match *correlation {
        Correlation::Mul { count, each, bits } => vec![draw(bits, count), draw(bits, count / each.max(1))],
        Correlation::Square { count, bits } => vec![draw(bits, count)],
        Correlation::CrossMul { count, bits, .. } if party == Party::Server => vec![draw(bits, count)],
        Correlation::CrossMul { period, bits, .. } => vec![draw(bits, period)],
        _ => panic!("made otherwise"),
    }
}

/// What a party brings to the terms of the product: for a triple the client `a1` and `b1`, the server `b0` and `a0`.
fn factors(correlation: &Correlation, party: Party, masks: &[Share]) -> Vec<Share> {
    match *correlation {
        Correlation::Mul { each, .. } => {
            let [a, b] = masks else { panic!("a triple has two masks") };
            let data = (0..a.len()).map(|at| b.data[at / each.max(1)]).collect();
            let spread = Share { bits: b.bits, data };
            match party {
                Party::Server => vec![spread, a.clone()],
                Party::Client => vec![a.clone(), spread],
            }
        }
        Correlation::CrossMul { count, bits, .. } if party == Party::Client => {
            let data = masks[0].data.iter().copied().cycle().take(count).collect();
            vec![Share { bits, data }]
        }
        // Of a square the ring of half the product.
        _ => masks.to_vec(),
    }
}

/// A party's parts, from its masks and its share of the product.
fn together(correlation: &Correlation, masks: &[Share], mut product: Share) -> Vec<Part> {
    match *correlation {
        Correlation::Mul { each, bits, .. } => {
            let (a, b, low) = (&masks[0], &masks[1], mask(bits));
            for (at, (product, a)) in product.data.iter_mut().zip(&a.data).enumerate() {
                *product = product.wrapping_add(a.wrapping_mul(b.data[at / each.max(1)])) & low;
            }
        }
        Correlation::Square { bits, .. } => {
            product.bits = bits;
            let low = mask(bits);
            for (product, a) in product.data.iter_mut().zip(&masks[0].data) {
                *product = (*product << 1).wrapping_add(a.wrapping_mul(*a)) & low;
            }
        }
        _ => {}
    }
    masks.iter().cloned().chain([product]).map(ring).collect()
}
