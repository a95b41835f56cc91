//! What kind of work a step does.

use crate::template::finding::Problem;
use crate::template::place::Place;

/// The keys that say what a step does; exactly one of them stands in it.
pub(super) const WORKS: &[&str] = &["call", "wait", "timer", "manual", "activity"];

/// What kind of work a step does, which decides what else may stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Call,
    Wait,
    Timer,
    Manual,
    Activity,
    Unclear,
}

impl Shape {
    pub(super) fn of(place: &Place<'_>) -> Self {
        let shapes = [Self::Call, Self::Wait, Self::Timer, Self::Manual, Self::Activity];
        let mut found = WORKS.iter().zip(shapes).filter(|(key, _)| place.get(key).is_some());
        match (found.next(), found.next()) {
            (Some((_, shape)), None) => shape,
            _ => Self::Unclear,
        }
    }

    /// Keys that mean nothing for this work.
    pub(super) fn misplaced(self) -> &'static [&'static str] {
        match self {
            Self::Unclear => &[],
            Self::Call => &["remind"],
            Self::Wait | Self::Manual => &["pending_timeout", "retry", "on_unknown", "substitute"],
            Self::Timer => &[
                "timeout",
                "pending_timeout",
                "retry",
                "on_unknown",
                "substitute",
                "undo",
                "remind",
            ],
            Self::Activity => &["pending_timeout", "on_unknown", "substitute", "undo"],
        }
    }

    pub(super) fn report_misplaced(self, place: &Place<'_>) {
        for key in self.misplaced() {
            if let Some(found) = place.get(key) {
                let message = format!("`{key}` means nothing for this kind of step");
                found.report_key(Problem::new("KEY_MISPLACED", message, format!("remove `{key}`")));
            }
        }
    }
}
