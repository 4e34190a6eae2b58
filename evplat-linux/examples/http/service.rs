//! What the server does.

use crate::request::Request;
use crate::response::{Date, Response, Status, write_error};

const GREETING: &[u8] = b"Hello, world\n";

/// Appends the answer to a request. It must not block: long work belongs in a thread, see the example `threads`.
pub(crate) fn answer(request: &Request<'_>, is_last: bool, date: &mut Date, output: &mut Vec<u8>) {
    let is_head = request.method == "HEAD";
    let (status, headers, body) = match (request.path, request.method) {
        ("/", "GET" | "HEAD") => (Status::OK, "", GREETING),
        ("/", _) => (Status::METHOD_NOT_ALLOWED, "Allow: GET, HEAD\r\n", &b""[..]),
        ("/echo", "POST") => (Status::OK, "", request.body),
        ("/echo", _) => (Status::METHOD_NOT_ALLOWED, "Allow: POST\r\n", &b""[..]),
        _ if is_head => (Status::NOT_FOUND, "", &b""[..]),
        _ => return write_error(Status::NOT_FOUND, is_last, date, output),
    };
    let connection = match (is_last, request.is_http_1_0) {
        (true, _) => "Connection: close\r\n",
        (false, true) => "Connection: keep-alive\r\n",
        (false, false) => "",
    };
    Response { status, headers: &format!("{headers}{connection}"), body, is_head }.write(date, output);
}
