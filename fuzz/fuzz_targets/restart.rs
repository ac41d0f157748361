#![no_main]
#[path = "../decoders.rs"]
#[allow(dead_code, reason = "each target drives one of them")]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { decoders::restart(bytes); });
