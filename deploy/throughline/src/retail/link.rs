//! Finds the sales that a day's returns take back.

use std::collections::HashMap;

use super::invoice::{Invoice, ReturnOf};

/// Units of one sale line that are not yet returned.
struct Open<'s> {
    invoice: &'s str,
    line: u64,
    left: i64,
}

/// Customer, stock code and unit price in millionths: what must be the same.
type Key<'s> = (&'s str, &'s str, i64);

/// Says of each return line what it takes back: the customer's own sale with the same code and price, earlier in the file,
/// of which one line has enough units left.
pub(super) fn link(sales: &[Invoice], returns: &mut [Invoice]) {
    let mut open: HashMap<Key<'_>, Vec<Open<'_>>> = HashMap::new();
    for sale in sales {
        for line in &sale.lines {
            let key = (sale.customer_id.as_str(), line.stock_code.as_str(), line.unit_price.micro);
            let units = Open { invoice: &sale.number, line: line.number, left: line.quantity };
            open.entry(key).or_default().push(units);
        }
    }
    for back in returns {
        for line in &mut back.lines {
            let key = (back.customer_id.as_str(), line.stock_code.as_str(), line.unit_price.micro);
            let earlier = open.get_mut(&key).and_then(|sold| {
                sold.iter_mut().find(|sold| sold.line < line.number && sold.left >= line.quantity)
            });
            line.return_of = Some(match earlier {
                Some(sold) => {
                    sold.left -= line.quantity;
                    ReturnOf::Sale(sold.invoice.to_owned())
                }
                None => ReturnOf::Unknown,
            });
        }
    }
}
