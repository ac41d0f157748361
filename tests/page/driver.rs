//! A real Chromium, spoken to by the W3C WebDriver protocol: JSON over HTTP to `chromedriver`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tempfile::TempDir;

/// One browser at a time: each wants a core for itself.
static ONE: Mutex<()> = Mutex::new(());

/// A browser with a profile of its own, which goes with it.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one; `None`, with a word about it, where Chromium is not installed.
    pub fn start() -> Option<Self> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
        if !found("chromium") || !found("chromedriver") {
            println!("SKIPPED: the page is tested in Chromium (`make setup` installs chromium and chromium-driver)");
            return None;
        }
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
        });
        // What else it says is of no interest, but has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, port: port.unwrap(), session: String::new(), _profile: profile, _one: one };
        let data = format!("--user-data-dir={}", browser._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1000,1400",
            &data,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args}, "timeouts": {"script": 900_000},
        }}});
        let made = browser.call("POST", "/session", &wanted);
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        for line in answer.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(value["value"]["error"].is_null(), "{method} {path}: {}", value["value"]);
        value["value"].clone()
    }

    fn session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Opens a file, and waits until its script, if it runs, has come to a verdict: that verdict, or `static`.
    pub fn open(&self, file: &Path) -> String {
        self.session("POST", "/url", &json!({"url": format!("file://{}", file.display())}));
        self.verdict()
    }

    /// Waits until the page has come to a verdict.
    pub fn verdict(&self) -> String {
        let script = "const done = arguments[0], root = document.documentElement;
            const ready = () => root.dataset.verdict !== 'pending' && (done(root.dataset.verdict ?? 'static'), true);
            if (!ready()) new MutationObserver((_, self) => ready() && self.disconnect())
                .observe(root, { attributes: true });";
        self.session("POST", "/execute/async", &json!({"script": script, "args": []})).as_str().unwrap().to_owned()
    }

    /// What a function body returns in the page.
    pub fn ask(&self, script: &str) -> Value {
        self.session("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What an `async` function body returns in the page, with an argument.
    pub fn ask_async(&self, script: &str, argument: &Value) -> Value {
        let script = format!(
            "const done = arguments[1]; (async (argument) => {{ {script} }})(arguments[0])
             .then(done, (error) => done({{ failed: String(error.stack ?? error) }}));"
        );
        let value = self.session("POST", "/execute/async", &json!({"script": script, "args": [argument]}));
        assert!(value["failed"].is_null(), "{}", value["failed"]);
        value
    }

    /// A command of the browser's own protocol.
    pub fn devtools(&self, command: &str, params: &Value) -> Value {
        self.session("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params}))
    }

    /// Chooses files in the page's file input, as a person does.
    pub fn choose(&self, files: &[&Path]) -> String {
        let input = self.session("POST", "/element", &json!({"using": "css selector", "value": "#picker"}));
        let id = input.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        let text = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join("\n");
        self.ask("document.documentElement.dataset.verdict = 'pending'");
        self.session("POST", &format!("/element/{id}/value"), &json!({"text": text}));
        self.verdict()
    }

    /// Drags a file from the desktop onto the page.
    pub fn drop_file(&self, file: &Path) -> String {
        self.ask("document.documentElement.dataset.verdict = 'pending'");
        let data = json!({"items": [], "files": [file], "dragOperationsMask": 1});
        for kind in ["dragEnter", "dragOver", "drop"] {
            self.devtools("Input.dispatchDragEvent", &json!({"type": kind, "x": 300, "y": 300, "data": data}));
        }
        self.verdict()
    }

    /// The page on paper, as a PDF.
    pub fn printed(&self) -> Vec<u8> {
        let pdf = self.devtools("Page.printToPDF", &json!({"preferCSSPageSize": true, "printBackground": true}));
        BASE64.decode(pdf["data"].as_str().unwrap()).unwrap()
    }

    /// Saves a picture of the whole page where `VERBALE_PICTURES` names a folder.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("VERBALE_PICTURES") else { return };
        let shot = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let bytes = BASE64.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without this the browser would outlive a test that fails.
        let end = std::panic::AssertUnwindSafe(|| self.session("DELETE", "", &json!({})));
        if !self.session.is_empty() {
            let _ = std::panic::catch_unwind(end);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
