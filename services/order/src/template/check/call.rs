//! Calls: operators that are written as such, functions, `has`.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators as names};

use super::operator::operator;
use super::{Checked, Checker};
use crate::template::cost::Cost;
use crate::template::finding::{Problem, nearest};
use crate::template::node::{Function, Node, Root};
use crate::template::types::Type;

/// Functions by name; what is called on a value may also take it as its first argument.
const FUNCTIONS: &[(&str, Function)] = &[
    ("size", Function::Size),
    ("contains", Function::Contains),
    ("startsWith", Function::StartsWith),
    ("endsWith", Function::EndsWith),
    ("int", Function::Int),
    ("double", Function::Double),
    ("string", Function::String),
    ("timestamp", Function::Timestamp),
    ("duration", Function::Duration),
    ("flatten", Function::Flatten),
    ("sum", Function::Sum),
];

impl Checker<'_> {
    pub(super) fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Checked {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            (names::LOGICAL_AND, None, [left, right]) => {
                self.logical(at, [left, right], |nodes| Node::And(Box::new(nodes)))
            }
            (names::LOGICAL_OR, None, [left, right]) => {
                self.logical(at, [left, right], |nodes| Node::Or(Box::new(nodes)))
            }
            (names::LOGICAL_NOT, None, [operand]) => {
                let operand = self.check(operand);
                self.want(at, &operand, &Type::Bool);
                let cost = operand.cost.then(Cost::one());
                Checked::new(Node::Not(operand.node.into()), Type::Bool, cost)
            }
            (names::NEGATE, None, [operand]) => self.negate(at, operand),
            (names::CONDITIONAL, None, [condition, then, otherwise]) => {
                self.conditional(at, [condition, then, otherwise])
            }
            (names::INDEX, None, [list, index]) => self.index(at, list, index),
            (names::HAS, None, [operand]) => self.has(at, operand),
            _ if operator(name).is_some() => match (operator(name), call.args.as_slice()) {
                (Some(found), [left, right]) => {
                    let sides = [self.check(left), self.check(right)];
                    self.binary(at, found, sides)
                }
                _ => self.unknown_function(at, name),
            },
            _ => match Self::macro_of(call) {
                Some((kind, range)) => self.each(at, kind, range, &call.args),
                None => self.function(at, call),
            },
        }
    }

    fn logical(
        &mut self,
        at: &IdedExpr,
        [left, right]: [&IdedExpr; 2],
        make: impl FnOnce([Node; 2]) -> Node,
    ) -> Checked {
        let (left, right) = (self.check(left), self.check(right));
        self.want(at, &left, &Type::Bool);
        self.want(at, &right, &Type::Bool);
        let cost = left.cost.then(right.cost).then(Cost::one());
        Checked::new(make([left.node, right.node]), Type::Bool, cost)
    }

    fn negate(&mut self, at: &IdedExpr, operand: &IdedExpr) -> Checked {
        let operand = self.check(operand);
        if !operand.kind.is_number() && !matches!(operand.kind, Type::Dyn | Type::Duration) {
            let message = format!("`-` does not take {}", operand.kind);
            return self.report(at, Problem::new("TYPE_MISMATCH", message, "negate a number"));
        }
        let cost = operand.cost.then(Cost::one());
        Checked::new(Node::Negate(operand.node.into()), operand.kind, cost)
    }

    fn conditional(&mut self, at: &IdedExpr, [condition, then, or]: [&IdedExpr; 3]) -> Checked {
        let condition = self.check(condition);
        self.want(at, &condition, &Type::Bool);
        let (then, or) = (self.check(then), self.check(or));
        let items = then.cost.items.max(or.cost.items);
        let cost = condition.cost.then(then.cost).then(or.cost).then(Cost::one()).holding(items);
        let kind = then.kind.join(or.kind);
        Checked::new(Node::If(Box::new([condition.node, then.node, or.node])), kind, cost)
    }

    fn index(&mut self, at: &IdedExpr, list: &IdedExpr, index: &IdedExpr) -> Checked {
        let (list, index) = (self.check(list), self.check(index));
        let kind = match (&list.kind, &index.kind) {
            (Type::List(element), Type::Int | Type::Dyn) => Type::clone(element),
            (
                Type::Map(value),
                Type::String | Type::Int | Type::Bool | Type::Enum(_) | Type::Dyn,
            ) => Type::clone(value),
            (Type::Object(_) | Type::Message(_), _) if index.literal_text().is_some() => {
                let name = index.literal_text().unwrap_or_default().to_owned();
                return self.field(at, list, &name);
            }
            (Type::Dyn, _) => Type::Dyn,
            (list, index) => {
                let message = format!("{list} has no element by {index}");
                let remedy = "read lists by number and mappings by text";
                return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
            }
        };
        let cost = list.cost.then(index.cost).then(Cost::read());
        Checked::new(Node::Index(Box::new([list.node, index.node])), kind, cost)
    }

    fn has(&mut self, at: &IdedExpr, operand: &IdedExpr) -> Checked {
        let is_selection = matches!(&operand.expr, Expr::Select(_));
        let checked = self.check(operand);
        let cost = checked.cost.then(Cost::one());
        let node = match checked.node {
            Node::Field(inner, field) => Node::HasField(inner, field),
            Node::Key(inner, key) => Node::HasKey(inner, key),
            Node::FormField(key, _) => Node::HasKey(Box::new(Node::Root(Root::Form)), key),
            saved @ Node::Saved { .. } => Node::Not(Box::new(is_null(saved))),
            // What could not be understood has been reported.
            Node::Constant(_) if is_selection => checked.node,
            _ => {
                let message = "has() takes a field";
                let remedy = "write has(message.field)";
                return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
            }
        };
        Checked::new(node, Type::Bool, cost)
    }

    /// Reports an operand that is not what is wanted.
    pub(super) fn want(&mut self, at: &IdedExpr, operand: &Checked, wanted: &Type) {
        if let Err(problem) = operand.kind.fits(wanted) {
            let remedy = format!("write something that yields {wanted}");
            self.report(at, Problem::new("TYPE_MISMATCH", problem, remedy));
        }
    }

    fn function(&mut self, at: &IdedExpr, call: &CallExpr) -> Checked {
        let Some((_, function)) = FUNCTIONS.iter().find(|(name, _)| *name == call.func_name) else {
            return self.unknown_function(at, &call.func_name);
        };
        let arguments = call.target.as_deref().into_iter().chain(&call.args);
        let arguments: Vec<Checked> = arguments.map(|argument| self.check(argument)).collect();
        let Some((kind, cost)) = signature(*function, &arguments) else {
            let kinds: Vec<String> = arguments.iter().map(|a| a.kind.to_string()).collect();
            let message = format!("{}() does not take ({})", call.func_name, kinds.join(", "));
            let remedy = "give it what it takes, or convert first";
            return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
        };
        let total = arguments.iter().fold(cost, |sum, argument| argument.cost.then(sum));
        let nodes = arguments.into_iter().map(|argument| argument.node).collect();
        Checked::new(Node::Call(*function, nodes), kind, total)
    }

    fn unknown_function(&mut self, at: &IdedExpr, name: &str) -> Checked {
        let message = format!("there is no function `{name}`");
        let macros = ["has", "all", "exists", "exists_one", "map", "filter"];
        let remedy = match name {
            "matches" => {
                "regular expressions are off; use contains, startsWith or endsWith".to_owned()
            }
            _ => nearest(name, FUNCTIONS.iter().map(|(name, _)| *name).chain(macros)),
        };
        self.report(at, Problem::new("FUNCTION_UNKNOWN", message, remedy))
    }
}

