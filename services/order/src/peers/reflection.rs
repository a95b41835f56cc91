//! Learns the contracts of capabilities that are not part of the platform, from the gateway's reflection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message;
use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_proto::prost_reflect::DescriptorPool;
use tonic::Code;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

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
        reading.map_err(|_| unavailable("it did not answer in time"))??.pool()
    }

    /// Files by name with all that they import: what the platform has itself it takes from there, the rest it asks for. Who
    /// answers may send a file alone or with its imports.
    async fn files(&self, mut wanted: Vec<MessageRequest>) -> Result<Files, Error> {
        let mut files = Files::default();
        while let Some(question) = wanted.pop() {
            // What is not known there is no file: the check says so.
            let mut read = self.ask(question).await?;
            while let Some(file) = read.pop() {
                for import in files.take(file)? {
                    match throughline_proto::descriptors().get_file_by_name(&import) {
                        Some(own) => read.push(own.file_descriptor_proto().encode_to_vec()),
                        None => wanted.push(MessageRequest::FileByFilename(import)),
                    }
                }
            }
        }
        Ok(files)
    }

    /// The files of one answer. One stream for each question: who does not know a name may end the stream over it.
    async fn ask(&self, wanted: MessageRequest) -> Result<Vec<Vec<u8>>, Error> {
        let mut client = ServerReflectionClient::new(self.client.channel())
            .max_decoding_message_size(MAX_DESCRIPTOR_BYTES);
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(wanted) };
        let answer = match client.server_reflection_info(tokio_stream::once(request)).await {
            Ok(stream) => stream.into_inner().message().await,
            Err(status) => Err(status),
        };
        let answer = match answer {
            Ok(answer) => answer.and_then(|answer| answer.message_response),
            Err(status) if status.code() == Code::NotFound => None,
            // What an answer may hold at most is refused by its length, before any of it is read.
            Err(status) if status.code() == Code::OutOfRange => return Err(too_many_bytes()),
            Err(status) => return Err(unavailable(status.message())),
        };
        Ok(match answer {
            Some(MessageResponse::FileDescriptorResponse(found)) => found.file_descriptor_proto,
            Some(_) | None => Vec::new(),
        })
    }
}

/// Files that were read, with what is left of their bounds.
#[derive(Debug, Default)]
struct Files {
    by_name: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    /// Imports that were asked for, or will be.
    named: BTreeSet<String>,
}

impl Files {
    /// Takes a file in, and says which of its imports nobody has named before. What is more than may be is refused before it
    /// is kept.
    fn take(&mut self, file: Vec<u8>) -> Result<Vec<String>, Error> {
        if file.len() > MAX_DESCRIPTOR_BYTES - self.bytes {
            return Err(too_many_bytes());
        }
        let described = prost_types::FileDescriptorProto::decode(file.as_slice())
            .map_err(|cause| unreadable(&cause))?;
        let new = |import: &&String| self.named.insert((*import).clone());
        let imports: Vec<String> = described.dependency.iter().filter(new).cloned().collect();
        self.bytes += file.len();
        if let Some(same) = self.by_name.insert(described.name().to_owned(), file) {
            self.bytes -= same.len();
        }
        // Each that is named will be a file: more of them are refused before they are asked for.
        if self.by_name.len().max(self.named.len()) > MAX_FILES {
            return Err(Error::limit(DOMAIN, "max_descriptor_files", MAX_FILES));
        }
        Ok(imports)
    }

    /// Puts them together, each after those that it imports.
    fn pool(self) -> Result<DescriptorPool, Error> {
        if self.by_name.is_empty() {
            return Ok(DescriptorPool::new());
        }
        // A set in the wire format is just its files, each as a field of its own.
        let mut set = Vec::with_capacity(self.bytes);
        for file in self.by_name.into_values() {
            prost::encoding::bytes::encode(1, &file, &mut set);
        }
        DescriptorPool::decode(set.as_slice()).map_err(|cause| unreadable(&cause))
    }
}

fn too_many_bytes() -> Error {
    Error::limit(DOMAIN, "max_descriptor_bytes", MAX_DESCRIPTOR_BYTES)
}

fn unavailable(cause: &str) -> Error {
    let message = format!("ask the gateway for the contract of a capability: {cause}; try again");
    Error::new(Kind::Unavailable, DOMAIN, "REFLECTION_UNAVAILABLE", message)
}

fn unreadable(cause: &dyn std::fmt::Display) -> Error {
    let message = format!("the gateway has an unreadable contract of a capability: {cause}");
    Error::new(Kind::Precondition, DOMAIN, "DESCRIPTOR_INVALID", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, imports: &[String], more: usize) -> Vec<u8> {
        let described = prost_types::FileDescriptorProto {
            name: Some(name.to_owned()),
            package: Some("x".repeat(more)),
            dependency: imports.to_vec(),
            ..prost_types::FileDescriptorProto::default()
        };
        described.encode_to_vec()
    }

    #[test]
    fn imports_are_named_once_and_files_counted_once() {
        let mut files = Files::default();
        let (a, b) = ("a.proto".to_owned(), "b.proto".to_owned());
        let first = file("c.proto", &[a.clone(), b.clone(), a.clone()], 0);
        let bytes = first.len();
        assert_eq!(files.take(first.clone()), Ok(vec![a.clone(), b]));
        assert_eq!(files.take(first), Ok(Vec::new()));
        assert_eq!((files.by_name.len(), files.bytes), (1, bytes));
        assert_eq!(files.take(file("d.proto", &[a], 0)), Ok(Vec::new()));
    }

    #[test]
    fn more_than_may_be_is_refused_while_it_is_read() {
        let mut files = Files::default();
        files.take(file("a.proto", &[], MAX_DESCRIPTOR_BYTES / 2)).expect("half of it");
        let error = files.take(file("b.proto", &[], MAX_DESCRIPTOR_BYTES / 2)).expect_err("more");
        assert_eq!((error.reason.as_str(), files.by_name.len()), ("LIMIT_REACHED", 1));

        let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("{n}.proto")).collect();
        let mut files = Files::default();
        files.take(file("a.proto", &names[1..], 0)).expect("as many as may be");
        let error = files.take(file("b.proto", &names[..1], 0)).expect_err("one more");
        assert_eq!(error.reason, "LIMIT_REACHED");
        let mut files = Files::default();
        for name in &names[1..] {
            files.take(file(name, &[], 0)).expect("as many as may be");
        }
        assert!(files.take(file(&names[0], &[], 0)).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let mut files = Files::default();
        assert_eq!(files.take(vec![0xff]).expect_err("no file").reason, "DESCRIPTOR_INVALID");
    }
}
