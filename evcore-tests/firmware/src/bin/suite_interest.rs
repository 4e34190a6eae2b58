//! The conformance suite: each interest in each state, many registrations, and refusals.

#![no_std]
#![no_main]

firmware::suite! { "interest" "many" "refusals" }
