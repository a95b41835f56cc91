//! How much a test does: little by default, more where somebody asks for it.

/// A number from the environment, or the default.
///
/// # Panics
///
/// Where the variable holds no number above zero.
#[expect(clippy::disallowed_methods, reason = "effort is asked of a test, not of the platform")]
pub fn effort(variable: &str, default: usize) -> usize {
    let Ok(asked) = std::env::var(variable) else { return default };
    let asked: usize = asked.parse().unwrap_or_default();
    assert!(asked > 0, "{variable} must be a number above zero");
    asked
}
