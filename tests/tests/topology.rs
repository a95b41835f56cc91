//! One process or seven: the same platform. And whom a process talks to.

use tempfile::TempDir;
use throughline::args::Role;
use throughline::connection::bounded;
use throughline_kit::error::Error;
use throughline_kit::testing::eventually;
use throughline_proto::gateway::v1::ListServicesRequest;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use throughline_proto::simulator::v1::{ClearRulesRequest, Misbehavior, Rule};
use throughline_tests::desk::Desk;
use throughline_tests::peers::{established, listening};
use throughline_tests::postgres::OwnDatabase;
use throughline_tests::process::{Up, audit_is_clean, free_ports, get};
use throughline_tests::roles::Roles;
use throughline_tests::shopping::order;
use throughline_tests::tour;

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
/// Distance of the HTTP side's port from the first, for the whole platform and for a role alone.
const HTTP_OFFSET: u16 = 1;
const HTTP_OFFSET_OF_SIMULATORS: u16 = 9;
/// Outside systems in the process of the simulators.
const SYSTEMS: [&str; 5] = ["provisioning", "billing", "logistics", "paychannel", "sms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_processes_do_what_one_process_does() {
    let (alone, shared) = (TempDir::new().expect("a place"), TempDir::new().expect("a place"));
    let up = Up::start(alone.path(), free_ports(), &[]);
    let one = tour::take(&Desk::open(&up.gateway_uri(), &alone.path().join("keys"))).await;
    assert!(up.terminate().success());
    let roles = Roles::start(shared.path(), &[]);
    let seven = tour::take(&roles.desk()).await;
    tour::is_as_it_should_be(&one);
    assert_eq!(one, seven);
    audit_is_clean(shared.path(), roles.port_base);
    roles.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_processes_on_postgresql_do_the_same_and_keep_it_over_a_restart() {
    let Some(database) = OwnDatabase::make().await else { return };
    let directory = TempDir::new().expect("a place");
    let configuration = database.configuration(directory.path());
    let more = ["--config", configuration.to_str().expect("UTF-8")];
    let roles = Roles::start(directory.path(), &more);
    tour::is_as_it_should_be(&tour::take(&roles.desk()).await);
    let before = roles.desk().orders().await;
    roles.end();
    let files = std::fs::read_dir(directory.path()).expect("a directory");
    let names = files.map(|file| file.expect("a file").file_name());
    let stores: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".db")).collect();
    assert!(stores.is_empty(), "everything is in PostgreSQL, but {stores:?}");
    let schemas = database.schemas().await;
    for role in Role::ALL {
        assert!(schemas.iter().any(|schema| schema == role.name()), "{schemas:?}");
    }

    let port_base = free_ports();
    let up = Up::start(directory.path(), port_base, &more);
    let desk = Desk::open(&up.gateway_uri(), &directory.path().join("keys"));
    assert_eq!(desk.orders().await, before);
    desk.books_add_up().await;
    audit_is_clean(directory.path(), port_base);
    assert!(up.terminate().success());
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_calls_nobody_but_the_gateway() {
    let directory = TempDir::new().expect("a place");
    let roles = Roles::start(directory.path(), &[]);
    tour::take(&roles.desk()).await;
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Gateway) {
        let pid = roles.process_of(role).pid();
        let own = listening(pid);
        assert!(own.contains(&(roles.port_base + role.port_offset())), "{} {own:?}", role.name());
        // What others opened to a port of ours is no call of ours.
        let called: Vec<u16> = established(pid)
            .into_iter()
            .filter(|(here, _)| !own.contains(here))
            .map(|(_, there)| there)
            .collect();
        assert!(!called.is_empty(), "{} calls the gateway", role.name());
        let others: Vec<_> = called.iter().filter(|port| **port != roles.port_base).collect();
        assert!(others.is_empty(), "{} called ports {others:?}", role.name());
    }
    roles.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_wait_while_the_gateway_is_away_and_go_on_when_it_is_back() {
    let directory = TempDir::new().expect("a place");
    let mut roles = Roles::start(directory.path(), &[]);
    let desk = roles.desk();
    desk.seed_telecom().await;
    let down = Rule {
        method: "CreateShipment".to_owned(),
        misbehavior: Misbehavior::Down.into(),
        ..Rule::default()
    };
    desk.misbehave(down).await;
    let order_id = desk.submit(order("patient", &EARPHONES)).await;
    let is_at_delivery = |order: &CustomerOrder| order.state() == OrderState::InProgress;
    desk.until(&order_id, "its delivery", is_at_delivery).await;
    roles.kill(Role::Gateway);
    eventually("no center is connected to anything", || async {
        let centers = Role::ALL.into_iter().filter(|role| *role != Role::Gateway);
        let open = centers.flat_map(|role| established(roles.process_of(role).pid())).count();
        (open == 0).then_some(())
    })
    .await;
    roles.restart(Role::Gateway);
    let waits = desk.until(&order_id, "an answer", |_| true).await;
    assert_eq!(waits.end_time, None, "an outage is no refusal");
    let clear = || async {
        let mut control = SimulatorControlServiceClient::new(desk.operator.channel());
        let cleared = control.clear_rules(bounded(ClearRulesRequest {})).await;
        cleared.map_err(|status| Error::from_status(&status))
    };
    desk.repeated("clear the rules", clear).await;
    assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Completed);
    desk.books_add_up().await;
    roles.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_wait_for_a_center_that_is_away_and_are_accepted_meanwhile() {
    let directory = TempDir::new().expect("a place");
    let mut roles = Roles::start(directory.path(), &[]);
    let desk = roles.desk();
    desk.seed_telecom().await;
    for role in [Role::Product, Role::Resource, Role::Payment, Role::Notification, Role::Simulators]
    {
        assert!(roles.terminate(role).success(), "{}", role.name());
        let order_id = desk.submit(order(role.name(), &EARPHONES)).await;
        // Nobody is told of an order before its end, so that one needs no notification center to end.
        if role != Role::Notification {
            let tried = |order: &CustomerOrder| {
                let parts = order.business_orders.iter().flat_map(|part| &part.steps);
                order.steps.iter().chain(parts).any(|step| step.attempts > 1)
            };
            let waits = desk.until(&order_id, "its second try", tried).await;
            assert_eq!(waits.end_time, None, "{}", role.name());
        }
        roles.restart(role);
        let ended = desk.end_of(&order_id).await;
        assert_eq!(ended.state(), OrderState::Completed, "{}", role.name());
    }
    desk.books_add_up().await;
    roles.end();
}

