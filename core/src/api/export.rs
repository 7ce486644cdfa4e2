//! Answers that are files: what is asked for as one, and where their next page is.

use http::HeaderMap;

use serde_json::value::RawValue;

use super::params::Params;
use super::problem::Problem;
use super::{Asked, Response, mixed_up, origin};
use crate::room::signal::Approval;

/// JSON Lines, and its older name.
pub(super) const JSON_LINES: &[&str] = &[JSON_LINES_TYPE, "application/x-ndjson"];

/// What JSON Lines are sent as.
pub(super) const JSON_LINES_TYPE: &str = "application/jsonl";

/// Whether `Accept` names one of these types.
pub(super) fn accepts(headers: &HeaderMap, types: &[&str]) -> bool {
    let accept = origin::header(headers, "accept").unwrap_or_default();
    accept.split(',').any(|range| {
        let named = range.split(';').next().unwrap_or_default().trim();
        types.iter().any(|known| named.eq_ignore_ascii_case(known))
    })
}

/// The address of a list, for a link to its next page.
#[derive(Debug)]
pub(super) struct PageUrl {
    path: String,
    params: Params,
}

impl PageUrl {
    pub(super) fn of(asked: &Asked) -> Self {
        Self {
            path: asked.request.path.clone(),
            params: asked.params.clone(),
        }
    }

    /// A `Link` to the page at `cursor`. <https://www.rfc-editor.org/rfc/rfc8288>
    fn link(&self, cursor: &str) -> String {
        let query = self.params.with_text("cursor", cursor);
        format!("<{}?{query}>; rel=\"next\"", self.path)
    }
}

/// A file to be saved under `name`, and a link to its next page if there is one.
pub(super) fn file(
    content_type: &str,
    name: &str,
    body: String,
    page_url: &PageUrl,
    next: Option<&str>,
) -> Response {
    let mut headers = vec![
        ("content-type", content_type.to_owned()),
        (
            "content-disposition",
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    headers.extend(next.map(|cursor| ("link", page_url.link(cursor))));
    Response {
        status: 200,
        headers,
        body,
    }
}

/// Decisions as CSV: a header, then a row of each. <https://www.rfc-editor.org/rfc/rfc4180>
pub(super) fn approvals(
    approvals: &[Box<RawValue>],
    page_url: &PageUrl,
    next: Option<&str>,
) -> Result<Response, Problem> {
    const HEADER: [&str; 6] = [
        "approved_at",
        "symbol",
        "approved_status",
        "approved_by",
        "note",
        "signal_id",
    ];
    let mut rows = vec![HEADER.map(str::to_owned)];
    for approval in approvals {
        let approval: Approval = serde_json::from_str(approval.get()).map_err(|_| mixed_up())?;
        rows.push([
            approval.approved_at.to_string(),
            approval.symbol.to_string(),
            approval.approved_status.to_string(),
            approval.approved_by,
            approval.note.unwrap_or_default(),
            approval.signal_id.0,
        ]);
    }
    let body = csv(&rows).ok_or_else(mixed_up)?;
    let content_type = "text/csv; charset=utf-8; header=present";
    Ok(file(content_type, "approvals.csv", body, page_url, next))
}

/// Rows of cells, each line ended by CRLF.
fn csv<const N: usize>(rows: &[[String; N]]) -> Option<String> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row.iter().map(|cell| guarded(cell)))
            .ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

/// A cell that a spreadsheet shows and does not run.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's own CSV is held to the same list.
    #[test]
    fn cells_are_written_as_the_list_says() {
        let list = include_str!("../../tests/fixtures/csv_cells.json");
        let list: Vec<(String, String)> = serde_json::from_str(list).expect("the list");
        assert!(list.len() > 10);
        for (cell, written) in list {
            // A second cell, because a lone empty one is quoted so that its row is one.
            let text = csv(&[[cell.clone(), "x".to_owned()]]);
            assert_eq!(text, Some(format!("{written},x\r\n")), "{cell:?}");
        }
    }
}
