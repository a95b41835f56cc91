//! A day of a web shop goes through the public API, and every penny of the file is there in the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use throughline::retail::write_day;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_proto::payment::v1::{PaymentOrder, Refund};
use throughline_proto::resource::v1::Pool;
use throughline_tests::chance::Chance;
use throughline_tests::desk::Desk;
use throughline_tests::process::{Background, Up, free_ports, run_within};
use throughline_tests::shop_day::ShopDay;

/// How long an import may take in all on a busy machine.
const MAX_IMPORT_TIME: Duration = Duration::from_secs(280);
/// Seed of the generated day.
const SEED: u64 = 20_101_201;
/// Lines of its longest invoice.
const LONGEST: usize = 592;
/// Where the real day is found instead.
const REAL_DAY_VARIABLE: &str = "RETAIL_DAY";
/// Where it is beside the repository.
const REAL_DAY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/online-retail-2010-12-01.csv");
/// What it comes to: pence sold, lines with the header.
const REAL_SOLD: i64 = 5_896_079;
const REAL_LINES: usize = 3_109;

/// A platform, and a file to bring in.
struct Shop {
    up: Up,
    desk: Desk,
    directory: TempDir,
    port_base: u16,
    file: PathBuf,
    says: ShopDay,
}

/// Everything that an import could change.
#[derive(Debug, PartialEq)]
struct Books {
    orders: Vec<CustomerOrder>,
    pools: Vec<Pool>,
    payment_orders: Vec<PaymentOrder>,
    refunds: Vec<Refund>,
}

impl Shop {
    fn open(directory: TempDir, file: PathBuf) -> Self {
        let port_base = free_ports();
        let up = Up::start(directory.path(), port_base, &[]);
        let desk = Desk::open(&up.gateway_uri(), &directory.path().join("keys"));
        let says = ShopDay::read(&file);
        Self { up, desk, directory, port_base, file, says }
    }

    fn with_a_generated_day() -> Self {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("day.csv");
        write_day(SEED, std::fs::File::create(&file).expect("a file")).expect("written");
        Self::open(directory, file)
    }

    /// Arguments of the command that brings the file in.
    fn command(&self) -> Vec<String> {
        let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (file, directory) = (path(&self.file), path(self.directory.path()));
        let port = self.port_base.to_string();
        ["import", "retail", &file, "--json", "--data-dir", &directory, "--port-base", &port]
            .map(str::to_owned)
            .to_vec()
    }

