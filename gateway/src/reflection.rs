//! `grpc.reflection` for everything behind the gateway: built anew when a service comes or goes, answered from one place.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use throughline_proto::DESCRIPTOR_SET;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

/// Services that every gateway answers and that no registration names.
const STANDARD_SERVICES: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// The current answers. Clones share them.
#[derive(Clone)]
pub(crate) struct Reflection {
    routes: Arc<ArcSwap<Routes>>,
    shown: Arc<Mutex<(BTreeSet<String>, usize)>>,
}

impl fmt::Debug for Reflection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reflection")
    }
}

impl Reflection {
    /// Starts with nothing to show.
    pub(crate) fn new() -> Self {
        Self { routes: Arc::new(ArcSwap::from_pointee(Routes::default())), shown: Arc::default() }
    }

    /// What answers now.
    pub(crate) fn routes(&self) -> Routes {
        Routes::clone(&self.routes.load())
    }

    /// Shows these services, described by these descriptor sets.
    pub(crate) fn publish<'a>(
        &self,
        services: &BTreeSet<&str>,
        descriptor_sets: impl Iterator<Item = &'a Arc<[u8]>>,
    ) {
        let sets: Vec<&Arc<[u8]>> = descriptor_sets.collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let same = shown.1 == sets.len()
            && shown.0.iter().map(String::as_str).eq(services.iter().copied());
        if same {
            return;
        }
        match build(services, &sets) {
            Ok(routes) => self.routes.store(Arc::new(routes)),
            Err(cause) => tracing::warn!(%cause, "show services by reflection"),
        }
        *shown = (services.iter().map(|&s| s.to_owned()).collect(), sets.len());
    }
}

fn build(
    services: &BTreeSet<&str>,
    sets: &[&Arc<[u8]>],
) -> Result<Routes, tonic_reflection::server::Error> {
    let builder = || {
        // Our own files first: of two files of one name the first is shown.
        let mut builder = Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(
                tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            );
        for set in sets {
            builder = builder.register_encoded_file_descriptor_set(set);
        }
        services.iter().chain(&STANDARD_SERVICES).fold(builder, |b, &s| b.with_service_name(s))
    };
    Ok(Routes::new(builder().build_v1()?).add_service(builder().build_v1alpha()?))
}
