//! How messages read.

use throughline_proto::order::v1::Customer;

use super::*;

fn gbp(minor_units: i64) -> Option<proto::Money> {
    Some(proto::Money { currency_code: "GBP".to_owned(), minor_units })
}

fn text(event: &str, order: &OrderChanged, language: &str) -> String {
    let library = Library::shipped().expect("valid");
    let template = library.template(event).expect("a template");
    let variables = variables(&library, order, language);
    template.render(language, &variables).map(|r| r.text).expect("rendered")
}

fn failure(reason: &str, message: &str) -> Option<Failure> {
    Some(Failure { reason: reason.to_owned(), message: message.to_owned(), ..Failure::default() })
}

#[test]
fn messages_read_well_with_and_without_values() {
    let full = OrderChanged {
        channel_order_id: "A-1".to_owned(),
        customer: Some(Customer { name: " Ada ".to_owned(), ..Customer::default() }),
        total: gbp(1_530),
        paid: gbp(530),
        failure: failure("INSUFFICIENT_STOCK", "pool mugs has 0 units."),
        ..OrderChanged::default()
    };
    let empty = OrderChanged { channel_order_id: "A-1".to_owned(), ..OrderChanged::default() };
    let other = OrderChanged { failure: failure("ODD", "The line is too long."), ..empty.clone() };
    for (event, order, language, expected) in [
        (
            "order.completed",
            &full,
            "en",
            "Dear Ada, your order A-1 is complete. Total: 15.30 GBP. Thank you for choosing us.",
        ),
        (
            "order.partial",
            &full,
            "zh",
            "Ada，您好！您的订单 A-1 有部分未能办理，原因：库存不足。已办理部分实收 5.30 GBP，\
             其余款项已退还。",
        ),
        (
            "order.rejected",
            &full,
            "en",
            "Dear Ada, we are sorry: we could not accept your order A-1: it is out of stock. \
             You have not been charged.",
        ),
        (
            "order.rejected",
            &other,
            "en",
            "Dear customer, we are sorry: we could not accept your order A-1: The line is too \
             long. You have not been charged.",
        ),
        (
            "order.failed",
            &empty,
            "en",
            "Dear customer, we are sorry: your order A-1 could not be delivered: a reason that \
             our staff will explain. Anything you paid has been refunded.",
        ),
        (
            "order.cancelled",
            &empty,
            "zh",
            "尊敬的客户，您好！您的订单 A-1 已取消。如已付款，款项已全部退还。",
        ),
        (
            "order.partial",
            &empty,
            "en",
            "Dear customer, a part of your order A-1 could not be delivered: a reason that our \
             staff will explain. You pay only for what was delivered; the rest has been refunded.",
        ),
    ] {
        assert_eq!(text(event, order, language), expected);
    }
}
