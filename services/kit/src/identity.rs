//! Who calls, as the gateway established it.

use tonic::metadata::MetadataMap;

/// Metadata keys that only the gateway writes; it removes them from what callers send.
pub mod keys {
    /// Name of the caller.
    pub const CALLER: &str = "x-caller";
    /// CHANNEL, OPERATOR, CENTER or SYSTEM.
    pub const CALLER_KIND: &str = "x-caller-kind";
    /// Name of the caller where it is a channel.
    pub const CHANNEL: &str = "x-channel";
    /// Name of the caller where it is an operator.
    pub const OPERATOR: &str = "x-operator";
    /// Rights beyond methods, separated by commas.
    pub const RIGHTS: &str = "x-rights";
    /// Order that a call belongs to; centers and systems set it.
    pub const ORDER_ID: &str = "x-order-id";
    /// Center that serves a call to a service which several serve.
    pub const CENTER: &str = "x-center";
    /// W3C trace context.
    pub const TRACE_PARENT: &str = "traceparent";
}

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// A channel app.
    Channel,
    /// A person at work.
    Operator,
    /// A center.
    Center,
    /// An outside system.
    System,
}

impl CallerKind {
    /// As it stands in metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "CHANNEL",
            Self::Operator => "OPERATOR",
            Self::Center => "CENTER",
            Self::System => "SYSTEM",
        }
    }

    /// Reads it back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Channel, Self::Operator, Self::Center, Self::System]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Unique name; "direct" for a call that did not come through the gateway.
    pub name: String,
    /// What it is.
    pub kind: CallerKind,
    /// Rights beyond methods.
    pub rights: Vec<String>,
    /// W3C traceparent of the call; empty where there is none.
    pub trace_parent: String,
}

impl Caller {
    /// Reads what the gateway wrote.
    pub fn from_metadata(metadata: &MetadataMap) -> Self {
        let text = |key: &str| metadata.get(key).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let name = text(keys::CALLER);
        Self {
            name: if name.is_empty() { "direct".to_owned() } else { name.to_owned() },
            kind: CallerKind::parse(text(keys::CALLER_KIND)).unwrap_or(CallerKind::Center),
            rights: text(keys::RIGHTS)
                .split(',')
                .filter(|right| !right.is_empty())
                .map(str::to_owned)
                .collect(),
            trace_parent: text(keys::TRACE_PARENT).to_owned(),
        }
    }

    /// The caller's own channel, if it is one: it sees nothing of other channels.
    pub fn channel(&self) -> Option<&str> {
        (self.kind == CallerKind::Channel).then_some(self.name.as_str())
    }

    /// Whether it holds a right.
    pub fn has_right(&self, right: &str) -> bool {
        self.rights.iter().any(|r| r == right)
    }
}
