//! What the command line says about tasks.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Limit, Once};

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// List open tasks, the most urgent first.
    #[command(after_help = "Examples:
  throughline task list --group back-office
  throughline task list --mine
  throughline task list --order ord_01JD…")]
    List(TaskList),
    /// Show one task and what is to be filled in.
    #[command(after_help = "Example:
  throughline task show tsk_01JD…")]
    Show {
        /// Id.
        id: String,
    },
    /// Take a task, so that nobody else does it.
    #[command(after_help = "Example:
  throughline task claim tsk_01JD…")]
    Claim {
        /// Id.
        id: String,
        /// What makes the request the same over its repeats.
        #[command(flatten)]
        once: Once,
    },
    /// Give a task back, so that another can take it.
    #[command(after_help = "Example:
  throughline task release tsk_01JD… --reason 'end of shift'")]
    Release {
        /// Id.
        id: String,
        /// Why, at most 200 characters.
        #[arg(long, default_value = "")]
        reason: String,
        /// What makes the request the same over its repeats.
        #[command(flatten)]
        once: Once,
    },
    /// End a task with its form.
    #[command(after_help = "Examples:
  throughline task complete tsk_01JD… --set decision=RETRY --reason 'line was repaired'
  throughline task complete tsk_01JD… --set approved=true --set note='checked by phone'
  throughline task complete tsk_01JD… --form form.yaml")]
    Complete(TaskForm),
}

/// Which tasks.
#[derive(Debug, Args)]
pub struct TaskList {
    /// Only of this group.
    #[arg(long)]
    pub group: Option<String>,
    /// Only those that the owner of the key has taken: the key file's name without `.key`.
    #[arg(long)]
    pub mine: bool,
    /// Only of this order.
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// How a task was done.
#[derive(Debug, Args)]
pub struct TaskForm {
    /// Id.
    pub id: String,
    /// One field of the form; may be given several times, and goes before the file.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub fields: Vec<String>,
    /// YAML or JSON file with the form: `field: value`.
    #[arg(long, value_name = "FILE")]
    pub form: Option<PathBuf>,
    /// A word about it, at most 200 characters.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}