/// Endpoints that are registered for a center or a system.
async fn endpoints(desk: &Desk, center: &str) -> Vec<String> {
    let mut registry = RegistryServiceClient::new(desk.operator.channel());
    let listed = registry.list_services(bounded(ListServicesRequest {})).await.expect("services");
    let services = listed.into_inner().services.into_iter();
    let instances = services.filter(|service| service.center == center).flat_map(|s| s.instances);
    instances.map(|instance| instance.endpoint).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_registered_while_it_runs_however_it_ends() {
    let directory = TempDir::new().expect("a place");
    let mut roles = Roles::start(directory.path(), &[]);
    let desk = roles.desk();
    let there = vec![format!("127.0.0.1:{}", roles.port_base + Role::Product.port_offset())];
    assert_eq!(endpoints(&desk, "product").await, there);

    assert!(roles.terminate(Role::Product).success());
    let gone = endpoints(&desk, "product").await;
    assert!(gone.is_empty(), "who ends takes itself out before: {gone:?}");
    roles.restart(Role::Product);
    assert_eq!(endpoints(&desk, "product").await, there);

    roles.kill(Role::Product);
    eventually("its lease has ended", || async {
        endpoints(&desk, "product").await.is_empty().then_some(())
    })
    .await;
    roles.restart(Role::Product);
    assert_eq!(endpoints(&desk, "product").await, there);

    roles.kill(Role::Gateway);
    roles.restart(Role::Gateway);
    let names = Role::ALL.map(Role::name).into_iter();
    let names = names.filter(|name| !["gateway", "simulators"].contains(name)).chain(SYSTEMS);
    for name in names {
        eventually(&format!("{name} registers again"), || async {
            (endpoints(&desk, name).await.len() == 1).then_some(())
        })
        .await;
    }
    roles.end();
}

/// The HTTP side of a process answers as a supervisor expects.
fn http_side_is_at(port: u16) {
    assert_eq!(get(port, "/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(get(port, "/readyz"), Some((200, "ready\n".to_owned())));
    let (status, metrics) = get(port, "/metrics").expect("metrics");
    assert_eq!(status, 200);
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_listens_where_the_manual_says() {
    let (alone, shared) = (TempDir::new().expect("a place"), TempDir::new().expect("a place"));
    let documented = [
        (Role::Gateway, 0),
        (Role::Order, 10),
        (Role::Payment, 20),
        (Role::Resource, 30),
        (Role::Product, 40),
        (Role::Notification, 50),
        (Role::Simulators, 90),
    ];
    let base = free_ports();
    let up = Up::start(alone.path(), base, &[]);
    let ports = listening(up.pid());
    for (role, offset) in documented {
        assert!(ports.contains(&(base + offset)), "{} in one process: {ports:?}", role.name());
    }
    http_side_is_at(base + HTTP_OFFSET);
    assert!(up.terminate().success());

    let roles = Roles::start(shared.path(), &[]);
    let base = roles.port_base;
    for (role, offset) in documented {
        let ports = listening(roles.process_of(role).pid());
        assert!(ports.contains(&(base + offset)), "{} alone: {ports:?}", role.name());
        let is_row = role == Role::Simulators;
        let http = if is_row { HTTP_OFFSET_OF_SIMULATORS } else { HTTP_OFFSET };
        http_side_is_at(base + offset + http);
    }
    roles.end();
}
