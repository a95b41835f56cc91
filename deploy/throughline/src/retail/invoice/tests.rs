//! The rules, line by line.

use super::*;

/// A day from lines without the header.
fn day(lines: &[&str]) -> Day {
    let text = format!("{}\n{}\n", HEADER.join(","), lines.join("\n"));
    read(text.as_bytes()).expect("reads")
}

fn sale(quantity: &str, price: &str) -> String {
    format!("700001,20001,OAK FRAME,{quantity},2024-05-02 09:00:00,{price},15001.0,France")
}

fn reasons(day: &Day) -> Vec<(u64, &str)> {
    day.reports.iter().map(|report| (report.line, report.reason.as_str())).collect()
}

#[test]
fn a_sale_is_read_with_its_customer_price_and_amount() {
    let day = day(&[&sale("3", "0.085"), &sale("1", "2.5")]);
    let [invoice] = day.sales.as_slice() else { panic!("one invoice: {day:?}") };
    assert_eq!(invoice.number, "700001");
    assert_eq!(invoice.customer_id, "15001");
    assert_eq!(invoice.country, "France");
    assert_eq!(invoice.invoiced_at, "2024-05-02 09:00:00");
    let lines: Vec<_> = invoice
        .lines
        .iter()
        .map(|line| (line.number, line.quantity, line.unit_price.micro, line.amount.minor))
        .collect();
    // 3 × 0.085 = 0.255, half-up.
    assert_eq!(lines, [(2, 3, 85_000, 26), (3, 1, 2_500_000, 250)]);
    assert_eq!(day.totals[&sterling()].sold.minor, 276);
    assert!(day.reports.is_empty());
}

#[test]
fn a_line_that_cannot_be_sold_is_reported_and_the_rest_of_its_invoice_goes_on() {
    let good = sale("1", "1.00");
    for (bad, reason) in [
        ("700001,20001,,5,d,0.0,,UK", "has neither a price nor a description"),
        ("700001,20001,NAME,0,d,1.0,,UK", "the quantity of a sale must be positive, is 0"),
        ("700001,20001,NAME,-4,d,1.0,,UK", "the quantity of a sale must be positive, is -4"),
        ("700001,20001,NAME,two,d,1.0,,UK", "the quantity \"two\" is no whole number"),
        ("700001,20001,NAME,1.5,d,1.0,,UK", "the quantity \"1.5\" is no whole number"),
        ("700001,20001,NAME,1000001,d,1.0,,UK", "the quantity must be at most 1000000, is 1000001"),
        (
            "700001,20001,NAME,1,d,free,,UK",
            "the unit price \"free\" is no decimal number of pounds",
        ),
        ("700001,20001,NAME,1,d,-1.0,,UK", "the unit price must not be negative, is -1.0"),
        ("700001,20001,NAME,9,d,9223372036854,,UK", ""),
        ("700001,,NAME,1,d,1.0,,UK", "has no stock code"),
        ("700001,20001,NAME,1,d,1.0,,UK,more", "has 9 columns instead of 8"),
        ("700001,20001,NAME", "has 3 columns instead of 8"),
        (",20001,NAME,1,d,1.0,,UK", "the invoice number must have 1 to 64 characters"),
    ] {
        let day = day(&[bad, &good]);
        if reason.is_empty() {
            assert!(day.reports.is_empty(), "{bad}: {:?}", day.reports);
            continue;
        }
        assert_eq!(reasons(&day), [(2, reason)], "{bad}");
        assert_eq!(day.sales[0].lines.len(), 1, "{bad}");
    }
}

#[test]
fn a_free_article_with_a_name_is_sold_for_nothing() {
    let day = day(&[&sale("1", "0.0")]);
    assert!(day.reports.is_empty());
    assert_eq!(day.sales[0].lines[0].amount.minor, 0);
}

#[test]
fn an_invoice_with_no_line_left_is_reported_and_not_submitted() {
    let day = day(&["700009,22139,,56,d,0.0,,UK"]);
    assert!(day.sales.is_empty());
    let reason = "has neither a price nor a description; \
                  no line of the invoice is left; it is not submitted";
    assert_eq!(reasons(&day), [(2, reason)]);
}

#[test]
fn an_invoice_that_is_too_long_for_an_order_is_reported_as_a_whole() {
    let lines = vec![sale("1", "1.00"); MAX_LINES_PER_INVOICE + 1];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let day = day(&lines);
    assert!(day.sales.is_empty());
    assert_eq!(day.reports.len(), 1);
    assert!(day.reports[0].reason.contains("1001 lines"), "{:?}", day.reports);
}

