//! The campaigns, buyers and groups that the changes of one commit touch, in memory: each row is read once and written
//! once per commit, so a campaign that a hundred buyers want costs a commit as much as one that a single buyer wants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::{Tx, WorkingSet, corrupt};
use throughline_proto::order::v1 as proto;

use super::{Campaign, Group, GroupId, GroupState, store};
use crate::campaign::news::{self, News};
use crate::convert::campaign as convert;
use crate::error::DOMAIN;

/// A campaign and how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Conditions.
    pub(crate) campaign: Campaign,
    /// Units that are taken.
    pub(crate) taken: i64,
}

/// A row, and its version when it was read: 0 for one that is new in this commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sheet<T> {
    /// What the row says.
    pub(crate) value: T,
    /// The version that is stored.
    pub(crate) version: i64,
    /// It says something else than what is stored.
    pub(crate) is_changed: bool,
}

impl<T> Sheet<T> {
    /// As it is stored.
    pub(crate) fn read(value: T, version: i64) -> Self {
        Self { value, version, is_changed: false }
    }

    /// Not yet stored.
    fn new(value: T) -> Self {
        Self { value, version: 0, is_changed: true }
    }

    fn change(&mut self) -> &mut T {
        self.is_changed = true;
        &mut self.value
    }
}

/// What the changes of one commit share.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    campaigns: BTreeMap<String, Sheet<Account>>,
    /// Units by campaign and buyer.
    buyers: BTreeMap<(String, String), Sheet<i64>>,
    groups: BTreeMap<GroupId, Sheet<Group>>,
}

impl Ledger {
    /// Goes on with the ledger of this commit, or begins it.
    pub(crate) fn open(tx: &mut Tx) -> Self {
        tx.take_working_set().unwrap_or_default()
    }

    /// Keeps it for the next change of this commit.
    pub(crate) fn close(self, tx: &mut Tx) {
        tx.keep_working_set(self);
    }

    /// Reads a campaign that is not in memory yet. One that does not exist is no error here.
    pub(crate) async fn load_campaign(&mut self, tx: &mut Tx, code: &str) -> Result<(), Error> {
        if !self.campaigns.contains_key(code)
            && let Some(sheet) = store::load(tx, code).await?
        {
            self.campaigns.insert(code.to_owned(), sheet);
        }
        Ok(())
    }

    /// Reads how much a buyer has taken of a campaign.
    pub(crate) async fn load_buyer(
        &mut self,
        tx: &mut Tx,
        campaign: &str,
        buyer: &str,
    ) -> Result<(), Error> {
        if let Entry::Vacant(place) = self.buyers.entry((campaign.to_owned(), buyer.to_owned()))
            && let Some(sheet) = store::load_buyer(tx, campaign, buyer).await?
        {
            place.insert(sheet);
        }
        Ok(())
    }

    /// Reads a group that is not in memory yet. One that does not exist is no error here.
    pub(crate) async fn load_group(&mut self, tx: &mut Tx, id: &GroupId) -> Result<(), Error> {
        if !self.groups.contains_key(id)
            && let Some(sheet) = store::load_group(tx, id).await?
        {
            self.groups.insert(id.clone(), sheet);
        }
        Ok(())
    }

    /// A campaign that was loaded and exists.
    pub(crate) fn campaign(&self, code: &str) -> Option<&Account> {
        self.campaigns.get(code).map(|sheet| &sheet.value)
    }

    /// Units that a buyer who was loaded has taken of a campaign.
    pub(crate) fn taken_by(&self, campaign: &str, buyer: &str) -> i64 {
        let key = (campaign.to_owned(), buyer.to_owned());
        self.buyers.get(&key).map_or(0, |sheet| sheet.value)
    }

    /// A group that was loaded and exists.
    pub(crate) fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id).map(|sheet| &sheet.value)
    }

    /// Adds a campaign or replaces its conditions; what is taken stays taken.
    pub(crate) fn set_campaign(&mut self, campaign: Campaign) {
        match self.campaigns.entry(campaign.code.clone()) {
            Entry::Occupied(mut sheet) => sheet.get_mut().change().campaign = campaign,
            Entry::Vacant(place) => {
                place.insert(Sheet::new(Account { campaign, taken: 0 }));
            }
        }
    }

    /// Takes units of a campaign for a buyer; gives them back when there are fewer than none. Both were loaded.
    pub(crate) fn take(&mut self, campaign: &str, buyer: &str, units: i64) {
        if let Some(sheet) = self.campaigns.get_mut(campaign) {
            sheet.change().taken += units;
        }
        let key = (campaign.to_owned(), buyer.to_owned());
        *self.buyers.entry(key).or_insert_with(|| Sheet::new(0)).change() += units;
    }

    /// Adds a group or replaces it.
    pub(crate) fn put_group(&mut self, group: Group) {
        match self.groups.entry(group.id.clone()) {
            Entry::Occupied(mut sheet) => *sheet.get_mut().change() = group,
            Entry::Vacant(place) => {
                place.insert(Sheet::new(group));
            }
        }
    }

    /// Changes a group that exists; stores what its orders have to hear, and announces its end.
    pub(crate) async fn change_group(
        &mut self,
        tx: &mut Tx,
        id: &GroupId,
        now: Instant,
        change: impl FnOnce(&mut Group) -> Vec<News>,
    ) -> Result<(), Error> {
        self.load_group(tx, id).await?;
        let sheet = self
            .groups
            .get_mut(id)
            .ok_or_else(|| corrupt(DOMAIN, "buyer_groups", format!("{id} does not exist")))?;
        let mut group = sheet.value.clone();
        let signals = change(&mut group);
        if group.state != sheet.value.state {
            tx.announce(ended(&group, &signals, now));
        }
        for one in &signals {
            news::send(tx, one, now);
        }
        if group != sheet.value {
            *sheet.change() = group;
        }
        Ok(())
    }
}

fn ended(group: &Group, signals: &[News], now: Instant) -> Announcement {
    let kind = match group.state {
        GroupState::Completed => "group.completed",
        GroupState::Missed | GroupState::Open => "group.missed",
    };
    let payload = proto::BuyerGroupEnded {
        group: group.id.to_string(),
        campaign: group.campaign.clone(),
        state: convert::group_state(group.state).into(),
        order_ids: signals.iter().map(|signal| signal.order_id.to_string()).collect(),
    };
    Announcement::new(kind, group.id.as_str(), "", now, &payload)
}

impl WorkingSet for Ledger {
    async fn flush(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let changed = self.campaigns.values().filter(|sheet| sheet.is_changed);
        store::put(tx, changed).await?;
        let changed = self.buyers.iter().filter(|(_, sheet)| sheet.is_changed);
        store::put_buyers(tx, changed).await?;
        let changed = self.groups.values().filter(|sheet| sheet.is_changed);
        store::put_groups(tx, changed).await
    }
}
