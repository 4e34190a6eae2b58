//! DNS messages (RFC 1035), limited to what a server for a few addresses needs.

use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Without extensions, no message is longer.
pub(crate) const QUERY_MAX: usize = 512;
const HEADER: usize = 12;
/// How long an answer may be cached, in seconds.
const TTL: u32 = 60;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// Bits of the header's second word.
const IS_RESPONSE: u16 = 1 << 15;
const OPCODE: u16 = 0xf << 11;
const AUTHORITATIVE: u16 = 1 << 10;
const RECURSION_DESIRED: u16 = 1 << 8;

#[derive(Clone, Copy)]
enum Outcome {
    NoError = 0,
    FormatError = 1,
    NoSuchName = 3,
    NotImplemented = 4,
}

/// Names, in lower case, and their addresses.
#[derive(Default)]
pub(crate) struct Zone(HashMap<Vec<u8>, Ipv4Addr>);

impl Zone {
    pub(crate) fn insert(&mut self, name: &str, address: Ipv4Addr) {
        self.0.insert(name.trim_end_matches('.').to_ascii_lowercase().into_bytes(), address);
    }

    /// Answers a message. `None` if it must not be answered, because it is a response itself or too short.
    pub(crate) fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let flags = word(query, 2)?;
        if query.len() < HEADER || flags & IS_RESPONSE != 0 {
            return None;
        }
        if flags & OPCODE != 0 {
            return Some(response(query, Outcome::NotImplemented, &[], None));
        }
        let Some(question) = Question::of(query) else {
            return Some(response(query, Outcome::FormatError, &[], None));
        };
        let address = self.0.get(&question.name).copied();
        let outcome = if address.is_some() { Outcome::NoError } else { Outcome::NoSuchName };
        let asked_for = (question.kind, question.class) == (TYPE_A, CLASS_IN);
        Some(response(query, outcome, question.bytes, address.filter(|_| asked_for)))
    }
}

struct Question<'a> {
    /// In lower case, with dots.
    name: Vec<u8>,
    kind: u16,
    class: u16,
    /// The original bytes, to be repeated in the answer.
    bytes: &'a [u8],
}

impl<'a> Question<'a> {
    /// The only question of a message; `None` if it does not have exactly one.
    fn of(query: &'a [u8]) -> Option<Self> {
        if query.len() > QUERY_MAX || word(query, 4)? != 1 {
            return None;
        }
        let (mut at, mut name) = (HEADER, Vec::new());
        loop {
            let len = usize::from(*query.get(at)?);
            at += 1;
            match len {
                0 => break,
                // Larger values are pointers, which the first name of a message does not need.
                1..=63 if name.len() + len < 254 => {
                    if !name.is_empty() {
                        name.push(b'.');
                    }
                    name.extend(query.get(at..at + len)?.to_ascii_lowercase());
                    at += len;
                }
                _ => return None,
            }
        }
        Some(Self { name, kind: word(query, at)?, class: word(query, at + 2)?, bytes: query.get(HEADER..at + 4)? })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn response(query: &[u8], outcome: Outcome, question: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    let asked = word(query, 2).unwrap_or(0);
    let flags = IS_RESPONSE | asked & (OPCODE | RECURSION_DESIRED) | AUTHORITATIVE | outcome as u16;
    let counts = [u16::from(!question.is_empty()), u16::from(address.is_some()), 0, 0];
    let mut bytes = word(query, 0).unwrap_or(0).to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(question);
    if let Some(address) = address {
        // A pointer to the question's name, which follows the header.
        bytes.extend([0xc0, HEADER as u8]);
        bytes.extend([TYPE_A, CLASS_IN].iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend(TTL.to_be_bytes());
        bytes.extend(4_u16.to_be_bytes());
        bytes.extend(address.octets());
    }
    bytes
}
