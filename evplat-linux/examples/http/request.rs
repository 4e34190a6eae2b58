//! Parses requests. Anything ambiguous is refused: if two programs parse a request differently, a client can hide a
//! second request in what one of them takes for a body.

use httparse::{Error, Header};

use crate::response::Status;

const HEAD_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;
const BODY_MAX: usize = 1 << 20;

pub(crate) enum Parsed<'a> {
    /// More data is needed: at least this many bytes in total. The client may be waiting for `100 Continue`.
    Partial { wanted: usize, expects_continue: bool },
    /// A request, in the first `len` bytes.
    Complete { request: Request<'a>, len: usize },
}

pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) keeps_alive: bool,
    /// An HTTP/1.0 client must be informed if the connection stays open.
    pub(crate) is_http_1_0: bool,
}

/// Parses the first request of `input`, or returns the status to refuse it with.
pub(crate) fn parse(input: &[u8]) -> Result<Parsed<'_>, Status> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let head_len = match head.parse(input) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_MAX => len,
        Ok(httparse::Status::Partial) if input.len() <= HEAD_MAX => {
            return Ok(Parsed::Partial { wanted: input.len().saturating_add(1), expects_continue: false });
        }
        // The first line has no end yet, so its target is too long.
        Ok(_) if !input.iter().take(HEAD_MAX).any(|byte| *byte == b'\n') => return Err(Status::URI_TOO_LONG),
        Ok(_) | Err(Error::TooManyHeaders) => return Err(Status::HEADERS_TOO_LARGE),
        Err(Error::Version) => return Err(Status::VERSION_NOT_SUPPORTED),
        Err(_) => return Err(Status::BAD_REQUEST),
    };
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(Status::BAD_REQUEST);
    };
    let facts = Facts::of(head.headers)?;
    let is_http_1_0 = version == 0;
    if facts.hosts > 1 || (facts.hosts == 0 && !is_http_1_0) {
        return Err(Status::BAD_REQUEST);
    }
    if facts.is_chunked {
        return Err(if facts.length.is_some() { Status::BAD_REQUEST } else { Status::LENGTH_REQUIRED });
    }
    let body_len = usize::try_from(facts.length.unwrap_or(0)).unwrap_or(usize::MAX);
    if body_len > BODY_MAX {
        return Err(Status::CONTENT_TOO_LARGE);
    }
    let len = head_len.saturating_add(body_len);
    let Some(body) = input.get(head_len..len) else {
        return Ok(Parsed::Partial { wanted: len, expects_continue: facts.expects_continue && !is_http_1_0 });
    };
    let keeps_alive = !facts.closes && (facts.keeps_alive || !is_http_1_0);
    Ok(Parsed::Complete { request: Request { method, path: path_of(target), body, keeps_alive, is_http_1_0 }, len })
}

/// What the headers say about the request itself.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps_alive: bool,
    expects_continue: bool,
    hosts: usize,
}

impl Facts {
    fn of(headers: &[Header<'_>]) -> Result<Self, Status> {
        let mut facts = Self::default();
        for Header { name, value } in headers {
            let value = value.trim_ascii();
            if name.eq_ignore_ascii_case("content-length") {
                let length = number(value).ok_or(Status::BAD_REQUEST)?;
                if facts.length.replace(length).is_some() {
                    return Err(Status::BAD_REQUEST);
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                facts.is_chunked = true;
            } else if name.eq_ignore_ascii_case("connection") {
                facts.closes |= lists(value, "close");
                facts.keeps_alive |= lists(value, "keep-alive");
            } else if name.eq_ignore_ascii_case("expect") {
                facts.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
            } else if name.eq_ignore_ascii_case("host") {
                facts.hosts = facts.hosts.saturating_add(1);
            }
        }
        Ok(facts)
    }
}

/// Only digits: `parse` would also accept a sign, which other programs may treat differently.
fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Whether a comma-separated list contains a word.
fn lists(value: &[u8], word: &str) -> bool {
    value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// The path of a target: without a query, and without the scheme and host that a proxy's client may add.
fn path_of(target: &str) -> &str {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
        None => target,
    };
    path.split('?').next().unwrap_or(path)
}
