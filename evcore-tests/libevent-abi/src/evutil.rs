//! `evutil`: functions of libevent's core besides events, which programs use. The variadic ones are in
//! `c/variadic.c`.

use core::cmp::Ordering;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt::Write as _;
use core::ptr::{NonNull, null};
use std::ffi::CString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use crate::abi::timeval;
use crate::from_c::{Lent, Out, bytes, export, room, string};
use crate::memory;
use crate::time;
use crate::to_c;

pub(crate) fn is_blocking(fd: c_int) -> bool {
    to_c::get_flags(fd, libc::F_GETFL).is_some_and(|flags| flags & libc::O_NONBLOCK == 0)
}

/// Writes text with a terminating zero into C's buffer, truncated if necessary. Returns the length of the text.
fn write_text(out: *mut c_char, length: usize, text: &str) -> usize {
    if let Some((last, room)) = room(out.cast(), length).split_last_mut() {
        let fits = text.len().min(room.len());
        room[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        *last = 0;
    }
    text.len()
}

fn insert_flag(fd: c_int, get: c_int, set: c_int, flag: c_int, what: &str) -> c_int {
    match to_c::get_flags(fd, get) {
        Some(flags) if flags & flag != 0 => 0,
        Some(flags) if to_c::set_flags(fd, set, flags | flag) != -1 => 0,
        _ => {
            crate::log::warn(&format!("fcntl({fd}, {what})"));
            -1
        }
    }
}

fn ordering(order: Ordering) -> c_int {
    match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

fn v4(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn v6(address: SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
        sin6_scope_id: address.scope_id(),
    }
}

/// An IPv6 address, with an interface after `%`, by name or by number.
fn parse_v6(text: &str) -> Option<(Ipv6Addr, u32)> {
    let Some((address, scope)) = text.split_once('%') else { return Some((text.parse().ok()?, 0)) };
    let index = match to_c::interface_index(&CString::new(scope).ok()?) {
        0 if scope.is_empty() => 0,
        0 => scope.parse().ok()?,
        index => index,
    };
    Some((address.parse().ok()?, index))
}

/// As libevent formats it: like Rust, but an IPv4 address within an IPv6 one has dots even if only zeros precede it.
fn text_of_v6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 && low != 0 => {
            format!("::{}", Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => address.to_string(),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| *port > 0)
}

/// `[address]:port`, `[address]`, an IPv6 address, `address:port`, an IPv4 address: as the bytes of a `sockaddr`.
fn parse_address(text: &str) -> Option<Vec<u8>> {
    let colons = text.matches(':').count();
    let (address, port, is_v6) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (address, "") => (address, 0, true),
            (address, port) => (address, parse_port(port.strip_prefix(':')?)?, true),
        },
        None if colons == 1 => {
            let (address, port) = text.split_once(':')?;
            (address, parse_port(port)?, false)
        }
        None => (text, 0, colons > 1),
    };
    if is_v6 {
        let (ip, scope) = parse_v6(address)?;
        return Some(to_c::bytes_of(&v6(SocketAddrV6::new(ip, port, 0, scope))).to_vec());
    }
    let ip: Ipv4Addr = address.parse().ok()?;
    Some(to_c::bytes_of(&v4(SocketAddrV4::new(ip, port))).to_vec())
}

fn lower(text: &CStr, limit: usize) -> Vec<u8> {
    let text = text.to_bytes();
    text[..text.len().min(limit)].to_ascii_lowercase()
}

/// `struct evutil_monotonic_timer`.
#[derive(Clone, Copy)]
pub struct Timer {
    is_coarse: bool,
}

/// `EV_MONOT_PRECISE`.
const PRECISE: c_int = 1;

