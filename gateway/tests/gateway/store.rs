//! A store that fails: calls go on, and so does everything else that can.

use std::time::Duration;

use throughline_kit::client::CallContext;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Migration, StorageConfig, Tx};
use throughline_kit::storage::{Writer, WriterLimits};
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::access_service_client::AccessServiceClient;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;

use crate::backends::start_sms;
use crate::calls::text;
use crate::platform::Platform;

const GOOD: &str = "ord_good";
const BAD: &str = "ord_bad";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// As builds stored it that let every caller of the platform call everything.
const GRANT_ALL: &str = "UPDATE callers SET method_grants = '[\"*\"]' WHERE name = 'sms'";
/// In SQLite's words: these tests are about the gateway, not about an engine.
const REFUSE_ALL: &str = "CREATE TRIGGER refuse BEFORE INSERT ON hops \
     BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
const REFUSE_BAD: &str = "CREATE TRIGGER refuse BEFORE INSERT ON hops \
     WHEN NEW.order_id = 'ord_bad' BEGIN SELECT RAISE(ABORT, 'such rows are refused'); END";

struct Execute(&'static str);

impl Change for Execute {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(self.0, []).await.map(|_| ())
    }
}

async fn execute(storage: &StorageConfig, statement: &'static str) {
    let migrations = [
        (1, "gateway", include_str!("../../migrations/0001_gateway.sql")),
        (2, "caller requests", include_str!("../../migrations/0002_caller_requests.sql")),
    ]
    .map(|(version, description, sql)| Migration { version, description, sql });
    let database = Database::open("gateway", storage, &migrations).await.expect("open");
    let writer = Writer::start(&database, WriterLimits::default());
    writer.write(Execute(statement)).await.expect("executed");
    database.close().await;
}

async fn send(platform: &Platform, order_id: &str) {
    let context = CallContext::for_order(order_id, TRACE, Duration::from_secs(5));
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    client.send_sms(context.request(text("hello"))).await.expect("carried");
}

async fn recorded(platform: &Platform, order_id: &str) -> usize {
    let request = proto::GetTrajectoryRequest { order_id: order_id.to_owned() };
    let mut client = TrajectoryServiceClient::new(platform.channel("operator"));
    let read = client.get_trajectory(request).await;
    read.map_or(0, |read| read.into_inner().entries.len())
}

#[tokio::test]
async fn a_gateway_whose_store_fails_ends_all_the_same() {
    let _log = no_unexpected_warnings(&["store calls of trajectories", "give up storing calls"]);
    let database = &each_database().await[0];
    let mut platform =
        Platform::start_with(&database.config, |config| config.drain_timeout_ms = 300).await;
    let backend = start_sms(&platform).await;
    execute(&database.config, REFUSE_ALL).await;
    // More batches than may wait for the store, so that the workers wait too.
    for _ in 0..40 {
        send(&platform, GOOD).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    backend.stop().await;
    let stopped = tokio::time::timeout(Duration::from_secs(10), platform.stop());
    stopped.await.expect("it ends although nothing can be stored");
}

#[tokio::test]
async fn a_call_that_cannot_be_stored_does_not_hold_up_the_others() {
    let _log = no_unexpected_warnings(&["store calls of trajectories", "drop a call that"]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    execute(&database.config, REFUSE_BAD).await;
    for order_id in [BAD, GOOD, BAD, GOOD] {
        send(&platform, order_id).await;
    }
    eventually("the others are stored", || async {
        (recorded(&platform, GOOD).await == 2).then_some(())
    })
    .await;
    assert_eq!(recorded(&platform, BAD).await, 0);
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn what_a_stored_caller_of_the_platform_may_call_is_brought_up_to_date_at_the_start() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let grants = async |platform: &Platform| {
            let request = proto::ListCallersRequest {};
            let mut client = AccessServiceClient::new(platform.channel("operator"));
            let listed = client.list_callers(request).await.expect("listed").into_inner();
            let sms = listed.callers.into_iter().find(|caller| caller.name == "sms");
            sms.expect("built in").method_grants
        };
        let before = grants(&platform).await;
        execute(&database.config, GRANT_ALL).await;
        platform.restart().await;
        assert_eq!(grants(&platform).await, before);
        platform.stop().await;
    }
}
