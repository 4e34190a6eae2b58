//! Formats responses.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// For a client that waits before it sends its body.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Clone, Copy)]
pub(crate) struct Status(u16, &'static str);

impl Status {
    pub(crate) const OK: Self = Self(200, "OK");
    pub(crate) const BAD_REQUEST: Self = Self(400, "Bad Request");
    pub(crate) const NOT_FOUND: Self = Self(404, "Not Found");
    pub(crate) const METHOD_NOT_ALLOWED: Self = Self(405, "Method Not Allowed");
    pub(crate) const REQUEST_TIMEOUT: Self = Self(408, "Request Timeout");
    pub(crate) const LENGTH_REQUIRED: Self = Self(411, "Length Required");
    pub(crate) const CONTENT_TOO_LARGE: Self = Self(413, "Content Too Large");
    pub(crate) const URI_TOO_LONG: Self = Self(414, "URI Too Long");
    pub(crate) const HEADERS_TOO_LARGE: Self = Self(431, "Request Header Fields Too Large");
    pub(crate) const VERSION_NOT_SUPPORTED: Self = Self(505, "HTTP Version Not Supported");
}

impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

pub(crate) struct Response<'a> {
    pub(crate) status: Status,
    /// Additional header lines, each with its line end.
    pub(crate) headers: &'a str,
    pub(crate) body: &'a [u8],
    /// Answers HEAD: everything but the body.
    pub(crate) is_head: bool,
}

impl Response<'_> {
    pub(crate) fn write(&self, date: &mut Date, output: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = write!(
            output,
            "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n",
            self.status,
            date.text(),
            self.body.len(),
            self.headers,
        );
        if !self.is_head {
            output.extend_from_slice(self.body);
        }
    }
}

/// A response whose body is the text of its status.
pub(crate) fn write_error(status: Status, is_last: bool, date: &mut Date, output: &mut Vec<u8>) {
    let headers = if is_last { "Connection: close\r\n" } else { "" };
    Response { status, headers, body: format!("{status}\n").as_bytes(), is_head: false }.write(date, output);
}

/// The current date, formatted once a second.
#[derive(Default)]
pub(crate) struct Date {
    second: u64,
    text: String,
}

impl Date {
    fn text(&mut self) -> &str {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            (self.second, self.text) = (second, http_date(second));
        }
        &self.text
    }
}

/// The date in HTTP's format: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(second: u64) -> String {
    let (days, time) = (second / 86_400, second % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let (mut year, mut day) = (1970, days);
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].iter().zip(lengths);
    let month = months.find_map(|(name, len)| {
        let is_it = day < len;
        day -= if is_it { 0 } else { len };
        is_it.then_some(*name)
    });
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1, month.unwrap_or("Dec"))
}

const fn days_of(year: u64) -> u64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if is_leap { 366 } else { 365 }
}
