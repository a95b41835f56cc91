//! Instances that come and go, and where calls lead meanwhile.

use std::time::Duration;

use throughline_kit::error::Error;
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::event::v1 as event;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::catalog_service_client::CatalogServiceClient;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use throughline_proto::options::v1::{CapabilityLevel, Exposure};
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1 as reflection;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::backends::start_sms;
use crate::calls::text;
use crate::platform::{FEED, ORDER, Platform, SMS, registration};
use crate::raw::{self, framed};

const EXPIRED: &str = "did not renew its lease";

fn somewhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

async fn send(platform: &Platform) -> Result<(), Error> {
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let sent = client.send_sms(text("hello")).await;
    sent.map(|_| ()).map_err(|status| Error::from_status(&status))
}

async fn register(
    platform: &Platform,
    caller: &str,
    request: proto::RegisterInstanceRequest,
) -> Result<proto::RegisterInstanceResponse, Status> {
    let mut client = RegistryServiceClient::new(platform.channel(caller));
    client.register_instance(request).await.map(tonic::Response::into_inner)
}

async fn renew(platform: &Platform, caller: &str, instance: &str) -> Result<(), Status> {
    let instance_id = instance.to_owned();
    let mut client = RegistryServiceClient::new(platform.channel(caller));
    client.renew_lease(proto::RenewLeaseRequest { instance_id }).await.map(|_| ())
}

#[tokio::test]
async fn a_method_that_nobody_offers_differs_from_one_that_nobody_serves_now() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let error = send(&platform).await.expect_err("not there yet");
    assert_eq!(error.reason, "NO_INSTANCE");
    assert!(error.retry_after.is_some());
    let mut sender = raw::connect(platform.address).await;
    for method in ["a.B/C", "throughline.sms.v1.SmsService/Unknown", "nonsense", ""] {
        let request = raw::call(platform.address, method, &platform.key("notification"));
        let answer = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
        assert_eq!(answer.grpc_status(), "12", "{method:?}");
    }
    let backend = start_sms(&platform).await;
    send(&platform).await.expect("served");
    backend.stop().await;
    assert_eq!(platform.instances("sms").await, []);
    assert_eq!(send(&platform).await.expect_err("gone").reason, "NO_INSTANCE");
    platform.stop().await;
}

#[tokio::test]
async fn an_instance_gets_calls_while_its_lease_runs() {
    let _log = no_unexpected_warnings(&[EXPIRED]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let answer = register(&platform, "sms", registration("sms", "a", somewhere(), &[SMS])).await;
    let answer = answer.expect("registered");
    assert_eq!(answer.lease_ttl.map(|ttl| ttl.seconds), Some(10));
    assert_eq!(answer.renew_interval.map(|interval| interval.seconds), Some(3));
    platform.register("sms", "b", somewhere(), &[SMS]).await;
    platform.advance(Duration::from_secs(6));
    renew(&platform, "sms", "a").await.expect("runs");
    platform.advance(Duration::from_secs(6));
    eventually("b is taken out", || async {
        let instances = platform.instances("sms").await;
        (instances.len() == 1 && instances[0].instance_id == "a").then_some(())
    })
    .await;
    let status = renew(&platform, "sms", "b").await.expect_err("over");
    assert_eq!(
        (status.code(), Error::from_status(&status).reason.as_str()),
        (Code::NotFound, "INSTANCE_NOT_FOUND")
    );
    platform.advance(Duration::from_secs(10));
    eventually("a is taken out", || async {
        let error = send(&platform).await.expect_err("nobody listens there");
        (error.reason == "NO_INSTANCE").then_some(())
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn an_instance_can_only_be_touched_by_its_own_caller() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let request = registration("sms", "a", somewhere(), &[SMS]);
    let status = register(&platform, "billing", request.clone()).await.expect_err("not its name");
    assert_eq!(status.code(), Code::PermissionDenied);
    let error = Error::from_status(&status);
    assert_eq!(error.reason, "NAME_NOT_OWNED");
    assert_eq!(
        (error.metadata["caller"].as_str(), error.metadata["center"].as_str()),
        ("billing", "sms")
    );
    register(&platform, "sms", request).await.expect("its name");
    let status = renew(&platform, "billing", "a").await.expect_err("not its instance");
    assert_eq!(status.code(), Code::NotFound);
    let instance_id = "a".to_owned();
    RegistryServiceClient::new(platform.channel("billing"))
        .deregister_instance(proto::DeregisterInstanceRequest { instance_id })
        .await
        .expect("unknown to it: a success without effect");
    assert_eq!(platform.instances("sms").await.len(), 1);
    platform.stop().await;
}

#[tokio::test]
async fn a_platform_service_can_only_be_registered_by_the_center_that_owns_it() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let foreign = registration("sms", "a", somewhere(), &[SMS, ORDER]);
    let status = register(&platform, "sms", foreign).await.expect_err("not its service");
    assert_eq!(status.code(), Code::PermissionDenied);
    let error = Error::from_status(&status);
    assert_eq!(error.reason, "NAME_NOT_OWNED");
    assert_eq!(error.metadata["service"], ORDER);
    platform.register("sms", "a", somewhere(), &[SMS, FEED]).await;
    platform.stop().await;
}

#[tokio::test]
async fn a_wrong_registration_is_refused_with_every_wrong_field() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let wrong = proto::RegisterInstanceRequest {
        center: "SMS!".to_owned(),
        instance_id: String::new(),
        endpoint: "nowhere".to_owned(),
        version: "v".repeat(65),
        services: vec![String::new()],
        descriptor_set: Vec::new(),
    };
    let status = register(&platform, "sms", wrong).await.expect_err("wrong");
    let error = Error::from_status(&status);
    let paths: Vec<_> = error.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        ["center", "instance_id", "endpoint", "version", "services[0]", "descriptor_set"]
    );
    platform.stop().await;
}

