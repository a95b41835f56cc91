//! Reads campaigns for callers: a channel sees what it sells, operators see all.

use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use super::ledger::Account;
use super::{CampaignError, GroupId, store};
use crate::convert::campaign as convert;
use crate::error::DOMAIN;

/// Reads campaigns and groups.
#[derive(Clone, Debug)]
pub(crate) struct CampaignQuery {
    /// Where they are read.
    pub(crate) database: Database,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl CampaignQuery {
    /// Reads one campaign.
    pub(crate) async fn get(
        &self,
        caller: &Caller,
        code: &str,
    ) -> Result<proto::GetCampaignResponse, Error> {
        let missing = || CampaignError::NotFound(code.to_owned());
        // No database keeps such a text, and some refuse to look for it.
        if code.contains('\0') {
            return Err(missing().into());
        }
        let found = store::find(&self.database, code).await?;
        let account = found.filter(|account| sees(caller, account)).ok_or_else(missing)?;
        let campaign = Some(convert::account(&account, self.clock.now()));
        Ok(proto::GetCampaignResponse { campaign })
    }

    /// Lists campaigns, newest first.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: &proto::ListCampaignsRequest,
    ) -> Result<proto::ListCampaignsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        let state = wrong.take("state", convert::state_filter(request.state)).flatten();
        wrong.finish()?;
        let now = self.clock.now();
        let found = store::page(&self.database, state, &page, now).await?;
        let (found, next_page_token) =
            page.cut(found, |account| (account.campaign.created_at, account.campaign.code.clone()));
        let seen = found.iter().filter(|account| sees(caller, account));
        let campaigns = seen.map(|account| convert::account(account, now)).collect();
        Ok(proto::ListCampaignsResponse { campaigns, next_page_token })
    }

    /// Reads how far a group is.
    pub(crate) async fn group(&self, id: &str) -> Result<proto::GetBuyerGroupResponse, Error> {
        let missing = || CampaignError::GroupNotFound(id.to_owned());
        let group_id = GroupId::parse(id).map_err(|_| missing())?;
        let group = store::find_group(&self.database, &group_id).await?.ok_or_else(missing)?;
        let group = Some(convert::group(&group, self.clock.now()));
        Ok(proto::GetBuyerGroupResponse { group })
    }
}

fn sees(caller: &Caller, account: &Account) -> bool {
    caller.channel().is_none_or(|channel| account.campaign.is_sold_by(channel))
}
