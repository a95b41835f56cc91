//! What operators do with campaigns.

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::order::v1 as proto;

use super::ledger::{Account, Ledger};
use super::{Campaign, CampaignError, MAX_CAMPAIGNS, store};
use crate::convert::campaign as convert;

/// Adds a campaign or replaces its conditions.
#[derive(Debug)]
pub(crate) struct SetCampaign {
    /// As it should be; when it was created and changed is decided here.
    pub(crate) campaign: Campaign,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for SetCampaign {
    type Output = proto::SetCampaignResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx);
        let set = self.set(&mut ledger, tx).await;
        ledger.close(tx);
        set
    }
}

impl SetCampaign {
    async fn set(
        &self,
        ledger: &mut Ledger,
        tx: &mut Tx,
    ) -> Result<proto::SetCampaignResponse, Error> {
        let now = self.clock.now();
        ledger.load_campaign(tx, &self.campaign.code).await?;
        let before = ledger.campaign(&self.campaign.code);
        let created_at = before.map_or(now, |account| account.campaign.created_at);
        let taken = before.map_or(0, |account| account.taken);
        if before.is_none() && store::count(tx).await? >= MAX_CAMPAIGNS {
            return Err(CampaignError::TooMany.into());
        }
        let campaign = Campaign { created_at, updated_at: now, ..self.campaign.clone() };
        ledger.set_campaign(campaign.clone());
        let campaign = Some(convert::account(&Account { campaign, taken }, now));
        Ok(proto::SetCampaignResponse { campaign })
    }
}

/// Ends a campaign.
#[derive(Debug)]
pub(crate) struct EndCampaign {
    /// Campaign.
    pub(crate) code: String,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for EndCampaign {
    type Output = proto::EndCampaignResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx);
        let ended = self.end(&mut ledger, tx).await;
        ledger.close(tx);
        ended
    }
}

impl EndCampaign {
    async fn end(
        &self,
        ledger: &mut Ledger,
        tx: &mut Tx,
    ) -> Result<proto::EndCampaignResponse, Error> {
        let now = self.clock.now();
        ledger.load_campaign(tx, &self.code).await?;
        let found = ledger.campaign(&self.code).cloned();
        let mut account = found.ok_or_else(|| CampaignError::NotFound(self.code.clone()))?;
        account.campaign.end(now);
        ledger.set_campaign(account.campaign.clone());
        Ok(proto::EndCampaignResponse { campaign: Some(convert::account(&account, now)) })
    }
}
