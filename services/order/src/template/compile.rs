//! Compiles a document, or says everything that is wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::flow::RESERVED_IDS;

use super::document;
use super::finding::{Finding, Findings, Position, Problem};
use super::graph::Graph;
use super::place::Place;
use super::scope::SavedNames;
use super::step::{self, Surroundings};
use super::{
    FailurePolicy, Kind, MAX_OVERRIDES, MAX_STEPS, MethodLookup, Override, StepDefinition, Template,
};

/// Stack of the thread that compiles, in bytes: the parser of expressions takes up to 200 KiB for each bracket, and the
/// caller's stack is not known.
const STACK_BYTES: usize = 32 * 1024 * 1024;

const KINDS: &[(&str, Kind)] = &[("ORDER", Kind::Order), ("BUSINESS", Kind::Business)];
const POLICIES: &[(&str, FailurePolicy)] = &[
    ("BRANCH", FailurePolicy::Branch),
    ("WHOLE", FailurePolicy::Whole),
    ("FORWARD", FailurePolicy::Forward),
    ("ASK", FailurePolicy::Ask),
];

/// Compiles a document. The findings are all that is wrong with it, by line; only what stops YAML from being read hides others.
pub(crate) fn compile(
    source: &str,
    version: i64,
    lookup: &dyn MethodLookup,
) -> Result<Template, Vec<Finding>> {
    let compiled = std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("template".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || compile_here(source, version, lookup));
        thread.ok()?.join().ok()
    });
    compiled.unwrap_or_else(|| {
        let findings = Findings::default();
        let message = "the template could not be compiled";
        let remedy =
            "try again; if it fails again take out steps until it compiles, and report the one";
        findings.add(
            Position { line: 1, column: 1 },
            "",
            Problem::new("COMPILER_FAILED", message, remedy),
        );
        Err(findings.sorted())
    })
}

fn compile_here(
    source: &str,
    version: i64,
    lookup: &dyn MethodLookup,
) -> Result<Template, Vec<Finding>> {
    let findings = Findings::default();
    let template = document::read(source, &findings)
        .and_then(|root| template(&Place::root(&root, &findings), lookup));
    match template {
        Some(template) if findings.count() == 0 => {
            Ok(Template { version, source: source.to_owned(), ..template })
        }
        _ => Err(findings.sorted()),
    }
}

fn template(place: &Place<'_>, lookup: &dyn MethodLookup) -> Option<Template> {
    place.allow(&["template", "kind", "title", "policy", "overrides", "reversal", "steps"]);
    let name = place.need("template").and_then(|place| place.id(64));
    let kind = place.need("kind").and_then(|place| place.choice(KINDS));
    let title = place.need("title").and_then(|place| place.text(200));
    let policy = place.get("policy").and_then(|place| place.choice(POLICIES));
    let overrides = place.get("overrides").map(|place| overrides(&place)).unwrap_or_default();
    let reversal = place.get("reversal").and_then(|place| place.id(64));
    let steps = steps(&place.need("steps")?, kind.unwrap_or(Kind::Business), lookup);
    Some(Template {
        name: name?,
        version: 0,
        kind: kind?,
        title: title?,
        policy,
        overrides,
        reversal,
        steps: steps?,
        source: String::new(),
    })
}

fn overrides(place: &Place<'_>) -> Vec<Override> {
    let items = place.items();
    if items.len() > MAX_OVERRIDES {
        let message = format!("a template has {MAX_OVERRIDES} overrides at most");
        place.report(Problem::new("LIST_TOO_LONG", message, "join some of them"));
    }
    items.iter().filter_map(read_override).collect()
}

fn read_override(place: &Place<'_>) -> Option<Override> {
    place.allow(&["offering", "channel", "reason", "policy"]);
    let word = |key: &str| place.get(key).and_then(|place| place.word(64));
    let (offering, channel) = (word("offering"), word("channel"));
    let reason = place.get("reason").and_then(|place| place.reason());
    let given = ["offering", "channel", "reason"].iter().any(|key| place.get(key).is_some());
    if place.is_mapping() && !given {
        let message = "an override that matches everything is the policy";
        let remedy = "add offering, channel or reason, or change `policy` of the template";
        place.report(Problem::new("OVERRIDE_EMPTY", message, remedy));
    }
    let policy = place.need("policy").and_then(|place| place.choice(POLICIES))?;
    Some(Override { offering, channel, reason, policy })
}

