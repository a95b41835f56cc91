//! Callers without a key, with a wrong one, or who reach for what is not theirs.

use bytes::Bytes;
use serde_json::json;
use throughline::connection::bounded;
use throughline_gateway::load_key;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use throughline_proto::gateway::v1::CreateChannelRequest;
use throughline_proto::gateway::v1::access_service_client::AccessServiceClient;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{GetOrderRequest, ListOrdersRequest, OrderState};
use throughline_tests::shopping::order;
use throughline_tests::world::World;
use tonic::{Code, Request};

use crate::wire::{call, refusal, send};

const LIST: &str = "order.OrderService/ListOrders";

fn with_key(world: &World, api_key: &str) -> GatewayClient {
    let config = GatewayConfig { uri: world.gateway_uri().to_owned(), api_key: api_key.to_owned() };
    GatewayClient::new(&config).expect("a client")
}

#[tokio::test]
async fn without_a_valid_key_nobody_gets_in_and_is_told_what_to_send() {
    let world = World::start().await;
    let channel = tonic::transport::Endpoint::from_shared(world.gateway_uri().to_owned())
        .expect("an address")
        .connect_lazy();
    let status = OrderServiceClient::new(channel)
        .list_orders(ListOrdersRequest::default())
        .await
        .expect_err("no key");
    let error = Error::from_status(&status);
    assert_eq!(
        (status.code(), error.reason.as_str()),
        (Code::Unauthenticated, "CREDENTIALS_MISSING")
    );
    assert!(error.message.contains("authorization: Bearer"), "{}", error.message);

    let key = load_key(&world.directory().join("keys/demo-channel.key")).expect("a key");
    let (upper, longer, shorter) = (key.to_uppercase(), format!("{key}a"), &key[..key.len() - 1]);
    for wrong in ["", "tlk_", "nonsense", "tlk_aaaaaaaaaaaaaaaa", &upper, &longer, shorter] {
        let error = refusal(&with_key(&world, wrong), LIST, json!({})).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Unauthenticated, "CREDENTIALS_INVALID"), "key {wrong:?}");
        assert!(!error.message.contains(&key), "no key is ever told");
    }
    call(&with_key(&world, &key), LIST, json!({})).await.expect("the key itself is good");
    world.end().await;
}

#[tokio::test]
async fn a_channel_reaches_neither_the_operators_methods_nor_the_internal_ones() {
    let world = World::start().await;
    for (method, exposure) in [
        ("gateway.AccessService/CreateChannel", "OPERATOR"),
        ("gateway.RegistryService/ListServices", "OPERATOR"),
        ("gateway.TrajectoryService/GetTrajectory", "OPERATOR"),
        ("product.CatalogService/ImportCatalog", "OPERATOR"),
        ("resource.StockService/AdjustPool", "OPERATOR"),
        ("resource.StockService/ReceiveStock", "OPERATOR"),
        ("payment.PaymentService/ListPaymentOrders", "OPERATOR"),
        ("payment.PaymentService/RecordReceipt", "OPERATOR"),
        ("notification.NotificationService/ListNotifications", "OPERATOR"),
        ("simulator.SimulatorControlService/AddRule", "OPERATOR"),
        ("order.OperationService/PauseOrder", "OPERATOR"),
        ("order.OperationService/ResumeOrder", "OPERATOR"),
        ("order.OperationService/RetryStep", "OPERATOR"),
        ("order.OperationService/SkipStep", "OPERATOR"),
        ("order.OperationService/SubstituteStep", "OPERATOR"),
        ("order.OperationService/RerunStep", "OPERATOR"),
        ("order.OperationService/ProveUndone", "OPERATOR"),
        ("order.OperationService/SetPriority", "OPERATOR"),
        ("order.MonitorService/ListLoad", "OPERATOR"),
        ("order.MonitorService/ListTimeouts", "OPERATOR"),
        ("order.MonitorService/ListCancellations", "OPERATOR"),
        ("order.MonitorService/ListUrges", "OPERATOR"),
        ("order.MonitorService/ListExceptions", "OPERATOR"),
        ("order.MonitorService/ListFeeDifferences", "OPERATOR"),
        ("order.HoldService/HoldCapability", "OPERATOR"),
        ("order.HoldService/ReleaseCapability", "OPERATOR"),
        ("order.HoldService/ListHolds", "OPERATOR"),
        ("order.TaskService/ListTasks", "OPERATOR"),
        ("order.TaskService/ClaimTask", "OPERATOR"),
        ("order.TaskService/ReleaseTask", "OPERATOR"),
        ("order.TaskService/CompleteTask", "OPERATOR"),
        ("order.TemplateService/CheckTemplate", "OPERATOR"),
        ("order.TemplateService/PublishTemplate", "OPERATOR"),
        ("order.TemplateService/RollbackTemplate", "OPERATOR"),
        ("order.TemplateService/ListTemplates", "OPERATOR"),
        ("order.TemplateService/SimulateTemplate", "OPERATOR"),
        ("order.CampaignService/SetCampaign", "OPERATOR"),
        ("order.CampaignService/EndCampaign", "OPERATOR"),
        ("order.StepCallbackService/SignalOrder", "INTERNAL"),
        ("gateway.RegistryService/RegisterInstance", "INTERNAL"),
        ("order.StepCallbackService/ReportStepResult", "INTERNAL"),
        ("payment.PaymentService/CreateRefund", "INTERNAL"),
        ("payment.PaymentService/CreatePaymentOrder", "INTERNAL"),
        ("payment.PaymentService/HandleChannelEvent", "INTERNAL"),
        ("resource.ReservationService/CreateReservation", "INTERNAL"),
        ("resource.StockService/ReturnUnits", "INTERNAL"),
        ("product.DecisionService/DecomposeOffering", "INTERNAL"),
        ("paychannel.PaymentChannelService/Refund", "INTERNAL"),
        ("event.EventFeedService/Subscribe", "INTERNAL"),
    ] {
        let error = refusal(&world.desk.channel, method, json!({})).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::PermissionDenied, "EXPOSURE_DENIED"), "{method}");
        assert_eq!(error.metadata["exposure"], format!("EXPOSURE_{exposure}"), "{method}");
        assert_eq!(error.metadata["caller"], "demo-channel");
        if exposure == "INTERNAL" {
            let error = refusal(&world.desk.operator, method, json!({})).await;
            assert_eq!(error.reason, "EXPOSURE_DENIED", "an operator and {method}");
        }
    }
    world.end().await;
}

