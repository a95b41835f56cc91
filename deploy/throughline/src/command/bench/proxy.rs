//! What one unary call costs on its way: direct, through the gateway with access and trajectory on, and through peers.

use std::process::ExitCode;

use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::Error;
use throughline_proto::product::v1::GetOfferingRequest;
use throughline_proto::product::v1::catalog_service_client::CatalogServiceClient;

use super::load::{Measured, closed_loop};
use super::peer::{Make, Peer};
use super::roles::Roles;
use crate::args::{LISTEN, ProxyBench, Role};
use crate::command::machine::tree_cpu_micros;
use crate::connection::{Session, bounded, refused};
use crate::console::span;
use crate::seed::Seed;

/// Ports for the measured platform where --port-base does not say.
const PORT_BASE: u16 = 17_400;
/// Distance of the peers' ports from the first.
const PEER_PORT_OFFSET: u16 = 70;
const SEED: &str = include_str!("../../../samples/telecom.yaml");
const OFFERING: &str = "plan-4g-59";

/// A way to the same backend.
struct Way {
    name: String,
    client: GatewayClient,
    process: Option<u32>,
    rounds: Vec<(Measured, u64)>,
    _peer: Option<Peer>,
}

pub(super) async fn run(session: &Session, options: ProxyBench) -> Result<ExitCode, Error> {
    let port_base = session.common.port_base.unwrap_or(PORT_BASE);
    let roles = Roles::start(port_base).await?;
    Seed::parse(SEED)?.load(&roles.client("operator")?).await?;
    let mut ways = ways(&roles, port_base, session).await?;
    for way in &ways {
        calls(&way.client, u64::from(options.calls / 10).max(1), options).await?;
    }
    // Interleaved, so that a machine that slows down slows all alike.
    for _ in 0..options.rounds {
        for way in &mut ways {
            let before = way.process.map_or(0, tree_cpu_micros);
            let measured = calls(&way.client, options.calls.into(), options).await?;
            let spent = way.process.map_or(0, tree_cpu_micros).saturating_sub(before);
            way.rounds.push((measured, spent));
        }
    }
    show(session, options, &ways);
    let failed: u64 = ways.iter().flat_map(|way| &way.rounds).map(|(m, _)| m.failed).sum();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ways(roles: &Roles, port_base: u16, session: &Session) -> Result<Vec<Way>, Error> {
    let way = |name: &str, client, process, peer| Way {
        name: name.to_owned(),
        client,
        process,
        rounds: Vec::new(),
        _peer: peer,
    };
    let mut ways = vec![
        way("direct", roles.direct(Role::Product)?, None, None),
        way("gateway", roles.client("operator")?, Some(roles.process(Role::Gateway)), None),
    ];
    for (offset, make) in (PEER_PORT_OFFSET..).zip(Make::ALL) {
        let listen = port_base + offset;
        match Peer::start(make, listen, roles.port(Role::Product)).await? {
            Some(peer) => {
                let uri = format!("http://{LISTEN}:{listen}");
                let api_key = "none".to_owned();
                let client = GatewayClient::new(&GatewayConfig { uri, api_key })?;
                let process = Some(peer.process());
                ways.push(way(make.program(), client, process, Some(peer)));
            }
            None if !session.console.is_json() => {
                session
                    .console
                    .line(format!("{} is not installed, so not compared", make.program()));
            }
            None => {}
        }
    }
    Ok(ways)
}

async fn calls(
    client: &GatewayClient,
    number: u64,
    options: ProxyBench,
) -> Result<Measured, Error> {
    closed_loop(number, usize::from(options.in_flight), |_| async {
        let request = bounded(GetOfferingRequest { code: OFFERING.to_owned() });
        let answer = CatalogServiceClient::new(client.channel()).get_offering(request).await;
        answer.map(|_| ()).map_err(refused)
    })
    .await
}

/// Median over the rounds of something of a way.
fn median<T: PartialOrd + Copy>(way: &Way, of: impl Fn(&(Measured, u64)) -> T) -> Option<T> {
    let mut values: Vec<T> = way.rounds.iter().map(of).collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

fn show(session: &Session, options: ProxyBench, ways: &[Way]) {
    let nanos_per_call = |(measured, spent): &(Measured, u64)| spent * 1_000 / measured.done.max(1);
    let p50 = |way: &Way| median(way, |(m, _)| m.percentile(50.0)).unwrap_or(0);
    if session.console.is_json() {
        let rows: Vec<serde_json::Value> = ways
            .iter()
            .map(|way| {
                serde_json::json!({
                    "way": way.name,
                    "per_second": median(way, |(m, _)| m.rate()),
                    "p50_us": p50(way),
                    "cpu_ns_per_call": way.process.and(median(way, nanos_per_call)),
                })
            })
            .collect();
        session.console.line(serde_json::json!({ "ways": rows }).to_string());
        return;
    }
    let rows: Vec<[String; 4]> = ways
        .iter()
        .map(|way| {
            let cpu = way.process.and(median(way, nanos_per_call));
            let micros = |nanos: u64| format!("{}.{}", nanos / 1_000, nanos % 1_000 / 100);
            [
                way.name.clone(),
                format!("{:.0}", median(way, |(m, _)| m.rate()).unwrap_or(0.0)),
                span(i64::try_from(p50(way)).unwrap_or(i64::MAX)),
                cpu.map_or("-".to_owned(), micros),
            ]
        })
        .collect();
    session.console.table(["WAY", "CALLS/s", "p50", "CPU µs PER CALL OF THE PROXY"], &rows);
    session.console.line(format!(
        "GetOffering, {} calls a round, {} in flight, median of {} interleaved rounds",
        options.calls, options.in_flight, options.rounds
    ));
}
