//! Macros that go through a list or the keys of a mapping.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators as names};

use super::{Checked, Checker};
use crate::template::cost::Cost;
use crate::template::finding::Problem;
use crate::template::node::{Each, Macro, Node};
use crate::template::types::Type;

/// Macros that stand in each other at most.
const MAX_DEPTH: usize = 2;

impl Checker<'_> {
    /// The macro that a call is, and what it goes through.
    pub(super) fn macro_of(call: &CallExpr) -> Option<(Macro, &IdedExpr)> {
        let kind = match (call.func_name.as_str(), call.args.len()) {
            (names::ALL, 2) => Macro::All,
            (names::EXISTS, 2) => Macro::Exists,
            (names::EXISTS_ONE | "existsOne", 2) => Macro::ExistsOne,
            (names::MAP, 2 | 3) => Macro::Map,
            (names::FILTER, 2) => Macro::Filter,
            _ => return None,
        };
        Some((kind, call.target.as_deref()?))
    }

    pub(super) fn each(
        &mut self,
        at: &IdedExpr,
        kind: Macro,
        range: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Checked {
        let range = self.check(range);
        let element = match &range.kind {
            Type::List(element) => Type::clone(element),
            Type::Map(_) | Type::Object(_) => Type::String,
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("{other} cannot be gone through");
                let remedy = "use the macro on a list or a mapping";
                return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
            }
        };
        let Some(Expr::Ident(name)) = arguments.first().map(|first| &first.expr) else {
            let message = "the first argument is the name of the element";
            let remedy = "write it like items.all(i, i.quantity > 0)";
            return self.report(at, Problem::new("EXPRESSION_SYNTAX", message, remedy));
        };
        if self.locals.len() >= MAX_DEPTH {
            let message = format!("lists are gone through in one another {MAX_DEPTH} deep at most");
            let remedy = "split the expression over more steps";
            return self.report(at, Problem::new("EXPRESSION_TOO_COSTLY", message, remedy));
        }
        self.locals.push((name.clone(), element.clone()));
        let parts: Vec<Checked> = arguments[1..].iter().map(|part| self.check(part)).collect();
        self.locals.pop();
        self.made(at, kind, range, element, parts)
    }

    fn made(
        &mut self,
        at: &IdedExpr,
        kind: Macro,
        range: Checked,
        element: Type,
        mut parts: Vec<Checked>,
    ) -> Checked {
        let Some(body) = parts.pop() else { return Checked::unknown() };
        let filter = parts.pop();
        if let Some(filter) = &filter {
            self.want(at, filter, &Type::Bool);
        }
        let result = match kind {
            Macro::Map => Type::list(body.kind.clone()),
            Macro::Filter => Type::list(element),
            Macro::All | Macro::Exists | Macro::ExistsOne => Type::Bool,
        };
        if kind != Macro::Map {
            self.want(at, &body, &Type::Bool);
        }
        let round = filter.as_ref().map_or(Cost::one(), |filter| filter.cost).then(body.cost);
        let cost = range.cost.each(round);
        let filter = filter.map(|filter| filter.node);
        let each = Each { kind, range: range.node, filter, body: body.node };
        Checked::new(Node::Each(Box::new(each)), result, cost)
    }
}
