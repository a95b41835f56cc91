//! Orders through the gateway, closed loop: first how fast they are carried to their end, then how fast they are accepted. The
//! first on request twice: with nothing stored but what it made itself, and with many ended orders stored.

use std::collections::BTreeMap;
use std::process::ExitCode;

use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use throughline_order::history::Past;
use throughline_proto::order::v1 as proto;

use super::load::{Measured, closed_loop};
use super::restate::{Outcome, Restate};
use super::roles::Roles;
use crate::args::{OrdersBench, Role};
use crate::command::machine::{cpu_micros, resident_kib};
use crate::connection::Session;
use crate::console::{Console, short, span};
use crate::orders;
use crate::seed::Seed;

/// Ports for the measured platform where --port-base does not say.
const PORT_BASE: u16 = 17_400;

/// Customers of orders that are stored without having been.
const PAST_SEED: u64 = 1;

/// One offering with one pool: check, price, decompose, reserve, pay (two calls, and the channel's), allocate, ship.
const SEED: &str = "
catalog:
  offerings:
  - code: bench-goods
    state: OFFERING_STATE_ACTIVE
    names: {en: Bench goods}
    prices: [{kind: PRICE_KIND_ONE_OFF, unit_price: {currency_code: EUR, micro_units: 10000000}}]
    resources: [{pool_code: bench-goods, quantity: 1}]
    add_template: retail-goods
    grain: DECOMPOSITION_GRAIN_PER_ORDER
stock:
  receipts:
  - {pool_code: bench-goods, kind: POOL_KIND_COUNTED, name: Bench goods, quantity: 100000000}
";

/// What was measured.
struct Figures {
    /// Without stored orders, where both ways were asked for.
    before: Option<Measured>,
    completed: Measured,
    accepted: Measured,
    spent: Costs,
    /// At Restate, where that was asked for.
    peer: Option<Outcome>,
}

pub(super) async fn run(session: &Session, options: OrdersBench) -> Result<ExitCode, Error> {
    let roles = Roles::start(session.common.port_base.unwrap_or(PORT_BASE)).await?;
    Seed::parse(SEED)?.load(&roles.client("operator")?).await?;
    let channel = roles.client("demo-channel")?;
    let in_flight = usize::from(options.in_flight);
    let orders = u64::from(options.orders);

    // Warm: connections, statements, memory.
    complete(&channel, (orders / 10).max(1), in_flight, "warm").await?;
    let mut before = None;
    if options.stored > 0 {
        before = Some(complete(&channel, orders, in_flight, "before").await?);
        let past = Past { orders: options.stored.into(), seed: PAST_SEED };
        past.write(&roles.storage(Role::Order)).await?;
        complete(&channel, (orders / 10).max(1), in_flight, "warm-again").await?;
    }
    let cpu_before = cpu(&roles);
    let completed = complete(&channel, orders, in_flight, "complete").await?;
    let spent = cost(&roles, &cpu_before, completed.done);
    let accepted = accept(&channel, orders, in_flight).await?;

    drop(roles);
    let peer = match &options.restate {
        Some(installed) => Some(Restate::start(installed).await?.measure(orders, in_flight).await?),
        None => None,
    };
    let figures = Figures { before, completed, accepted, spent, peer };
    if session.console.is_json() {
        show_json(session.console, &options, &figures);
    } else {
        show(session.console, &options, &figures);
    }
    let peer = figures.peer.iter().flat_map(|peer| [&peer.completed, &peer.accepted]);
    let own = figures.before.iter().chain([&figures.completed, &figures.accepted]);
    let all = own.chain(peer);
    let clean = all.map(|measured| measured.failed).sum::<u64>() == 0;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn complete(
    channel: &GatewayClient,
    orders: u64,
    in_flight: usize,
    round: &str,
) -> Result<Measured, Error> {
    closed_loop(orders, in_flight, |number| async move {
        let accepted = orders::submit(channel, order(round, number)).await?;
        let order = orders::follow(channel, &accepted.order_id, |_| {}).await?;
        if order.state() == proto::OrderState::Completed {
            return Ok(());
        }
        let state = short(order.state().as_str_name(), "ORDER_STATE_");
        let reason = order.failure.map(|failure| failure.message).unwrap_or_default();
        Err(Error::new(Kind::Internal, "bench", state, reason))
    })
    .await
}

async fn accept(channel: &GatewayClient, orders: u64, in_flight: usize) -> Result<Measured, Error> {
    closed_loop(orders, in_flight, |number| async move {
        orders::submit(channel, order("accept", number)).await.map(|_| ())
    })
    .await
}

fn order(round: &str, number: u64) -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest {
        request_id: id::new_request_id(),
        channel_order_id: format!("{round}-{number}"),
        customer: Some(proto::Customer {
            customer_id: format!("c{}", number % 1_000),
            ..Default::default()
        }),
        items: vec![proto::OrderItem {
            item_key: "1".to_owned(),
            offering_code: "bench-goods".to_owned(),
            quantity: 1,
            ..Default::default()
        }],
        currency_code: "EUR".to_owned(),
        ..Default::default()
    }
}

