//! The offerings and the stock that a day needs.
//!
//! Every stock code is an offering `uci-<StockCode>` without a catalog price: prices are agreed line by line. Goods take one
//! unit of a pool of the same code; postage, carriage, discounts and the like take nothing. The stock received is what the
//! day sells, so that it ends at nothing but what came back.

use std::collections::BTreeMap;

use prost::Message;
use throughline_kit::id::derived_uuid;
use throughline_proto::product::v1 as product;
use throughline_proto::resource::v1 as resource;

use super::invoice::{Day, Invoice, Line};

/// Stock codes behind which there are no goods: postage, manual entries, discounts, carriage, fees, samples, adjustments.
pub const WITHOUT_STOCK: [&str; 11] =
    ["POST", "DOT", "M", "D", "C2", "BANK CHARGES", "AMAZONFEE", "S", "CRUK", "PADS", "B"];

/// Offerings in one import, and receipts in one request (limits of the centers).
const MAX_PER_REQUEST: usize = 5_000;
/// Longest name of a pool, in characters.
const MAX_NAME: usize = 200;
/// Template that delivers goods.
const ADD_TEMPLATE: &str = "retail-goods";
/// Template that takes them back.
const DELETE_TEMPLATE: &str = "retail-return";

/// Code of the offering, and of the pool, for a stock code.
pub fn offering_code(stock_code: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-' { c } else { '-' }
    };
    format!("uci-{}", stock_code.chars().map(safe).collect::<String>())
}

/// Whether there are goods behind a stock code.
pub fn has_stock(stock_code: &str) -> bool {
    !WITHOUT_STOCK.iter().any(|code| code.eq_ignore_ascii_case(stock_code))
}

/// What a day says about one offering.
struct Article {
    name: String,
    has_stock: bool,
    sold: i64,
}

/// The articles of a day by offering code, sales first: their names are the shop's own.
fn articles(day: &Day) -> BTreeMap<String, Article> {
    let mut articles = BTreeMap::new();
    collect(&mut articles, &day.sales, |line| line.quantity);
    // What only comes back needs a pool as well, without a unit in it.
    collect(&mut articles, &day.returns, |_| 0);
    articles
}

fn collect(
    articles: &mut BTreeMap<String, Article>,
    invoices: &[Invoice],
    sold: impl Fn(&Line) -> i64,
) {
    for line in invoices.iter().flat_map(|invoice| &invoice.lines) {
        let article = articles.entry(offering_code(&line.stock_code)).or_insert_with(|| Article {
            name: String::new(),
            has_stock: has_stock(&line.stock_code),
            sold: 0,
        });
        if article.name.is_empty() {
            article.name = line.description.chars().take(MAX_NAME).collect();
        }
        article.sold += sold(line);
    }
}

impl Article {
    fn offering(&self, code: &str) -> product::Offering {
        let name = self.name_or(code);
        let resources = self
            .has_stock
            .then(|| product::ResourceDemand { pool_code: code.to_owned(), quantity: 1 });
        product::Offering {
            code: code.to_owned(),
            state: product::OfferingState::Active.into(),
            names: BTreeMap::from([("en".to_owned(), name)]),
            prices: Vec::new(),
            relations: Vec::new(),
            resources: resources.into_iter().collect(),
            add_template: ADD_TEMPLATE.to_owned(),
            delete_template: DELETE_TEMPLATE.to_owned(),
            modify_template: String::new(),
            grain: product::DecompositionGrain::PerOrder.into(),
        }
    }

    fn receipt(&self, code: &str) -> resource::StockReceipt {
        resource::StockReceipt {
            pool_code: code.to_owned(),
            kind: resource::PoolKind::Counted.into(),
            name: self.name_or(code),
            quantity: self.sold,
            item_ids: Vec::new(),
        }
    }

    fn name_or(&self, code: &str) -> String {
        if self.name.is_empty() { code.to_owned() } else { self.name.clone() }
    }
}

/// Makes the imports of a day's offerings. They carry no request id: whoever sends one gives it a fresh id, because an import
/// of what is there already changes nothing, while an id that followed from the content would be answered with the first
/// answer even where another import has changed the catalog since.
pub fn import_requests(day: &Day) -> Vec<product::ImportCatalogRequest> {
    let offerings: Vec<product::Offering> =
        articles(day).iter().map(|(code, article)| article.offering(code)).collect();
    offerings
        .chunks(MAX_PER_REQUEST)
        .map(|chunk| product::ImportCatalogRequest {
            request_id: String::new(),
            offerings: chunk.to_vec(),
        })
        .collect()
}

