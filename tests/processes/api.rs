//! The local API as a program of somebody else meets it: HTTP over the socket, by hand.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::ledger::Ledger;

/// Sends one request; the answer's status and body.
fn ask(ledger: &Ledger, line: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut socket = UnixStream::connect(ledger.trial.home(0).join("node.sock")).unwrap();
    let head = format!("{line} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).unwrap();
    // A node that refuses a long body may close before it has read it.
    let _ = socket.write_all(body);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP answer");
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

#[test]
fn every_refusal_is_json_with_its_code_and_nothing_else() {
    let ledger = Ledger::running(2);
    let long = vec![b'x'; 70_000];
    let cases: [(&str, &[u8], u16, &str); 11] = [
        ("GET /v1/records/P0/999", b"", 404, "unknown"),
        ("GET /v1/records/XX/0", b"", 404, "unknown"),
        ("GET /v1/nothing", b"", 404, "unknown"),
        ("GET /v1/notes/P0/0", b"", 422, "not-a-notification"),
        ("GET /v1/proof/P0/0", b"", 409, "not-evidence"),
        ("POST /v1/notes", b"hello", 422, "refused"),
        ("POST /v1/notes", &long, 413, "too-long"),
        ("GET /v1/notes/P0/x", b"", 400, "request"),
        ("GET /v1/notes?box=wrong", b"", 400, "request"),
        ("GET /v1/notes?box=all&limit=-1", b"", 400, "request"),
        ("DELETE /v1/status", b"", 405, "request"),
    ];
    for (line, body, status, code) in cases {
        let (found, answer) = ask(&ledger, line, body);
        let view: Value = serde_json::from_slice(&answer)
            .unwrap_or_else(|error| panic!("{line}: {error}: {}", String::from_utf8_lossy(&answer)));
        assert_eq!((found, view["code"].as_str()), (status, Some(code)), "{line}: {view}");
        assert!(view["error"].as_str().is_some_and(|text| !text.is_empty()), "{line}: {view}");
        assert_eq!(view.as_object().map(serde_json::Map::len), Some(2), "{line}: {view}");
    }
}
