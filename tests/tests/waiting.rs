//! Many orders that wait: what each of them costs, and that all of them go on when they are called back.

use std::fs;

use tempfile::TempDir;
use throughline::args::Role;
use throughline_proto::order::v1::{CustomerOrder, OrderState, StepState};
use throughline_tests::desk::Desk;
use throughline_tests::effort::effort;
use throughline_tests::flows::{offering, waiting};
use throughline_tests::operations::step;
use throughline_tests::roles::Roles;
use throughline_tests::shopping::order;
use tokio::task::JoinSet;

/// Orders that wait at the same time, unless this variable of the environment says otherwise: what a build without
/// optimisation takes in a minute.
const ORDERS: usize = 2_000;
const ORDERS_VARIABLE: &str = "WAITING_ORDERS";
/// Orders before the first look at the memory: connections, statements and pages of the store are there then.
const WARM_UP: usize = 200;
/// Customers at a time.
const CUSTOMERS: usize = 16;
/// Memory that one waiting order may take, in bytes.
const MAX_BYTES_PER_ORDER: u64 = 32 * 1024;

/// Resident memory of a process, in bytes (Linux).
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kib = row.trim().trim_end_matches("kB").trim();
    kib.parse::<u64>().expect("a number") * 1024
}

fn waits(order: &CustomerOrder) -> bool {
    step(order, Some("line"), "hear").is_some_and(|step| step.state() == StepState::Waiting)
}

/// Submits so many orders and sees each of them wait.
async fn submit(desk: &Desk, name: &'static str, orders: usize) -> Vec<String> {
    let mut customers = JoinSet::new();
    for first in 0..CUSTOMERS {
        let desk = desk.clone();
        customers.spawn(async move {
            let mut waiting = Vec::new();
            for number in (first..orders).step_by(CUSTOMERS) {
                let request = order(&format!("{name}-{number}"), &[("line", "word", 1)]);
                let order_id = desk.submit(request).await;
                desk.until(&order_id, "its wait", waits).await;
                waiting.push(order_id);
            }
            waiting
        });
    }
    customers.join_all().await.concat()
}

/// Tells each order what it waits for, and sees it complete.
async fn call_back(desk: &Desk, waiting: &[String]) {
    let mut callers = JoinSet::new();
    for first in 0..CUSTOMERS {
        let desk = desk.clone();
        let mine: Vec<String> = waiting.iter().skip(first).step_by(CUSTOMERS).cloned().collect();
        callers.spawn(async move {
            for order_id in mine {
                desk.signal(&order_id, "word.given").await.expect("told");
                assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Completed);
            }
        });
    }
    callers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_orders_wait_in_little_memory_and_go_on_when_they_are_called_back() {
    let orders = effort(ORDERS_VARIABLE, ORDERS);
    let directory = TempDir::new().expect("a directory");
    let roles = Roles::start(directory.path(), &[]);
    let desk = roles.desk();
    desk.seed_telecom().await;
    desk.publish(&waiting("long-wait", "30d")).await;
    desk.seed(&offering("word", "long-wait")).await;
    let warm_up = submit(&desk, "warm-up", WARM_UP).await;
    let pid = roles.process_of(Role::Order).pid();
    let before = resident(pid);
    let waiting = submit(&desk, "waits", orders).await;
    let grown = resident(pid).saturating_sub(before);
    let each = grown / u64::try_from(orders).expect("small");
    eprintln!("{orders} waiting orders: {grown} bytes of resident memory, {each} bytes each");
    assert!(each < MAX_BYTES_PER_ORDER, "{each} bytes for each waiting order");
    call_back(&desk, &[warm_up, waiting].concat()).await;
    desk.books_add_up().await;
    roles.end();
}