/// Makes the receipts of a day's stock for a channel. The same day makes the same requests, so that receiving it again is
/// answered with the first answer and adds nothing; another channel sells the day anew and receives its own.
pub fn receive_requests(day: &Day, channel: &str) -> Vec<resource::ReceiveStockRequest> {
    let receipts: Vec<resource::StockReceipt> = articles(day)
        .iter()
        .filter(|(_, article)| article.has_stock)
        .map(|(code, article)| article.receipt(code))
        .collect();
    receipts
        .chunks(MAX_PER_REQUEST)
        .map(|chunk| {
            let mut request = resource::ReceiveStockRequest {
                request_id: String::new(),
                receipts: chunk.to_vec(),
            };
            request.request_id = content_id(channel, &request);
            request
        })
        .collect()
}

/// A request id that is always the same for the same content.
fn content_id(channel: &str, request: &resource::ReceiveStockRequest) -> String {
    let content: Vec<String> =
        request.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    derived_uuid(&["retail-stock", channel, &content.concat()]).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::invoice::{HEADER, read};
    use super::*;

    fn day(lines: &[&str]) -> Day {
        read(format!("{}\n{}\n", HEADER.join(","), lines.join("\n")).as_bytes()).expect("reads")
    }

    #[test]
    fn a_code_is_made_of_what_the_centers_allow() {
        for (stock_code, code) in [
            ("85123A", "uci-85123A"),
            ("BANK CHARGES", "uci-BANK-CHARGES"),
            ("gift_0001_20", "uci-gift_0001_20"),
            ("a/b.c", "uci-a-b.c"),
            ("ø", "uci--"),
        ] {
            assert_eq!(offering_code(stock_code), code);
        }
    }

    #[test]
    fn goods_take_stock_and_what_only_costs_money_does_not() {
        for code in WITHOUT_STOCK {
            assert!(!has_stock(code), "{code}");
        }
        assert!(!has_stock("m"));
        assert!(has_stock("85123A") && has_stock("DCGS0003"));
    }

    #[test]
    fn a_day_needs_an_offering_for_each_code_and_as_much_stock_as_it_sells() {
        let day = day(&[
            "1,20001,OAK FRAME,6,d,2.55,1,UK",
            "1,POST,POSTAGE,1,d,18.0,1,UK",
            "2,20001,FRAME OF OAK,2,d,2.10,2,UK",
            "C3,20001,OAK FRAME,-1,d,2.55,1,UK",
            "C3,20002,PINE FRAME,-4,d,1.25,1,UK",
            "C3,D,Discount,-1,d,5.0,1,UK",
        ]);
        let [import] = import_requests(&day).try_into().expect("one request");
        let offerings: Vec<_> = import
            .offerings
            .iter()
            .map(|o| (o.code.as_str(), o.names["en"].as_str(), o.resources.len()))
            .collect();
        assert_eq!(
            offerings,
            [
                ("uci-20001", "OAK FRAME", 1),
                ("uci-20002", "PINE FRAME", 1),
                ("uci-D", "Discount", 0),
                ("uci-POST", "POSTAGE", 0),
            ]
        );
        assert!(import.offerings.iter().all(|o| o.prices.is_empty()
            && o.add_template == "retail-goods"
            && o.delete_template == "retail-return"
            && o.grain() == product::DecompositionGrain::PerOrder));
        let [receive] = receive_requests(&day, "shop").try_into().expect("one request");
        let receipts: Vec<_> =
            receive.receipts.iter().map(|r| (r.pool_code.as_str(), r.quantity)).collect();
        assert_eq!(receipts, [("uci-20001", 8), ("uci-20002", 0)]);
    }

    #[test]
    fn the_same_day_receives_its_stock_once_and_another_day_its_own() {
        let (one, other) = (day(&["1,20001,A,6,d,1,1,UK"]), day(&["1,20001,A,7,d,1,1,UK"]));
        assert_eq!(receive_requests(&one, "shop"), receive_requests(&one.clone(), "shop"));
        let id = |day: &Day, channel: &str| receive_requests(day, channel)[0].request_id.clone();
        assert_ne!(id(&one, "shop"), id(&other, "shop"));
        assert_ne!(id(&one, "shop"), id(&one, "market"));
    }

    #[test]
    fn many_articles_are_split_into_requests() {
        let lines: Vec<String> =
            (0..5_001).map(|n| format!("{},{},A,1,d,1,1,UK", n / 500, 10_000 + n)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let day = day(&lines);
        let sizes: Vec<_> = import_requests(&day).iter().map(|r| r.offerings.len()).collect();
        assert_eq!(sizes, [5_000, 1]);
        let requests = receive_requests(&day, "shop");
        assert_eq!(requests.iter().map(|r| r.receipts.len()).sum::<usize>(), 5_001);
        assert_ne!(requests[0].request_id, requests[1].request_id);
    }
}
