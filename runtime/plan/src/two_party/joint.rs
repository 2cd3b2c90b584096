//! Packings of several products, chosen together: keys are sent once, whoever uses them.
//!
//! Of a product only the cheapest packing for each set of keys counts. From several starts, product after product takes the
//! packing that is cheapest beside the keys that all others need, until nothing changes; the best end is taken. Keys are
//! weighed as in a session of one query.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::encrypted::{
    KeySet, Packing, Product, asked_cost, choose, for_each_candidate, key_bytes, key_sets, least_response_bytes,
    response, response_bytes,
};
use super::parameters::SETS;
use crate::file::Making;

/// Packings of `products`, each with how often a query needs it. Panics for one that no parameters hold.
pub fn packings(products: &[(Product, usize)], making: Making) -> Vec<Packing> {
    let ways: Vec<Ways> = products.iter().map(|(product, _)| ways(product, making)).collect();
    let times: Vec<f64> = products.iter().map(|(_, times)| *times as f64).collect();
    let mut best: Option<(f64, Vec<usize>)> = None;
    for most in (0..=MOST_LEVELS).rev() {
        for left_out in [None].into_iter().chain(with_automorphisms().map(Some)) {
            let start = |way: &Way| if way.starts(most, left_out) { way.cost } else { f64::INFINITY };
            let start = ways.iter().map(|ways| cheapest(ways, start)).collect();
            let (cost, chosen) = descend(&ways, &times, start);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, chosen));
            }
        }
    }
    let (_, chosen) = best.expect("there is a start");
    chosen.into_iter().zip(&ways).map(|(at, ways)| ways[at].packing).collect()
}

/// Sets of parameters whose packings may need keys for automorphisms.
fn with_automorphisms() -> impl Iterator<Item = usize> {
    (0..SETS.len()).filter(|set| SETS[*set].special_bits.is_some())
}

/// Levels of automorphisms that a packing may need.
const MOST_LEVELS: u32 = 9;

/// How often all products are looked at again.
const PASSES: usize = 4;

/// The cheapest packing for one set of keys.
struct Way {
    packing: Packing,
    /// In bytes, for one product.
    cost: f64,
    needs: Needs,
}

type Ways = Arc<[Way]>;

/// Keys by set of parameters: a bit for the set, and one for each level of its automorphisms.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Needs([u32; SETS.len()]);

const SET: u32 = 1 << 31;

impl Needs {
    fn of(packing: &Packing) -> Needs {
        let mut needs = Needs::default();
        for keys in key_sets([packing]) {
            needs.0[keys.set] = keys.levels.iter().fold(SET, |bits, level| bits | 1 << level);
        }
        needs
    }

    fn and(mut self, other: Needs) -> Needs {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
        self
    }

    fn bytes(&self) -> f64 {
        static PRICES: OnceLock<[[u64; 2]; SETS.len()]> = OnceLock::new();
        let prices = PRICES.get_or_init(|| std::array::from_fn(prices));
        let of_set = |(bits, [bare, level]): (&u32, &[u64; 2])| match *bits {
            0 => 0,
            bits => bare + u64::from((bits & !SET).count_ones()) * level,
        };
        self.0.iter().zip(prices).map(of_set).sum::<u64>() as f64
    }
}

/// Of a set's keys without automorphisms, and what each of these adds.
fn prices(set: usize) -> [u64; 2] {
    let of = |levels| key_bytes(&[KeySet { set, levels }]);
    [of(vec![]), of(vec![0]) - of(vec![])]
}

impl Way {
    /// Whether a start may have it that packs at most `2^most` products and does without automorphisms of one set.
    fn starts(&self, most: u32, left_out: Option<usize>) -> bool {
        let merged = self.packing.merge.ilog2();
        merged <= most && (merged == 0 || left_out != Some(self.packing.set))
    }
}

/// The first of the cheapest.
fn cheapest(ways: &[Way], cost: impl Fn(&Way) -> f64) -> usize {
    let mut best = (f64::INFINITY, 0);
    for (at, way) in ways.iter().enumerate() {
        let cost = cost(way);
        if cost < best.0 {
            best = (cost, at);
        }
    }
    best.1
}

