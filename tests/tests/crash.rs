//! kill -9 at any moment, and going on with the same data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use throughline::args::Role;
use throughline::connection::{bounded, unbounded};
use throughline_kit::client::GatewayChannel;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{
    GetOrderRequest, OrderState, SubmitOrderRequest, SubmitOrderResponse,
};
use throughline_tests::back_office::receive_stock;
use throughline_tests::chance::Chance;
use throughline_tests::desk::Desk;
use throughline_tests::effort::effort;
use throughline_tests::load::Load;
use throughline_tests::postgres::OwnDatabase;
use throughline_tests::process::{Background, Up, audit_is_clean, free_ports, get, run_within};
use throughline_tests::roles::Roles;
use throughline_tests::shopping::order;
use tokio::sync::oneshot;
use tonic::codegen::http::uri::PathAndQuery;

/// Rounds of errands while everything, or one role after the other, is killed.
const ROUNDS: usize = 6;
/// How often the whole platform is killed under load.
const KILLS: usize = 6;
/// How often the order center alone is killed, unless this variable of the environment says otherwise.
const KILLS_OF_ORDER: usize = 20;
const KILLS_VARIABLE: &str = "CRASH_KILLS";
/// How often the order center that serves, or one that stands by, is killed.
const TAKEOVERS: usize = 5;
/// Follows the section `platform`: an owner that is silent for so long is taken over.
const LEASE: &str = "lease_ms = 2000\n";
const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
/// Asks early and often what became of a payment: each start that is killed again uses up a question, and the usual
/// wait before the fourth is five minutes.
const IMPATIENT: &str = "[payment]\nresolve_delays_ms = [500, 1000, 1000, 1000, 2000]\n";
/// How long the demo may take in all on a busy machine.
const MAX_DEMO_TIME: Duration = Duration::from_secs(240);

/// Writes the configuration of those who are killed; on PostgreSQL where there is a database.
fn configuration(directory: &Path, database: Option<&OwnDatabase>) -> PathBuf {
    let store = database.map(|d| format!("[platform]\npostgres_url = {:?}\n", d.url()));
    let file = directory.join("crash.toml");
    std::fs::write(&file, format!("{IMPATIENT}{}", store.unwrap_or_default())).expect("written");
    file
}

/// A platform in one process that is killed and started again.
struct Victim {
    up: Up,
    directory: TempDir,
    port_base: u16,
    configuration: PathBuf,
}

impl Victim {
    fn start(database: Option<&OwnDatabase>) -> Self {
        let (directory, port_base) = (TempDir::new().expect("a directory"), free_ports());
        let configuration = configuration(directory.path(), database);
        let more = ["--config", configuration.to_str().expect("UTF-8")];
        let up = Up::start(directory.path(), port_base, &more);
        Self { up, directory, port_base, configuration }
    }

    fn desk(&self) -> Desk {
        Desk::open(&self.up.gateway_uri(), &self.directory.path().join("keys"))
    }

    /// Kills it, kills it again while it starts, each time at a moment of its own, and then lets it start.
    fn kill(mut self, chance: &mut Chance) -> Self {
        self.up.kill();
        let (path, port) = (self.directory.path(), self.port_base.to_string());
        let more = ["--config", self.configuration.to_str().expect("UTF-8")];
        let place = ["--data-dir", path.to_str().expect("UTF-8"), "--port-base", &port];
        for _ in 0..2 {
            let up = Background::start(&[&["up"], &place[..], &more[..]].concat());
            let moment = Duration::from_millis(chance.between(1, 400));
            assert!(up.killed_after(moment), "it ended by itself while it started");
        }
        self.up = Up::start(path, self.port_base, &more);
        self
    }

    /// Gives it orders and kills it in each part of their way, so that every kill is in the middle of the load.
    async fn suffer(mut self, chance: &mut Chance, rounds: usize, kills: usize) -> Self {
        let desk = self.desk();
        desk.seed_telecom().await;
        let load = Load::begin(&desk, rounds).await;
        let part = 2 * load.orders / (kills + 1);
        for kill in 0..kills {
            load.reaches(kill * part + moment(chance, part)).await;
            eprintln!("killed after {} of {} steps", load.progress(), 2 * load.orders);
            self = self.kill(chance);
        }
        load.prove().await;
        audit_is_clean(self.directory.path(), self.port_base);
        self
    }
}

