//! The templates that come with the order center.

/// A template as it is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its document.
    pub(crate) source: &'static str,
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(Shipped {
            name: $name,
            source: include_str!(concat!("../../templates/", $name, ".yaml")),
        }),+]
    };
}

/// All of them: first those of orders, then those of businesses.
pub(crate) const SHIPPED: &[Shipped] = shipped!(
    "standard",
    "pre-order",
    "flash-sale",
    "group-buy",
    "audited",
    "telecom-plan",
    "telecom-broadband",
    "telecom-ip-phone",
    "retail-goods",
    "retail-return",
    "package-change",
    "suspend-service",
    "resume-service",
    "national-400",
    "cmnet-line",
    "ims",
);
