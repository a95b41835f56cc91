//! What groups of buyers decide, by stories and by random sequences.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::{END, START, TERMS, campaign, order};
use crate::campaign::news::{News, NewsKind};
use crate::campaign::{CampaignError, Group, GroupId, GroupState, Kind};
use crate::order::OrderId;

/// What happens to a group; buyers have orders of the same name.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Joins(&'static str),
    Pays(&'static str),
    Leaves(&'static str),
    Rings,
}

use Happens::{Joins, Leaves, Pays, Rings};

/// What the group answers: a place or a refusal, and who hears what.
fn happen(group: &mut Group, happens: Happens, now: Instant) -> (&'static str, Vec<News>) {
    match happens {
        Joins(buyer) => {
            let answer = match group.join(buyer, &order(buyer), now) {
                Ok(()) => "",
                Err(CampaignError::GroupFull(_)) => "full",
                Err(CampaignError::GroupEnded(_)) => "ended",
                Err(CampaignError::BuyerAlreadyInGroup(_)) => "there",
                Err(other) => panic!("{other}"),
            };
            (answer, Vec::new())
        }
        Pays(buyer) => ("", group.pay(&order(buyer), now)),
        Leaves(buyer) => ("", group.leave(&order(buyer), now)),
        Rings => ("", group.ring(now)),
    }
}

fn heard(signals: &[News]) -> Vec<(OrderId, NewsKind)> {
    signals.iter().map(|signal| (signal.order_id.clone(), signal.kind)).collect()
}

/// Steps by second after opening, each with the refusal and those who hear of the group's end; then how it ended.
type Story = (&'static [(u64, Happens, &'static str, &'static [&'static str])], GroupState);

const STORIES: &[Story] = &[
    // As many have paid as it needs.
    (
        &[
            (0, Joins("a"), "", &[]),
            (1, Pays("a"), "", &[]),
            (2, Joins("b"), "", &[]),
            (59, Pays("b"), "", &["a", "b"]),
            (60, Rings, "", &[]),
        ],
        GroupState::Completed,
    ),
    // A place is taken before it is paid, and is free again when its order ends.
    (
        &[
            (0, Joins("a"), "", &[]),
            (0, Joins("b"), "", &[]),
            (1, Joins("c"), "full", &[]),
            (2, Leaves("b"), "", &[]),
            (2, Pays("b"), "", &[]),
            (3, Joins("c"), "", &[]),
            (4, Pays("a"), "", &[]),
            (5, Pays("c"), "", &["a", "c"]),
            (6, Joins("d"), "full", &[]),
        ],
        GroupState::Completed,
    ),
    // One who left may come back.
    (
        &[
            (0, Joins("a"), "", &[]),
            (0, Joins("a"), "there", &[]),
            (1, Leaves("a"), "", &[]),
            (2, Joins("a"), "", &[]),
        ],
        GroupState::Open,
    ),
    // To hear of a payment twice changes nothing.
    (
        &[
            (0, Joins("a"), "", &[]),
            (1, Pays("a"), "", &[]),
            (1, Pays("a"), "", &[]),
            (1, Pays("stranger"), "", &[]),
        ],
        GroupState::Open,
    ),
    // The deadline is an instant: what is paid before counts, what is paid at it does not.
    (
        &[
            (0, Joins("a"), "", &[]),
            (0, Joins("b"), "", &[]),
            (59, Pays("a"), "", &[]),
            (60, Pays("b"), "", &["a", "b"]),
            (61, Rings, "", &[]),
        ],
        GroupState::Missed,
    ),
    // Paid and unpaid hear of a missed deadline; one who pays after it hears at once.
    (
        &[
            (0, Joins("a"), "", &[]),
            (0, Joins("b"), "", &[]),
            (1, Pays("a"), "", &[]),
            (59, Rings, "", &[]),
            (60, Rings, "", &["a", "b"]),
            (61, Pays("b"), "", &["b"]),
            (61, Pays("a"), "", &[]),
            (62, Joins("c"), "ended", &[]),
        ],
        GroupState::Missed,
    ),
    // Nobody comes late, though no sweeper came by.
    (&[(0, Joins("a"), "", &[]), (60, Joins("b"), "ended", &[])], GroupState::Missed),
    // What is completed stays so, whatever becomes of its orders.
    (
        &[
            (0, Joins("a"), "", &[]),
            (0, Joins("b"), "", &[]),
            (1, Pays("a"), "", &[]),
            (1, Pays("b"), "", &["a", "b"]),
            (2, Leaves("a"), "", &[]),
            (2, Joins("c"), "full", &[]),
        ],
        GroupState::Completed,
    ),
];

#[test]
fn groups_end_as_their_stories_say() {
    for (number, (steps, end)) in STORIES.iter().enumerate() {
        let campaign = campaign(Kind::GroupBuy(TERMS));
        let mut group = Group::open(GroupId::generate(), &campaign, TERMS, START);
        let mut now = START;
        for (second, happens, refusal, hear) in *steps {
            now = START.plus(Duration::from_secs(*second));
            let (answer, signals) = happen(&mut group, *happens, now);
            let place = format!("story {number}, second {second}: {happens:?}");
            assert_eq!(answer, *refusal, "{place}");
            let kind = match group.state_at(now) {
                GroupState::Completed => NewsKind::GroupCompleted,
                GroupState::Missed | GroupState::Open => NewsKind::GroupMissed,
            };
            let expected: Vec<_> = hear.iter().map(|name| (order(name), kind)).collect();
            assert_eq!(heard(&signals), expected, "{place}");
        }
        assert_eq!(group.state_at(now), *end, "story {number}");
    }
}

/// Whatever happens in whatever order: a group never has more places than it needs, completes with exactly as many paid,
/// ends once, and tells every order of the end exactly one thing.
#[test]
fn no_order_of_events_breaks_a_group() {
    const BUYERS: [&str; 4] = ["a", "b", "c", "d"];
    for seed in 0..2_000_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let campaign = campaign(Kind::GroupBuy(TERMS));
        let mut group = Group::open(GroupId::generate(), &campaign, TERMS, START);
        let mut now = START;
        let mut told: BTreeMap<OrderId, NewsKind> = BTreeMap::new();
        for _ in 0..40 {
            now = now.plus(Duration::from_secs(next(4)));
            let buyer = BUYERS[usize::try_from(next(4)).expect("small")];
            let was = group.state;
            let happens = [Joins(buyer), Pays(buyer), Leaves(buyer), Rings];
            let happens = happens[usize::try_from(next(4)).expect("small")];
            let (_, signals) = happen(&mut group, happens, now);
            assert!(group.members.len() <= TERMS.size, "seed {seed}");
            assert!(was == GroupState::Open || group.state == was, "seed {seed}: it ends once");
            if group.state == GroupState::Completed {
                assert_eq!(group.paid(), TERMS.size, "seed {seed}");
            }
            for signal in signals {
                let before = told.insert(signal.order_id, signal.kind);
                assert!(before.is_none_or(|kind| kind == signal.kind), "seed {seed}");
            }
        }
    }
}

#[test]
fn a_group_ends_with_its_campaign() {
    let campaign = campaign(Kind::GroupBuy(TERMS));
    let late = Instant(END.0 - 1_000_000);
    let group = Group::open(GroupId::generate(), &campaign, TERMS, late);
    assert_eq!(group.expires_at, END);
}
