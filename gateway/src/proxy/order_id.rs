//! Finds the order id in a message by the field numbers that lead to it. Nothing else of a message is ever decoded.

use std::fmt;

/// Longest order id that is recorded, in bytes.
const MAX_LENGTH: usize = 40;
/// Messages inside messages that a path can lead through.
const WIRE_VARINT: u64 = 0;
const WIRE_FIXED64: u64 = 1;
const WIRE_LENGTH: u64 = 2;
const WIRE_FIXED32: u64 = 5;

/// An order id with a fixed layout; empty where none is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderId {
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

impl Default for OrderId {
    fn default() -> Self {
        Self { bytes: [0; MAX_LENGTH], length: 0 }
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OrderId {
    /// Takes an id; `None` for what cannot be one: empty, too long, or not printable ASCII.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let length = u8::try_from(text.len()).ok().filter(|n| usize::from(*n) <= MAX_LENGTH)?;
        if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; MAX_LENGTH];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { bytes, length })
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Whether none is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Follows a path of field numbers through a message. As in protobuf, the last of repeated values counts.
pub(super) fn find(message: &[u8], path: &[u32]) -> Option<OrderId> {
    let (number, rest) = path.split_first()?;
    let mut input = message;
    let mut found = None;
    while !input.is_empty() {
        let key = varint(&mut input)?;
        match key & 7 {
            WIRE_VARINT => {
                varint(&mut input)?;
            }
            WIRE_FIXED64 => input = input.get(8..)?,
            WIRE_FIXED32 => input = input.get(4..)?,
            WIRE_LENGTH => {
                let length = usize::try_from(varint(&mut input)?).ok()?;
                let value = input.get(..length)?;
                input = &input[length..];
                if key >> 3 == u64::from(*number) {
                    found = if rest.is_empty() { OrderId::new(value) } else { find(value, rest) };
                }
            }
            _ => return None,
        }
    }
    found
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            *input = &input[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use throughline_proto::order::v1 as order;
    use throughline_proto::payment::v1 as payment;
    use throughline_proto::sms::v1 as sms;

    use super::*;

    const ID: &str = "ord_01hzy3v9k2m4n6p8q0r2s4t6v8";

    #[test]
    fn the_id_is_found_wherever_the_path_leads() {
        let text = sms::SendSmsRequest {
            reference: "ref".to_owned(),
            order_id: ID.to_owned(),
            phone: "+4420".to_owned(),
            text: "x".repeat(500),
        };
        assert_eq!(find(&text.encode_to_vec(), &[2]).expect("there").as_str(), ID);
        let order_id = ID.to_owned();
        let nested = payment::StartAttemptResponse {
            payment_order: Some(payment::PaymentOrder { order_id, ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(find(&nested.encode_to_vec(), &[1, 3]).expect("there").as_str(), ID);
    }

    #[test]
    fn where_no_id_is_none_is_found() {
        let empty = order::GetOrderRequest::default().encode_to_vec();
        assert_eq!(find(&empty, &[1]), None);
        assert_eq!(find(&empty, &[]), None);
        let long = order::GetOrderRequest { order_id: "x".repeat(41), ..Default::default() };
        assert_eq!(find(&long.encode_to_vec(), &[1]), None);
        let odd = order::GetOrderRequest { order_id: "ord\n".to_owned(), ..Default::default() };
        assert_eq!(find(&odd.encode_to_vec(), &[1]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, path in proptest::collection::vec(0_u32..20, 0..4)) {
            let _ = find(&bytes, &path);
        }

        #[test]
        fn an_id_survives_any_other_fields(reference in ".*", phone in ".*", text in ".*") {
            let request = sms::SendSmsRequest { reference, order_id: ID.to_owned(), phone, text };
            prop_assert_eq!(find(&request.encode_to_vec(), &[2]).expect("there").as_str().to_owned(), ID);
        }
    }
}
