//! Starting, serving and stopping.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind};
use throughline_kit::metrics::Metrics;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{environment, eventually, no_unexpected_warnings};
use throughline_proto::provisioning::v1 as proto;
use throughline_proto::provisioning::v1::provisioning_service_client::ProvisioningServiceClient;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningServiceServer;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::systems::Slow;

/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(30);
const SERVICE: &str = "throughline.provisioning.v1.ProvisioningService";

struct Center {
    running: Running,
    channel: Channel,
    slow: Slow,
    metrics: Metrics,
    shutdown: CancellationToken,
}

fn somewhere() -> Environment {
    // These services store nothing.
    environment(&StorageConfig::Sqlite("unused.db".into()), Clock::system())
}

impl Center {
    async fn start() -> Self {
        let environment = somewhere();
        let listener = environment.bind("test").await.expect("bind");
        let slow = Slow::default();
        let running = Server::new("test")
            .service(ProvisioningServiceServer::new(slow.clone()))
            .start(&environment, listener)
            .await
            .expect("start");
        let endpoint = Channel::from_shared(format!("http://{}", running.address)).expect("a URI");
        let channel = endpoint.connect().await.expect("connect");
        let Environment { metrics, shutdown, .. } = environment;
        Self { running, channel, slow, metrics, shutdown }
    }

    fn client(&self) -> ProvisioningServiceClient<Channel> {
        ProvisioningServiceClient::new(self.channel.clone())
    }

    async fn health(&self, service: &str) -> Result<ServingStatus, tonic::Status> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(self.channel.clone()).check(request).await?;
        Ok(answer.into_inner().status())
    }

    async fn stop(self) {
        self.shutdown.cancel();
        drop(self.channel);
        self.running.stopped().await;
    }
}

fn activation(reference: &str) -> proto::ActivateServiceRequest {
    proto::ActivateServiceRequest { reference: reference.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let center = Center::start().await;
    let mut taken = somewhere();
    taken.listen = center.running.address;
    let error = taken.bind("other").await.expect_err("taken");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Unavailable, "ADDRESS_UNAVAILABLE"));
    let address = center.running.address.to_string();
    assert_eq!(error.metadata["address"], address);
    assert!(
        error.message.contains(&address) && error.message.contains("other"),
        "{}",
        error.message
    );
    center.stop().await;
}

#[tokio::test]
async fn a_service_that_needs_others_needs_a_gateway() {
    let error = somewhere().client("test").expect_err("no gateway");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "GATEWAY_MISSING"));
}

#[tokio::test]
async fn health_says_that_it_serves() {
    let center = Center::start().await;
    for service in ["", SERVICE] {
        assert_eq!(center.health(service).await.expect("an answer"), ServingStatus::Serving);
    }
    let unknown = center.health("no.such.Service").await.expect_err("unknown");
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    center.stop().await;
}

async fn watch(center: &Center, service: &str) -> tonic::Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let stream = HealthClient::new(center.channel.clone()).watch(request).await.expect("watch");
    let mut stream = stream.into_inner();
    let first = stream.message().await.expect("no error").expect("a first one");
    assert_eq!(first.status(), ServingStatus::Serving);
    stream
}

#[tokio::test]
async fn health_says_that_it_is_ending() {
    let center = Center::start().await;
    let mut watches = vec![watch(&center, "").await, watch(&center, SERVICE).await];
    // A call keeps it from ending while the watches are read.
    let mut client = center.client();
    let call = tokio::spawn(async move {
        client.deactivate_service(proto::DeactivateServiceRequest::default()).await
    });
    center.slow.begun.notified().await;
    center.shutdown.cancel();
    for stream in &mut watches {
        let next = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
        let status = next.expect("no error").expect("no end").status();
        assert_eq!(status, ServingStatus::NotServing);
    }
    drop(watches);
    center.slow.go_on.notify_one();
    call.await.expect("no panic").expect("finished");
    center.stop().await;
}

#[tokio::test]
async fn reflection_lists_the_services() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let center = Center::start().await;
    let request = |message_request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message_request),
    };
    let requests = tokio_stream::iter([
        request(MessageRequest::ListServices(String::new())),
        request(MessageRequest::FileContainingSymbol(SERVICE.to_owned())),
    ]);
    let mut client = ServerReflectionClient::new(center.channel.clone());
    let answers = client.server_reflection_info(requests).await.expect("reflection");
    let mut answers = answers.into_inner();
    let mut next = async || answers.message().await.expect("no error").expect("an answer");
    let Some(MessageResponse::ListServicesResponse(list)) = next().await.message_response else {
        panic!("no list");
    };
    assert!(list.service.iter().any(|service| service.name == SERVICE), "{list:?}");
    let Some(MessageResponse::FileDescriptorResponse(file)) = next().await.message_response else {
        panic!("no file");
    };
    assert!(!file.file_descriptor_proto.is_empty());
    center.stop().await;
}

#[tokio::test]
async fn a_running_call_is_finished_before_the_end() {
    let _log = no_unexpected_warnings(&[]);
    let center = Center::start().await;
    let mut client = center.client();
    let call = tokio::spawn(async move {
        client.deactivate_service(proto::DeactivateServiceRequest::default()).await
    });
    center.slow.begun.notified().await;
    center.shutdown.cancel();
    // No new call is taken.
    let address = center.running.address;
    eventually("the door is closed", async || {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
        endpoint.connect().await.is_err().then_some(())
    })
    .await;
    assert!(!call.is_finished());
    center.slow.go_on.notify_one();
    call.await.expect("no panic").expect("the call was finished");
    tokio::time::timeout(PATIENCE, center.stop()).await.expect("it has ended");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_internal_and_the_server_lives() {
    let _log = no_unexpected_warnings(&["panicked: no operation secret on purpose"]);
    let center = Center::start().await;
    for _ in 0..3 {
        let request = proto::GetOperationRequest { reference: "secret".to_owned() };
        let status = center.client().get_operation(request).await.expect_err("a panic");
        let error = Error::from_status(&status);
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Internal, "INTERNAL"));
        assert!(!error.message.contains("secret"), "the cause is in the log: {}", error.message);
    }
    let answer = center.client().activate_service(activation("alive")).await.expect("answers");
    assert_eq!(answer.into_inner().message, "alive");
    center.stop().await;
}

#[tokio::test]
async fn a_refusal_arrives_over_the_wire_as_it_was() {
    let center = Center::start().await;
    let request =
        proto::ActivateServiceRequest { offering_code: "x".repeat(50_000), ..Default::default() };
    let status = center.client().activate_service(request).await.expect_err("refused");
    let error = Error::from_status(&status);
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "EMPTY"));
    assert_eq!((error.domain.as_str(), error.message.as_str()), ("test", "no reference"));
    assert!(error.metadata["offering"].starts_with("xxx"));
    center.stop().await;
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let center = Center::start().await;
    center.client().activate_service(activation("one")).await.expect("answers");
    center.client().activate_service(activation("")).await.expect_err("refused");
    let text = center.metrics.render();
    for code in ["OK", "INVALID_ARGUMENT"] {
        let line = format!(
            "throughline_rpc_server_call_duration_seconds_count{{center=\"test\",\
             rpc_method=\"{SERVICE}/ActivateService\",rpc_response_status_code=\"{code}\"}} 1"
        );
        assert!(text.contains(&line), "{line}\n{text}");
    }
    center.stop().await;
}
