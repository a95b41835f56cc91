//! An expression whose names are resolved and whose types are checked: what is evaluated.

use std::sync::Arc;

use throughline_proto::prost_reflect::FieldDescriptor;

use super::value::Value;

/// One operation; its operands first.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A value that stands in the text.
    Constant(Value),
    /// A variable.
    Root(Root),
    /// A value that an earlier step kept.
    Saved { step: Arc<str>, name: Arc<str> },
    /// The element that a macro looks at, by depth of macros.
    Local(usize),
    /// A field of a message.
    Field(Box<Node>, FieldDescriptor),
    /// Whether a field of a message is set.
    HasField(Box<Node>, FieldDescriptor),
    /// A key of a mapping or of what only shows when it is read.
    Key(Box<Node>, Arc<str>),
    /// A field of a form; one that was left empty has this value.
    FormField(Arc<str>, Value),
    /// Whether there is such a key.
    HasKey(Box<Node>, Arc<str>),
    /// An element by number or key.
    Index(Box<[Node; 2]>),
    /// Logical negation.
    Not(Box<Node>),
    /// Arithmetic negation.
    Negate(Box<Node>),
    /// Both; an error on one side does not matter when the other decides.
    And(Box<[Node; 2]>),
    /// One of both; an error on one side does not matter when the other decides.
    Or(Box<[Node; 2]>),
    /// Condition, then, else.
    If(Box<[Node; 3]>),
    /// Everything with two operands that both are read.
    Binary(Operator, Box<[Node; 2]>),
    /// A function.
    Call(Function, Vec<Node>),
    /// A macro over a list or the keys of a mapping.
    Each(Box<Each>),
    /// A list literal.
    List(Vec<Node>),
    /// A mapping literal.
    Mapping(Vec<(Arc<str>, Node)>),
}

/// Variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The customer order.
    Order,
    /// The business order.
    BusinessOrder,
    /// The business order that is taken back.
    Reversed,
    /// The lines.
    Items,
    /// The step itself.
    Step,
    /// What the call brought.
    Answer,
    /// What the person filled in.
    Form,
    /// What the event brought.
    Event,
    /// The time.
    Now,
}

/// Operators whose operands both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    In,
}

/// Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    Flatten,
    Sum,
}

/// A macro: what it goes through and what it asks of each element.
#[derive(Clone, Debug)]
pub(super) struct Each {
    /// Which macro.
    pub(super) kind: Macro,
    /// What it goes through.
    pub(super) range: Node,
    /// Elements that do not pass are left out; only `map` with three arguments has it.
    pub(super) filter: Option<Node>,
    /// What it asks or makes of each element.
    pub(super) body: Node,
}

/// Macros over elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}
