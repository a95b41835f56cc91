//! Reads lists page by page.

use throughline_kit::error::Error;

/// Rows that a center gives in one answer at most.
const MAX_PAGE: u32 = 500;

/// Rows of a list, as many as were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// There are more than were asked for.
    pub more: bool,
}

/// Reads up to `limit` rows. `page` gets the size of a page and where to go on, and gives rows and where to go on then.
pub async fn read<T, Page, Answer>(limit: u32, mut page: Page) -> Result<Rows<T>, Error>
where
    Page: FnMut(i32, String) -> Answer,
    Answer: Future<Output = Result<(Vec<T>, String), Error>>,
{
    let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
    let size = i32::try_from(limit.min(MAX_PAGE)).unwrap_or(i32::MAX);
    let mut rows = Vec::new();
    let mut token = String::new();
    loop {
        let (found, next) = page(size, token).await?;
        rows.extend(found);
        if next.is_empty() || rows.len() >= limit_rows {
            let more = rows.len() > limit_rows || !next.is_empty();
            rows.truncate(limit_rows);
            return Ok(Rows { rows, more });
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list of numbers from 0 in pages of three rows, some of them empty.
    async fn numbers(limit: u32, stored: usize) -> Rows<usize> {
        let page = |_: i32, token: String| async move {
            let from: usize = token.parse().unwrap_or(0);
            // As a center that leaves out what a caller may not see.
            if token == "3" {
                return Ok((Vec::new(), "3 ".to_owned()));
            }
            let from = if token == "3 " { 3 } else { from };
            let to = (from + 3).min(stored);
            let next = if to < stored { to.to_string() } else { String::new() };
            Ok(((from..to).collect(), next))
        };
        read(limit, page).await.expect("read")
    }

    #[tokio::test]
    async fn pages_are_read_until_there_are_enough_rows_or_no_more() {
        for (limit, stored, expected, more) in [
            (5, 0, 0, false),
            (5, 2, 2, false),
            (3, 3, 3, false),
            (3, 4, 3, true),
            (2, 3, 2, true),
            (5, 7, 5, true),
            (100, 8, 8, false),
        ] {
            let read = numbers(limit, stored).await;
            assert_eq!(read.rows, (0..expected).collect::<Vec<_>>(), "{limit} of {stored}");
            assert_eq!(read.more, more, "{limit} of {stored}");
        }
    }
}
