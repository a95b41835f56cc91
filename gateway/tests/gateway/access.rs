//! Who may call what, and what backends are told about callers.

use std::time::Duration;

use throughline_kit::client::{CallContext, GatewayChannel};
use throughline_kit::error::Error;
use throughline_kit::id;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::access_service_client::AccessServiceClient;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::step_callback_service_client::StepCallbackServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::{Code, Request, Response, Status};

use crate::backends::{start_orders, start_sms};
use crate::calls::text;
use crate::platform::Platform;
use crate::raw::{self, framed};

fn reason(status: &Status) -> String {
    Error::from_status(status).reason
}

async fn list_orders(channel: GatewayChannel) -> Result<(), Status> {
    let request = order::ListOrdersRequest::default();
    OrderServiceClient::new(channel).list_orders(request).await.map(|_| ())
}

async fn list_callers(channel: GatewayChannel) -> Result<proto::ListCallersResponse, Status> {
    let listed = AccessServiceClient::new(channel).list_callers(proto::ListCallersRequest {}).await;
    listed.map(Response::into_inner)
}

async fn create(platform: &Platform, name: &str, grants: &[&str]) -> Result<String, Status> {
    create_as(platform, "operator", name, grants).await
}

async fn create_as(
    platform: &Platform,
    caller: &str,
    name: &str,
    grants: &[&str],
) -> Result<String, Status> {
    AccessServiceClient::new(platform.channel(caller))
        .create_channel(proto::CreateChannelRequest {
            name: name.to_owned(),
            method_grants: grants.iter().map(|g| (*g).to_owned()).collect(),
            right_grants: vec!["agreed-price".to_owned()],
            request_id: id::new_request_id(),
        })
        .await
        .map(|answer| answer.into_inner().api_key)
}

#[tokio::test]
async fn without_a_key_or_with_a_wrong_one_nothing_passes() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let status = list_orders(platform.channel_with_key("tlk_wrong")).await.expect_err("wrong");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "CREDENTIALS_INVALID")
    );
    let uri = format!("http://{}", platform.address);
    let channel = tonic::transport::Endpoint::from_shared(uri).expect("valid").connect_lazy();
    let mut client = OrderServiceClient::new(channel);
    let status = client.list_orders(order::ListOrdersRequest::default()).await.expect_err("none");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "CREDENTIALS_MISSING")
    );
    // Whoever has no key does not even learn which methods there are.
    let mut sender = raw::connect(platform.address).await;
    let request = raw::call(platform.address, "a.B/C", "tlk_wrong");
    let answer = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
    assert_eq!(answer.grpc_status(), "16");
    platform.stop().await;
}

#[tokio::test]
async fn exposure_keeps_channels_and_operators_from_what_is_not_theirs() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let sms = start_sms(&platform).await;
    let (orders, _sender) = start_orders(&platform).await;
    for name in ["demo-channel", "operator"] {
        let mut client = SmsServiceClient::new(platform.channel(name));
        let status = client.send_sms(text("hello")).await.expect_err("internal");
        assert_eq!(status.code(), Code::PermissionDenied);
        let error = Error::from_status(&status);
        assert_eq!(error.reason, "EXPOSURE_DENIED");
        assert_eq!(error.metadata["caller"], name);
        assert_eq!(error.metadata["method"], "throughline.sms.v1.SmsService/SendSms");
        assert_eq!(error.metadata["exposure"], "EXPOSURE_INTERNAL");
    }
    for name in ["demo-channel", "operator"] {
        list_orders(platform.channel(name)).await.expect("exposed to both");
    }
    let mut registry = RegistryServiceClient::new(platform.channel("demo-channel"));
    let status =
        registry.list_services(proto::ListServicesRequest {}).await.expect_err("operators");
    assert_eq!(reason(&status), "EXPOSURE_DENIED");
    assert_eq!(sms.seen.started(), 0);
    sms.stop().await;
    orders.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn centers_and_systems_reach_what_their_work_needs_and_nothing_else() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    for name in ["payment", "sms"] {
        RegistryServiceClient::new(platform.channel(name))
            .list_services(proto::ListServicesRequest {})
            .await
            .expect("granted by its name");
        let refused = [
            list_orders(platform.channel(name)).await.expect_err("not its work"),
            list_callers(platform.channel(name)).await.expect_err("for operators"),
            create_as(&platform, name, "back-door", &[]).await.expect_err("for operators"),
        ];
        for status in refused {
            assert_eq!(status.code(), Code::PermissionDenied);
            assert_eq!(reason(&status), "METHOD_NOT_GRANTED", "{name}");
        }
    }
    platform.stop().await;
}

