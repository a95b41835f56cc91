//! Evaluates expressions over the facts of one order. Nothing here panics or runs without end: every operation is counted.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use throughline_kit::clock::Instant;

use super::cost::{MAX_COST, MAX_MADE};
use super::expression::Program;
use super::facts::Facts;
use super::node::{Each, Macro, Node, Root};
use super::value::Value;

mod constant;
mod function;
mod operation;

/// An expression that met a value which it cannot work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}; correct the template or the order's data")]
pub(crate) struct EvaluationFailed {
    /// Where the expression stands in its template.
    pub(crate) path: String,
    /// What went wrong.
    pub(crate) message: String,
}

impl EvaluationFailed {
    /// Reason of the failure of a step whose expression failed: trying again does not help.
    pub(crate) const REASON: &'static str = "EXPRESSION_FAILED";
}

/// What is only there in one place of a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// `answer`.
    pub(super) answer: Option<Value>,
    /// `form`.
    pub(super) form: Option<Value>,
    /// `event`.
    pub(super) event: Option<Value>,
}

/// One evaluation, or several over the same facts.
pub(super) struct Scope<'a> {
    facts: &'a dyn Facts,
    given: Given,
    order: OnceCell<Value>,
    business_order: OnceCell<Value>,
    reversed: OnceCell<Value>,
    items: OnceCell<Value>,
    step: OnceCell<Value>,
    left: Cell<u64>,
    unmade: Cell<u64>,
}

/// What goes wrong inside an expression.
pub(super) type Outcome = Result<Value, String>;

impl<'a> Scope<'a> {
    /// Over these facts, and what is given here alone.
    pub(super) fn new(facts: &'a dyn Facts, given: Given) -> Self {
        Self {
            facts,
            given,
            order: OnceCell::new(),
            business_order: OnceCell::new(),
            reversed: OnceCell::new(),
            items: OnceCell::new(),
            step: OnceCell::new(),
            left: Cell::new(0),
            unmade: Cell::new(0),
        }
    }

    /// Evaluates one expression.
    pub(super) fn evaluate(&self, program: &Program) -> Result<Value, EvaluationFailed> {
        self.left.set(MAX_COST);
        self.unmade.set(MAX_MADE);
        let value = self.value(program.node(), &mut Vec::new());
        value.map_err(|message| failed(program, message))
    }

