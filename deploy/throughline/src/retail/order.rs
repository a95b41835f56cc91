//! An invoice as the order that a channel submits.

use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1 as proto;

use super::catalog::offering_code;
use super::invoice::{Invoice, Line, ReturnOf, sterling};

/// Payment channel of all orders.
const PAYMENT_CHANNEL: &str = "sandbox";
/// Language of the customers.
const LOCALE: &str = "en";
/// Why goods come back that no sale of the day knows.
const NO_MATCHING_SALE: &str = "no matching sale";

/// Makes the submission of an invoice. The same invoice of the same channel makes the same request, so that submitting it
/// again is answered with the first answer.
pub fn submit_request(invoice: &Invoice, channel: &str) -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest {
        request_id: derived_uuid(&["retail-order", channel, &invoice.number]).to_string(),
        channel_order_id: invoice.number.clone(),
        customer: Some(proto::Customer {
            customer_id: invoice.customer_id.clone(),
            name: String::new(),
            // The file knows no phone, so nobody is told.
            phone: String::new(),
            locale: LOCALE.to_owned(),
            address: invoice.country.clone(),
        }),
        items: invoice.lines.iter().map(item).collect(),
        currency_code: sterling().to_string(),
        payment: Some(proto::PaymentInstruction {
            payment_channel: PAYMENT_CHANNEL.to_owned(),
            ttl: None,
        }),
        failure_policy: proto::FailurePolicy::Whole.into(),
        ..Default::default()
    }
}

fn item(line: &Line) -> proto::OrderItem {
    let action = match line.return_of {
        None => proto::ItemAction::Add,
        Some(_) => proto::ItemAction::Delete,
    };
    proto::OrderItem {
        item_key: format!("l{}", line.number),
        offering_code: offering_code(&line.stock_code),
        quantity: line.quantity,
        action: action.into(),
        agreed_unit_price: Some(line.unit_price.to_proto()),
        return_of: line.return_of.as_ref().map(return_of),
        ..proto::OrderItem::default()
    }
}

fn return_of(return_of: &ReturnOf) -> proto::ReturnOf {
    match return_of {
        ReturnOf::Sale(invoice) => {
            proto::ReturnOf { channel_order_id: invoice.clone(), reason: String::new() }
        }
        ReturnOf::Unknown => {
            proto::ReturnOf { channel_order_id: String::new(), reason: NO_MATCHING_SALE.to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::invoice::{HEADER, read};
    use super::*;

    #[test]
    fn a_sale_is_submitted_with_its_agreed_prices_and_a_return_with_what_it_takes_back() {
        let text = format!(
            "{}\n1,20001,OAK FRAME,6,d,2.55,15001.0,France\n1,POST,POSTAGE,1,d,18,15001.0,France\n\
             C2,20001,OAK FRAME,-2,d,2.55,15001.0,France\nC2,D,Discount,-1,d,5,15001.0,France\n",
            HEADER.join(",")
        );
        let day = read(text.as_bytes()).expect("reads");
        let sale = submit_request(&day.sales[0], "shop");
        assert_eq!(sale.channel_order_id, "1");
        assert_eq!(sale.currency_code, "GBP");
        assert_eq!(sale.failure_policy(), proto::FailurePolicy::Whole);
        assert_eq!(sale.payment.as_ref().map(|p| p.payment_channel.as_str()), Some("sandbox"));
        let customer = sale.customer.clone().unwrap_or_default();
        assert_eq!((customer.customer_id.as_str(), customer.phone.as_str()), ("15001", ""));
        let items: Vec<_> = sale
            .items
            .iter()
            .map(|i| (i.item_key.as_str(), i.offering_code.as_str(), i.quantity, i.action()))
            .collect();
        let add = proto::ItemAction::Add;
        assert_eq!(items, [("l2", "uci-20001", 6, add), ("l3", "uci-POST", 1, add)]);
        let price = sale.items[0].agreed_unit_price.as_ref().map(|price| price.micro_units);
        assert_eq!(price, Some(2_550_000));

        let back = submit_request(&day.returns[0], "shop");
        assert!(back.items.iter().all(|item| item.action() == proto::ItemAction::Delete));
        let of: Vec<_> = back.items.iter().filter_map(|item| item.return_of.clone()).collect();
        assert_eq!((of[0].channel_order_id.as_str(), of[0].reason.as_str()), ("1", ""));
        assert_eq!(
            (of[1].channel_order_id.as_str(), of[1].reason.as_str()),
            ("", NO_MATCHING_SALE)
        );
        assert_eq!(back.items[0].quantity, 2);

        assert_eq!(sale, submit_request(&day.sales[0], "shop"));
        assert_ne!(sale.request_id, submit_request(&day.sales[0], "market").request_id);
        assert_ne!(sale.request_id, back.request_id);
    }
}
