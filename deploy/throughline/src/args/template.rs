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
    /// Play a template on an order that there was, or on one that is made up, without calling anybody.
    #[command(after_help = "Examples:
  throughline template simulate telecom-plan --order ord_01JD…
  throughline template simulate telecom-plan.yaml --order ord_01JD… --business-order plan-1
  throughline template simulate telecom-plan.yaml --order-file deploy/throughline/samples/simple-order.yaml
  throughline template simulate telecom-plan.yaml --order-file order.yaml --fail activate --fail-reason LINE_BUSY

The file of --assume says what the product center and others would have said:
  lines: [{ itemKey: plan-1, charge: { currencyCode: CNY, minorUnits: 5900 }, assignedItems: [\"+8613800000001\"] }]
  itemKeys: [plan-1]                               # the lines that the business order delivers
  saved: { survey.access: '\"fiber\"' }              # what a step kept, as JSON")]
    Simulate(TemplateSimulation),
}

/// What to play.
#[derive(Debug, Args)]
pub struct TemplateSimulation {
    /// Name of a template, or a file with one.
    pub template: String,
    /// Stored order to play it on.
    #[arg(long, value_name = "ID", required_unless_present = "order_file")]
    pub order: Option<String>,
    /// File with an order to play it on, as for `order submit`; nothing of it is stored.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["order", "business_order"])]
    pub order_file: Option<PathBuf>,
    /// File that says what lines cost and need, and what steps keep.
    #[arg(long, value_name = "FILE")]
    pub assume: Option<PathBuf>,
    /// Step that is assumed to fail: what would follow?
    #[arg(long, value_name = "STEP")]
    pub fail: Option<String>,
    /// Why it fails; templates may treat reasons differently.
    #[arg(long, value_name = "REASON", requires = "fail")]
    pub fail_reason: Option<String>,
    /// Business order of it: its id, or its template or a line where only one has it [default: the first].
    #[arg(long, value_name = "ID")]
    pub business_order: Option<String>,
}
