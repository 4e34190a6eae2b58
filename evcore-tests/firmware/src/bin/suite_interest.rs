//! The conformance suite: each interest in each state, many registrations, the loop in one call, and refusals.

#![no_std]
#![no_main]

firmware::suite! { "interest" "many" "one_loop" "refusals" }
