//! Calls of any method by its name, with bytes or with a message written as JSON: what no generated client would send.

use bytes::{Buf, BufMut, Bytes};
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;
use throughline_kit::client::GatewayClient;
use throughline_kit::error::Error;
use throughline_proto::descriptors;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

/// Passes messages as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// Sends bytes to "package.Service/Method", whatever they are; the first message of the answer.
pub(crate) async fn send(
    client: &GatewayClient,
    method: &str,
    request: Request<Bytes>,
) -> Result<Bytes, Status> {
    let path = PathAndQuery::try_from(format!("/{method}")).expect("a path");
    let mut grpc = Grpc::new(client.channel());
    grpc.ready().await.expect("the gateway is there");
    grpc.unary(request, path, Raw).await.map(tonic::Response::into_inner)
}

/// A method of ours by "center.Service/Method".
fn method(name: &str) -> (String, MethodDescriptor) {
    let (center, rest) = name.split_once('.').expect("center.Service/Method");
    let (service, method) = rest.split_once('/').expect("center.Service/Method");
    let service = format!("throughline.{center}.v1.{service}");
    let found = descriptors().get_service_by_name(&service).expect("a service of ours");
    let found = found.methods().find(|m| m.name() == method).expect("a method of ours");
    (format!("{service}/{method}"), found)
}

/// A request in the canonical JSON form of protobuf, as bytes, with the full name of its method.
pub(crate) fn encoded(name: &str, message: Value) -> (String, Bytes) {
    let (path, method) = method(name);
    let message = DynamicMessage::deserialize(method.input(), message)
        .unwrap_or_else(|cause| panic!("{name}: {cause}"));
    (path, message.encode_to_vec().into())
}

/// Calls "center.Service/Method" with a request in the canonical JSON form.
pub(crate) async fn call(
    client: &GatewayClient,
    name: &str,
    message: Value,
) -> Result<Bytes, Error> {
    let (path, bytes) = encoded(name, message);
    send(client, &path, Request::new(bytes)).await.map_err(|status| Error::from_status(&status))
}

/// Calls what must be refused.
pub(crate) async fn refusal(client: &GatewayClient, name: &str, message: Value) -> Error {
    match call(client, name, message.clone()).await {
        Err(error) => error,
        Ok(_) => panic!("{name} took {message}"),
    }
}
