//! Which orders a caller wants to see.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_proto::order::v1 as proto;

use super::state_filter;
use super::submission::is_e164;
use crate::error::DOMAIN;
use crate::mark;
use crate::store::Filter;

/// Reads a filter; a channel sees only its own orders.
pub(crate) fn filter(
    channel: Option<&str>,
    request: &proto::ListOrdersRequest,
) -> Result<Filter, Error> {
    let mut wrong = Violations::new(DOMAIN);
    wrong.length("customer_id", &request.customer_id, 0, 64);
    let state = wrong.take("state", state_filter(request.state)).flatten();
    wrong.length("channel", &request.channel, 0, 64);
    wrong.length("channel_order_id", &request.channel_order_id, 0, 64);
    wrong.length("template", &request.template, 0, 64);
    wrong.length("step_id", &request.step_id, 0, 64);
    wrong.length("exception", &request.exception, 0, 200);
    if !request.phone.is_empty() && !is_e164(&request.phone) {
        wrong.add("phone", "must be E.164: + and 7 to 15 digits, or empty");
    }
    let texts = [&request.template, &request.step_id, &request.exception];
    let makers = [mark::of_template, mark::of_step, mark::of_exception];
    let mut marks: Vec<String> = texts
        .iter()
        .zip(makers)
        .filter(|(text, _)| !text.is_empty())
        .map(|(text, make)| make(text))
        .collect();
    marks.extend(request.attention.then(|| mark::ATTENTION.to_owned()));
    marks.extend(request.jeopardy.then(|| mark::JEOPARDY.to_owned()));
    if marks.len() > 1 {
        let message = "of template, step_id, exception, attention and jeopardy give at most one";
        wrong.add("attention", message);
    }
    wrong.finish()?;
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Filter {
        channel: channel.map(str::to_owned).or_else(|| some(&request.channel)),
        customer_id: some(&request.customer_id),
        state,
        phone: some(&request.phone),
        channel_order_id: some(&request.channel_order_id),
        mark: marks.pop(),
        from: request.create_time_from.as_ref().map(Instant::from_proto),
        before: request.create_time_before.as_ref().map(Instant::from_proto),
    })
}
