//! Learns the contracts of capabilities that are not part of the platform, from the gateway's reflection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message;
use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_proto::prost_reflect::DescriptorPool;
use tonic::Code;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::error::DOMAIN;

/// How long the gateway may take to answer.
const REFLECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Services that are asked for at a time.
const MAX_SERVICES: usize = 64;
/// Bytes of all descriptors of one template.
const MAX_DESCRIPTOR_BYTES: usize = 4 << 20;
/// Files of one answer, those that are imported included.
const MAX_FILES: usize = 512;

/// Asks the gateway for contracts.
#[derive(Clone, Debug)]
pub(crate) struct Reflection {
    /// The way to the gateway.
    pub(crate) client: GatewayClient,
}

impl Reflection {
    /// Descriptors of the services of these methods, as far as the gateway knows them.
    pub(crate) async fn descriptors(&self, methods: &[String]) -> Result<DescriptorPool, Error> {
        let mut services: Vec<&str> =
            methods.iter().filter_map(|method| method.split_once('/').map(|(s, _)| s)).collect();
        services.sort_unstable();
        services.dedup();
        services.truncate(MAX_SERVICES);
        let wanted = services.iter().map(|s| MessageRequest::FileContainingSymbol((*s).to_owned()));
        let reading = tokio::time::timeout(REFLECTION_TIMEOUT, self.files(wanted.collect())).await;
        pool(reading.map_err(|_| unavailable("it did not answer in time"))??)
    }

    /// Files by name with all that they import: what the platform has itself it takes from there, the rest it asks for. Who
    /// answers may send a file alone or with its imports.
    async fn files(
        &self,
        mut wanted: Vec<MessageRequest>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut files = BTreeMap::new();
        let mut named = BTreeSet::new();
        while !wanted.is_empty() {
            let mut read = Vec::new();
            for answer in self.ask(std::mem::take(&mut wanted)).await? {
                // What is not known there is no file: the check says so.
                if let Some(MessageResponse::FileDescriptorResponse(found)) =
                    answer.message_response
                {
                    read.extend(found.file_descriptor_proto);
                }
            }
            while let Some(file) = read.pop() {
                let described = prost_types::FileDescriptorProto::decode(file.as_slice())
                    .map_err(|cause| unreadable(&cause))?;
                for import in &described.dependency {
                    if !named.insert(import.clone()) {
                        continue;
                    }
                    match throughline_proto::descriptors().get_file_by_name(import) {
                        Some(own) => read.push(own.file_descriptor_proto().encode_to_vec()),
                        None => wanted.push(MessageRequest::FileByFilename(import.clone())),
                    }
                }
                files.insert(described.name().to_owned(), file);
            }
            if files.len() > MAX_FILES {
                return Err(Error::limit(DOMAIN, "max_descriptor_files", MAX_FILES));
            }
        }
        Ok(files)
    }

    /// One stream for each question: who does not know a name may end the stream over it.
    async fn ask(
        &self,
        wanted: Vec<MessageRequest>,
    ) -> Result<Vec<ServerReflectionResponse>, Error> {
        let mut client = ServerReflectionClient::new(self.client.channel());
        let mut answers = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let request =
                ServerReflectionRequest { host: String::new(), message_request: Some(wanted) };
            let answer = match client.server_reflection_info(tokio_stream::once(request)).await {
                Ok(stream) => stream.into_inner().message().await,
                Err(status) => Err(status),
            };
            match answer {
                Ok(answer) => answers.extend(answer),
                Err(status) if status.code() == Code::NotFound => {}
                Err(status) => return Err(unavailable(status.message())),
            }
        }
        Ok(answers)
    }
}

/// Puts files together, each after those that it imports.
fn pool(files: BTreeMap<String, Vec<u8>>) -> Result<DescriptorPool, Error> {
    if files.values().map(Vec::len).sum::<usize>() > MAX_DESCRIPTOR_BYTES {
        return Err(Error::limit(DOMAIN, "max_descriptor_bytes", MAX_DESCRIPTOR_BYTES));
    }
    if files.is_empty() {
        return Ok(DescriptorPool::new());
    }
    // A set in the wire format is just its files, each as a field of its own.
    let mut set = Vec::new();
    for file in files.into_values() {
        prost::encoding::bytes::encode(1, &file, &mut set);
    }
    DescriptorPool::decode(set.as_slice()).map_err(|cause| unreadable(&cause))
}

fn unavailable(cause: &str) -> Error {
    let message = format!("ask the gateway for the contract of a capability: {cause}; try again");
    Error::new(Kind::Unavailable, DOMAIN, "REFLECTION_UNAVAILABLE", message)
}

fn unreadable(cause: &dyn std::fmt::Display) -> Error {
    let message = format!("the gateway has an unreadable contract of a capability: {cause}");
    Error::new(Kind::Precondition, DOMAIN, "DESCRIPTOR_INVALID", message)
}
