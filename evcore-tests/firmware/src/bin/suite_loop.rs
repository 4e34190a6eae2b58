//! The conformance suite: events, their order, the loop around them, and what comes from elsewhere.

#![no_std]
#![no_main]

firmware::suite! { "unread" "events" "priorities" "loop_control" "limits" "watchers" "signals" "handlers" "wake" "faults" }
