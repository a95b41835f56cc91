//! What changed between two versions of a template, for the person who releases it.

use std::collections::{BTreeMap, BTreeSet};

use super::Template;
use super::document::{self, Content, Node};
use super::finding::Findings;

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Where; steps by id, like `steps[install].call.request.order_id`.
    pub(crate) path: String,
    /// How.
    pub(crate) change: Change,
}

/// How something changed, in the words of the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Only the new version has it.
    Added {
        /// The new text.
        new: String,
    },
    /// Only the old version has it.
    Removed {
        /// The old text.
        old: String,
    },
    /// Both have it, with other words.
    Changed {
        /// The old text.
        old: String,
        /// The new text.
        new: String,
    },
    /// The steps stand in another order.
    Moved {
        /// Ids as they stood.
        old: String,
        /// Ids as they stand.
        new: String,
    },
}

/// Compares two versions, in the order of the new document; what was removed comes last.
pub(crate) fn diff(old: &Template, new: &Template) -> Vec<Difference> {
    let (old, new) = (Leaves::of(&old.source), Leaves::of(&new.source));
    let mut differences = Vec::new();
    for (path, text) in &new.leaves {
        let change = match old.by_path.get(path) {
            None => Change::Added { new: text.clone() },
            Some(before) if before != text => {
                Change::Changed { old: before.clone(), new: text.clone() }
            }
            Some(_) => continue,
        };
        differences.push(Difference { path: path.clone(), change });
    }
    for (path, text) in &old.leaves {
        if !new.by_path.contains_key(path) {
            let change = Change::Removed { old: text.clone() };
            differences.push(Difference { path: path.clone(), change });
        }
    }
    differences.extend(moved(&old.steps, &new.steps));
    differences
}

/// Steps that stay but stand in another order; it matters to those that say no `after`.
fn moved(old: &[String], new: &[String]) -> Option<Difference> {
    let both: BTreeSet<&String> = old.iter().filter(|id| new.contains(id)).collect();
    let kept = |ids: &[String]| -> Vec<String> {
        ids.iter().filter(|id| both.contains(id)).cloned().collect()
    };
    let (before, after) = (kept(old), kept(new));
    (before != after).then(|| Difference {
        path: "steps".to_owned(),
        change: Change::Moved { old: before.join(", "), new: after.join(", ") },
    })
}

/// The texts of a document by path.
#[derive(Debug, Default)]
struct Leaves {
    leaves: Vec<(String, String)>,
    by_path: BTreeMap<String, String>,
    steps: Vec<String>,
}

impl Leaves {
    fn of(source: &str) -> Self {
        let mut leaves = Self::default();
        if let Some(root) = document::read(source, &Findings::default()) {
            leaves.collect(String::new(), &root);
        }
        leaves.by_path = leaves.leaves.iter().cloned().collect();
        leaves
    }

    fn collect(&mut self, path: String, node: &Node) {
        match &node.content {
            Content::Text { text, .. } => self.leaves.push((path, text.clone())),
            Content::List(items) => {
                if items.is_empty() {
                    self.leaves.push((path.clone(), "[]".to_owned()));
                }
                for (index, item) in items.iter().enumerate() {
                    let name = name_of(item);
                    if let (Some(id), "steps") = (&name, path.as_str()) {
                        self.steps.push(id.clone());
                    }
                    let name = name.unwrap_or_else(|| index.to_string());
                    self.collect(format!("{path}[{name}]"), item);
                }
            }
            Content::Mapping(entries) => {
                if entries.is_empty() {
                    self.leaves.push((path.clone(), "{}".to_owned()));
                }
                let dot = if path.is_empty() { "" } else { "." };
                for entry in entries {
                    self.collect(format!("{path}{dot}{}", entry.key), &entry.value);
                }
            }
        }
    }
}

/// The name that tells an element of a list from the others: of a step, of a field of a form.
fn name_of(node: &Node) -> Option<String> {
    let Content::Mapping(entries) = &node.content else { return None };
    let entry = entries.iter().find(|entry| ["id", "field"].contains(&entry.key.as_str()))?;
    match &entry.value.content {
        Content::Text { text, .. } => Some(text.clone()),
        Content::List(_) | Content::Mapping(_) => None,
    }
}