    /// Evaluates an expression that says yes or no.
    pub(super) fn flag(&self, program: &Program) -> Result<bool, EvaluationFailed> {
        match self.evaluate(program)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(failed(program, format!("yields {}, not bool", other.kind()))),
        }
    }

    /// Evaluates an expression that yields a text.
    pub(super) fn text(&self, program: &Program) -> Result<String, EvaluationFailed> {
        match self.evaluate(program)? {
            Value::String(text) => Ok(text.to_string()),
            other => Err(failed(program, format!("yields {}, not string", other.kind()))),
        }
    }

    /// Counts operations.
    fn spend(&self, operations: u64) -> Result<(), String> {
        let left = self.left.get().checked_sub(operations);
        self.left.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| format!("takes more than {MAX_COST} operations"))
    }

    /// Counts what is made, so that a small expression fills no memory.
    fn make(&self, value: Value) -> Outcome {
        let left = self.unmade.get().checked_sub(operation::length(&value));
        self.unmade.set(left.unwrap_or(0));
        left.map(|_| value).ok_or_else(|| format!("makes more than {MAX_MADE} elements"))
    }

    fn value(&self, node: &Node, locals: &mut Vec<Value>) -> Outcome {
        self.spend(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Root(root) => Ok(self.root(*root)),
            Node::Saved { step, name } => Ok(self.facts.saved(step, name)),
            Node::Local(depth) => Ok(locals.get(*depth).cloned().unwrap_or(Value::Null)),
            Node::Field(operand, field) => match self.value(operand, locals)? {
                Value::Message(record) => Ok(record.field(field)),
                other => Err(format!("`{}` is read from {}", field.name(), other.kind())),
            },
            Node::HasField(operand, field) => match self.value(operand, locals)? {
                Value::Message(record) => Ok(Value::Bool(record.has(field))),
                Value::Null => Ok(Value::Bool(false)),
                other => Err(format!("`{}` is read from {}", field.name(), other.kind())),
            },
            Node::Key(operand, key) => operation::key(&self.value(operand, locals)?, key),
            Node::FormField(key, empty) => match self.root(Root::Form) {
                Value::Map(entries) => Ok(entries.get(key).unwrap_or(empty).clone()),
                _ => Ok(empty.clone()),
            },
            Node::HasKey(operand, key) => {
                Ok(Value::Bool(operation::has_key(&self.value(operand, locals)?, key)))
            }
            Node::Index(parts) => {
                let [list, index] = parts.as_ref();
                operation::index(&self.value(list, locals)?, &self.value(index, locals)?)
            }
            Node::Not(operand) => Ok(Value::Bool(!self.truth(operand, locals)?)),
            Node::Negate(operand) => operation::negate(&self.value(operand, locals)?),
            Node::And(sides) => self.decided(sides, false, locals),
            Node::Or(sides) => self.decided(sides, true, locals),
            Node::If(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                let chosen = if self.truth(condition, locals)? { then } else { otherwise };
                self.value(chosen, locals)
            }
            Node::Binary(operator, sides) => {
                let [left, right] = sides.as_ref();
                let (left, right) = (self.value(left, locals)?, self.value(right, locals)?);
                self.spend(operation::weight(*operator, &left, &right))?;
                self.make(operation::binary(*operator, &left, &right)?)
            }
            Node::Call(function, arguments) => {
                let arguments: Result<Vec<Value>, String> =
                    arguments.iter().map(|argument| self.value(argument, locals)).collect();
                let arguments = arguments?;
                self.spend(arguments.iter().map(operation::length).sum())?;
                self.make(function::call(*function, &arguments)?)
            }
            Node::Each(each) => self.each(each, locals),
            Node::List(items) => {
                let items: Result<Vec<Value>, String> =
                    items.iter().map(|item| self.value(item, locals)).collect();
                self.make(Value::list(items?))
            }
            Node::Mapping(entries) => {
                let entries: Result<_, String> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.value(value, locals)?)))
                    .collect();
                self.make(Value::Map(Arc::new(entries?)))
            }
        }
    }

    fn root(&self, root: Root) -> Value {
        let given = |value: &Option<Value>| value.clone().unwrap_or(Value::Null);
        match root {
            Root::Order => self.order.get_or_init(|| self.facts.order()).clone(),
            Root::BusinessOrder => {
                self.business_order.get_or_init(|| self.facts.business_order()).clone()
            }
            Root::Reversed => self.reversed.get_or_init(|| self.facts.reversed()).clone(),
            Root::Items => self.items.get_or_init(|| self.facts.items()).clone(),
            Root::Step => self.step.get_or_init(|| self.facts.step().value()).clone(),
            Root::Answer => given(&self.given.answer),
            Root::Form => given(&self.given.form),
            Root::Event => given(&self.given.event),
            Root::Now => Value::instant(self.facts.now()),
        }
    }

    fn truth(&self, node: &Node, locals: &mut Vec<Value>) -> Result<bool, String> {
        match self.value(node, locals)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(format!("{} stands where bool is needed", other.kind())),
        }
    }

    /// One side that has the deciding value decides, even when the other fails.
    fn decided(&self, sides: &[Node; 2], deciding: bool, locals: &mut Vec<Value>) -> Outcome {
        let left = self.truth(&sides[0], locals);
        if left == Ok(deciding) {
            return Ok(Value::Bool(deciding));
        }
        let right = self.truth(&sides[1], locals)?;
        if right == deciding { Ok(Value::Bool(deciding)) } else { left.map(Value::Bool) }
    }

    fn each(&self, each: &Each, locals: &mut Vec<Value>) -> Outcome {
        let elements: Arc<[Value]> = match self.value(&each.range, locals)? {
            Value::List(items) => items,
            Value::Map(entries) => entries.keys().cloned().map(Value::String).collect(),
            other => return Err(format!("{} cannot be gone through", other.kind())),
        };
        let mut made = Vec::new();
        let mut found = 0_usize;
        let mut problem = None;
        for element in elements.iter() {
            self.spend(1)?;
            locals.push(element.clone());
            let brought = self.one(each, locals);
            locals.pop();
            match (each.kind, brought) {
                (Macro::All, Ok(Some(Value::Bool(false)))) => return Ok(Value::Bool(false)),
                (Macro::Exists, Ok(Some(Value::Bool(true)))) => return Ok(Value::Bool(true)),
                (Macro::All | Macro::Exists, Err(message)) => problem = Some(message),
                (_, Err(message)) => return Err(message),
                (Macro::Map, Ok(Some(value))) => made.push(value),
                (Macro::Filter, Ok(Some(Value::Bool(true)))) => made.push(element.clone()),
                (Macro::ExistsOne, Ok(Some(Value::Bool(true)))) => found += 1,
                _ => {}
            }
        }
        match (each.kind, problem) {
            (Macro::All | Macro::Exists, Some(message)) => Err(message),
            (Macro::All, None) => Ok(Value::Bool(true)),
            (Macro::Exists, None) => Ok(Value::Bool(false)),
            (Macro::ExistsOne, _) => Ok(Value::Bool(found == 1)),
            (Macro::Map | Macro::Filter, _) => self.make(Value::list(made)),
        }
    }

    /// What a macro makes of one element; none when the element is left out.
    fn one(&self, each: &Each, locals: &mut Vec<Value>) -> Result<Option<Value>, String> {
        if let Some(filter) = &each.filter
            && !self.truth(filter, locals)?
        {
            return Ok(None);
        }
        match each.kind {
            Macro::Map => self.value(&each.body, locals).map(Some),
            Macro::All | Macro::Exists | Macro::ExistsOne | Macro::Filter => {
                self.truth(&each.body, locals).map(|flag| Some(Value::Bool(flag)))
            }
        }
    }
}

fn failed(program: &Program, message: String) -> EvaluationFailed {
    EvaluationFailed {
        path: program.path().to_owned(),
        message: format!("`{}` {message}", program.text()),
    }
}

impl Program {
    /// Says yes or no.
    pub(crate) fn bool(&self, facts: &dyn Facts) -> Result<bool, EvaluationFailed> {
        Scope::new(facts, Given::default()).flag(self)
    }

    /// Yields a point in time, to the microsecond; null is none.
    pub(crate) fn timestamp(&self, facts: &dyn Facts) -> Result<Option<Instant>, EvaluationFailed> {
        match Scope::new(facts, Given::default()).evaluate(self)? {
            Value::Null => Ok(None),
            Value::Timestamp(nanos) => {
                let micros = i64::try_from(nanos.div_euclid(1_000));
                let micros = micros.map_err(|_| failed(self, "is out of range".to_owned()))?;
                Ok(Some(Instant(micros)))
            }
            other => Err(failed(self, format!("yields {}, not timestamp", other.kind()))),
        }
    }
}
