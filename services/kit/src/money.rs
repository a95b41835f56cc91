//! Money in whole minor units and unit prices in millionths, with checked arithmetic.

use std::fmt;

use serde::{Deserialize, Serialize};
use throughline_proto::r#type::v1 as proto;

/// The ISO 4217 code of a currency in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code of a currency in use.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        match code.as_bytes() {
            &[a, b, c] if is_in_use([a, b, c]) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::CurrencyInvalid(code.to_owned())),
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters")
    }

    /// Decimal places of the minor unit (ISO 4217 list one, 2024-06-25).
    pub fn exponent(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

/// Currencies in use, in the order of the alphabet, four bytes each (ISO 4217 list one of 2024-06-25, with ZWG of 2024
/// and XCG of 2025; no metals, units of account or test codes).
const IN_USE: &[u8] = b"\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD \
    BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP \
    DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR \
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD \
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
    PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
    STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED \
    VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ";

fn is_in_use(code: [u8; 3]) -> bool {
    let (codes, _) = IN_USE.as_chunks::<4>();
    codes.binary_search_by(|entry| entry[..3].cmp(&code)).is_ok()
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// What can be wrong with money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// No currency in use.
    #[error("must be the ISO 4217 code of a currency in use, such as CNY, is {0:?}")]
    CurrencyInvalid(String),
    /// Two currencies in one sum.
    #[error("currencies {0} and {1} cannot be mixed")]
    CurrencyMismatch(Currency, Currency),
    /// The result does not fit.
    #[error("amount is too large")]
    Overflow,
    /// The field is not there.
    #[error("is required")]
    Missing,
    /// Below zero where that makes no sense.
    #[error("must not be negative, is {0}")]
    Negative(i64),
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Currency.
    pub currency: Currency,
    /// Whole minor units.
    pub minor: i64,
}

impl Money {
    /// Makes an amount.
    pub fn new(currency: Currency, minor: i64) -> Self {
        Self { currency, minor }
    }

    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self::new(currency, 0)
    }

    /// Nothing?
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Sum; fails on another currency or overflow.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(self.currency, minor))
    }

    /// Difference; fails on another currency or overflow.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(self.currency, minor))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }

    /// Reads a required, non-negative amount.
    pub fn from_proto(money: Option<&proto::Money>) -> Result<Self, MoneyError> {
        let money = money.ok_or(MoneyError::Missing)?;
        let currency = Currency::parse(&money.currency_code)?;
        if money.minor_units < 0 {
            return Err(MoneyError::Negative(money.minor_units));
        }
        Ok(Self::new(currency, money.minor_units))
    }

    /// As the contract writes it.
    pub fn to_proto(self) -> proto::Money {
        proto::Money { currency_code: self.currency.as_str().to_owned(), minor_units: self.minor }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let scale = 10_u64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let units = self.minor.unsigned_abs();
        write!(f, "{sign}{}", units / scale)?;
        if exponent > 0 {
            let width = usize::try_from(exponent).unwrap_or(0);
            write!(f, ".{:0width$}", units % scale)?;
        }
        write!(f, " {}", self.currency)
    }
}

/// The price of one unit, in millionths of the main unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnitPrice {
    /// Currency.
    pub currency: Currency,
    /// Millionths of the main unit.
    pub micro: i64,
}

impl UnitPrice {
    /// Reads a required, non-negative unit price.
    pub fn from_proto(price: Option<&proto::UnitPrice>) -> Result<Self, MoneyError> {
        let price = price.ok_or(MoneyError::Missing)?;
        let currency = Currency::parse(&price.currency_code)?;
        if price.micro_units < 0 {
            return Err(MoneyError::Negative(price.micro_units));
        }
        Ok(Self { currency, micro: price.micro_units })
    }

    /// As the contract writes it.
    pub fn to_proto(self) -> proto::UnitPrice {
        proto::UnitPrice {
            currency_code: self.currency.as_str().to_owned(),
            micro_units: self.micro,
        }
    }

    /// quantity × price, rounded half-up to the minor unit.
    pub fn times(self, quantity: i64) -> Result<Money, MoneyError> {
        let micro = i128::from(self.micro) * i128::from(quantity);
        let per_minor = 10_i128.pow(6 - self.currency.exponent());
        let minor = (micro + per_minor / 2).div_euclid(per_minor);
        let minor = i64::try_from(minor).map_err(|_| MoneyError::Overflow)?;
        Ok(Money::new(self.currency, minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(code: &str, micro: i64) -> UnitPrice {
        UnitPrice { currency: Currency::parse(code).expect("valid"), micro }
    }

    #[test]
    fn only_currencies_in_use_are_read() {
        for code in ["AED", "CNY", "EUR", "GBP", "USD", "ZWG"] {
            assert_eq!(Currency::parse(code).map(|c| c.to_string()), Ok(code.to_owned()));
        }
        for code in ["", "CN", "CNYS", "cny", "XXX", "XTS", "XAU", "DEM", "ED ", "D A"] {
            assert_eq!(Currency::parse(code), Err(MoneyError::CurrencyInvalid(code.to_owned())));
        }
    }

    #[test]
    fn a_line_is_rounded_half_up_to_the_minor_unit() {
        for (micro, quantity, minor) in [
            (2_550_000, 6, 1530),
            (85_000, 1, 9),
            (85_000, 2, 17),
            (84_999, 1, 8),
            (5_000, 1, 1),
            (4_999, 1, 0),
            (0, 1_000_000, 0),
        ] {
            let line = price("GBP", micro).times(quantity).expect("fits");
            assert_eq!(line.minor, minor, "{quantity} × {micro}");
        }
        assert_eq!(price("JPY", 500_000).times(1).expect("fits").minor, 1);
        assert_eq!(price("KWD", 1_500).times(1).expect("fits").minor, 2);
    }

    #[test]
    fn mixing_currencies_and_overflow_are_errors() {
        let pound = Money::new(Currency::parse("GBP").expect("valid"), i64::MAX);
        let euro = Money::new(Currency::parse("EUR").expect("valid"), 1);
        assert!(matches!(pound.plus(euro), Err(MoneyError::CurrencyMismatch(..))));
        assert_eq!(pound.plus(pound), Err(MoneyError::Overflow));
        assert_eq!(price("GBP", i64::MAX).times(i64::MAX), Err(MoneyError::Overflow));
    }

    #[test]
    fn money_is_shown_with_the_places_of_its_currency() {
        for (code, minor, text) in
            [("GBP", 1530, "15.30 GBP"), ("GBP", -5, "-0.05 GBP"), ("JPY", 15, "15 JPY")]
        {
            let money = Money::new(Currency::parse(code).expect("valid"), minor);
            assert_eq!(money.to_string(), text);
        }
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for code in ["gbp", "GB", "GBPX", "", "G1P"] {
            assert!(Currency::parse(code).is_err(), "{code}");
        }
    }
}
