//! Makes a day of our own in the same layout, from a seed: the same seed makes the same bytes.
//!
//! It has what makes a real day awkward: one invoice of 592 lines among many short ones, invoices without a customer, goods
//! without price and name, a negative quantity on a sale, postage, carriage and manual lines, prices with three decimals,
//! the same code twice in an invoice, lines of one invoice in two minutes, names with commas and quotes, and returns of
//! which some match a sale and some do not. No line of it comes from a real shop.

use std::io::{self, Write};

use super::invoice::HEADER;
use goods::{Product, Random, products};
use row::Row;

mod goods;
mod row;

/// Invoices of a day, returns and faulty ones included.
const INVOICES: u64 = 143;
/// Lines of the longest invoice.
const LONGEST: u64 = 592;
/// Which invoice of the day that is.
const LONGEST_AT: u64 = 88;
/// Which invoices are returns.
const RETURNS_AT: [u64; 6] = [24, 37, 59, 92, 120, 135];
/// Which invoices hold nothing but a line without price and name.
const NAMELESS_AT: [u64; 7] = [50, 99, 100, 101, 103, 104, 105];
/// Which invoice takes goods out of stock by a negative sale.
const NEGATIVE_AT: u64 = 125;
/// Which ordinary invoice has a line without price and name among its others.
const PARTLY_NAMELESS_AT: u64 = 30;
/// Number of the first invoice.
const FIRST_NUMBER: u64 = 700_001;
/// Customers of the shop.
const CUSTOMERS: u64 = 95;
/// Where most customers live.
const HOME: &str = "United Kingdom";
/// Where the others live.
const ABROAD: [&str; 4] = ["France", "Germany", "Ireland", "Norway"];
/// Minute of the day at which the shop opens.
const OPENING_MINUTE: u64 = 8 * 60 + 15;
/// From this quantity on a customer pays less for each unit.
const BULK_QUANTITY: u64 = 48;

/// Writes a day.
pub fn write_day(seed: u64, out: impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER)?;
    let mut shop = Shop::open(seed);
    for place in 0..INVOICES {
        for row in shop.invoice(place) {
            writer.write_record(row.fields())?;
        }
    }
    writer.flush()
}

#[derive(Clone)]
struct Customer {
    id: String,
    country: &'static str,
}

/// Goods that a customer bought and could bring back.
struct Sold {
    row: Row,
    quantity: u64,
}

struct Shop {
    seed: u64,
    random: Random,
    products: Vec<Product>,
    customers: Vec<Customer>,
    sold: Vec<Sold>,
    minute: u64,
}

impl Shop {
    fn open(seed: u64) -> Self {
        let mut random = Random(seed);
        let products = products(&mut random);
        let customers = (0..CUSTOMERS)
            .map(|n| {
                let id = (12_000 + n * 61 + random.between(0, 60)).to_string();
                let abroad = *random.pick(&ABROAD);
                Customer { id, country: if n % 9 == 4 { abroad } else { HOME } }
            })
            .collect();
        Self { seed, random, products, customers, sold: Vec::new(), minute: OPENING_MINUTE }
    }

    fn invoice(&mut self, place: u64) -> Vec<Row> {
        self.minute += self.random.between(2, 5);
        let number = FIRST_NUMBER + place;
        match place {
            _ if RETURNS_AT.contains(&place) => {
                self.back(place, &format!("C{}", self.number(number)))
            }
            _ if NAMELESS_AT.contains(&place) => vec![self.nameless(number, "1")],
            NEGATIVE_AT => vec![self.nameless(number, "-10")],
            _ => self.sale(place, number),
        }
    }

    /// A number of this day only: the days of two seeds can be sold by one shop.
    fn number(&self, number: u64) -> String {
        format!("{}-{number}", self.seed)
    }

    /// Goods that somebody booked in or out by hand: neither price nor name nor customer.
    fn nameless(&mut self, number: u64, quantity: &str) -> Row {
        let product = self.random.pick(&self.products).clone();
        Row {
            invoice: self.number(number),
            code: product.code,
            name: String::new(),
            quantity: quantity.to_owned(),
            minute: self.minute,
            price: 0,
            customer: String::new(),
            country: HOME,
        }
    }

