//! The systems that are simulated and what each of them can be asked to do.

/// An outside system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum System {
    Provisioning,
    Billing,
    Logistics,
    Paychannel,
    Sms,
}

impl System {
    pub(crate) const ALL: [Self; 5] =
        [Self::Provisioning, Self::Billing, Self::Logistics, Self::Paychannel, Self::Sms];

    /// Name at the gateway, in errors and in the journal.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Billing => "billing",
            Self::Logistics => "logistics",
            Self::Paychannel => "paychannel",
            Self::Sms => "sms",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }
}

/// A method that has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    ActivateService,
    DeactivateService,
    OpenAccount,
    CloseAccount,
    CreateShipment,
    CancelShipment,
    Charge,
    Capture,
    CancelCharge,
    Refund,
    SendSms,
}

/// What a method does to the world. The systems differ in their words only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Begins something that can be ended.
    Begin,
    /// Ends what another method began, so that it can never be.
    End { began_by: Method },
    /// Takes or authorises money.
    Charge,
    /// Takes authorised money.
    Capture,
    /// Ends a charge whose money is not taken.
    CancelCharge,
    /// Gives money back.
    Refund,
}

impl Method {
    pub(crate) const ALL: [Self; 11] = [
        Self::ActivateService,
        Self::DeactivateService,
        Self::OpenAccount,
        Self::CloseAccount,
        Self::CreateShipment,
        Self::CancelShipment,
        Self::Charge,
        Self::Capture,
        Self::CancelCharge,
        Self::Refund,
        Self::SendSms,
    ];

    /// Name in the contract, without its package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ActivateService => "ActivateService",
            Self::DeactivateService => "DeactivateService",
            Self::OpenAccount => "OpenAccount",
            Self::CloseAccount => "CloseAccount",
            Self::CreateShipment => "CreateShipment",
            Self::CancelShipment => "CancelShipment",
            Self::Charge => "Charge",
            Self::Capture => "Capture",
            Self::CancelCharge => "CancelCharge",
            Self::Refund => "Refund",
            Self::SendSms => "SendSms",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    pub(crate) fn system(self) -> System {
        match self {
            Self::ActivateService | Self::DeactivateService => System::Provisioning,
            Self::OpenAccount | Self::CloseAccount => System::Billing,
            Self::CreateShipment | Self::CancelShipment => System::Logistics,
            Self::Charge | Self::Capture | Self::CancelCharge | Self::Refund => System::Paychannel,
            Self::SendSms => System::Sms,
        }
    }

    pub(crate) fn role(self) -> Role {
        match self {
            Self::ActivateService | Self::OpenAccount | Self::CreateShipment | Self::SendSms => {
                Role::Begin
            }
            Self::DeactivateService => Role::End { began_by: Self::ActivateService },
            Self::CloseAccount => Role::End { began_by: Self::OpenAccount },
            Self::CancelShipment => Role::End { began_by: Self::CreateShipment },
            Self::Charge => Role::Charge,
            Self::Capture => Role::Capture,
            Self::CancelCharge => Role::CancelCharge,
            Self::Refund => Role::Refund,
        }
    }

    /// Whether its contract lets it answer PENDING.
    pub(crate) fn may_answer_late(self) -> bool {
        match self.role() {
            Role::Begin => self != Self::SendSms,
            Role::End { .. } | Role::Charge | Role::Refund => true,
            Role::Capture | Role::CancelCharge => false,
        }
    }

    /// Whether its contract lets it refuse. A cancel of a charge that was "refused" would be a lie about money.
    pub(crate) fn may_refuse(self) -> bool {
        self != Self::CancelCharge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), Some(method));
            assert_eq!(System::parse(method.system().name()), Some(method.system()));
        }
        assert_eq!(Method::parse("GetOperation"), None);
        assert_eq!(System::parse("simulator"), None);
    }
}
