//! The published templates: every version, and which of each name is in force.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind as ErrorKind};
use throughline_kit::storage::{Database, Writer};
use throughline_proto::prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::convert::Submission;
use crate::error::{DOMAIN, OrderError};
use crate::flow::{Pinned, pinned, resolve};
use crate::order::Order;
use crate::store::template::{self as store, InForce, Publish};
use crate::template::{Finding, Kind, MethodLookup, SHIPPED, Template, compile};

/// Versions of all templates together.
pub(crate) const MAX_TEMPLATE_VERSIONS: usize = 4_096;
/// Author of the templates that come with the software.
pub(crate) const PLATFORM: &str = "platform";
/// Template of an order's own steps when nobody names one.
pub(crate) const STANDARD: &str = "standard";
/// Template of an order's own steps when it shall begin later.
pub(crate) const PRE_ORDER: &str = "pre-order";

/// One version, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Name.
    pub(crate) name: String,
    /// Version, from 1.
    pub(crate) version: i64,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Title for a person.
    pub(crate) title: String,
    /// The document.
    pub(crate) source: String,
    /// Descriptors of capabilities that are not part of the platform.
    pub(crate) descriptors: Vec<u8>,
    /// Who published it.
    pub(crate) author: String,
    /// Why.
    pub(crate) reason: String,
    /// When.
    pub(crate) published_at: Instant,
}

/// A version, compiled when it is first needed.
#[derive(Debug)]
struct Version {
    record: Arc<Record>,
    compiled: OnceLock<Option<Arc<Template>>>,
}

impl Version {
    fn template(&self) -> Option<Arc<Template>> {
        let compile = || match read(&self.record) {
            Ok(template) => Some(Arc::new(template)),
            Err(findings) => {
                let Record { name, version, .. } = &*self.record;
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(%name, version, first, "read a published template");
                None
            }
        };
        self.compiled.get_or_init(compile).clone()
    }
}

fn read(record: &Record) -> Result<Template, Vec<Finding>> {
    let known = Capabilities::stored(&record.descriptors);
    compile(&record.source, record.version, &known)
}

/// Where the methods that templates call are looked up: the platform's contracts, and what is known of others.
#[derive(Debug, Default)]
pub(crate) struct Capabilities {
    others: DescriptorPool,
    missing: Mutex<Vec<String>>,
}

impl Capabilities {
    /// With descriptors that were stored with a template.
    pub(crate) fn stored(descriptors: &[u8]) -> Self {
        let others = match DescriptorPool::decode(descriptors) {
            Ok(pool) => pool,
            Err(cause) => {
                tracing::error!(%cause, "read the stored descriptors of a template");
                DescriptorPool::new()
            }
        };
        Self::of(others)
    }

    /// With descriptors of others.
    pub(crate) fn of(others: DescriptorPool) -> Self {
        Self { others, missing: Mutex::default() }
    }

    /// Methods that were looked for and not found.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MethodLookup for Capabilities {
    fn method(&self, full: &str) -> Option<MethodDescriptor> {
        let found =
            throughline_proto::descriptors().method(full).or_else(|| self.others.method(full));
        if found.is_none() {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(full.to_owned());
        }
        found
    }
}

/// Reason of an order of which a version of a template is not there, or is not understood any more.
pub(crate) const TEMPLATE_MISSING: &str = "TEMPLATE_MISSING";

#[derive(Debug, Default)]
struct Published {
    versions: HashMap<(String, i64), Arc<Version>>,
    in_force: BTreeMap<String, i64>,
}

/// All published templates.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    database: Database,
    published: Arc<ArcSwap<Published>>,
    reloading: Arc<tokio::sync::Mutex<()>>,
}

impl Templates {
    /// Reads what is published, and publishes what came with the software and is new.
    pub(crate) async fn load(
        database: Database,
        writer: &Writer,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let templates = Self { database, published: Arc::default(), reloading: Arc::default() };
        templates.reload().await?;
        for shipped in SHIPPED {
            templates.ship(shipped.name, shipped.source, writer, clock.now()).await?;
        }
        templates.reload().await?;
        Ok(templates)
    }