#[tokio::test]
async fn a_new_channel_calls_at_once_and_only_what_it_was_granted() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let (orders, _sender) = start_orders(&platform).await;
        let grant = "throughline.order.v1.OrderService/ListOrders";
        let key = create(&platform, "shop", &[grant]).await.expect("created");
        list_orders(platform.channel_with_key(&key)).await.expect("granted");
        let seen = orders.seen.clone();
        let mut client = OrderServiceClient::new(platform.channel_with_key(&key));
        let status =
            client.get_order(order::GetOrderRequest::default()).await.expect_err("not granted");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::PermissionDenied, "METHOD_NOT_GRANTED")
        );
        assert_eq!(seen.started(), 0);
        let all = create(&platform, "other-shop", &[]).await.expect("created");
        let mut client = OrderServiceClient::new(platform.channel_with_key(&all));
        client.submit_order(order::SubmitOrderRequest::default()).await.expect("all of CHANNEL");
        assert_eq!(seen.last().get("x-channel").expect("told"), "other-shop");
        assert_eq!(seen.last().get("x-rights").expect("told"), "agreed-price");

        let status = create(&platform, "shop", &[]).await.expect_err("taken");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::AlreadyExists, "CHANNEL_EXISTS")
        );
        platform.restart().await;
        let status =
            list_orders(platform.channel_with_key(&key)).await.expect_err("no instance yet");
        assert_eq!(reason(&status), "NO_INSTANCE", "the key still counts");
        platform.stop().await;
        orders.stop().await;
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_new_channel_is_named() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let status = AccessServiceClient::new(platform.channel("operator"))
        .create_channel(proto::CreateChannelRequest {
            name: "9 Shops".to_owned(),
            method_grants: vec!["*".to_owned(), "everything".to_owned()],
            right_grants: vec!["a,b".to_owned()],
            request_id: "again".to_owned(),
        })
        .await
        .expect_err("wrong");
    let error = Error::from_status(&status);
    let mut paths: Vec<_> = error.fields.iter().map(|(path, _)| path.as_str()).collect();
    paths.dedup();
    assert_eq!(paths, ["request_id", "name", "method_grants[1]", "right_grants[0]"]);
    let mut platform2 =
        Platform::start_with(&each_database().await[0].config, |c| c.max_callers = 15).await;
    create(&platform2, "one-more", &[]).await.expect("fits");
    let status = create(&platform2, "too-many", &[]).await.expect_err("full");
    assert_eq!(Error::from_status(&status).metadata["limit"], "max_callers");
    platform.stop().await;
    platform2.stop().await;
}

#[tokio::test]
async fn what_could_never_be_used_is_not_granted() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let table = [
        ("throughline.order.v1.OrderService/SubmitOrder", None),
        ("throughline.order.v1.OrderService/*", None),
        ("throughline.product.v1.DecisionService/*", None),
        ("throughline.order.v1.OrderService/SubmitOrders", Some("names no method")),
        ("throughline.orders.v1.OrderService/*", Some("names no method")),
        ("throughline.sms.v1.SmsService/SendSms", Some("EXPOSURE_INTERNAL")),
        ("throughline.sms.v1.SmsService/*", Some("EXPOSURE_INTERNAL")),
        ("throughline.gateway.v1.AccessService/CreateChannel", Some("EXPOSURE_OPERATOR")),
    ];
    for (index, (grant, refusal)) in table.into_iter().enumerate() {
        let created = create(&platform, &format!("shop-{index}"), &[grant]).await;
        let Some(said) = refusal else {
            created.expect(grant);
            continue;
        };
        let error = Error::from_status(&created.expect_err(grant));
        assert_eq!(error.reason, "FIELD_INVALID");
        let [(path, text)] = &error.fields[..] else { panic!("{grant}: {error:?}") };
        assert_eq!(path, "method_grants[0]");
        assert!(text.contains(said), "{grant}: {text}");
    }
    let status = AccessServiceClient::new(platform.channel("operator"))
        .create_channel(proto::CreateChannelRequest {
            name: "shop".to_owned(),
            right_grants: vec!["agreed-price".to_owned(), "free-beer".to_owned()],
            request_id: id::new_request_id(),
            ..proto::CreateChannelRequest::default()
        })
        .await
        .expect_err("nobody knows the right");
    let error = Error::from_status(&status);
    assert_eq!(error.fields[0].0, "right_grants[1]");
    assert!(error.fields[0].1.contains("agreed-price"), "{error:?}");
    platform.stop().await;
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_channel_and_says_how_to_go_on() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let request_id = id::new_request_id();
        let again = async |platform: &Platform, name: &str| {
            let request = proto::CreateChannelRequest {
                name: name.to_owned(),
                request_id: request_id.clone(),
                ..proto::CreateChannelRequest::default()
            };
            let mut client = AccessServiceClient::new(platform.channel("operator"));
            client.create_channel(request).await.map(|answer| answer.into_inner().api_key)
        };
        let key = again(&platform, "shop").await.expect("created");
        platform.restart().await;
        let table = [
            ("shop", Code::AlreadyExists, "CHANNEL_CREATED_BEFORE"),
            ("other-shop", Code::InvalidArgument, "REQUEST_ID_REUSED"),
        ];
        for (name, code, expected) in table {
            let status = again(&platform, name).await.expect_err("only once");
            assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        }
        let status = create(&platform, "shop", &[]).await.expect_err("another request");
        assert_eq!(reason(&status), "CHANNEL_EXISTS");
        let status = list_orders(platform.channel_with_key(&key)).await.expect_err("nobody serves");
        assert_eq!(reason(&status), "NO_INSTANCE", "the first key still counts");
        platform.stop().await;
    }
}

