//! Tests of the template language.

use throughline_proto::descriptors;

use super::{Finding, Template};

mod expression;
mod findings;
mod forms;
mod hostile;
mod life;
mod shipped;
mod world;

/// Compiles against the contracts.
fn compile(source: &str) -> Result<Template, Vec<Finding>> {
    super::compile(source, 1, descriptors())
}

/// Compiles what must compile.
fn compiled(source: &str) -> Template {
    compile(source).unwrap_or_else(|findings| panic!("{findings:#?}\n{source}"))
}

/// A template of kind BUSINESS with these steps.
fn business(steps: &str) -> String {
    format!("template: test\nkind: BUSINESS\ntitle: Test\nsteps:\n{steps}")
}
