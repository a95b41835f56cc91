//! A progress bar on standard error; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over a number of orders.
    pub(super) fn orders(number: u64) -> Self {
        let bar = ProgressBar::new(number);
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} orders  {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many have come to their end.
    pub(super) fn at(&self, number: u64) {
        self.0.set_position(number);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