#[test]
fn an_invoice_without_a_customer_belongs_to_a_guest_of_its_own() {
    let day = day(&[
        "700001,20001,NAME,1,d,1.0,,UK",
        "700002,20001,NAME,1,d,1.0,,UK",
        "700001,20002,NAME,1,d,1.0,,UK",
        "700003,20002,NAME,1,d,1.0,17850.0,UK",
    ]);
    let customers: Vec<_> = day
        .sales
        .iter()
        .map(|i| (i.number.as_str(), i.customer_id.as_str(), i.lines.len()))
        .collect();
    assert_eq!(
        customers,
        [("700001", "guest-700001", 2), ("700002", "guest-700002", 1), ("700003", "17850", 1)]
    );
}

#[test]
fn a_return_takes_back_the_customers_own_earlier_sale_or_stands_alone() {
    let day = day(&[
        "C700000,20001,NAME,-1,d,1.0,15001.0,UK",
        "700001,20001,NAME,5,d,1.0,15001.0,UK",
        "700002,20001,NAME,5,d,1.0,15002.0,UK",
        "C700003,20001,NAME,-3,d,1.0,15001.0,UK",
        "C700003,20001,NAME,-2,d,1.0,15001.0,UK",
        "C700003,20001,NAME,-1,d,1.0,15001.0,UK",
        "C700003,20001,NAME,-1,d,1.5,15001.0,UK",
        "C700003,20009,NAME,-1,d,1.0,15001.0,UK",
        "C700004,D,Discount,-1,d,27.5,15001.0,UK",
        "C700005,20001,NAME,-1,d,1.0,,UK",
    ]);
    let linked = ReturnOf::Sale("700001".to_owned());
    let found: Vec<Vec<_>> = day
        .returns
        .iter()
        .map(|back| {
            back.lines.iter().map(|line| line.return_of.clone().expect("decided")).collect()
        })
        .collect();
    assert_eq!(
        found,
        [
            // Before the sale.
            vec![ReturnOf::Unknown],
            // Three and two of five; then none is left; then another price; then another code.
            vec![linked.clone(), linked, ReturnOf::Unknown, ReturnOf::Unknown, ReturnOf::Unknown],
            vec![ReturnOf::Unknown],
            vec![ReturnOf::Unknown],
        ]
    );
    assert!(day.sales.iter().flat_map(|sale| &sale.lines).all(|line| line.return_of.is_none()));
    let totals = day.totals[&sterling()];
    assert_eq!((totals.sold.minor, totals.returned.minor), (1_000, 100 + 850 + 2_750 + 100));
}

#[test]
fn the_quantity_of_a_return_is_negative_in_the_file() {
    let day =
        day(&["C700003,20001,NAME,3,d,1.0,15001.0,UK", "C700003,20001,NAME,-2,d,1.0,15001.0,UK"]);
    assert_eq!(reasons(&day), [(2, "the quantity of a return must be negative, is 3")]);
    assert_eq!(day.returns[0].lines[0].quantity, 2);
}

#[test]
fn another_header_is_refused_with_what_was_expected() {
    for text in ["", "a,b\n1,2\n", "InvoiceNo,StockCode\n"] {
        let error = read(text.as_bytes()).expect_err("refused").to_string();
        assert!(error.contains("InvoiceNo,StockCode,Description,Quantity"), "{error}");
    }
    let marked = format!("\u{feff}{}\n", HEADER.join(","));
    assert!(read(marked.as_bytes()).expect("reads").sales.is_empty());
}

#[test]
fn names_may_hold_commas_quotes_and_letters_that_are_no_utf_8() {
    let mut bytes = format!("{}\n", HEADER.join(",")).into_bytes();
    bytes.extend_from_slice(b"700001,20001,\"JAR, \"\"LARGE\"\" \xa35\",1,d,1.0,,UK\n");
    let day = read(bytes.as_slice()).expect("reads");
    assert_eq!(day.sales[0].lines[0].description, "JAR, \"LARGE\" \u{fffd}5");
}

#[test]
fn a_quote_that_is_not_closed_costs_its_own_line_only() {
    let good = sale("1", "1.00");
    let split = ["700001,20001,\"OAK", "FRAME\",1,d,1.0,,UK"];
    let day = day(&[&good, "700001,20001,\"OAK FRAME,1,d,1.0,,UK", "", &good, split[0], split[1]]);
    assert_eq!(day.sales[0].lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(
        reasons(&day),
        [(3, BROKEN), (6, BROKEN), (7, "has 6 columns instead of 8")],
        "each line that is left out is named"
    );
    assert_eq!(day.reports[0].invoice, "700001");
    assert_eq!((day.file_lines, day.empty_lines), (6, 1));
}

#[test]
fn a_line_of_another_customer_than_its_invoice_is_reported_and_left_out() {
    let of = |customer: &str| format!("700001,20001,NAME,1,d,1.0,{customer},UK");
    let day = day(&[&of(""), &of("15001.0"), &of("15002.0"), &of("15001"), &of("")]);
    assert_eq!(reasons(&day), [(4, "names customer 15002, but the invoice belongs to 15001")]);
    assert_eq!((day.sales[0].customer_id.as_str(), day.sales[0].lines.len()), ("15001", 4));
}
