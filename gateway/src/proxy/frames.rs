//! Counts the messages of one direction over DATA boundaries: limits them, and looks for the order id in the first.

use std::sync::Arc;

use super::order_id::{self, OrderId};

/// One byte of flags and four of length before each message.
const PREFIX_LENGTH: usize = 5;
/// A first message longer than this is not searched for an order id when it comes in pieces, in bytes.
const MAX_SEARCHED_BYTES: usize = 64 << 10;

/// What is wrong with a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not gRPC.
    Malformed(&'static str),
    /// Larger than the limit.
    TooLarge { bytes: u32, limit: u32 },
}

/// Watches one direction of a call.
pub(super) struct Frames {
    limit: u32,
    prefix: [u8; PREFIX_LENGTH],
    prefix_length: usize,
    remaining: usize,
    search: Option<Search>,
    /// Order id, once it was found.
    pub(super) order_id: OrderId,
    /// Bytes of messages with their prefixes.
    pub(super) bytes: u64,
}

struct Search {
    path: Arc<[u32]>,
    pieces: Vec<u8>,
}

impl Frames {
    /// Begins before the first message.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            prefix: [0; PREFIX_LENGTH],
            prefix_length: 0,
            remaining: 0,
            search: None,
            order_id: OrderId::default(),
            bytes: 0,
        }
    }

    /// Asks to look for an order id in the first message.
    pub(super) fn search(&mut self, path: &Arc<[u32]>) {
        if !path.is_empty() {
            self.search = Some(Search { path: Arc::clone(path), pieces: Vec::new() });
        }
    }

    /// Takes what arrived.
    pub(super) fn take(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        self.bytes += data.len() as u64;
        while !data.is_empty() {
            if self.remaining > 0 {
                let (piece, rest) = data.split_at(self.remaining.min(data.len()));
                data = rest;
                self.remaining -= piece.len();
                self.look(piece);
                continue;
            }
            let missing = PREFIX_LENGTH - self.prefix_length;
            let (piece, rest) = data.split_at(missing.min(data.len()));
            data = rest;
            let filled = self.prefix_length + piece.len();
            self.prefix[self.prefix_length..filled].copy_from_slice(piece);
            self.prefix_length = filled;
            if filled == PREFIX_LENGTH {
                self.begin_message()?;
            }
        }
        Ok(())
    }

    fn begin_message(&mut self) -> Result<(), Fault> {
        let [flags, length @ ..] = self.prefix;
        let bytes = u32::from_be_bytes(length);
        self.prefix_length = 0;
        match flags {
            0 => {}
            // Compressed: what is in it is not ours to read.
            1 => self.search = None,
            _ => {
                return Err(Fault::Malformed("the flags of a message are neither 0 nor 1"));
            }
        }
        if bytes > self.limit {
            return Err(Fault::TooLarge { bytes, limit: self.limit });
        }
        self.remaining = bytes as usize;
        if bytes == 0 {
            self.search = None;
        }
        Ok(())
    }

    fn look(&mut self, piece: &[u8]) {
        let Some(search) = &mut self.search else {
            return;
        };
        let complete = self.remaining == 0;
        if complete && search.pieces.is_empty() {
            self.order_id = order_id::find(piece, &search.path).unwrap_or_default();
        } else if search.pieces.len() + piece.len() <= MAX_SEARCHED_BYTES {
            search.pieces.extend_from_slice(piece);
            if !complete {
                return;
            }
            self.order_id = order_id::find(&search.pieces, &search.path).unwrap_or_default();
        }
        self.search = None;
    }

    /// Checks that the direction does not end inside of a message.
    pub(super) fn end(&self) -> Result<(), Fault> {
        if self.prefix_length == 0 && self.remaining == 0 {
            Ok(())
        } else {
            Err(Fault::Malformed("it ends inside of a message"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use throughline_proto::sms::v1::SendSmsRequest;

    use super::*;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        messages
            .iter()
            .flat_map(|message| {
                let length = u32::try_from(message.len()).expect("small").to_be_bytes();
                [&[0][..], &length, message].concat()
            })
            .collect()
    }

    #[test]
    fn a_message_at_the_limit_passes_and_one_byte_more_does_not() {
        let mut frames = Frames::new(100);
        assert_eq!(frames.take(&framed(&[vec![0; 100]])), Ok(()));
        let fault = frames.take(&framed(&[vec![0; 101]]));
        assert_eq!(fault, Err(Fault::TooLarge { bytes: 101, limit: 100 }));
    }

    #[test]
    fn other_flags_are_not_grpc() {
        assert!(matches!(Frames::new(9).take(&[2, 0, 0, 0, 0]), Err(Fault::Malformed(_))));
    }

    #[test]
    fn an_end_inside_of_a_message_is_noticed() {
        let bytes = framed(&[vec![1; 3]]);
        for length in 1..bytes.len() {
            let mut frames = Frames::new(9);
            frames.take(&bytes[..length]).expect("fine so far");
            assert!(frames.end().is_err(), "after {length} bytes");
        }
        let mut frames = Frames::new(9);
        frames.take(&bytes).expect("fine");
        assert_eq!(frames.end(), Ok(()));
    }

    proptest! {
        #[test]
        fn where_data_is_cut_makes_no_difference(
            lengths in proptest::collection::vec(0_usize..300, 1..5),
            cuts in proptest::collection::vec(1_usize..50, 1..20),
            id in "[a-z_]{1,40}",
        ) {
            let order_id = id.clone();
            let first = SendSmsRequest { order_id, text: "t".repeat(lengths[0]), ..Default::default() };
            let mut messages = vec![first.encode_to_vec()];
            messages.extend(lengths.iter().map(|n| vec![0; *n]));
            let bytes = framed(&messages);
            let mut frames = Frames::new(1_000);
            frames.search(&Arc::from([2]));
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                frames.take(piece).expect("gRPC");
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames.end(), Ok(()));
            prop_assert_eq!(frames.bytes, bytes.len() as u64);
            prop_assert_eq!(frames.order_id.as_str(), id);
        }
    }
}
