//! What happens to carts, by tables.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::money::{Currency, UnitPrice};

use super::{Cart, CartError, CartId, CartState, Command, MAX_LINES_PER_CART, NewCart};
use crate::order::{Action, Item, OrderId, ReturnOf};

const START: Instant = Instant(1_000_000_000);
const TTL: Duration = Duration::from_secs(60);

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("valid")
}

fn cart_in(code: &str, customer: &str) -> Cart {
    let new = NewCart {
        customer_id: customer.to_owned(),
        visitor_id: "visitor".to_owned(),
        currency: currency(code),
        ttl: TTL,
    };
    Cart::new(CartId::derive(&[code, customer]), "hall".to_owned(), new, START)
}

fn cart(customer: &str) -> Cart {
    cart_in("GBP", customer)
}

fn item(offering: &str, quantity: i64) -> Item {
    Item {
        key: "any".to_owned(),
        offering: offering.to_owned(),
        quantity,
        action: Action::Add,
        agreed_price: None,
        characteristics: BTreeMap::new(),
        return_of: None,
    }
}

fn priced(code: &str, micro: i64) -> Item {
    Item { agreed_price: Some(UnitPrice { currency: currency(code), micro }), ..item("mug", 1) }
}

fn in_red() -> BTreeMap<String, String> {
    [("color".to_owned(), "red".to_owned())].into()
}

fn red(quantity: i64) -> Item {
    Item { characteristics: in_red(), ..item("mug", quantity) }
}

fn returned(reason: &str) -> Item {
    let return_of = Some(ReturnOf::StandAlone(reason.to_owned()));
    Item { action: Action::Delete, return_of, ..item("mug", 1) }
}

fn add(cart: &mut Cart, item: Item) -> Result<Option<Item>, CartError> {
    cart.change(Command::Add(item), START)
}

fn filled(customer: &str, items: &[Item]) -> Cart {
    let mut cart = cart(customer);
    for item in items {
        add(&mut cart, item.clone()).expect("added");
    }
    cart
}

fn lines(cart: &Cart) -> Vec<(&str, &str, i64)> {
    assert_eq!(cart.lines.len(), cart.head.line_count);
    assert_eq!(cart.lines.iter().map(|l| l.quantity).sum::<i64>(), cart.head.unit_count);
    cart.lines.iter().map(|l| (l.key.as_str(), l.offering.as_str(), l.quantity)).collect()
}

#[test]
fn lines_that_are_alike_in_all_but_units_are_one() {
    // second line added after a plain mug -> lines of the cart
    let cases: Vec<(Item, usize)> = vec![
        (item("mug", 2), 1),
        (item("cup", 2), 2),
        (red(2), 2),
        (priced("GBP", 1), 2),
        (returned("broken"), 2),
    ];
    for (second, expected) in cases {
        let cart = filled("ada", &[item("mug", 1), second.clone(), second.clone()]);
        assert_eq!(cart.lines.len(), expected, "{second:?}");
        assert_eq!(cart.head.unit_count, 1 + 2 * second.quantity);
    }
    assert_eq!(filled("ada", &[returned("broken"), returned("too large")]).lines.len(), 2);
    assert_eq!(filled("ada", &[priced("GBP", 1), priced("GBP", 2)]).lines.len(), 2);
}

#[test]
fn keys_are_given_once_and_never_again() {
    let mut cart = filled("ada", &[item("mug", 1), item("cup", 1)]);
    cart.change(Command::Remove { key: "2".to_owned() }, START).expect("removed");
    add(&mut cart, item("cup", 5)).expect("added");
    assert_eq!(lines(&cart), [("1", "mug", 1), ("3", "cup", 5)]);
}

#[test]
fn each_change_moves_version_and_expiry_on_and_a_refused_one_moves_nothing() {
    let later = START.plus(Duration::from_secs(50));
    let mut cart = filled("ada", &[item("mug", 1)]);
    cart.change(Command::Add(item("mug", 1)), later).expect("added");
    assert_eq!((cart.head.version, cart.head.expires_at), (3, later.plus(TTL)));
    let before = cart.clone();
    let refused = [
        (Command::Add(item("mug", 999_999)), CartError::TooManyUnits),
        (Command::Add(priced("EUR", 1)), CartError::CurrencyDiffers(currency("GBP"))),
        (Command::Remove { key: "9".to_owned() }, CartError::ItemNotFound("9".to_owned())),
        (update("9", Some(1), None), CartError::ItemNotFound("9".to_owned())),
    ];
    for (command, error) in refused {
        assert_eq!(cart.change(command, later), Err(error));
        assert_eq!(cart, before);
    }
}

fn update(
    key: &str,
    quantity: Option<i64>,
    characteristics: Option<BTreeMap<String, String>>,
) -> Command {
    Command::Update { key: key.to_owned(), quantity, characteristics }
}

