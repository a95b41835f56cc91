//! Goods of a shop, drawn from a seed.

use std::collections::BTreeSet;

use super::super::words::{COLOURS, SIZES, STYLES, THINGS};

/// Goods in the shop.
const PRODUCTS: usize = 1_100;
/// Unit prices in thousandths of a pound.
const PRICES: [u64; 20] = [
    85, 190, 290, 420, 550, 650, 850, 1_250, 1_450, 1_650, 1_950, 2_100, 2_550, 2_950, 3_750,
    4_250, 4_950, 5_950, 8_500, 12_750,
];

/// Splitmix64: small, and good enough for goods.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    pub(super) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        let index = self.next() % u64::try_from(from.len()).unwrap_or(1);
        &from[usize::try_from(index).unwrap_or(0)]
    }
}

/// Something that the shop sells.
#[derive(Clone)]
pub(super) struct Product {
    pub(super) code: String,
    pub(super) name: String,
    /// Thousandths of a pound.
    pub(super) price: u64,
}

/// Makes goods, each with a code and a name of its own.
pub(super) fn products(random: &mut Random) -> Vec<Product> {
    let mut codes = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut products = Vec::with_capacity(PRODUCTS);
    while products.len() < PRODUCTS {
        let number = random.between(20_000, 89_999);
        let letter = *random.pick(&["", "", "", "A", "B", "C"]);
        let code = format!("{number}{letter}");
        let name = format!(
            "{} {} {}{}",
            random.pick(&COLOURS),
            random.pick(&STYLES),
            random.pick(&THINGS),
            random.pick(&SIZES)
        );
        let price = *random.pick(&PRICES);
        if codes.insert(code.clone()) && names.insert(name.clone()) {
            products.push(Product { code, name, price });
        }
    }
    products
}
