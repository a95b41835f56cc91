//! How the gateway and the services behind it are, for probes and for whoever watches.

use throughline_kit::error::Error;
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::backends::start_sms;
use crate::platform::Platform;

#[tokio::test]
async fn health_needs_no_key_and_tells_which_services_are_served() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", platform.address))
        .expect("valid")
        .connect_lazy();
    let client = HealthClient::new(channel);
    let check = |service: &str| {
        let (mut client, service) = (client.clone(), service.to_owned());
        async move {
            let answer = client.check(HealthCheckRequest { service }).await;
            answer.ok().map(|answer| answer.into_inner().status())
        }
    };
    assert_eq!(check("").await, Some(ServingStatus::Serving));
    assert_eq!(check("throughline.sms.v1.SmsService").await, None);
    let sms = start_sms(&platform).await;
    eventually("served", || async {
        (check("throughline.sms.v1.SmsService").await == Some(ServingStatus::Serving)).then_some(())
    })
    .await;
    sms.stop().await;
    eventually("not served", || async {
        (check("throughline.sms.v1.SmsService").await == Some(ServingStatus::NotServing))
            .then_some(())
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn health_is_watched_only_by_those_who_have_a_key() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", platform.address))
        .expect("valid")
        .connect_lazy();
    let request = || HealthCheckRequest { service: String::new() };
    let status = HealthClient::new(channel).watch(request()).await.expect_err("no key");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(Error::from_status(&status).reason, "CREDENTIALS_MISSING");
    let mut client = HealthClient::new(platform.channel("demo-channel"));
    let mut stream = client.watch(request()).await.expect("anybody with a key").into_inner();
    let told = stream.message().await.expect("fine").expect("a message");
    assert_eq!(told.status(), ServingStatus::Serving);
    drop(stream);
    platform.stop().await;
}
