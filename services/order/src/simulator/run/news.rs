//! What outside systems and payers say of their own accord, once more or late.

use std::sync::Arc;

use super::Run;
use crate::event::{Command, Direction, Outcome};
use crate::hold::Hold;
use crate::order::{Order, Place};
use crate::simulator::world::Manner;
use crate::step::StepState;
use crate::work::{Work, reference};

/// What is said, and about what.
#[derive(Clone, Debug)]
pub(super) struct News {
    place: Place,
    /// Our reference of what it is about.
    reference: String,
    outcome: Outcome,
}

impl Run {
    /// What was answered is told once more, some time.
    pub(super) fn repeat_later(&mut self, order: &Order, work: &Work, outcome: &Outcome) {
        let is_definite = matches!(outcome, Outcome::Succeeded(_) | Outcome::Declined(_));
        let tells = order.step(work.place).call().is_some() && work.direction == Direction::Do;
        if is_definite && tells && self.random.one_in(8) {
            let reference = reference(order, work.place, Direction::Do);
            self.news.push(News { place: work.place, reference, outcome: outcome.clone() });
        }
    }

    /// Outside systems and payers end what they took before; their reports may come late.
    pub(super) fn report(&mut self, standing: &[Hold]) -> Result<(), String> {
        let waiting = |step: StepState| matches!(step, StepState::Waiting | StepState::Unknown);
        let order = Arc::clone(&self.stored);
        let found: Vec<Place> =
            order.places().filter(|(_, s)| waiting(s.state)).map(|(place, _)| place).collect();
        let Some(place) = self.random.any(&found).copied() else { return Ok(()) };
        let refuse = self.random.one_in(5);
        let manner = if refuse { Manner::Refuse(self.reason()) } else { Manner::Grant };
        let Some(outcome) = self.world.finish(&order, place, manner) else { return Ok(()) };
        let reference = reference(&order, place, Direction::Do);
        let news = News { place, reference, outcome };
        if self.random.one_in(3) {
            self.news.push(news);
            return Ok(());
        }
        self.hear(news, standing)
    }

    /// In the end, all that was taken is done and told.
    pub(super) fn tell(&mut self, standing: &[Hold]) -> Result<bool, String> {
        let order = Arc::clone(&self.stored);
        for (place, step) in order.places() {
            if matches!(step.state, StepState::Waiting | StepState::Unknown)
                && let Some(outcome) = self.world.finish(&order, place, Manner::Grant)
            {
                let reference = reference(&order, place, Direction::Do);
                self.hear(News { place, reference, outcome }, standing)?;
                return Ok(true);
            }
        }
        if self.news.is_empty() {
            return Ok(false);
        }
        let news = self.news.swap_remove(0);
        self.hear(news, standing)?;
        Ok(true)
    }

    pub(super) fn hear_news(&mut self, standing: &[Hold]) -> Result<(), String> {
        if self.news.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.news.len());
        let news = self.news.swap_remove(index);
        self.hear(news, standing)
    }

    /// News are of the step that still has the reference, or of nothing.
    fn hear(&mut self, news: News, standing: &[Hold]) -> Result<(), String> {
        let News { place, reference: about, outcome } = news.clone();
        let order = &self.owner.order;
        let is_there = order.places().any(|(at, _)| at == place);
        if !is_there || reference(order, place, Direction::Do) != about {
            return Ok(());
        }
        self.told = Some(news);
        let direction = Direction::Do;
        let heard = self.command(Command::Settle { place, direction, outcome }, standing);
        self.told = None;
        heard
    }
}
