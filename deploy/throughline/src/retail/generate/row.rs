//! One line of the file, as spreadsheets write it.

/// Day of all invoices.
pub(super) const DATE: &str = "2024-05-02";

/// One line of the file.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) invoice: String,
    pub(super) code: String,
    pub(super) name: String,
    pub(super) quantity: String,
    pub(super) minute: u64,
    pub(super) price: u64,
    pub(super) customer: String,
    pub(super) country: &'static str,
}

impl Row {
    /// The fields in the order of the header.
    pub(super) fn fields(&self) -> [String; 8] {
        let customer =
            if self.customer.is_empty() { String::new() } else { format!("{}.0", self.customer) };
        [
            self.invoice.clone(),
            self.code.clone(),
            self.name.clone(),
            self.quantity.clone(),
            format!("{DATE} {:02}:{:02}:00", self.minute / 60, self.minute % 60),
            decimal(self.price),
            customer,
            self.country.to_owned(),
        ]
    }
}

/// Writes thousandths as spreadsheets do: "18.0", "2.1", "0.085".
fn decimal(thousandths: u64) -> String {
    let fraction = format!("{:03}", thousandths % 1_000);
    let places = fraction.trim_end_matches('0');
    let places = if places.is_empty() { "0" } else { places };
    format!("{}.{places}", thousandths / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_written_as_spreadsheets_do() {
        for (thousandths, text) in
            [(18_000, "18.0"), (2_100, "2.1"), (2_550, "2.55"), (85, "0.085"), (0, "0.0")]
        {
            assert_eq!(decimal(thousandths), text);
        }
    }
}
