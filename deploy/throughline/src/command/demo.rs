//! `demo`: the whole platform, real orders through it to the end, and what came of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant as Monotonic;

use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use throughline_proto::gateway::v1::GetTrajectoryRequest;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;

use super::{audit, serve, trajectory};
use crate::args::{DemoArgs, Role};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, span};
use crate::orders;
use crate::platform::Platform;
use crate::seed::Seed;
use crate::settings::Settings;

mod converged;
mod person;
mod shop;

const TELECOM_SEED: &str = include_str!("../../samples/telecom.yaml");
/// Where the sample order stands, seen from the source tree.
const SAMPLE: &str = "deploy/throughline/samples/converged-order.yaml";
const SIMPLE_ORDER: &str = include_str!("../../samples/simple-order.yaml");

/// Something that the demo promises, and whether it held.
#[derive(Clone, Debug, serde::Serialize)]
struct Expectation {
    what: String,
    held: bool,
    seen: String,
}

/// What the demo works with.
struct Stage {
    console: Console,
    channel: GatewayClient,
    operator: GatewayClient,
    expectations: Vec<Expectation>,
}

impl Stage {
    /// Notes a promise and what was seen.
    fn expect(&mut self, what: impl Into<String>, held: bool, seen: impl Into<String>) {
        self.expectations.push(Expectation { what: what.into(), held, seen: seen.into() });
    }

    /// Says something to a person.
    fn say(&self, text: impl AsRef<str>) {
        if !self.console.is_json() {
            self.console.line(text);
        }
    }
}

pub(super) async fn run(session: &mut Session, args: &DemoArgs) -> Result<ExitCode, Error> {
    let started = Monotonic::now();
    if session.common.data_dir.is_none() {
        session.common.data_dir = Some(fresh_directory());
        session.settings = Settings::load(&session.common)?;
    }
    let platform = Platform::start(&session.settings, &Role::ALL).await?;
    platform.ready().await?;
    let mut stage = Stage {
        console: session.console,
        channel: platform.client("demo-channel")?,
        operator: platform.client("operator")?,
        expectations: Vec::new(),
    };
    let told = tokio::select! {
        told = Box::pin(play(&mut stage, &platform, started, args.seed)) => told?,
        () = platform.failed() => return Err(ended_early()),
    };
    let all_held = conclude(&stage, session)?;
    let ended = if args.exit {
        platform.stop().await;
        ExitCode::SUCCESS
    } else {
        let end = serve::EndRequest::listen()?;
        say_what_next(&stage, session, platform.gateway_uri(), &told);
        serve::run_to_end(platform, end).await
    };
    Ok(if all_held { ended } else { ExitCode::FAILURE })
}

fn ended_early() -> Error {
    let message = "a service of the platform ended while the demo was playing; the log says why";
    Error::new(Kind::Unavailable, "demo", "PLATFORM_ENDED", message)
}

/// Plays everything; gives the order whose trajectory was shown.
async fn play(
    stage: &mut Stage,
    platform: &Platform,
    started: Monotonic,
    seed: u64,
) -> Result<String, Error> {
    let ready = started.elapsed();
    let seeded = Seed::parse(TELECOM_SEED)?.load(&stage.operator).await?;
    let first = orders::submit(&stage.channel, orders::parse(SIMPLE_ORDER)?).await?;
    let accepted = started.elapsed();
    let micros = |d: std::time::Duration| span(i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
    stage.say(format!(
        "gateway {}, five centers and six outside systems ready after {}; first order accepted after {}",
        platform.gateway_uri(),
        micros(ready),
        micros(accepted),
    ));
    stage.say(format!(
        "telecom catalog: release {}, {} pools of stock",
        seeded.release, seeded.pools
    ));
    let first = orders::follow(&stage.channel, &first.order_id, |_| {}).await?;
    let state = first.state().as_str_name();
    stage.expect("one 4G plan is sold, activated and billed", state.ends_with("COMPLETED"), state);

    let told = converged::play(stage).await?;
    person::play(stage).await?;
    shop::play(stage, seed).await?;

    let report = audit::settled(&stage.operator).await?;
    let clean = report.differences.is_empty();
    stage.say("");
    stage.say(audit::summary(&report));
    stage.expect("the centers' books add up", clean, report.differences.join("; "));

    let request = GetTrajectoryRequest { order_id: told.clone() };
    let trajectory = TrajectoryServiceClient::new(stage.operator.channel())
        .get_trajectory(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    let enough = trajectory.entries.len() > 10;
    let seen = format!("{} entries", trajectory.entries.len());
    stage.expect("the trajectory tells the whole way of an order", enough, seen);
    if !stage.console.is_json() {
        stage.say("");
        trajectory::show(stage.console, &trajectory);
    }
    Ok(told)
}

fn conclude(stage: &Stage, session: &Session) -> Result<bool, Error> {
    let all_held = stage.expectations.iter().all(|expectation| expectation.held);
    if stage.console.is_json() {
        let text = serde_json::to_string(&serde_json::json!({
            "held": all_held,
            "data_dir": session.settings.platform.data_dir,
            "expectations": stage.expectations,
        }))
        .map_err(|e| Error::internal("demo", e))?;
        stage.console.line(text);
        return Ok(all_held);
    }
    stage.say("");
    for Expectation { what, held, seen } in &stage.expectations {
        if *held {
            stage.say(format!("ok      {what}"));
        } else {
            stage.say(format!("FAILED  {what}: {seen}"));
        }
    }
    let held = stage.expectations.iter().filter(|expectation| expectation.held).count();
    stage.say(format!("{held} of {} expectations held", stage.expectations.len()));
    Ok(all_held)
}

fn say_what_next(stage: &Stage, session: &Session, gateway_uri: &str, order_id: &str) {
    let directory = session.settings.platform.data_dir.display();
    // The address that is really listened on: the first port may be any that was free.
    let options = format!("--data-dir {directory} --gateway {gateway_uri}");
    // As it was started: it need not be on the path.
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("throughline"));
    let program = program.display();
    stage.say("");
    stage.say("the platform stays up; in another terminal try");
    if Path::new(SAMPLE).is_file() {
        stage.say(format!("  {program} {options} order submit {SAMPLE} --watch"));
    }
    for command in [
        format!("order get {order_id}"),
        format!("trajectory {order_id}"),
        "order list --state PARTIAL".to_owned(),
        "order exceptions".to_owned(),
        "template list".to_owned(),
        "services --methods".to_owned(),
        "audit".to_owned(),
    ] {
        stage.say(format!("  {program} {options} {command}"));
    }
    stage.say("Ctrl-C ends it; what is in the data directory stays");
}

fn fresh_directory() -> PathBuf {
    std::env::temp_dir().join(format!("throughline-demo-{}", id::new_body()))
}
