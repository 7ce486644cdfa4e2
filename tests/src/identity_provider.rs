//! An identity provider on this machine: a key set over HTTP, real keys, and every way to fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A key that the provider signs with.
#[derive(Clone)]
pub struct Key {
    /// Its name.
    pub kid: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Key {
    /// RSA, 2,048 bits.
    pub fn rsa() -> Result<Self> {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../keys/rsa.pem"))?;
        Ok(Self::new("rsa", Algorithm::RS256, key))
    }

    /// P-256.
    pub fn ec() -> Result<Self> {
        let key = EncodingKey::from_ec_pem(include_bytes!("../keys/ec.pem"))?;
        Ok(Self::new("ec", Algorithm::ES256, key))
    }

    /// P-256, the one that comes after.
    pub fn ec_next() -> Result<Self> {
        let key = EncodingKey::from_ec_pem(include_bytes!("../keys/ec-next.pem"))?;
        Ok(Self::new("ec-next", Algorithm::ES256, key))
    }

    /// Ed25519.
    pub fn ed() -> Result<Self> {
        let key = EncodingKey::from_ed_pem(include_bytes!("../keys/ed.pem"))?;
        Ok(Self::new("ed", Algorithm::EdDSA, key))
    }

    fn new(kid: &'static str, algorithm: Algorithm, key: EncodingKey) -> Self {
        Self {
            kid,
            algorithm,
            key,
        }
    }

    /// A token of this key.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.sign_as(self.kid, claims)
    }

    /// A token of this key under another key's name.
    pub fn sign_as(&self, kid: &str, claims: &Value) -> Result<String> {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(kid.to_owned());
        Ok(encode(&header, claims, &self.key)?)
    }

    /// The public half, as the provider shows it.
    pub fn public(&self) -> Result<Value> {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm)?;
        jwk.common.key_id = Some(self.kid.to_owned());
        Ok(serde_json::to_value(jwk)?)
    }
}

/// What a request for the keys comes to.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status, a header line, a body.
    Says(u16, String, String),
    /// The connection closes.
    Gone,
    /// Nothing, for ever.
    Silent,
}

impl Answer {
    /// The public halves of these keys.
    pub fn keys(keys: &[&Key]) -> Result<Self> {
        let keys = keys.iter().map(|key| key.public());
        let keys = keys.collect::<Result<Vec<_>>>()?;
        Ok(Self::json(&json!({ "keys": keys })))
    }

    /// Any JSON.
    pub fn json(value: &Value) -> Self {
        let kind = "content-type: application/json";
        Self::Says(200, kind.to_owned(), value.to_string())
    }
}

#[derive(Debug)]
struct State {
    answer: Answer,
    requests: usize,
}

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Provider {
    /// Starts one that answers like this. `/elsewhere` always has `hidden`.
    pub async fn start(answer: Answer, hidden: Answer) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the provider")?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = State {
            answer,
            requests: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away has its answer.
                tokio::spawn(serve(stream, Arc::clone(&shared), hidden.clone()));
            }
        });
        Ok(Self { url, state, task })
    }

    /// Where its keys are.
    pub fn url(&self) -> String {
        format!("{}/jwks", self.url)
    }

    /// Where `hidden` is.
    pub fn elsewhere(&self) -> String {
        format!("{}/elsewhere", self.url)
    }

    /// From now on it answers like this.
    pub fn answers(&self, answer: Answer) {
        locked(&self.state).answer = answer;
    }

    /// How often it was asked.
    pub fn requests(&self) -> usize {
        locked(&self.state).requests
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, hidden: Answer) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let answer = if head.starts_with(b"GET /elsewhere ") {
        hidden
    } else {
        let mut state = locked(&state);
        state.requests += 1;
        state.answer.clone()
    };
    match answer {
        Answer::Gone => {}
        Answer::Silent => std::future::pending().await,
        Answer::Says(status, header, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Said\r\n{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
            stream.shutdown().await?;
        }
    }
    Ok(())
}