    /// Brings the file in; the summary must agree with the file.
    fn import(&self) -> Value {
        let command = self.command();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = run_within(MAX_IMPORT_TIME, &command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_str(&said).expect("a summary");
        self.summary_is_what_the_file_says(&summary);
        summary
    }

    fn summary_is_what_the_file_says(&self, summary: &Value) {
        let (sales, returns) = self.says.orders();
        let lines: usize = self.says.lines.values().sum();
        assert_eq!(summary["sales"], sales);
        assert_eq!(summary["returns"], returns);
        assert_eq!(summary["lines"], lines);
        assert_eq!(summary["completed"], sales + returns);
        assert_eq!(summary["unfinished"], serde_json::json!([]));
        assert_eq!(summary["differences"], serde_json::json!([]));
        let totals = summary["totals"].as_array().expect("totals");
        assert_eq!(totals.len(), 1, "{totals:?}");
        for (name, pence) in [
            ("expected_captured", self.says.sold),
            ("actual_captured", self.says.sold),
            ("expected_refunded", self.says.returned),
            ("actual_refunded", self.says.returned),
        ] {
            let wanted = serde_json::json!({ "currency": "GBP", "minor": pence });
            assert_eq!(totals[0][name], wanted, "{name}");
        }
        let reports = summary["reports"].as_array().expect("reports");
        assert_eq!(reports.len(), self.says.nonsense.len(), "{reports:#?}");
        for (report, (line, invoice, reason)) in reports.iter().zip(&self.says.nonsense) {
            assert_eq!(
                (&report["line"], &report["invoice"]),
                (&(*line).into(), &invoice[..].into())
            );
            let told = report["reason"].as_str().expect("a reason");
            assert!(told.contains(reason), "line {line}: {told}");
            let is_left_out = !self.says.lines.contains_key(invoice);
            assert_eq!(told.contains("it is not submitted"), is_left_out, "line {line}: {told}");
        }
    }

    async fn books(&self) -> Books {
        self.desk.books_add_up().await;
        Books {
            orders: self.desk.orders().await,
            pools: self.desk.pools().await,
            payment_orders: self.desk.payment_orders("").await,
            refunds: self.desk.refunds("").await,
        }
    }

    /// One order for each invoice, with its lines, all of the money and none of it twice.
    fn books_are_what_the_file_says(&self, books: &Books) {
        assert_eq!(books.orders.len(), self.says.lines.len());
        for order in &books.orders {
            let invoice = &order.channel_order_id;
            assert_eq!(Some(&order.items.len()), self.says.lines.get(invoice), "{invoice}");
            assert_eq!(order.state(), OrderState::Completed, "{invoice}");
        }
        let captured = books.payment_orders.iter().filter_map(|owed| owed.captured.as_ref());
        assert_eq!(captured.map(|money| money.minor_units).sum::<i64>(), self.says.sold);
        let refunded = books.refunds.iter().filter_map(|refund| refund.amount.as_ref());
        assert_eq!(refunded.map(|money| money.minor_units).sum::<i64>(), self.says.returned);
    }

    fn close(self) {
        assert!(self.up.terminate().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_brought_in_to_the_penny_and_bringing_it_in_again_changes_nothing() {
    let shop = Shop::with_a_generated_day();
    assert!(!shop.says.nonsense.is_empty() && shop.says.returned > 0, "it has a real day's dirt");
    shop.import();
    let books = shop.books().await;
    shop.books_are_what_the_file_says(&books);
    let longest = books.orders.iter().filter(|order| order.items.len() == LONGEST).count();
    assert_eq!(longest, 1, "the invoice of {LONGEST} lines is one order");

    shop.import();
    assert_eq!(shop.books().await, books);
    shop.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_comes_to_the_same_end_when_it_is_run_again() {
    let mut chance = Chance::printed("the import is killed");
    let shop = Shop::with_a_generated_day();
    let command = shop.command();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let sales = u64::try_from(shop.says.orders().0).expect("few");
    for (least, most) in [(1, sales / 3), (sales / 3, 2 * sales / 3)] {
        let wanted = usize::try_from(chance.between(least, most)).expect("few");
        let import = Background::start(&command);
        eventually(&format!("{wanted} orders"), || async {
            (shop.desk.orders().await.len() >= wanted).then_some(())
        })
        .await;
        import.kill();
    }
    shop.import();
    let books = shop.books().await;
    shop.books_are_what_the_file_says(&books);
    shop.close();
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by one variable")]
fn real_day() -> PathBuf {
    std::env::var(REAL_DAY_VARIABLE).map_or_else(|_| PathBuf::from(REAL_DAY), PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_day_is_brought_in_to_the_penny_where_it_is_at_hand() {
    let file = real_day();
    if !file.exists() {
        eprintln!("{} is absent: the real day is not brought in", file.display());
        return;
    }
    let shop = Shop::open(TempDir::new().expect("a directory"), file);
    assert_eq!(shop.says.sold, REAL_SOLD, "the file is the one that is known");
    let lines = shop.says.lines.values().sum::<usize>() + shop.says.nonsense.len();
    assert_eq!(lines + 1, REAL_LINES);
    assert_eq!(shop.says.lines.values().max(), Some(&LONGEST));
    shop.import();
    let books = shop.books().await;
    shop.books_are_what_the_file_says(&books);
    shop.close();
}
