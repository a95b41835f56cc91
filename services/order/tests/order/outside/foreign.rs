//! A system that the platform was not built for: its contract is made while the tests run, and told
//! by reflection alone.

use std::convert::Infallible;
use std::task::{Context, Poll};

use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use super::Outside;

/// What it is asked.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Booking {
    #[prost(string, tag = "1")]
    pub(crate) reference: String,
    #[prost(string, tag = "2")]
    pub(crate) place: String,
    #[prost(int64, tag = "3")]
    pub(crate) units: i64,
    #[prost(string, repeated, tag = "4")]
    pub(crate) skills: Vec<String>,
}

/// What it answers.
#[derive(Clone, PartialEq, Message)]
struct Booked {
    #[prost(bool, tag = "1")]
    booked: bool,
    #[prost(string, tag = "2")]
    ticket: String,
    #[prost(string, tag = "3")]
    reason: String,
}

fn field(number: i32, name: &str, kind: Type, label: Label) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        label: Some(label.into()),
        ..Default::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..Default::default() }
}

fn method(name: &str, streams: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".acme.crew.v1.Booking".to_owned()),
        output_type: Some(".acme.crew.v1.Booked".to_owned()),
        server_streaming: Some(streams),
        ..Default::default()
    }
}

fn contract() -> FileDescriptorSet {
    let one = Label::Optional;
    let booking = vec![
        field(1, "reference", Type::String, one),
        field(2, "place", Type::String, one),
        field(3, "units", Type::Int64, one),
        field(4, "skills", Type::String, Label::Repeated),
    ];
    let booked = vec![
        field(1, "booked", Type::Bool, one),
        field(2, "ticket", Type::String, one),
        field(3, "reason", Type::String, one),
    ];
    let service = ServiceDescriptorProto {
        name: Some("CrewService".to_owned()),
        method: vec![method("Book", false), method("Unbook", false), method("Follow", true)],
        ..Default::default()
    };
    FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("acme/crew/v1/crew.proto".to_owned()),
            package: Some("acme.crew.v1".to_owned()),
            message_type: vec![message("Booking", booking), message("Booked", booked)],
            service: vec![service],
            syntax: Some("proto3".to_owned()),
            ..Default::default()
        }],
    }
}

/// Tells the contract, as the gateway does for every system that is registered.
pub(super) fn reflection() -> ServerReflectionServer<impl ServerReflection> {
    let builder = tonic_reflection::server::Builder::configure();
    builder.register_file_descriptor_set(contract()).build_v1().expect("a contract")
}

/// The system's server.
#[derive(Clone, Debug)]
pub(super) struct Crew(pub(super) Outside);

impl NamedService for Crew {
    const NAME: &'static str = "acme.crew.v1.CrewService";
}

impl Service<http::Request<Body>> for Crew {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let method = path.rsplit('/').next().unwrap_or_default().to_owned();
        let called = Called { outside: self.0.clone(), method };
        Box::pin(async move { Ok(Grpc::new(AsBytes).unary(called, request).await) })
    }
}

/// One call of a method.
#[derive(Clone, Debug)]
struct Called {
    outside: Outside,
    method: String,
}

impl UnaryService<Vec<u8>> for Called {
    type Response = Vec<u8>;
    type Future = BoxFuture<Response<Vec<u8>>, Status>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let Self { outside, method } = self.clone();
        Box::pin(async move {
            let (metadata, extensions, bytes) = request.into_parts();
            let booking = Booking::decode(bytes.as_slice()).expect("a booking");
            let id = booking.reference.clone();
            let request = Request::from_parts(metadata, extensions, booking);
            let name = method.clone();
            let met = outside.meet(name, &id, request, |books, booking, behavior| {
                if let super::Behavior::Refuse(reason) = behavior {
                    return Ok(Booked { reason: reason.to_owned(), ..Booked::default() });
                }
                books.effects.push(format!("{method} {}", booking.place));
                books.bookings.push(booking.clone());
                let ticket = format!("ticket-{}", books.bookings.len());
                Ok(Booked { booked: true, ticket, reason: String::new() })
            });
            Ok(met.await?.map(|booked| booked.encode_to_vec()))
        })
    }
}

/// Messages as they are: nothing here was built with their types.
#[derive(Clone, Copy, Debug)]
struct AsBytes;

impl Codec for AsBytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for AsBytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for AsBytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