/// The cost of all, and what was chosen of each.
fn descend(ways: &[Ways], times: &[f64], mut chosen: Vec<usize>) -> (f64, Vec<usize>) {
    let needs = |chosen: &[usize], but: Option<usize>| {
        let all = ways.iter().zip(chosen).enumerate().filter(|(at, _)| Some(*at) != but);
        all.fold(Needs::default(), |sum, (_, (ways, at))| sum.and(ways[*at].needs))
    };
    for _ in 0..PASSES {
        let before = chosen.clone();
        for at in 0..chosen.len() {
            let others = needs(&chosen, Some(at));
            chosen[at] = cheapest(&ways[at], |way| times[at] * way.cost + others.and(way.needs).bytes());
        }
        if chosen == before {
            break;
        }
    }
    let own = ways.iter().zip(times).zip(&chosen).map(|((ways, times), at)| times * ways[*at].cost);
    (own.sum::<f64>() + needs(&chosen, None).bytes(), chosen)
}

/// The ways that may be best beside others; they are kept as those of [`super::encrypted::find`] are.
fn ways(product: &Product, making: Making) -> Ways {
    static KNOWN: Mutex<BTreeMap<(Product, u32), Ways>> = Mutex::new(BTreeMap::new());
    /// Beyond so many a process has other worries.
    const MOST: usize = 1 << 12;
    let key = (*product, making.second_bytes);
    let known = || KNOWN.lock().expect("nobody panics while keeping");
    if let Some(ways) = known().get(&key) {
        return ways.clone();
    }
    let alone = choose(product, making);
    // Sharing keys cannot save more than those of the packing that is best alone.
    let cost = |packing: &Packing, asked: f64| asked + response_bytes(product, packing) as f64;
    let worst = cost(&alone, asked_cost(product, &alone, making)) + Needs::of(&alone).bytes();
    let mut best: BTreeMap<Needs, Way> = BTreeMap::new();
    for_each_candidate(product, |packing| {
        let asked = asked_cost(product, &packing, making);
        let least = asked + least_response_bytes(product, &packing);
        if least >= worst {
            return;
        }
        let needs = Needs::of(&packing);
        if best.get(&needs).is_some_and(|known| least >= known.cost) {
            return;
        }
        let Some(response) = response(product, &packing) else { return };
        let packing = Packing { response, ..packing };
        let cost = cost(&packing, asked);
        if best.get(&needs).is_none_or(|known| cost < known.cost) {
            best.insert(needs, Way { packing, cost, needs });
        }
    });
    let mut ways: Vec<Way> = best.into_values().collect();
    // Of equals the first is taken: that with the fewest keys.
    ways.sort_by(|a, b| a.needs.bytes().total_cmp(&b.needs.bytes()));
    let ways: Ways = ways.into();
    let mut known = known();
    if known.len() < MOST {
        known.insert(key, ways.clone());
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(products: &[(Product, usize)], packings: &[Packing], making: Making) -> f64 {
        let of = |((product, times), packing): (&(Product, usize), &Packing)| {
            *times as f64 * (asked_cost(product, packing, making) + response_bytes(product, packing) as f64)
        };
        let own: f64 = products.iter().zip(packings).map(of).sum();
        own + key_bytes(&key_sets(packings)) as f64
    }

    fn product(rows: usize, inner: usize, columns: usize) -> Product {
        Product { batch: 1, rows, inner, columns, bits: 36, factor_bits: 17 }
    }

    #[test]
    fn together_is_no_worse_than_alone() {
        let heads = Product { batch: 12, rows: 32, inner: 32, columns: 32, bits: 36, factor_bits: 36 };
        let all = [
            vec![(product(32, 384, 1152), 6), (product(32, 384, 384), 6), (product(32, 1536, 384), 6), (heads, 12)],
            vec![(product(8, 64, 64), 1), (product(1, 64, 30), 2), (product(8, 128, 64), 1), (heads, 1)],
            vec![(product(128, 768, 768), 1)],
            vec![(product(1, 768, 3), 1), (product(3, 100, 200), 1)],
        ];
        let mut saved = 0;
        for (products, making) in all.iter().flat_map(|all| [Making::FAST, Making::SPARING].map(|making| (all, making)))
        {
            let alone: Vec<Packing> = products.iter().map(|(product, _)| choose(product, making)).collect();
            let (alone, together) =
                (cost(products, &alone, making), cost(products, &packings(products, making), making));
            assert!(together <= alone * (1.0 + 1e-12), "{products:?} for {making:?}: {together}, alone {alone}");
            saved += usize::from(together < 0.99 * alone);
        }
        assert!(saved > 2, "{saved} of 8 are cheaper together");
        assert!(packings(&[], Making::FAST).is_empty());
    }
}
