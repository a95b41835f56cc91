//! What a person gives on the command line, read into the types of the contracts.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use throughline_kit::error::{Error, Kind};

use crate::console::short;

/// Reads the name of an enum's value, without its prefix and in any case. Nothing given is the value 0, which is any.
pub fn enum_value(full_name: &str, prefix: &str, given: Option<&str>) -> Result<i32, Error> {
    let Some(given) = given else { return Ok(0) };
    let descriptor = throughline_proto::descriptors()
        .get_enum_by_name(full_name)
        .ok_or_else(|| Error::internal("console", format!("no descriptor of {full_name}")))?;
    let wanted = format!("{prefix}{}", given.to_ascii_uppercase());
    let known = || descriptor.values().filter(|value| value.number() != 0);
    if let Some(value) = known().find(|value| value.name() == wanted) {
        return Ok(value.number());
    }
    let names: Vec<String> = known().map(|v| short(v.name(), prefix).to_owned()).collect();
    let message = format!("no state {given}; states are {}", names.join(", "));
    Err(Error::new(Kind::Invalid, "client", "STATE_UNKNOWN", message).with("state", given))
}

/// Reads a time in UTC: a day, or a day and a time.
pub fn time(option: &str, given: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let read = |text: &str| {
        let day_alone = text.len() == "2026-11-27".len() && !text.contains(':');
        let text = if day_alone { format!("{text}T00:00:00Z") } else { text.to_owned() };
        text.parse::<Timestamp>().map_err(|_| {
            let message = format!(
                "{option} {text}: write a time as 2026-11-27 or 2026-11-27T08:00:00Z, in UTC"
            );
            Error::new(Kind::Invalid, "client", "TIME_INVALID", message).with("option", option)
        })
    };
    given.map(read).transpose()
}

/// Reads `name=value` pairs; a later one goes before an earlier one.
pub fn pairs(option: &str, given: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let read = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => {
            let message = format!("{option} {text}: write it as name=value");
            Err(Error::new(Kind::Invalid, "client", "PAIR_INVALID", message).with("option", option))
        }
    };
    given.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_named_without_its_prefix_and_a_wrong_one_is_told_what_there_is() {
        let read =
            |given| enum_value("throughline.order.v1.CampaignState", "CAMPAIGN_STATE_", given);
        for (given, number) in [(None, 0), (Some("OPEN"), 2), (Some("ended"), 3)] {
            assert_eq!(read(given).expect("known"), number, "{given:?}");
        }
        for given in ["OPENED", "UNSPECIFIED", ""] {
            let error = read(Some(given)).expect_err("unknown");
            assert!(error.message.ends_with("states are SCHEDULED, OPEN, ENDED"), "{error}");
        }
    }

    #[test]
    fn a_time_is_a_day_or_an_instant() {
        for (given, seconds) in
            [("1970-01-02", 86_400), ("1970-01-01T00:00:01Z", 1), ("1970-01-01T08:00:00+08:00", 0)]
        {
            let read = time("--from", Some(given)).expect("a time").expect("given");
            assert_eq!(read.seconds, seconds, "{given}");
        }
        for given in ["yesterday", "2026-13-01", "2026-11-27 tea", ""] {
            let error = time("--from", Some(given)).expect_err("no time");
            assert!(error.message.contains("2026-11-27T08:00:00Z"), "{error}");
        }
        assert_eq!(time("--from", None), Ok(None));
    }

    #[test]
    fn a_pair_has_a_name_and_any_value() {
        let given = ["a=1", "b=x=y", "c=", "a=2"].map(str::to_owned);
        let read = pairs("--set", &given).expect("pairs");
        let read: Vec<(&str, &str)> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(read, [("a", "2"), ("b", "x=y"), ("c", "")]);
        for given in ["a", "=1", ""] {
            assert!(pairs("--set", &[given.to_owned()]).is_err(), "{given}");
        }
    }
}