export! {
    fn evutil_socketpair(family: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int {
        to_c::socketpair(family, kind, protocol, pair)
    }

    fn evutil_make_socket_nonblocking(fd: c_int) -> c_int {
        insert_flag(fd, libc::F_GETFL, libc::F_SETFL, libc::O_NONBLOCK, "F_SETFL")
    }

    fn evutil_make_socket_closeonexec(fd: c_int) -> c_int {
        insert_flag(fd, libc::F_GETFD, libc::F_SETFD, libc::FD_CLOEXEC, "F_SETFD")
    }

    fn evutil_make_listen_socket_reuseable(fd: c_int) -> c_int {
        to_c::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
    }

    fn evutil_make_listen_socket_reuseable_port(fd: c_int) -> c_int {
        to_c::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
    }

    fn evutil_make_listen_socket_ipv6only(fd: c_int) -> c_int {
        to_c::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
    }

    fn evutil_make_tcp_listen_socket_deferred(fd: c_int) -> c_int {
        to_c::set_option(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1)
    }

    fn evutil_closesocket(fd: c_int) -> c_int {
        to_c::close(fd)
    }

    fn evutil_strtoll(text: *const c_char, end: *mut *mut c_char, base: c_int) -> i64 {
        to_c::parse_number(text, end, base)
    }

    fn evutil_ascii_strcasecmp(one: *const c_char, other: *const c_char) -> c_int {
        ordering(lower(string(one), usize::MAX).cmp(&lower(string(other), usize::MAX)))
    }

    fn evutil_ascii_strncasecmp(one: *const c_char, other: *const c_char, limit: usize) -> c_int {
        // Only up to the limit, because there may be no terminating zero.
        let cut = |text: *const c_char| {
            let mut bytes = crate::from_c::text_within(text, limit);
            bytes.make_ascii_lowercase();
            bytes
        };
        ordering(cut(one).cmp(&cut(other)))
    }

    fn evutil_inet_ntop(family: c_int, address: *const c_void, out: *mut c_char, length: usize) -> *const c_char {
        let text = match family {
            libc::AF_INET => <[u8; 4]>::try_from(bytes(address, 4)).map(|octets| Ipv4Addr::from(octets).to_string()),
            libc::AF_INET6 => <[u8; 16]>::try_from(bytes(address, 16)).map(|octets| text_of_v6(octets.into())),
            _ => return null(),
        };
        let Ok(text) = text else { return null() };
        if write_text(out, length, &text) >= length {
            return null();
        }
        out
    }

    fn evutil_inet_pton(family: c_int, text: *const c_char, out: *mut c_void) -> c_int {
        let text = string(text).to_string_lossy();
        match family {
            libc::AF_INET => {
                let Ok(address) = text.parse::<Ipv4Addr>() else { return 0 };
                room(out, 4).copy_from_slice(&address.octets());
                1
            }
            libc::AF_INET6 => {
                let Ok(address) = text.parse::<Ipv6Addr>() else { return 0 };
                room(out, 16).copy_from_slice(&address.octets());
                1
            }
            _ => -1,
        }
    }

    fn evutil_inet_pton_scope(
        family: c_int,
        text: *const c_char,
        out: *mut c_void,
        index: Option<Out<u32>>,
    ) -> c_int {
        let scoped = string(text).to_string_lossy();
        if family != libc::AF_INET6 {
            return evutil_inet_pton(family, text, out);
        }
        let Some((address, scope)) = parse_v6(&scoped) else { return 0 };
        if let Some(index) = index {
            index.set(scope);
        }
        room(out, 16).copy_from_slice(&address.octets());
        1
    }

    fn evutil_parse_sockaddr_port(text: *const c_char, out: *mut c_void, length: Option<Out<c_int>>) -> c_int {
        let Some(length) = length else { return -1 };
        let Some(address) = parse_address(&string(text).to_string_lossy()) else { return -1 };
        let (Ok(there), Ok(needed)) = (usize::try_from(length.get()), c_int::try_from(address.len())) else { return -1 };
        if there < address.len() {
            return -1;
        }
        room(out, there)[..address.len()].copy_from_slice(&address);
        length.set(needed);
        0
    }

    fn evutil_sockaddr_cmp(
        one: Option<Lent<libc::sockaddr>>,
        other: Option<Lent<libc::sockaddr>>,
        with_port: c_int,
    ) -> c_int {
        let (Some(one), Some(other)) = (one, other) else { return 0 };
        let family = one.get().sa_family;
        if family != other.get().sa_family {
            return c_int::from(family) - c_int::from(other.get().sa_family);
        }
        // The offset and length of the address; the port follows the family.
        let (start, end) = match c_int::from(family) {
            libc::AF_INET => (4, 8),
            libc::AF_INET6 => (8, 24),
            _ => return 1,
        };
        let [one, other] = [one, other].map(|address| bytes(address.as_ptr().cast(), end));
        let mut order = one[start..].cmp(&other[start..]);
        if with_port != 0 {
            order = order.then(one[2..4].cmp(&other[2..4]));
        }
        ordering(order)
    }

    fn evutil_getaddrinfo(
        node: *const c_char,
        service: *const c_char,
        hints: *const libc::addrinfo,
        out: *mut *mut libc::addrinfo,
    ) -> c_int {
        to_c::lookup(node, service, hints, out)
    }

    fn evutil_freeaddrinfo(list: *mut libc::addrinfo) {
        to_c::free_addresses(list);
    }

    fn evutil_gai_strerror(number: c_int) -> *const c_char {
        const CANCELLED: c_int = -90_001;
        if number == CANCELLED { c"Request canceled".as_ptr() } else { to_c::lookup_error(number) }
    }

    fn evutil_secure_rng_init() -> c_int {
        0
    }

    fn evutil_secure_rng_get_bytes(out: *mut c_void, length: usize) {
        to_c::random(room(out, length));
    }

    /// The kernel's random numbers need no additional bytes.
    fn evutil_secure_rng_add_bytes(_data: *const c_char, _length: usize) {}

    fn evutil_secure_rng_set_urandom_device_file(_name: *mut c_char) -> c_int {
        0
    }

    fn evutil_date_rfc1123(out: *mut c_char, length: usize, parts: Option<Lent<libc::tm>>) -> c_int {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let parts = parts.map_or_else(to_c::utc_now, Lent::get);
        let name = |names: &'static [&'static str], number: c_int| {
            usize::try_from(number).ok().and_then(|number| names.get(number).copied()).unwrap_or("???")
        };
        let mut text = String::new();
        let _ = write!(
            text,
            "{}, {:02} {} {:4} {:02}:{:02}:{:02} GMT",
            name(&DAYS, parts.tm_wday),
            parts.tm_mday,
            name(&MONTHS, parts.tm_mon),
            1900 + parts.tm_year,
            parts.tm_hour,
            parts.tm_min,
            parts.tm_sec
        );
        c_int::try_from(write_text(out, length, &text)).unwrap_or(-1)
    }

    fn evutil_monotonic_timer_new() -> Option<NonNull<Timer>> {
        memory::put(Timer { is_coarse: true })
    }

    fn evutil_monotonic_timer_free(timer: Option<NonNull<Timer>>) {
        if let Some(timer) = timer {
            memory::take(timer);
        }
    }

    fn evutil_configure_monotonic_time(timer: Option<NonNull<Timer>>, flags: c_int) -> c_int {
        let Some(timer) = timer else { return -1 };
        memory::lend(timer).is_coarse = flags & PRECISE == 0;
        0
    }

    fn evutil_gettime_monotonic(timer: Option<NonNull<Timer>>, out: Option<Out<timeval>>) -> c_int {
        let (Some(timer), Some(out)) = (timer, out) else { return -1 };
        let clock = if memory::lend(timer).is_coarse { libc::CLOCK_MONOTONIC_COARSE } else { libc::CLOCK_MONOTONIC };
        out.set(time::of_nanos(to_c::clock(clock)));
        0
    }
}