    /// Publishes a template that came with the software, unless it is published. What an operator put in force stays so.
    async fn ship(
        &self,
        name: &str,
        source: &str,
        writer: &Writer,
        now: Instant,
    ) -> Result<(), Error> {
        let versions = self.versions(name);
        let ours = versions.iter().filter(|version| version.author == PLATFORM);
        if ours.max_by_key(|version| version.version).is_some_and(|last| last.source == source) {
            return Ok(());
        }
        let template = compile(source, 1, &Capabilities::default()).map_err(|findings| {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            Error::internal(DOMAIN, format!("the shipped template {name} is wrong: {first}"))
        })?;
        let in_force = self.in_force_version(name);
        let is_ours =
            |version: &Arc<Record>| Some(version.version) == in_force && version.author == PLATFORM;
        let record = Record {
            name: name.to_owned(),
            version: 0,
            kind: template.kind,
            title: template.title,
            source: source.to_owned(),
            descriptors: Vec::new(),
            author: PLATFORM.to_owned(),
            reason: "comes with the software".to_owned(),
            published_at: now,
        };
        let take_effect = in_force.is_none() || versions.iter().any(is_ours);
        writer.write(Publish { record, expected: 0, take_effect }).await.map(drop)
    }

    /// Reads everything anew.
    pub(crate) async fn reload(&self) -> Result<(), Error> {
        // One after the other, so that what was read first never replaces what was read last.
        let _turn = self.reloading.lock().await;
        // What is in force is published before: each version that is named here is among those that are read next.
        let in_force = store::in_force(&self.database).await?;
        let records = store::all(&self.database).await?;
        let before = self.published.load();
        let mut published = Published::default();
        for record in records {
            let key = (record.name.clone(), record.version);
            let known = before.versions.get(&key).map(Arc::clone);
            let fresh = || Version { record: Arc::new(record), compiled: OnceLock::new() };
            published.versions.insert(key, known.unwrap_or_else(|| Arc::new(fresh())));
        }
        published.in_force = in_force.into_iter().map(|InForce(name, v)| (name, v)).collect();
        self.published.store(Arc::new(published));
        Ok(())
    }

    /// The version of a name that is in force, if it is of that kind.
    pub(crate) fn in_force(&self, name: &str, kind: Kind) -> Option<Arc<Template>> {
        let version = self.in_force_version(name)?;
        self.version(name, version).filter(|template| template.kind == kind)
    }

    /// Number of the version that is in force.
    pub(crate) fn in_force_version(&self, name: &str) -> Option<i64> {
        self.published.load().in_force.get(name).copied()
    }

    /// One version.
    pub(crate) fn version(&self, name: &str, version: i64) -> Option<Arc<Template>> {
        self.published.load().versions.get(&(name.to_owned(), version))?.template()
    }

    /// One version as it is stored.
    pub(crate) fn record(&self, name: &str, version: i64) -> Option<Arc<Record>> {
        let published = self.published.load();
        published.versions.get(&(name.to_owned(), version)).map(|v| Arc::clone(&v.record))
    }

    /// All versions of a name, newest first.
    pub(crate) fn versions(&self, name: &str) -> Vec<Arc<Record>> {
        let published = self.published.load();
        let of_name = published.versions.values().filter(|version| version.record.name == name);
        let mut records: Vec<Arc<Record>> = of_name.map(|v| Arc::clone(&v.record)).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.version));
        records
    }

    /// The versions that are in force, by name.
    pub(crate) fn all_in_force(&self) -> Vec<Arc<Record>> {
        let published = self.published.load();
        let in_force = published.in_force.iter();
        let of = |(name, version): (&String, &i64)| {
            published.versions.get(&(name.clone(), *version)).map(|v| Arc::clone(&v.record))
        };
        in_force.filter_map(of).collect()
    }

    /// The template of an order's own steps.
    pub(crate) fn of_order(&self, name: &str) -> Option<Pinned> {
        self.in_force(name, Kind::Order).map(Pinned::new)
    }

    /// The template of the own steps of an order to be: the one that it names, else by when it shall begin.
    pub(crate) fn for_submission(&self, submission: &Submission) -> Result<Pinned, Error> {
        let name = match (submission.template.as_str(), submission.requested_start_at) {
            ("", None) => STANDARD,
            ("", Some(_)) => PRE_ORDER,
            (named, _) => named,
        };
        let missing = || OrderError::OrderTemplateUnknown(name.to_owned());
        self.of_order(name).ok_or_else(|| missing().into())
    }

    /// Gives an order that was read the versions that it keeps. One that another instance published is read first.
    pub(crate) async fn resolve(&self, order: &mut Order) -> Result<(), Error> {
        let is_known = |pinned: &Pinned| {
            let key = (pinned.name.to_string(), pinned.version);
            self.published.load().versions.contains_key(&key)
        };
        if !pinned(order).all(is_known) {
            self.reload().await?;
        }
        resolve(order, |name, version| self.version(name, version)).map_err(|missing| {
            let Pinned { name, version, .. } = missing;
            let message = format!("order {} needs version {version} of template {name}", order.id);
            Error::new(ErrorKind::Internal, DOMAIN, TEMPLATE_MISSING, message)
        })
    }
}