    fn sale(&mut self, place: u64, number: u64) -> Vec<Row> {
        let mut customer = self.random.pick(&self.customers).clone();
        let lines = if place == LONGEST_AT { LONGEST } else { self.length() };
        // The long ones are what the web shop sums up at the end of an hour: nobody's in particular.
        if place == LONGEST_AT || self.random.one_in(12) {
            customer = Customer { id: String::new(), country: HOME };
        }
        let extra = self.extra(&customer, place);
        let goods = lines - u64::from(extra.is_some());
        let mut rows: Vec<Row> = (0..goods).map(|_| self.goods(number, &customer)).collect();
        if place % 6 == 1
            && let [first, _, third, ..] = rows.as_mut_slice()
        {
            // The same code twice, as a till does it.
            third.code.clone_from(&first.code);
            third.name.clone_from(&first.name);
            third.price = first.price;
        }
        rows.extend(extra.map(|(code, name, price)| Row {
            code: code.to_owned(),
            name: name.to_owned(),
            quantity: "1".to_owned(),
            price,
            ..self.row(number, &customer)
        }));
        if place == PARTLY_NAMELESS_AT {
            rows.push(Row { country: customer.country, ..self.nameless(number, "3") });
        }
        if place % 20 == 7 {
            // Its last lines were entered a minute later.
            let later = rows.len() / 2;
            rows.iter_mut().skip(later).for_each(|row| row.minute += 1);
        }
        self.remember(&rows);
        rows
    }

    /// Most invoices are short, some are long.
    fn length(&mut self) -> u64 {
        match self.random.between(1, 100) {
            1..=30 => self.random.between(1, 5),
            31..=70 => self.random.between(6, 20),
            71..=90 => self.random.between(21, 40),
            91..=98 => self.random.between(41, 80),
            _ => self.random.between(81, 130),
        }
    }

    /// What is charged besides goods: code, name, price.
    fn extra(
        &mut self,
        customer: &Customer,
        place: u64,
    ) -> Option<(&'static str, &'static str, u64)> {
        match place {
            10 => Some(("C2", "CARRIAGE", 50_000)),
            17 | 63 => Some(("M", "MANUAL ENTRY", self.random.between(1, 40) * 250)),
            LONGEST_AT => Some(("DOT", "WEB SHOP POSTAGE", 569_770)),
            _ if customer.country != HOME => Some(("POST", "POSTAGE", 18_000)),
            _ => None,
        }
    }

    fn goods(&mut self, number: u64, customer: &Customer) -> Row {
        let product = self.random.pick(&self.products).clone();
        let quantity = match self.random.between(1, 10) {
            1..=5 => self.random.between(1, 6),
            6..=9 => *self.random.pick(&[8, 10, 12, 24]),
            _ => *self.random.pick(&[36, 48, 96, 144]),
        };
        let bulk = quantity >= BULK_QUANTITY;
        Row {
            code: product.code,
            name: product.name,
            quantity: quantity.to_string(),
            price: if bulk { product.price * 4 / 5 } else { product.price },
            ..self.row(number, customer)
        }
    }

    fn row(&self, number: u64, customer: &Customer) -> Row {
        Row {
            invoice: self.number(number),
            code: String::new(),
            name: String::new(),
            quantity: String::new(),
            minute: self.minute,
            price: 0,
            customer: customer.id.clone(),
            country: customer.country,
        }
    }

    fn remember(&mut self, rows: &[Row]) {
        let known = rows.iter().filter(|row| !row.customer.is_empty() && row.price > 0);
        self.sold.extend(known.filter_map(|row| {
            let quantity = row.quantity.parse().ok()?;
            let is_goods = row.code.starts_with(|c: char| c.is_ascii_digit());
            is_goods.then(|| Sold { row: row.clone(), quantity })
        }));
    }

    /// A return: the first is a discount, the fifth matches no sale, the third is mixed, the others match.
    fn back(&mut self, place: u64, number: &str) -> Vec<Row> {
        let kind = RETURNS_AT.iter().position(|at| *at == place).unwrap_or(0);
        let (matching, others, discount) = match kind {
            0 => (0, 0, true),
            2 => (2, 2, false),
            4 => (0, 3, false),
            _ => (usize::from(kind == 1) * 5 + 1, 0, false),
        };
        let customer = self.random.pick(&self.sold).row.customer.clone();
        let bought: Vec<usize> = (0..self.sold.len())
            .filter(|index| self.sold[*index].row.customer == customer)
            .take(matching.max(1) + others)
            .collect();
        let mut rows = Vec::new();
        for (position, index) in bought.into_iter().enumerate() {
            let Sold { row, quantity } = &self.sold[index];
            let mut row = Row { minute: self.minute, invoice: number.to_owned(), ..row.clone() };
            row.quantity = format!("-{}", quantity.div_ceil(2));
            if position >= matching {
                // Bought another day, at another price.
                row.price += 1_370;
            }
            if discount {
                row.code = "D".to_owned();
                row.name = "DISCOUNT".to_owned();
                row.quantity = "-1".to_owned();
                row.price = 27_500;
            }
            rows.push(row);
        }
        rows
    }
}

#[cfg(test)]
mod tests;
