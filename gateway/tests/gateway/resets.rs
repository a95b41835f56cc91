//! Floods of calls that are cancelled at once: they are their caller's affair and nobody else's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use tokio_stream::wrappers::ReceiverStream;
use tonic_reflection::pb::v1 as reflection;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::backends::start_orders;
use crate::platform::Platform;

/// Calls of one flood: a hundred times what an HTTP/2 server bears of one client by default.
const CALLS: u32 = 2_000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// One frame with an identifier of its stream.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, none of them compressed.
fn headers(method: &str, key: &str) -> Vec<u8> {
    let text = |value: &str| {
        let length = u8::try_from(value.len()).expect("short");
        assert!(length < 127, "a length of one byte");
        [&[length], value.as_bytes()].concat()
    };
    // The indexes are those of the static table: POST, http, path, authority, content-type, authorization.
    let mut block = vec![0x83, 0x86];
    let named = [
        (&[0x04][..], format!("/{method}")),
        (&[0x01], "gateway".to_owned()),
        (&[0x0f, 0x10], "application/grpc".to_owned()),
        (&[0x0f, 0x08], format!("Bearer {key}")),
    ];
    for (name, value) in named {
        block.extend_from_slice(name);
        block.extend(text(&value));
    }
    block.push(0);
    block.extend(text("te"));
    block.extend(text("trailers"));
    block
}

/// A caller that speaks HTTP/2 by hand and holds up its whole thread, and with it every server of the test: the gateway, which
/// has threads of its own, goes on meanwhile, and what it carries gathers before the servers.
struct Flood(TcpStream);

impl Flood {
    fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).expect("written");
        Self(stream)
    }

    /// Begins calls, has them carried, and cancels them all.
    fn run(&mut self, method: &str, key: &str) {
        let streams = || (0..CALLS).map(|number| 2 * number + 1);
        let block = headers(method, key);
        let begun: Vec<u8> =
            streams().flat_map(|id| frame(HEADERS, END_HEADERS, id, &block)).collect();
        self.0.write_all(&begun).expect("written");
        self.ping();
        let cancelled: Vec<u8> =
            streams().flat_map(|id| frame(RST_STREAM, 0, id, &CANCEL)).collect();
        self.0.write_all(&cancelled).expect("written");
        self.ping();
    }

    /// Waits until the gateway has dealt with all that was sent: the second answer comes a turn after the first.
    fn ping(&mut self) {
        for _ in 0..2 {
            self.0.write_all(&frame(PING, 0, 0, &[0; 8])).expect("written");
            while self.next() != (PING, ACK) {}
        }
    }

    fn next(&mut self) -> (u8, u8) {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).expect("the gateway stays");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).expect("the gateway stays");
        assert_ne!(head[3], GOAWAY, "the gateway ends the connection: {payload:?}");
        (head[3], head[4])
    }
}

#[tokio::test]
async fn a_flood_of_cancelled_calls_to_a_center_leaves_the_calls_of_others_alone() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start_with(&database.config, |config| config.workers = 1).await;
    let (orders, sender) = start_orders(&platform).await;
    let mut client = OrderServiceClient::new(platform.channel("operator"));
    let mut watch =
        client.watch_order(order::WatchOrderRequest::default()).await.expect("open").into_inner();
    let mut flood = Flood::connect(platform.address);
    flood.run("throughline.order.v1.OrderService/ListOrders", &platform.key("demo-channel"));
    for version in 1..=3 {
        let order = order::CustomerOrder { version, ..Default::default() };
        let message = order::WatchOrderResponse { order: Some(order) };
        sender.send(message).await.expect("watched");
        let received = watch.message().await.expect("it goes on").expect("a message");
        assert_eq!(received.order.expect("an order").version, version);
        client.list_orders(order::ListOrdersRequest::default()).await.expect("carried");
    }
    drop(sender);
    drop(watch);
    orders.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_flood_of_cancelled_calls_to_the_gateway_itself_leaves_the_calls_of_others_alone() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start_with(&database.config, |config| config.workers = 1).await;
    let (asking, questions) = tokio::sync::mpsc::channel(1);
    let mut client = ServerReflectionClient::new(platform.channel("operator"));
    let ask = async || {
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let question =
            reflection::ServerReflectionRequest { message_request, ..Default::default() };
        asking.send(question).await.expect("the stream is open");
    };
    ask().await;
    let answers = client.server_reflection_info(ReceiverStream::new(questions)).await;
    let mut answers = answers.expect("open").into_inner();
    answers.message().await.expect("fine").expect("an answer");
    // It needs no key.
    Flood::connect(platform.address).run("grpc.health.v1.Health/Check", "none");
    ask().await;
    answers.message().await.expect("it goes on").expect("an answer");
    drop(asking);
    platform.stop().await;
}