/// A number from 1 to `most`.
fn moment(chance: &mut Chance, most: usize) -> usize {
    let most = u64::try_from(most).expect("small");
    usize::try_from(chance.between(1, most)).expect("small")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_the_platform_loses_no_order_and_does_nothing_twice() {
    let mut chance = Chance::printed("the whole platform is killed");
    let victim = Victim::start(None);
    let victim = victim.suffer(&mut chance, ROUNDS, KILLS).await;
    assert!(victim.up.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_on_postgresql_it_loses_nothing_either() {
    let Some(database) = OwnDatabase::make().await else { return };
    let mut chance = Chance::printed("the whole platform is killed on PostgreSQL");
    let victim = Victim::start(Some(&database));
    let victim = victim.suffer(&mut chance, ROUNDS / 2, KILLS / 2).await;
    assert!(victim.up.terminate().success());
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_go_on_when_the_database_cuts_all_connections_again_and_again() {
    let Some(database) = OwnDatabase::make().await else { return };
    let mut chance = Chance::printed("the database cuts all connections");
    let victim = Victim::start(Some(&database));
    let desk = victim.desk();
    desk.seed_telecom().await;
    let load = Load::begin(&desk, ROUNDS / 2).await;
    let part = 2 * load.orders / (KILLS + 1);
    for cut in 0..KILLS {
        load.reaches(cut * part + moment(&mut chance, part)).await;
        database.cut_connections().await;
    }
    load.prove().await;
    audit_is_clean(victim.directory.path(), victim.port_base);
    assert!(victim.up.terminate().success());
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_role_may_be_killed_in_the_middle_and_started_again() {
    let mut chance = Chance::printed("each role is killed");
    let directory = TempDir::new().expect("a directory");
    let configuration = configuration(directory.path(), None);
    let more = ["--config", configuration.to_str().expect("UTF-8")];
    let mut roles = Roles::start(directory.path(), &more);
    let desk = roles.desk();
    desk.seed_telecom().await;
    let load = Load::begin(&desk, ROUNDS).await;
    let part = 2 * load.orders / (Role::ALL.len() + 1);
    for (kill, role) in Role::ALL.into_iter().enumerate() {
        load.reaches(kill * part + moment(&mut chance, part)).await;
        roles.kill(role);
        roles.restart(role);
    }
    load.prove().await;
    audit_is_clean(directory.path(), roles.port_base);
    roles.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_center_is_killed_again_and_again_while_customers_and_persons_work_on_orders() {
    let mut chance = Chance::printed("the order center is killed");
    let kills = effort(KILLS_VARIABLE, KILLS_OF_ORDER);
    let rounds = ROUNDS + kills / 8;
    let directory = TempDir::new().expect("a directory");
    let configuration = configuration(directory.path(), None);
    let more = ["--config", configuration.to_str().expect("UTF-8")];
    let mut roles = Roles::start(directory.path(), &more);
    let desk = roles.desk();
    desk.seed_telecom().await;
    receive_stock(&desk, 10 * rounds).await;
    let load = Load::begin_with_back_office(&desk, rounds).await;
    let part = 2 * load.orders / (kills + 1);
    for kill in 0..kills {
        load.reaches(kill * part + moment(&mut chance, part)).await;
        roles.kill(Role::Order);
        roles.restart(Role::Order);
    }
    eprintln!("killed {kills} times during {} orders", load.orders);
    load.prove().await;
    audit_is_clean(directory.path(), roles.port_base);
    roles.end();
}

/// A second place for the order center: a data directory with its key alone, and ports of its own.
struct SecondPlace {
    directory: TempDir,
    port: String,
    configuration: PathBuf,
}

impl SecondPlace {
    fn beside(roles: &Roles, keys: &Path, name: &str, database: &OwnDatabase) -> Self {
        let (directory, port) = (TempDir::new().expect("a directory"), free_ports().to_string());
        let own_keys = directory.path().join("keys");
        std::fs::create_dir(&own_keys).expect("made");
        std::fs::copy(keys.join("order.key"), own_keys.join("order.key")).expect("copied");
        let gateway = roles.process_of(Role::Gateway).gateway_uri();
        let more = format!("gateway = {gateway:?}\ninstance = {name:?}\n");
        let configuration = directory.path().join("second.toml");
        let platform = format!("[platform]\npostgres_url = {:?}\n", database.url());
        std::fs::write(&configuration, platform + LEASE + &more).expect("written");
        Self { directory, port, configuration }
    }

    fn order_center(&self) -> Background {
        let directory = self.directory.path().to_str().expect("UTF-8");
        let configuration = self.configuration.to_str().expect("UTF-8");
        let place = ["--data-dir", directory, "--port-base", &self.port];
        Background::start(&[&["serve", "order", "--config", configuration], &place[..]].concat())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_centers_that_stand_by_take_over_from_the_one_that_is_killed() {
    let Some(database) = OwnDatabase::make().await else { return };
    let mut chance = Chance::printed("the order center that serves is killed");
    let directory = TempDir::new().expect("a directory");
    let configuration = configuration(directory.path(), Some(&database));
    let written = std::fs::read_to_string(&configuration).expect("read") + LEASE;
    std::fs::write(&configuration, written).expect("written");
    let more = ["--config", configuration.to_str().expect("UTF-8")];
    let mut roles = Roles::start(directory.path(), &more);
    let desk = roles.desk();
    desk.seed_telecom().await;
    let keys = directory.path().join("keys");
    let place = |name| SecondPlace::beside(&roles, &keys, name, &database);
    let places = [place("second"), place("third")];
    let mut centers = places.each_ref().map(|place| Some(place.order_center()));
    let load = Load::begin(&desk, ROUNDS / 2).await;
    let part = 2 * load.orders / (TAKEOVERS + 1);
    for takeover in 0..TAKEOVERS {
        load.reaches(takeover * part + moment(&mut chance, part)).await;
        match takeover.checked_sub(1) {
            None => roles.kill(Role::Order),
            Some(turn) => {
                let turn = turn % places.len();
                // Dropped, it is killed; started again, it stands by.
                drop(centers[turn].take());
                centers[turn] = Some(places[turn].order_center());
            }
        }
    }
    drop(centers);
    roles.restart(Role::Order);
    load.prove().await;
    audit_is_clean(directory.path(), roles.port_base);
    roles.end();
    database.end().await;
}

/// Begins a submission whose message follows when the caller gives it.
async fn submit_slowly(
    channel: GatewayChannel,
    begun: oneshot::Sender<()>,
    message: oneshot::Receiver<SubmitOrderRequest>,
) -> Result<SubmitOrderResponse, tonic::Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a connection");
    let method = "/throughline.order.v1.OrderService/SubmitOrder";
    let codec = tonic_prost::ProstCodec::default();
    // The body is asked for once the headers are on their way.
    let body = futures::stream::once(async move {
        begun.send(()).expect("the test waits");
        message.await.expect("a message")
    });
    let request = unbounded(body);
    let answer = client.client_streaming(request, PathAndQuery::from_static(method), codec).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_it_finishes_the_running_call_and_ends_well() {
    let (directory, port_base) = (TempDir::new().expect("a directory"), free_ports());
    let up = Up::start(directory.path(), port_base, &[]);
    let desk = Desk::open(&up.gateway_uri(), &directory.path().join("keys"));
    desk.seed_telecom().await;
    let before = desk.submit(order("before", &EARPHONES)).await;
    let channel = desk.channel.channel();
    let (begun, begins) = oneshot::channel();
    let (give, message) = oneshot::channel();
    let running = tokio::spawn(submit_slowly(channel.clone(), begun, message));
    begins.await.expect("it begins");
    // An answer on the same connection: the gateway has read what was sent before.
    let read = GetOrderRequest { order_id: before, ..GetOrderRequest::default() };
    OrderServiceClient::new(channel).get_order(bounded(read)).await.expect("an order");
    let ending = tokio::task::spawn_blocking(move || up.terminate());
    eventually("the platform says that it ends", || async {
        get(port_base + 1, "/readyz").is_none_or(|(status, _)| status == 503).then_some(())
    })
    .await;
    assert!(!ending.is_finished(), "it waits for the running call");
    let last = order("the last one", &EARPHONES);
    give.send(last.clone()).expect("the call is open");
    let answer = running.await.expect("no panic").expect("the running call is answered");
    assert!(ending.await.expect("no panic").success());

    let up = Up::start(directory.path(), port_base, &[]);
    let ended = desk.end_of(&answer.order_id).await;
    assert_eq!(ended.state(), OrderState::Completed);
    assert_eq!(ended.channel_order_id, last.channel_order_id);
    desk.books_add_up().await;
    audit_is_clean(directory.path(), port_base);
    assert!(up.terminate().success());
}

#[test]
fn a_demo_that_was_killed_ends_well_when_it_is_run_again() {
    let mut chance = Chance::printed("the demo is killed");
    let (directory, port) = (TempDir::new().expect("a directory"), free_ports().to_string());
    let path = directory.path().to_str().expect("UTF-8");
    let demo = ["demo", "--exit", "--json", "--data-dir", path, "--port-base", &port];
    for (least, most) in [(50, 700), (700, 1_500), (1_500, 3_500), (3_500, 6_000)] {
        let moment = Duration::from_millis(chance.between(least, most));
        let killed = Background::start(&demo).killed_after(moment);
        eprintln!("killed after {moment:?}: {killed}");
    }
    let output = run_within(MAX_DEMO_TIME, &demo);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_str(&said).expect("a summary");
    assert_eq!(told["held"], true, "{said}");
}
