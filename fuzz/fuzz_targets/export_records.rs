#![no_main]
#[path = "../audit.rs"]
#[allow(dead_code, reason = "each target drives one of them")]
mod audit;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { audit::export_records(bytes); });
