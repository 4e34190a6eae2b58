//! The conformance suite: events and their order, the loop, signals and wakes.

#![no_std]
#![no_main]

firmware::suite! { "unread" "events" "priorities" "loop_control" "limits" "watchers" "signals" "handlers" "wake" "faults" }
