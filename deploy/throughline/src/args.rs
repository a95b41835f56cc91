//! The command line.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod campaign;
mod cart;
mod given;
mod hold;
mod monitor;
mod order;
mod task;
mod template;
mod webhook;

pub use campaign::CampaignCommand;
pub use cart::{CartCommand, CartList};
pub use given::{Limit, Once, Why};
pub use hold::{HoldAdd, HoldCommand, HoldOn};
pub use monitor::{OrderCancellations, OrderFees, OrderLoad, OrderTimeouts, OrderUrges};
pub use order::{
    CancelOrder, ChangeOrder, OrderCommand, OrderFilter, OrderList, OrderPart, OrderStep,
    UrgentOrder,
};
pub use task::{TaskCommand, TaskForm, TaskList};
pub use template::{TemplateCommand, TemplateSimulation};
pub use webhook::{
    WebhookCommand, WebhookDeliveries, WebhookOne, WebhookRedelivery, WebhookSetting,
};

/// An order platform made of capability centers behind a governance gateway.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Directory for databases and keys [default: throughline-data; `demo`: a fresh one].
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// First port: gateway on it, its HTTP side on +1, order +10, payment +20, resource +30, product +40,
    /// notification +50, simulators +90 [default: 7400]; 0 takes any free ports.
    #[arg(long, global = true, value_name = "PORT")]
    pub port_base: Option<u16>,
    /// Configuration file (TOML). Environment THROUGHLINE_… and flags go before it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address of the gateway for commands that call it [default: http://127.0.0.1:<port-base>].
    #[arg(long, global = true, value_name = "URL")]
    pub gateway: Option<String>,
    /// Key of the caller [default: the key in <data-dir>/keys that the command needs].
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Write what a program would read.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Where every service listens: nothing is offered beyond this machine without mutual TLS.
pub const LISTEN: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole platform, play real orders through it, and stay up.
    Demo(DemoArgs),
    /// Start the whole platform in one process.
    Up(UpArgs),
    /// Start one role of the platform.
    Serve(ServeArgs),
    /// Load a catalog and stock from a YAML file.
    Seed {
        /// The file: `catalog: {offerings: […]}` and `stock: {receipts: […]}`.
        file: PathBuf,
    },
    /// Submit, read, follow, repair and cancel orders.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Do what orders wait for a person to do.
    #[command(subcommand)]
    Task(TaskCommand),
    /// Check, publish and compare the templates by which orders run.
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Pause a template or a capability for all orders.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Sell under conditions of their own: flash sales, group buys, pre-sales.
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Look into carts.
    #[command(subcommand)]
    Cart(CartCommand),
    /// Say where the events of a channel's orders go, and see how they went.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Drive made-up orders through random faults in memory; exit code 1, with the way there, where something did not hold.
    #[command(after_help = "Examples:
  throughline simulate                             # seed 1, 200 orders
  throughline simulate --seed 4711 --orders 5000")]
    Simulate {
        /// Decides everything that happens: the same seed fails the same way.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Orders that run.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        orders: u32,
    },
    /// Show the whole way of one order.
    Trajectory {
        /// Id of the order.
        order_id: String,
        /// Go on with what happens next, until interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// Bring in the orders of another system.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Show what is registered at the gateway.
    Services {
        /// Show every method with its exposure as well.
        #[arg(long)]
        methods: bool,
    },
    /// Give channels access.
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Compare the centers with each other; exit code 1 if anything does not add up.
    Audit,
    /// Measure; peers run in the same round where they are installed.
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the summary: 0 only if every expectation held.
    #[arg(long)]
    pub exit: bool,
    /// Seed of the generated shop day.
    #[arg(long, default_value_t = 20_101_201)]
    pub seed: u64,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Print the effective configuration and end.
    #[arg(long)]
    pub check: bool,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Which role.
    pub role: Role,
    /// Print the effective configuration and end.
    #[arg(long)]
    pub check: bool,
}

/// Roles of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Registry, access, proxy, trajectory.
    Gateway,
    /// Orders.
    Order,
    /// Money.
    Payment,
    /// Stock and numbers.
    Resource,
    /// Catalog and prices.
    Product,
    /// Messages.
    Notification,
    /// Outside systems that behave and misbehave on request.
    Simulators,
}

impl Role {
    /// All roles, in the order in which they start.
    pub const ALL: [Self; 7] = [
        Self::Gateway,
        Self::Product,
        Self::Resource,
        Self::Payment,
        Self::Notification,
        Self::Simulators,
        Self::Order,
    ];

    /// Its name, as databases, keys and logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Resource => "resource",
            Self::Product => "product",
            Self::Notification => "notification",
            Self::Simulators => "simulators",
        }
    }

    /// Distance of its port from the first.
    pub fn port_offset(self) -> u16 {
        match self {
            Self::Gateway => 0,
            Self::Order => 10,
            Self::Payment => 20,
            Self::Resource => 30,
            Self::Product => 40,
            Self::Notification => 50,
            Self::Simulators => 90,
        }
    }
}

/// What to bring in.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// A day of a web shop in the layout of the UCI Online Retail data set.
    Retail {
        /// The CSV file.
        file: PathBuf,
        /// Orders on the way at a time.
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
        in_flight: u16,
        /// Key of an operator, who loads the catalog and the stock [default: <data-dir>/keys/operator.key].
        #[arg(long, value_name = "FILE")]
        operator_key_file: Option<PathBuf>,
    },
}

/// What to do with channels.
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Create a channel and print its key, which is shown only once.
    Create {
        /// Name: 1 to 64 characters of a-z, 0-9 and -.
        name: String,
        /// Methods that it may call; default every method with exposure CHANNEL.
        #[arg(long = "grant", value_name = "SERVICE/METHOD")]
        grants: Vec<String>,
        /// Rights beyond methods (agreed-price).
        #[arg(long = "right", value_name = "RIGHT")]
        rights: Vec<String>,
    },
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Orders through the gateway, closed loop; starts a platform of its own, a process for each of the seven roles.
    Orders(OrdersBench),
    /// CPU of one call through the gateway against a direct call, and against nginx and HAProxy where installed.
    Proxy(ProxyBench),
}

/// Options of `bench orders`.
#[derive(Clone, Debug, Args)]
pub struct OrdersBench {
    /// Orders on the way at a time.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub in_flight: u16,
    /// Orders in all.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub orders: u32,
    /// Measures a second time with so many ended orders stored, and compares.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub stored: u32,
    /// Directory where `npm ci` installed Restate (deploy/bench/restate): as many orders there afterwards, and compares.
    #[arg(long, value_name = "DIR")]
    pub restate: Option<PathBuf>,
}

/// Options of `bench proxy`.
#[derive(Clone, Copy, Debug, Args)]
pub struct ProxyBench {
    /// Calls on the way at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub in_flight: u16,
    /// Calls in each round.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub calls: u32,
    /// Rounds; the median is shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=15))]
    pub rounds: u8,
}
