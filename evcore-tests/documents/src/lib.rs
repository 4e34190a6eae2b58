//! The checks that documents, code and scripts agree, one module each.
//!
//! ```text
//! cargo test -p documents                      all of them, in a second
//! cargo test -p documents links                one
//! cargo test -p documents -- --show-output     with what each check has counted
//! ```
//!
//! A check is a function of texts that returns its complaints. One test calls it with the repository's files, the
//! others with incorrect texts, to prove that the check detects them.

#![cfg(test)]

mod cases;
mod circles;
mod figures;
mod from_libevent;
mod headers;
mod help;
mod lengths;
mod licences;
mod links;
mod parity;
mod probe;
mod readers;
mod semantics;
mod snippets;
mod tree;
mod unsafe_code;

/// A line that says what was checked, or what is wrong.
type Outcome = Result<String, Vec<String>>;

fn outcome(wrong: Vec<String>, summary: String) -> Outcome {
    if wrong.is_empty() { Ok(summary) } else { Err(wrong) }
}

/// Fails with all complaints, each on a line of its own.
#[track_caller]
fn hold(outcome: Outcome) {
    match outcome {
        Ok(summary) => println!("{summary}"),
        Err(wrong) => panic!("\n{}\n", wrong.join("\n")),
    }
}