fn is_null(node: Node) -> Node {
    let null = Node::Constant(crate::template::Value::Null);
    Node::Binary(crate::template::node::Operator::Equal, Box::new([node, null]))
}

/// What a function yields for these arguments, and what it costs itself; none when it does not take them.
fn signature(function: Function, arguments: &[Checked]) -> Option<(Type, Cost)> {
    let kinds: Vec<&Type> = arguments.iter().map(|argument| &argument.kind).collect();
    let items = arguments.first().map_or(1, |argument| argument.cost.items);
    let scan = Cost::one().holding(items).scanned();
    Some(match (function, kinds.as_slice()) {
        (Function::Size, [Type::String | Type::Bytes | Type::Enum(_) | Type::Dyn])
        | (Function::Size, [Type::List(_) | Type::Map(_) | Type::Object(_)]) => {
            (Type::Int, Cost::one())
        }
        (Function::Contains | Function::StartsWith | Function::EndsWith, [text, part])
            if (text.is_text() || **text == Type::Dyn)
                && (part.is_text() || **part == Type::Dyn) =>
        {
            (Type::Bool, Cost::one())
        }
        (
            Function::Int,
            [Type::Int | Type::Double | Type::String | Type::Timestamp | Type::Dyn],
        ) => (Type::Int, Cost::one()),
        (Function::Double, [Type::Int | Type::Double | Type::String | Type::Dyn]) => {
            (Type::Double, Cost::one())
        }
        (
            Function::String,
            [
                Type::Bool
                | Type::Int
                | Type::Double
                | Type::String
                | Type::Enum(_)
                | Type::Timestamp
                | Type::Duration
                | Type::Dyn,
            ],
        ) => (Type::String, Cost::one()),
        (Function::Timestamp, [Type::String | Type::Timestamp | Type::Dyn]) => {
            (Type::Timestamp, Cost::one())
        }
        (Function::Duration, [Type::String | Type::Duration | Type::Dyn]) => {
            (Type::Duration, Cost::one())
        }
        (Function::Flatten, [Type::List(inner)]) => match &**inner {
            Type::List(element) => (Type::List(element.clone()), flattened(items)),
            Type::Dyn => (Type::list(Type::Dyn), flattened(items)),
            _ => return None,
        },
        (Function::Flatten, [Type::Dyn]) => (Type::list(Type::Dyn), flattened(items)),
        (Function::Sum, [Type::List(element)]) if matches!(**element, Type::Int | Type::Dyn) => {
            (Type::Int, scan)
        }
        (Function::Sum, [Type::Dyn]) => (Type::Int, scan),
        _ => return None,
    })
}

fn flattened(items: u64) -> Cost {
    use crate::template::cost::{MAX_LIST_ITEMS, MAX_MADE_ITEMS};
    let made = items.saturating_mul(MAX_LIST_ITEMS).min(MAX_MADE_ITEMS as u64);
    Cost::one().holding(made).scanned().holding(made)
}
