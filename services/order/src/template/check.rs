//! The checker: resolves every name of an expression, infers its type and bounds what it costs.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, MapExpr, SelectExpr};

use super::cost::{Cost, MAX_COST};
use super::expression::Misplaced;
use super::finding::{Problem, nearest};
use super::node::{Macro, Node, Root};
use super::scope::Variables;
use super::types::Type;
use super::value::Value;

mod call;
mod each;
mod operator;

/// An expression with its type and its worst case.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    /// What is evaluated.
    pub(super) node: Node,
    /// What it yields.
    pub(super) kind: Type,
    /// What it costs.
    pub(super) cost: Cost,
}

impl Checked {
    fn new(node: Node, kind: Type, cost: Cost) -> Self {
        Self { node, kind, cost }
    }

    /// Stands for what could not be understood, so that the rest is checked all the same.
    fn unknown() -> Self {
        Self::new(Node::Constant(Value::Null), Type::Dyn, Cost::one())
    }

    /// The text, where it is one that stands in the expression.
    fn literal_text(&self) -> Option<&str> {
        match &self.node {
            Node::Constant(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// Checks one expression.
pub(super) struct Checker<'a> {
    variables: &'a Variables<'a>,
    program: &'a cel::Program,
    locals: Vec<(String, Type)>,
    problems: Vec<Misplaced>,
}

impl<'a> Checker<'a> {
    /// A checker for an expression that may read these variables.
    pub(super) fn new(variables: &'a Variables<'a>, program: &'a cel::Program) -> Self {
        Self { variables, program, locals: Vec::new(), problems: Vec::new() }
    }

    /// Ends the check: all problems, or the expression when it is what is wanted.
    pub(super) fn conclude(
        mut self,
        checked: Checked,
        wanted: &Type,
    ) -> Result<Checked, Vec<Misplaced>> {
        if checked.cost.total > MAX_COST {
            let message =
                format!("it may take {} operations, the limit is {MAX_COST}", checked.cost.total);
            let remedy = "go through lists in one another no more, or through shorter ones";
            self.problems.push((0, Problem::new("EXPRESSION_TOO_COSTLY", message, remedy)));
        }
        if let Some(problem) = unfitting(&checked, wanted) {
            self.problems.push((0, problem));
        }
        if self.problems.is_empty() { Ok(checked) } else { Err(self.problems) }
    }

    fn report(&mut self, at: &IdedExpr, problem: Problem) -> Checked {
        let offset = self.program.source_info().offset_for(at.id).map_or(0, |(start, _)| start);
        self.problems.push((offset, problem));
        Checked::unknown()
    }

    /// Checks one node of the tree.
    pub(super) fn check(&mut self, at: &IdedExpr) -> Checked {
        match &at.expr {
            Expr::Literal(literal) => self.literal(at, literal),
            Expr::Ident(name) => self.name(at, name),
            Expr::Select(select) => self.select(at, select),
            Expr::Call(call) => self.call(at, call),
            Expr::List(list) => {
                let items: Vec<Checked> = list.elements.iter().map(|e| self.check(e)).collect();
                let cost = Cost::list(items.iter().map(|item| item.cost));
                let kinds = items.iter().map(|item| item.kind.clone());
                let kind = Type::list(kinds.reduce(Type::join).unwrap_or(Type::Dyn));
                let nodes = items.into_iter().map(|item| item.node).collect();
                Checked::new(Node::List(nodes), kind, cost)
            }
            Expr::Map(map) => self.mapping(at, map),
            Expr::Struct(_) => {
                let message = "messages are not made by their type's name";
                let remedy = "write a mapping: {'field': value}";
                self.report(at, Problem::new("EXPRESSION_UNSUPPORTED", message, remedy))
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                let problem =
                    Problem::new("EXPRESSION_SYNTAX", "a part cannot be read", "rewrite it");
                self.report(at, problem)
            }
        }
    }

    fn literal(&mut self, at: &IdedExpr, literal: &LiteralValue) -> Checked {
        let (value, kind) = match literal {
            LiteralValue::Boolean(flag) => (Value::Bool(*flag.inner()), Type::Bool),
            LiteralValue::Int(number) => (Value::Int(*number.inner()), Type::Int),
            LiteralValue::Double(number) => (Value::Double(*number.inner()), Type::Double),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::String(text) => (Value::text(text.inner()), Type::String),
            LiteralValue::Bytes(bytes) => {
                (Value::Bytes(bytes.inner().to_vec().into()), Type::Bytes)
            }
            LiteralValue::UInt(number) => match i64::try_from(*number.inner()) {
                Ok(number) => (Value::Int(number), Type::Int),
                Err(_) => {
                    let message = "the number is too large";
                    let remedy = "use at most 9223372036854775807";
                    return self.report(at, Problem::new("NUMBER_TOO_LARGE", message, remedy));
                }
            },
        };
        Checked::new(Node::Constant(value), kind, Cost::one())
    }

    fn name(&mut self, at: &IdedExpr, name: &str) -> Checked {
        if let Some(depth) = self.locals.iter().rposition(|(local, _)| local == name) {
            let kind = self.locals[depth].1.clone();
            return Checked::new(Node::Local(depth), kind, Cost::read());
        }
        if name == "steps" {
            let message = "`steps` alone is no value";
            let remedy = "write steps.<step>.<saved name>, or steps['<step>'].<saved name>";
            return self.report(at, Problem::new("VARIABLE_UNKNOWN", message, remedy));
        }
        match self.variables.root(name) {
            Ok((root, kind)) => Checked::new(Node::Root(root), kind, Cost::read()),
            Err(problem) => self.report(at, problem),
        }
    }

    fn select(&mut self, at: &IdedExpr, select: &SelectExpr) -> Checked {
        if let Some(step) = self.step_of(&select.operand) {
            return self.saved(at, &step, &select.field);
        }
        let operand = self.check(&select.operand);
        self.field(at, operand, &select.field)
    }

    /// The step that `steps.x` or `steps['x']` names.
    fn step_of(&self, at: &IdedExpr) -> Option<String> {
        let is_steps = |at: &IdedExpr| matches!(&at.expr, Expr::Ident(name) if name == "steps");
        match &at.expr {
            Expr::Select(select) if is_steps(&select.operand) => Some(select.field.clone()),
            Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX => {
                match call.args.as_slice() {
                    [list, IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), .. }]
                        if is_steps(list) =>
                    {
                        Some(text.inner().to_owned())
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn saved(&mut self, at: &IdedExpr, step: &str, name: &str) -> Checked {
        if let Err(problem) = self.variables.saved(step, name) {
            return self.report(at, problem);
        }
        let node = Node::Saved { step: Arc::from(step), name: Arc::from(name) };
        Checked::new(node, Type::Dyn, Cost::read())
    }

    fn field(&mut self, at: &IdedExpr, operand: Checked, name: &str) -> Checked {
        let cost = operand.cost.then(Cost::read());
        let kind = match &operand.kind {
            Type::Message(descriptor) => match descriptor.get_field_by_name(name) {
                Some(field) => {
                    let kind = Type::of_field(&field);
                    return Checked::new(Node::Field(operand.node.into(), field), kind, cost);
                }
                None => {
                    let message = format!("{} has no field `{name}`", descriptor.name());
                    let fields: Vec<_> = descriptor.fields().collect();
                    let remedy = nearest(name, fields.iter().map(|field| field.name()));
                    return self.report(at, Problem::new("FIELD_UNKNOWN", message, remedy));
                }
            },
            Type::Object(fields) => match fields.get(name) {
                Some(kind) if matches!(operand.node, Node::Root(Root::Form)) => {
                    let node = Node::FormField(Arc::from(name), empty(kind));
                    return Checked::new(node, kind.clone(), cost);
                }
                Some(kind) => kind.clone(),
                None => {
                    let message = format!("there is no field `{name}` here");
                    let remedy = nearest(name, fields.keys().map(String::as_str));
                    return self.report(at, Problem::new("FIELD_UNKNOWN", message, remedy));
                }
            },
            Type::Map(value) => Type::clone(value),
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("{other} has no fields, `{name}` cannot be read");
                let remedy = "read it from a message or a mapping";
                return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
            }
        };
        Checked::new(Node::Key(operand.node.into(), Arc::from(name)), kind, cost)
    }

    fn mapping(&mut self, at: &IdedExpr, map: &MapExpr) -> Checked {
        let mut entries: Vec<(Arc<str>, Node)> = Vec::new();
        let mut kinds = Vec::new();
        let mut cost = Cost::one();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let Expr::Literal(LiteralValue::String(key)) = &entry.key.expr else {
                let message = "the key of a mapping is not a text that stands there";
                let problem = Problem::new("KEY_INVALID", message, "write the key in quotes");
                self.report(at, problem);
                continue;
            };
            let value = self.check(&entry.value);
            if entries.iter().any(|(known, _)| known.as_ref() == key.inner()) {
                let message = format!("key `{}` stands there twice", key.inner());
                self.report(at, Problem::new("KEY_REPEATED", message, "keep one of them"));
            }
            cost = cost.then(value.cost);
            kinds.push((key.inner().to_owned(), value.kind));
            entries.push((Arc::from(key.inner()), value.node));
        }
        Checked::new(Node::Mapping(entries), Type::object(kinds), cost)
    }
}

/// Why an expression is not what is wanted.
fn unfitting(checked: &Checked, wanted: &Type) -> Option<Problem> {
    // A whole number that stands there may be meant for a fraction.
    if matches!((&checked.node, wanted), (Node::Constant(Value::Int(_)), Type::Double)) {
        return None;
    }
    let Err(problem) = checked.kind.fits(wanted) else { return misnamed(&checked.node, wanted) };
    let remedy = format!("write an expression that yields {wanted}");
    Some(Problem::new("TYPE_MISMATCH", problem, remedy))
}

/// The first text of an expression that stands where the name of an enum's value is wanted and is none.
fn misnamed(node: &Node, wanted: &Type) -> Option<Problem> {
    match (node, wanted) {
        (Node::Constant(Value::String(text)), Type::Enum(descriptor)) => {
            operator::unknown_name(descriptor, text)
        }
        (Node::If(parts), wanted) => parts[1..].iter().find_map(|part| misnamed(part, wanted)),
        (Node::List(items), Type::List(element)) => {
            items.iter().find_map(|item| misnamed(item, element))
        }
        (Node::Each(each), Type::List(element)) if each.kind == Macro::Map => {
            misnamed(&each.body, element)
        }
        (Node::Mapping(entries), Type::Message(descriptor)) => {
            entries.iter().find_map(|(name, value)| {
                misnamed(value, &Type::of_field(&descriptor.get_field_by_name(name)?))
            })
        }
        _ => None,
    }
}

/// What a field of a form says that was left empty.
fn empty(kind: &Type) -> Value {
    match kind {
        Type::Bool => Value::Bool(false),
        Type::Double => Value::Double(0.0),
        _ => Value::text(""),
    }
}