fn steps(
    place: &Place<'_>,
    kind: Kind,
    lookup: &dyn MethodLookup,
) -> Option<Vec<Arc<StepDefinition>>> {
    let places = place.items();
    if places.is_empty() && place.is_list() {
        place.report(Problem::new("STEPS_MISSING", "the template has no steps", "add one"));
    }
    if places.len() > MAX_STEPS {
        let message = format!("the template has {} steps, the limit is {MAX_STEPS}", places.len());
        place.report(Problem::new("STEPS_TOO_MANY", message, "split it into two businesses"));
        return None;
    }
    let graph = Graph::read(&places);
    match kind {
        Kind::Business => refuse_reserved(&places),
        Kind::Order => refuse_early(&places, &graph),
    }
    let saved = saved_names(&places, &graph);
    let mut read: Vec<Option<StepDefinition>> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let before = graph.before(index);
        let around = Surroundings { lookup, kind, saved: &saved, before: &before };
        read.push(step::read(place, &graph.ids[index], around));
    }
    let sorted = graph.sorted();
    let rank = |index: &usize| sorted.iter().position(|sorted| sorted == index);
    let mut steps = Vec::new();
    for index in &sorted {
        let mut step = read.get_mut(*index)?.take()?;
        step.after = graph.after[*index].iter().filter_map(rank).collect();
        step.after.sort_unstable();
        steps.push(Arc::new(step));
    }
    Some(steps)
}

/// Steps of the platform stand beside those of the template: two with one id would be one to all others.
fn refuse_reserved(places: &[Place<'_>]) {
    for place in places.iter().filter_map(|place| place.get("id")) {
        let Some(id) = place.raw().filter(|id| RESERVED_IDS.contains(id)) else {
            continue;
        };
        let message = format!("`{id}` is a step that every business has by itself");
        place.report(Problem::new("STEP_RESERVED", message, "give it another id"));
    }
}

/// What each activity of an order works with: before it there is nothing to do, and it would be left out in silence.
const NEEDS: [(&str, &str); 3] =
    [("reserve", "prepare"), ("pay", "prepare"), ("allocate", "reserve")];

fn refuse_early(places: &[Place<'_>], graph: &Graph) {
    let activity = |index: usize| places.get(index)?.get("activity")?.raw();
    for (index, place) in places.iter().enumerate() {
        let found = NEEDS.iter().find(|(needing, _)| activity(index) == Some(needing));
        let Some((needing, needed)) = found else { continue };
        let before = graph.before(index);
        let stands = |other: &usize| {
            activity(*other) == Some(needed)
                && graph.ids.get(*other).is_some_and(|id| before.contains(id))
        };
        if (0..places.len()).any(|other| stands(&other)) {
            continue;
        }
        let message = format!("`{needing}` works with what `{needed}` brings");
        let remedy = format!("let it come after a step with `activity: {needed}`");
        let problem = Problem::new("ACTIVITY_TOO_EARLY", message, remedy);
        place.get("activity").as_ref().unwrap_or(place).report(problem);
    }
}

/// Names that each step keeps, before any expression is read: a step may stand before one that it waits for.
fn saved_names(places: &[Place<'_>], graph: &Graph) -> SavedNames {
    let names = |place: &Place<'_>| {
        let works = ["call", "wait", "manual", "substitute"];
        let saves = works.iter().filter_map(|work| place.get(work)?.get("save"));
        let mappings = saves.filter(|save| save.is_mapping());
        let names = mappings.flat_map(|save| save.entries());
        names.map(|(name, _)| name.to_owned()).collect::<BTreeSet<String>>()
    };
    let ids = graph.ids.iter().cloned();
    ids.zip(places).map(|(id, place)| (id, names(place))).collect()
}
