//! Puts the center together: what it stands on, the engine, what works beside it, and the services.

use std::sync::Arc;

use throughline_kit::client::GatewayClient;
use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::feed::{FollowConfig, follow};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::order::v1::bulk_service_server::BulkServiceServer;
use throughline_proto::order::v1::campaign_service_server::CampaignServiceServer;
use throughline_proto::order::v1::cart_service_server::CartServiceServer;
use throughline_proto::order::v1::hold_service_server::HoldServiceServer;
use throughline_proto::order::v1::monitor_service_server::MonitorServiceServer;
use throughline_proto::order::v1::operation_service_server::OperationServiceServer;
use throughline_proto::order::v1::order_service_server::OrderServiceServer;
use throughline_proto::order::v1::step_callback_service_server::StepCallbackServiceServer;
use throughline_proto::order::v1::task_service_server::TaskServiceServer;
use throughline_proto::order::v1::template_service_server::TemplateServiceServer;
use tokio::sync::Semaphore;

use crate::acceptance::Acceptance;
use crate::bulk::{BulkQuery, Bulks, Runner};
use crate::campaign::carrier::Carrier;
use crate::duration::Measured;
use crate::engine::{Engine, EngineParts};
use crate::monitor::Monitors;
use crate::operations::Operations;
use crate::payment_news::PaymentNews;
use crate::peers::{PeerParts, Peers, Reflection};
use crate::publishing::{MAX_TEMPLATES_AT_WORK, Publishing};
use crate::query::Query;
use crate::rating::Ratings;
use crate::rehearsal::Rehearsal;
use crate::standing::Standing;
use crate::store::{self, OrderStore};
use crate::templates::Templates;
use crate::{CENTER, Config, measuring, rpc, sweep, upkeep, webhook};

/// What everything else stands on.
struct Ground {
    client: GatewayClient,
    database: Database,
    writer: Writer,
    idempotency: Idempotency,
    clock: Clock,
    templates: Templates,
    orders: OrderStore,
    webhooks: webhook::Registry,
    measured: Measured,
}

impl Ground {
    async fn lay(environment: &Environment) -> Result<Self, Error> {
        let client = environment.client(CENTER)?;
        let database = Database::open(CENTER, &environment.storage, store::MIGRATIONS).await?;
        let writer = environment.own(&database, WriterLimits::default()).await?;
        let clock = environment.clock.clone();
        let idempotency = Idempotency::new(writer.clone(), clock.clone(), CENTER);
        let templates = Templates::load(database.clone(), &writer, &clock).await?;
        let orders = OrderStore::new(database.clone(), templates.clone());
        let webhooks = webhook::Registry::new(&writer);
        let measured = Measured::of(store::duration::all(&database).await?);
        Ok(Self {
            client,
            database,
            writer,
            idempotency,
            clock,
            templates,
            orders,
            webhooks,
            measured,
        })
    }

    fn peers(&self, config: &Config) -> Peers {
        Peers::new(PeerParts {
            client: self.client.clone(),
            store: self.orders.clone(),
            writer: self.writer.clone(),
            templates: self.templates.clone(),
            clock: self.clock.clone(),
            call_timeout: config.call_timeout(),
        })
    }

    async fn engine(
        &self,
        peers: &Peers,
        config: &Config,
        environment: &Environment,
    ) -> Result<Engine, Error> {
        upkeep::mark_live(&self.orders, &self.writer, self.clock.now()).await?;
        let parts = EngineParts {
            clock: self.clock.clone(),
            writer: self.writer.clone(),
            store: self.orders.clone(),
            peers: peers.clone(),
            standing: store::hold::all(&self.database).await?,
            measured: self.measured.clone(),
            webhooks: self.webhooks.clone(),
            shutdown: environment.shutdown.clone(),
        };
        Engine::start(parts, config.engine_limits()).await
    }

    fn acceptance(&self, engine: &Engine) -> Acceptance {
        Acceptance::new(
            self.idempotency.clone(),
            self.database.clone(),
            engine.clone(),
            self.templates.clone(),
            self.clock.clone(),
            self.webhooks.clone(),
        )
    }

    fn publishing(&self) -> Publishing {
        Publishing {
            templates: self.templates.clone(),
            idempotency: self.idempotency.clone(),
            reflection: Reflection { client: self.client.clone() },
            clock: self.clock.clone(),
            turns: Arc::new(Semaphore::new(MAX_TEMPLATES_AT_WORK)),
        }
    }

    fn standing(&self, engine: &Engine) -> Standing {
        Standing {
            idempotency: self.idempotency.clone(),
            database: self.database.clone(),
            engine: engine.clone(),
            writer: self.writer.clone(),
            clock: self.clock.clone(),
            telling: Arc::default(),
        }
    }

    fn ratings(&self, query: &Query) -> Ratings {
        Ratings {
            idempotency: self.idempotency.clone(),
            database: self.database.clone(),
            query: query.clone(),
            webhooks: self.webhooks.clone(),
            clock: self.clock.clone(),
        }
    }

    fn monitors(&self, engine: &Engine) -> Monitors {
        Monitors {
            store: self.orders.clone(),
            database: self.database.clone(),
            engine: engine.clone(),
        }
    }