#[tokio::test]
async fn contracts_that_do_not_fit_and_too_many_instances_are_refused() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform =
        Platform::start_with(&database.config, |config| config.max_instances = 1).await;
    let good = registration("sms", "a", somewhere(), &[SMS]);
    let refused = [
        (
            proto::RegisterInstanceRequest { descriptor_set: vec![1, 2], ..good.clone() },
            "DESCRIPTOR_INVALID",
        ),
        (
            proto::RegisterInstanceRequest { services: vec!["a.B".to_owned()], ..good.clone() },
            "DESCRIPTOR_INVALID",
        ),
        (
            proto::RegisterInstanceRequest {
                services: vec!["grpc.health.v1.Health".to_owned()],
                descriptor_set: tonic_health::pb::FILE_DESCRIPTOR_SET.to_vec(),
                ..good.clone()
            },
            "EXPOSURE_MISSING",
        ),
    ];
    for (request, expected) in refused {
        let status = register(&platform, "sms", request).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(Error::from_status(&status).reason, expected);
    }
    register(&platform, "sms", good.clone()).await.expect("registered");
    register(&platform, "sms", good).await.expect("again");
    let other = registration("sms", "b", somewhere(), &[SMS]);
    let status = register(&platform, "sms", other).await.expect_err("too many");
    assert_eq!(Error::from_status(&status).metadata["limit"], "max_instances");
    platform.stop().await;
}

#[tokio::test]
async fn a_service_of_several_centers_is_called_by_the_centers_name() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    platform.register("order", "o", somewhere(), &[FEED]).await;
    platform.register("payment", "p", somewhere(), &[FEED]).await;
    let subscribe = async |center: Option<&'static str>| {
        let mut request = Request::new(event::SubscribeRequest::default());
        if let Some(center) = center {
            request.metadata_mut().insert("x-center", center.parse().expect("a value"));
        }
        let mut client = EventFeedServiceClient::new(platform.channel("notification"));
        let refused = client.subscribe(request).await.expect_err("nobody listens there");
        Error::from_status(&refused)
    };
    let error = subscribe(None).await;
    assert_eq!(error.reason, "CENTER_REQUIRED");
    assert_eq!(error.metadata["centers"], "order, payment");
    assert_eq!(subscribe(Some("payment")).await.reason, "BACKEND_UNREACHABLE");
    assert_eq!(subscribe(Some("product")).await.reason, "NO_INSTANCE");
    platform.stop().await;
}

#[tokio::test]
async fn the_registry_and_the_catalog_show_what_is_there() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    platform.register("order", "o", somewhere(), &[FEED, ORDER]).await;
    platform.register("sms", "s", somewhere(), &[SMS]).await;
    let listed = RegistryServiceClient::new(platform.channel("operator"))
        .list_services(proto::ListServicesRequest {})
        .await
        .expect("listed")
        .into_inner();
    let centers: Vec<_> = listed.services.iter().map(|s| s.center.as_str()).collect();
    assert_eq!(centers, ["gateway", "order", "sms"]);
    assert_eq!(listed.services[1].services, [FEED, ORDER]);
    let instance = &listed.services[2].instances[0];
    assert_eq!((instance.instance_id.as_str(), instance.version.as_str()), ("s", "1.2.3"));
    assert_eq!(instance.endpoint, somewhere().to_string());
    let registered = instance.register_time.as_ref().expect("a time").seconds;
    assert_eq!(instance.lease_expire_time.as_ref().expect("a time").seconds - registered, 10);

    let methods = CatalogServiceClient::new(platform.channel("operator"))
        .list_methods(proto::ListMethodsRequest {})
        .await
        .expect("listed")
        .into_inner()
        .methods;
    assert!(methods.is_sorted_by(|a, b| a.method < b.method));
    let find = |name: &str| methods.iter().find(|m| m.method == name).expect("listed");
    let submit = find("throughline.order.v1.OrderService/SubmitOrder");
    assert_eq!(submit.centers, ["order"]);
    assert_eq!(submit.exposure(), Exposure::Channel);
    assert_eq!(submit.order_id_field, "order_id");
    assert!(!submit.documentation.is_empty());
    let send = find("throughline.sms.v1.SmsService/SendSms");
    assert_eq!((send.level(), send.idempotent), (CapabilityLevel::Atomic, true));
    assert!(!methods.iter().any(|m| m.method.contains("billing")), "only what is registered");
    platform.stop().await;
}

#[tokio::test]
async fn reflection_shows_all_services_behind_the_gateway() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    platform.register("sms", "s", somewhere(), &[SMS]).await;
    let ask = async |question: MessageRequest| {
        let request = reflection::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        };
        let mut client = ServerReflectionClient::new(platform.channel("demo-channel"));
        let stream = tokio_stream::once(request);
        let mut answers =
            client.server_reflection_info(stream).await.expect("answered").into_inner();
        let answer = answers.message().await.expect("fine").expect("an answer");
        answer.message_response.expect("an answer")
    };
    let MessageResponse::ListServicesResponse(list) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        SMS,
        "throughline.gateway.v1.RegistryService",
        "throughline.gateway.v1.TrajectoryService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(!names.contains(&"throughline.billing.v1.BillingService"), "nobody serves it");
    for symbol in [SMS, "grpc.health.v1.Health", "throughline.order.v1.CustomerOrder"] {
        let answer = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{symbol}");
    }
    let status = ServerReflectionClient::new(platform.channel_with_key("tlk_wrong"))
        .server_reflection_info(tokio_stream::pending())
        .await
        .expect_err("any key, but a key");
    assert_eq!(status.code(), Code::Unauthenticated);
    platform.stop().await;
}