#[test]
fn an_updated_line_that_becomes_like_another_takes_its_units() {
    let mut cart = filled("ada", &[item("mug", 1), item("cup", 1), red(3)]);
    let changed = cart.change(update("1", Some(2), Some(in_red())), START).expect("updated");
    assert_eq!(changed.map(|line| (line.key, line.quantity)), Some(("1".to_owned(), 5)));
    assert_eq!(lines(&cart), [("1", "mug", 5), ("2", "cup", 1)]);
    let changed = cart.change(update("1", None, Some(BTreeMap::new())), START).expect("updated");
    assert_eq!(changed.map(|line| line.quantity), Some(5));
    let mut full = filled("ada", &[item("mug", 600_000), red(600_000)]);
    let before = full.clone();
    let refused = full.change(update("1", None, Some(in_red())), START);
    assert_eq!((refused, full), (Err(CartError::TooManyUnits), before));
}

#[test]
fn a_cart_is_no_larger_than_an_order() {
    let mut cart = cart("ada");
    for n in 0..MAX_LINES_PER_CART {
        add(&mut cart, item(&n.to_string(), 1)).expect("room");
    }
    assert_eq!(add(&mut cart, item("one more", 1)), Err(CartError::TooManyLines));
    add(&mut cart, item("0", 1)).expect("a line that is there");
    let choices = |n: usize| (0..32).map(move |c| (format!("{c}"), "值".repeat(180 + n % 20)));
    let mut heavy = self::cart("ada");
    let refused = (0..1_000).find_map(|n| {
        let line = Item { characteristics: choices(n).collect(), ..item(&n.to_string(), 1) };
        add(&mut heavy, line).err()
    });
    assert_eq!(refused, Some(CartError::TooLarge));
    assert!(heavy.lines.len() > 100);
}

#[test]
fn a_merged_cart_gives_all_its_units_once() {
    let mut into = filled("ada", &[item("mug", 1), red(1)]);
    let mut from = filled("", &[red(2), item("cup", 1)]);
    into.take_in(&mut from, START).expect("merged");
    assert_eq!(lines(&into), [("1", "mug", 1), ("2", "mug", 3), ("3", "cup", 1)]);
    assert_eq!(lines(&from), []);
    assert_eq!(from.head.state, CartState::Merged);
    assert_eq!(from.head.merged_into, Some(into.head.id.clone()));
    assert!(matches!(from.check(None, START), Err(CartError::NotActive { .. })));
}

#[test]
fn carts_that_do_not_belong_together_stay_apart() {
    let many: Vec<Item> = (0..999).map(|n| item(&n.to_string(), 1)).collect();
    let cases = [
        (cart("ada"), filled("bob", &[item("mug", 1)]), CartError::CustomerDiffers),
        (cart(""), filled("bob", &[item("mug", 1)]), CartError::CustomerDiffers),
        (cart("ada"), cart_in("EUR", ""), CartError::CurrencyDiffers(currency("GBP"))),
        (
            filled("ada", &[item("mug", 1)]),
            filled("", &[item("mug", 1_000_000)]),
            CartError::TooManyUnits,
        ),
        (filled("ada", &[item("x", 1), item("y", 1)]), filled("", &many), CartError::TooManyLines),
    ];
    for (mut into, mut from, error) in cases {
        let before = (into.clone(), from.clone());
        assert_eq!(into.take_in(&mut from, START), Err(error));
        assert_eq!((into, from), before);
    }
    filled("ada", &[]).take_in(&mut filled("ada", &[item("mug", 1)]), START).expect("both hers");
}

#[test]
fn a_cart_is_over_at_its_instant_and_not_before() {
    let cart = filled("ada", &[item("mug", 1)]);
    let end = START.plus(TTL);
    assert_eq!(cart.check(None, Instant(end.0 - 1)), Ok(()));
    let over = CartError::NotActive { cart_id: cart.head.id.clone(), state: CartState::Expired };
    assert_eq!(cart.check(None, end), Err(over));
    assert_eq!(cart.head.state_at(end), CartState::Expired);
    let mut swept = cart.head.clone();
    swept.expire();
    assert_eq!((swept.state_at(START), swept.version), (CartState::Expired, 3));
    assert!(swept.due_at() > end);
}

#[test]
fn an_expected_version_is_the_one_that_is_there() {
    let cart = filled("ada", &[item("mug", 1)]);
    assert_eq!(cart.check(Some(2), START), Ok(()));
    assert_eq!(cart.check(Some(1), START), Err(CartError::Changed(2)));
}

#[test]
fn a_cart_ends_as_an_order_of_its_customer_or_without_its_lines() {
    let order_id = OrderId::derive(&["order"]);
    let mut bought = filled("", &[item("mug", 1)]);
    bought.check_out(order_id.clone(), "ada", START);
    assert_eq!((bought.head.customer_id.as_str(), bought.lines.len()), ("ada", 1));
    assert_eq!((bought.head.state, bought.head.order_id), (CartState::CheckedOut, Some(order_id)));
    let mut deleted = filled("ada", &[item("mug", 1)]);
    deleted.change(Command::Delete, START).expect("deleted");
    assert_eq!((lines(&deleted), deleted.head.state), (vec![], CartState::Deleted));
}

#[test]
fn only_a_customers_cart_goes_to_another_channel() {
    let transfer = || Command::Transfer { channel: "web".to_owned() };
    let mut hers = filled("ada", &[item("mug", 1)]);
    hers.change(transfer(), START).expect("transferred");
    assert_eq!(hers.head.channel, "web");
    assert_eq!(cart("").change(transfer(), START), Err(CartError::CustomerMissing));
}
