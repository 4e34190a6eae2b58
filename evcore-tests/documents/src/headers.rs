//! `libevent-names` has the public names of libevent's core. It was made from libevent's master, and must contain all
//! names of the headers found on this machine: $LIBEVENT_HEADERS, or Debian's libevent-dev.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use crate::from_libevent::LIST;
use crate::tree::{read, root};
use crate::{Outcome, outcome};

const HEADERS: [&str; 4] = ["event", "event_struct", "watch", "thread"];
const PREFIXES: [&str; 13] = [
    "EV", "EVENT", "EVLOOP", "EVLIST", "EVTHREAD", "LIBEVENT", "event", "evtimer", "evsignal", "evuser", "evthread",
    "evwatch", "libevent",
];

fn check(list: &str, found: &BTreeSet<String>) -> Outcome {
    let listed: BTreeSet<_> = list.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let names: BTreeSet<_> = found.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let missing = names.difference(&listed).map(|name| format!("{LIST}: {name} is missing"));
    outcome(missing.collect(), format!("all {} names of the headers are listed", names.len()))
}

/// `event.h event_new` for each name in libevent's name space that the header defines or declares. Excludes include
/// guards, build configuration, and names from other headers.
fn names(header: &str, source: &str) -> BTreeSet<String> {
    let code = code(source);
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_foreign = |word: &str| header != "event" && matches!(word, "event" | "event_base");
    words.filter(|word| is_public(word) && !is_foreign(word)).map(|word| format!("{header}.h {word}")).collect()
}

fn is_public(word: &str) -> bool {
    let is_integer =
        |rest: &str| rest.strip_suffix("_t").is_some_and(|rest| rest.trim_start_matches('u').starts_with("int"));
    let plain = word.strip_prefix('_').unwrap_or(word);
    let begin = plain.split_once('_').map_or("", |(begin, _)| begin);
    let is_ours = PREFIXES.contains(&begin)
        || matches!(begin, "ev" | "evcb")
        || matches!(word, "event" | "evwatch" | "min_heap_idx");
    let is_build = ["EVENT_DEFINED_", "EVENT__", "EVENT2_"].iter().any(|begin| word.starts_with(begin))
        || word.ends_with("_INCLUDED_")
        || word.strip_prefix("ev_").is_some_and(|rest| rest.is_empty() || is_integer(rest))
        || word == "EVENT_IN_DOXYGEN_";
    is_ours && !is_build
}

/// C without comments and strings.
fn code(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['/', '"']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest {
            _ if rest.starts_with("/*") => rest[2..].find("*/").map(|at| at + 4),
            _ if rest.starts_with("//") => rest.find('\n'),
            _ if rest.starts_with('"') => rest[1..].find('"').map(|at| at + 2),
            _ => {
                code.push('/');
                Some(1)
            }
        };
        code.push(' ');
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    code + rest
}

/// The names of all headers found.
fn names_at_hand() -> Option<BTreeSet<String>> {
    let folder = env::var("LIBEVENT_HEADERS").unwrap_or("/usr/include/event2".to_owned());
    let source = |header| fs::read_to_string(Path::new(&folder).join(format!("{header}.h"))).ok();
    let names: BTreeSet<_> =
        HEADERS.iter().filter_map(|header| Some(names(header, &source(header)?))).flatten().collect();
    if names.is_empty() {
        println!("NOT RUN: there is no event.h in {folder} (Debian: libevent-dev)");
    }
    (!names.is_empty()).then_some(names)
}

#[test]
fn names_of_headers_are_listed() {
    if let Some(found) = names_at_hand() {
        crate::hold(check(&read(LIST), &found));
    }
}

/// Replaces the list with the names of the headers: `LIBEVENT_HEADERS=… cargo test -p documents renew_names --
/// --ignored`.
#[test]
#[ignore = "it writes libevent-names"]
fn renew_names() {
    let names = names_at_hand().expect("there are no headers");
    let lines: String = names.iter().map(|line| format!("{line}\n")).collect();
    fs::write(root().join(LIST), lines).unwrap();
}

#[test]
fn public_names_are_found() {
    let source = "#ifndef EVENT2_EVENT_H_INCLUDED_\n#include \"event_no.h\"\n/* event_not\n */ // event_nor\n\
                  #define EV_READ 0x02 /**/\nstruct event *event_new(struct event_base *, ev_uint32_t a/b);\n\
                  #define _EVENT_OLD ev_uint8 EVENT__X EVENT_DEFINED_TQENTRY_ event_\n";
    let found = names("event", source);
    let expected = ["EV_READ", "_EVENT_OLD", "ev_uint8", "event", "event_", "event_base", "event_new"];
    assert_eq!(found, expected.map(|name| format!("event.h {name}")).into());
    assert!(!names("watch", source).contains("watch.h event_base"));
}

#[test]
fn notices_name_that_is_not_listed() {
    let found = names("event", "int event_new(void); int event_free(void);");
    assert_eq!(
        check("event.h event_free\nevent.h event_new", &found).unwrap(),
        "all 2 names of the headers are listed"
    );
    let wrong = check("event.h event_free", &found).unwrap_err();
    assert_eq!(wrong, ["evcore-tests/documents/libevent-names: event_new is missing"]);
}