    fn bulks(&self, engine: &Engine) -> Bulks {
        Bulks {
            idempotency: self.idempotency.clone(),
            database: self.database.clone(),
            writer: self.writer.clone(),
            store: self.orders.clone(),
            engine: engine.clone(),
            clock: self.clock.clone(),
        }
    }

    async fn runner(&self, operations: &Operations) -> Result<Runner, Error> {
        let (database, writer) = (self.database.clone(), self.writer.clone());
        Runner::new(database, writer, operations.clone(), self.clock.clone()).await
    }

    fn webhook_parts(&self, environment: &Environment) -> webhook::Parts {
        webhook::Parts {
            clock: self.clock.clone(),
            database: self.database.clone(),
            writer: self.writer.clone(),
            idempotency: self.idempotency.clone(),
            registry: self.webhooks.clone(),
            shutdown: environment.shutdown.clone(),
        }
    }
}

/// What works beside the services: retention, sweeping, following payments, carrying news of groups.
fn work_beside(
    ground: &Ground,
    engine: &Engine,
    peers: Peers,
    operations: &Operations,
    environment: &Environment,
) {
    let shutdown = &environment.shutdown;
    let (database, writer) = (&ground.database, &ground.writer);
    throughline_kit::retention::start(writer, environment);
    sweep::start(database, writer, environment);
    let moving = upkeep::move_ended(ground.orders.clone(), writer.clone(), shutdown.clone());
    vital("move ended orders", shutdown, moving);
    let news = PaymentNews { engine: engine.clone(), peers, writer: writer.clone() };
    let feed = FollowConfig { center: "payment".to_owned(), consumer: CENTER };
    let client = ground.client.clone();
    let following = follow(feed, client, database.clone(), news, shutdown.clone());
    vital("follow payments", shutdown, following);
    let carrier = Carrier {
        database: database.clone(),
        writer: writer.clone(),
        operations: operations.clone(),
    };
    vital("carry news of groups", shutdown, carrier.run(shutdown.clone()));
    let (measured, clock) = (ground.measured.clone(), ground.clock.clone());
    let keeping = measuring::keep(measured, writer.clone(), clock, shutdown.clone());
    vital("keep durations of steps", shutdown, keeping);
}

/// Starts the center.
pub(crate) async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    let listener = environment.bind(CENTER).await?;
    let ground = Ground::lay(&environment).await?;
    let webhooks = webhook::start(&config.webhook, ground.webhook_parts(&environment)).await?;
    let peers = ground.peers(&config);
    let engine = ground.engine(&peers, &config, &environment).await?;
    let query = Query::new(ground.orders.clone(), engine.clone(), environment.shutdown.clone());
    let operations = Operations {
        idempotency: ground.idempotency.clone(),
        database: ground.database.clone(),
        engine: engine.clone(),
        query: query.clone(),
    };
    work_beside(&ground, &engine, peers, &operations, &environment);
    let runner = ground.runner(&operations).await?;
    let shutdown = &environment.shutdown;
    vital("carry out bulk operations", shutdown, runner.run(shutdown.clone()));
    let bulk = rpc::BulkRpc {
        bulks: ground.bulks(&engine),
        query: BulkQuery { database: ground.database.clone() },
    };
    let acceptance = ground.acceptance(&engine);
    let (idempotency, database, clock) = (&ground.idempotency, &ground.database, &ground.clock);
    let carts = rpc::Carts::new(&acceptance, idempotency, database, clock);
    let campaigns = rpc::Campaigns::new(idempotency, database, clock);
    let publishing = ground.publishing();
    let measured = ground.measured.clone();
    let rehearsal = Rehearsal {
        publishing: publishing.clone(),
        query: query.clone(),
        measured: measured.clone(),
    };
    let standing = ground.standing(&engine);
    vital("begin and end planned pauses", shutdown, standing.clone().keep(shutdown.clone()));
    let ratings = ground.ratings(&query);
    let orders = rpc::Orders {
        acceptance,
        operations: operations.clone(),
        query: query.clone(),
        measured,
        ratings: ratings.clone(),
    };
    let monitors = ground.monitors(&engine);
    let callbacks = rpc::StepCallbacks { engine, operations: operations.clone() };
    let tasks = rpc::TaskRpc { operations: operations.clone(), query };
    let largest = config.max_message_bytes;
    Server::new(CENTER)
        .service(OrderServiceServer::new(orders).max_decoding_message_size(largest))
        .service(OperationServiceServer::new(rpc::OperationRpc { operations, ratings }))
        .service(MonitorServiceServer::new(rpc::MonitorRpc { monitors }))
        .service(BulkServiceServer::new(bulk))
        .service(HoldServiceServer::new(rpc::HoldRpc { standing }))
        .service(TaskServiceServer::new(tasks))
        .service(TemplateServiceServer::new(rpc::TemplateRpc { publishing, rehearsal }))
        .service(CartServiceServer::new(carts).max_decoding_message_size(largest))
        .service(CampaignServiceServer::new(campaigns))
        .service(StepCallbackServiceServer::new(callbacks))
        .service(webhooks)
        .feed(ground.database, &ground.writer)
        .start(&environment, listener)
        .await
}
