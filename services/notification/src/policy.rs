//! Policies: which event tells whom what.

/// An event of a type tells the customer of its order what a template says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) code: String,
    pub(crate) event_type: String,
    pub(crate) template: String,
}

impl Policy {
    /// Who asked for a notification that the policy made.
    pub(crate) fn source(&self) -> String {
        format!("policy:{}", self.code)
    }
}