#[tokio::test]
async fn callers_are_listed_without_keys_and_kept_over_restarts() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let key = platform.key("operator");
        let lists = async |platform: &Platform| {
            list_callers(platform.channel("operator")).await.expect("listed")
        };
        let before = lists(&platform).await;
        assert_eq!(before.callers.len(), 14);
        assert!(before.callers.is_sorted_by(|a, b| a.name < b.name));
        platform.restart().await;
        assert_eq!(platform.key("operator"), key);
        assert_eq!(lists(&platform).await, before);
        // A lost key is replaced, and the old one is worth nothing any more.
        std::fs::remove_file(platform.key_file("operator")).expect("removed");
        platform.restart().await;
        assert_ne!(platform.key("operator"), key);
        assert_eq!(lists(&platform).await, before);
        let status = list_orders(platform.channel_with_key(&key)).await.expect_err("old key");
        assert_eq!(reason(&status), "CREDENTIALS_INVALID");
        platform.stop().await;
    }
}

#[tokio::test]
async fn nobody_can_say_to_be_somebody_else() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let sms = start_sms(&platform).await;
    let (orders, _sender) = start_orders(&platform).await;
    fn forged<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        for key in ["x-caller", "x-channel", "x-operator", "x-rights", "x-order-id"] {
            request.metadata_mut().insert(key, "forged".parse().expect("a value"));
        }
        request.metadata_mut().append("x-rights", "forged-too".parse().expect("a value"));
        request.metadata_mut().insert("x-caller-kind", "CENTER".parse().expect("a value"));
        request.metadata_mut().insert("x-custom", "kept".parse().expect("a value"));
        request
    }
    let table = [
        ("demo-channel", "CHANNEL", Some("demo-channel"), None, Some("agreed-price"), None),
        ("operator", "OPERATOR", None, Some("operator"), None, None),
        ("notification", "CENTER", None, None, None, Some("forged")),
        ("billing", "SYSTEM", None, None, None, Some("forged")),
    ];
    for (name, kind, channel, operator, rights, order_id) in table {
        let caller = platform.channel(name);
        let seen = match name {
            "notification" => {
                let sent = SmsServiceClient::new(caller).send_sms(forged(text("hello"))).await;
                sent.expect("carried");
                sms.seen.last()
            }
            "billing" => {
                let request = forged(order::ReportStepResultRequest::default());
                let reported =
                    StepCallbackServiceClient::new(caller).report_step_result(request).await;
                reported.expect("carried");
                orders.seen.last()
            }
            _ => {
                let request = forged(order::SubmitOrderRequest::default());
                let submitted = OrderServiceClient::new(caller).submit_order(request).await;
                submitted.expect("carried");
                orders.seen.last()
            }
        };
        let told = |key: &str| {
            let all: Vec<_> =
                seen.get_all(key).iter().map(|v| v.to_str().expect("text").to_owned()).collect();
            (!all.is_empty()).then(|| all.join("|"))
        };
        assert_eq!(told("x-caller").as_deref(), Some(name));
        assert_eq!(told("x-caller-kind").as_deref(), Some(kind));
        assert_eq!(told("x-channel").as_deref(), channel, "{name}");
        assert_eq!(told("x-operator").as_deref(), operator, "{name}");
        assert_eq!(told("x-rights").as_deref(), rights, "{name}");
        assert_eq!(told("x-order-id").as_deref(), order_id, "{name}");
        assert_eq!(told("x-custom").as_deref(), Some("kept"));
        assert_eq!(told("authorization"), None, "keys are not passed on");
    }
    sms.stop().await;
    orders.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn the_gateways_own_services_cannot_be_called_around_it() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let own = platform.instances("gateway").await.remove(0).endpoint;
    assert_ne!(own, platform.address.to_string());
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{own}"))
        .expect("valid")
        .connect_lazy();
    let mut client = AccessServiceClient::new(channel);
    let mut request = CallContext::default().request(proto::ListCallersRequest {});
    request.set_timeout(Duration::from_secs(5));
    let status = client.list_callers(request).await.expect_err("kept out");
    assert_eq!(reason(&status), "GATEWAY_BYPASSED");
    platform.stop().await;
}
