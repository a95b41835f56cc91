//! What the command line says about templates.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Limit, Why};

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// List templates as they are in force, or all versions of one.
    #[command(after_help = "Examples:
  throughline template list
  throughline template list --name telecom-plan")]
    List {
        /// All versions of this template.
        #[arg(long)]
        name: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a template and its document.
    #[command(after_help = "Examples:
  throughline template show telecom-plan
  throughline template show telecom-plan --version 3")]
    Show {
        /// Name.
        name: String,
        /// Version [default: the one in force].
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        version: i64,
    },
    /// Say everything that is wrong with a template; exit code 1 where anything is.
    #[command(after_help = "Example:
  throughline template check telecom-plan.yaml     # telecom-plan.yaml:12:5: TYPE_MISMATCH …")]
    Check {
        /// The document.
        file: PathBuf,
    },
    /// Publish a template: orders that begin from now on run by it.
    #[command(after_help = "Example:
  throughline template publish telecom-plan.yaml --reason 'retry the activation longer'")]
    Publish {
        /// The document.
        file: PathBuf,
        /// Version that the document was made from: another one in force meanwhile is refused [default: any].
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        expected_version: i64,
        /// Why.
        #[command(flatten)]
        why: Why,
    },
    /// Put an earlier version in force again.
    #[command(after_help = "Example:
  throughline template rollback telecom-plan 1 --reason 'version 2 activates twice'")]
    Rollback {
        /// Name.
        name: String,
        /// Version.
        version: i64,
        /// Why.
        #[command(flatten)]
        why: Why,
    },
    /// Say what differs between two versions.
    #[command(after_help = "Examples:
  throughline template diff telecom-plan           # the one in force against the one before
  throughline template diff telecom-plan --from 1 --to 3")]
    Diff {
        /// Name.
        name: String,
        /// The one version [default: the one before the other].
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        from: i64,
        /// The other [default: the one in force].
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        to: i64,
    },
    /// Play a template on an order that there was, without calling anybody.
    #[command(after_help = "Examples:
  throughline template simulate telecom-plan --order ord_01JD…
  throughline template simulate telecom-plan.yaml --order ord_01JD… --business-order plan-1")]
    Simulate(TemplateSimulation),
}

/// What to play.
#[derive(Debug, Args)]
pub struct TemplateSimulation {
    /// Name of a template, or a file with one.
    pub template: String,
    /// Order to play it on.
    #[arg(long, value_name = "ID")]
    pub order: String,
    /// Business order of it: its id, or its template or a line where only one has it [default: the first].
    #[arg(long, value_name = "ID")]
    pub business_order: Option<String>,
}
