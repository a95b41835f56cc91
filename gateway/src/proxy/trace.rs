//! W3C trace context: the caller's trace goes on, or a new one begins; the span is this hop's.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use throughline_kit::identity::keys;

use super::Chance;

const TRACE_PARENT: HeaderName = HeaderName::from_static(keys::TRACE_PARENT);
/// `00-<32>-<16>-<2>`.
const LENGTH: usize = 55;
/// Flags of a trace that begins here: sampled.
const SAMPLED: u8 = 1;

/// Where a hop stands in its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// Trace.
    pub(crate) trace_id: u128,
    /// This hop.
    pub(crate) span_id: u64,
    /// What the caller was doing; zero where it sent nothing.
    pub(crate) parent_span_id: u64,
}

/// Reads the caller's context and writes this hop's in its place.
pub(super) fn go_on(headers: &mut HeaderMap, chance: &Chance) -> TraceContext {
    let sent = headers.get(&TRACE_PARENT).and_then(|value| parse(value.as_bytes()));
    let (trace_id, parent_span_id, flags) = sent.unwrap_or_else(|| {
        (u128::from(chance.next()) << 64 | u128::from(chance.next()), 0, SAMPLED)
    });
    let context = TraceContext { trace_id, span_id: chance.next(), parent_span_id };
    let mut value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&write(context, flags)))
        .expect("hexadecimal digits and dashes");
    // Never the same twice: it would only push other headers out of the compression table.
    value.set_sensitive(true);
    headers.insert(TRACE_PARENT, value);
    context
}

/// Reads trace, span and flags. Later versions may be longer; what we know of them stands at the same places.
pub(crate) fn parse(value: &[u8]) -> Option<(u128, u64, u8)> {
    let dashes = value.get(2) == Some(&b'-') && value.get(35) == Some(&b'-');
    if value.len() < LENGTH || !dashes || value.get(52) != Some(&b'-') {
        return None;
    }
    let version = u8::try_from(hex(&value[..2])?).ok()?;
    let trace_id = hex(&value[3..35])?;
    let span_id = u64::try_from(hex(&value[36..52])?).ok()?;
    let flags = u8::try_from(hex(&value[53..55])?).ok()?;
    let longer_is_fine = version != 0 || value.len() == LENGTH;
    let valid = version != 0xff && trace_id != 0 && span_id != 0 && longer_is_fine;
    valid.then_some((trace_id, span_id, flags))
}

fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

fn write(context: TraceContext, flags: u8) -> [u8; LENGTH] {
    let mut text = *b"00-................................-................-..";
    put(&mut text[3..35], context.trace_id);
    put(&mut text[36..52], u128::from(context.span_id));
    put(&mut text[53..55], u128::from(flags));
    text
}

fn put(digits: &mut [u8], mut value: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_callers_trace_goes_on_with_the_hops_own_span() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACE_PARENT, HeaderValue::from_static(SENT));
        let context = go_on(&mut headers, &Chance::new());
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.parent_span_id, 0xb7ad_6b71_6920_3331);
        let forwarded = parse(headers[&TRACE_PARENT].as_bytes()).expect("valid");
        assert_eq!(forwarded, (context.trace_id, context.span_id, 1));
        assert_ne!(context.span_id, context.parent_span_id);
    }

    #[test]
    fn a_trace_begins_where_none_or_nonsense_was_sent() {
        let long = format!("{SENT}-more");
        for sent in ["", "00-0", &SENT.replace("0af", "0AF"), &SENT.replace("00-", "ff-"), &long] {
            let mut headers = HeaderMap::new();
            headers.insert(TRACE_PARENT, HeaderValue::from_str(sent).expect("a header"));
            let context = go_on(&mut headers, &Chance::new());
            assert_eq!(context.parent_span_id, 0, "{sent:?}");
            assert!(parse(headers[&TRACE_PARENT].as_bytes()).is_some());
        }
    }
}