/// CPU by role, in microseconds.
fn cpu(roles: &Roles) -> BTreeMap<Role, u64> {
    roles.processes().map(|(role, pid)| (role, cpu_micros(pid))).collect()
}

/// Role, CPU µs for an order, resident KiB.
type Costs = Vec<(Role, u64, u64)>;

fn cost(roles: &Roles, before: &BTreeMap<Role, u64>, orders: u64) -> Costs {
    roles
        .processes()
        .map(|(role, pid)| {
            let spent = cpu_micros(pid).saturating_sub(before.get(&role).copied().unwrap_or(0));
            (role, spent / orders.max(1), resident_kib(pid))
        })
        .collect()
}

fn show(console: Console, options: &OrdersBench, figures: &Figures) {
    let micros = |value: u64| span(i64::try_from(value).unwrap_or(i64::MAX));
    let line = |what: &str, measured: &Measured| {
        console.line(format!(
            "{what:<10} {:>8.0}/s   p50 {:>9}   p99 {:>9}   {} orders, {} in flight, {} failed",
            measured.rate(),
            micros(measured.percentile(50.0)),
            micros(measured.percentile(99.0)),
            measured.done,
            options.in_flight,
            measured.failed
        ));
    };
    if let Some(before) = &figures.before {
        line("completed", before);
        let (stored, ratio) = (options.stored, figures.completed.rate() / before.rate());
        console.line(format!("with {stored} orders stored, {ratio:.2} of that:"));
    }
    line("completed", &figures.completed);
    line("accepted", &figures.accepted);
    console.line("");
    let spent = &figures.spent;
    let rows: Vec<[String; 3]> = spent
        .iter()
        .map(|(role, cpu, resident)| {
            [role.name().to_owned(), cpu.to_string(), (resident / 1024).to_string()]
        })
        .collect();
    console.table(["ROLE", "CPU µs PER COMPLETED ORDER", "RESIDENT MiB"], &rows);
    let cpu: u64 = spent.iter().map(|(_, cpu, _)| cpu).sum();
    let resident: u64 = spent.iter().map(|(_, _, resident)| resident).sum();
    console.line(format!("all roles: {cpu} µs, {} MiB", resident / 1024));
    if let Some(peer) = &figures.peer {
        console.line("");
        console.line("restate, a durable handler that calls eight others:");
        line("completed", &peer.completed);
        line("accepted", &peer.accepted);
        let ([server, handlers], resident) = (peer.cpu, peer.resident_kib / 1024);
        console.line(format!("server {server} µs, handlers {handlers} µs, {resident} MiB"));
        let ratio = figures.completed.rate() / peer.completed.rate();
        console.line(format!("completed: {ratio:.1} of restate's"));
    }
}

fn show_json(console: Console, options: &OrdersBench, figures: &Figures) {
    let measured = |m: &Measured| {
        serde_json::json!({
            "per_second": m.rate(),
            "p50_us": m.percentile(50.0),
            "p99_us": m.percentile(99.0),
            "done": m.done,
            "failed": m.failed,
        })
    };
    let roles: Vec<serde_json::Value> = figures
        .spent
        .iter()
        .map(|(role, cpu, resident)| {
            serde_json::json!({
                "role": role.name(), "cpu_us_per_order": cpu, "resident_kib": resident,
            })
        })
        .collect();
    let report = serde_json::json!({
        "in_flight": options.in_flight,
        "stored": options.stored,
        "completed_before": figures.before.as_ref().map(measured),
        "completed": measured(&figures.completed),
        "accepted": measured(&figures.accepted),
        "roles": roles,
        "restate": figures.peer.as_ref().map(|peer| serde_json::json!({
            "completed": measured(&peer.completed),
            "accepted": measured(&peer.accepted),
            "server_cpu_us_per_order": peer.cpu[0],
            "handlers_cpu_us_per_order": peer.cpu[1],
            "resident_kib": peer.resident_kib,
        })),
    });
    console.line(report.to_string());
}
