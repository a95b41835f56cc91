//! Calls that templates name: any capability registered at the gateway, made with its descriptor.

use prost::Message;
use throughline_kit::client::CallOutcome;
use throughline_kit::error::Kind;
use throughline_proto::prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Response, Status};

use super::{Peers, failure};
use crate::decide::expression_failed;
use crate::event::{Gain, Outcome};
use crate::facts::OrderFacts;
use crate::failure::Failure;
use crate::order::{Order, Place};
use crate::template::{Call, Reading};
use crate::work::CallPurpose;

impl Peers {
    /// Makes a call of a step's template and says what it brought.
    pub(super) async fn call(
        &self,
        order: &Order,
        place: Place,
        purpose: CallPurpose,
        request_id: String,
    ) -> Outcome {
        let step = order.step(place);
        let definition = step.definition();
        let call = match purpose {
            CallPurpose::Do => step.call(),
            CallPurpose::Ask => step.asks_by(),
            CallPurpose::Undo => definition.undo.as_ref(),
            CallPurpose::AskUndo => {
                definition.undo.as_ref().and_then(|undo| undo.on_unknown.as_deref())
            }
        };
        let Some(call) = call else {
            return Outcome::Declined(missing(&step.id));
        };
        let facts = OrderFacts::new(order, place, self.clock.now()).calling(purpose, request_id);
        let request = match call.request(&facts) {
            Ok(request) => request,
            Err(cause) => return Outcome::Declined(expression_failed(&cause.to_string())),
        };
        let mut context = self.context(order);
        context.timeout = definition.timeout.or(context.timeout);
        let result = self.send(call, context.request(request)).await;
        read(call, &facts, purpose, result)
    }

    async fn send(
        &self,
        call: &Call,
        request: tonic::Request<DynamicMessage>,
    ) -> Result<Response<DynamicMessage>, Status> {
        let mut client = tonic::client::Grpc::new(self.client.channel());
        client.ready().await.map_err(|cause| Status::unavailable(cause.to_string()))?;
        let path = http::uri::PathAndQuery::from_maybe_shared(format!("/{}", call.method()))
            .map_err(|cause| Status::internal(cause.to_string()))?;
        client.unary(request, path, ByDescriptor { answer: call.descriptor.output() }).await
    }
}

fn missing(step: &str) -> Failure {
    let message = format!("the template has no such call for step {step}");
    Failure::new("CALL_MISSING", crate::error::DOMAIN, message)
}

fn read(
    call: &Call,
    facts: &OrderFacts<'_>,
    purpose: CallPurpose,
    result: Result<Response<DynamicMessage>, Status>,
) -> Outcome {
    let answer = match CallOutcome::from_result(result) {
        CallOutcome::Answered(answer) => answer,
        // One that never arrived may be sent again, with the same reference.
        CallOutcome::Declined(error) if purpose.asks() && error.kind == Kind::NotFound => {
            return Outcome::NeverArrived(failure(&error));
        }
        CallOutcome::Declined(error)
        | CallOutcome::NotAttempted(error)
        | CallOutcome::Unknown(error)
            if purpose.asks() =>
        {
            return Outcome::Unknown(failure(&error));
        }
        // The first request with this id said something else; what became of that one is not known.
        CallOutcome::Declined(error) if error.reason == "REQUEST_ID_REUSED" => {
            return Outcome::Unknown(failure(&error));
        }
        CallOutcome::Declined(error) => return Outcome::Declined(failure(&error)),
        CallOutcome::NotAttempted(error) => return Outcome::NotAttempted(failure(&error)),
        CallOutcome::Unknown(error) => return Outcome::Unknown(failure(&error)),
    };
    let system = call.system().to_owned();
    match call.read(facts, answer) {
        Ok(Reading::Succeeded { saved }) if saved.is_empty() => Outcome::Succeeded(Gain::Nothing),
        Ok(Reading::Succeeded { saved }) => Outcome::Succeeded(Gain::Saved(saved)),
        Ok(Reading::Pending) => Outcome::Pending { token: String::new(), ask_at: None },
        Ok(Reading::Declined { reason, message }) => {
            Outcome::Declined(Failure::heard(&reason, &system, &message))
        }
        // What was done stands, whatever is wrong with the way in which the answer is read.
        Err(cause) => Outcome::Unknown(expression_failed(&cause.to_string())),
    }
}

/// Writes and reads messages by their descriptors.
#[derive(Clone, Debug)]
struct ByDescriptor {
    answer: MessageDescriptor,
}

impl Codec for ByDescriptor {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self::Encoder {
        self.clone()
    }

    fn decoder(&mut self) -> Self::Decoder {
        self.clone()
    }
}

impl Encoder for ByDescriptor {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(
        &mut self,
        message: DynamicMessage,
        buffer: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        message.encode(buffer).map_err(|cause| Status::internal(cause.to_string()))
    }
}

impl Decoder for ByDescriptor {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.answer.clone(), buffer)
            .map(Some)
            .map_err(|cause| Status::internal(cause.to_string()))
    }
}