/// A new channel with grants; its key.
async fn channel(world: &World, name: &str, grants: &[&str]) -> GatewayClient {
    let request = CreateChannelRequest {
        name: name.to_owned(),
        method_grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        request_id: id::new_request_id(),
        ..Default::default()
    };
    let mut access = AccessServiceClient::new(world.desk.operator.channel());
    let made = access.create_channel(bounded(request)).await.expect("a channel").into_inner();
    with_key(world, &made.api_key)
}

#[tokio::test]
async fn a_channel_calls_only_what_it_was_granted() {
    let world = World::start().await;
    let reader = channel(&world, "reader", &["throughline.order.v1.OrderService/ListOrders"]).await;
    call(&reader, LIST, json!({})).await.expect("granted");
    for method in ["order.OrderService/SubmitOrder", "resource.StockService/GetPool"] {
        let error = refusal(&reader, method, json!({})).await;
        assert_eq!(
            (error.kind, error.reason.as_str()),
            (Kind::PermissionDenied, "METHOD_NOT_GRANTED")
        );
        let (_, name) = method.split_once('.').expect("center.Service/Method");
        assert!(error.metadata["method"].ends_with(name), "{error}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_channel_without_the_right_cannot_bring_prices_of_its_own() {
    let world = World::start().await;
    let other = channel(&world, "other-shop", &[]).await;
    let submit = "order.OrderService/SubmitOrder";
    let mut message = json!({
        "requestId": "0191d7a0-0000-7000-8000-000000000001",
        "channelOrderId": "cheap",
        "customer": { "customerId": "c" },
        "currencyCode": "CNY",
        "items": [{
            "itemKey": "phone", "offeringCode": "handset-a1", "quantity": "1",
            "agreedUnitPrice": { "currencyCode": "CNY", "microUnits": "1" },
        }],
    });
    let error = refusal(&other, submit, message.clone()).await;
    assert_eq!(
        (error.kind, error.reason.as_str()),
        (Kind::PermissionDenied, "AGREED_PRICE_NOT_GRANTED")
    );
    assert_eq!(error.metadata["channel"], "other-shop");
    message["requestId"] = json!("0191d7a0-0000-7000-8000-000000000002");
    message["items"][0]["agreedUnitPrice"] = json!(null);
    call(&other, submit, message).await.expect("at the price of the catalog");
    world.end().await;
}

#[tokio::test]
async fn a_channel_that_says_to_be_somebody_else_stays_who_it_is() {
    let world = World::start().await;
    let desk = &world.desk;
    let theirs = desk.carry_out(order("theirs", &[("ears", "earphones", 1)])).await;
    assert_eq!(theirs.state(), OrderState::Completed);
    let liar = channel(&world, "liar", &[]).await;
    let forge = |metadata: &mut tonic::metadata::MetadataMap| {
        for (key, value) in [
            ("x-channel", "demo-channel"),
            ("x-operator", "operator"),
            ("x-caller", "demo-channel"),
            ("x-caller-kind", "OPERATOR"),
            ("x-rights", "agreed-price"),
            ("x-order-id", &theirs.order_id),
        ] {
            metadata.insert(key, value.parse().expect("a value"));
        }
    };
    let mut list = Request::new(ListOrdersRequest::default());
    forge(list.metadata_mut());
    let mut service = OrderServiceClient::new(liar.channel());
    let seen = service.list_orders(list).await.expect("listed").into_inner().orders;
    assert_eq!(seen, [], "it has no orders, and sees none");
    for request in [
        GetOrderRequest { order_id: theirs.order_id.clone(), ..Default::default() },
        GetOrderRequest {
            channel_order_id: "theirs".to_owned(),
            channel: "demo-channel".to_owned(),
            ..Default::default()
        },
    ] {
        let mut request = Request::new(request);
        forge(request.metadata_mut());
        let status = service.get_order(request).await.expect_err("not its own");
        assert_eq!(Error::from_status(&status).reason, "ORDER_NOT_FOUND");
    }
    let mut internal = Request::new(Bytes::new());
    forge(internal.metadata_mut());
    let method = "throughline.payment.v1.PaymentService/CreateRefund";
    let status = send(&liar, method, internal).await.expect_err("internal");
    assert_eq!(Error::from_status(&status).reason, "EXPOSURE_DENIED");
    // The way of somebody else's order tells of none of it.
    let entries = desk.trajectory(&theirs.order_id).await.expect("read");
    let by_the_liar = entries.iter().filter(|entry| match entry {
        Entry::Hop(hop) => hop.caller == "liar",
        Entry::Step(_) => false,
    });
    assert_eq!(by_the_liar.count(), 0);
    world.end().await;
}
