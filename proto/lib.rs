//! The contracts of Throughline.
//!
//! The `.proto` files beside this one are the manual of every service: units, limits, defaults and errors stand there.
//! This crate holds what is generated from them, one module per package, and the descriptor set with custom options
//! and comments, which services announce to the gateway and tools read by reflection.

use std::sync::LazyLock;

pub use prost_reflect;
use prost_reflect::DescriptorPool;

/// Serialised `google.protobuf.FileDescriptorSet` of all packages, with custom options and comments.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// Returns the descriptors of all packages, decoded once.
pub fn descriptors() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(DESCRIPTOR_SET).expect("the compiler wrote a valid descriptor set")
    });
    &POOL
}

macro_rules! packages {
    ($($name:ident),+ $(,)?) => {$(
        #[doc = concat!("Package `throughline.", stringify!($name), ".v1`.")]
        pub mod $name {
            #[doc = concat!("Version 1 of package `throughline.", stringify!($name), "`.")]
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/throughline.", stringify!($name), ".v1.rs"));
            }
        }
    )+};
}

packages!(
    billing,
    event,
    gateway,
    logistics,
    notification,
    options,
    order,
    paychannel,
    payment,
    product,
    provisioning,
    resource,
    simulator,
    sms,
);

/// Package `throughline.type.v1`.
pub mod r#type {
    /// Version 1 of package `throughline.type`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/throughline.r#type.v1.rs"));
    }
}
